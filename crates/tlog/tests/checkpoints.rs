//! Checkpoints, cosignatures and proof files: the texts a verifier takes from strangers.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use ed25519_dalek::{Signer, SigningKey};
use tlog::checkpoint::{BodyError, CheckpointError};
use tlog::cosignature::{CosignatureError, CosignerKey, TIME_MAX, open_cosignatures};
use tlog::note::{KeyError, SignatureError};
use tlog::proof::ProofError;
use tlog::{Checkpoint, Hash, LeafIndex, SignedNote, TlogProof, TreeSize, VerifierKey, open_checkpoint};

const ORIGIN: &str = "example.com/log";
const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";

fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn log_key(name: &str, seed: u8) -> VerifierKey {
    VerifierKey::new(name, secret(seed).verifying_key().to_bytes()).unwrap()
}

fn witness_key(name: &str, seed: u8) -> CosignerKey {
    CosignerKey::new(name, secret(seed).verifying_key().to_bytes()).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: TreeSize(20_852_163), root: ROOT.parse().unwrap() }
}

fn signed(key: &VerifierKey, seed: u8) -> String {
    checkpoint().sign(key, |body| secret(seed).sign(body).to_bytes())
}

#[test]
fn a_body_is_three_lines() {
    let body = checkpoint().body();
    assert_eq!(body, format!("{ORIGIN}\n20852163\n{ROOT}\n"));
    assert_eq!(Checkpoint::parse_body(&body), Ok(checkpoint()));
}

#[test]
fn any_other_body_is_refused() {
    let empty_root = Hash::empty_root();
    let bodies = [
        (String::new(), BodyError::Lines),
        ("\n".into(), BodyError::Lines),
        (format!("{ORIGIN}\n1\n"), BodyError::Lines),
        (format!("{ORIGIN}\n1\n{ROOT}"), BodyError::Lines),
        (format!("{ORIGIN}\n1\n{ROOT}\nextension\n"), BodyError::Lines),
        (format!("{ORIGIN}\n1\n{ROOT}\n\n"), BodyError::Lines),
        (format!("\n1\n{ROOT}\n"), BodyError::Origin),
        (format!("exa\tmple\n1\n{ROOT}\n"), BodyError::Origin),
        (format!("{ORIGIN}\n\n{ROOT}\n"), BodyError::Size),
        (format!("{ORIGIN}\n01\n{ROOT}\n"), BodyError::Size),
        (format!("{ORIGIN}\n+1\n{ROOT}\n"), BodyError::Size),
        (format!("{ORIGIN}\n-1\n{ROOT}\n"), BodyError::Size),
        (format!("{ORIGIN}\n1 \n{ROOT}\n"), BodyError::Size),
        (format!("{ORIGIN}\n18446744073709551616\n{ROOT}\n"), BodyError::Size),
        (format!("{ORIGIN}\n1\n{}\n", &ROOT[..43]), BodyError::Root),
        (format!("{ORIGIN}\n1\n{ROOT} \n"), BodyError::Root),
        (format!("{ORIGIN}\n1\nAAAA\n"), BodyError::Root),
        (format!("{ORIGIN}\n0\n{ROOT}\n"), BodyError::Root),
    ];
    for (body, error) in bodies {
        assert_eq!(Checkpoint::parse_body(&body), Err(error), "{body:?}");
    }
    assert!(Checkpoint::parse_body(&format!("{ORIGIN}\n0\n{empty_root}\n")).is_ok());
}

#[test]
fn a_signed_checkpoint_opens_under_its_key() {
    let key = log_key(ORIGIN, 1);
    let opened = open_checkpoint(&signed(&key, 1), &[log_key(ORIGIN, 2), key.clone()]).unwrap();
    assert_eq!(opened.checkpoint, checkpoint());
    assert_eq!(opened.key, key);
}

#[test]
fn a_checkpoint_with_any_bit_flipped_is_refused() {
    let key = log_key(ORIGIN, 1);
    let note = signed(&key, 1);
    for byte in 0..note.len() {
        for bit in 0..8 {
            let mut flipped = note.clone().into_bytes();
            flipped[byte] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(flipped) {
                let opened = open_checkpoint(&text, std::slice::from_ref(&key));
                assert!(opened.is_err(), "bit {bit} of byte {byte}: {text:?}");
            }
        }
    }
}

