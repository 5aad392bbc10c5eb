//! What an auditor does with the binary. The files are the golden ones of `crates/evidence`: a log
//! whose key changed from the first to the second at entry 4, and to the third at entry 8.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../evidence/tests/golden");

fn golden(name: &str) -> String {
    format!("{GOLDEN}/{name}")
}

/// The log's key number 1, 2 or 3.
fn key(number: usize) -> String {
    std::fs::read_to_string(golden("vkeys")).unwrap().lines().nth(number - 1).unwrap().to_owned()
}

/// A file of this test's own, in a directory that is removed with the build.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

fn verify_with(args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_indelible-verify"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

/// Exit code and standard output; nothing may stand in standard error.
fn verify(args: &[&str]) -> (i32, String) {
    let output = verify_with(args, b"");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn assert_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn an_event_file_holds_and_is_told_in_sentences() {
    let (code, text) = verify(&["--key", &key(1), &golden("event.json")]);
    assert_eq!(code, 0, "{text}");
    assert_all(
        &text,
        &[
            "event.json: holds\n",
            "Entry 2",
            "an event of source 7, \"okta-prod\"",
            "2023-11-14T22:13:20.000Z",
            "size 4",
            &key(1),
            "All 5 parts are shown",
        ],
    );
    let (code, text) = verify(&["--key", &key(1), &golden("event-redacted.json")]);
    assert_eq!(code, 0, "{text}");
    assert_all(&text, &["these are hidden: 1 (facts about people), 3.", "may repeat a name"]);
}

#[test]
fn the_key_may_be_a_file_and_the_evidence_standard_input() {
    let path = file("vkey", format!("{}\n", key(1)));
    let event = std::fs::read(golden("event.json")).unwrap();
    let output = verify_with(&["--key", &path, "-"], &event);
    assert_eq!(output.status.code(), Some(0));
    let receipt = std::fs::read(golden("long.tlog-proof")).unwrap();
    assert_eq!(verify_with(&["--key", &path, "-"], &receipt).status.code(), Some(0));
}

#[test]
fn a_receipt_proves_the_bytes_that_were_sent_and_no_others() {
    let receipt = golden("long.tlog-proof");
    let raw = std::fs::read(golden("raw")).unwrap();
    for (bytes, code, said) in [
        (raw.clone(), 0, "The bytes of --raw are the ones"),
        ([&raw[..], b"\r\n"].concat(), 0, "without the line break"),
        ([b" \n", &raw[..], b" \n"].concat(), 0, "without the white space"),
        ([&raw[..], b"x"].concat(), 1, "raw: the bytes given are not the ones that were logged"),
        (Vec::new(), 1, "not the ones that were logged"),
    ] {
        let path = file("raw-given", bytes);
        for evidence in [&receipt, &golden("event.json")] {
            let (got, text) = verify(&["--key", &key(1), "--raw", &path, evidence]);
            assert_eq!(got, code, "{text}");
            assert_all(&text, &[said]);
        }
    }
    for cannot in ["short.tlog-proof", "event-redacted.json", "act.json"] {
        let args = ["--key", &key(1), "--keys", &golden("keys.json"), "--raw", &golden("raw"), &golden(cannot)];
        let (code, text) = verify(&args);
        assert_eq!(code, 1);
        assert_all(&text, &["cannot be compared"]);
    }
}

#[test]
fn rotations_lead_from_an_old_pinned_key_and_from_a_new_one() {
    for number in 1..=3 {
        for evidence in ["event.json", "event-new-key.json", "short.tlog-proof", "long.tlog-proof", "act.json"] {
            let (code, text) = verify(&["--key", &key(number), "--keys", &golden("keys.json"), &golden(evidence)]);
            assert_eq!(code, 0, "{text}");
        }
        let (code, text) = verify(&["--key", &key(number), &golden("event-with-keys.json")]);
        assert_eq!(code, 0, "{text}");
    }
    let (code, text) = verify(&["--key", &key(1), "--keys", &golden("act.json"), "--keys", &golden("keys.json"), &golden("event.json")]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = verify(&["--key", &key(1), &golden("event-new-key.json")]);
    assert_eq!(code, 1);
    assert_all(&text, &["DOES NOT HOLD", "checkpoint: ", "--keys"]);
}

#[test]
fn what_does_not_hold_exits_with_one_whatever_is_wrong_with_it() {
    let event = std::fs::read_to_string(golden("event.json")).unwrap();
    let changed = file("changed.json", event.replacen("\"bytes\":\"", "\"bytes\":\"AAAA", 1));
    let (code, text) = verify(&["--key", &key(1), &changed]);
    assert_eq!(code, 1);
    assert_all(&text, &["changed.json: DOES NOT HOLD\n  parts: the parts are not those"]);
    for nonsense in ["", "{", "hello", "[]", "c2sp.org/tlog-proof@v1\n", "\u{feff}{}"] {
        let (code, text) = verify(&["--key", &key(1), &file("nonsense", nonsense)]);
        assert_eq!((code, text.contains("DOES NOT HOLD")), (1, true), "{nonsense:?}: {text}");
    }
    // A key with another key's id, and rotations that are none: nothing holds with those.
    let altered = key(1).replacen("example.com/log", "example.com/other", 1);
    let (code, text) = verify(&["--key", &altered, &golden("event.json")]);
    assert_eq!(code, 1);
    assert_all(&text, &["keys: the verifier key's id does not belong"]);
    let (code, _) = verify(&["--key", &key(1), "--keys", &golden("event.json"), &golden("event.json")]);
    assert_eq!(code, 1);
    let (code, _) = verify(&["--key", &key(1), "--keys", &golden("raw"), &golden("event.json")]);
    assert_eq!(code, 1);
    // One bad file among good ones.
    let (code, text) = verify(&["--key", &key(1), &golden("event.json"), &changed, &golden("act.json"), "/no/such/file"]);
    assert_eq!(code, 1);
    assert_eq!((text.matches(": holds").count(), text.matches("could not be checked").count()), (2, 1));
}

#[test]
fn what_could_not_be_tried_exits_with_two() {
    let good = golden("event.json");
    for args in [
        vec![],
        vec!["--key"],
        vec![&good],
        vec!["--key", "not a key", &good],
        vec!["--key", &good, &good],
        vec!["--key", &key(1), "--raw", "/no/such/file", &good],
        vec!["--key", &key(1), "--keys", "/no/such/file", &good],
        vec!["--key", &key(1), "--nonsense", &good],
    ] {
        let output = verify_with(&args, b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stderr.starts_with(b"indelible-verify: ") && output.stdout.is_empty(), "{args:?}");
    }
    let (code, text) = verify(&["--key", &key(1), "/no/such/file", &good]);
    assert_eq!(code, 2);
    assert_all(&text, &["could not be checked", "event.json: holds"]);
}

#[test]
fn json_has_one_object_for_each_file() {
    let (code, text) =
        verify(&["--json", "--key", &key(1), &golden("event-redacted.json"), &golden("event-new-key.json"), "/no/such/file"]);
    assert_eq!(code, 1);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["holds"], &lines[0]["index"], &lines[0]["hidden"]), (&true.into(), &2.into(), &serde_json::json!([1, 3])));
    assert_eq!((&lines[0]["received_at"], &lines[0]["kind"]), (&1_700_000_000_000u64.into(), &"event".into()));
    assert_eq!((&lines[1]["holds"], &lines[1]["place"]), (&false.into(), &"checkpoint".into()));
    assert_eq!((&lines[2]["holds"], &lines[2]["place"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn text_from_a_file_cannot_act_on_the_terminal() {
    let event = std::fs::read_to_string(golden("event.json")).unwrap();
    let hostile = event.replacen("indelible-event/v1", "\\u001b[2J\\u202egnorw\\u009b", 1);
    let name = file("hostile\u{1b}[31m\u{202e}.json", hostile);
    for json in [&[][..], &["--json"]] {
        let (code, text) = verify(&[json, &["--key", &key(1), &name]].concat());
        assert_eq!(code, 1);
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
}

#[test]
fn help_and_version_need_nothing_else() {
    let (code, text) = verify(&["--help"]);
    assert_eq!(code, 0);
    assert_all(&text, &["--key VKEY", "--keys FILE", "--raw FILE", "--json", "Exit status"]);
    assert!(text.lines().all(|line| line.len() <= 82) && text.lines().count() <= 24, "it fits a terminal");
    assert_eq!(verify(&["--version"]), (0, format!("indelible-verify {}\n", env!("CARGO_PKG_VERSION"))));
}
