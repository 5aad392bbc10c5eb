//! Forwards over HTTP: kept, listed and removed.

use evidence::act::Scope;
use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::server::Server;

fn put(server: &Server, name: &str, body: &Value) -> Reply {
    server.send(Ask::new("PUT", &format!("/v1/forwards/{name}")).key(&server.admin).body(body.to_string()))
}

#[test]
fn a_forward_is_kept_as_a_record_and_listed_without_secrets() {
    let server = Server::start();
    server.send(Ask::new("PUT", "/v1/saved/bad").key(&server.admin).body(r#"{"line":"outcome:failure"}"#)).expect(200);
    let hec =
        json!({"line": "saved:bad", "to": {"kind": "hec", "url": "https://splunk.corp.example:8088"}, "secrets": {"token": "env:HEC"}});
    put(&server, "siem", &hec).expect(200);
    let forward = server.get("/v1/forwards").expect(200).json()["forwards"][0].clone();
    // A saved search that changes later changes no forward.
    assert_eq!((&forward["line"], &forward["secrets"]["token"]), (&json!("outcome:failure"), &json!("env:HEC")));
    let raw: Value = serde_json::from_slice(&server.trail.reader().entry(forward["set"].as_u64().unwrap()).unwrap().raw).unwrap();
    assert_eq!((&raw["record"], &raw["by"]), (&json!("forward.set"), &forward["by"]));
    server.send(Ask::new("DELETE", "/v1/forwards/siem").key(&server.admin)).expect(200);
    assert_eq!(server.get("/v1/forwards").expect(200).json()["forwards"], json!([]));
    assert_eq!(server.send(Ask::new("DELETE", "/v1/forwards/siem").key(&server.admin)).expect(404).error(), "unknown");
}

#[test]
fn what_makes_no_sense_is_refused_and_no_secret_is_repeated() {
    let server = Server::start();
    let hec = |token: &str| json!({"to": {"kind": "hec", "url": "https://splunk:8088"}, "secrets": {"token": token}});
    for (name, body, error) in [
        ("Siem", hec("env:HEC"), "name_invalid"),
        ("siem", hec("hunter2"), "setting_invalid"),
        ("siem", json!({"to": {"kind": "hec", "url": "http://splunk:8088"}, "secrets": {"token": "env:HEC"}}), "setting_invalid"),
        ("siem", json!({"to": {"kind": "kafka"}}), "body_invalid"),
        ("siem", json!({"to": {"kind": "files"}, "line": "actor:"}), "query_invalid"),
    ] {
        let refused = put(&server, name, &body).expect(400);
        assert!(refused.error() == error && !refused.text().contains("hunter2"), "{body}: {}", refused.text());
    }
    let reader = server.key(&[Scope::Read], &[]);
    server.send(Ask::new("GET", "/v1/forwards").key(&reader)).expect(403);
}
