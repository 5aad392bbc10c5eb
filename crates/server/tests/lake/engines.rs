//! DuckDB reads what was written: every column of every entry, and its types.

use std::path::Path;
use std::process::{Command, Stdio};

use indelible::config::LakeContent;
use indelible::search::document::{Document, Knowing};
use indelible::search::field::{Field, Name};
use indelible::search::lake::{COLUMNS, Kind};
use indelible::source::directory::Directory;
use serde_json::{Map, Value, json};

use crate::log::Log;
use crate::python::python;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// A directory of programs with `duckdb`, and a `python` that has pandas and pyarrow.
pub fn engines() -> std::path::PathBuf {
    python(REQUIREMENTS).parent().unwrap().to_owned()
}

/// What DuckDB answers, run where `data` is.
pub fn duckdb(home: &Path, sql: &str) -> Vec<Map<String, Value>> {
    let mut command = Command::new(engines().join("duckdb"));
    command.args(["-json", "-c", sql]).current_dir(home).env("HOME", home).env("TZ", "UTC").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{sql}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    if said.trim().is_empty() { Vec::new() } else { serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}")) }
}

/// The paths that docs/LAKE.md names for a column; none for those of the entry itself.
fn paths(column: &str) -> Vec<Field> {
    let row = crate::recipes::documented_columns().into_iter().find(|(name, ..)| name == column).unwrap();
    let paths: Vec<_> = row.2.split(", ").take_while(|part| part.starts_with('`')).collect();
    paths.iter().map(|path| Field::parse(&format!("ocsf.{}", path.split('`').nth(1).unwrap())).unwrap()).collect()
}

/// The value that a column should have.
fn expected(document: &Document<'_>, column: &str, kind: Kind) -> Value {
    let first = |field: &Field| {
        let mut first = None;
        document.values(field, &mut |value| {
            first = Some(value.to_owned());
            true
        });
        first
    };
    let text = match column {
        "index" => return json!(document.index()),
        "time" => return json!(document.time_ms()),
        "received" => return json!(document.received_ms()),
        "ocsf" => document.ocsf_form().map(|(text, _)| text.to_owned()),
        "entry" | "source" | "kind" | "id" | "action" | "actor" | "target" => {
            first(&Field::Named(*Name::ALL.iter().find(|name| name.word() == column).unwrap()))
        }
        other => paths(other).iter().find_map(first),
    };
    match kind {
        Kind::Text => json!(text),
        _ => json!(text.and_then(|text| text.parse::<i64>().ok())),
    }
}

#[test]
fn duckdb_reads_every_column_of_every_entry_as_the_map_gives_it() {
    let log = Log::of_all_kinds();
    log.make_all(&log.index(LakeContent::Full));
    // Numbers without a sign are texts in DuckDB's JSON.
    let times = "* REPLACE (index::BIGINT AS index, epoch_ms(time) AS time, epoch_ms(received) AS received)";
    let rows = duckdb(&log.home(), &format!("SELECT {times} FROM 'data/derived/main/lake/*.parquet' ORDER BY index"));
    let entries = log.entries();
    assert_eq!(rows.len(), entries.len());
    let view = log.trail.view();
    let knowing = Knowing { catalog: &log.catalog, directory: &Directory::default(), state: &view.state, recent: None };
    let mut filled = [0; COLUMNS.len()];
    for (row, entry) in rows.iter().zip(&entries) {
        let document = Document::new(entry, knowing);
        for (column, filled) in COLUMNS.iter().zip(&mut filled) {
            let expected = expected(&document, column.name, column.kind);
            assert_eq!(row[column.name], expected, "{} of {}", column.name, entry.index);
            *filled += usize::from(!expected.is_null());
        }
    }
    let empty: Vec<_> = COLUMNS.iter().zip(filled).filter(|(_, filled)| *filled == 0).map(|(column, _)| column.name).collect();
    assert!(empty.is_empty(), "no sample says anything of {empty:?}");
}

#[test]
fn types_are_those_of_the_manual_and_files_of_both_contents_go_together() {
    let log = Log::of_all_kinds();
    log.make_all(&log.index(LakeContent::Full));
    let state = std::sync::Arc::clone(&log.trail.view().state);
    let newest = state.payload_files.values().max_by_key(|file| file.first).unwrap();
    log.index(LakeContent::Columns).make(&log.trail, newest, &|| false).unwrap();
    let described = duckdb(&log.home(), "DESCRIBE SELECT * FROM 'data/derived/main/lake/*.parquet'");
    let documented = crate::recipes::documented_columns();
    assert_eq!(described.len(), documented.len());
    for (found, (name, kind, _)) in described.iter().zip(documented) {
        let kind = match kind.as_str() {
            "UINT64" => "UBIGINT",
            "INT64" => "BIGINT",
            "INT32" => "INTEGER",
            "STRING" => "VARCHAR",
            "TIMESTAMP(ms, UTC)" => "TIMESTAMP WITH TIME ZONE",
            other => panic!("{other}"),
        };
        assert_eq!((found["column_name"].as_str().unwrap(), found["column_type"].as_str().unwrap()), (name.as_str(), kind));
    }
    let counted = duckdb(&log.home(), "SELECT count(*) AS rows, count(ocsf) AS forms FROM 'data/derived/main/lake/*.parquet'");
    assert_eq!(counted[0]["rows"], log.entries().len());
    assert!(counted[0]["forms"].as_u64().unwrap() < log.entries().len() as u64);
}

#[test]
fn what_is_looked_for_by_one_value_has_a_bloom_filter_and_pages_have_an_index() {
    let log = Log::of_all_kinds();
    log.make_all(&log.index(LakeContent::Full));
    let chunks = duckdb(
        &log.home(),
        "SELECT path_in_schema AS name, max(bloom_filter_length) AS bloom, any_value(compression) AS compression
         FROM parquet_metadata('data/derived/main/lake/*.parquet') GROUP BY ALL",
    );
    for column in COLUMNS {
        let chunk = chunks.iter().find(|chunk| chunk["name"] == column.name).unwrap();
        assert_eq!(chunk["bloom"].is_null(), !column.bloom, "{chunk:?}");
        assert_eq!(chunk["compression"], "ZSTD");
    }
    for (name, bytes) in log.lake().iter().filter(|(name, _)| name.ends_with(".parquet")) {
        use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
        reader.try_parse(&bytes::Bytes::from(bytes.clone())).unwrap();
        assert!(reader.finish().unwrap().offset_index().is_some(), "{name}");
    }
}

#[test]
fn whatever_a_record_says_engines_can_read_the_file() {
    let log = Log::new();
    let far = r#"{"eventVersion":"1.09","eventName":"Far","eventSource":"a.b","eventTime":"+292278994-08-17T07:12:55Z"}"#;
    let strange = format!(r#"{{"actor":"\u0000\ud800 \u202e{}","action":"-","time":9223372036854775807}}"#, "x".repeat(300_000));
    let ocsf = r#"{"class_uid":3002,"activity_id":99999999999,"time":-9223372036854775808,"src_endpoint":{"ip":["a","b"]}}"#;
    for (kind, body) in [("aws_cloudtrail", far), ("app", &strange), ("ocsf", ocsf), ("unknown", "\u{1}not json")] {
        log.send(kind, body.as_bytes());
    }
    log.to_files();
    log.make_all(&log.index(LakeContent::Full));
    let rows = duckdb(&log.home(), "SELECT * FROM 'data/derived/main/lake/*.parquet' WHERE entry = 'event' ORDER BY index");
    assert_eq!(rows.len(), 4);
}
