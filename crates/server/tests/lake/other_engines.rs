//! The recipes of docs/SQL.md for other engines, run as they stand there: each counts what DuckDB counts.

use std::process::{Command, Stdio};

use indelible::config::LakeContent;

use crate::engines::duckdb;
use crate::log::Log;
use crate::python::python;
use crate::recipes::{blocks, document};

/// What the recipe of an engine prints, run beside `data` with these packages, holds the failed sign-ins of each country.
fn counts_as_duckdb_does(engine: &str, requirements: &str) {
    let log = Log::synthetic(1_500);
    log.make_all(&log.index(LakeContent::Columns));
    let scripts = blocks(&document("docs/SQL.md"), "python");
    let script = scripts.iter().find(|script| script.starts_with(&format!("# engine: {engine}\n"))).unwrap();
    let mut command = Command::new(python(requirements));
    command.args(["-c", script]).current_dir(log.home()).env("HOME", log.home()).env("TZ", "UTC").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let counted = duckdb(
        &log.home(),
        "SELECT country, count(*) AS failed, count(DISTINCT actor) AS identities FROM 'data/derived/main/lake/*.parquet'
         WHERE class = 'Authentication' AND status = 'Failure' AND country IS NOT NULL GROUP BY country ORDER BY failed DESC LIMIT 5",
    );
    assert_eq!(counted.len(), 5);
    for row in counted {
        let words = [row["country"].as_str().unwrap().to_owned(), row["failed"].to_string(), row["identities"].to_string()];
        let cells = |line: &str| line.split([',', '|']).map(|cell| cell.trim().trim_matches('"').to_owned()).collect::<Vec<_>>();
        assert!(said.lines().any(|line| words.iter().all(|word| cells(line).contains(word))), "{words:?} is not in\n{said}");
    }
}

#[test]
fn clickhouse_counts_as_duckdb_does() {
    counts_as_duckdb_does("clickhouse", include_str!("clickhouse.txt"));
}

#[test]
fn spark_counts_as_duckdb_does() {
    counts_as_duckdb_does("spark", include_str!("spark.txt"));
}
