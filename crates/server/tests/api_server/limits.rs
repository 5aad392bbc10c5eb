//! Every limit, reached.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::{Ask, connect, read_reply};
use crate::server::Server;

fn head(server: &Server, length: usize) -> String {
    format!("POST /v1/events?source=test HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n", server.admin)
}

fn ends(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    matches!(stream.read_to_end(&mut rest), Ok(0))
}

#[test]
fn a_body_over_the_cap_is_413_with_and_without_a_declared_length() {
    let server = Server::limited(|limits| limits.body.decoded_bytes = 10_000);
    assert_eq!(server.post("/v1/events?source=test", vec![b'1'; 10_001]).expect(413).error(), "body_too_large");
    server.post("/v1/events?source=test", vec![b'1'; 10_000]).expect(200);
    let mut stream = connect(server.address);
    let head = head(&server, 0).replace("content-length: 0", "transfer-encoding: chunked");
    stream.write_all(head.as_bytes()).unwrap();
    for _ in 0..3 {
        let _ = stream.write_all(format!("1388\r\n{}\r\n", "1".repeat(5_000)).as_bytes());
    }
    assert_eq!(read_reply(&mut stream).unwrap().expect(413).error(), "body_too_large");
}

#[test]
fn more_events_than_one_request_may_have_are_refused_whole() {
    let server = Server::start();
    assert_eq!(server.post("/v1/events?source=test", "1\n".repeat(100_001)).expect(413).error(), "too_many_events");
    assert_eq!(server.post("/v1/events?source=test&receipt=1", "1\n".repeat(10_001)).expect(413).error(), "too_many_receipts");
    assert!(server.trail.view().state.sources.is_empty());
}

#[test]
fn a_key_over_its_rate_waits_as_long_as_it_is_told() {
    let server = Server::limited(|limits| {
        limits.events_per_second = 10;
        limits.events_burst = 100;
    });
    server.post("/v1/events?source=test", "1\n".repeat(95)).expect(200);
    let reply = server.post("/v1/events?source=test", "1\n".repeat(50)).expect(429);
    assert_eq!(reply.error(), "rate_limited");
    let seconds: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&seconds), "{seconds}");
    let other = server.key(&[evidence::act::Scope::Ingest], &[]);
    server.send(Ask::new("POST", "/v1/events?source=test").key(&other).body("1\n".repeat(50))).expect(200);
}

#[test]
fn bodies_beyond_the_memory_for_them_are_429() {
    let server = Server::limited(|limits| limits.bodies_bytes = 100_000);
    let mut slow = connect(server.address);
    slow.write_all(head(&server, 90_001).as_bytes()).unwrap();
    slow.write_all(&vec![b'1'; 90_000]).unwrap();
    // All of it has to have arrived, or the slow body is the one without room.
    std::thread::sleep(Duration::from_millis(500));
    let reply = server.post("/v1/events?source=test", vec![b'1'; 20_000]).expect(429);
    assert_eq!((reply.error().as_str(), reply.header("retry-after")), ("busy", Some("1")));
    slow.write_all(b"1").unwrap();
    read_reply(&mut slow).unwrap().expect(200);
    server.post("/v1/events?source=test", vec![b'1'; 20_000]).expect(200);
}

#[test]
fn a_slow_body_is_cut_and_others_are_not_held_up() {
    let server = Server::limited(|limits| {
        limits.body_window = Duration::from_millis(400);
        limits.body_window_bytes = 400;
    });
    let mut slow = connect(server.address);
    slow.write_all(head(&server, 100_000).as_bytes()).unwrap();
    slow.write_all(b"11").unwrap();
    server.keep("1");
    assert_eq!(read_reply(&mut slow).unwrap().expect(408).error(), "too_slow");
    // 100 bytes each 50 ms are fast enough, however long it takes.
    let mut steady = connect(server.address);
    steady.write_all(head(&server, 2_000).as_bytes()).unwrap();
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(50));
        steady.write_all(&[b'1'; 100]).unwrap();
    }
    read_reply(&mut steady).unwrap().expect(200);
}

#[test]
fn a_head_that_does_not_end_is_cut() {
    let server = Server::limited(|limits| limits.head_timeout = Duration::from_millis(300));
    let mut slow = connect(server.address);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nx: ").unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!rest.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn a_head_with_too_many_or_too_long_fields_is_refused() {
    let server = Server::start();
    let many = (0..70).fold(Ask::new("GET", "/healthz"), |ask, n| ask.header(&format!("x-{n}"), "1"));
    server.send(many).expect(431);
    let mut long = connect(server.address);
    // The server need not take all of it, so the answer may be lost with the connection.
    let _ = long.write_all(&Ask::new("GET", "/healthz").header("x", &"y".repeat(64 << 10)).to_bytes());
    assert!(read_reply(&mut long).is_none_or(|reply| reply.status == 431));
}

#[test]
fn connections_past_the_limit_are_closed_and_counted() {
    let server = Server::limited(|limits| limits.connections = 2);
    let mut open: Vec<_> = (0..2).map(|_| connect(server.address)).collect();
    for stream in &mut open {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
        read_reply(stream).unwrap().expect(200);
    }
    let mut third = connect(server.address);
    let _ = third.write_all(b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\n");
    assert!(read_reply(&mut third).is_none());
    open.pop();
    let waited = Instant::now();
    while waited.elapsed() < Duration::from_secs(5) {
        let mut next = connect(server.address);
        let _ = next.write_all(&Ask::new("GET", "/metrics").key(&server.admin).to_bytes());
        if let Some(reply) = read_reply(&mut next) {
            assert!(reply.text().contains("indelible_connections_refused_total"));
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("a place that was given back was not given out");
}

#[test]
fn an_answer_that_nobody_reads_ends_its_connection() {
    let server = Server::limited(|limits| limits.stall_timeout = Duration::from_millis(300));
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    for _ in 0..4 {
        server.events(200, large.clone());
    }
    let mut lazy = connect(server.address);
    let ask = Ask::new("GET", "/v1/events?from=0&limit=1000").key(&server.admin).to_bytes();
    // Enough answers that no buffer of the system holds them.
    for _ in 0..8 {
        let _ = lazy.write_all(&ask);
    }
    std::thread::sleep(Duration::from_secs(2));
    let mut read = Vec::new();
    let _ = lazy.read_to_end(&mut read);
    assert!(read.len() < 8 * 4_000_000, "{}", read.len());
    assert!(ends(&mut lazy) || read.len() < 8 * 4_000_000);
}

#[test]
fn a_hundred_slow_connections_do_not_hold_up_the_others() {
    let server = Server::start();
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = connect(server.address);
            stream.write_all(head(&server, 1_000).as_bytes()).unwrap();
            stream
        })
        .collect();
    let began = Instant::now();
    for _ in 0..50 {
        server.keep("1");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(slow);
}
