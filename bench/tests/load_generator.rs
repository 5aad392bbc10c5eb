//! The load generator against a stand-in server that answers as the real one does, counts what it
//! was sent and can be told to be slow.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use bench::batch::Serials;
use bench::cloudtrail::CloudTrail;
use bench::intake::{Pool, Target};
use bench::load::{Pace, Plan, run};
use bench::proofs::Gets;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Seen {
    requests: u64,
    ids: HashSet<String>,
    repeated: u64,
    events: u64,
    paths: HashSet<String>,
}

/// How the stand-in answers.
#[derive(Clone, Copy)]
enum Manner {
    Well,
    Slowly(Duration),
    WithOneResultTooFew,
    BusyEverySecondTime,
    ForgettingTheTree,
}

fn stand_in(manner: Manner) -> (SocketAddr, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = Arc::clone(&shared);
            std::thread::spawn(move || serve(stream.unwrap(), &seen, manner));
        }
    });
    (address, seen)
}

fn serve(stream: TcpStream, seen: &Mutex<Seen>, manner: Manner) {
    stream.set_nodelay(true).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0usize);
        if input.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut line = String::new();
            input.read_line(&mut line).unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).unwrap();
        if let Manner::Slowly(pause) = manner {
            std::thread::sleep(pause);
        }
        let (status, answer) = answer(&first, &body, &mut seen.lock().unwrap(), manner);
        // In two writes: an answer may come in pieces.
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        let (front, back) = text.split_at(text.len() / 2);
        out.write_all(front.as_bytes()).unwrap();
        out.write_all(back.as_bytes()).unwrap();
    }
}

fn answer(first: &str, body: &[u8], seen: &mut Seen, manner: Manner) -> (u16, String) {
    seen.requests += 1;
    seen.paths.insert(first.split(' ').nth(1).unwrap().to_owned());
    if first.starts_with("GET") {
        return (200, "{}".to_owned());
    }
    if matches!(manner, Manner::BusyEverySecondTime) && seen.requests.is_multiple_of(2) {
        return (429, "{}".to_owned());
    }
    let mut results = Vec::new();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: serde_json::Value = serde_json::from_slice(line).unwrap();
        if !seen.ids.insert(event["eventID"].as_str().unwrap().to_owned()) {
            seen.repeated += 1;
        }
        results.push(serde_json::json!({ "index": seen.events }));
        seen.events += 1;
    }
    if matches!(manner, Manner::WithOneResultTooFew) {
        results.pop();
    }
    let size = if matches!(manner, Manner::ForgettingTheTree) { 1 } else { seen.events };
    let note = format!("indelible.local/00000000/main\n{size}\nroot\n\n— indelible.local/00000000/main sig\n");
    (200, serde_json::json!({ "results": results, "checkpoint": note }).to_string())
}

fn pool(address: SocketAddr, requests: usize, events_each: usize) -> Pool {
    let target = Target { host: address.to_string(), token: "t".to_owned(), source: "aws-prod".to_owned() };
    Pool::make(&mut CloudTrail::new(1), &target, requests, events_each, Serials::default())
}

fn plan(address: SocketAddr, connections: usize, ms: u64, pace: Pace) -> Plan {
    Plan { address, connections, duration: Duration::from_millis(ms), pace }
}

#[test]
fn batches_arrive_whole_with_ids_that_never_repeat() {
    let (address, seen) = stand_in(Manner::Well);
    let mut pool = pool(address, 8, 200);
    let outcome = run(&plan(address, 4, 400, Pace::Closed), &mut pool).unwrap();
    let seen = seen.lock().unwrap();
    assert!(outcome.answers > 8, "each body must be used more than once: {}", outcome.answers);
    assert_eq!(seen.requests, outcome.answers);
    assert_eq!((seen.events, seen.repeated), (pool.events, 0));
    assert_eq!(outcome.latencies.count() as u64, outcome.answers);
    assert_eq!(seen.paths.iter().next().unwrap(), "/v1/events?source=aws-prod");
    drop(seen);
    assert_eq!(pool.check_tree().unwrap(), pool.events);
}

#[test]
fn an_open_loop_sends_what_is_due_and_no_more() {
    let (address, seen) = stand_in(Manner::Well);
    let mut pool = pool(address, 200, 1);
    let outcome = run(&plan(address, 16, 500, Pace::Open { per_second: 1000 }), &mut pool).unwrap();
    // The first is due after one interval, the last just before the end.
    assert_eq!(outcome.answers, 499);
    assert_eq!(seen.lock().unwrap().events, 499);
}

#[test]
fn a_slow_server_cannot_hide_the_requests_it_delayed() {
    let (address, _) = stand_in(Manner::Slowly(Duration::from_millis(20)));
    let mut pool = pool(address, 50, 1);
    // One connection does 50 a second, 100 are due: the last ones wait about half a second.
    let mut outcome = run(&plan(address, 1, 1000, Pace::Open { per_second: 100 }), &mut pool).unwrap();
    assert_eq!(outcome.answers, 99);
    assert!(outcome.waiting_max > 20, "{}", outcome.waiting_max);
    assert!(outcome.latencies.per_mille_ms(990) > 400.0, "{}", outcome.latencies.per_mille_ms(990));
}

#[test]
fn an_answer_that_names_fewer_events_than_were_sent_ends_the_run() {
    let (address, _) = stand_in(Manner::WithOneResultTooFew);
    let failure = run(&plan(address, 1, 200, Pace::Closed), &mut pool(address, 4, 10)).unwrap_err();
    assert_eq!(failure.to_string(), "10 events were sent, the answer names 9");
}

#[test]
fn refused_requests_are_counted_and_not_taken_for_kept() {
    let (address, seen) = stand_in(Manner::BusyEverySecondTime);
    let mut pool = pool(address, 4, 10);
    let outcome = run(&plan(address, 1, 200, Pace::Closed), &mut pool).unwrap();
    assert_eq!(pool.refused, outcome.answers / 2);
    assert_eq!(pool.events, seen.lock().unwrap().events);
}

#[test]
fn a_tree_smaller_than_what_was_acknowledged_is_no_result() {
    let (address, _) = stand_in(Manner::ForgettingTheTree);
    let mut pool = pool(address, 4, 10);
    run(&plan(address, 1, 100, Pace::Closed), &mut pool).unwrap();
    assert!(pool.check_tree().is_err());
}

#[test]
fn proofs_are_asked_for_over_the_whole_log() {
    let (address, seen) = stand_in(Manner::Well);
    let mut gets = Gets::proofs(1, 10, address.to_string(), "t".to_owned());
    run(&plan(address, 2, 200, Pace::Closed), &mut gets).unwrap();
    let expected: HashSet<String> = (0..10).map(|index| format!("/v1/events/{index}?proof=1")).collect();
    assert_eq!(seen.lock().unwrap().paths, expected);
}

#[test]
fn a_closed_port_is_an_error_that_says_where() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure = run(&plan(address, 1, 50, Pace::Closed), &mut pool(address, 2, 1)).unwrap_err();
    assert!(failure.to_string().contains(&address.to_string()), "{failure}");
}
