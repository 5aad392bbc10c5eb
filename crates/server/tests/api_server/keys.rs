//! Making, listing and revoking API keys.

use serde_json::json;

use crate::client::Ask;
use crate::server::Server;

#[test]
fn a_key_is_made_shown_once_used_and_revoked() {
    let server = Server::start();
    let made = server.post("/v1/keys", r#"{"scopes":["read"],"name":"auditor","expires_at":"2999-01-01T00:00:00Z"}"#).expect(201).json();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    server.send(Ask::new("GET", "/v1/sources").key(token)).expect(200);
    let listed = server.get(&format!("/v1/keys/{id}")).expect(200);
    assert_eq!((&listed.json()["name"], &listed.json()["scopes"]), (&json!("auditor"), &json!(["read"])));
    for reply in [listed, server.get("/v1/keys").expect(200)] {
        assert!(!reply.text().contains(token.rsplit('_').next().unwrap()), "a token is shown once");
    }
    let act = server.get(&format!("/v1/events/{}", made["created"])).json();
    assert!(act["raw"].get("name").is_none() && act["why"]["name"] == json!("auditor"), "names of keys may lapse: part 3");
    let revoked = server.send(Ask::new("DELETE", &format!("/v1/keys/{id}")).key(&server.admin)).expect(200).json();
    assert!(revoked["revoked"].is_u64());
    assert_eq!(server.send(Ask::new("GET", "/v1/sources").key(token)).expect(401).error(), "key_invalid");
    let again = server.send(Ask::new("DELETE", &format!("/v1/keys/{id}")).key(&server.admin)).expect(200).json();
    assert_eq!(again["revoked"], revoked["revoked"]);
    server.send(Ask::new("DELETE", "/v1/keys/k_0000000000000000").key(&server.admin)).expect(404);
}

#[test]
fn a_key_that_makes_no_sense_is_refused() {
    let server = Server::start();
    for body in [
        r#"{"scopes":[]}"#,
        r#"{"scopes":["root"]}"#,
        r#"{"scopes":["read"],"sources":["Not A Source"]}"#,
        r#"{"scopes":["read"],"expires_at":"2001-01-01T00:00:00Z"}"#,
        r#"{"scopes":["read"],"expires_at":"tomorrow"}"#,
    ] {
        assert_eq!(server.post("/v1/keys", body).expect(400).error(), "key_invalid", "{body}");
    }
    for body in ["", "{}", r#"{"scopes":["read"],"scope":"x"}"#, "nonsense"] {
        assert_eq!(server.post("/v1/keys", body).expect(400).error(), "body_invalid", "{body}");
    }
    let long = json!({ "scopes": ["read"], "name": "x".repeat(501) }).to_string();
    assert_eq!(server.post("/v1/keys", long).expect(400).error(), "text_too_long");
    assert_eq!(server.post("/v1/keys", vec![b' '; 65 << 10]).expect(413).error(), "body_too_large");
    assert_eq!(server.trail.view().state.keys.len(), 1);
}

#[test]
fn keys_are_listed_in_pages() {
    let server = Server::start();
    for _ in 0..4 {
        server.post("/v1/keys", r#"{"scopes":["ingest"],"sources":["b","a"]}"#).expect(201);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/keys?limit=2".to_owned());
    loop {
        let page = server.get(&path).expect(200).json();
        seen.extend(page["keys"].as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/keys?limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted());
}
