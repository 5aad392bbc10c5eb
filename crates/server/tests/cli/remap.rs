use std::sync::Arc;

use indelible::store::media::Disk;
use indelible::store::trail::{Trail, TrailOptions};

use crate::binary::{Place, Running, indelible, run};
use crate::mmdb;

/// A stopped directory with three events in payload files.
pub fn with_payload_files() -> Place {
    let place = Place::new();
    let running = place.serve();
    let records = (1..4).map(|n| format!("{{\"actor\":\"u{n}\",\"action\":\"login\",\"ip\":\"203.0.113.{n}\"}}\n")).collect::<String>();
    let file = place.write("three.ndjson", records);
    running.run(["import", "--source", "app", file.to_str().unwrap()]).ok();
    assert_eq!(running.stop(), 0);
    let data = place.data().canonicalize().unwrap();
    let media = Arc::new(Disk::new(data.join("trails/main")).unwrap());
    let trail = Trail::open(media, &TrailOptions::main(&data.to_string_lossy())).unwrap();
    trail.flush().unwrap();
    trail.close();
    place
}

fn lake(place: &Place) -> Vec<String> {
    let files = std::fs::read_dir(place.data().join("derived/main/lake")).into_iter().flatten();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).filter(|name| name.ends_with(".parquet")).collect()
}

#[test]
fn index_and_lake_are_derived_again_on_a_stopped_directory_and_by_a_running_server() {
    let place = with_payload_files();
    let first = place.offline(["remap", "--json"]).ok().json();
    assert_eq!((first["files"].as_u64().unwrap() as usize, &first["failed"]), (lake(&place).len(), &0.into()));
    assert!(!lake(&place).is_empty() && place.data().join("derived/main/index").exists());
    std::fs::remove_dir_all(place.data().join("derived/main")).unwrap();
    assert!(place.offline(["remap", "--since", "1d"]).ok().out.starts_with(&format!("derived {} payload files", first["files"])));
    assert_eq!(place.offline(["remap", "--since", "2200-01-01", "--json"]).ok().json()["files"], 0);
    place.offline(["remap", "--lake", "off"]).ok();
    assert!(lake(&place).is_empty() && place.data().join("derived/main/index").exists());
    let running = place.serve();
    assert_eq!(running.run(["remap", "--json"]).ok().json()["files"], first["files"]);
    assert_eq!(lake(&place).len() as u64, first["files"].as_u64().unwrap());
    place.offline(["remap"]).refused("--url");
    running.run(["remap", "--since", "yesterday"]).refused("--since yesterday is no time");
    running.run(["remap", "--lake", "full"]).refused("--data");
}

#[test]
fn databases_of_addresses_say_where_senders_are_in_what_is_derived_alone() {
    let place = with_payload_files();
    let database = place.write("places.mmdb", mmdb::places());
    let running = Running::start(&place.data(), &["--geoip", database.to_str().unwrap(), "--lake", "off"], &place.admin_key);
    let found = running.run(["search", "country:NL asn:64500", "--json"]).ok().json();
    let events = found["events"].as_array().unwrap();
    assert_eq!(events.len(), 3, "{found}");
    assert_eq!(events[0]["meaning"]["ocsf"]["src_endpoint"]["location"]["country"], "NL");
    assert!(events[0]["raw"].get("country").is_none());
    assert_eq!(running.stop(), 0);
    assert!(lake(&place).is_empty());
    let offline = |args: &[&str]| place.offline(args.iter().chain(&["--json"]).copied()).ok().json()["events"].as_array().unwrap().len();
    assert_eq!(offline(&["search", "country:NL"]), 0, "without the database nobody knows");
    assert_eq!(offline(&["search", "country:NL", "--geoip", database.to_str().unwrap()]), 3);
    let wrong = place.write("wrong.mmdb", "no database");
    let serve = |wrong: &str| run(indelible().args(["serve", "--listen", "127.0.0.1:0", "--geoip", wrong, "--data"]).arg(place.data()));
    serve(wrong.to_str().unwrap()).refused("wrong.mmdb");
    serve("missing.mmdb").refused("missing.mmdb");
    let settings = place.write("geo.toml", format!("geoip = [{database:?}]\nlake = \"full\"\nlisten = \"127.0.0.1:0\"\n"));
    let running = Running::start(&place.data(), &["--config", settings.to_str().unwrap()], &place.admin_key);
    assert_eq!(running.run(["search", "country:NL", "--json"]).ok().json()["events"].as_array().unwrap().len(), 3);
}
