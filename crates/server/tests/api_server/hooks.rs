//! Vendors' webhooks: a request is kept only if it proves where it comes from.

use aws_lc_rs::hmac;
use indelible::clock::Clock;
use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::server::{Server, Setup};

const SECRET: &str = "s3cret of the vendor";
const NOW_MS: u64 = 1_764_076_800_000;

fn start(kind: &str, settings: Value) -> Server {
    let server = Server::with(Setup { clock: Some(Clock::from_fn(|| NOW_MS)), ..Setup::default() });
    server.write_secret("hook", SECRET);
    server.connect("vendor", kind, settings, json!({ "secret": "file:hook" }));
    server
}

fn ask(body: &str) -> Ask {
    Ask::new("POST", "/v1/hooks/vendor").header("content-type", "application/json").body(body)
}

fn hex(algorithm: hmac::Algorithm, secret: &str, signed: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret.as_bytes()), signed);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refused for this reason, and counted for the connection's source.
#[track_caller]
fn refused(server: &Server, reply: Reply, reason: &str) {
    assert_eq!(reply.expect(401).error(), reason);
    assert!(server.get("/metrics").text().contains(&format!("reason=\"{reason}\"")), "{reason}");
}

#[test]
fn okta_asks_once_and_then_sends_events() {
    let server = start("hook.okta", json!({}));
    let challenge = Ask::new("GET", "/v1/hooks/vendor").header("x-okta-verification-challenge", "abc\u{1b}".trim_end_matches('\u{1b}'));
    assert_eq!(server.send(challenge).expect(200).json(), json!({ "verification": "abc" }));
    server.send(Ask::new("GET", "/v1/hooks/vendor")).expect(400);
    let body = r#"{"eventType":"com.okta.event_hook","data":{"events":[{"uuid":"1", "x":1},{"uuid":"2"}]}}"#;
    server.send(ask(body).header("authorization", SECRET)).expect(204);
    server.send(ask(body).header("authorization", &format!("Bearer {SECRET}"))).expect(204);
    let expected =
        [r#"{"uuid":"1", "x":1}"#, r#"{"uuid":"2"}"#].map(|raw| (raw.to_owned(), "from-vendor".to_owned(), "hook.okta".to_owned()));
    assert_eq!(server.kept(), expected);
    refused(&server, server.send(ask(body)), "proof_missing");
    refused(&server, server.send(ask(body).header("authorization", "wrong")), "proof_wrong");
    assert_eq!(server.raws().len(), 2);
}

#[test]
fn github_signs_the_body_and_names_the_delivery() {
    let server = start("hook.github", json!({}));
    let body = "{ \"action\":\"member_added\" }\n";
    let signature = format!("sha256={}", hex(hmac::HMAC_SHA256, SECRET, body.as_bytes()));
    let delivery = |body: &str, id: &str| {
        ask(body).header("x-hub-signature-256", &signature).header("x-github-delivery", id).header("x-github-event", "organization")
    };
    assert_eq!(server.send(delivery(body, "d-1")).expect(200).json(), json!({ "kept": 1, "duplicates": 0 }));
    assert_eq!(server.send(delivery(body, "d-1")).expect(200).json(), json!({ "kept": 0, "duplicates": 1 }));
    server.send(delivery(body, "d-2")).expect(200);
    assert_eq!(server.raws(), [body.trim_end(), body.trim_end()]);
    refused(&server, server.send(delivery(&body.replace("added", "moved"), "d-3")), "proof_wrong");
    refused(&server, server.send(ask(body).header("x-hub-signature-256", "sha1=00")), "proof_malformed");
    let ping = ask(body).header("x-hub-signature-256", &signature).header("x-github-event", "ping");
    assert_eq!(server.send(ping).expect(200).json()["kept"], 0);
    assert_eq!(server.raws().len(), 2);
}

#[test]
fn slack_signs_with_the_time_and_a_copy_is_refused_after_five_minutes() {
    let server = start("hook.slack", json!({}));
    let signed = |body: &str, seconds: u64| {
        let signature = hex(hmac::HMAC_SHA256, SECRET, format!("v0:{seconds}:{body}").as_bytes());
        ask(body).header("x-slack-request-timestamp", &seconds.to_string()).header("x-slack-signature", &format!("v0={signature}"))
    };
    let now = NOW_MS / 1_000;
    let challenge = server.send(signed(r#"{"type":"url_verification","challenge":"c-1"}"#, now)).expect(200);
    assert_eq!(challenge.json(), json!({ "challenge": "c-1" }));
    let event = r#"{"type":"event_callback","event_id":"Ev1","event":{"type":"user_change"}}"#;
    server.send(signed(event, now - 300)).expect(200);
    assert_eq!(server.send(signed(event, now)).expect(200).json()["duplicates"], 1);
    server.send(signed(r#"{"entries":[{"id":"a"}, {"id":"b"}]}"#, now)).expect(200);
    assert_eq!(server.raws(), [event, r#"{"id":"a"}"#, r#"{"id":"b"}"#]);
    refused(&server, server.send(signed(event, now - 301)), "proof_outside_window");
}

#[test]
fn auth0_sends_lines_an_array_or_one_object() {
    let server = start("hook.auth0", json!({}));
    for body in ["{\"log_id\":\"1\"}\n{\"log_id\":\"2\"}\n", "[{\"log_id\":\"2\"},{\"log_id\":\"3\"}]", "{\"log_id\":\"4\"}"] {
        server.send(ask(body).header("authorization", SECRET)).expect(200);
    }
    let expected: Vec<_> = (1..5).map(|n| format!("{{\"log_id\":\"{n}\"}}")).collect();
    assert_eq!(server.raws(), expected);
}

#[test]
fn google_shows_its_channel_token_and_syncs_once() {
    let server = start("hook.google", json!({}));
    let from = |state: &str, body: &str| ask(body).header("x-goog-channel-token", SECRET).header("x-goog-resource-state", state);
    assert_eq!(server.send(from("sync", "")).expect(200).json()["kept"], 0);
    server.send(from("login_success", r#"{"kind":"admin#reports#activity"}"#)).expect(200);
    refused(&server, server.send(ask("{}").header("x-goog-channel-token", "other")), "proof_wrong");
    assert_eq!(server.raws().len(), 1);
}

#[test]
fn a_generic_hmac_is_what_the_settings_say() {
    let settings = json!({
        "header": "X-Signature", "algorithm": "sha512", "prefix": "t=", "encoding": "hex", "timestamp_header": "X-Time",
        "signed": "{timestamp}/{body}", "window_s": 10, "unwrap": "items", "id_header": "X-Id",
    });
    let server = start("hook.hmac", settings);
    let seconds = NOW_MS / 1_000 - 10;
    let body = r#"{"items":[1,2]}"#;
    let signature = hex(hmac::HMAC_SHA512, SECRET, format!("{seconds}/{body}").as_bytes());
    let signed = |secret: &str| ask(body).header("x-signature", secret).header("x-time", &seconds.to_string());
    server.send(signed(&format!("t={signature}"))).expect(200);
    assert_eq!(server.raws(), ["1", "2"]);
    refused(&server, server.send(signed(&signature)), "proof_malformed");
    assert_eq!(server.raws().len(), 2);
}

#[test]
fn a_secret_that_replaces_another_and_the_one_before_are_both_taken() {
    let server = start("hook.bearer", json!({}));
    server.write_secret("older", "an older one");
    server.connect("vendor", "hook.bearer", json!({}), json!({ "secret": "file:hook", "secret_previous": "file:older" }));
    for secret in [SECRET, "an older one"] {
        server.send(ask("{}").header("authorization", &format!("Bearer {secret}"))).expect(200);
    }
    server.write_secret("hook", "a new one");
    server.send(ask("{}").header("authorization", "a new one")).expect(200);
    refused(&server, server.send(ask("{}").header("authorization", SECRET)), "proof_wrong");
}

#[test]
fn what_is_no_hook_is_404_and_one_without_its_secret_503() {
    let server = start("hook.bearer", json!({}));
    assert_eq!(server.send(Ask::new("POST", "/v1/hooks/other").body("{}")).expect(404).error(), "no_such_connection");
    server.connect("poller", "syslog", json!({}), json!({}));
    server.send(Ask::new("POST", "/v1/hooks/poller").body("{}")).expect(404);
    server.connect("broken", "hook.bearer", json!({}), json!({ "secret": "file:missing" }));
    let reply = server.send(Ask::new("POST", "/v1/hooks/broken").header("authorization", "").body("{}")).expect(503);
    assert_eq!(reply.error(), "connection_unusable");
    assert!(server.raws().is_empty());
}

#[test]
fn a_hook_that_could_not_work_is_refused_when_it_is_set() {
    let server = Server::start();
    let secret = json!({ "secret": "file:hook" });
    for (kind, settings, secrets, told) in [
        ("hook.future", json!({}), &secret, "no such kind"),
        ("hook.okta", json!({}), &json!({}), "needs the secret"),
        ("hook.okta", json!({ "header": "x" }), &secret, "no setting `header`"),
        ("hook.hmac", json!({}), &secret, "`header` is missing"),
        ("hook.hmac", json!({ "header": "x", "algorithm": "md5" }), &secret, "sha256"),
        ("hook.hmac", json!({ "header": "x", "timestamp_header": "t", "signed": "{body}" }), &secret, "{timestamp}"),
        ("hook.hmac", json!({ "header": "x", "timestamp-header": "t" }), &secret, "no setting `timestamp-header`"),
        ("hook.hmac", json!({ "header": "x", "timestamp_header": "t", "window_s": "5" }), &secret, "window_s"),
        ("hook.bearer", json!({}), &json!({ "secret": "file:a", "other": "file:b" }), "no secret `other`"),
        ("hook.pubsub", json!({ "audience": "a" }), &json!({}), "service_account"),
        ("hook.ssf", json!({ "issuer": "i", "audience": "a" }), &json!({}), "jwks"),
        ("hook.ssf", json!({ "jwks_url": "https://x/" }), &json!({}), "issuer"),
        (
            "hook.ssf",
            json!({ "jwks_url": "https://x/", "issuer": "i", "audience": "a", "algorithms": ["HS256"] }),
            &json!({}),
            "algorithms",
        ),
    ] {
        let body = json!({ "kind": kind, "source": "from-x", "settings": settings, "secrets": secrets });
        let ask = Ask::new("PUT", "/v1/connections/x").key(&server.admin).body(body.to_string());
        let reply = server.send(ask).expect(400);
        assert_eq!(reply.error(), "setting_invalid");
        assert!(reply.text().contains(told), "{told}: {}", reply.text());
    }
}

#[test]
fn a_truncated_compressed_or_deep_body_is_refused_and_counted() {
    let server = start("hook.bearer", json!({ "unwrap": "items" }));
    let from = |body: &str| ask(body).header("authorization", SECRET);
    let deep = format!("{{\"items\":[{}{}]}}", "[".repeat(70), "]".repeat(70));
    assert_eq!(server.send(from(&deep)).expect(400).error(), "too_deep");
    assert_eq!(server.send(from("{}").header("content-encoding", "gzip")).expect(400).error(), "body_damaged");
    assert_eq!(server.send(from("")).expect(400).error(), "empty");
    // Cut short it is no wrapper any more: the line is kept as it came.
    server.send(from(r#"{"items":[1,2"#)).expect(200);
    assert_eq!(server.raws(), [r#"{"items":[1,2"#]);
}
