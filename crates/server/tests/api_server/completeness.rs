//! Whether a source is complete: seen by a follower, asked over HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indelible::clock::Clock;
use indelible::source::Catalog;
use indelible::watch::{Observation, Observe};
use serde_json::{Value, json};

use crate::client::Ask;
use crate::server::{Server, Setup};

/// 2023-11-14T22:13:20Z
const START: u64 = 1_700_000_000_000;

fn observe(raw: &[u8], kind: &str) -> Observation {
    let event: Value = serde_json::from_slice(raw).unwrap_or_default();
    let sequence = event["n"].as_u64().filter(|_| kind == "okta");
    Observation { time_ms: event["t"].as_u64(), sequence, producer: 0, fields: 4, unmapped: 1 }
}

fn watched() -> (Server, Arc<AtomicU64>) {
    watched_by(Observe::new(observe))
}

fn watched_by(observe: Observe) -> (Server, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(START));
    let clock = {
        let now = Arc::clone(&now);
        Clock::from_fn(move || now.load(Ordering::Relaxed))
    };
    (Server::with(Setup { clock: Some(clock), observe: Some(observe), ..Setup::default() }), now)
}

fn status(server: &Server, name: &str) -> Value {
    let listed = server.get("/v1/sources").expect(200).json();
    listed["sources"].as_array().unwrap().iter().find(|source| source["name"] == name).unwrap()["status"].clone()
}

/// The follower is on a thread of its own: what it is to find is there within a moment.
#[track_caller]
fn until(server: &Server, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let status = status(server, name);
        if holds(&status) {
            return status;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_source_shows_its_state_and_the_report_says_what_is_missing() {
    let (server, now) = watched();
    server.send(Ask::new("PUT", "/v1/sources/okta-prod").key(&server.admin).body(r#"{"kind":"okta","heartbeat_s":600}"#)).expect(200);
    assert_eq!(status(&server, "okta-prod")["state"], json!("new"));
    for n in [1, 2, 5] {
        let body = format!(r#"{{"n":{n},"t":{}}}"#, START - 4_000);
        server.post("/v1/events?source=okta-prod", body).expect(200);
    }
    server.post("/v1/events?source=okta-prod", "[".repeat(70) + &"]".repeat(70)).expect(400);
    let seen = until(&server, "okta-prod", |status| status["last_index"].is_u64());
    assert_eq!((&seen["last_event"], &seen["numbered"]), (&json!("2023-11-14T22:13:20.000Z"), &json!(true)));
    now.fetch_add(31_000, Ordering::Relaxed);
    let gaps = until(&server, "okta-prod", |status| status["missing"] == json!(2));
    assert_eq!((&gaps["state"], &gaps["lag"]["median_ms"], &gaps["unmapped"]), (&json!("gaps"), &json!(4_000), &json!(0.25)));
    now.fetch_add(20 * 60_000, Ordering::Relaxed);
    until(&server, "okta-prod", |status| status["state"] == json!("silent"));
    let ask = "/v1/sources/okta-prod/completeness?from=2023-11-14T00:00:00Z";
    let answer = server.get(ask).expect(200).json();
    assert_eq!((&answer["complete"], &answer["rests_on"]), (&json!(false), &json!("producer sequence and heartbeat")));
    assert_eq!((&answer["missing"][0]["first"], &answer["missing"][0]["last"]), (&json!(3), &json!(4)));
    assert_eq!((&answer["silences"][0]["from"], &answer["silences"][0]["to"]), (&json!("2023-11-14T22:13:20.000Z"), &json!(null)));
    let before = server.get(&format!("{ask}&to=2023-11-14T22:00:00Z")).expect(200).json();
    assert_eq!((&before["complete"], &before["summary"]), (&json!(true), &json!("complete")));
    let page = server.get("/metrics").expect(200).text();
    for line in ["indelible_source_missing{source=\"okta-prod\"} 2.0", "indelible_source_silent{source=\"okta-prod\"} 1.0"] {
        assert!(page.contains(line), "{line} in {page}");
    }
}

#[test]
fn the_answer_says_when_nothing_can_be_known() {
    let (server, _) = watched();
    server.post("/v1/events?source=plain", "1").expect(200);
    let answer = server.get("/v1/sources/plain/completeness?from=2023-11-14T00:00:00Z").expect(200).json();
    assert_eq!((&answer["complete"], &answer["summary"]), (&json!(null), &json!("cannot be said")));
    assert!(answer["rests_on"].as_str().unwrap().starts_with("nothing yet"));
    server.get("/v1/sources/other/completeness?from=2023-11-14T00:00:00Z").expect(404);
    for query in
        ["from=yesterday", "from=2023-11-14T00:00:00Z&to=2023-11-13T00:00:00Z", "to=2023-11-13T00:00:00Z", "from=2023-11-14T00:00:00Z&x=1"]
    {
        server.get(&format!("/v1/sources/plain/completeness?{query}")).expect(400);
    }
}

#[test]
fn a_server_that_does_not_watch_says_so() {
    let server = Server::start();
    server.keep("1");
    assert_eq!(status(&server, "test"), json!(null));
}

#[test]
fn a_host_numbers_the_messages_of_all_its_programs_in_one_row() {
    let (server, now) = watched_by(Observe::by(Arc::new(Catalog::built_in())));
    let said = |host: &str, app: &str, n: u64| {
        let line = format!("<38>1 2023-11-14T22:13:20Z {host} {app} 7 - [meta sequenceId=\"{n}\"] session opened for user ana by (uid=0)");
        let ask = Ask::new("POST", "/v1/events?source=hosts&kind=linux_auth").header("content-type", "text/plain");
        server.send(ask.key(&server.admin).body(line)).expect(200);
    };
    for (n, app) in ["sshd", "sudo", "su", "sshd", "sshd", "sudo"].iter().enumerate() {
        said("web-1", app, n as u64 + 1);
        said("web-2", app, n as u64 + 900);
    }
    let seen = until(&server, "hosts", |status| status["last_index"].is_u64());
    now.fetch_add(31_000, Ordering::Relaxed);
    assert_eq!(seen["numbered"], json!(true));
    said("web-1", "cron", 9);
    now.fetch_add(31_000, Ordering::Relaxed);
    let gaps = until(&server, "hosts", |status| status["missing"] != json!(0));
    assert_eq!(gaps["missing"], json!(2), "7 and 8 of web-1, and nothing of what its programs wrote in turn");
}
