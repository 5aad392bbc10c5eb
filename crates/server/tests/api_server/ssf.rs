//! Signed tokens: security events pushed by RFC 8935, and Pub/Sub's pushes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use indelible::clock::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::server::{Server, Setup};

const NOW_MS: u64 = 1_764_076_800_000;

struct Transmitter {
    key: EncodingKey,
    jwk: Value,
}

impl Transmitter {
    fn new(kid: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let key = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        Self { key, jwk: json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x }) }
    }

    fn sign(&self, claims: &Value) -> String {
        let header =
            Header { kid: self.jwk["kid"].as_str().map(Into::into), typ: Some("secevent+jwt".into()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &self.key).unwrap()
    }

    fn set(&self) -> String {
        json!({ "keys": [self.jwk] }).to_string()
    }
}

fn claims(jti: &str) -> Value {
    let events = json!({ "https://schemas.openid.net/secevent/caep/event-type/session-revoked": { "subject": { "format": "email" } } });
    json!({ "iss": "https://idp.example/", "aud": ["https://log.example"], "jti": jti, "iat": NOW_MS / 1_000, "events": events })
}

fn settings(set: &str) -> Value {
    json!({ "issuer": "https://idp.example/", "audience": "https://log.example", "jwks": set })
}

fn start(transmitter: &Transmitter) -> Server {
    let server = Server::with(Setup { clock: Some(Clock::from_fn(|| NOW_MS)), ..Setup::default() });
    server.connect("idp", "hook.ssf", settings(&transmitter.set()), json!({}));
    server
}

fn push(server: &Server, token: &str) -> Reply {
    server.send(Ask::new("POST", "/v1/ssf/idp").header("content-type", "application/secevent+jwt").body(token))
}

#[test]
fn a_set_is_kept_as_its_compact_token_once() {
    let transmitter = Transmitter::new("a");
    let server = start(&transmitter);
    let token = transmitter.sign(&claims("1"));
    for _ in 0..2 {
        let reply = push(&server, &token).expect(202);
        assert!(reply.body.is_empty());
    }
    push(&server, &transmitter.sign(&claims("2"))).expect(202);
    let kept = server.kept();
    assert_eq!((kept.len(), &kept[0]), (2, &(token, "from-idp".to_owned(), "hook.ssf".to_owned())));
}

#[test]
fn every_mistake_has_the_error_of_the_rfc_and_keeps_nothing() {
    let transmitter = Transmitter::new("a");
    let server = start(&transmitter);
    let err = |token: &str| {
        let answer = push(&server, token).expect(400).json();
        assert!(answer["description"].as_str().is_some_and(|text| !text.is_empty()));
        answer["err"].as_str().unwrap().to_owned()
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims("1");
        claims[name] = value;
        transmitter.sign(&claims)
    };
    assert_eq!(err(&with("iss", "https://other.example/".into())), "invalid_issuer");
    assert_eq!(err(&with("aud", "https://other.example".into())), "invalid_audience");
    assert_eq!(err(&with("events", Value::Null)), "invalid_request");
    assert_eq!(err(&with("jti", Value::Null)), "invalid_request");
    assert_eq!(err(&Transmitter::new("a").sign(&claims("1"))), "invalid_key");
    assert_eq!(err(&Transmitter::new("b").sign(&claims("1"))), "invalid_key");
    let token = transmitter.sign(&claims("1"));
    // Cut short the signature is another one, or no base64 any more.
    assert!(matches!(err(&token[..token.len() - 8]).as_str(), "invalid_key" | "invalid_request"));
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    assert_eq!(err(&format!("{}.{}.", part(json!({ "alg": "none" })), part(claims("1")))), "invalid_key");
    let public = URL_SAFE_NO_PAD.decode(transmitter.jwk["x"].as_str().unwrap()).unwrap();
    let hmac = encode(&Header::new(Algorithm::HS256), &claims("1"), &EncodingKey::from_secret(&public)).unwrap();
    assert_eq!(err(&hmac), "invalid_key");
    for nonsense in ["", "nonsense", "a.b.c", "{}"] {
        assert_eq!(err(nonsense), "invalid_request", "{nonsense}");
    }
    let plain = Ask::new("POST", "/v1/ssf/idp").header("content-type", "application/json").body(token);
    assert_eq!(server.send(plain).expect(400).json()["err"], "invalid_request");
    assert!(server.raws().is_empty());
    let metrics = server.get("/metrics").text();
    for reason in ["token_issuer", "token_audience", "token_key_unknown", "token_signature", "token_algorithm", "ssf_not_a_set"] {
        assert!(metrics.contains(&format!("reason=\"{reason}\"")), "{reason}");
    }
}

