//! Entries that stand in no payload file yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::search::{Indexer, Order, parse};
use proptest::test_runner::TestRunner;

use crate::log::{LINES, Log, asked, cloudtrail, draw, other};
use crate::{any_line, files_below};

/// A log whose last entries, some hundreds, stand in no payload file, and their number.
pub fn with_a_tail(random: &mut TestRunner) -> (Log, u64) {
    let log = Log::new();
    log.send("aws", "aws_cloudtrail", &draw(random, cloudtrail(), 100));
    log.trail.flush().unwrap();
    let start = log.trail.view().size;
    for _ in 0..4 {
        log.send("aws", "aws_cloudtrail", &draw(random, cloudtrail(), 20));
        log.send("okta-prod", "okta", &draw(random, other(), 21));
        log.trail.log().record_blocking(br#"{"record":"test.note","v":1}"#).unwrap();
    }
    let behind = log.trail.view().size - start;
    (log, behind)
}

#[test]
fn what_was_learnt_of_the_newest_entries_hides_nothing() {
    let mut random = TestRunner::deterministic();
    let (log, _) = with_a_tail(&mut random);
    let index = log.index();
    log.make_all(&index);
    index.learn_tail(&log.trail, &|| false);
    let drawn: Vec<String> = draw(&mut random, any_line(), 200).into_iter().filter(|line| parse(line).is_ok()).collect();
    for (nth, line) in LINES.iter().copied().chain(drawn.iter().map(String::as_str)).enumerate() {
        let mut expected = log.naive(line);
        assert_eq!(log.all(&index, line, Order::Oldest, nth % 40 + 1).0, expected, "{line:?}");
        expected.reverse();
        assert_eq!(log.all(&index, line, Order::Newest, nth % 40 + 1).0, expected, "{line:?} newest first");
    }
    assert!(
        files_below(&log.dir.path().join("derived")).iter().all(|path| !path.to_string_lossy().contains("tail")),
        "it is in memory alone"
    );
}

#[test]
fn the_newest_entries_are_ruled_out_unread_once_they_were_learnt() {
    let (log, behind) = with_a_tail(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    let read = |line: &str| log.ask(&index, &asked(line, Order::Newest, 1_000)).read;
    let needles = ["nowhere", "actor:nobody", "ip:192.0.2.1", "until:2020-01-01", "source:okta* message:nowhere", "raw.a.b:nobody"];
    for needle in needles {
        assert!(read(needle) >= behind / 3, "{needle} has to be compared with many");
    }
    index.learn_tail(&log.trail, &|| false);
    for needle in needles {
        // What does not fill a block yet is read, on both sides.
        assert!(read(needle) <= 2 * 64, "{needle}: {} of {behind}", read(needle));
    }
    let served = Arc::new(log.index());
    let indexer = Indexer::start(&log.trail, &served).unwrap();
    let read_by_served = || log.ask(&served, &asked("nowhere", Order::Newest, 1_000)).read;
    let begin = Instant::now();
    while read_by_served() > 2 * 64 {
        assert!(begin.elapsed() < Duration::from_secs(60), "the thread of a server learns them");
        std::thread::sleep(Duration::from_millis(20));
    }
    indexer.stop();
    log.send("aws", "aws_cloudtrail", &[r#"{"eventName":"nowhere","eventVersion":"1.08","eventSource":"iam.amazonaws.com"}"#.to_owned()]);
    assert_eq!(log.ask(&index, &asked("nowhere", Order::Newest, 10)).hits.len(), 1, "what came since is read");
    log.trail.flush().unwrap();
    index.learn_tail(&log.trail, &|| false);
    assert!(read("nowhere") >= behind / 2, "in a file now, of which nothing is derived yet");
}
