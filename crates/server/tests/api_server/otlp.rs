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
    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[ {"severityText":"three"} ]}]}]}"#;
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

/// The bytes of an HTTP/2 connection that makes one call, as a client that knows nothing but the frames.
mod h2 {
    use std::io::{Read as _, Write as _};
    use std::net::SocketAddr;
    use std::time::Duration;

    use crate::client::connect;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// A header field that is in no table and without Huffman coding: RFC 7541 §6.2.2.
    fn field(name: &str, value: &str) -> Vec<u8> {
        let short = |text: &str| {
            assert!(text.len() < 127);
            [&[text.len() as u8], text.as_bytes()].concat()
        };
        [vec![0], short(name), short(value)].concat()
    }

    /// Sends `body` to `path` and gives everything the server wrote until the call ended.
    pub fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        call_slowly(address, path, headers, body, Duration::ZERO).0
    }

    /// As [`call`], with a pause before the body; and whether the server reset the call once it had answered.
    pub fn call_slowly(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8], pause: Duration) -> (Vec<u8>, bool) {
        let mut stream = connect(address);
        let fixed = [(":method", "POST"), (":scheme", "http"), (":authority", "test"), (":path", path), ("te", "trailers")];
        let block: Vec<u8> = fixed.iter().chain(headers).flat_map(|(name, value)| field(name, value)).collect();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        stream.write_all(&frame(4, 0, 0, &[])).unwrap();
        stream.write_all(&frame(1, 4, 1, &block)).unwrap();
        std::thread::sleep(pause);
        stream.write_all(&frame(0, 1, 1, body)).unwrap();
        // Answered at once: what it says last comes no later than this.
        stream.write_all(&frame(6, 0, 0, &[7; 8])).unwrap();
        let (mut ended, mut ponged, mut reset) = (false, false, false);
        let mut all = Vec::new();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
            stream.read_exact(&mut payload).unwrap();
            let stream_number = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            all.extend_from_slice(&payload);
            // END_STREAM of a DATA or HEADERS frame; an answer to the ping; RST_STREAM.
            ended |= stream_number == 1 && head[3] <= 1 && head[4] & 1 == 1;
            ponged |= head[3] == 6;
            reset |= head[3] == 3;
            if ended && ponged {
                return (all, reset);
            }
        }
    }
}

/// A message as gRPC frames it.
fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag], (message.len() as u32).to_be_bytes().as_slice(), message].concat()
}

const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

#[test]
fn grpc_is_taken_on_the_same_port() {
    let (server, key) = start();
    let bearer = format!("Bearer {key}");
    let grpc = [("content-type", "application/grpc"), ("authorization", bearer.as_str())];
    let answer = h2::call(server.address, EXPORT, &grpc, &framed(0, &request("app", "one")));
    assert!(answer.windows(5).any(|bytes| bytes == [0; 5]), "an empty message: {answer:?}");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&request("app", "two")).unwrap();
    let compressed = [grpc.as_slice(), &[("grpc-encoding", "gzip")]].concat();
    h2::call(server.address, EXPORT, &compressed, &framed(1, &gzip.finish().unwrap()));
    let expected = [raw("app", "one"), raw("app", "two")].map(|raw| (raw, "telemetry".to_owned(), "otlp-grpc".to_owned()));
    assert_eq!(server.kept(), expected);
    for (headers, body) in [
        (&grpc[..1], framed(0, &request("app", "no key"))),
        (&grpc, framed(0, b"nonsense")),
        (&grpc, framed(0, &request("app", "cut"))[..20].to_vec()),
        (&grpc, framed(1, b"of no encoding")),
        (&compressed, framed(1, b"not gzip")),
        (&grpc, Vec::new()),
    ] {
        h2::call(server.address, EXPORT, headers, &body);
    }
    assert_eq!(server.raws().len(), 2);
    let metrics = server.get("/metrics").text();
    for reason in ["key_missing", "otlp_not_protobuf", "grpc_malformed", "body_damaged"] {
        assert!(metrics.contains(&format!("reason=\"{reason}\"")), "{reason}: {metrics}");
    }
    // The same path over HTTP/1 is no gRPC.
    let plain = Ask::new("POST", EXPORT).key(&key).header("content-type", "application/grpc").body(framed(0, b""));
    assert_eq!(server.send(plain).expect(200).header("grpc-status"), Some("3"));
}

#[test]
fn every_route_is_there_over_http_2() {
    let (server, key) = start();
    let bearer = format!("Splunk {key}");
    h2::call(server.address, "/services/collector", &[("authorization", &bearer)], br#"{"event":"over HTTP/2"}"#);
    assert_eq!(server.raws(), ["over HTTP/2"]);
}

#[test]
fn a_call_without_a_key_is_answered_and_not_reset_although_its_body_comes_later() {
    let server = Server::start();
    let pause = std::time::Duration::from_millis(100);
    let (answer, reset) = h2::call_slowly(server.address, "/v1/k8s/cluster", &[], b"{}", pause);
    assert!(String::from_utf8_lossy(&answer).contains("key_missing") && !reset, "{answer:?}");
    // Whoever sends nothing at all is not waited for.
    let began = std::time::Instant::now();
    let (answer, _) = h2::call_slowly(server.address, "/v1/k8s/cluster", &[], b"{}", 10 * pause);
    assert!(String::from_utf8_lossy(&answer).contains("key_missing") && began.elapsed() < 20 * pause);
}

#[test]
fn a_connection_over_http_2_that_asks_nothing_is_closed() {
    use std::io::Read as _;
    let server = Server::limited(|limits| limits.head_timeout = std::time::Duration::from_millis(300));
    for said in [b"".as_slice(), b"PR", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = crate::client::connect(server.address);
        stream.write_all(said).unwrap();
        let began = std::time::Instant::now();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{said:?}");
    }
}