#[test]
fn an_agreed_authorization_is_asked_for() {
    let transmitter = Transmitter::new("a");
    let server = start(&transmitter);
    server.write_secret("ssf", "agreed");
    server.connect("idp", "hook.ssf", settings(&transmitter.set()), json!({ "authorization": "file:ssf" }));
    let token = transmitter.sign(&claims("1"));
    assert_eq!(push(&server, &token).expect(400).json()["err"], "authentication_failed");
    let ask = Ask::new("POST", "/v1/ssf/idp").header("content-type", "application/secevent+jwt").header("authorization", "Bearer agreed");
    server.send(ask.body(token)).expect(202);
}

/// A web server of one document; counts how often it was asked.
fn publish(document: Arc<std::sync::Mutex<Option<String>>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            counter.fetch_add(1, Ordering::Relaxed);
            let answer = match &*document.lock().unwrap() {
                Some(body) => format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()),
                None => "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (url, asked)
}

#[test]
fn keys_are_fetched_kept_and_fetched_again_when_the_transmitter_changes_them() {
    let (old, new) = (Transmitter::new("a"), Transmitter::new("b"));
    let document = Arc::new(std::sync::Mutex::new(None));
    let (url, asked) = publish(Arc::clone(&document));
    let now = Arc::new(AtomicU64::new(NOW_MS));
    let shared = Arc::clone(&now);
    let server = Server::with(Setup { clock: Some(Clock::from_fn(move || shared.load(Ordering::Relaxed))), ..Setup::default() });
    let settings = json!({ "issuer": "https://idp.example/", "audience": "https://log.example", "jwks_url": url });
    server.connect("idp", "hook.ssf", settings, json!({}));
    let pushed = |by: &Transmitter, jti: &str| push(&server, &by.sign(&claims(jti))).status;
    // The transmitter is down: tried again only after a pause, and the sender is told to come back.
    assert_eq!((pushed(&old, "1"), pushed(&old, "1"), asked.load(Ordering::Relaxed)), (503, 503, 1));
    *document.lock().unwrap() = Some(old.set());
    now.fetch_add(1_000, Ordering::Relaxed);
    assert_eq!((pushed(&old, "1"), pushed(&old, "2"), asked.load(Ordering::Relaxed)), (202, 202, 2));
    *document.lock().unwrap() = Some(new.set());
    assert_eq!((pushed(&new, "3"), asked.load(Ordering::Relaxed)), (400, 2));
    now.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!((pushed(&new, "3"), pushed(&old, "4"), asked.load(Ordering::Relaxed)), (202, 400, 3));
    assert_eq!(server.raws().len(), 3);
}

#[test]
fn pub_sub_pushes_are_unwrapped_if_google_signed_for_our_service_account() {
    let google = Transmitter::new("g");
    let server = Server::with(Setup { clock: Some(Clock::from_fn(|| NOW_MS)), ..Setup::default() });
    let settings = json!({ "audience": "https://log.example", "service_account": "push@p.iam.gserviceaccount.com", "jwks": google.set() });
    server.connect("gcp", "hook.pubsub", settings, json!({}));
    let token = |change: &dyn Fn(&mut Value)| {
        let mut claims = json!({
            "iss": "https://accounts.google.com", "aud": "https://log.example", "email": "push@p.iam.gserviceaccount.com",
            "email_verified": true, "exp": NOW_MS / 1_000 + 60,
        });
        change(&mut claims);
        google.sign(&claims)
    };
    let entry = r#"{"insertId":"x", "logName":"l"}"#;
    let body = format!(r#"{{"message":{{"data":"{}","messageId":"7"}},"subscription":"s"}}"#, STANDARD.encode(entry));
    let send =
        |token: &str| server.send(Ask::new("POST", "/v1/hooks/gcp").header("authorization", &format!("Bearer {token}")).body(&*body));
    assert_eq!(send(&token(&|_| {})).expect(200).json()["kept"], 1);
    assert_eq!(send(&token(&|_| {})).expect(200).json()["duplicates"], 1);
    assert_eq!(server.kept(), [(entry.to_owned(), "from-gcp".to_owned(), "hook.pubsub".to_owned())]);
    type Change = (&'static str, Value, &'static str);
    let wrong: [Change; 5] = [
        ("iss", "https://other".into(), "token_issuer"),
        ("aud", "https://other".into(), "token_audience"),
        ("email", "other@p.iam.gserviceaccount.com".into(), "token_audience"),
        ("email_verified", false.into(), "token_audience"),
        ("exp", (NOW_MS / 1_000 - 61).into(), "token_expired"),
    ];
    for (name, value, reason) in wrong {
        assert_eq!(send(&token(&|claims| claims[name] = value.clone())).expect(401).error(), reason, "{name}");
    }
    assert_eq!(send("nonsense").expect(401).error(), "token_malformed");
    let bare = Ask::new("POST", "/v1/hooks/gcp").body(&*body);
    assert_eq!(server.send(bare).expect(401).error(), "proof_missing");
    assert_eq!(server.raws().len(), 1);
}
