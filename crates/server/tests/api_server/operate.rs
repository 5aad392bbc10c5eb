//! What operators look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indelible::api::ApiLimits;
use indelible::clock::Clock;
use serde_json::json;

use crate::client::Ask;
use crate::server::{Server, Setup};

#[test]
fn metrics_say_what_happened() {
    let server = Server::start();
    server.events(200, "[{\"id\":1},{\"id\":2}]");
    server.events(200, "[{\"id\":1}]");
    server.get("/v1/events/999").expect(404);
    server.get("/nothing").expect(404);
    let reply = server.get("/metrics").expect(200);
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let page = reply.text();
    for line in [
        "indelible_ingest_events_total 2",
        "indelible_ingest_duplicates_total 1",
        "indelible_requests_total{route=\"POST /v1/events\",status=\"200\"} 2",
        "indelible_requests_total{route=\"GET /v1/events/{index}\",status=\"404\"} 1",
        "indelible_requests_total{route=\"other\",status=\"404\"} 1",
        "indelible_queue_depth 0",
        "indelible_stopped 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    let size = server.trail.view().size;
    assert!(page.contains(&format!("indelible_tree_size {size}\n")));
    for name in [
        "indelible_commit_seconds_bucket",
        "indelible_seconds_since_checkpoint ",
        "indelible_ingest_bytes_total ",
        "indelible_queued_bytes ",
        "indelible_connections ",
    ] {
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn a_minute_of_refusals_becomes_one_record_once_it_is_over() {
    let now = Arc::new(AtomicU64::new(6_000_000_000));
    let shared = Arc::clone(&now);
    let limits = ApiLimits { refusals_every: Duration::from_millis(20), ..ApiLimits::default() };
    let server = Server::with(Setup { limits, clock: Some(Clock::from_fn(move || shared.load(Ordering::Relaxed))), ..Setup::default() });
    for _ in 0..3 {
        server.post("/v1/events?source=test", "").expect(400);
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(server.records().is_empty());
    now.fetch_add(60_000, Ordering::Relaxed);
    let waited = Instant::now();
    while server.records().is_empty() && waited.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let records = server.records();
    assert_eq!(
        records,
        [json!({ "v": 1, "record": "input.refused", "source": "test", "reason": "empty", "count": 3, "minute": 6_000_000_000_u64 })]
    );
}

#[test]
fn open_routes_answer_without_a_key_and_every_answer_is_guarded() {
    let server = Server::start();
    for path in ["/healthz", "/readyz", "/openapi.json", "/nothing"] {
        let reply = server.send(Ask::new("GET", path));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path} {name}");
        }
        assert_eq!(reply.header("content-type"), Some("application/json"));
    }
    assert_eq!(server.send(Ask::new("GET", "/openapi.json")).expect(200).json()["openapi"], json!("3.1.0"));
    server.send(Ask::new("HEAD", "/healthz")).expect(200);
}

#[test]
fn deriving_again_is_asked_for_by_administrators_and_followed_by_readers() {
    let server = Server::start();
    assert_eq!(server.get("/v1/remap").expect(200).json(), json!({"files": 0, "waiting": 0, "failed": 0}));
    server.events(200, "[{\"id\":1}]");
    server.trail.flush().unwrap();
    let files = server.trail.view().state.payload_files.len();
    assert_eq!(server.get("/v1/remap").expect(200).json()["files"], files);
    assert_eq!(server.post("/v1/remap", "").expect(202).json()["files"], files);
    assert_eq!(server.post("/v1/remap", json!({"since": "2200-01-01T00:00:00Z"}).to_string()).expect(202).json()["files"], 0);
    assert_eq!(server.post("/v1/remap", json!({"since": "yesterday"}).to_string()).expect(400).error(), "since_invalid");
    let reader = server.key(&[evidence::act::Scope::Read], &[]);
    server.send(Ask::new("GET", "/v1/remap").key(&reader)).expect(200);
    server.send(Ask::new("POST", "/v1/remap").key(&reader)).expect(403);
}
