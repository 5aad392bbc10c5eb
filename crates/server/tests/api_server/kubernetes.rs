//! The Kubernetes audit webhook.

use evidence::act::Scope;
use serde_json::json;

use crate::client::Ask;
use crate::server::Server;

#[test]
fn items_of_an_event_list_are_kept_one_by_one_and_once() {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["cluster"]);
    let body = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[
        {"auditID":"1","stage":"RequestReceived"}, {"auditID":"1","stage":"ResponseComplete", "verb":"get"}]}"#;
    for path in ["/v1/k8s/cluster", "/v1/k8s?source=cluster", "/v1/k8s"] {
        let reply = server.send(Ask::new("POST", path).key(&key).body(body)).expect(200);
        assert_eq!(reply.json(), json!({ "kept": 2 }));
    }
    let raws = [r#"{"auditID":"1","stage":"RequestReceived"}"#, r#"{"auditID":"1","stage":"ResponseComplete", "verb":"get"}"#];
    assert_eq!(server.kept(), raws.map(|raw| (raw.to_owned(), "cluster".to_owned(), "kubernetes".to_owned())));
}

#[test]
fn anything_else_is_refused_and_counted() {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["cluster"]);
    for body in ["{}", "[]", r#"{"kind":"Event","items":[{}]}"#, r#"{"kind":"EventList","items":[{}"#] {
        let reply = server.send(Ask::new("POST", "/v1/k8s/cluster").key(&key).body(body)).expect(400);
        assert_eq!(reply.error(), "not_an_event_list", "{body}");
    }
    let other = server.send(Ask::new("POST", "/v1/k8s/other").key(&key).body("{}")).expect(403);
    assert_eq!(other.error(), "source_not_allowed");
    assert!(server.raws().is_empty());
    assert!(server.get("/metrics").text().contains("reason=\"not_an_event_list\"} 4"));
}
