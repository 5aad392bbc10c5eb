use std::os::unix::fs::PermissionsExt;

use crate::binary::{Place, Running, indelible, run};

#[test]
fn a_first_start_makes_everything_and_shows_the_admin_key_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let first = Running::start(&data, &[], "");
    let field = |said: &[String], name: &str| said.iter().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
    let key = field(&first.said, "admin key").unwrap();
    let key = key.split(' ').next().unwrap().to_owned();
    let (origin, vkey) = (field(&first.said, "origin").unwrap(), field(&first.said, "vkey").unwrap());
    assert!(vkey.starts_with(&format!("{origin}+")));
    let key_file = data.join("trails/main/keys/signing.key").canonicalize().unwrap();
    assert!(field(&first.said, "key file").unwrap().starts_with(key_file.to_str().unwrap()));
    assert_eq!(std::fs::metadata(&key_file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(first.stop(), 0);

    let second = Running::start(&data, &[], &key);
    assert_eq!(field(&second.said, "admin key"), None);
    assert_eq!(field(&second.said, "vkey").unwrap(), vkey);
    second.run(["key", "list"]).ok();

    let mut everything = walk(dir.path());
    // A file that is gone again was a temporary one of the running server.
    everything.retain(|path| std::fs::read(path).is_ok_and(|content| content.windows(key.len()).any(|bytes| bytes == key.as_bytes())));
    assert!(everything.is_empty(), "the admin key itself is on disk, in {everything:?}");
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn init_prints_what_a_script_needs_and_refuses_to_do_it_twice() {
    let place = Place::new();
    assert!(place.vkey.starts_with(&place.origin));
    assert!(place.origin.starts_with("indelible.local/") && place.origin.ends_with("/main"));
    place.offline(["init", "--json"]).refused("holds a trail already");
    let named = place.beside("named");
    let made = run(indelible().args(["init", "--json", "--origin", "log.example/main", "--data"]).arg(&named)).ok().json();
    assert_eq!(made["origin"], "log.example/main");
    let odd = run(indelible().args(["init", "--origin", "a b", "--data"]).arg(place.beside("odd")));
    odd.refused("origin");
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_with_the_first_ones_number() {
    let place = Place::new();
    let running = place.serve();
    let pid = running.pid().to_string();
    run(indelible().args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(place.data())).refused(&pid);
    place.offline(["key", "list"]).refused(&pid);
    assert_eq!(running.stop(), 0);
    place.offline(["key", "list"]).ok();
}

#[test]
fn another_address_than_the_loopback_needs_tls_or_insecure() {
    let place = Place::new();
    let refused = run(indelible().args(["serve", "--listen", "0.0.0.0:0", "--data"]).arg(place.data()));
    refused.refused("without TLS");
    let half = run(indelible().args(["serve", "--tls-cert", "cert.pem", "--data"]).arg(place.data()));
    half.refused("--tls-key");
    let missing = run(indelible()
        .args(["serve", "--tls-cert", "no.pem", "--tls-key", "no.pem", "--listen", "127.0.0.1:0", "--data"])
        .arg(place.data()));
    missing.refused("no.pem");
    let untrusting = run(indelible().args(["serve", "--tls-client-ca", "ca.pem", "--listen", "127.0.0.1:0", "--data"]).arg(place.data()));
    untrusting.refused("--tls-cert");
    Running::start(&place.data(), &["--listen", "0.0.0.0:0", "--insecure"], "");
}

#[test]
fn a_settings_file_is_read_and_a_typo_in_it_is_refused() {
    let place = Place::new();
    let good = place.write("good.toml", "log-format = \"json\"\nlisten = \"127.0.0.1:0\"\n");
    let running = Running::start(&place.data(), &["--config", good.to_str().unwrap()], &place.admin_key);
    assert_eq!(running.stop(), 0);
    let bad = place.write("bad.toml", "lisen = \"127.0.0.1:0\"\n");
    run(indelible().args(["serve", "--config"]).arg(bad)).refused("lisen");
}

#[test]
fn a_directory_behind_a_known_checkpoint_is_refused() {
    let place = Place::new();
    let old = place.beside("old");
    copy(&place.data(), &old);
    let running = place.serve();
    running.run(["key", "create", "--scope", "read"]).ok();
    assert_eq!(running.stop(), 0);
    let checkpoint = place.data().join("trails/main/checkpoint");
    let known = place.write("known", std::fs::read(checkpoint).unwrap());
    std::fs::remove_dir_all(place.data()).unwrap();
    std::fs::rename(old, place.data()).unwrap();
    let refused = run(indelible().args(["serve", "--listen", "127.0.0.1:0", "--not-before"]).arg(known).arg("--data").arg(place.data()));
    refused.refused("rolled back");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { std::fs::copy(entry.path(), target).map(drop).unwrap() }
    }
}

#[test]
fn a_copied_directory_does_not_start_until_its_key_is_bound_to_it() {
    let place = Place::new();
    let moved = place.beside("moved");
    std::fs::rename(place.data(), &moved).unwrap();
    let at = |args: &[&str]| run(indelible().args(args).arg("--data").arg(&moved));
    at(&["key", "list"]).refused("indelible key rebind");
    at(&["key", "rebind"]).ok();
    at(&["key", "list"]).ok();
}

#[test]
fn the_demo_is_there_at_once_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("demo");
    let mut first = Running::start(&data, &["--demo"], "");
    let key = first.said.iter().find_map(|line| line.strip_prefix("admin key")).unwrap().trim().split(' ').next().unwrap().to_owned();
    first.key = key;
    // Of events alone: each look is recorded.
    let events = |running: &Running| running.run(["count", "*", "--json"]).ok().json()["counts"]["matches"].as_u64().unwrap();
    let loaded = events(&first);
    assert!(loaded > 300, "{loaded}");
    let night = first.run(["tail", "-n", "400", "--source", "aws-prod"]).ok().out;
    assert!(night.contains("StopLogging"));
    let key = first.key.clone();
    assert_eq!(first.stop(), 0);
    let second = Running::start(&data, &["--demo"], &key);
    assert_eq!(events(&second), loaded);
}
