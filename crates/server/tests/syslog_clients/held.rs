//! What the log holds.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::binary::{Place, Running};

/// The events of one source, in order.
#[derive(Debug, Default)]
pub struct Held {
    pub texts: Vec<String>,
    pub facts: Vec<Value>,
    pub people: Vec<Value>,
}

impl Held {
    /// Without the first `count`.
    pub fn from(&self, count: usize) -> Self {
        Self { texts: self.texts[count..].to_vec(), facts: self.facts[count..].to_vec(), people: self.people[count..].to_vec() }
    }

    /// What a stopped server's log holds.
    pub fn offline(place: &Place, source: &str) -> Self {
        let running = place.serve();
        let held = of(&running, source);
        assert_eq!(running.stop(), 0);
        held
    }
}

/// All entries of a running server's log.
fn entries(running: &Running) -> Vec<Value> {
    let (mut entries, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = ureq::get(format!("{}/v1/events?from={at}&limit=1000", running.url))
            .header("Authorization", format!("Bearer {}", running.key))
            .call()
            .unwrap()
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string()
            .unwrap();
        let page: Value = serde_json::from_str(&page).unwrap();
        entries.extend(page["events"].as_array().unwrap().iter().cloned());
        from = page["next"].as_u64();
    }
    entries
}

pub fn of(running: &Running, source: &str) -> Held {
    let mut held = Held::default();
    for entry in entries(running) {
        if entry["kind"] == "event" && entry["source"]["name"] == source {
            held.texts.push(entry["raw"].as_str().map_or_else(|| raw_json(&entry), str::to_owned));
            held.facts.push(entry["envelope"]["facts"].clone());
            held.people.push(entry["envelope"]["people"].clone());
        }
    }
    held
}

/// JSON as it was sent: what the tests send has its members in order and no white space.
fn raw_json(entry: &Value) -> String {
    entry["raw"].to_string()
}

/// What the log holds once it holds as many events of a source, and no more.
pub fn held_when(running: &Running, source: &str, count: usize) -> Held {
    let held = held_at_least(running, source, count);
    assert_eq!(held.texts.len(), count, "of {source}");
    held
}

/// What the log holds once it holds as many events of a source.
pub fn held_at_least(running: &Running, source: &str, count: usize) -> Held {
    let began = Instant::now();
    loop {
        let held = of(running, source);
        if held.texts.len() >= count {
            return held;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{} events of {source} and no {count}", held.texts.len());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The `door.lost` records of a stopped server's log.
pub fn losses(place: &Place) -> Vec<Value> {
    let running = place.serve();
    let lost = entries(&running).into_iter().map(|entry| entry["raw"].clone()).filter(|raw| raw["record"] == "door.lost").collect();
    assert_eq!(running.stop(), 0);
    lost
}

/// Where a door is open, as the server says when it starts.
pub fn door_address(running: &Running, kind: &str) -> String {
    let line = running.said.iter().find(|line| line.starts_with("door") && line.contains(&format!(" {kind} ")));
    let line = line.unwrap_or_else(|| panic!("no door {kind} in {:?}", running.said));
    line.split_ascii_whitespace().nth(2).unwrap().to_owned()
}

/// Whether the server closes a connection within that time.
pub fn is_closed(stream: &TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).unwrap();
    let read = (&mut &*stream).read(&mut [0; 16]);
    matches!(read, Ok(0)) || read.is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionReset)
}
