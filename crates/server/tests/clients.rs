//! Real clients against the real binary: what they sent is what the log holds.
//!
//! The clients are Python packages, installed by name into a directory of their own below the cache
//! directory at the first run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "a test that panics has failed; the helpers are shared with other tests"
)]

#[path = "cli/binary.rs"]
mod binary;
#[path = "api_server/client.rs"]
mod client;
#[path = "clients/python.rs"]
mod python;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{Place, Running};
use crate::client::{Ask, send};

const REQUIREMENTS: &str = include_str!("clients/requirements.txt");

/// A server, a key that sends from `source`, and what the client printed, one value a line.
fn run(script: &str, args: &[&str]) -> (Place, Running, Vec<Value>) {
    let place = Place::new();
    let running = place.serve();
    let made = running.run(["key", "create", "--scope", "ingest", "--source", "clients", "--name", "clients", "--json"]).ok().json();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(python::python(REQUIREMENTS));
    command.arg(script).args(args).env("INDELIBLE_URL", &running.url).env("INDELIBLE_KEY", made["key"].as_str().unwrap());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let lines = said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")));
    (place, running, lines.collect())
}

/// Raw and door of every event in the log, in order.
fn kept(running: &Running) -> Vec<(Value, String)> {
    let address = running.url.strip_prefix("http://").unwrap().parse().unwrap();
    let get = |path: &str| send(address, &Ask::new("GET", path).key(&running.key)).expect(200);
    let size = get("/v1/trails/main").json()["size"].as_u64().unwrap();
    let entries = (0..size).map(|index| (index, get(&format!("/v1/events/{index}")).json()));
    let events = entries.filter(|(_, entry)| entry["kind"] == "event");
    let shown = |(index, entry): (u64, Value)| {
        assert_eq!(entry["envelope"]["facts"]["source"], "clients");
        let raw = get(&format!("/v1/events/{index}/raw")).body;
        (serde_json::from_slice(&raw).unwrap(), entry["envelope"]["facts"]["door"].as_str().unwrap().to_owned())
    };
    events.map(shown).collect()
}

/// The log holds what was sent, in order; `part` is what of an event the client printed.
fn holds(running: &Running, sent: &[Value], door: &str, part: impl Fn(&Value) -> Value) {
    let kept = kept(running);
    assert_eq!(kept.len(), sent.len());
    for ((raw, found), sent) in kept.iter().zip(sent) {
        assert_eq!((&part(raw), found.as_str()), (sent, door));
    }
}

#[test]
fn the_opentelemetry_sdk_over_http() {
    let (_place, running, sent) = run("opentelemetry_logs.py", &["http"]);
    assert_eq!(sent.len(), 200);
    holds(&running, &sent, "otlp", Value::clone);
}

#[test]
fn the_opentelemetry_sdk_over_grpc() {
    let (_place, running, sent) = run("opentelemetry_logs.py", &["grpc"]);
    assert_eq!(sent.len(), 200);
    holds(&running, &sent, "otlp-grpc", Value::clone);
}

#[test]
fn the_elasticsearch_client() {
    let (_place, running, sent) = run("elasticsearch_documents.py", &[]);
    assert_eq!(sent.len(), 1_002);
    holds(&running, &sent, "elasticsearch", Value::clone);
}

#[test]
fn two_splunk_logging_handlers() {
    for (handler, events) in [("splunk_handler", 500), ("splunk_hec_handler", 20)] {
        let (_place, running, sent) = run("splunk_events.py", &[handler]);
        assert_eq!(sent.len(), events);
        holds(&running, &sent, "hec", |raw| raw["event"].clone());
    }
}