#[test]
fn a_checkpoint_cut_or_extended_anywhere_is_refused() {
    let key = log_key(ORIGIN, 1);
    let note = signed(&key, 1);
    let keys = [key];
    for end in (0..note.len()).filter(|end| note.is_char_boundary(*end)) {
        assert!(open_checkpoint(&note[..end], &keys).is_err(), "cut at {end}");
        for inserted in ["\n", " ", "0", "\u{2014}"] {
            let longer = format!("{}{inserted}{}", &note[..end], &note[end..]);
            assert!(open_checkpoint(&longer, &keys).is_err(), "{inserted:?} at {end}");
        }
    }
    assert!(open_checkpoint(&format!("{note}\n"), &keys).is_err());
}

#[test]
fn a_key_of_another_log_cannot_speak_for_this_one() {
    let stranger = log_key("example.com/other", 1);
    let refused = open_checkpoint(&signed(&stranger, 1), &[stranger]);
    let (origin, key) = (ORIGIN.to_owned(), "example.com/other".to_owned());
    assert_eq!(refused, Err(CheckpointError::Origin { origin, key }));
}

#[test]
fn a_signed_note_that_is_no_checkpoint_is_refused() {
    let key = log_key(ORIGIN, 1);
    let text = format!("{ORIGIN}\n1\n{ROOT}\nextension\n");
    let signature = secret(1).sign(text.as_bytes()).to_bytes().to_vec();
    let line = tlog::note::NoteSignature { name: key.name.clone(), id: key.id, signature };
    let note = SignedNote { text, signatures: vec![line] }.to_string();
    assert_eq!(open_checkpoint(&note, &[key]), Err(CheckpointError::Body(BodyError::Lines)));
}

#[test]
fn a_cosignature_carries_the_time_it_was_made() {
    let (key, witness) = (log_key(ORIGIN, 1), witness_key("witness.example/w1", 2));
    let mut signed_text = Vec::new();
    let body = checkpoint().body();
    let line = witness.cosign(&body, 1_679_315_147, |message| {
        signed_text = message.to_vec();
        secret(2).sign(message).to_bytes()
    });
    let expected = format!("cosignature/v1\ntime 1679315147\n{ORIGIN}\n20852163\n{ROOT}\n");
    assert_eq!(String::from_utf8(signed_text).unwrap(), expected);
    let note = signed(&key, 1) + &line.unwrap().to_string();
    let cosigned = open_cosignatures(&note, std::slice::from_ref(&witness)).unwrap();
    assert_eq!(cosigned.len(), 1);
    assert_eq!((&cosigned[0].key, cosigned[0].time_s), (&witness, 1_679_315_147));
    // The log's own signature still opens; the witness's line is an unknown key's to it.
    assert_eq!(open_checkpoint(&note, &[key]).unwrap().checkpoint, checkpoint());
}

#[test]
fn a_cosignature_with_another_time_body_or_length_is_false() {
    let witness = witness_key("witness.example/w1", 2);
    let body = checkpoint().body();
    let sign = |message: &[u8]| secret(2).sign(message).to_bytes();
    let line = witness.cosign(&body, 1_679_315_147, sign).unwrap();
    assert_eq!(witness.verify(&body, &line), Some(1_679_315_147));
    assert_eq!(witness.verify("other\n", &line), None);
    let mut later = line.clone();
    later.signature[7] ^= 1;
    assert_eq!(witness.verify(&body, &later), None);
    let mut longer = line.clone();
    longer.signature.push(0);
    assert_eq!(witness.verify(&body, &longer), None);
    let note = |line| SignedNote { text: body.clone(), signatures: vec![line] }.to_string();
    let refused = open_cosignatures(&note(later), std::slice::from_ref(&witness));
    let name = witness.name.clone();
    assert_eq!(refused, Err(CosignatureError::Signature(SignatureError::False { name })));
    let stranger = witness_key("witness.example/w1", 3);
    let refused = open_cosignatures(&note(line), &[stranger]);
    assert_eq!(refused, Err(CosignatureError::Signature(SignatureError::UnknownKeys)));
}

#[test]
fn a_cosignature_past_the_largest_time_is_neither_made_nor_taken() {
    let witness = witness_key("witness.example/w1", 2);
    let sign = |message: &[u8]| secret(2).sign(message).to_bytes();
    let mut line = witness.cosign("body\n", TIME_MAX, sign).unwrap();
    assert_eq!(witness.verify("body\n", &line), Some(TIME_MAX));
    assert_eq!(witness.cosign("body\n", TIME_MAX + 1, sign), None);
    let message = format!("cosignature/v1\ntime {}\nbody\n", TIME_MAX + 1);
    line.signature = [&(TIME_MAX + 1).to_be_bytes()[..], &sign(message.as_bytes())].concat();
    assert_eq!(witness.verify("body\n", &line), None);
}

