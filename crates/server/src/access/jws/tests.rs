#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::json;

struct Issuer {
    key: EncodingKey,
    jwk: Value,
}

fn ed25519(kid: &str) -> Issuer {
    let pair = Ed25519KeyPair::generate().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    Issuer { key: EncodingKey::from_ed_der(pkcs8.as_ref()), jwk: json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }) }
}

fn p256(kid: &str) -> Issuer {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let coordinate = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(point.get(range).unwrap());
    let jwk =
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig", "x": coordinate(1..33), "y": coordinate(33..65) });
    let pkcs8 = pair.to_pkcs8v1().unwrap();
    Issuer { key: EncodingKey::from_ec_der(pkcs8.as_ref()), jwk }
}

fn sign(issuer: &Issuer, alg: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(Into::into), typ: Some("secevent+jwt".into()), ..Header::new(alg) };
    encode(&header, claims, &issuer.key).unwrap()
}

fn set(issuers: &[&Issuer]) -> KeySet {
    let keys: Vec<_> = issuers.iter().map(|issuer| issuer.jwk.clone()).collect();
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn all() -> Vec<Algorithm> {
    ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect()
}

fn unsigned(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn a_token_by_a_key_of_the_set_gives_its_claims() {
    let (one, other) = (ed25519("a"), p256("b"));
    let keys = set(&[&one, &other]);
    let claims = json!({ "iss": "https://t", "jti": "1" });
    for token in [
        sign(&one, Algorithm::EdDSA, Some("a"), &claims),
        sign(&other, Algorithm::ES256, Some("b"), &claims),
        sign(&other, Algorithm::ES256, None, &claims),
    ] {
        let verified = keys.verify(&token, &all()).unwrap();
        assert_eq!((verified.text("jti"), verified.typ.as_deref()), (Some("1"), Some("secevent+jwt")));
    }
}

#[test]
fn a_token_by_anybody_else_is_refused() {
    let (one, other, stranger) = (ed25519("a"), ed25519("b"), ed25519("a"));
    let keys = set(&[&one, &other]);
    let claims = json!({ "iss": "https://t" });
    let verify = |token: &str| keys.verify(token, &all()).unwrap_err();
    assert_eq!(verify(&sign(&stranger, Algorithm::EdDSA, Some("a"), &claims)), JwsError::Signature);
    assert_eq!(verify(&sign(&one, Algorithm::EdDSA, Some("b"), &claims)), JwsError::Signature);
    assert_eq!(verify(&sign(&one, Algorithm::EdDSA, Some("c"), &claims)), JwsError::UnknownKey);
    assert_eq!(verify(&sign(&p256("a"), Algorithm::ES256, Some("a"), &claims)), JwsError::UnknownKey);
    let good = sign(&one, Algorithm::EdDSA, Some("a"), &claims);
    let (head, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = head.split_once('.').unwrap();
    let moved = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(r#"{"iss":"https://x"}"#));
    assert_eq!(verify(&moved), JwsError::Signature);
    assert_eq!(keys.verify(&good, &[Algorithm::ES256]).unwrap_err(), JwsError::Algorithm);
}

#[test]
fn neither_none_nor_an_hmac_with_the_public_key_is_a_signature() {
    let issuer = ed25519("a");
    let keys = set(&[&issuer]);
    let claims = json!({ "iss": "https://t" });
    let public = URL_SAFE_NO_PAD.decode(issuer.jwk.get("x").unwrap().as_str().unwrap()).unwrap();
    let hmac = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&public)).unwrap();
    for token in [
        hmac.clone(),
        unsigned(&json!({ "alg": "none" }), &claims, b""),
        unsigned(&json!({ "alg": "None" }), &claims, b"x"),
        unsigned(&json!({ "alg": 7 }), &claims, b"x"),
    ] {
        assert_eq!(keys.verify(&token, &all()).unwrap_err(), JwsError::Algorithm, "{token}");
    }
    assert_eq!(keys.verify(&hmac, &[Algorithm::HS256]).unwrap_err(), JwsError::Algorithm);
    let symmetric = json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "a" }] });
    assert_eq!(KeySet::parse(symmetric.to_string().as_bytes()).unwrap_err(), InvalidKeySet::NoKey);
}

#[test]
fn keys_of_unknown_types_are_skipped_and_others_used() {
    let issuer = p256("b");
    let mut encryption = issuer.jwk.clone();
    encryption["use"] = "enc".into();
    let json = json!({ "keys": [{ "kty": "FUTURE" }, encryption, issuer.jwk] });
    let keys = KeySet::parse(json.to_string().as_bytes()).unwrap();
    assert_eq!(keys.0.len(), 1);
    for wrong in ["", "[]", "{}", r#"{"keys":{}}"#] {
        assert_eq!(KeySet::parse(wrong.as_bytes()).unwrap_err(), InvalidKeySet::Malformed, "{wrong}");
    }
    let many = json!({ "keys": vec![issuer.jwk; KEYS_MAX + 1] });
    assert_eq!(KeySet::parse(many.to_string().as_bytes()).unwrap_err(), InvalidKeySet::TooLarge);
    assert_eq!(KeySet::parse(&vec![b' '; KEYS_BYTES_MAX + 1]).unwrap_err(), InvalidKeySet::TooLarge);
}

#[test]
fn claims_are_judged_by_issuer_audience_and_time() {
    let with = |claims: Value| Verified { typ: None, claims: claims.as_object().unwrap().clone() };
    let expected = ["https://t".to_owned()];
    assert_eq!(with(json!({ "iss": "https://t" })).check_issuer(&expected), Ok(()));
    for wrong in [json!({}), json!({ "iss": "https://T" }), json!({ "iss": ["https://t"] })] {
        assert_eq!(with(wrong).check_issuer(&expected), Err(JwsError::Issuer));
    }
    for right in [json!({ "aud": "https://t" }), json!({ "aud": ["x", "https://t"] })] {
        assert_eq!(with(right).check_audience(&expected), Ok(()));
    }
    for wrong in [json!({}), json!({ "aud": "x" }), json!({ "aud": [] }), json!({ "aud": { "https://t": 1 } })] {
        assert_eq!(with(wrong).check_audience(&expected), Err(JwsError::Audience));
    }
    let skew = CLOCK_SKEW_S;
    let time = |claims: Value, now: u64, required| with(claims).check_time(now * 1_000, required).is_ok();
    assert!(time(json!({ "exp": 1_000 }), 999 + skew, true) && !time(json!({ "exp": 1_000 }), 1_000 + skew, true));
    assert!(time(json!({ "exp": 2e9, "nbf": 1_000.5 }), 1_000 - skew, true) && !time(json!({ "nbf": 1_000 }), 999 - skew, false));
    assert!(time(json!({}), 5, false) && !time(json!({}), 5, true) && !time(json!({ "exp": "9999999999" }), 5, false));
}

proptest! {
    #[test]
    fn no_token_and_no_key_set_panics(token in "\\PC{0,60}|[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}\\.[A-Za-z0-9_-]{0,30}", json in "\\PC{0,60}") {
        let keys = set(&[&p256("b")]);
        prop_assert!(keys.verify(&token, &all()).is_err());
        let _ = KeySet::parse(json.as_bytes());
    }
}
