//! The auditor's promise: a dependency tree that can be read, and no socket.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Every crate that is compiled into the binary or into its macros. None opens a socket. A new name
/// here is a decision, not a detail.
const CRATES: [&str; 32] = [
    "base64",
    "block-buffer",
    "cfg-if",
    "cpufeatures",
    "crypto-common",
    "curve25519-dalek",
    "curve25519-dalek-derive",
    "digest",
    "ed25519",
    "ed25519-dalek",
    "evidence",
    "hybrid-array",
    "indelible-verify",
    "itoa",
    "memchr",
    "proc-macro2",
    "quote",
    "serde_core",
    "serde_json",
    "sha2",
    "signature",
    "subtle",
    "syn",
    "thiserror",
    "thiserror-impl",
    "tlog",
    "typenum",
    "unicode-ident",
    "zmij",
    // Other processors, other ways to ask what they can do.
    "libc",
    "fiat-crypto",
    "rustc_version",
];

#[test]
fn the_dependency_tree_prints_on_one_screen_and_has_only_known_crates() {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "indelible-verify", "--edges", "normal", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.lines().count() <= 50, "{} lines:\n{tree}", tree.lines().count());
    let found: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.trim_start_matches(['│', '├', '└', '─', ' ']).split(' ').next()).collect();
    let known = BTreeSet::from(CRATES);
    let unknown: Vec<_> = found.difference(&known).collect();
    assert!(unknown.is_empty() && found.len() > 20, "unknown: {unknown:?} in\n{tree}");
}

/// The crates above have no code for the network; ours could still reach the standard library's.
#[test]
fn our_own_sources_use_neither_network_nor_processes_nor_write_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = 0;
    for name in ["verifier", "evidence", "tlog"] {
        files += check_directory(&root.join(name).join("src"));
    }
    assert!(files > 30, "only {files} files were found");
}

fn check_directory(directory: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += check_directory(&path);
            continue;
        }
        files += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        for word in [
            "std::net",
            "net::",
            "TcpStream",
            "UdpSocket",
            "UnixStream",
            "os::unix",
            "process::Command",
            "Command::new",
            "fs::write",
            "File::create",
            "OpenOptions",
            "extern \"C\"",
            "asm!",
        ] {
            assert!(!text.contains(word), "{word} in {}", path.display());
        }
    }
    files
}