#[test]
fn a_cosigner_key_is_no_log_key() {
    let witness = witness_key("witness.example/w1", 2);
    let vkey = witness.to_string();
    assert_eq!(vkey.parse(), Ok(witness.clone()));
    assert_eq!(vkey.parse::<VerifierKey>(), Err(KeyError::Kind { kind: 1 }));
    let log = log_key("witness.example/w1", 2);
    assert_eq!(log.to_string().parse::<CosignerKey>(), Err(KeyError::Kind { kind: 4 }));
    assert_ne!(log.id, witness.id);
}

fn proof() -> TlogProof {
    TlogProof {
        extra: Some(b"leaf".to_vec()),
        index: LeafIndex(73_894),
        hashes: vec![Hash::leaf(b"a"), Hash::leaf(b"b")],
        checkpoint: signed(&log_key(ORIGIN, 1), 1),
    }
}

#[test]
fn a_proof_file_reads_as_it_was_written() {
    let with_extra = proof();
    let text = with_extra.to_string();
    let (a, b) = (Hash::leaf(b"a"), Hash::leaf(b"b"));
    let head = format!("c2sp.org/tlog-proof@v1\nextra bGVhZg==\nindex 73894\n{a}\n{b}\n\n{ORIGIN}\n");
    assert!(text.starts_with(&head), "{text}");
    assert_eq!(text.parse(), Ok(with_extra.clone()));
    let bare = TlogProof { extra: None, hashes: vec![], index: LeafIndex(0), ..with_extra };
    assert_eq!(bare.to_string().parse(), Ok(bare));
}

#[test]
fn malformed_proof_files_are_refused() {
    let good = proof().to_string();
    let a = Hash::leaf(b"a").to_string();
    let swap = |from: &str, to: &str| good.replacen(from, to, 1);
    let many = format!("{a}\n").repeat(62);
    for (text, error) in [
        (String::new(), ProofError::Header),
        (swap("@v1", "@v2"), ProofError::Header),
        (swap("@v1\n", "@v1\r\n"), ProofError::Header),
        (format!("\n{good}"), ProofError::Header),
        (swap("bGVhZg==", ""), ProofError::Extra),
        (swap("bGVhZg==", "bGVhZg"), ProofError::Extra),
        (swap("bGVhZg==", "bGVhZh=="), ProofError::Extra),
        (swap("bGVhZg==\n", "bGVhZg==\nextra bGVhZg==\n"), ProofError::Index),
        (swap("extra ", "Extra "), ProofError::Index),
        (swap("index 73894\n", ""), ProofError::Index),
        (swap("index 73894", "index 073894"), ProofError::Index),
        (swap("index 73894", "index  73894"), ProofError::Index),
        (swap("index 73894", "index 73894 "), ProofError::Index),
        (swap("index 73894", "index -1"), ProofError::Index),
        (swap("index 73894", "index 18446744073709551616"), ProofError::Index),
        (swap(&a, "AAAA"), ProofError::Hash { line: 1 }),
        (swap(&a, &format!(" {a}")), ProofError::Hash { line: 1 }),
        (swap(&format!("{a}\n"), &many), ProofError::TooManyHashes),
    ] {
        let refused = text.parse::<TlogProof>();
        // 62 more hashes and the second one make exactly 63: still a proof.
        if error == ProofError::TooManyHashes {
            assert!(refused.is_ok());
            let one_more = text.replacen(&a, &format!("{a}\n{a}"), 1);
            assert_eq!(one_more.parse::<TlogProof>(), Err(error));
        } else {
            assert_eq!(refused, Err(error), "{text:?}");
        }
    }
    assert!(matches!(format!("{good}\n").parse::<TlogProof>(), Err(ProofError::Note(_))));
    assert!(matches!(format!("{good}x").parse::<TlogProof>(), Err(ProofError::Note(_))));
    assert!(matches!(swap(ORIGIN, "").parse::<TlogProof>(), Err(ProofError::Body(_))));
    assert!(matches!(swap("\n\n", "\n\n\n").parse::<TlogProof>(), Err(ProofError::Body(_))));
    assert!(matches!(swap("\n\n", "\n").parse::<TlogProof>(), Err(ProofError::Hash { line: 3 })));
    let huge = format!("{good}{}", "x".repeat(2 << 20));
    assert!(matches!(huge.parse::<TlogProof>(), Err(ProofError::TooLong { .. })));
}
