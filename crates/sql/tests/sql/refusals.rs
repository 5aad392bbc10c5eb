//! What is not taken, and that it changed nothing.

use crate::place::{Place, binary, run};

#[test]
fn nothing_but_reading_is_taken() {
    let place = Place::synthetic(100);
    let before = place.log.lake();
    let beside = place.log.home().join("out.csv");
    let copy = format!("COPY (SELECT * FROM events) TO '{}'", beside.display());
    let copy_table = format!("COPY events TO '{}' STORED AS PARQUET", beside.display());
    for sql in [
        copy.as_str(),
        &copy_table,
        "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
        "CREATE EXTERNAL TABLE passwd STORED AS CSV LOCATION '/etc/passwd'",
        "CREATE TABLE t AS SELECT * FROM events",
        "CREATE VIEW v AS SELECT 1",
        "CREATE OR REPLACE VIEW authentication AS SELECT 1",
        "CREATE SCHEMA s",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "DROP TABLE events",
        "DROP VIEW authentication",
        "INSERT INTO events SELECT * FROM events",
        "EXPLAIN ANALYZE INSERT INTO events SELECT * FROM events",
        "WITH a AS (SELECT 1) INSERT INTO events SELECT * FROM events",
        "UPDATE events SET actor = 'x'",
        "DELETE FROM events",
        "TRUNCATE TABLE events",
        "SELECT * INTO t FROM events",
        "SET datafusion.execution.batch_size = 1",
        "SET datafusion.runtime.memory_limit = '100G'",
        "RESET datafusion.execution.batch_size",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN",
        "COMMIT",
        "USE information_schema",
        "GRANT SELECT ON events TO x",
    ] {
        let ran = place.run([sql]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{sql}: {ran:?}");
        assert!(
            ran.err.contains("refused: the lake is only read") || ran.err.contains("the query is not understood"),
            "{sql}: {}",
            ran.err
        );
    }
    assert_eq!(place.log.lake(), before);
    assert!(!beside.exists());
}

#[test]
fn no_other_file_can_be_read() {
    let place = Place::synthetic(100);
    let own = place.some_file();
    for sql in [
        "SELECT * FROM '/etc/passwd'".to_owned(),
        format!("SELECT * FROM '{}'", own.display()),
        format!("SELECT * FROM \"file://{}\"", own.display()),
        "SELECT * FROM 'lake://main/'".to_owned(),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM read_parquet('x')".to_owned(),
        "SELECT * FROM parquet_metadata('x')".to_owned(),
    ] {
        place.run([&sql]).refused("the query is not understood");
    }
}

#[test]
fn a_query_that_is_wrong_says_where() {
    let place = Place::synthetic(100);
    place.run(["SELEC 1"]).refused("SELEC");
    place.run(["SELECT acter FROM events"]).refused("actor");
    place.run(["SELECT 1; SELECT 2"]).refused("single SQL statement");
    place.run(["SELECT * FROM authentications"]).refused("authentications");
    place.run(["SELECT CAST(actor AS INT) FROM events WHERE actor LIKE '%corp.example%'"]).refused("corp.example");
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    place.run([deep]).refused("the query is not understood");
    place.run(["SELECT 1", "SELECT 2"]).refused("unexpected argument");
    place.run(["--timeout", "0s", "SELECT 1"]).refused("60s");
    place.run(["--memory", "lots", "SELECT 1"]).refused("2GiB");
}

#[test]
fn a_directory_without_a_trail_and_a_server_that_is_none_are_named() {
    let dir = tempfile::tempdir().unwrap();
    run(binary().arg("--data").arg(dir.path()).arg("SELECT 1")).refused("holds no trail");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing was made");
    run(binary().args(["--url", "http://127.0.0.1:9", "--cache"]).arg(dir.path()).arg("SELECT 1")).refused("cannot be reached");
    run(binary().args(["--url", "ftp://x", "SELECT 1"])).refused("--url");
    run(binary().args(["--url", "http://log.example", "--key", "idl_x", "SELECT 1"])).refused("in the clear");
}
