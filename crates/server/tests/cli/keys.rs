use crate::binary::{Place, indelible, run};

#[test]
fn a_key_does_what_it_was_made_for_until_it_is_revoked() {
    let place = Place::new();
    let mut running = place.serve();
    let made = running
        .run(["key", "create", "--scope", "ingest", "--source", "okta-prod", "--name", "hook", "--days", "30", "--json"])
        .ok()
        .json();
    let (id, key) = (made["id"].as_str().unwrap().to_owned(), made["key"].as_str().unwrap().to_owned());
    let listed = running.run(["key", "list"]).ok().out;
    assert!(listed.lines().any(|line| line.starts_with(&id) && line.contains("in force") && line.contains("okta-prod")), "{listed}");

    let admin = std::mem::replace(&mut running.key, key);
    let event = place.write("event.json", "{\"a\":1}");
    let import = |running: &crate::binary::Running, source: &str| running.run(["import", "--source", source, event.to_str().unwrap()]);
    import(&running, "okta-prod").ok();
    import(&running, "another").refused("another");
    running.run(["tail"]).refused("403");

    let ingest = std::mem::replace(&mut running.key, admin);
    running.run(["key", "revoke", &id]).ok();
    let listed = running.run(["key", "list", "--json"]).ok().json();
    assert!(listed.as_array().unwrap().iter().any(|key| key["id"] == id.as_str() && key["revoked"].is_u64()));
    running.key = ingest;
    running.run(["key", "list"]).refused("401");
}

#[test]
fn keys_are_made_and_revoked_on_a_stopped_directory_too() {
    let place = Place::new();
    let made = place.offline(["key", "create", "--scope", "read", "--json"]).ok().json();
    let id = made["id"].as_str().unwrap();
    assert_eq!(place.offline(["key", "list", "--json"]).ok().json().as_array().unwrap().len(), 2);
    place.offline(["key", "revoke", id]).ok();
    place.offline(["key", "revoke", "k_0000000000000000"]).refused("k_0000000000000000");
    place.offline(["key", "revoke", "nonsense"]).refused("not a key id");
}

#[test]
fn a_lost_admin_key_is_reset_and_the_reset_is_in_the_log() {
    let place = Place::new();
    let made = place.offline(["key", "reset-admin", "--json"]).ok().json();
    let mut running = place.serve();
    running.key = made["key"].as_str().unwrap().to_owned();
    let keys = running.run(["key", "list", "--json"]).ok().json();
    let reset = keys.as_array().unwrap().iter().find(|key| key["id"] == made["id"]).unwrap().clone();
    assert_eq!(reset["reset"], true);
    let act = running.run(["get", &reset["created"].to_string()]).ok().json();
    assert_eq!((&act["raw"]["act"], &act["raw"]["reset"], &act["why"]["by"]), (&"key".into(), &true.into(), &"local".into()));
}

#[test]
fn the_signing_key_is_replaced_on_a_running_server_and_on_a_stopped_directory() {
    let place = Place::new();
    let running = place.serve();
    let first = running.run(["key", "rotate", "--json"]).ok().json();
    assert_eq!(first["old"], place.vkey.as_str());
    assert_ne!(first["new"], first["old"]);
    running.run(["key", "create", "--scope", "read"]).ok();
    assert_eq!(running.stop(), 0);
    let second = place.offline(["key", "rotate", "--json"]).ok().json();
    assert_eq!(second["old"], first["new"]);
    let running = place.serve();
    assert!(running.said.iter().any(|line| line.ends_with(second["new"].as_str().unwrap())));
}

#[test]
fn a_key_is_never_sent_over_the_network_in_the_clear() {
    let mut command = indelible();
    command.args(["tail", "--url", "http://192.0.2.1:8787", "--key", "idl_secret"]);
    run(&mut command).refused("in the clear");
}
