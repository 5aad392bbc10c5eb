use std::io::Write;

use crate::binary::{Place, Running, run_with_input};

fn size(running: &Running) -> u64 {
    running.run(["tail", "-n", "1", "--json"]).ok().json()["index"].as_u64().unwrap() + 1
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_shape_and_compression_is_imported_and_nothing_twice() {
    let place = Place::new();
    place.write("in/1-lines.ndjson", "{\"n\":1}\n{\"n\":2}\n");
    place.write("in/2-pretty.json", "{\n  \"n\": 3\n}\n");
    place.write("in/3-array.json", "[ {\"n\":4} , {\"n\":5} ]");
    place.write("in/4-records.json.gz", gzip(b"{\"Records\":[{\"n\":6},{\"n\":7}]}"));
    place.write("in/deep/5-lines.ndjson.zst", zstd::encode_all(&b"{\"n\":8}\n"[..], 1).unwrap());
    let running = place.serve();
    let input = place.beside("in");
    let import = || running.run(["import", "--json", "--source", "app", input.to_str().unwrap()]).ok().json();
    assert_eq!(import(), serde_json::json!({"files": 5, "kept": 8, "duplicates": 0, "refused": 0}));
    let before = size(&running);
    // The notes of how far each file came make the second run send nothing.
    assert_eq!(import(), serde_json::json!({"files": 5, "kept": 0, "duplicates": 0, "refused": 0}));
    // And without them the idempotency keys keep it from being entered twice.
    let mut forgetful = running.command(["import", "--json", "--source", "app", input.to_str().unwrap()]);
    forgetful.env("INDELIBLE_IMPORT_STATE", place.beside("other-state"));
    assert_eq!(crate::binary::run(&mut forgetful).ok().json()["duplicates"], 8);
    assert_eq!(size(&running), before);

    let shown = running.run(["tail", "-n", "8", "--json"]).ok().out;
    let numbers: Vec<_> =
        shown.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["raw"]["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7, 8]);
    let pretty = running.run(["get", &(before - 6).to_string(), "--raw"]).ok();
    assert_eq!(pretty.bytes, b"{\n  \"n\": 3\n}");
}

#[test]
fn a_grown_file_is_gone_on_with() {
    let place = Place::new();
    let running = place.serve();
    let log = place.write("app.log", "one\ntwo\n");
    let import = || running.run(["import", "--json", "--text", "--source", "app", log.to_str().unwrap()]).ok().json();
    assert_eq!(import()["kept"], 2);
    std::fs::OpenOptions::new().append(true).open(&log).unwrap().write_all(b"three\n").unwrap();
    assert_eq!(import(), serde_json::json!({"files": 1, "kept": 1, "duplicates": 0, "refused": 0}));
}

#[test]
fn standard_input_is_taken_as_text_line_by_line() {
    let place = Place::new();
    let running = place.serve();
    let mut command = running.command(["import", "--text", "--source", "bastion-1", "-"]);
    let imported = run_with_input(&mut command, b"[1,2]\r\n\nsudo: \x1b[31mroot\n").ok();
    assert!(imported.out.starts_with("2 kept, 0 there already, 0 refused"), "{imported:?}");
    let last = size(&running) - 1;
    assert_eq!(running.run(["get", &last.to_string(), "--raw"]).ok().bytes, b"sudo: \x1b[31mroot");
    assert_eq!(running.run(["get", &(last - 1).to_string(), "--raw"]).ok().bytes, b"[1,2]");
}

#[test]
fn refused_events_are_named_and_the_exit_code_says_so() {
    let place = Place::new();
    let deep = format!("{{\"a\":{}1{}}}\n{{\"fine\":true}}\n", "[".repeat(80), "]".repeat(80));
    let file = place.write("deep.ndjson", deep);
    let file = file.to_str().unwrap();
    let offline = place.offline(["import", "--source", "app", file]);
    assert_eq!(offline.code, 1, "{offline:?}");
    assert!(offline.out.starts_with("1 kept, 0 there already, 1 refused"), "{offline:?}");
    assert!(offline.err.contains("deep.ndjson: refused: event 1 of its batch"), "{offline:?}");
    let running = place.serve();
    let online = running.run(["import", "--source", "app", file]);
    assert_eq!(online.code, 1, "{online:?}");
    assert!(online.out.starts_with("0 kept, 1 there already, 1 refused"), "the same file, through the other door: {online:?}");
}

#[test]
fn a_stopped_directory_takes_an_import_and_a_server_shows_it() {
    let place = Place::new();
    let events: String = (0..30_000).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(400))).collect();
    let file = place.write("many.ndjson", events);
    let file = file.to_str().unwrap();
    let imported = place.offline(["import", "--json", "--source", "app", file]).ok().json();
    assert_eq!(imported["kept"], 30_000);
    let running = place.serve();
    let last = running.run(["tail", "-n", "1", "--json"]).ok().json();
    assert_eq!(
        (&last["raw"]["n"], &last["source"]["name"], &last["envelope"]["facts"]["door"]),
        (&29_999.into(), &"app".into(), &"import".into())
    );
}

#[test]
fn an_import_outlives_a_restart_of_the_server() {
    let place = Place::new();
    let running = place.serve();
    let url = running.url.clone();
    let address = url.strip_prefix("http://").unwrap().to_owned();
    let file = place.write("app.ndjson", "{\"n\":1}\n");
    running.kill();
    // Nobody listens now; the import waits and tries again.
    let mut command = crate::binary::indelible();
    command.args(["import", "--json", "--source", "app", "--url", &url, "--key", &place.admin_key]).arg(file);
    command.env("INDELIBLE_IMPORT_STATE", place.beside("state")).stdout(std::process::Stdio::piped());
    let importing = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let _again = Running::start(&place.data(), &["--listen", &address], &place.admin_key);
    let done = importing.wait_with_output().unwrap();
    assert!(done.status.success());
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&done.stdout).unwrap()["kept"], 1);
}

#[test]
fn what_cannot_be_imported_is_said_before_anything_is_sent() {
    let place = Place::new();
    place.offline(["import", "--source", "app", "no-such-file"]).refused("no-such-file");
    place.offline(["import", "--source", "Not A Name", "x"]).refused("--source");
}
