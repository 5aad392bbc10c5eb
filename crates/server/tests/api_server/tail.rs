//! `GET /v1/tail`, followed over HTTP.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use evidence::act::Scope;
use evidence::leaf::Kind;
use indelible::api::ApiLimits;
use indelible::log::intent::Intent;
use serde_json::Value;

use crate::client::{Ask, connect};
use crate::server::{Server, Setup};

/// One event of the stream: its name, its id and its data.
type Event = (String, Option<u64>, Value);

/// An open tail, as a browser would have it.
struct Following {
    stream: BufReader<TcpStream>,
    text: Vec<u8>,
}

impl Following {
    fn begin(server: &Server, ask: Ask) -> Self {
        let mut stream = connect(server.address);
        stream.write_all(&ask.key(&server.admin).to_bytes()).unwrap();
        let mut following = Self { stream: BufReader::new(stream), text: Vec::new() };
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(following.stream.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-type: text/event-stream"), "{head}");
        following
    }

    fn of(server: &Server, query: &str) -> Self {
        Self::begin(server, Ask::new("GET", &format!("/v1/tail?{query}")))
    }

    /// The next line of the body, out of its chunks; nothing at the end.
    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=at).collect();
                return Some(String::from_utf8(line).unwrap().trim_end_matches('\n').to_owned());
            }
            let mut size = String::new();
            if self.stream.read_line(&mut size).ok()? == 0 {
                return None;
            }
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).unwrap() + 2];
            self.stream.read_exact(&mut chunk).ok()?;
            if chunk.len() == 2 {
                return None;
            }
            self.text.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }

    /// The next event or heartbeat.
    fn any(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (String::new(), None, String::new());
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some((name, id, serde_json::from_str(&data).unwrap_or_default()));
            }
            match line.split_once(": ") {
                Some(("event", value)) => name = value.to_owned(),
                Some(("id", value)) => id = Some(value.parse().unwrap()),
                Some(("data", value)) => data.push_str(value),
                _ => {}
            }
        }
    }

    /// The next entry.
    fn entry(&mut self) -> (u64, Value) {
        loop {
            let (name, id, data) = self.any().expect("the tail goes on");
            if name.is_empty() && !data.is_null() {
                assert_eq!(id, data["index"].as_u64());
                return (id.unwrap(), data);
            }
        }
    }
}

fn indexes(server: &Server, line: &str) -> Vec<u64> {
    let found = server.get(&format!("/v1/search?q={line}&order=oldest&limit=1000")).expect(200).json();
    found["events"].as_array().unwrap().iter().map(|event| event["index"].as_u64().unwrap()).collect()
}

#[test]
fn each_match_comes_once_in_order_while_events_arrive_and_a_broken_connection_goes_on() {
    let server = Server::start();
    let following = Following::of(&server, "q=raw.n:3+source:app&from=0");
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let server = &server;
                scope.spawn(move || {
                    for _ in 0..20 {
                        server.post("/v1/events?source=app", (0..7).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>()).expect(200);
                    }
                })
            })
            .collect();
        let mut following = following;
        while seen.len() < 60 {
            let (index, entry) = following.entry();
            assert_eq!(entry["raw"]["n"], 3);
            assert_eq!(entry["summary"]["time"], entry["received_at"]);
            seen.push(index);
            if seen.len() % 10 == 0 {
                // The same question as before: the header says how far it came.
                let ask = Ask::new("GET", "/v1/tail?q=raw.n:3+source:app&from=0").header("last-event-id", &index.to_string());
                following = Following::begin(&server, ask);
            }
        }
        for sender in senders {
            sender.join().unwrap();
        }
    });
    assert_eq!(seen, indexes(&server, "raw.n:3+source:app"));
}

#[test]
fn a_tail_begins_with_what_comes_unless_told_where() {
    let server = Server::start();
    let first = server.keep("{\"n\":1}");
    let mut following = Following::of(&server, "q=source:test");
    let (name, _, begun) = following.any().unwrap();
    assert_eq!((name.as_str(), &begun["query"], begun["from"].as_u64()), ("begin", &"source:test".into(), Some(first + 1)));
    let next = server.keep("{\"n\":2}");
    assert_eq!(following.entry().0, next);
    assert_eq!(Following::of(&server, &format!("q=source:test&from={first}")).entry().0, first);
}

