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

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use rustix::fs::{FlockOperation, flock};
use serde_json::Value;

use crate::binary::{Place, Running};
use crate::client::{Ask, send};

const REQUIREMENTS: &str = include_str!("clients/requirements.txt");

fn cache() -> PathBuf {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("a home directory")).join(".cache");
    given.unwrap_or_else(home).join("indelible/clients")
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// A Python with the clients. Other versions of them have another directory.
fn python() -> PathBuf {
    let name: String = digest(&SHA256, REQUIREMENTS.as_bytes()).as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let dir = cache().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    // Tests run side by side, in one process or several: one of them installs.
    let lock = File::create(dir.join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let (python, done) = (dir.join("venv/bin/python"), dir.join("done"));
    if !done.exists() {
        let requirements = dir.join("requirements.txt");
        std::fs::write(&requirements, REQUIREMENTS).unwrap();
        succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(dir.join("venv")));
        succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements));
        std::fs::write(done, "").unwrap();
    }
    python
}

/// A server, a key that sends from `source`, and what the client printed, one value a line.
fn run(script: &str, args: &[&str]) -> (Place, Running, Vec<Value>) {
    let place = Place::new();
    let running = place.serve();
    let made = running.run(["key", "create", "--scope", "ingest", "--source", "clients", "--name", "clients", "--json"]).ok().json();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(python());
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
