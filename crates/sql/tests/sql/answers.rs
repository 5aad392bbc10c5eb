//! What is asked is answered, in every form.

use datafusion::arrow::ipc::reader::StreamReader;
use indelible::search::lake::COLUMNS;
use serde_json::json;

use crate::log::Log;
use crate::place::{Place, run, run_with_input};

#[test]
fn the_view_of_all_entries_has_every_column_and_every_entry() {
    let place = Place::new(Log::of_all_kinds());
    let rows = place.rows("SELECT * FROM events ORDER BY index");
    assert_eq!(rows.len(), place.in_files());
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["index"], index);
        assert_eq!(row.as_object().unwrap().len(), names.len());
    }
    let described = place.rows("DESCRIBE events");
    assert_eq!(described.iter().map(|row| row["column_name"].as_str().unwrap()).collect::<Vec<_>>(), names);
}

#[test]
fn each_class_that_records_are_mapped_to_has_a_view_with_all_of_its_entries() {
    let place = Place::new(Log::of_all_kinds());
    let classes =
        place.rows("SELECT max(class) AS class, class_uid, count(*) AS n FROM events WHERE class_uid IS NOT NULL GROUP BY class_uid");
    let mapped = place.rows("SELECT DISTINCT class_uid FROM events WHERE class_uid IS NOT NULL AND kind <> 'ocsf'");
    let mapped: Vec<_> = mapped.iter().map(|row| row["class_uid"].as_i64().unwrap()).collect();
    assert!(mapped.len() >= 7, "{mapped:?}");
    for class in classes {
        let view = class["class"].as_str().unwrap().to_lowercase().replace(' ', "_");
        // A record that is OCSF already may be of any class.
        if !mapped.contains(&class["class_uid"].as_i64().unwrap()) {
            continue;
        }
        assert_eq!(place.rows(&format!("SELECT count(*) AS n FROM {view}"))[0]["n"], class["n"], "{view}");
        assert!(place.rows(&format!("SELECT * FROM {view} LIMIT 1"))[0]["time"].is_string());
    }
    let tables = place.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'");
    assert_eq!(tables.len(), 9, "{tables:?}");
}

#[test]
fn the_incident_is_found_with_joins_windows_and_functions() {
    let place = Place::synthetic(1_000);
    let first = place
        .rows("SELECT action, actor FROM api_activity WHERE ip = '203.0.113.66' AND regexp_like(action, '^Stop') ORDER BY index LIMIT 1");
    assert_eq!(first[0]["action"], "StopLogging");
    let ranked = place.rows(
        "SELECT * FROM (
           SELECT country, failed, row_number() OVER (ORDER BY failed DESC, country) AS place FROM (
             SELECT country, count(*) AS failed FROM authentication WHERE status = 'Failure' GROUP BY country))
         WHERE place <= 2 ORDER BY place",
    );
    assert_eq!(ranked[0]["place"], 1);
    let joined = place.rows(
        "SELECT DISTINCT a.actor FROM authentication a JOIN api_activity c ON a.actor = c.actor AND c.time >= a.time
         WHERE c.ip = '203.0.113.66' ORDER BY a.actor",
    );
    assert!(!joined.is_empty());
    let days =
        place.rows("SELECT date_trunc('month', time) AS month, count(*) AS n FROM events WHERE entry = 'event' GROUP BY 1 ORDER BY 1");
    assert_eq!(days.iter().map(|row| row["n"].as_u64().unwrap()).sum::<u64>(), 1_000);
}

#[test]
fn every_format_has_the_same_rows() {
    let place = Place::synthetic(300);
    let sql = "SELECT index, time, actor, action, asn, country FROM events WHERE entry = 'event' ORDER BY index";
    let json = place.rows(sql);
    assert_eq!(json.len(), 300);
    assert!(json[0]["time"].as_str().unwrap().ends_with('Z'), "{}", json[0]);
    assert!(json.iter().any(|row| row["country"].is_null()) && json.iter().all(|row| row.as_object().unwrap().len() == 6));

    let csv = place.run(["--format", "csv", sql]).ok();
    let mut reader = csv::Reader::from_reader(csv.bytes.as_slice());
    assert_eq!(reader.headers().unwrap(), vec!["index", "time", "actor", "action", "asn", "country"]);
    let records: Vec<_> = reader.records().map(Result::unwrap).collect();
    for (record, row) in records.iter().zip(&json) {
        assert_eq!(&record[0], row["index"].to_string());
        assert_eq!(&record[2], row["actor"].as_str().unwrap_or_default());
        assert_eq!(&record[1], row["time"].as_str().unwrap());
    }

    let arrow = place.run(["--format", "arrow", sql]).ok();
    let batches: Vec<_> = StreamReader::try_new(arrow.bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 300);
    assert_eq!(batches[0].schema().field(0).name(), "index");

    let table = place.run([sql]).ok();
    assert_eq!(table.out.lines().count(), 301);
    assert!(table.out.starts_with("index  time "), "{}", table.out);
    for ran in [csv, arrow, table] {
        assert!(ran.err.starts_with("300 rows; covers entries 0 to "), "{}", ran.err);
    }
}

