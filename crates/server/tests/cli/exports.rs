use std::path::Path;

use crate::binary::{Place, Running, run, run_with_input};
use evidence::export::{ExportCheck, ExportLine, ExportManifest};

fn fill(running: &Running, from: u32, to: u32) {
    let text = "x".repeat(6_000);
    let events = (from..to).map(|n| format!("{{\"n\":{n},\"user\":\"=u{n}\",\"text\":\"{text}\"}}\n")).collect::<String>();
    run_with_input(&mut running.command(["import", "--source", "app", "-"]), events.as_bytes()).ok();
}

/// Lines of the export, each held against the log, as `indelible-verify` does it.
fn verified(place: &Place, file: &Path) -> Vec<u64> {
    let manifest = std::fs::read(format!("{}.manifest.json", file.display())).unwrap();
    let manifest = ExportManifest::parse(&manifest).unwrap();
    assert!(manifest.finished && manifest.complete);
    let data = std::fs::read(file).unwrap();
    assert_eq!((manifest.files[0].bytes, manifest.files[0].sha256), (data.len() as u64, tlog::sha256(&[&data])));
    let (checkpoint, _) = manifest.open(&place.vkey.parse().unwrap(), &[]).unwrap();
    let mut check = ExportCheck::begin(checkpoint);
    let mut indexes = Vec::new();
    for line in data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line = ExportLine::parse(line).unwrap();
        check.take(&line).unwrap();
        indexes.push(line.index);
    }
    check.finish(&manifest).unwrap();
    indexes
}

#[test]
fn an_export_is_proved_recorded_and_the_same_from_a_server_and_a_directory() {
    let place = Place::new();
    let running = place.serve();
    fill(&running, 0, 2_000);
    let file = place.beside("case.ndjson");
    let told = running.run(["export", "source:app", "-o", file.to_str().unwrap()]).ok();
    assert!(told.out.starts_with("2000 entries in ") && told.out.contains("case.ndjson.manifest.json"), "{told:?}");
    assert_eq!(verified(&place, &file).len(), 2_000);
    running.run(["export", "source:app", "-o", file.to_str().unwrap()]).refused("is there already");
    // Whoever asks again for what is done is told so.
    running.run(["export", "source:app", "-o", file.to_str().unwrap(), "--resume"]).ok();
    running.run(["export", "source:b", "-o", file.to_str().unwrap(), "--resume"]).refused("is of the export of \"source:app\"");
    running.run(["export", "nobody:x", "-o", file.to_str().unwrap()]).refused("column 1: there is no field");
    running.stop();
    let again = place.beside("again.ndjson");
    place.offline(["export", "source:app", "-o", again.to_str().unwrap()]).ok();
    assert_eq!(verified(&place, &again), verified(&place, &file));
    let asked = place.offline(["search", "entry:record action:export", "--oldest", "--json"]).ok().json()["events"].clone();
    let asked: Vec<_> = asked.as_array().unwrap().iter().map(|event| event["raw"].clone()).collect();
    let by = |who: &str| {
        asked.iter().filter(|raw| raw["by"].as_str().unwrap().starts_with(who)).map(|raw| raw["hits"].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((by("k_"), by("local")), (2_000, 2_000), "{asked:?}");
}

#[test]
fn an_export_that_was_killed_goes_on_and_is_the_same_as_one_that_was_not() {
    let place = Place::new();
    let running = place.serve();
    fill(&running, 0, 1_600);
    for format in ["ndjson", "csv"] {
        let whole = place.beside(&format!("whole.{format}"));
        running.run(["export", "source:app n:*", "--format", format, "-o", whole.to_str().unwrap()]).refused("there is no field");
        running.run(["export", "source:app", "--format", format, "-o", whole.to_str().unwrap()]).ok();
        let file = place.beside(&format!("killed.{format}"));
        let manifest = place.beside(&format!("killed.{format}.manifest.json"));
        let args = ["export", "source:app", "--format", format, "-o", file.to_str().unwrap()];
        let mut child = running.command(args).spawn().unwrap();
        while !(manifest.exists() && file.exists()) && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What comes meanwhile is not of this export.
        let data = std::fs::read(&file).unwrap();
        std::fs::write(&file, [&data[..], b"{\"index\":1234,\"cut"].concat()).unwrap();
        running.run(args.into_iter().chain(["--resume"])).ok();
        assert!(std::fs::read(&file).unwrap() == std::fs::read(&whole).unwrap(), "{format}");
    }
    assert_eq!(verified(&place, &place.beside("killed.ndjson")).len(), 1_600);
    // A file that was changed is not gone on with.
    let mut data = std::fs::read(place.beside("killed.csv")).unwrap();
    data[10] ^= 1;
    std::fs::write(place.beside("killed.csv"), data).unwrap();
    let csv = place.beside("killed.csv");
    running.run(["export", "source:app", "--format", "csv", "-o", csv.to_str().unwrap(), "--resume"]).refused("has not the SHA-256");
    let other = place.write("other.csv", "mine");
    running.run(["export", "--format", "csv", "-o", other.to_str().unwrap(), "--resume"]).refused("no manifest");
    assert_eq!(std::fs::read(other).unwrap(), b"mine");
}

#[test]
fn an_export_that_was_interrupted_around_its_first_manifest_goes_on() {
    let place = Place::new();
    let running = place.serve();
    fill(&running, 0, 5);
    for format in ["ndjson", "csv"] {
        let file = place.beside(&format!("first.{format}"));
        let args = ["export", "source:app", "--format", format, "-o", file.to_str().unwrap(), "--resume"];
        // Nothing vouches for what was written; it may be somebody's.
        let unfinished = place.write(&format!("first.{format}.tmp"), "{\"index\":1234,\"cut");
        running.run(args.into_iter().take(6)).refused("is there already");
        running.run(args).ok();
        assert!(!unfinished.exists());
        let whole = std::fs::read(&file).unwrap();
        assert_eq!(whole.split(|byte| *byte == b'\n').count(), if format == "csv" { 7 } else { 6 });
        // The manifest is there, and its file has not its own name yet.
        std::fs::rename(&file, &unfinished).unwrap();
        running.run(args).ok();
        assert!(std::fs::read(&file).unwrap() == whole && !unfinished.exists());
    }
}

#[test]
fn parquet_is_a_directory_of_parts_and_an_unfinished_part_is_written_again() {
    let place = Place::new();
    let running = place.serve();
    fill(&running, 0, 100);
    let dir = place.beside("table");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("part-00000.parquet.tmp"), "half a part").unwrap();
    let args = ["export", "source:app", "--format", "parquet", "--resume", "-o"];
    run(running.command(args).arg(&dir)).ok();
    let names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["part-00000.parquet"]);
    let manifest = ExportManifest::parse(&std::fs::read(place.beside("table.manifest.json")).unwrap()).unwrap();
    let part = std::fs::read(dir.join("part-00000.parquet")).unwrap();
    assert_eq!((manifest.count, manifest.files[0].sha256), (100, tlog::sha256(&[&part])));
}
