//! Payload files that somebody alters who knows their format.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use evidence::act::PayloadFile;
use indelible::search::{Found, Index, Order};
use proptest::test_runner::TestRunner;

use crate::log::{Log, asked};

/// By a term of the index, which holds for every entry that has it.
const LINE: &str = "actor:person1";

/// A log with an index, and the file that has most of what the line finds.
fn log_with_a_target() -> (Log, Index, PayloadFile, PathBuf) {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    let (state, expected) = (Arc::clone(&log.trail.view().state), log.naive(LINE));
    let hits = |file: &&PayloadFile| expected.iter().filter(|index| (file.first..file.end()).contains(index)).count();
    let file = state.payload_files.values().filter(|file| file.class == 1).max_by_key(hits).unwrap().clone();
    let path = log.dir.path().join("trail").join(file.name());
    (log, index, file, path)
}

/// What an answer shows, and what it says it could not.
fn split(found: &Found) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let missing = found.unreadable.iter().flat_map(|gap| gap.first..gap.end).collect();
    (found.hits.iter().map(|hit| hit.index).collect(), missing)
}

#[test]
fn whatever_byte_is_changed_a_match_is_shown_as_it_was_committed_or_reported() {
    let (log, index, file, path) = log_with_a_target();
    let (expected, whole) = (log.naive(LINE), std::fs::read(&path).unwrap());
    let original = log.ask(&index, &asked(LINE, Order::Newest, 10_000)).hits;
    let (mut reported, mut decoded, mut refused) = (0, 0, 0);
    for at in (4..whole.len()).step_by(whole.len() / 300) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        std::fs::write(&path, &altered).unwrap();
        let found = log.ask(&index, &asked(LINE, Order::Newest, 10_000));
        let (shown, missing) = split(&found);
        for hit in &found.hits {
            let as_it_was = original.iter().find(|known| known.index == hit.index).unwrap();
            assert_eq!((&hit.raw, &hit.facts, &hit.people), (&as_it_was.raw, &as_it_was.facts, &as_it_was.people), "byte {at}");
        }
        let either: BTreeSet<u64> = shown.union(&missing).copied().collect();
        assert!(expected.iter().all(|index| either.contains(index)), "byte {at}: nothing is passed over");
        assert!(missing.iter().all(|index| (file.first..file.end()).contains(index)), "byte {at}: {:?}", found.unreadable);
        // Asked for one by one.
        for known in &original {
            match log.trail.reader().committed(known.index) {
                Ok(entry) => assert_eq!((&entry.raw, &entry.people), (&known.raw, &known.people), "byte {at}"),
                Err(why) => refused += usize::from(why.to_string().contains("were altered")),
            }
        }
        reported += usize::from(!missing.is_empty());
        decoded += usize::from(found.unreadable.iter().any(|gap| gap.why.contains("were altered")));
    }
    assert!(refused > 10, "{refused}");
    assert!(reported > 20 && decoded > 10, "{reported} of the changes met a match, {decoded} of them in bytes that can be unpacked");
}

#[test]
fn a_payload_file_that_another_was_put_in_the_place_of_is_read_again() {
    let (log, _, file, path) = log_with_a_target();
    let (index, whole) =
        (log.naive(LINE).into_iter().find(|index| (file.first..file.end()).contains(index)).unwrap(), std::fs::read(&path).unwrap());
    // Open from now on.
    assert!(log.trail.reader().committed(index).is_ok());
    std::fs::write(&path, whole.iter().map(|byte| byte ^ 0x55).collect::<Vec<_>>()).unwrap();
    assert!(log.trail.reader().committed(index).is_err());
    // As whoever restores a file does it.
    let right = path.with_extension("right");
    std::fs::write(&right, &whole).unwrap();
    std::fs::rename(&right, &path).unwrap();
    let began = std::time::Instant::now();
    while log.trail.reader().committed(index).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_was_found_before_is_not_shown_from_memory_once_its_file_was_touched() {
    let (log, index, file, path) = log_with_a_target();
    let whole = std::fs::read(&path).unwrap();
    let ask = || log.ask(&index, &asked(LINE, Order::Newest, 10_000));
    // Files written a moment ago are read each time.
    std::thread::sleep(Duration::from_secs(3));
    let (before, again) = (split(&ask()), split(&ask()));
    assert_eq!(before, again);
    assert!(index.recent().len() >= before.0.len() && before.1.is_empty());

    std::fs::write(&path, whole.iter().map(|byte| byte ^ 0x55).collect::<Vec<_>>()).unwrap();
    let (shown, missing) = split(&ask());
    let (in_file, elsewhere): (BTreeSet<u64>, _) = before.0.iter().partition(|index| (file.first..file.end()).contains(index));
    assert!(!in_file.is_empty() && shown == elsewhere && missing == in_file, "{shown:?} {missing:?}");

    std::fs::write(&path, whole).unwrap();
    assert_eq!(split(&ask()), before);
}
