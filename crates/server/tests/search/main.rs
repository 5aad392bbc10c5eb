//! Search over a real log: every answer equals comparing every entry with the line, whatever is known of
//! the files, and whatever happened to that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that panics has failed"
)]

mod altered;
mod counts;
mod forged;
mod glance;
mod log;
mod recheck;
mod tail;

use std::sync::Arc;
use std::time::Duration;

use indelible::search::{Ask, Budget, Cursor, Index, Order, Stopped, parse, search};
use indelible::source::Catalog;
use log::{LINES, Log, asked, draw, word};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

#[test]
fn a_pattern_of_times_says_nothing_of_those_between_two_that_look_so() {
    let log = Log::new();
    let at = |hour: u32| {
        format!(r#"{{"eventVersion":"1.09","eventTime":"2026-02-01T{hour:02}:00:00Z","eventSource":"iam.amazonaws.com","eventName":"X"}}"#)
    };
    log.send("aws", "aws_cloudtrail", &[at(10), at(11), at(12), at(10), at(23), at(20)]);
    log.trail.flush().unwrap();
    let index = log.index();
    log.make_all(&index);
    // The first and the last look so.
    for (line, count) in [("entry:event time:*T?0*", 3), ("entry:event NOT time:*T?0*", 3), ("source:aws time:*T*:00:*", 6)] {
        let expected = log.naive(line);
        assert_eq!((expected.len(), log.all(&index, line, Order::Oldest, 40).0), (count, expected.clone()), "{line}");
    }
}

#[test]
fn every_line_finds_what_comparing_everything_finds_with_and_without_an_index() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let (none, index) = (Index::none(Arc::clone(&log.catalog)), log.index());
    assert!(log.make_all(&index) >= 4);
    let mut nothing = Vec::new();
    for line in LINES {
        let mut expected = log.naive(line);
        nothing.extend(expected.is_empty().then_some(*line));
        for (which, with) in [("no index", &none), ("an index", &index)] {
            assert_eq!(log.all(with, line, Order::Oldest, 40).0, expected, "{line:?} with {which}");
        }
        expected.reverse();
        assert_eq!(log.all(&index, line, Order::Newest, 1_000).0, expected, "{line:?} newest first");
    }
    assert_eq!(
        nothing,
        ["received:<2026-03-10", "raw.none:*", "source:a* kind:aws_cloudtrail session:*", "actor:unknown", "nowhere"],
        "the others find something"
    );
    for needle in ["nowhere", "actor:nobody", "ip:192.0.2.1", "since:2026-03-11", "source:elsewhere", "index:9"] {
        let (_, ruled_out) = log.all(&index, needle, Order::Newest, 10);
        assert!(ruled_out >= 256, "{needle} rules files out: {ruled_out}");
    }
}

#[test]
fn what_a_leaf_tells_is_answered_without_a_payload() {
    let log = Log::filled(&mut TestRunner::deterministic());
    log.trail.flush().unwrap();
    let none = Index::none(Arc::clone(&log.catalog));
    let read = |line: &str| {
        let found = log.ask(&none, &asked(line, Order::Newest, 1_000));
        assert_eq!(found.hits.iter().map(|hit| hit.index).rev().collect::<Vec<_>>(), log.naive(line), "{line}");
        (found.read, found.hits.len() as u64)
    };
    for line in ["entry:record", "source:okta-prod index:<60", "NOT (source:aws OR source:okta-prod)", "entry:act received:>2020-01-01"] {
        let (read, hits) = read(line);
        assert!(hits > 0 && read == hits, "{line}: {read} read for {hits}");
    }
    let (read, hits) = read("source:app nowhere");
    assert!(hits == 0 && read > 0 && read < log.trail.view().size / 3, "{read}");
}