#[test]
fn who_waits_hears_that_the_server_is_there_and_how_far_it_looked() {
    let limits = ApiLimits { tail_heartbeat: Duration::from_millis(100), ..ApiLimits::default() };
    let server = Server::with(Setup { limits, ..Setup::default() });
    let mut following = Following::of(&server, "q=nothing");
    assert_eq!(following.any().unwrap().0, "begin");
    let index = server.keep("{\"n\":2}");
    let began = Instant::now();
    loop {
        let (name, id, data) = following.any().unwrap();
        assert!(name.is_empty() && data.is_null());
        if id == Some(index) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn there_are_only_so_many_places_and_one_who_goes_makes_room() {
    let server = Server::limited(|limits| limits.tails = 1);
    let following = Following::of(&server, "q=a");
    let refused = server.get("/v1/tail?q=b").expect(429);
    assert_eq!((refused.header("retry-after"), refused.error().as_str()), (Some("10"), "tails_full"));
    drop(following);
    // The server learns of it from the connection, or when it next writes.
    let began = Instant::now();
    while server.send(Ask::new("HEAD", "/v1/tail?q=b").key(&server.admin)).status == 429 {
        assert!(began.elapsed() < Duration::from_secs(10), "the place stays taken");
        server.keep("a");
    }
    let mut again = Following::of(&server, "q=b");
    assert_eq!(again.any().unwrap().0, "begin");
}

#[test]
fn a_reader_who_takes_nothing_holds_up_nobody_and_loses_only_the_connection() {
    let limits = ApiLimits { stall_timeout: Duration::from_millis(500), ..ApiLimits::default() };
    let server = Server::with(Setup { limits, ..Setup::default() });
    let mut stalled = Following::of(&server, "q=source:app");
    let body = (0..50).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(8_000))).collect::<String>();
    let began = Instant::now();
    for _ in 0..40 {
        server.post("/v1/events?source=app", body.clone()).expect(200);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    std::thread::sleep(Duration::from_secs(2));
    let mut seen = Vec::new();
    while let Some((name, id, _)) = stalled.any() {
        if name.is_empty() {
            seen.extend(id);
        }
    }
    let entries = server.trail.reader().entries(0, server.trail.view().size as usize).unwrap();
    let all: Vec<u64> = entries.iter().filter(|entry| entry.leaf.kind == Kind::Event).map(|entry| entry.index).collect();
    assert!(seen.len() < 2_000 && !seen.is_empty(), "{}", seen.len());
    let mut again =
        Following::begin(&server, Ask::new("GET", "/v1/tail?q=source:app").header("last-event-id", &seen.last().unwrap().to_string()));
    while seen.len() < 2_000 {
        seen.push(again.entry().0);
    }
    assert_eq!(seen, all);
}

#[test]
fn a_tail_ends_with_the_server_and_with_its_key_and_says_why() {
    let mut server = Server::start();
    let reader = server.key(&[Scope::Read], &[]);
    let mut stream = connect(server.address);
    stream.write_all(&Ask::new("GET", "/v1/tail?q=a").key(&reader).to_bytes()).unwrap();
    let mut following = Following::of(&server, "q=a");
    std::thread::sleep(Duration::from_millis(200));
    let id = format!("k_{}", reader.split('_').nth(1).unwrap());
    server.trail.log().act_blocking(Intent::RevokeKey { id }, b"{}".to_vec()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).ok();
    assert!(said.contains("event: end") && said.contains("key_invalid"), "{said}");
    assert_eq!(following.any().unwrap().0, "begin");
    let began = Instant::now();
    server.begin_stop();
    let (name, _, why) = following.any().unwrap();
    assert_eq!((name.as_str(), &why["code"]), ("end", &"draining".into()));
    assert!(following.any().is_none());
    server.wait();
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_is_wrong_with_a_tail_is_said_before_it_begins() {
    let server = Server::start();
    let refused = |path: &str| server.get(path).expect(400).error();
    assert_eq!(refused("/v1/tail?q=nobody:x"), "query_invalid");
    assert_eq!(refused("/v1/tail?q=a&from=99999"), "from_invalid");
    assert_eq!(refused("/v1/tail?q=a&from=x"), "bad_query");
    assert_eq!(refused("/v1/tail?q=a&limit=1"), "bad_query");
    let ask = |id: &str| server.send(Ask::new("GET", "/v1/tail?q=a").key(&server.admin).header("last-event-id", id)).expect(400).error();
    assert_eq!(
        (ask("x"), ask("18446744073709551615"), ask("5000")),
        ("last_event_id_invalid".into(), "last_event_id_invalid".into(), "from_invalid".into())
    );
    server.send(Ask::new("GET", "/v1/tail?q=a").key(&server.key(&[Scope::Ingest], &["app"]))).expect(403);
    server.send(Ask::new("GET", "/v1/tail?q=a")).expect(401);
}
