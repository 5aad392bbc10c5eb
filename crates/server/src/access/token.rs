//! API tokens: `idl_<key id, 16 hex>_<secret, 43 base64url characters of 32 random bytes>`.
//!
//! The key id is public: it stands in acts and answers and finds the key's record. The secret has
//! 256 random bits, so a plain SHA-256 is a safe way to store it: there is no password to guess
//! and nothing for a slow hash to slow down.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const PREFIX: &str = "idl_";
const ID_HEX: usize = 16;
const SECRET_BYTES: usize = 32;
const SECRET_CHARS: usize = 43;

/// Identifies a key without giving it away: eight random bytes, written `k_` and 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(pub u64);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k_{:016x}", self.0)
    }
}

/// Not a key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key id: expected `k_` and 16 lower-case hex digits")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let hex = text.strip_prefix("k_").ok_or(InvalidKeyId)?;
        lower_hex_u64(hex).map(Self).ok_or(InvalidKeyId)
    }
}

/// An API token. Only its holder has it; the log keeps [`Token::hash`]. `Debug` hides the secret,
/// and there is no `Display`: whoever shows a token says so with [`Token::reveal`].
#[derive(Clone)]
pub struct Token {
    key_id: KeyId,
    text: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, secret hidden)", self.key_id)
    }
}

/// Not an API token. Says nothing of what was sent: it may be a mistyped secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an API key of this server: expected `idl_`, 16 hex digits, `_` and 43 characters; copy the key as it was shown")]
pub struct InvalidToken;

impl Token {
    /// Makes a new token. `random` must fill its argument with cryptographically secure bytes.
    pub fn generate(random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut id = [0; 8];
        let mut secret = [0; SECRET_BYTES];
        random(&mut id);
        random(&mut secret);
        let key_id = KeyId(u64::from_be_bytes(id));
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let text = format!("{PREFIX}{:016x}_{secret}", key_id.0);
        Self { key_id, text }
    }

    /// The key's public name.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The whole token, to be shown once to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is stored: SHA-256 of the whole token.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, self.text.as_bytes()).as_ref());
        hash
    }

    /// Whether this is the token that `stored_hash` was made from. Takes the same time wherever
    /// the two differ.
    #[must_use]
    pub fn matches(&self, stored_hash: &[u8; 32]) -> bool {
        constant_time::verify_slices_are_equal(&self.hash(), stored_hash).is_ok()
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    /// Accepts exactly what [`Token::generate`] writes, in its one spelling.
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let rest = text.strip_prefix(PREFIX).ok_or(InvalidToken)?;
        let (id, secret) = rest.split_once('_').ok_or(InvalidToken)?;
        let key_id = lower_hex_u64(id).map(KeyId).ok_or(InvalidToken)?;
        if secret.len() != SECRET_CHARS {
            return Err(InvalidToken);
        }
        // The engine refuses a last character with spare bits set, so each secret has one spelling.
        let mut bytes = [0; SECRET_BYTES];
        match URL_SAFE_NO_PAD.decode_slice(secret, &mut bytes) {
            Ok(SECRET_BYTES) => Ok(Self { key_id, text: text.to_owned() }),
            _ => Err(InvalidToken),
        }
    }
}

fn lower_hex_u64(hex: &str) -> Option<u64> {
    // `from_str_radix` alone would also take upper case and a sign.
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hex.len() != ID_HEX || !hex.bytes().all(lower) {
        return None;
    }
    u64::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counting() -> impl FnMut(&mut [u8]) {
        let mut next = 0u8;
        move |out| {
            for byte in out {
                *byte = next;
                next = next.wrapping_add(1);
            }
        }
    }

    #[test]
    fn a_token_has_the_documented_form() {
        let token = Token::generate(&mut counting());
        assert_eq!(token.reveal(), "idl_0001020304050607_CAkKCwwNDg8QERITFBUWFxgZGhscHR4fICEiIyQlJic");
        assert_eq!(token.key_id().to_string(), "k_0001020304050607");
        assert_eq!("k_0001020304050607".parse(), Ok(token.key_id()));
        assert_eq!(tlog::canonical::hex(&token.hash()), "a10a24d487ac1d4fc5dbd70dc0c87409301fad149014d3907496abe1a33dcc3e");
    }

    #[test]
    fn a_token_survives_its_text_and_matches_only_its_own_hash() {
        let mut random = counting();
        let (one, other) = (Token::generate(&mut random), Token::generate(&mut random));
        let read: Token = one.reveal().parse().unwrap();
        assert!(read.matches(&one.hash()));
        assert!(!read.matches(&other.hash()));
        assert!(!read.matches(&[0; 32]));
    }

    #[test]
    fn debug_output_does_not_hold_the_secret() {
        let token = Token::generate(&mut counting());
        assert_eq!(format!("{token:?}"), "Token(k_0001020304050607, secret hidden)");
    }

    #[test]
    fn a_second_spelling_of_a_token_is_refused() {
        let good = Token::generate(&mut counting()).reveal().to_owned();
        let short = good.strip_suffix('c').unwrap();
        let spare_bits = format!("{short}d");
        let upper = good.replace("idl_0001020304050607", "idl_000102030405060A");
        let signed = good.replace("idl_0001020304050607", "idl_+001020304050607");
        for text in [short, &spare_bits, &upper, &signed, &format!("{good} "), &format!("{good}=")] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
        for text in ["", "idl_", "idl__", "k_0001020304050607"] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_back_the_same(text in "(idl_)?[0-9a-f_]{0,20}[A-Za-z0-9_-]{0,50}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.reveal(), text);
            }
        }
    }
}
