//! Signed notes and keys: what is accepted, and every way to be refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use ed25519_dalek::{Signer, SigningKey};
use tlog::note::{KeyError, NOTE_BYTES_MAX, NoteError, NoteSignature, SignatureError};
use tlog::{SignedNote, VerifierKey};

const TEXT: &str = "first line\n\nlast line, ünïcode\n";

struct Signatory {
    secret: SigningKey,
    key: VerifierKey,
}

impl Signatory {
    fn new(name: &str, seed: u8) -> Signatory {
        let secret = SigningKey::from_bytes(&[seed; 32]);
        let key = VerifierKey::new(name, secret.verifying_key().to_bytes()).unwrap();
        Signatory { secret, key }
    }

    fn sign(&self, text: &str) -> NoteSignature {
        let signature = self.secret.sign(text.as_bytes()).to_bytes().to_vec();
        NoteSignature { name: self.key.name.clone(), id: self.key.id, signature }
    }
}

fn note(signatures: &[NoteSignature]) -> SignedNote {
    SignedNote { text: TEXT.to_owned(), signatures: signatures.to_vec() }
}

/// From the documentation of golang.org/x/mod/sumdb/note: an implementation that is not ours.
#[test]
fn the_note_of_the_go_documentation_opens() {
    let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n\
        — EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
    let parsed: SignedNote = note.parse().unwrap();
    assert_eq!(parsed.verify(std::slice::from_ref(&key)), Ok(vec![&key]));
    assert_eq!(parsed.to_string(), note);
}

#[test]
fn the_text_ends_at_the_last_blank_line() {
    let alice = Signatory::new("alice", 1);
    let written = note(&[alice.sign(TEXT)]).to_string();
    let read: SignedNote = written.parse().unwrap();
    assert_eq!(read.text, TEXT);
    assert_eq!(read.to_string(), written);
}

#[test]
fn lines_of_unknown_keys_are_ignored_even_under_a_known_name_or_id() {
    let (alice, bob) = (Signatory::new("alice", 1), Signatory::new("bob", 2));
    let same_name = Signatory::new("alice", 3);
    let mut same_id = bob.sign(TEXT);
    same_id.id = alice.key.id;
    let other_kind = NoteSignature { name: "pq.example".into(), id: [9; 4], signature: vec![7; 2428] };
    let lines = [same_name.sign("something else"), same_id, other_kind, alice.sign(TEXT)];
    let keys = [alice.key.clone()];
    assert_eq!(note(&lines).to_string().parse::<SignedNote>().unwrap().verify(&keys), Ok(vec![&keys[0]]));
    assert_eq!(note(&lines[..3]).verify(&keys), Err(SignatureError::UnknownKeys));
    assert_eq!(note(&lines).verify(&[]), Err(SignatureError::UnknownKeys));
}

#[test]
fn one_false_signature_of_a_known_key_refuses_the_note() {
    let (alice, bob) = (Signatory::new("alice", 1), Signatory::new("bob", 2));
    let keys = [alice.key.clone(), bob.key.clone()];
    let good = note(&[alice.sign(TEXT), bob.sign(TEXT)]);
    assert_eq!(good.verify(&keys), Ok(vec![&keys[0], &keys[1]]));
    let falsified = note(&[alice.sign(TEXT), bob.sign("something else")]);
    assert_eq!(falsified.verify(&keys), Err(SignatureError::False { name: "bob".into() }));
    let mut short = note(&[alice.sign(TEXT)]);
    short.signatures[0].signature.pop();
    assert_eq!(short.verify(&keys), Err(SignatureError::False { name: "alice".into() }));
}

#[test]
fn a_known_key_that_signed_twice_is_refused_and_an_unknown_one_ignored() {
    let (alice, bob) = (Signatory::new("alice", 1), Signatory::new("bob", 2));
    let twice = note(&[alice.sign(TEXT), bob.sign(TEXT), alice.sign(TEXT)]);
    let refused = Err(SignatureError::Twice { name: "alice".into() });
    assert_eq!(twice.verify(std::slice::from_ref(&alice.key)), refused);
    assert_eq!(twice.verify(std::slice::from_ref(&bob.key)), Ok(vec![&bob.key]));
}

#[test]
fn two_known_keys_that_cannot_be_told_apart_are_refused() {
    let alice = Signatory::new("alice", 1);
    let mut twin = Signatory::new("alice", 2).key;
    twin.id = alice.key.id;
    let signed = note(&[alice.sign(TEXT)]);
    let ambiguous = Err(SignatureError::Ambiguous { name: "alice".into() });
    assert_eq!(signed.verify(&[alice.key.clone(), twin]), ambiguous);
    assert!(signed.verify(&[alice.key.clone(), alice.key.clone()]).is_ok());
}

#[test]
fn a_signature_in_a_second_encoding_is_refused() {
    // S + L verifies under lenient implementations; L is the order of the group. RFC 8032 §5.1.7.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0x10,
    ];
    let alice = Signatory::new("alice", 1);
    let mut signature = alice.secret.sign(b"message").to_bytes();
    assert!(alice.key.verify(b"message", &signature));
    let mut carry = 0_u16;
    for (byte, l) in signature[32..].iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(l);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert!(!alice.key.verify(b"message", &signature));
}

