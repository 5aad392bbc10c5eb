//! OpenTelemetry logs over HTTP and gRPC.

use std::io::Write as _;

use evidence::act::Scope;
use serde_json::json;

use crate::client::{Ask, Reply};
use crate::server::Server;

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// An export request of one record with this text as its severity.
fn request(service: &str, text: &str) -> Vec<u8> {
    let attribute = [field(1, b"service.name"), field(2, &field(1, service.as_bytes()))].concat();
    let record = field(3, text.as_bytes());
    field(1, &[field(1, &field(1, &attribute)), field(2, &field(2, &record))].concat())
}

fn raw(service: &str, text: &str) -> String {
    let resource = format!(r#"{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{service}"}}}}]}}"#);
    format!(r#"{{"resource":{resource},"logRecord":{{"severityText":"{text}"}}}}"#)
}

fn start() -> (Server, String) {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["telemetry"]);
    (server, key)
}

fn post(server: &Server, key: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    server.send(Ask::new("POST", "/v1/logs").key(key).header("content-type", content_type).body(body))
}

const PROTOBUF: &str = "application/x-protobuf";

#[test]
fn protobuf_json_and_gzip_are_kept_and_answered_in_kind() {
    let (server, key) = start();
    let reply = post(&server, &key, PROTOBUF, request("app", "one")).expect(200);
    assert_eq!((reply.header("content-type"), reply.body.len()), (Some(PROTOBUF), 0));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&request("app", "two")).unwrap();
    let ask = Ask::new("POST", "/v1/logs").key(&key).header("content-type", PROTOBUF).header("content-encoding", "gzip");
    server.send(ask.body(gzip.finish().unwrap())).expect(200);
    let json = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[ {{"severityText":"three"}} ]}}]}}]}}"#);
    let reply = post(&server, &key, "application/json; charset=utf-8", json).expect(200);
    assert_eq!((reply.header("content-type"), reply.json()), (Some("application/json"), json!({})));
    let expected = [raw("app", "one"), raw("app", "two"), r#"{"logRecord":{"severityText":"three"}}"#.into()];
    assert_eq!(server.kept(), expected.map(|raw| (raw, "telemetry".to_owned(), "otlp".to_owned())));
}

#[test]
fn refusals_are_a_status_in_the_encoding_of_the_request() {
    let (server, key) = start();
    let reply = post(&server, &key, PROTOBUF, "nonsense").expect(400);
    assert_eq!(reply.header("content-type"), Some(PROTOBUF));
    assert_eq!(reply.body[..2], [8, 3]);
    let reply = post(&server, &key, "application/json", r#"{"resourceSpans":[]}"#).expect(400);
    assert_eq!(reply.json()["code"], 3);
    assert_eq!(post(&server, "nonsense", "application/json", "{}").expect(401).json()["code"], 16);
    post(&server, &key, "text/plain", "x").expect(415);
    let cut = request("app", "one");
    post(&server, &key, PROTOBUF, &cut[..cut.len() - 3]).expect(400);
    assert!(server.raws().is_empty());
    assert!(server.get("/metrics").text().contains("reason=\"otlp_not_protobuf\"} 2"));
}

#[test]
fn records_nested_too_deeply_are_a_partial_success() {
    let (server, key) = start();
    let deep = "[".repeat(70) + &"]".repeat(70);
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{deep},{{}}]}}]}}]}}"#);
    let reply = post(&server, &key, "application/json", body).expect(200);
    assert_eq!(reply.json()["partialSuccess"]["rejectedLogRecords"], "1");
    assert_eq!(server.raws().len(), 1);
}

#[test]
fn the_service_names_the_source_when_neither_key_nor_request_does() {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["login-service", "other"]);
    post(&server, &key, PROTOBUF, request("Login Service", "x")).expect(200);
    assert_eq!(server.kept()[0].1, "login-service");
    let refused = post(&server, &key, "application/json", r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#).expect(400);
    assert!(refused.json()["message"].as_str().unwrap().contains("X-Indelible-Source"));
}
