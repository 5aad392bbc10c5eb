//! docs/SQL.md says what is so.

use std::path::PathBuf;

use crate::log::Log;
use crate::place::{Place, binary, run};

fn manual() -> String {
    std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/SQL.md")).unwrap()
}

/// The blocks of the manual in this language.
fn blocks(language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    manual().split(opening.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_manual_lists_the_views_as_the_binary_does() {
    let listed = run(binary().arg("--views")).ok().out;
    let text = manual();
    let rows: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")).collect();
    let mut views = 0;
    for section in listed.split("\n\n").skip(1) {
        let (head, columns) = section.split_once('\n').unwrap();
        let (name, about) = head.split_once(": ").unwrap();
        let (about, uid) = about.strip_suffix(')').unwrap().split_once(" (class_uid ").unwrap();
        let columns: Vec<_> = columns.lines().map(|line| line.trim()).collect();
        let own = &columns[9..columns.len() - 6];
        let row = format!("{name}` | {uid} | {about} | {}", own.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", "));
        assert!(rows.contains(&row.as_str()), "{row}\nis not among\n{}", rows.join("\n"));
        for shared in columns[..9].iter().chain(&columns[columns.len() - 6..]) {
            assert!(text.contains(&format!("`{shared}`")), "{shared}");
        }
        views += 1;
    }
    assert_eq!(views, 8);
    assert!(listed.starts_with("events: all entries\n  index           UINT64\n"), "{listed}");
}

#[test]
fn the_queries_of_the_manual_find_something() {
    let place = Place::new(Log::synthetic(1_500));
    let queries = blocks("sql");
    assert!(queries.len() >= 4);
    for query in &queries {
        assert!(place.run([query]).ok().out.lines().count() > 1, "{query}");
    }
}
