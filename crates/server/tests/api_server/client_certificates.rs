//! Client certificates: verified when shown, and good for the sources that connections say.

use evidence::act::Scope;
use evidence::leaf::Kind;
use indelible::config::ClientCertificate::{Optional, Required};
use serde_json::{Value, json};

use crate::client::Ask;
use crate::secure::{Identity, send, start};
use crate::server::{Server, make_connection};

const EVENT: &str = r#"{"id":"1"}"#;
const NAME: &str = "kube-apiserver.prod.example";

/// With the admin key, over TLS and without a certificate.
fn connect(server: &Server, name: &str, kind: &str, settings: Value, secrets: Value) -> crate::client::Reply {
    send(server, None, &make_connection(name, kind, settings, secrets).key(&server.admin)).unwrap()
}

fn knows(server: &Server, name: &str, settings: Value) {
    connect(server, name, "client.certificate", settings, json!({})).expect(200);
}

fn event(source: &str) -> Ask {
    Ask::new("POST", &format!("/v1/events?source={source}")).body(EVENT)
}

/// Part 1 of every event.
fn people(server: &Server) -> Vec<Value> {
    let entries = server.trail.reader().entries(0, server.trail.view().size as usize).unwrap();
    let events = entries.iter().filter(|entry| entry.leaf.kind == Kind::Event);
    events.map(|entry| serde_json::from_slice(&entry.people).unwrap()).collect()
}

#[test]
fn without_authorities_a_certificate_is_not_asked_for_and_says_nothing() {
    let server = start(None);
    knows(&server, "cluster", json!({ "certificate": "*" }));
    let reply = send(&server, Some(&Identity::of("cluster")), &event("from-cluster")).unwrap();
    assert_eq!(reply.expect(401).error(), "key_missing");
    send(&server, Some(&Identity::of("stranger")), &event("a").key(&server.admin)).unwrap().expect(200);
    assert_eq!(people(&server)[0].get("subject"), None);
}

#[test]
fn a_certificate_that_is_not_good_is_refused_even_where_none_is_needed_and_the_reason_counted() {
    for (wanted, missing) in [(Optional, false), (Required, true)] {
        let server = start(Some(wanted));
        let good = send(&server, Some(&Identity::of("cluster")), &event("a").key(&server.admin)).unwrap();
        good.expect(200);
        let alert = |name: &str| send(&server, Some(&Identity::of(name)), &event("a").key(&server.admin)).err().expect("refused");
        assert!(alert("expired").contains("CertificateExpired"), "{}", alert("expired"));
        assert!(alert("stranger").contains("UnknownCA"), "{}", alert("stranger"));
        let without = send(&server, None, &event("b").key(&server.admin));
        assert_eq!(without.is_err(), missing);
        assert!(without.err().is_none_or(|why| why.contains("CertificateRequired")));
        let identity = Identity::of("cluster");
        let metrics = send(&server, Some(&identity), &Ask::new("GET", "/metrics").key(&server.admin)).unwrap().text();
        for (reason, counted) in [("expired", true), ("unknown_issuer", true), ("missing", missing)] {
            assert_eq!(metrics.contains(&format!("reason=\"client_certificate_{reason}\"")), counted, "{reason}");
        }
        assert_eq!(people(&server)[0]["subject"], NAME);
    }
}

#[test]
fn a_certificate_may_send_from_the_sources_of_the_connections_that_know_it_and_do_nothing_else() {
    let server = start(Some(Optional));
    let identity = Identity::of("cluster");
    let ask = |ask: Ask| send(&server, Some(&identity), &ask).unwrap();
    assert_eq!(ask(event("from-one")).expect(401).error(), "certificate_unknown");
    knows(&server, "one", json!({ "certificate": ["web-*", "kube-*.prod.example"], "sender": "127.0.0.0/8" }));
    knows(&server, "web", json!({ "certificate": "web-*" }));
    knows(&server, "far", json!({ "certificate": "*", "sender": "10.0.0.0/8" }));
    ask(event("from-one")).expect(200);
    for other in ["from-web", "from-far", "else"] {
        assert_eq!(ask(event(other)).expect(403).error(), "source_not_allowed", "{other}");
    }
    // Bound to one source, it need not name it.
    let bulk = "{\"index\":{\"_index\":\"any\"}}\n{\"id\":\"2\"}\n";
    let bulk = Ask::new("POST", "/_bulk").header("content-type", "application/x-ndjson").body(bulk);
    assert_eq!(ask(bulk.clone()).expect(200).json()["errors"], false);
    knows(&server, "two", json!({ "certificate": NAME }));
    let reply = ask(bulk).expect(403);
    assert!(reply.text().contains("may not send events of the source `any`"), "of two sources neither is the one: {}", reply.text());
    ask(event("from-two")).expect(200);
    for path in ["/v1/events", "/v1/keys", "/metrics", "/v1/connections"] {
        assert_eq!(ask(Ask::new("GET", path)).expect(401).error(), "key_missing", "{path}");
    }
    // Whoever shows a key is judged by it.
    let bound = server.key(&[Scope::Ingest], &["other"]);
    assert_eq!(ask(event("from-one").key(&bound)).expect(403).error(), "source_not_allowed");
    ask(event("other").key(&bound)).expect(200);
    assert_eq!(ask(event("from-one").key("idl_x")).expect(401).error(), "key_malformed");
    let sources: Vec<_> = server.kept().into_iter().map(|(_, source, _)| source).collect();
    assert_eq!(sources, ["from-one", "from-one", "from-two", "other"]);
    let people = people(&server);
    assert!(people.iter().all(|people| people["subject"] == NAME));
    assert_eq!([&people[0], &people[3]].map(|people| people.get("key").is_some()), [false, true]);
}

