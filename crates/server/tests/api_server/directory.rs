//! The directory of identities: which names are the same person.

use serde_json::json;

use crate::client::{Ask, Reply};
use crate::server::Server;

const EVENT: &str =
    r#"{"actor":"anacodes","action":"report.export","target":"CORP\\ana","outcome":"success","occurred_at":"2026-01-05T10:00:00Z"}"#;

fn put(server: &Server, media: &str, body: &str) -> Reply {
    server.send(Ask::new("PUT", "/v1/directory").key(&server.admin).header("content-type", media).body(body))
}

fn csv(server: &Server, body: &str) -> serde_json::Value {
    put(server, "text/csv", body).expect(200).json()
}

fn remove(server: &Server, identity: &str) -> Reply {
    server.send(Ask::new("DELETE", &format!("/v1/directory/{identity}")).key(&server.admin))
}

fn actor(server: &Server, index: u64) -> serde_json::Value {
    server.get(&format!("/v1/events/{index}?ocsf=1")).expect(200).json()["meaning"]["identity"]["actor"].clone()
}

#[test]
fn an_event_of_any_name_shows_the_person_until_the_directory_changes() {
    let server = Server::start();
    let index = server.keep(EVENT);
    assert_eq!(actor(&server, index), json!("anacodes"));
    assert_eq!(csv(&server, "email,GitHub login\nAna@Corp.example,AnaCodes\n"), json!({"new": 1, "changed": 0, "same": 0}));
    assert_eq!(actor(&server, index), json!("ana@corp.example"));
    let listed = server.get("/v1/events?ocsf=1&limit=1000").expect(200).json();
    let meant = listed["events"].as_array().unwrap().iter().find(|entry| entry["index"] == json!(index)).unwrap();
    assert_eq!(meant["meaning"]["identity"]["actor"], json!("ana@corp.example"), "in a list as well");
    remove(&server, "ANA%40corp.example").expect(200);
    assert_eq!(actor(&server, index), json!("anacodes"));
    assert_eq!(remove(&server, "ana%40corp.example").expect(404).error(), "unknown");
}

#[test]
fn only_what_differs_is_recorded_and_never_in_an_act() {
    let server = Server::start();
    let file = "email,alias\na@x.example,one\nb@x.example,two\n";
    assert_eq!(csv(&server, file)["new"], json!(2));
    assert_eq!(csv(&server, file), json!({"new": 0, "changed": 0, "same": 2}));
    assert_eq!(csv(&server, "email,alias\nb@x.example,three\n"), json!({"new": 0, "changed": 1, "same": 0}));
    remove(&server, "a%40x.example").expect(200);
    let about = |record: &serde_json::Value| record["record"].as_str().is_some_and(|name| name.starts_with("identity."));
    let records: Vec<_> = server.records().into_iter().filter(about).collect();
    let told: Vec<_> = records.iter().map(|record| (record["record"].as_str().unwrap(), record["identity"].as_str().unwrap())).collect();
    let expected = [
        ("identity.set", "a@x.example"),
        ("identity.set", "b@x.example"),
        ("identity.set", "b@x.example"),
        ("identity.removed", "a@x.example"),
    ];
    assert_eq!(told, expected);
    assert!(records.iter().all(|record| record["by"].as_str().is_some_and(|by| by.starts_with("k_"))), "{records:?}");
}

#[test]
fn scim_is_taken_and_pages_lead_through_all_of_the_directory() {
    let server = Server::start();
    let users: Vec<_> =
        (0..5).map(|n| json!({"userName": format!("u{n}@x.example"), "id": format!("id{n}"), "displayName": "U"})).collect();
    put(&server, "application/scim+json; charset=utf-8", &json!({"Resources": users}).to_string()).expect(200);
    let (mut from, mut seen) = (String::new(), Vec::new());
    loop {
        let page = server.get(&format!("/v1/directory?limit=2&from={from}")).expect(200).json();
        assert_eq!(page["total"], json!(5));
        seen.extend(page["identities"].as_array().unwrap().clone());
        match page["next"].as_str() {
            Some(next) => from = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert_eq!(seen[4], json!({"identity": "u4@x.example", "names": ["id4"], "display": "U"}));
    assert_eq!(server.get("/v1/directory?limit=1001").expect(400).error(), "limit_invalid");
}

#[test]
fn a_file_that_makes_no_directory_changes_nothing() {
    let server = Server::start();
    csv(&server, "email,alias\na@x.example,root\n");
    let reply = put(&server, "text/csv", "email,alias\nc@x.example,ok\nb@x.example,root\n").expect(400);
    assert_eq!(reply.error(), "directory_invalid");
    assert!(reply.text().contains("a@x.example") && reply.text().contains("b@x.example"), "{}", reply.text());
    assert_eq!(put(&server, "application/scim+json", "{").expect(400).error(), "directory_invalid");
    assert_eq!(put(&server, "application/json", "{}").expect(415).error(), "content_type_unknown");
    assert_eq!(server.get("/v1/directory").expect(200).json()["total"], json!(1));
}
