//! The Kubernetes audit webhook.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use evidence::act::Scope;
use indelible::config::ClientCertificate;
use serde_json::json;

use crate::client::Ask;
use crate::secure::{self, Identity};
use crate::server::{Server, make_connection};

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

/// The kubeconfig of docs/CONNECT.md, as `--audit-webhook-config-file` takes it: no token, a certificate.
fn kubeconfig(identity: &Identity) -> String {
    let encoded = |pem: &[u8]| BASE64_STANDARD.encode(pem);
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n  - name: indelible\n    cluster:\n      server: https://localhost/v1/k8s/from-cluster\n\
         users:\n  - name: audit\n    user:\n      client-certificate-data: {}\n      client-key-data: {}\n\
         contexts:\n  - {{ name: audit, context: {{ cluster: indelible, user: audit }} }}\ncurrent-context: audit\n",
        encoded(&identity.certificate),
        encoded(&identity.key)
    )
}

/// What the API server does with it: where to post, and as whom.
fn read_kubeconfig(text: &str) -> (String, Identity) {
    let member = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": ")).unwrap();
    let decoded = |name: &str| BASE64_STANDARD.decode(member(name)).unwrap();
    let path = member("server").strip_prefix("https://localhost").unwrap().to_owned();
    (path, Identity { certificate: decoded("client-certificate-data"), key: decoded("client-key-data") })
}

#[test]
fn an_api_server_with_a_client_certificate_needs_no_key() {
    let server = secure::start(Some(ClientCertificate::Optional));
    let knows = make_connection("cluster", "client.certificate", json!({ "certificate": "kube-apiserver.*" }), json!({}));
    secure::send(&server, None, &knows.key(&server.admin)).unwrap().expect(200);
    let (path, identity) = read_kubeconfig(&kubeconfig(&Identity::of("cluster")));
    let raw = r#"{"auditID":"1", "stage":"ResponseComplete","verb":"get"}"#;
    let body = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{raw}]}}"#);
    let ask = Ask::new("POST", &path).header("content-type", "application/json").body(body);
    for _ in 0..2 {
        assert_eq!(secure::send(&server, Some(&identity), &ask).unwrap().expect(200).json(), json!({ "kept": 1 }));
    }
    assert_eq!(server.kept(), [(raw.to_owned(), "from-cluster".to_owned(), "kubernetes".to_owned())]);
    let without = secure::send(&server, None, &ask).unwrap().expect(401);
    assert_eq!(without.error(), "key_missing");
    let stranger = secure::send(&server, Some(&Identity::of("stranger")), &ask);
    assert!(stranger.is_err_and(|why| why.contains("UnknownCA")));
}
