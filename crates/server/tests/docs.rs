//! Runs the commands that the documents show, with the real binary.
//!
//! A block that begins with ```` ```sh runnable ```` is run as it stands, by `sh -eu`, in an empty
//! directory of its own document: blocks of one document share it, one after the other. `indelible`,
//! `indelible-verify` and a server's address and key are there, as the document has told the reader.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The runnable blocks of a document, in order.
fn blocks(text: &str) -> Vec<String> {
    let runnable = text.split("```sh runnable\n").skip(1);
    runnable.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn run(document: &Path) -> usize {
    let text = std::fs::read_to_string(document).unwrap();
    let blocks = blocks(&text);
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_indelible"), bin.join("indelible")).unwrap();
    let here = dir.path().join("here");
    std::fs::create_dir(&here).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    // A free port instead of the default one: a server of the reader's own may be running.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A person waits a second for the server; on a machine that is busy testing it may take longer.
    let answers = format!("for i in $(seq 200); do curl -fs http://127.0.0.1:{port}/healthz && break; sleep 0.1; done");
    let script = blocks.join("\n").replace("& sleep 1", &format!("& {answers}")).replace("127.0.0.1:8787", &format!("127.0.0.1:{port}"));
    // The first look at what no index has yet may end where its time does, on a machine that is busy testing: `who` says so,
    // and that it exits with 1. Asked again it knows more.
    let script = script.replace("indelible who ", "again indelible who ");
    let preamble = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\nagain() { \"$@\" || \"$@\"; }\n";
    let ran = Command::new("bash")
        .args(["-euc", &format!("{preamble}{script}")])
        .current_dir(&here)
        .env("PATH", path)
        .env("HOME", dir.path())
        .env("INDELIBLE_URL", format!("http://127.0.0.1:{port}"))
        .env("INDELIBLE_LISTEN", format!("127.0.0.1:{port}"))
        .output()
        .unwrap();
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(ran.status.success(), "{}: {}\n{}\n{}", document.display(), ran.status, told(&ran.stdout), told(&ran.stderr));
    blocks.len()
}

#[test]
fn the_commands_of_the_readme_work() {
    assert!(run(&root().join("README.md")) > 0);
}

#[test]
fn the_commands_that_connect_sources_work() {
    assert!(run(&root().join("docs/CONNECT.md")) > 0);
}

#[test]
fn the_commands_of_the_operators_manual_work() {
    assert!(run(&root().join("docs/OPERATE.md")) > 0);
}

#[test]
fn the_commands_that_describe_a_source_work() {
    assert!(run(&root().join("docs/SOURCES.md")) > 0);
}

#[test]
fn the_commands_of_the_search_manual_work() {
    assert!(run(&root().join("docs/SEARCH.md")) > 0);
}

#[test]
fn the_commands_that_make_a_synthetic_trail_work() {
    assert!(run(&root().join("docs/SYNTH.md")) > 0);
}

#[test]
fn the_commands_that_investigate_an_identity_work() {
    assert!(run(&root().join("docs/INVESTIGATE.md")) > 0);
}

#[test]
fn the_commands_of_the_export_manual_work() {
    assert!(run(&root().join("docs/EXPORT.md")) > 0);
}

#[test]
fn the_commands_that_make_evidence_work() {
    assert!(run(&root().join("docs/EVIDENCE.md")) > 0);
}
