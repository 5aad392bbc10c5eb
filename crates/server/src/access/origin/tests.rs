#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;
use proptest::prelude::*;

const NOW_MS: u64 = 1_531_420_618_000;

fn secrets(texts: &[&str]) -> Vec<SharedSecret> {
    texts.iter().map(|text| SharedSecret::new(text.as_bytes()).unwrap()).collect()
}

fn check(proof: &Proof, secret: &[&str], headers: &[(&str, &str)], body: &[u8], now_ms: u64) -> Result<(), ProofError> {
    let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes());
    proof.check(&secrets(secret), &Shown { header: &header, body, now_ms })
}

#[test]
fn githubs_own_example_verifies() {
    // docs.github.com, "Testing the webhook payload validation".
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers = [("x-hub-signature-256", signature)];
    let proof = Proof::github();
    assert_eq!(check(&proof, &["It's a Secret to Everybody"], &headers, b"Hello, World!", 0), Ok(()));
    assert_eq!(check(&proof, &["new", "It's a Secret to Everybody"], &headers, b"Hello, World!", 0), Ok(()));
    assert_eq!(check(&proof, &["It's a Secret to Everybody"], &headers, b"Hello, World?", 0), Err(ProofError::Wrong));
    assert_eq!(check(&proof, &["another"], &headers, b"Hello, World!", 0), Err(ProofError::Wrong));
    assert_eq!(check(&proof, &["another"], &[], b"Hello, World!", 0), Err(ProofError::Missing));
    for malformed in ["", "sha256=", "sha1=757107ea", "sha256=7571zz", "sha256=757"] {
        let expected = if malformed == "sha256=" { ProofError::Wrong } else { ProofError::Malformed };
        assert_eq!(check(&proof, &["x"], &[("x-hub-signature-256", malformed)], b"", 0), Err(expected), "{malformed}");
    }
}

#[test]
fn slacks_own_example_verifies_within_five_minutes() {
    // api.slack.com, "Verifying requests from Slack".
    let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let secret = ["8f742231b10e8888abcd99yyyzzz85a5"];
    let signature = ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
    let headers = [signature, ("x-slack-request-timestamp", "1531420618")];
    let at = |now_ms| check(&Proof::slack(), &secret, &headers, body, now_ms);
    assert_eq!([at(NOW_MS), at(NOW_MS + 300_999), at(NOW_MS - 300_000)], [Ok(()); 3]);
    assert_eq!([at(NOW_MS + 301_000), at(NOW_MS - 301_000)], [Err(ProofError::OutsideWindow); 2]);
    assert_eq!(check(&Proof::slack(), &secret, &[signature], body, NOW_MS), Err(ProofError::Missing));
    let moved = [signature, ("x-slack-request-timestamp", "1531420619")];
    assert_eq!(check(&Proof::slack(), &secret, &moved, body, NOW_MS), Err(ProofError::Wrong));
}

#[test]
fn a_static_secret_stands_alone_or_as_a_bearer() {
    let proof = Proof::Static { header: "authorization".into() };
    let with = |value: &str| check(&proof, &["s3cret", "older"], &[("authorization", value)], b"", 0);
    for value in ["s3cret", "Bearer s3cret", "bearer  older", " older "] {
        assert_eq!(with(value), Ok(()), "{value}");
    }
    for value in ["", "s3cre", "s3crett", "Basic s3cret", "Bearer", "Bearer "] {
        assert_eq!(with(value), Err(ProofError::Wrong), "{value}");
    }
    assert_eq!(with(&"x".repeat(PROOF_BYTES_MAX + 1)), Err(ProofError::Malformed));
    assert_eq!(SharedSecret::new(b""), None);
}

#[test]
fn a_secret_is_never_shown() {
    assert_eq!(format!("{:?}", secrets(&["s3cret"])), "[SharedSecret(hidden)]");
}

proptest! {
    #[test]
    fn what_a_holder_signed_verifies_and_nothing_else_does(
        secret in "[ -~]{1,40}", other in "[ -~]{1,40}", body in proptest::collection::vec(any::<u8>(), 0..100),
        hash in prop_oneof![Just(HmacHash::Sha1), Just(HmacHash::Sha256), Just(HmacHash::Sha512)], hex: bool, timed: bool,
    ) {
        let timestamp = Timestamp { header: "t".into(), window_s: 10, before: String::new(), between: ".".into() };
        let encoding = if hex { HmacEncoding::Hex } else { HmacEncoding::Base64 };
        let proof = HmacProof { header: "sig".into(), prefix: "p=".into(), hash, encoding, timestamp: timed.then_some(timestamp) };
        let signed = if timed { [b"1531420618.".as_slice(), &body].concat() } else { body.clone() };
        let tag = hmac::sign(&hmac::Key::new(hash.algorithm(), secret.as_bytes()), &signed);
        let text = if hex { tlog::canonical::hex(tag.as_ref()) } else { STANDARD.encode(tag.as_ref()) };
        let (value, proof) = (format!("p={text}"), Proof::Hmac(proof));
        let headers = [("sig", value.as_str()), ("t", "1531420618")];
        prop_assert_eq!(check(&proof, &[&secret], &headers, &body, NOW_MS), Ok(()));
        if other != secret {
            prop_assert_eq!(check(&proof, &[&other], &headers, &body, NOW_MS), Err(ProofError::Wrong));
        }
    }

    #[test]
    fn no_header_panics(value in "\\PC{0,80}", time in "\\PC{0,20}") {
        let headers = [("x-slack-signature", value.as_str()), ("x-hub-signature-256", &value), ("x-slack-request-timestamp", &time), ("a", &value)];
        for proof in [Proof::slack(), Proof::github(), Proof::Static { header: "a".into() }] {
            let _ = check(&proof, &["k"], &headers, b"x", NOW_MS);
        }
    }
}
