use crate::altered::alter_largest;
use crate::binary::{Place, indelible, run, run_with_input};
use crate::forged::forge_largest;
use crate::remap::with_payload_files;

#[test]
fn a_sound_directory_holds_and_an_altered_byte_is_found_and_located() {
    let place = Place::new();
    let running = place.serve();
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), b"{\"n\":1}\n{\"n\":2}\n").ok();
    assert_eq!(running.stop(), 0);
    let sound = place.offline(["verify", "--json"]).ok().json();
    assert_eq!(sound["holds"], true);
    let log = place.data().join("trails/main/wal/0000000001.wal");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let found = place.offline(["verify", "--json"]);
    assert_eq!(found.code, 1, "{found:?}");
    assert!(found.out.contains("wal/0000000001.wal"), "{found:?}");
    let said = place.offline(["verify"]);
    assert!(said.out.contains("wal/0000000001.wal"), "{said:?}");
    place.offline(["key", "list"]).refused("damaged");
}

#[test]
fn a_directory_that_was_rolled_back_is_found_by_a_checkpoint_kept_elsewhere() {
    let place = Place::new();
    place.offline(["key", "create", "--scope", "read"]).ok();
    let newer = place.write("newer", std::fs::read(place.data().join("trails/main/checkpoint")).unwrap());
    let other = Place::new();
    let wrong = run(indelible().args(["verify", "--from-checkpoint"]).arg(&newer).arg("--data").arg(other.data()));
    assert_eq!(wrong.code, 1, "{wrong:?}");
    let right = run(indelible().args(["verify", "--from-checkpoint"]).arg(&newer).arg("--data").arg(place.data()));
    assert_eq!(right.code, 0, "{right:?}");
}

#[test]
fn the_index_is_compared_with_the_log_when_asked_and_its_server_has_stopped() {
    let place = Place::new();
    let running = place.serve();
    run(running.command(["verify", "--index", "--data"]).arg(place.data())).refused("in use");
    assert_eq!(running.stop(), 0);
    let said = place.offline(["verify", "--index"]).ok();
    assert!(said.out.contains("no index to compare: of "), "{said:?}");
    place.offline(["verify", "--sources", "maps"]).refused("--index");
}

#[test]
fn an_index_that_hides_an_event_is_found_by_the_command_and_named() {
    let place = with_payload_files();
    place.offline(["remap"]).ok();
    let json = place.offline(["verify", "--index", "--json"]).ok().json();
    assert!(json["index"]["same"].as_u64().unwrap() > 0, "{json}");
    assert_eq!((&json["holds"], &json["index"]["differs"]), (&true.into(), &serde_json::json!([])));
    alter_largest(&place.data().join("derived/main"));
    let json = place.offline(["verify", "--index", "--json"]);
    assert_eq!(json.code, 1, "{json:?}");
    let differs = json.json()["index"]["differs"][0].as_str().unwrap().to_owned();
    let said = place.offline(["verify", "--index"]);
    assert!(said.code == 1 && said.out.contains("index DOES NOT HOLD") && said.out.contains(&differs), "{said:?}");
    place.offline(["remap"]).ok();
    assert!(place.offline(["verify", "--index"]).ok().out.contains("index holds: of "));
}

#[test]
fn a_lake_that_tells_of_something_else_is_found_by_the_command_and_named() {
    let place = with_payload_files();
    place.offline(["remap", "--lake", "full"]).ok();
    let said = place.offline(["verify", "--index"]).ok();
    assert!(said.out.contains("lake holds: of "), "{said:?}");
    let forged = forge_largest(&place.data().join("derived/main/lake"));
    let stem = forged.file_stem().unwrap().to_str().unwrap();
    let found = place.offline(["verify", "--index", "--json"]);
    assert_eq!(found.code, 1, "{found:?}");
    let json = found.json();
    assert_eq!((&json["index"]["differs"], json["lake"]["differs"].as_array().unwrap().len()), (&serde_json::json!([]), 1));
    let said = place.offline(["verify", "--index"]);
    assert!(said.code == 1 && said.out.contains("lake DOES NOT HOLD") && said.out.contains(stem), "{said:?}");
    place.offline(["remap", "--lake", "full"]).ok();
    let invented = place.data().join("derived/main/lake/invented.parquet");
    std::fs::write(&invented, "x").unwrap();
    let said = place.offline(["verify", "--index"]);
    assert!(said.code == 1 && said.out.contains("invented.parquet is of no payload file"), "{said:?}");
    place.offline(["remap", "--lake", "full"]).ok();
    assert!(!invented.exists() && place.offline(["verify", "--index"]).ok().out.contains("lake holds: of "));
}

#[test]
fn what_cannot_be_verified_is_not_called_altered() {
    let place = Place::new();
    run(indelible().args(["verify", "--data"]).arg(place.beside("nothing"))).refused("holds no trail");
    place.offline(["verify", "--from-checkpoint", "no-such-file"]).refused("no-such-file");
}

#[test]
fn two_hundred_flips_anywhere_are_found_by_the_command() {
    let place = Place::new();
    let running = place.serve();
    let lines: String = (0..300).map(|n| format!("{{\"n\":{n},\"user\":\"u{}\"}}\n", n % 9)).collect();
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), lines.as_bytes()).ok();
    assert_eq!(running.stop(), 0);
    let files = files_below(&place.data().join("trails/main"));
    let total: u64 = files.iter().map(|(_, bytes)| *bytes).sum();
    let mut at = 0;
    for flip in 0..200_u64 {
        // A fixed stride over all bytes of all files; most are zeros of write-ahead files.
        at = (at + total / 200 * 7 + 4_099 * flip) % total;
        let (path, offset) = place_of(&files, if flip % 2 == 0 { at } else { at % 40_000 });
        let good = std::fs::read(path).unwrap();
        let mut bad = good.clone();
        bad[offset] ^= 1 << (flip % 8);
        std::fs::write(path, bad).unwrap();
        let found = place.offline(["verify", "--json"]);
        assert_eq!(found.code, 1, "byte {offset} of {}: {found:?}", path.display());
        std::fs::write(path, good).unwrap();
    }
    place.offline(["verify"]).ok();
}

/// Files with their lengths, keys aside.
fn files_below(dir: &std::path::Path) -> Vec<(std::path::PathBuf, u64)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == "keys" => {}
            true => files.extend(files_below(&entry.path())),
            false => files.push((entry.path(), entry.metadata().unwrap().len())),
        }
    }
    files.sort();
    files
}

fn place_of(files: &[(std::path::PathBuf, u64)], mut at: u64) -> (&std::path::Path, usize) {
    for (path, bytes) in files {
        if at < *bytes {
            return (path, at as usize);
        }
        at -= bytes;
    }
    panic!("{at} lies behind all files")
}
