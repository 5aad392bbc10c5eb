//! Counts by the values of fields and over time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use indelible::search::counts::{COUNTED, CountAsk, Counts, Histogram};
use indelible::search::document::{Document, Knowing};
use indelible::search::field::Name;
use indelible::search::{Index, count, parse};
use proptest::test_runner::TestRunner;

use crate::any_line;
use crate::log::{LINES, Log, NOW, draw};
use crate::tail::with_a_tail;

fn counted(log: &Log, index: &Index, line: &str, facets: &[Name]) -> Counts {
    let (query, facets, time) = (parse(line).unwrap(), facets.to_vec(), Duration::from_secs(600));
    let ask = CountAsk { query, size: None, now_ms: NOW, facets, histogram: true, time };
    count(&log.trail, index, &log.directory, &ask).unwrap()
}

/// Holds the counts of all lines against comparing every entry.
fn assert_counts(log: &Log, indexes: &[(&str, &Index)]) {
    let facets: Vec<Name> = COUNTED.iter().copied().chain([Name::Source]).collect();
    let view = log.trail.view();
    let knowing = Knowing { catalog: &log.catalog, directory: &log.directory, state: &view.state, recent: None };
    // The time and the first values of every entry.
    let all: Vec<_> = (0..view.size)
        .map(|index| {
            let entry = log.trail.reader().entry(index).unwrap();
            let document = Document::new(&entry, knowing);
            (document.time_ms(), facets.iter().map(|name| document.first(*name)).collect::<Vec<_>>())
        })
        .collect();
    for line in LINES {
        let matching: Vec<_> = log.naive(line).into_iter().map(|index| &all[index as usize]).collect();
        for (which, index) in indexes {
            let counts = counted(log, index, line, &facets);
            assert_eq!(counts.matches, matching.len() as u64, "{line:?} with {which}");
            assert_eq!((counts.left_out, counts.unreadable.len(), counts.root), (0, 0, view.root));
            for (nth, (name, values)) in counts.facets.iter().enumerate() {
                let mut expected = BTreeMap::<String, u64>::new();
                matching.iter().filter_map(|(_, firsts)| firsts[nth].clone()).for_each(|value| *expected.entry(value).or_default() += 1);
                let counted: BTreeMap<String, u64> =
                    values.top(10_000).into_iter().map(|(value, count)| (value.to_owned(), count)).collect();
                assert_eq!(counted, expected, "{line:?} by {} with {which}", name.word());
            }
            let mut expected = Histogram::default();
            matching.iter().for_each(|(time_ms, _)| expected.add(*time_ms, 1));
            assert_eq!(counts.histogram.unwrap().buckets(), expected.buckets(), "{line:?} with {which}");
        }
    }
}

#[test]
fn counts_are_those_of_comparing_everything_with_and_without_an_index() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let (none, index) = (Index::none(Arc::clone(&log.catalog)), log.index());
    log.make_all(&index);
    assert_counts(&log, &[("no index", &none), ("an index", &index)]);
}

#[test]
fn the_newest_entries_are_counted_by_what_is_learnt_of_them() {
    let (log, behind) = with_a_tail(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    for line in ["*", "since:2000-01-01 NOT source:okta*", "outcome:failure OR NOT action:Create* ip:10.0.0.0/8"] {
        // What does not fill a block yet is read, on both sides.
        let read = counted(&log, &index, line, &[Name::Actor, Name::Source]).read;
        assert!(read <= 2 * 64, "{line}: {read} of {behind}");
    }
    assert_counts(&log, &[("a tail that was learnt", &index)]);
    // A search confirms what it finds: only here is it seen whether what says that it is exact is so.
    for line in draw(&mut TestRunner::deterministic(), any_line(), 150).iter().filter(|line| parse(line).is_ok()) {
        assert_eq!(counted(&log, &index, line, &[]).matches, log.naive(line).len() as u64, "{line:?}");
    }
}

#[test]
fn a_block_is_read_for_the_field_that_has_a_long_value_alone() {
    let log = Log::new();
    let event = |actor: &str| {
        format!(
            r#"{{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","eventName":"CreateUser","userIdentity":{{"type":"IAMUser","userName":"{actor}"}}}}"#
        )
    };
    let events: Vec<String> = (0..256).map(|nth| if nth == 100 { event(&"x".repeat(300)) } else { event("ana") }).collect();
    log.send("aws", "aws_cloudtrail", &events);
    let index = log.index();
    index.learn_tail(&log.trail, &|| false);
    let counts = counted(&log, &index, "*", &[Name::Actor]);
    let [(_, actors)] = counts.facets.as_slice() else { panic!("one facet") };
    // Its block, and what does not fill one.
    assert_eq!((actors.top(2), counts.read >= 64), (vec![("ana", 255), (&*"x".repeat(300), 1)], true));
    let counts = counted(&log, &index, "*", &[Name::Action, Name::Source]);
    assert!(counts.matches == 256 && counts.read < 64, "{} of other fields", counts.read);
}

#[test]
fn a_count_says_what_it_left_out_and_what_it_could_not_read() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    let ask = |time| CountAsk { query: parse("").unwrap(), size: None, now_ms: NOW, facets: Vec::new(), histogram: false, time };
    let counts = |time| count(&log.trail, &index, &log.directory, &ask(time)).unwrap();
    let size = log.trail.view().size;
    assert_eq!((counts(Duration::ZERO).matches, counts(Duration::ZERO).left_out), (0, size));
    let all = counts(Duration::from_secs(600)).matches;
    let state = Arc::clone(&log.trail.view().state);
    let file = state.payload_files.values().find(|file| file.class == 1).unwrap();
    std::fs::remove_file(log.dir.path().join("trail").join(file.name())).unwrap();
    let without = counts(Duration::from_secs(600));
    let unreadable: u64 = without.unreadable.iter().map(|gap| gap.end - gap.first).sum();
    assert!(without.matches < all && without.matches + unreadable >= all, "{} of {all}, {unreadable}", without.matches);
}
