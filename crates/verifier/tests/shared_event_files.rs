//! The published event files through the binary. They lie outside the repository:
//! `INDELIBLE_SHARED` names their directory.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::path::Path;
use std::process::Command;

#[test]
fn the_binary_gives_every_published_verdict() {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        eprintln!("not run: INDELIBLE_SHARED is not set");
        return;
    };
    let cases = std::fs::read(Path::new(&shared).join("vectors/event-files-v1.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_slice(&cases).unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("published.json");
    for case in cases {
        std::fs::write(&path, case["event"].as_str().unwrap()).unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_indelible-verify"))
            .args(["--key", case["vkey"].as_str().unwrap()])
            .arg(&path)
            .output()
            .unwrap();
        let expected = if case["holds"].as_bool().unwrap() { 0 } else { 1 };
        assert_eq!(run.status.code(), Some(expected), "{}: {}", case["name"], String::from_utf8_lossy(&run.stdout));
    }
}
