//! A query costs no more than it may.

use std::time::{Duration, Instant};

use crate::place::Place;

#[test]
fn a_query_that_would_take_for_ever_is_stopped() {
    let place = Place::synthetic(600);
    let rows = place.log.home().join("rows.csv");
    for sql in [
        "SELECT count(*) FROM events a, events b, events c, events d WHERE a.action || b.action < c.action || d.action",
        "SELECT sum(value) FROM generate_series(1, 1000000000000)",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r",
    ] {
        let began = Instant::now();
        let ran = place.run(["--timeout", "700ms", "--format", "csv", "-o", rows.to_str().unwrap(), sql]);
        ran.refused("stopped: the query takes longer than --timeout 700ms");
        assert!(began.elapsed() < Duration::from_secs(20), "{sql}: {:?}", began.elapsed());
    }
    let left: Vec<_> = std::fs::read_dir(place.log.home()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("rows.csv")), "{left:?}");
}

#[test]
fn a_query_that_holds_too_much_is_stopped_and_nothing_goes_to_disk() {
    let place = Place::synthetic(600);
    let temporary = place.log.home().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    for (what, sql) in [
        ("a sort", "SELECT a.index, b.id FROM events a, events b ORDER BY b.id, a.id"),
        ("groups", "SELECT a.id || b.id AS pair, count(*) AS n FROM events a, events b GROUP BY 1 ORDER BY n LIMIT 1"),
        ("a table that waits", "SELECT a.*, b.* FROM events a, events b"),
    ] {
        let mut command = place.command(["--memory", "2MiB", "--timeout", "5m", sql]);
        let ran = crate::place::run(command.env("TMPDIR", &temporary));
        assert_eq!(ran.out, "", "{what}");
        ran.refused("stopped: the query holds more than --memory 2 MiB");
    }
    assert!(std::fs::read_dir(&temporary).unwrap().next().is_none());
    assert_eq!(place.run(["--memory", "64MiB", "SELECT a.index FROM events a, events b LIMIT 3"]).ok().out.lines().count(), 4);
}
