//! Splunk's HTTP event collector.

use std::io::Write as _;

use evidence::act::Scope;
use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::server::Server;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn ask(key: &str, path: &str) -> Ask {
    Ask::new("POST", &format!("/services/collector{path}")).header("authorization", &format!("Splunk {key}"))
}

/// A server and a key for one source.
fn start() -> (Server, String) {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["splunked"]);
    (server, key)
}

fn said(reply: &Reply) -> (u16, i64) {
    (reply.status, reply.json()["code"].as_i64().unwrap())
}

#[test]
fn events_are_kept_as_their_envelopes_say() {
    let (server, key) = start();
    let body = r#"{"event":{"user" : "eve"}}{"time":1764076800,"host":"a1","event":"a line"}
{"event":"tab\there"}"#;
    for path in ["", "/event", "/event/1.0"] {
        let reply = server.send(ask(&key, path).body(body)).expect(200);
        assert_eq!(reply.json(), json!({ "text": "Success", "code": 0 }));
    }
    let reply = server.send(ask(&key, "").header("content-encoding", "gzip").body(gzip(body.as_bytes())));
    reply.expect(200);
    let raws = ["{\"user\" : \"eve\"}", r#"{"time":1764076800,"host":"a1","event":"a line"}"#, "tab\there"];
    let expected: Vec<_> = raws.iter().map(|raw| ((*raw).to_owned(), "splunked".to_owned(), "hec".to_owned())).collect();
    assert_eq!(server.kept(), vec![expected; 4].concat());
}

#[test]
fn raw_takes_lines() {
    let (server, key) = start();
    server.send(ask(&key, "/raw?host=a&sourcetype=x").body("line one\nline two\r\n{\"a\":1}")).expect(200);
    assert_eq!(server.raws(), ["line one", "line two", "{\"a\":1}"]);
    assert_eq!(said(&server.send(ask(&key, "/raw"))), (400, 5));
}

#[test]
fn every_refusal_is_splunks_and_counted() {
    let (server, key) = start();
    let post = |body: &str| said(&server.send(ask(&key, "").body(body)));
    assert_eq!(post(""), (400, 5));
    assert_eq!(post("nonsense"), (400, 6));
    assert_eq!(post("{\"event\":1"), (400, 6));
    assert_eq!(post("{\"host\":\"x\"}"), (400, 12));
    assert_eq!(post("{\"event\":\"\"}"), (400, 13));
    assert_eq!(post("{\"event\":1,\"fields\":{\"a\":{}}}"), (400, 15));
    let bare = Ask::new("POST", "/services/collector");
    assert_eq!(said(&server.send(bare.clone())), (401, 2));
    assert_eq!(said(&server.send(bare.clone().header("authorization", "Splunk nonsense"))), (401, 3));
    let stranger = indelible::access::Token::generate(&mut |out| out.fill(1));
    assert_eq!(said(&server.send(ask(stranger.reveal(), "").body("{\"event\":1}"))), (403, 4));
    let reader = server.key(&[Scope::Read], &[]);
    assert_eq!(said(&server.send(ask(&reader, "").body("{\"event\":1}"))), (403, 4));
    assert_eq!(said(&server.send(ask(&key, &format!("?token={key}")).body("{\"event\":1}"))), (400, 16));
    let damaged = ask(&key, "").header("content-encoding", "gzip").body(&gzip(b"{\"event\":1}")[..10]);
    assert_eq!(said(&server.send(damaged)), (400, 6));
    assert!(server.raws().is_empty());
    let metrics = server.get("/metrics").text();
    for reason in ["empty", "hec_not_an_object", "hec_no_event", "hec_blank_event", "hec_fields_invalid", "hec_query_token", "body_damaged"]
    {
        assert!(metrics.contains(&format!("reason=\"{reason}\"")), "{reason}");
    }
}

#[test]
fn a_body_whose_connection_ends_early_keeps_nothing() {
    let (server, key) = start();
    let whole = ask(&key, "").body("{\"event\":1}{\"event\":2}").to_bytes();
    let mut stream = crate::client::connect(server.address);
    stream.write_all(&whole[..whole.len() - 5]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    // The answer may come or not; what counts is the log.
    let _ = crate::client::read_reply(&mut stream);
    assert!(server.raws().is_empty());
}

#[test]
fn a_bomb_and_a_body_too_large_are_413() {
    let (server, key) = start();
    let bomb = ask(&key, "").header("content-encoding", "gzip").body(gzip(&vec![b' '; 64 << 20]));
    assert_eq!(said(&server.send(bomb)), (413, 27));
    let many = "{\"event\":1}".repeat(indelible::intake::limits::EVENTS_MAX + 1);
    assert_eq!(said(&server.send(ask(&key, "").body(many))), (413, 27));
    assert!(server.raws().is_empty());
}

#[test]
fn events_around_a_mistake_are_kept_and_the_first_mistake_named() {
    let (server, key) = start();
    let reply = server.send(ask(&key, "").body("{\"event\":1}{\"host\":\"x\"}{\"event\":2}")).expect(400);
    assert_eq!(reply.json(), json!({ "text": "Event field is required", "code": 12, "invalid-event-number": 1 }));
    assert_eq!(server.raws(), ["1", "2"]);
}

#[test]
fn an_acknowledgement_is_true_once_its_id_was_given_out() {
    let (server, key) = start();
    let channel = "FE0ECFAD-13D5-401B-847D-77833BD77131";
    let on_channel = |path: &str| ask(&key, path).header("x-splunk-request-channel", channel);
    for expected in 0..3 {
        let reply = server.send(on_channel("").body("{\"event\":1}")).expect(200).json();
        assert_eq!(reply["ackId"], json!(expected));
    }
    let acks = |ask: Ask, body: Value| server.send(ask.body(body.to_string())).expect(200).json();
    let wanted = json!({ "acks": [0, 2, 3] });
    assert_eq!(acks(on_channel("/ack"), wanted.clone()), json!({ "acks": { "0": true, "2": true, "3": false } }));
    assert_eq!(acks(ask(&key, "/ack?channel=other"), wanted.clone())["acks"]["0"], json!(false));
    assert_eq!(said(&server.send(ask(&key, "/ack").body(wanted.to_string()))), (400, 10));
    assert_eq!(said(&server.send(ask(&key, "/ack?channel=a%20b").body(wanted.to_string()))), (400, 11));
    assert_eq!(said(&server.send(on_channel("/ack").body("{}"))), (400, 6));
}

#[test]
fn health_needs_no_token() {
    let (server, _) = start();
    for path in ["health", "health/1.0"] {
        let reply = server.send(Ask::new("GET", &format!("/services/collector/{path}"))).expect(200);
        assert_eq!(reply.json(), json!({ "text": "HEC is healthy", "code": 17 }));
    }
}

#[test]
fn an_envelope_names_the_source_when_neither_key_nor_request_does() {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["var-log-auth.log", "web"]);
    let event = |names: &str| format!("{{\"event\":1{names}}}");
    let body = [event(r#","source":"/var/log/auth.log""#), event(r#","source":"?","sourcetype":"WEB""#)].concat();
    server.send(ask(&key, "").body(body)).expect(200);
    let sources: Vec<_> = server.kept().into_iter().map(|(_, source, _)| source).collect();
    assert_eq!(sources, ["var-log-auth.log", "web"]);
    assert_eq!(said(&server.send(ask(&key, "").body(event(r#","source":"other""#)))), (400, 7));
    assert_eq!(said(&server.send(ask(&key, "").body(event("")))), (400, 7));
    server.send(ask(&key, "").header("x-indelible-source", "web").body(event(""))).expect(200);
    assert_eq!(said(&server.send(ask(&key, "").header("x-indelible-source", "other").body(event("")))), (400, 7));
}
