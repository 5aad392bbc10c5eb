//! Hashes: the fast paths give what SHA-256 gives, and every value has one text.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tlog::canonical::{NotCanonical, from_decimal, from_hex_exact, hex};
use tlog::{Hash, sha256};

fn slow(parts: &[&[u8]]) -> Hash {
    Hash(Sha256::digest(parts.concat()).into())
}

#[test]
fn hashes_are_those_of_rfc_6962() {
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let empty_leaf = "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=";
    assert_eq!(Hash::empty_root().to_string(), empty);
    assert_eq!(Hash::empty_root(), slow(&[]));
    assert_eq!(Hash::leaf(b"").to_string(), empty_leaf);
}

#[test]
fn a_leaf_of_any_length_hashes_as_sha256_does() {
    // 54 and 55 bytes lie on either side of the one-block path.
    for length in 0..300_usize {
        let entry: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
        assert_eq!(Hash::leaf(&entry), slow(&[&[0], &entry]), "{length} bytes");
    }
}

#[test]
fn a_hash_has_one_text() {
    let hash = Hash::leaf(b"one");
    let text = hash.to_string();
    assert_eq!(text.parse(), Ok(hash));
    let url_safe = "--__".to_owned() + text.get(4..).unwrap();
    // 32 bytes leave two bits of the last character unused: set, they would be a second spelling.
    let trailing_bits = text.get(..42).unwrap().to_owned() + "B=";
    for wrong in
        ["", text.get(..43).unwrap(), &format!("{text}="), &format!("{text}\n"), &format!(" {text}"), &trailing_bits, &url_safe, "AAAA"]
    {
        assert!(wrong.parse::<Hash>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_decimal_has_one_text() {
    assert_eq!(from_decimal("0"), Ok(0));
    assert_eq!(from_decimal("18446744073709551615"), Ok(u64::MAX));
    for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "١", "18446744073709551616"] {
        assert_eq!(from_decimal(wrong), Err(NotCanonical::Decimal), "{wrong:?}");
    }
}

#[test]
fn hexadecimal_has_one_text() {
    assert_eq!(hex(&[0x0a, 0xff]), "0aff");
    assert_eq!(from_hex_exact("0aff"), Ok([0x0a, 0xff]));
    for wrong in ["", "0a", "0aff0", "0aff00", "0aFF", "0x0a", "0ag0", "0a f"] {
        assert_eq!(from_hex_exact::<2>(wrong), Err(NotCanonical::Hex), "{wrong:?}");
    }
}

proptest! {
    #[test]
    fn a_node_hashes_as_sha256_does(left: [u8; 32], right: [u8; 32]) {
        prop_assert_eq!(Hash::node(&Hash(left), &Hash(right)), slow(&[&[1], &left, &right]));
    }

    #[test]
    fn sha256_hashes_the_concatenation(a: Vec<u8>, b: Vec<u8>) {
        prop_assert_eq!(Hash(sha256(&[&a, &b])), slow(&[&a, &b]));
    }
}
