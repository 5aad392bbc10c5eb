//! Who may do what: every route with every kind of key.

use evidence::act::Scope;
use indelible::api::{Needs, ROUTES, Route};
use indelible::clock::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::{Ask, Reply};
use crate::server::{Server, Setup};

/// A request that a route answers with something else than 401 and 403 when the key suffices.
fn ask(route: &Route) -> Ask {
    let path = route.path.replace("{index}", "0").replace("{id}", "k_0000000000000000").replace("{*tile}", "0/999");
    let path = path.replace("{name}", "x").replace("{what}", "http").replace("{connection}", "x").replace("{source}", "allowed");
    let ingests = route.needs == Needs::Key(indelible::access::Scope::Ingest) && route.method != "GET";
    let path = if ingests { format!("{path}?source=allowed") } else { path };
    // Bodies that change nothing: what is asked here is who may, not what happens.
    Ask::new(route.method.as_str(), &path).body(if route.method == "GET" { "" } else { "[]" })
}

fn may(route: &Route, scopes: &[Scope], public: bool) -> bool {
    match route.needs {
        // A connection's proof is looked for once there is a connection.
        Needs::Nothing | Needs::Proof => true,
        Needs::ReadUnlessPublic if public => true,
        Needs::ReadUnlessPublic => scopes.iter().any(|scope| *scope != Scope::Ingest),
        Needs::Key(needed) => scopes.iter().any(|scope| *scope == Scope::Admin || scope.word() == needed.name()),
    }
}

/// Each protocol says no in its own way; gRPC with 200 and a status of its own.
fn refused(reply: &Reply) -> bool {
    matches!(reply.status, 401 | 403) || matches!(reply.header("grpc-status"), Some("7" | "16"))
}

fn is_grpc(route: &Route) -> bool {
    route.path.ends_with("LogsService/Export")
}

#[test]
fn every_route_answers_exactly_those_keys_that_may() {
    let server = Server::start();
    let all: Vec<Vec<Scope>> = vec![vec![Scope::Admin], vec![Scope::Read], vec![Scope::Ingest], vec![Scope::Read, Scope::Ingest]];
    let keys: Vec<_> = all.iter().map(|scopes| (scopes.clone(), server.key(scopes, &[]))).collect();
    for public in [false, true] {
        server.make_public(public);
        for route in &ROUTES {
            for (scopes, key) in &keys {
                let reply = server.send(ask(route).key(key));
                assert_eq!(!refused(&reply), may(route, scopes, public), "{route:?} {scopes:?} public {public}: {}", reply.status);
                if reply.status == 403 && route.path.starts_with("/v1/e") {
                    assert_eq!(reply.error(), "scope_missing");
                }
            }
            let reply = server.send(ask(route));
            assert_eq!(!refused(&reply), may(route, &[], public), "{route:?} without a key: {}", reply.status);
            if refused(&reply) && !is_grpc(route) {
                assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some("Bearer realm=\"indelible\"")));
            }
        }
    }
}

#[test]
fn no_route_exists_outside_the_table() {
    let server = Server::start();
    for path in [
        "/v1",
        "/v1/",
        "/v1/events/",
        "/v1/keys/k_1/token",
        "/trails/main",
        "/trails/main/",
        "/trails/other/checkpoint",
        "/v1/trails/other",
        "/debug",
        "/v1/events/0/raw/x",
    ] {
        let reply = server.get(path).expect(404);
        assert_eq!(reply.error(), "no_such_route", "{path}");
    }
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"] {
        for path in ROUTES.iter().map(|route| route.path) {
            let known = ROUTES.iter().any(|route| route.path == path && route.method == method);
            if !known {
                let asked = path.replace("{*tile}", "0/000").replace(['{', '}'], "");
                let reply = server.send(Ask::new(method, &asked).key(&server.admin));
                assert!(matches!(reply.status, 400 | 404 | 405), "{method} {path}: {}", reply.status);
            }
        }
    }
    let reply = server.send(Ask::new("PATCH", "/v1/events").key(&server.admin)).expect(405);
    assert_eq!(reply.error(), "wrong_method");
    assert!(reply.header("allow").is_some());
}

#[test]
fn a_key_sends_only_from_its_own_sources() {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["okta"]);
    let post = |source: &str| server.send(Ask::new("POST", &format!("/v1/events?source={source}")).key(&key).body("1"));
    post("okta").expect(200);
    assert_eq!(post("other").expect(403).error(), "source_not_allowed");
    assert!(server.trail.view().state.source_number("other").is_none());
}

#[test]
fn every_token_that_is_not_valid_gets_the_same_answer() {
    let now = Arc::new(AtomicU64::new(1_000_000));
    let shared = Arc::clone(&now);
    let server = Server::with(Setup { clock: Some(Clock::from_fn(move || shared.load(Ordering::Relaxed))), ..Setup::default() });
    let expiring = server.key_until(&[Scope::Read], 2_000_000);
    let ask = |token: &str| server.send(Ask::new("GET", "/v1/sources").key(token));
    ask(&expiring).expect(200);
    now.store(2_000_000, Ordering::Relaxed);
    let mut wrong_secret = server.admin.clone();
    let last = if wrong_secret.pop() == Some('A') { 'E' } else { 'A' };
    wrong_secret.push(last);
    let stranger = indelible::access::Token::generate(&mut |out| out.fill(1));
    let answers: Vec<_> = [&expiring, &wrong_secret, &stranger.reveal().to_owned()].map(|token| ask(token).expect(401).text()).into();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(server.send(Ask::new("GET", "/v1/sources").key("nonsense")).expect(401).error(), "key_malformed");
    let metrics = server.get("/metrics").text();
    for reason in ["key_expired", "key_wrong_secret", "key_unknown", "key_malformed"] {
        assert!(metrics.contains(&format!("reason=\"{reason}\"")), "{reason}: {metrics}");
    }
}

#[test]
fn basic_authorization_carries_a_key_too() {
    use base64::Engine as _;
    let server = Server::start();
    let value = base64::engine::general_purpose::STANDARD.encode(format!("anyone:{}", server.admin));
    server.send(Ask::new("GET", "/v1/sources").header("authorization", &format!("Basic {value}"))).expect(200);
}
