//! What docs/LAKE.md and the README tell people to run, run as it stands there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use indelible::config::LakeContent;
use indelible::search::lake::{COLUMNS, Kind};

use crate::engines::{duckdb, engines};
use crate::log::Log;

/// A document of the repository.
pub fn document(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(name)).unwrap()
}

/// Name, type and meaning of the columns in docs/LAKE.md.
pub fn documented_columns() -> Vec<(String, String, String)> {
    let text = document("docs/LAKE.md");
    let section = text.split("## Columns").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    rows.map(|(name, rest)| {
        let (kind, meaning) = rest.split_once(" | ").unwrap();
        (name.to_owned(), kind.to_owned(), meaning.to_owned())
    })
    .collect()
}

/// The blocks of a document in this language.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    text.split(opening.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn run(home: &Path, program: &str, args: &[&str]) -> String {
    let path = format!("{}:{}", engines().display(), std::env::var("PATH").unwrap());
    let output =
        Command::new(program).args(args).current_dir(home).env("PATH", path).env("HOME", home).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{args:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_manual_names_every_column_with_its_type() {
    let kind = |kind: Kind| match kind {
        Kind::Index => "UINT64",
        Kind::Enumerated => "INT32",
        Kind::Number => "INT64",
        Kind::Time => "TIMESTAMP(ms, UTC)",
        Kind::Text => "STRING",
    };
    let columns: Vec<_> = COLUMNS.iter().map(|column| (column.name.to_owned(), kind(column.kind).to_owned())).collect();
    let documented: Vec<_> = documented_columns().into_iter().map(|(name, kind, _)| (name, kind)).collect();
    assert_eq!(documented, columns);
    let text = document("docs/LAKE.md");
    let filtered = text.split("Bloom filters on ").nth(1).unwrap().split(".\n").next().unwrap();
    let named: Vec<_> = filtered.split('`').skip(1).step_by(2).collect();
    assert_eq!(named, COLUMNS.iter().filter(|column| column.bloom).map(|column| column.name).collect::<Vec<_>>());
}

#[test]
fn the_recipes_of_the_manual_find_the_incident() {
    let log = Log::synthetic(1_000);
    log.make_all(&log.index(LakeContent::Full));
    let home = log.home();
    let text = document("docs/LAKE.md");
    let recipes = blocks(&text, "sql");
    assert_eq!(recipes.len(), 7);
    for recipe in &recipes {
        assert!(!duckdb(&home, recipe).is_empty(), "{recipe}");
    }
    let stranger = duckdb(&home, &recipes[4]);
    assert!(
        stranger.iter().any(|row| row["name"] == "StopLogging" && row["actor"].as_str().unwrap().contains("svc-backup")),
        "{stranger:?}"
    );
    for row in &stranger {
        assert_eq!(row["name"], row["action"]);
    }
    let python = blocks(&text, "python");
    assert_eq!(python.len(), 2);
    let printed: Vec<_> = python.iter().map(|script| run(&home, "python", &["-c", script])).collect();
    assert!(printed[0].contains("okta"), "{}", printed[0]);
    assert!(printed[1].starts_with("21 of "), "{}", printed[1]);
}

#[test]
fn the_one_line_of_the_readme_and_of_the_manual_work() {
    let log = Log::synthetic(200);
    log.make_all(&log.index(LakeContent::Columns));
    std::os::unix::fs::symlink(log.home().join("data"), log.home().join("trail")).unwrap();
    for name in ["README.md", "docs/LAKE.md"] {
        let text = document(name);
        let line = text.lines().find(|line| line.starts_with("duckdb -c \"")).unwrap_or_else(|| panic!("{name} shows no line"));
        assert!(run(&log.home(), "sh", &["-euc", line]).contains("corp.example"), "{line}");
    }
}
