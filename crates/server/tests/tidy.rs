//! House rules that a test can hold: which way imports run, how long a file is, what nothing is called.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::path::{Path, PathBuf};

/// The way of an event. A step may import the steps before it, never one behind it.
const WAY: [&str; 15] = [
    "access",
    "intake",
    "ocsf",
    "source",
    "log",
    "store",
    "verify",
    "watch",
    "search",
    "investigate",
    "export",
    "door",
    "forward",
    "api",
    "cli",
];
/// Files beside the way. They import no step of it, and every step may import them. `main` wires.
const FREE: [&str; 3] = ["clock", "config", "synth"];
/// Past this, a second concept has moved in.
const LINES_OF_CODE_MAX: usize = 500;
/// Names that say nothing.
const NAMES_REFUSED: [&str; 10] = ["mod", "util", "utils", "helper", "helpers", "common", "manager", "misc", "shared_utils", "stuff"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn all_rust_files() -> Vec<PathBuf> {
    ["crates", "bench"].iter().flat_map(|dir| rust_files(&root().join(dir))).collect()
}

/// The code of a file without the tests at its end, comments and blank lines.
fn code(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(3).position(|next| next[0].trim() == "#[cfg(test)]" && next.iter().any(|line| line.starts_with("mod ")));
    let code = lines.into_iter().take(tests.unwrap_or(usize::MAX)).map(str::trim);
    code.filter(|line| !line.is_empty() && !line.starts_with("//")).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn inside_the_server_imports_run_one_way() {
    let source = root().join("crates/server/src");
    let place = |name: &str| WAY.iter().position(|step| *step == name);
    let mut wrong = Vec::new();
    for path in rust_files(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let first = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["main", "lib"].contains(&first) {
            continue;
        }
        let own = place(first);
        assert!(own.is_some() || FREE.contains(&first), "{} belongs to no step of the way", shown(&path));
        let text = std::fs::read_to_string(&path).unwrap();
        for line in code(&text) {
            for step in line.split("crate::").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '_').next()) {
                let later = match (place(step), own) {
                    (Some(step), Some(own)) => step > own,
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if later {
                    wrong.push(format!("{}: {line}", shown(&path)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "a step imports one behind it ({WAY:?}):\n{}", wrong.join("\n"));
}

#[test]
fn no_file_holds_more_code_than_one_concept_needs() {
    let lines = |path: &PathBuf| code(&std::fs::read_to_string(path).unwrap()).len();
    let is_test = |path: &PathBuf| path.iter().any(|part| part == "tests") || path.file_stem().is_some_and(|stem| stem == "tests");
    let long: Vec<_> = all_rust_files()
        .into_iter()
        .filter(|path| !is_test(path))
        .map(|path| (lines(&path), shown(&path)))
        .filter(|(lines, _)| *lines > LINES_OF_CODE_MAX)
        .collect();
    assert!(long.is_empty(), "more than {LINES_OF_CODE_MAX} lines of code: {long:#?}");
}

#[test]
fn every_name_says_what_it_is() {
    let refused: Vec<_> = all_rust_files()
        .iter()
        .filter(|path| NAMES_REFUSED.contains(&path.file_stem().unwrap().to_str().unwrap()))
        .map(|path| shown(path))
        .collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn nothing_is_left_for_later_and_no_test_is_ignored() {
    // Put together here, so that this file does not find itself.
    let marks = [
        ["to", "do!("].concat(),
        ["unimplemented", "!("].concat(),
        ["#[ig", "nore"].concat(),
        ["FIX", "ME"].concat(),
        ["TO", "DO"].concat(),
    ];
    let mut found = Vec::new();
    for path in all_rust_files() {
        let text = std::fs::read_to_string(&path).unwrap();
        found.extend(
            text.lines()
                .filter(|line| marks.iter().any(|mark| line.contains(mark.as_str())))
                .map(|line| format!("{}: {}", shown(&path), line.trim())),
        );
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Targets of `[text](target)` in a document.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut documents = vec![root().join("README.md")];
    for dir in ["docs", "docs/decisions"] {
        documents.extend(
            std::fs::read_dir(root().join(dir))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|it| it == "md")),
        );
    }
    let mut broken = Vec::new();
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            if !document.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {link}", shown(&document)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}
