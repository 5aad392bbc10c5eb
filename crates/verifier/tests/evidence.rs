//! What somebody does who was handed evidence. The file is the golden one of `crates/evidence`, in its page.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use evidence::page;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../evidence/tests/golden");

fn golden(name: &str) -> String {
    std::fs::read_to_string(format!("{GOLDEN}/{name}")).unwrap()
}

fn key(number: usize) -> String {
    golden("vkeys").lines().nth(number - 1).unwrap().to_owned()
}

fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn good() -> String {
    String::from_utf8(page::write(golden("evidence.json").as_bytes())).unwrap()
}

fn verify(path: &Path, more: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_indelible-verify")).args(["--key", &key(1)]).args(more).arg(path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn evidence_holds_in_its_page_and_by_itself_and_is_told_in_sentences() {
    let page = write("evidence-good.html", good().as_bytes());
    let bare = write("evidence-good.json", golden("evidence.json").as_bytes());
    for path in [&page, &bare] {
        let (code, text) = verify(path, &[]);
        assert_eq!(code, 0, "{text}");
        for part in [
            "3 entries of the log example.com/log: 1, 2, 9.",
            "as entry 13, as the answer to the search line \"alice\" by key k_1",
            "NOT COMPLETE: entries 5 to 6 could not be read: a file is gone.",
            "Parts of 1 of them are hidden.",
            "All is in the tree of size 14",
            "key rotations (2)",
            "no witness is known to this version",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert_eq!(text.contains("page around the evidence is the genuine one"), path == &page, "{text}");
    }
    let (_, json) = verify(&page, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["type"], &json["holds"], &json["complete"]), (&"evidence in a page".into(), &true.into(), &false.into()));
    assert_eq!((&json["entries"], &json["recorded_at_index"]), (&serde_json::json!([1, 2, 9]), &13.into()));
}

#[test]
fn a_changed_byte_is_named_by_its_entry() {
    // Part 4 of entry 9, the last one shown in full, in base64.
    let good = good();
    let part = good.match_indices("ImFjdGlvbiI6InBvbGljeS5jaGFuZ2UifQ==").last().unwrap().0;
    let mut altered = good.clone().into_bytes();
    altered[part + 4] ^= 1;
    let path = write("evidence-altered.html", &altered);
    let (code, text) = verify(&path, &[]);
    assert!(code == 1 && text.contains("DOES NOT HOLD") && text.contains("entry 9: "), "{text}");
    assert!(!text.contains("entry 1: ") && !text.contains("entry 2: "), "{text}");
    let json: serde_json::Value = serde_json::from_str(&verify(&path, &["--json"]).1).unwrap();
    assert_eq!((&json["holds"], &json["wrong"][0]["place"]), (&false.into(), &"entry 9".into()));
}

#[test]
fn a_page_that_was_altered_does_not_hold_whatever_its_evidence_proves() {
    let path =
        write("evidence-page.html", good().replacen("Everything in this file holds", "Everything in this file is true", 1).as_bytes());
    let (code, text) = verify(&path, &[]);
    assert!(code == 1 && text.contains("page: the page around the evidence is none that this program knows"), "{text}");
    let path = write("evidence-cut.html", good().split("\"format\"").next().unwrap().as_bytes());
    assert_eq!(verify(&path, &[]).0, 1);
}

#[test]
fn raw_goes_with_one_entry_alone() {
    let path = write("evidence-raw.html", good().as_bytes());
    let (code, text) = verify(&path, &["--raw", path.to_str().unwrap()]);
    assert!(code == 2 && text.contains("--raw goes with one entry"), "{text}");
}
