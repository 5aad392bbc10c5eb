//! Saved searches over HTTP: kept in the log, and usable wherever a line is.

use std::io;
use std::sync::Arc;

use evidence::act::Scope;
use indelible::store::media::Media as _;
use indelible::store::media::sim::{Fault, SimMedia};
use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::server::{Server, Setup};

fn put(server: &Server, name: &str, line: &str) -> Reply {
    server.send(Ask::new("PUT", &format!("/v1/saved/{name}")).key(&server.admin).body(json!({ "line": line }).to_string()))
}

fn remove(server: &Server, name: &str) -> Reply {
    server.send(Ask::new("DELETE", &format!("/v1/saved/{name}")).key(&server.admin))
}

fn names(server: &Server) -> Vec<String> {
    let saved = server.get("/v1/saved").expect(200).json()["saved"].clone();
    saved.as_array().unwrap().iter().map(|saved| saved["name"].as_str().unwrap().to_owned()).collect()
}

fn hits(server: &Server, line: &str) -> usize {
    let line: String = form_urlencoded::byte_serialize(line.as_bytes()).collect();
    server.get(&format!("/v1/search?q={line}")).expect(200).json()["events"].as_array().unwrap().len()
}

#[test]
fn a_saved_search_stands_for_its_line_until_it_is_changed_or_removed() {
    let server = Server::start();
    for user in ["ana", "bob", "eve"] {
        server.events(200, json!({"actor": user, "action": "login"}).to_string());
    }
    assert_eq!(put(&server, "suspects", "ana OR eve").expect(200).json(), json!({"changed": true}));
    assert_eq!(put(&server, "suspects", "ana OR eve").expect(200).json(), json!({"changed": false}));
    assert_eq!((hits(&server, "saved:suspects"), hits(&server, "saved:suspects NOT ana"), hits(&server, "NOT saved:suspects")), (2, 1, 1));
    // What was asked is answered and recorded in full.
    let page = server.get("/v1/search?q=saved:suspects+login").expect(200).json();
    assert_eq!(page["query"], "(ana OR eve) login");
    put(&server, "suspects", "bob").expect(200);
    assert_eq!(hits(&server, "saved:suspects"), 1);
    let listed = server.get("/v1/saved").expect(200).json()["saved"][0].clone();
    assert_eq!((&listed["name"], &listed["line"]), (&json!("suspects"), &json!("bob")));
    let set = listed["set"].as_u64().unwrap();
    let raw: Value = serde_json::from_slice(&server.trail.reader().entry(set).unwrap().raw).unwrap();
    assert_eq!((&raw["record"], &raw["by"]), (&json!("saved.set"), &listed["by"]));
    remove(&server, "suspects").expect(200);
    assert_eq!(remove(&server, "suspects").expect(404).error(), "unknown");
    let refused = server.get("/v1/search?q=login+saved:suspects").expect(400);
    assert!(refused.text().contains("column 13: there is no saved search"), "{}", refused.text());
}

#[test]
fn lines_that_name_a_saved_search_are_followed_counted_and_exported() {
    let server = Server::start();
    server.events(200, r#"{"actor":"ana"}"#);
    server.events(200, r#"{"actor":"bob"}"#);
    put(&server, "a.1", "ana").expect(200);
    let page = server.get("/v1/search?q=saved:a.1&limit=0&facets=source").expect(200).json();
    assert_eq!(page["counts"]["matches"], 1);
    let body = server.get("/v1/export?q=saved:a.1&page=1").expect(200).text();
    assert!(body.lines().count() == 2 && body.contains("\"query\":\"ana\""), "{body}");
    assert_eq!(server.get("/v1/tail?q=saved:nobody").expect(400).error(), "query_invalid");
}

#[test]
fn what_cannot_be_saved_is_refused_with_what_to_do() {
    let server = Server::start();
    for (name, line, error, says) in [
        ("A", "ana", "name_invalid", "a-z, 0-9"),
        ("a", "actor:", "query_invalid", "column 6"),
        ("a", "  ", "query_invalid", "finds every event"),
        ("a", "saved:b", "query_invalid", "write out what it says"),
    ] {
        let refused = put(&server, name, line).expect(400);
        assert!(refused.error() == error && refused.text().contains(says), "{name} {line}: {}", refused.text());
    }
    assert!(names(&server).is_empty());
    let reader = server.key(&[Scope::Read], &[]);
    server.send(Ask::new("GET", "/v1/saved").key(&reader)).expect(200);
    server.send(Ask::new("PUT", "/v1/saved/a").key(&reader).body("{\"line\":\"a\"}")).expect(403);
    server.send(Ask::new("DELETE", "/v1/saved/a").key(&reader)).expect(403);
}

/// Names in force after a restart, when every write and sync of saving `second` failed so.
fn after_a_failed_change(seed: u64, fault: Fault) -> Vec<String> {
    let media = SimMedia::new(seed);
    let setup = || Setup { media: Some(Arc::new(media.clone())), ..Setup::default() };
    let server = Server::with(setup());
    put(&server, "first", "ana").expect(200);
    let next = media.ops();
    (next..next + 100).for_each(|op| media.inject(op, fault));
    let refused = put(&server, "second", "bob");
    assert!(refused.status >= 500 && refused.text().contains("unless a list shows it"), "{}", refused.text());
    drop(server);
    while media.ops() < next + 100 {
        let _ = media.sync_dir("");
    }
    names(&Server::with(setup()))
}

#[test]
fn a_change_that_was_lost_or_kept_and_reported_lost_is_what_the_log_says_after_a_restart() {
    assert_eq!(after_a_failed_change(1, Fault::KeptButReportedLost), ["first", "second"]);
    // A write that is refused may have been done in part or whole, as the dice of the seed have it.
    let refused: Vec<_> = (1..=12).map(|seed| after_a_failed_change(seed, Fault::Refused(io::ErrorKind::Other))).collect();
    assert!(refused.iter().all(|names| *names == ["first"] || *names == ["first", "second"]), "{refused:?}");
    assert!(refused.iter().any(|names| *names == ["first"]), "none was lost: {refused:?}");
}
