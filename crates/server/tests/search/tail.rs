//! Entries that stand in no payload file yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::search::{Ask, Index, Indexer, Order, Stopped, parse};
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

/// What rules out each entry, by what is known of it and not by its bytes.
const KNOWN: [&str; 3] = ["until:2020-01-01", "outcome:nowhere", "source:okta* country:nowhere"];
/// What rules out each entry by its bytes.
const BY_BYTES: [&str; 5] = ["nowhere", "actor:nobody", "ip:192.0.2.1", "source:okta* message:nowhere", "raw.a.b:nobody"];

/// Entries that are compared for a line that describes none.
fn read(log: &Log, index: &Index, line: &str, order: Order) -> u64 {
    let found = log.ask(index, &asked(line, order, 1_000));
    assert_eq!(found.hits.len(), 0, "{line}");
    found.read
}

#[test]
fn the_newest_entries_are_ruled_out_unread_by_whoever_comes_to_them() {
    let (log, behind) = with_a_tail(&mut TestRunner::deterministic());
    for order in [Order::Newest, Order::Oldest] {
        for needle in KNOWN {
            let index = log.index();
            log.make_all(&index);
            // What does not fill a block yet is read, on both sides.
            assert!(read(&log, &index, needle, order) <= 2 * 64, "{needle}: of {behind}");
        }
        for needle in BY_BYTES {
            let index = log.index();
            log.make_all(&index);
            for _ in 0..2 {
                assert!(read(&log, &index, needle, order) > behind / 3, "{needle}: nothing is learnt for it");
            }
            index.learn_tail(&log.trail, &|| false);
            assert!(read(&log, &index, needle, order) <= 2 * 64, "{needle}: of {behind}");
        }
    }
    let index = log.index();
    log.make_all(&index);
    log.send("aws", "aws_cloudtrail", &[r#"{"eventName":"nowhere","eventVersion":"1.08","eventSource":"iam.amazonaws.com"}"#.to_owned()]);
    assert_eq!(log.ask(&index, &asked("nowhere", Order::Newest, 10)).hits.len(), 1, "what came since is read");
    log.trail.flush().unwrap();
    index.learn_tail(&log.trail, &|| false);
    let found = log.ask(&index, &asked("nowhere", Order::Newest, 10));
    assert!(found.read >= behind / 2, "in a file now, of which nothing is derived yet: {} of {behind}", found.read);
}

#[test]
fn where_the_bytes_rule_out_little_the_newest_entries_are_learnt() {
    let log = Log::new();
    log.send("aws", "aws_cloudtrail", &draw(&mut TestRunner::deterministic(), cloudtrail(), 600));
    for order in [Order::Newest, Order::Oldest] {
        let index = log.index();
        // Each record has the word, and none has such an actor.
        let found = read(&log, &index, "actor:awsregion", order);
        assert!(found <= 5 * 64, "{found}");
    }
}

/// A log of so many events that are too long to be learnt by a search.
fn with_long_events(count: usize) -> Log {
    let log = Log::new();
    let text = "long ".repeat(8_000);
    let events: Vec<String> = (0..count).map(|nth| format!(r#"{{"number":{nth},"text":"{text}"}}"#)).collect();
    log.send("app", "unknown", &events);
    log
}

#[test]
fn a_block_too_large_for_a_search_is_learnt_behind_the_log() {
    let log = with_long_events(256);
    let index = log.index();
    for _ in 0..2 {
        assert!(read(&log, &index, "actor:nobody", Order::Newest) >= 256, "a search compares them each time");
    }
    index.learn_tail(&log.trail, &|| false);
    assert!(read(&log, &index, "actor:nobody", Order::Newest) <= 2 * 64);
}

#[test]
fn the_thread_of_a_server_learns_the_newest_entries() {
    let log = with_long_events(128);
    let served = Arc::new(log.index());
    let indexer = Indexer::start(&log.trail, &served).unwrap();
    let begin = Instant::now();
    // No search learns blocks as large as these.
    while read(&log, &served, "nowhere", Order::Newest) > 64 {
        assert!(begin.elapsed() < Duration::from_secs(300));
        // The thread yields to whoever asks.
        std::thread::sleep(Duration::from_secs(1));
    }
    indexer.stop();
}

/// All that a line finds with such a budget, page by page, and the entries that each page read.
fn paged(log: &Log, index: &Index, order: Order, change: impl Fn(&mut Ask)) -> (Vec<u64>, Vec<(u64, Option<Stopped>)>) {
    let mut ask = asked("outcome:* OR source:*", order, 10_000);
    change(&mut ask);
    let (mut hits, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = log.ask(index, &ask);
        hits.extend(page.hits.iter().map(|hit| hit.index));
        pages.push((page.read, page.stopped));
        match page.next {
            Some(next) => ask.cursor = Some(next),
            None => return (hits, pages),
        }
    }
}

#[test]
fn a_search_of_the_newest_entries_keeps_to_its_budget_and_goes_on_where_it_stopped() {
    let log = Log::new();
    log.send("aws", "aws_cloudtrail", &draw(&mut TestRunner::deterministic(), cloudtrail(), 200));
    let size = log.trail.view().size;
    for order in [Order::Newest, Order::Oldest] {
        let index = log.index();
        let mut expected = log.naive("outcome:* OR source:*");
        if order == Order::Newest {
            expected.reverse();
        }
        // So many entries, across the edges of blocks.
        let (hits, pages) = paged(&log, &index, order, |ask| ask.budget.entries = 25);
        assert_eq!(hits, expected);
        let (last, full) = pages.split_last().unwrap();
        assert!(full.iter().all(|page| *page == (25, Some(Stopped::Entries))), "{pages:?}");
        assert!(last.0 <= 25 && full.len() as u64 >= size / 25 - 1);
        // No time at all: one entry is compared each time, the next in the order, and nothing is passed over.
        let (hits, pages) = paged(&log, &index, order, |ask| ask.budget.time = Duration::ZERO);
        assert_eq!(hits, expected);
        assert!(pages.iter().all(|(read, stopped)| *read <= 1 && (*stopped == Some(Stopped::Time) || stopped.is_none())), "{pages:?}");
    }
}
