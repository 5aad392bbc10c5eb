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