#[test]
fn a_text_of_an_event_is_no_formula_in_csv_and_moves_no_cursor_in_a_table() {
    let log = Log::new();
    log.send("app", br#"{"actor":"=HYPERLINK(\"http://x\")","action":"a\u001b[2J\nb","ip":"192.0.2.1"}"#);
    log.to_files();
    let place = Place::new(log);
    let sql = "SELECT actor, action, -1 AS n, '=1' AS \"=2\" FROM events WHERE entry = 'event'";
    let csv = place.run(["--format", "csv", sql]).ok().out;
    assert!(csv.starts_with("actor,action,n,'=2\n") && csv.contains("'=hyperlink"), "{csv}");
    assert!(csv.contains("a\\u001b[2J\nb") && csv.trim_end().ends_with(",-1,'=1"), "{csv}");
    let table = place.run([sql]).ok().out;
    assert!(table.contains("a\\u001b[2J\\nb") && table.lines().count() == 2, "{table}");
}

#[test]
fn a_query_comes_from_the_line_a_file_or_standard_input_and_rows_go_to_a_file() {
    let place = Place::synthetic(100);
    let sql = "SELECT count(*) AS n FROM events";
    let expected = json!({"n": place.in_files()}).to_string() + "\n";
    let file = place.log.home().join("query.sql");
    std::fs::write(&file, format!("-- how many\n{sql};\n")).unwrap();
    assert_eq!(place.run(["--format", "json", "-f", file.to_str().unwrap()]).ok().out, expected);
    assert_eq!(run_with_input(&mut place.command(["--format", "json"]), sql.as_bytes()).ok().out, expected);
    run_with_input(&mut place.command(["--format", "json"]), b" \n").refused("there is no query");
    let long = sql.to_owned() + &" ".repeat((1 << 20) + 1 - sql.len());
    run_with_input(&mut place.command(["--format", "json"]), long.as_bytes()).refused("more than the 1048576 bytes");
    place.run(["-f", "missing.sql"]).refused("missing.sql");
    let rows = place.log.home().join("rows.json");
    let ran = place.run(["--format", "json", "-o", rows.to_str().unwrap(), sql]).ok();
    assert_eq!((ran.out.as_str(), std::fs::read_to_string(&rows).unwrap()), ("", expected.clone()));
    place.run(["-o", rows.to_str().unwrap(), "SELECT nothing FROM events"]).refused("nothing");
    assert_eq!(std::fs::read_to_string(&rows).unwrap(), expected, "a query that fails leaves what was there");
    let left: Vec<_> = std::fs::read_dir(place.log.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
    place.run(["-o", "/nowhere/rows", sql]).refused("/nowhere/");
}

#[test]
fn plans_settings_and_tables_can_be_looked_at() {
    let place = Place::synthetic(100);
    let plan = place.run(["EXPLAIN SELECT actor FROM authentication WHERE ip = '192.0.2.1'"]).ok().out;
    assert!(plan.contains("logical_plan\n") && plan.contains("class_uid"), "{plan}");
    assert!(place.run(["EXPLAIN ANALYZE SELECT count(*) FROM events"]).ok().out.contains("metrics"));
    assert!(place.run(["SHOW TABLES"]).ok().out.contains("user_access_management"));
    assert!(place.run(["SHOW COLUMNS FROM group_management"]).ok().out.contains("resource_type"));
    assert!(place.run(["SHOW datafusion.execution.batch_size"]).ok().out.contains("8192"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::synthetic(300);
    let mut child = place.command(["--format", "json", "SELECT a.* FROM events a, events b LIMIT 50000"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn help_and_version_are_there() {
    let help = run(crate::place::binary().arg("--help")).ok().out;
    for option in ["--data", "--url", "--key", "--cache", "--format", "--timeout", "--memory", "--views", "Examples:"] {
        assert!(help.contains(option), "{option} is not in {help}");
    }
    assert!(run(crate::place::binary().arg("--version")).ok().out.starts_with("indelible-sql "));
}
