//! Describing sources and setting connections.

use serde_json::json;

use crate::client::Ask;
use crate::server::Server;

fn put(server: &Server, path: &str, body: &str) -> crate::client::Reply {
    server.send(Ask::new("PUT", path).key(&server.admin).body(body))
}

#[test]
fn a_source_is_described_before_or_after_its_first_event() {
    let server = Server::start();
    let made = put(&server, "/v1/sources/okta-prod", r#"{"kind":"okta","heartbeat_s":900}"#).expect(200).json();
    let source = |server: &Server| server.get("/v1/sources").json()["sources"][0].clone();
    assert_eq!((&source(&server)["kind"], &source(&server)["heartbeat_s"]), (&json!("okta"), &json!(900)));
    assert!(made["index"].is_u64());
    let again = put(&server, "/v1/sources/okta-prod", r#"{"kind":"okta","heartbeat_s":900}"#).expect(200).json();
    assert_eq!(again["index"], json!(null), "it holds already");
    put(&server, "/v1/sources/okta-prod", r#"{"kind":"entra"}"#).expect(200);
    assert_eq!((&source(&server)["kind"], &source(&server)["heartbeat_s"]), (&json!("entra"), &json!(null)));
    for (path, body) in [
        ("/v1/sources/Okta", r#"{"kind":"okta"}"#),
        ("/v1/sources/okta", r#"{"kind":"Okta Prod"}"#),
        ("/v1/sources/okta", r#"{"kind":"okta","heartbeat_s":0}"#),
    ] {
        assert_eq!(put(&server, path, body).expect(400).error(), "setting_invalid", "{path} {body}");
    }
}

#[test]
fn a_connection_is_set_read_replaced_and_removed() {
    let server = Server::start();
    let body = r#"{"kind":"poll.okta","source":"okta-prod","settings":{"url":"https://example.okta.com","interval_s":300},"secrets":{"token":"env:OKTA_TOKEN"}}"#;
    put(&server, "/v1/connections/okta-poll", body).expect(200);
    let one = server.get("/v1/connections/okta-poll").expect(200).json();
    assert_eq!(one["settings"], json!({"url":"https://example.okta.com","interval_s":300}));
    assert_eq!((&one["secrets"]["token"], &one["source"], &one["enabled"]), (&json!("env:OKTA_TOKEN"), &json!("okta-prod"), &json!(true)));
    assert_eq!(server.get("/v1/sources").json()["sources"][0]["kind"], json!("okta"), "the source was made with it");
    put(&server, "/v1/connections/okta-poll", r#"{"kind":"poll.okta","source":"okta-prod","enabled":false}"#).expect(200);
    let listed = server.get("/v1/connections").expect(200).json();
    assert_eq!((listed["connections"].as_array().unwrap().len(), &listed["connections"][0]["enabled"]), (1, &json!(false)));
    server.send(Ask::new("DELETE", "/v1/connections/okta-poll").key(&server.admin)).expect(200);
    server.send(Ask::new("DELETE", "/v1/connections/okta-poll").key(&server.admin)).expect(404);
    server.get("/v1/connections/okta-poll").expect(404);
}

#[test]
fn a_connection_that_makes_no_sense_or_holds_a_secret_is_refused() {
    let server = Server::start();
    let long = "x".repeat(17 << 10);
    for body in [
        r#"{"kind":"poll okta","source":"okta"}"#.to_owned(),
        r#"{"kind":"poll.okta","source":"Okta"}"#.to_owned(),
        r#"{"kind":"poll.okta","source":"okta","settings":{"url":"http://example.okta.com"},"secrets":{"token":"env:X"}}"#.to_owned(),
        r#"{"kind":"poll.myspace","source":"okta"}"#.to_owned(),
        r#"{"kind":"poll.okta","source":"okta","settings":{"a":null}}"#.to_owned(),
        r#"{"kind":"poll.okta","source":"okta","settings":{"a":{"b":1}}}"#.to_owned(),
        r#"{"kind":"poll.okta","source":"okta","secrets":{"token":"00s3cret00"}}"#.to_owned(),
        format!(r#"{{"kind":"poll.okta","source":"okta","settings":{{"a":"{long}"}}}}"#),
    ] {
        let reply = put(&server, "/v1/connections/c", &body).expect(400);
        assert_eq!(reply.error(), "setting_invalid", "{body}");
        assert!(!reply.text().contains("s3cret"), "a secret is not repeated");
    }
    assert_eq!(put(&server, "/v1/connections/c", r#"{"kind":"poll.okta","source":"okta","x":1}"#).expect(400).error(), "body_invalid");
    assert_eq!(put(&server, "/v1/connections/C", r#"{"kind":"poll.okta","source":"okta"}"#).expect(400).error(), "setting_invalid");
}
