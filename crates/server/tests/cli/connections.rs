use serde_json::json;

use crate::binary::Place;

const SET: [&str; 12] = [
    "connection",
    "set",
    "okta-poll",
    "--kind",
    "poll.okta",
    "--source",
    "okta-prod",
    "--setting",
    "url=https://example.okta.com",
    "--setting",
    "interval_s=300",
    "--secret=token=env:OKTA_TOKEN",
];

#[test]
fn a_connection_is_set_listed_and_removed_through_the_server() {
    let place = Place::new();
    let running = place.serve();
    running.run(SET).ok();
    let listed = running.run(["connection", "list"]).ok().out;
    assert!(listed.lines().any(|line| line.starts_with("okta-poll") && line.contains("token=env:OKTA_TOKEN")), "{listed}");
    let listed = running.run(["connection", "list", "--json"]).ok().json();
    assert_eq!(listed[0]["settings"], json!({"url": "https://example.okta.com", "interval_s": 300}));
    running.run(["connection", "remove", "okta-poll"]).ok();
    running.run(["connection", "remove", "okta-poll"]).refused("okta-poll");
}

#[test]
fn connections_are_set_on_a_stopped_directory_too() {
    let place = Place::new();
    place.offline(SET).ok();
    let listed = place.offline(["connection", "list", "--json"]).ok().json();
    assert_eq!((&listed[0]["source"], &listed[0]["enabled"]), (&json!("okta-prod"), &json!(true)));
    place.offline(["connection", "remove", "okta-poll"]).ok();
    place.offline(["connection", "remove", "okta-poll"]).refused("okta-poll");
}

#[test]
fn a_connection_that_lacks_what_its_kind_needs_is_refused_with_and_without_a_server() {
    let place = Place::new();
    let set = |kind: &'static str, setting: &'static str| ["connection", "set", "c", "--source", "s", "--kind", kind, "--setting", setting];
    let wrong = [
        (set("client.certificate", "sender=10.0.0.0/8"), "`certificate`"),
        (set("hook.bearer", "unwrap=items"), "`secret`"),
        (set("poll.okta", "interval_s=300"), "url"),
    ];
    for (args, says) in wrong {
        place.offline(args).refused(says);
    }
    let good = set("client.certificate", "certificate=web-*");
    place.offline(good.into_iter().chain(["--source-kind", "kubernetes_audit"])).ok();
    let running = place.serve();
    running.run(good.into_iter().chain(["--source-kind", "okta"])).ok();
    let sources = running.run(["sources", "--json"]).ok().json();
    assert_eq!(sources[0]["kind"], "kubernetes_audit", "it was made with it, and keeps it");
    for (args, says) in wrong {
        running.run(args).refused(says);
    }
    assert_eq!(running.run(["connection", "list", "--json"]).ok().json()[0]["settings"], json!({"certificate": "web-*"}));
}

#[test]
fn sources_are_listed_one_a_line_and_reported_on() {
    let place = Place::new();
    let running = place.serve();
    let event = place.write("event.json", "{\"a\":1}");
    running.run(["import", "--source", "okta-prod", event.to_str().unwrap()]).ok();
    let listed = running.run(["sources"]).ok().out;
    assert!(listed.lines().any(|line| line.starts_with("okta-prod")), "{listed}");
    assert_eq!(running.run(["sources", "--json"]).ok().json()[0]["name"], json!("okta-prod"));
    let report = running.run(["sources", "report", "okta-prod", "--from", "2020-01-01T00:00:00Z"]).ok().out;
    assert!(report.contains("cannot be said") && report.contains("nothing yet"), "{report}");
    running.run(["sources", "report", "other", "--from", "2020-01-01T00:00:00Z"]).refused("other");
    running.run(["sources", "report", "okta-prod", "--from", "yesterday"]).refused("--from");
}