#[test]
fn a_source_may_need_a_certificate_beside_a_key() {
    let server = start(Some(Optional));
    knows(&server, "vault", json!({ "certificate": "kube-*", "required": true }));
    knows(&server, "bank", json!({ "certificate": "bank-*", "required": true }));
    let with_key = |identity: Option<&Identity>, source: &str| send(&server, identity, &event(source).key(&server.admin)).unwrap();
    let identity = Identity::of("cluster");
    assert_eq!(with_key(None, "from-vault").expect(403).error(), "certificate_required");
    assert_eq!(with_key(Some(&identity), "from-bank").expect(403).error(), "certificate_required");
    with_key(Some(&identity), "from-vault").expect(200);
    with_key(None, "any").expect(200);
}

#[test]
fn a_webhook_may_need_a_certificate_beside_its_own_proof() {
    let server = start(Some(Optional));
    server.write_secret("hook", "s3cret");
    connect(&server, "hook", "hook.bearer", json!({ "certificate": "kube-*" }), json!({ "secret": "file:hook" })).expect(200);
    let ask = Ask::new("POST", "/v1/hooks/hook").body(EVENT);
    let proven = ask.clone().header("authorization", "Bearer s3cret");
    let identity = Identity::of("cluster");
    assert_eq!(send(&server, None, &proven).unwrap().expect(401).error(), "certificate_required");
    assert_eq!(send(&server, Some(&identity), &ask).unwrap().expect(401).error(), "proof_missing");
    send(&server, Some(&identity), &proven).unwrap().expect(200);
    assert_eq!(people(&server).len(), 1);
}

#[test]
fn a_source_that_a_connection_makes_has_the_kind_that_is_told() {
    let server = start(Some(Optional));
    let set = |name: &str, kind: &str| {
        let body = json!({ "kind": "client.certificate", "source": name, "source_kind": kind, "settings": { "certificate": "a" } });
        let ask = Ask::new("PUT", &format!("/v1/connections/{name}")).key(&server.admin).body(body.to_string());
        send(&server, None, &ask).unwrap()
    };
    assert_eq!(set("other", "no_such_kind").expect(400).error(), "kind_unknown");
    set("cluster", "kubernetes_audit").expect(200);
    set("cluster", "okta").expect(200);
    let view = server.trail.view();
    let kind = |name: &str| Some(view.state.sources[&view.state.source_number(name)?].kind.clone());
    assert_eq!((kind("cluster").as_deref(), kind("other")), (Some("kubernetes_audit"), None), "and keeps it");
}

#[test]
fn a_connection_that_could_know_nobody_is_refused_when_it_is_set() {
    let server = start(Some(Optional));
    for (settings, secrets, says) in [
        (json!({}), json!({}), "`certificate`"),
        (json!({ "certificate": 7 }), json!({}), "`certificate`"),
        (json!({ "certificate": "a", "sender": "10.0.0.0/40" }), json!({}), "`sender`"),
        (json!({ "certificate": "a", "sender": ["10.0.0.0/8"] }), json!({}), "`sender`"),
        (json!({ "certificate": "a", "required": "yes" }), json!({}), "`required`"),
        (json!({ "certificate": "a", "names": "b" }), json!({}), "`names`"),
        (json!({ "certificate": "a" }), json!({ "secret": "file:a" }), "`secret`"),
    ] {
        let reply = connect(&server, "a", "client.certificate", settings.clone(), secrets).expect(400);
        assert!(reply.text().contains(says), "{settings} {}", reply.text());
    }
    let hook = connect(&server, "a", "hook.github", json!({ "certificate": 7 }), json!({ "secret": "file:a" })).expect(400);
    assert!(hook.text().contains("`certificate`"), "{}", hook.text());
}
