//! What an auditor does with an export. The files are golden ones of `crates/evidence`, of the log whose
//! key changed twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../evidence/tests/golden");

fn golden(name: &str) -> String {
    std::fs::read_to_string(format!("{GOLDEN}/{name}")).unwrap()
}

fn key(number: usize) -> String {
    golden("vkeys").lines().nth(number - 1).unwrap().to_owned()
}

/// A directory of a test's own, with the export in it.
fn place(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    for name in ["export.ndjson", "export.ndjson.manifest.json"] {
        std::fs::write(dir.join(name), golden(name)).unwrap();
    }
    dir
}

fn run(path: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_indelible-verify")).args(["--key", &key(1)]).args(more).arg(path).output().unwrap()
}

fn verify(path: &Path, more: &[&str]) -> (i32, String) {
    let output = run(path, more);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_export_holds_by_its_lines_or_its_manifest_and_is_told_in_sentences() {
    let dir = place("holds");
    for name in ["export.ndjson", "export.ndjson.manifest.json"] {
        let (code, text) = verify(&dir.join(name), &[]);
        assert_eq!(code, 0, "{text}");
        for part in [
            "All 6 lines are entries of the log example.com/log",
            "from 1 to 15",
            "is what the manifest says, which nobody signed",
            "tree of size 16",
            "key rotations (2)",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
    }
    let (_, json) = verify(&dir.join("export.ndjson"), &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["type"], &json["count"], &json["first"], &json["last"]), (&"export".into(), &6.into(), &1.into(), &15.into()));
    assert_eq!((&json["holds"], &json["lines_proved"], &json["complete"]), (&true.into(), &true.into(), &true.into()));
}

#[test]
fn a_search_that_found_nothing_holds_by_its_empty_file_or_its_manifest() {
    let dir = place("nothing");
    let (lines, manifest) = (dir.join("export.ndjson"), dir.join("export.ndjson.manifest.json"));
    let mut said: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    said["files"][0]["bytes"] = 0.into();
    said["files"][0]["count"] = 0.into();
    said["files"][0]["sha256"] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into();
    // One hash stands for all entries of this tree: its root, the third line of the checkpoint.
    let root = said["checkpoint"].as_str().unwrap().lines().nth(2).unwrap().to_owned();
    (said["count"], said["after"]) = (0.into(), serde_json::json!([root]));
    std::fs::write(&lines, "").unwrap();
    // serde_json sorts members; a manifest begins with its format.
    let text =
        said.to_string().replacen(r#""format":"indelible-export/v1","#, "", 1).replacen('{', r#"{"format":"indelible-export/v1","#, 1);
    std::fs::write(&manifest, text).unwrap();
    for path in [&lines, &manifest] {
        let (code, text) = verify(path, &[]);
        assert_eq!(code, 0, "{text}");
    }
    std::fs::remove_file(manifest).unwrap();
    assert_ne!(run(&lines, &[]).status.code(), Some(0), "an empty file alone says nothing");
}

#[test]
fn an_answer_that_was_saved_as_it_came_holds_by_its_last_line() {
    let dir = place("whole");
    let whole = format!("{}{}", golden("export.ndjson"), golden("export.ndjson.manifest.json"));
    std::fs::remove_file(dir.join("export.ndjson.manifest.json")).unwrap();
    std::fs::write(dir.join("export.ndjson"), &whole).unwrap();
    let (code, text) = verify(&dir.join("export.ndjson"), &[]);
    assert_eq!(code, 0, "{text}");
    std::fs::write(dir.join("export.ndjson"), golden("export.ndjson")).unwrap();
    let (code, text) = verify(&dir.join("export.ndjson"), &[]);
    assert!(code == 1 && text.contains("may not be all of it"), "{text}");
}

#[test]
fn a_manifest_that_names_no_file_or_says_it_is_everything_is_held_to_that() {
    let dir = place("manifests");
    let path = dir.join("export.ndjson.manifest.json");
    let good = golden("export.ndjson.manifest.json");
    let changed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        std::fs::write(&path, good.replace(from, to)).unwrap();
        verify(&path, &[])
    };
    let query = serde_json::from_str::<serde_json::Value>(&good).unwrap()["query"].to_string();
    let (code, text) = changed(&format!("\"query\":{query}"), "\"query\":\"entry:*\"");
    assert!(code == 1 && text.contains("10 of the 16 entries of the log are not there: they were dropped"), "{text}");
    for encoding in ["csv", "parquet", "ndjson"] {
        let manifest = good.replace("\"encoding\":\"ndjson\"", &format!("\"encoding\":\"{encoding}\""));
        std::fs::write(&path, manifest.replace("\"files\":", "\"filez\":")).unwrap();
        let (code, text) = verify(&path, &[]);
        assert!(code == 1 && text.contains("it names no file in which the 6 entries would be"), "{text}");
    }
}

#[test]
fn a_changed_byte_is_found_in_its_line() {
    let dir = place("changed");
    let good = golden("export.ndjson");
    for (nth, line) in good.lines().enumerate() {
        let raw = line.find("\"raw\":").unwrap() + 8;
        let at = line.as_ptr() as usize - good.as_ptr() as usize + raw;
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        std::fs::write(dir.join("export.ndjson"), bytes).unwrap();
        let (code, text) = verify(&dir.join("export.ndjson.manifest.json"), &[]);
        assert!(code == 1 && text.contains(&format!("line {}", nth + 1)), "{text}");
    }
    // What is derived is not proved, and still the file is not the one of the manifest.
    std::fs::write(dir.join("export.ndjson"), good.replacen("derived", "altered", 1)).unwrap();
    let (code, text) = verify(&dir.join("export.ndjson.manifest.json"), &[]);
    assert!(code == 1 && text.contains("SHA-256"), "{text}");
}

#[test]
fn an_export_that_is_cut_short_unfinished_or_without_its_files_does_not_hold() {
    let dir = place("short");
    let (data, manifest) = (dir.join("export.ndjson"), dir.join("export.ndjson.manifest.json"));
    let good = golden("export.ndjson");
    std::fs::write(&data, &good[..good.len() - 1]).unwrap();
    assert!(verify(&manifest, &[]).1.contains("line 6: it has no end"));
    std::fs::write(&data, good.lines().take(5).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert!(verify(&manifest, &[]).1.contains("there are 5 lines, where the manifest says 6"));
    std::fs::write(&manifest, golden("export.ndjson.manifest.json").replace("\"next\":null", "\"next\":\"o-1-16-0-00000000\"")).unwrap();
    assert!(verify(&manifest, &[]).1.contains("was not finished"));
    std::fs::write(&manifest, golden("export.ndjson.manifest.json")).unwrap();
    std::fs::remove_file(&data).unwrap();
    let (code, text) = verify(&manifest, &[]);
    assert!(code == 2 && text.contains("could not be checked"), "{text}");
}

#[test]
fn a_table_is_held_against_its_manifest_and_what_that_does_not_prove_is_said() {
    let dir = place("table");
    let text = golden("export.ndjson.manifest.json").replace("\"encoding\":\"ndjson\"", "\"encoding\":\"csv\"");
    let manifest = dir.join("table.csv.manifest.json");
    std::fs::write(&manifest, text).unwrap();
    let (code, text) = verify(&manifest, &[]);
    assert!(code == 0 && text.contains("is not proved by this format"), "{text}");
    std::fs::write(dir.join("export.ndjson"), "something else").unwrap();
    assert_eq!(verify(&manifest, &[]).0, 1);
}

#[test]
fn the_parts_of_a_table_are_found_in_the_directory_that_the_manifest_is_of() {
    let dir = place("parts");
    std::fs::create_dir_all(dir.join("table")).unwrap();
    std::fs::rename(dir.join("export.ndjson"), dir.join("table/export.ndjson")).unwrap();
    let text = golden("export.ndjson.manifest.json").replace("\"encoding\":\"ndjson\"", "\"encoding\":\"parquet\"");
    let manifest = dir.join("table.manifest.json");
    std::fs::write(&manifest, text).unwrap();
    let (code, text) = verify(&manifest, &[]);
    assert!(code == 0 && text.contains("as parquet are in export.ndjson unchanged"), "{text}");
    std::fs::write(dir.join("table/export.ndjson"), "something else").unwrap();
    assert_eq!(verify(&manifest, &[]).0, 1);
}
