use serde_json::{Value, json};

use crate::binary::{Place, Running};

const EVENT: &str = r#"{"actor":"anacodes","action":"report.export","outcome":"success","occurred_at":"2026-01-05T10:00:00Z"}"#;

/// Whom the event is by, as the server says.
fn actor(running: &Running) -> Value {
    let events = ureq::get(format!("{}/v1/events?ocsf=1&limit=1000", running.url))
        .header("authorization", format!("Bearer {}", running.key))
        .call()
        .unwrap()
        .into_body()
        .read_to_vec()
        .unwrap();
    let events: Value = serde_json::from_slice(&events).unwrap();
    events["events"].as_array().unwrap().iter().find(|entry| entry["kind"] == json!("event")).unwrap()["meaning"]["identity"]["actor"]
        .clone()
}

#[test]
fn an_imported_person_is_still_known_after_restarts_with_and_without_the_derived_file() {
    let place = Place::new();
    let derived = place.data().join("derived/main/identities.json");
    let file = place.write("people.csv", "email,GitHub login,Display Name\nana@corp.example,AnaCodes,Ana\n");
    let event = place.write("event.json", EVENT);
    let running = place.serve();
    running.run(["import", "--source", "reports", event.to_str().unwrap()]).ok();
    assert_eq!(actor(&running), json!("anacodes"));
    assert_eq!(running.run(["identity", "import", file.to_str().unwrap()]).ok().out, "1 new, 0 changed, 0 the same as before\n");
    assert_eq!(actor(&running), json!("ana@corp.example"));
    assert_eq!(running.stop(), 0);
    assert!(derived.exists());
    let running = place.serve();
    assert_eq!(actor(&running), json!("ana@corp.example"), "from the derived file");
    running.kill();
    std::fs::remove_file(&derived).unwrap();
    let running = place.serve();
    assert_eq!(actor(&running), json!("ana@corp.example"), "from the log");
    running.kill();
    // One of another log, such as of the directory before it was restored from a backup.
    std::fs::create_dir_all(derived.parent().unwrap()).unwrap();
    let foreign = json!({"v": 1, "size": 2, "root": "AAAA", "people": [["eve@corp.example", ["anacodes"], null]]});
    std::fs::write(&derived, foreign.to_string()).unwrap();
    let running = place.serve();
    assert_eq!(actor(&running), json!("ana@corp.example"), "the log decides");
    assert_eq!(running.stop(), 0);
    place.offline(["verify"]).ok();
}

#[test]
fn identities_are_set_listed_and_removed_through_the_server_and_on_a_stopped_directory() {
    let place = Place::new();
    place.offline(["identity", "set", "ana@corp.example", "CORP\\ana", "okta:00u1", "--display", "Ana Silva"]).ok();
    let running = place.serve();
    let listed = running.run(["identity", "list"]).ok().out;
    assert!(listed.contains("ana@corp.example") && listed.contains("Ana Silva") && listed.contains("corp\\ana  okta:00u1"), "{listed}");
    running.run(["identity", "set", "b o+b@corp.example", "bob"]).ok();
    running.run(["identity", "set", "eve@corp.example", "bob"]).refused("claimed by two identities");
    assert_eq!(running.run(["identity", "list", "--json"]).ok().json().as_array().unwrap().len(), 2);
    running.run(["identity", "remove", "b o+b@corp.example"]).ok();
    running.run(["identity", "remove", "b o+b@corp.example"]).refused("no identity");
    assert_eq!(running.stop(), 0);
    assert_eq!(place.offline(["identity", "list", "--json"]).ok().json()[0]["names"], json!(["corp\\ana", "okta:00u1"]));
    place.offline(["identity", "remove", "ana@corp.example"]).ok();
    place.offline(["identity", "remove", "ana@corp.example"]).refused("no identity");
}