#[test]
fn malformed_notes_are_refused() {
    let line = note(&[Signatory::new("alice", 1).sign(TEXT)]).signatures[0].to_string();
    let base64 = line.trim_end().rsplit(' ').next().unwrap().to_owned();
    let malformed = [
        (String::new(), NoteError::NoSignatures),
        ("text\n".into(), NoteError::NoSignatures),
        ("text\n\n".into(), NoteError::NoSignatures),
        (format!("text\n{line}"), NoteError::NoSignatures),
        (format!("\n{line}"), NoteError::NoSignatures),
        (format!("text\n\n{}", line.trim_end()), NoteError::Line { line: 1 }),
        (format!("text\n\n{line}more\n"), NoteError::Line { line: 2 }),
        (format!("text\n\n{line}\n"), NoteError::NoSignatures),
        (format!("text\r\n\n{line}"), NoteError::ControlCharacter { found: '\r' }),
        (format!("te\txt\n\n{line}"), NoteError::ControlCharacter { found: '\t' }),
        (format!("te\0xt\n\n{line}"), NoteError::ControlCharacter { found: '\0' }),
        (format!("text\n\n- alice {base64}\n"), NoteError::Line { line: 1 }),
        (format!("text\n\n\u{2013} alice {base64}\n"), NoteError::Line { line: 1 }),
        (format!("text\n\n—  alice {base64}\n"), NoteError::Line { line: 1 }),
        (format!("text\n\n— alice  {base64}\n"), NoteError::Line { line: 1 }),
        (format!("text\n\n— alice {base64} \n"), NoteError::Line { line: 1 }),
        (format!("text\n\n— al+ice {base64}\n"), NoteError::Line { line: 1 }),
        (format!("text\n\n— al\u{a0}ice {base64}\n"), NoteError::Line { line: 1 }),
        (format!("text\n\n— {base64}\n"), NoteError::Line { line: 1 }),
        ("text\n\n— alice AAAAAA==\n".into(), NoteError::Line { line: 1 }),
        ("text\n\n— alice AAAAAAE\n".into(), NoteError::Line { line: 1 }),
        ("text\n\n— alice AAAAAAF=\n".into(), NoteError::Line { line: 1 }),
        ("text\n\n— alice AAAA-A==\n".into(), NoteError::Line { line: 1 }),
    ];
    for (text, error) in malformed {
        assert_eq!(text.parse::<SignedNote>(), Err(error), "{text:?}");
    }
    assert_eq!(SignedNote::from_bytes(b"te\xffxt\n\n"), Err(NoteError::NotUtf8));
}

#[test]
fn sixteen_to_sixty_four_signatures_are_accepted_and_no_more() {
    let line = |i: usize| NoteSignature { name: format!("w{i}"), id: [0; 4], signature: vec![1] };
    for count in [1, 16, 64] {
        let many: Vec<_> = (0..count).map(line).collect();
        let parsed: SignedNote = note(&many).to_string().parse().unwrap();
        assert_eq!(parsed.signatures, many);
    }
    let too_many: Vec<_> = (0..65).map(line).collect();
    let refused = note(&too_many).to_string().parse::<SignedNote>();
    assert_eq!(refused, Err(NoteError::TooManySignatures));
}

#[test]
fn a_note_past_its_bound_is_refused() {
    let line = note(&[Signatory::new("alice", 1).sign(TEXT)]).signatures[0].to_string();
    let fill = NOTE_BYTES_MAX - line.len() - 2;
    let largest = format!("{}\n\n{line}", "x".repeat(fill));
    assert_eq!(largest.len(), NOTE_BYTES_MAX);
    assert!(largest.parse::<SignedNote>().is_ok());
    let bytes = NOTE_BYTES_MAX + 1;
    let longer = format!("x{largest}");
    assert_eq!(longer.parse::<SignedNote>(), Err(NoteError::TooLong { bytes }));
    assert_eq!(SignedNote::from_bytes(longer.as_bytes()), Err(NoteError::TooLong { bytes }));
}

#[test]
fn a_verifier_key_has_one_text() {
    let vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let key: VerifierKey = vkey.parse().unwrap();
    assert_eq!(key.to_string(), vkey);
    assert_eq!(VerifierKey::new("example.com/log/testdata", key.public), Ok(key));
    for (wrong, error) in [
        ("", KeyError::Format),
        ("example.com/log/testdata", KeyError::Format),
        ("example.com/log/testdata+33d7b496", KeyError::Format),
        (&vkey.replace("33d7b496", "33D7B496"), KeyError::Format),
        (&vkey.replace("33d7b496", "33d7b49"), KeyError::Format),
        (&vkey.replace("33d7b496", "33d7b497"), KeyError::Id),
        (&vkey.replace("testdata", "testdatb"), KeyError::Id),
        (&vkey.replace("example.com", "example com"), KeyError::Name),
        (&vkey.replace("example.com/log/testdata", ""), KeyError::Name),
        (&vkey.replace("AeHTu", "BeHTu"), KeyError::Kind { kind: 1 }),
        (&vkey.replace("AeHTu", "eHTu"), KeyError::Kind { kind: 1 }),
        (&format!("{vkey}\n"), KeyError::Kind { kind: 1 }),
        (&format!("{vkey}="), KeyError::Kind { kind: 1 }),
    ] {
        assert_eq!(wrong.parse::<VerifierKey>(), Err(error), "{wrong:?}");
    }
}

#[test]
fn names_that_could_not_stand_in_a_note_make_no_key() {
    let public = Signatory::new("x", 1).key.public;
    for name in ["", " ", "a b", "a+b", "a\nb", "a\u{2003}b", "a\u{85}b", "a\u{1}b"] {
        assert_eq!(VerifierKey::new(name, public), Err(KeyError::Name), "{name:?}");
    }
    assert!(VerifierKey::new("ünï.example/—", public).is_ok());
}

#[test]
fn a_key_under_which_anybody_can_sign_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut not_a_point = [0; 32];
    not_a_point[0] = 2;
    for public in [identity, [0; 32], not_a_point] {
        assert_eq!(VerifierKey::new("x", public), Err(KeyError::Point));
    }
}