/// Lines that nobody wrote, over values that the events have.
fn any_line() -> impl Strategy<Value = String> {
    let field = prop::sample::select(vec![
        "",
        "",
        "actor:",
        "target:",
        "action:",
        "outcome:",
        "ip:",
        "source:",
        "kind:",
        "id:",
        "user_agent:",
        "message:",
        "region:",
        "account:",
        "raw.user:",
        "raw.requestParameters.roleName:",
        "raw.a.b.c:",
        "ocsf.metadata.event_code:",
        "index:",
        "entry:",
    ]);
    let value = prop_oneof![
        word().prop_map(|word| format!("\"{word}\"")),
        (0_u8..4).prop_map(|n| format!("person{n}")),
        prop::sample::select(vec![
            "iam.*",
            "*Policy",
            "10.0.0.0/15",
            "ConsoleLogin",
            "[10 TO 20]",
            ">=a",
            "event",
            "okta-prod",
            "?",
            "a*c",
            "12"
        ])
        .prop_map(str::to_owned),
    ];
    let term = (field, value)
        .prop_map(|(field, value)| if field.is_empty() { value.replace(['[', ']', '>'], "") } else { format!("{field}{value}") });
    term.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|line| format!("NOT ({line})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|lines| format!("({})", lines.join(" "))),
            prop::collection::vec(inner, 2..4).prop_map(|lines| format!("({})", lines.join(" OR "))),
        ]
    })
}

/// All files below a directory, in the order of their names.
fn files_below(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { files.extend(files_below(&entry)) } else { files.push(entry) }
    }
    files.sort();
    files
}

#[test]
fn random_lines_over_random_events_find_the_same_whatever_became_of_the_index() {
    let mut random = TestRunner::deterministic();
    let log = Log::filled(&mut random);
    let index = log.index();
    log.make_all(&index);
    let mut files = files_below(&log.dir.path().join("derived"));
    for round in 0..90_usize {
        let line = draw(&mut random, any_line(), 1).remove(0);
        if parse(&line).is_err() {
            continue;
        }
        let order = if round % 2 == 0 { Order::Newest } else { Order::Oldest };
        let mut expected = log.naive(&line);
        if order == Order::Newest {
            expected.reverse();
        }
        // Absent, cut short, and with a byte changed anywhere.
        let path = &files[round % files.len()];
        match std::fs::read(path) {
            Ok(bytes) if round % 5 == 1 => std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap(),
            Ok(mut bytes) if round % 5 == 3 => {
                let at = round * 977 % bytes.len();
                bytes[at] ^= 1 << (round % 8);
                std::fs::write(path, bytes).unwrap();
            }
            Ok(_) if round % 10 == 4 => std::fs::remove_file(path).unwrap(),
            Ok(_) => {}
            Err(_) => {
                log.make_all(&index);
                files = files_below(&log.dir.path().join("derived"));
            }
        }
        let index = if round % 3 == 0 { &log.index() } else { &index };
        assert_eq!(log.all(index, &line, order, round % 40 + 1).0, expected, "{line}");
    }
}

#[test]
fn an_index_of_other_maps_or_kinds_is_stale() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    let maps = tempfile::tempdir().unwrap();
    let other = maps.path().join("aws_cloudtrail");
    std::fs::create_dir(&other).unwrap();
    let map = indelible::source::catalog::BUILT_IN.iter().find(|built_in| built_in.kind == "aws_cloudtrail").unwrap().map;
    std::fs::write(other.join("map.toml"), format!("{map}\n# another\n")).unwrap();
    let catalog = Arc::new(Catalog::built_in().with_directory(maps.path()).unwrap());
    let with_other_maps = Index::kept_in(log.dir.path().join("derived"), catalog);
    let view = log.trail.view();
    let events = view.state.payload_files.values().find(|file| file.class == 1).unwrap();
    assert!(index.is_made(events, &view.state));
    assert!(!with_other_maps.is_made(events, &view.state));
    let mut state = (*view.state).clone();
    state.sources.values_mut().for_each(|source| source.kind = "zoom".into());
    assert!(!index.is_made(events, &state), "a source that is of another kind now");
}

#[test]
fn an_event_is_found_at_once_and_pages_stay_as_they_were_while_more_come() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    log.send("app", "unknown", &[r#"{"text":"brandnew"}"#.to_owned()]);
    assert_eq!(log.all(&index, "brandnew", Order::Newest, 10).0.len(), 1);
    for order in [Order::Newest, Order::Oldest] {
        let mut expected = log.naive("source:app");
        if order == Order::Newest {
            expected.reverse();
        }
        let (mut ask, mut seen, mut tree) = (asked("source:app", order, 9), Vec::new(), None);
        loop {
            let page = log.ask(&index, &ask);
            assert_eq!(*tree.get_or_insert((page.size, page.root)), (page.size, page.root), "all pages cover one tree");
            assert_eq!(log.trail.reader().root_at(page.size).unwrap(), page.root);
            seen.extend(page.hits.iter().map(|hit| hit.index));
            log.send("app", "unknown", &[r#"{"text":"brandnew"}"#.to_owned(), "more".to_owned()]);
            while log.trail.seal_due().unwrap() {}
            match page.next {
                Some(next) => ask.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_cursor_of_another_search_is_refused() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    let cursor = log.ask(&index, &asked("source:app", Order::Newest, 1)).next;
    for (line, order) in [("source:aws", Order::Newest), ("source:app", Order::Oldest)] {
        let ask = Ask { cursor, ..asked(line, order, 1) };
        assert!(search(&log.trail, &index, &log.directory, &ask).is_err(), "{line}");
    }
    let beyond = cursor.map(|cursor| Cursor { size: cursor.size + 1_000, ..cursor });
    assert!(search(&log.trail, &index, &log.directory, &Ask { cursor: beyond, ..asked("source:app", Order::Newest, 1) }).is_err());
}

#[test]
fn a_search_stops_at_each_of_its_bounds_and_says_where_it_goes_on() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = Index::none(Arc::clone(&log.catalog));
    let unbounded = asked("nowhere", Order::Newest, 10).budget;
    let bounded = |budget: Budget, line: &str| log.ask(&index, &Ask { budget, ..asked(line, Order::Newest, 10) });
    let size = log.trail.view().size;
    let time = bounded(Budget { time: Duration::ZERO, ..unbounded }, "nowhere");
    assert_eq!(time.stopped, Some(Stopped::Time));
    assert!(time.range.start > 0 && time.range.end == size && time.next.unwrap().at == time.range.start);
    let entries = bounded(Budget { entries: 1, ..unbounded }, "nowhere");
    assert_eq!(entries.stopped, Some(Stopped::Entries));
    assert!(entries.next.is_some());
    let bytes = bounded(Budget { bytes: 1, ..unbounded }, "source:aws");
    assert_eq!((bytes.stopped, bytes.hits.len()), (Some(Stopped::Bytes), 1));
    let hits = bounded(Budget { hits: 3, ..unbounded }, "source:aws");
    assert_eq!((hits.stopped, hits.hits.len()), (Some(Stopped::Hits), 3));
    assert_eq!(hits.range.start, hits.hits[2].index);
}

#[test]
fn more_matches_than_a_thread_holds_are_found_all_the_same() {
    let log = Log::new();
    // 20 MiB in one payload file, of which a step holds 16 and what was read last.
    let text = "needle ".repeat(6_000);
    let events: Vec<String> = (0..500).map(|nth| format!(r#"{{"number":{nth},"text":"{text}"}}"#)).collect();
    events.chunks(100).for_each(|events| log.send("app", "unknown", events));
    log.trail.flush().unwrap();
    let none = Index::none(Arc::clone(&log.catalog));
    for order in [Order::Newest, Order::Oldest] {
        let found = log.ask(&none, &asked("needle source:app", order, 1_000));
        let mut hits: Vec<u64> = found.hits.iter().map(|hit| hit.index).collect();
        assert!(hits.is_sorted_by(|one, next| if order == Order::Newest { one > next } else { one < next }));
        hits.sort_unstable();
        hits.dedup();
        assert_eq!((hits.len(), found.read), (500, 500), "{order:?}: each once");
        assert_eq!(found.read + found.ruled_out, log.trail.view().size);
    }
}

#[test]
fn each_page_lists_what_cannot_be_read_where_it_goes_and_no_further() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    log.make_all(&index);
    let state = Arc::clone(&log.trail.view().state);
    let file = state.payload_files.values().filter(|file| file.class == 1).nth(1).unwrap().clone();
    let lines = ["*", "outcome:failure", "action:*User"];
    let matching = lines.map(|line| log.naive(line));
    std::fs::remove_file(log.dir.path().join("trail").join(file.name())).unwrap();
    let in_file = |index: &u64| log.trail.reader().leaf(*index).unwrap().class == file.class;
    let expected: Vec<u64> = (file.first..file.end()).filter(in_file).collect();
    let both = [Order::Newest, Order::Oldest].into_iter();
    for (order, nth) in both.flat_map(|order| (0..lines.len()).map(move |nth| (order, nth))) {
        let (line, matching) = (lines[nth], &matching[nth]);
        let (mut ask, mut gaps, mut hits) = (asked(line, order, 3), Vec::new(), Vec::new());
        loop {
            let page = log.ask(&index, &ask);
            let missing: Vec<u64> = page.unreadable.iter().flat_map(|gap| gap.first..gap.end).collect();
            assert!(missing.iter().all(|index| page.range.contains(index)), "{line} {order:?}: {:?} of {:?}", page.unreadable, page.range);
            assert_eq!(page.read + page.ruled_out + missing.len() as u64, page.range.end - page.range.start, "{line} {order:?}");
            hits.extend(page.hits.iter().map(|hit| hit.index));
            gaps.extend(missing);
            let Some(next) = page.next else { break };
            ask.cursor = Some(next);
        }
        gaps.sort_unstable();
        hits.sort_unstable();
        assert_eq!(gaps, expected, "{line} {order:?}: each once, by one page");
        let readable: Vec<u64> = matching.iter().copied().filter(|index| !expected.contains(index)).collect();
        assert_eq!(hits, readable, "{line} {order:?}: nothing else is passed over");
    }
}

#[test]
fn a_payload_file_that_is_gone_or_altered_is_reported_and_hides_nothing_else() {
    for indexed in [false, true] {
        let log = Log::filled(&mut TestRunner::deterministic());
        let index = log.index();
        if indexed {
            log.make_all(&index);
        }
        let before = log.naive("source:aws");
        let state = Arc::clone(&log.trail.view().state);
        let file = state.payload_files.values().find(|file| file.class == 1).unwrap().clone();
        let path = log.dir.path().join("trail").join(file.name());
        let kept = std::fs::read(&path).unwrap();

        std::fs::write(&path, kept.iter().map(|byte| byte ^ 0x55).collect::<Vec<_>>()).unwrap();
        let found = log.ask(&log.index(), &asked("source:aws", Order::Newest, 10_000));
        assert!(!found.unreadable.is_empty(), "altered bytes that are read are reported");

        std::fs::write(&path, &kept).unwrap();
        std::fs::remove_file(&path).unwrap();
        // A line that the index alone would answer with "not here" reports it too.
        for line in ["source:aws", "nowhere"] {
            let found = log.ask(&index, &asked(line, Order::Oldest, 10_000));
            assert!(found.unreadable.iter().all(|gap| gap.why.contains(&file.name())), "{:?}", found.unreadable);
            // What is reported is what stood in the file, and nothing that stands in others.
            let missing: Vec<u64> = found.unreadable.iter().flat_map(|gap| gap.first..gap.end).collect();
            let class = |index: &u64| log.trail.reader().leaf(*index).unwrap().class;
            let in_file: Vec<u64> = (file.first..file.end()).filter(|index| class(index) == file.class).collect();
            assert_eq!(missing, in_file, "{line} {indexed}");
            let expected: Vec<_> =
                if line == "nowhere" { Vec::new() } else { before.iter().copied().filter(|index| *index >= file.end()).collect() };
            assert_eq!(found.hits.iter().map(|hit| hit.index).collect::<Vec<_>>(), expected);
        }

        std::fs::write(&path, kept).unwrap();
        assert_eq!(log.all(&log.index(), "source:aws", Order::Oldest, 10_000).0, before);
    }
}
