#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::fake::{Fake, gzip};
use super::*;
use crate::intake::limits::EVENT_BYTES_MAX;

/// A watch with the log that it fills: events and the newest cursor, committed together.
struct Following {
    fake: Fake,
    rules: WatchRules,
    watch: Watch<Fake>,
    log: Vec<String>,
    cursor: Option<Vec<u8>>,
}

impl Following {
    fn new(rules: WatchRules) -> Self {
        let fake = Fake::default();
        fake.wait(1_000_000);
        let watch = Watch::new(fake.clone(), rules.clone(), Places::default());
        Self { fake, rules, watch, log: Vec::new(), cursor: None }
    }

    fn plain() -> Self {
        Self::new(WatchRules::default())
    }

    /// Reads what there is; gives what was added.
    fn read(&mut self) -> Vec<String> {
        let before = self.log.len();
        self.watch.look(self.fake.now_ms()).unwrap();
        while let Some(portion) = self.watch.next(self.fake.now_ms(), usize::MAX) {
            self.commit(portion);
        }
        self.log[before..].to_vec()
    }

    fn commit(&mut self, portion: Portion) {
        let StreamBatch { body, decoded, .. } = &portion.gathered;
        self.log.extend(decoded.events.iter().map(|event| String::from_utf8_lossy(event.raw(body)).into_owned()));
        self.cursor = Some(portion.cursor.clone());
        self.watch.kept(portion);
    }

    fn restart(&mut self) {
        let places = self.cursor.as_ref().map_or_else(Places::default, |cursor| Places::decode(cursor).unwrap());
        self.watch = Watch::new(self.fake.clone(), self.rules.clone(), places);
    }
}

#[test]
fn lines_are_read_once_as_they_come_and_a_partial_one_waits() {
    let mut following = Following::plain();
    following.fake.append("a.log", "one\ntwo\nthr");
    assert_eq!(following.read(), ["one", "two"]);
    following.restart();
    assert_eq!(following.read(), [""; 0]);
    following.fake.append("a.log", "ee\r\n\n{\"four\": 4} \n");
    assert_eq!(following.read(), ["three", "{\"four\": 4}"]);
    assert_eq!(following.read(), [""; 0]);
}

#[test]
fn a_renamed_file_is_read_to_its_end_whatever_its_new_name() {
    let mut following = Following::new(WatchRules { patterns: vec![Wildcard::new("*.log")], ..WatchRules::default() });
    following.fake.append("a.log", "one\n");
    assert_eq!(following.read(), ["one"]);
    following.fake.append("a.log", "two\nthree");
    following.fake.rename("a.log", "old-a");
    following.fake.append("a.log", "four\n");
    following.restart();
    assert_eq!(following.read(), ["two", "four"]);
    following.fake.append("old-a", "!\nfive");
    assert_eq!(following.read(), ["three!"]);
    following.fake.wait(59_999);
    assert_eq!(following.read(), [""; 0]);
    following.fake.wait(1);
    assert_eq!(following.read(), ["five"], "nothing is added to it any more");
}

#[test]
fn an_open_file_is_read_to_its_end_when_it_is_deleted() {
    let mut following = Following::plain();
    following.fake.append("a.log", "one\n");
    assert_eq!(following.read(), ["one"]);
    following.fake.append("a.log", "two\nthree");
    following.fake.delete("a.log");
    following.fake.append("b.log", "four\n");
    assert_eq!(following.read(), ["two", "three", "four"]);
}

#[test]
fn a_truncated_file_begins_anew_and_its_rest_is_read_from_the_copy() {
    let mut following = Following::plain();
    following.fake.append("a.log", "one\ntwo\n");
    assert_eq!(following.read(), ["one", "two"]);
    following.fake.append("a.log", "three\n");
    following.fake.append("a.log.1", following.fake.content("a.log"));
    following.fake.truncate("a.log");
    following.fake.append("a.log", "a new line, longer than all that was there\n");
    following.restart();
    assert_eq!(following.read(), ["three", "a new line, longer than all that was there"]);
    following.restart();
    assert_eq!(following.read(), [""; 0]);
}

#[test]
fn a_copy_waits_while_its_original_is_not_truncated_yet() {
    let mut following = Following::plain();
    following.fake.append("a.log", "one\n");
    assert_eq!(following.read(), ["one"]);
    following.fake.append("a.log.1", "on");
    assert_eq!(following.read(), [""; 0]);
    following.fake.append("a.log.1", "e\n");
    assert_eq!(following.read(), [""; 0]);
    following.fake.append("a.log", "two\n");
    assert_eq!(following.read(), ["two"]);
    following.fake.append("a.log.1", "two\n");
    following.fake.truncate("a.log");
    assert_eq!(following.read(), [""; 0]);
    following.fake.append("a.log", "three\n");
    assert_eq!(following.read(), ["three"]);
}

#[test]
fn a_file_that_only_begins_like_another_is_read_after_a_while() {
    let mut following = Following::plain();
    following.fake.append("a.log", "banner\n");
    assert_eq!(following.read(), ["banner"]);
    following.fake.append("a.log.bak", "banner\nother\n");
    assert_eq!(following.read(), [""; 0]);
    following.fake.wait(10_000);
    assert_eq!(following.read(), ["banner", "other"]);
}

#[test]
fn a_new_file_with_the_same_banner_is_not_taken_for_the_old_one() {
    let mut following = Following::plain();
    following.fake.append("a.log", "banner\n");
    assert_eq!(following.read(), ["banner"]);
    following.fake.rename("a.log", "a.log.1");
    following.fake.append("a.log", "banner\n");
    assert_eq!(following.read(), ["banner"]);
    following.fake.delete("a.log.1");
    following.fake.rename("a.log", "a.log.1");
    following.fake.append("a.log", "banner\n");
    following.restart();
    assert_eq!(following.read(), ["banner"]);
}

#[test]
fn a_compressed_file_is_the_rest_of_the_one_that_it_replaces() {
    let mut following = Following::plain();
    following.fake.append("a.log", "one\n");
    assert_eq!(following.read(), ["one"]);
    // Rotated and compressed while nobody looked.
    following.fake.append("a.log", "two\nthree");
    let (whole, compressed) = (following.fake.content("a.log"), gzip(&following.fake.content("a.log")));
    following.fake.rename("a.log", "a.log.1");
    following.fake.append("a.log.1.gz", &compressed[..compressed.len() / 2]);
    following.fake.delete("a.log.1");
    following.restart();
    let begun = following.read();
    following.fake.append("a.log.1.gz", &compressed[compressed.len() / 2..]);
    assert_eq!([begun, following.read()].concat(), ["two", "three"], "of {whole:?}");
    following.fake.rename("a.log.1.gz", "a.log.2.gz");
    following.restart();
    assert_eq!(following.read(), [""; 0]);
}

#[test]
fn compressed_files_that_were_there_before_are_read_like_others() {
    let mut following = Following::plain();
    following.fake.append("a.log.2.gz", gzip(b"one\ntwo\n"));
    following.fake.append("a.log.1", "three\n");
    following.fake.append("a.log", "four\n");
    following.fake.append("a.log.9.xz", "?");
    let mut read = following.read();
    read.sort();
    assert_eq!(read, ["four", "one", "three", "two"]);
    assert_eq!(following.watch.take_troubles(), ["compression_unknown"]);
    following.read();
    assert_eq!(following.watch.take_troubles(), [""; 0], "said once");
}

#[test]
fn a_damaged_compressed_file_is_said_once_and_its_beginning_kept() {
    let mut following = Following::plain();
    let mut compressed = gzip("a line\n".repeat(100_000).as_bytes());
    let end = compressed.len();
    compressed[end / 2] ^= 0xff;
    following.fake.append("a.log.1.gz", &compressed);
    following.read();
    following.read();
    assert_eq!(following.watch.take_troubles(), ["file_damaged"]);
}

#[test]
fn a_file_that_is_one_wrapper_is_read_as_one_when_it_is_complete() {
    let mut following = Following::plain();
    following.fake.append("trail.json", "{\n \"Records\": [{\"a\":1},\n");
    assert_eq!(following.read(), [""; 0]);
    following.fake.append("trail.json", " {\"a\":2}] }\n");
    assert_eq!(following.read(), [""; 0]);
    following.fake.wait(5_000);
    assert_eq!(following.read(), ["{\"a\":1}", "{\"a\":2}"]);
    following.fake.append("b/other.json.gz", gzip(b"[{\"b\":1},{\"b\":2}]"));
    following.fake.append("lines.json", "{\"c\":1}\n{\"c\":2}\n");
    following.restart();
    assert_eq!(following.read(), ["{\"c\":1}", "{\"c\":2}"]);
    following.fake.wait(5_000);
    assert_eq!(following.read(), ["{\"b\":1}", "{\"b\":2}"]);
    following.restart();
    following.fake.wait(5_000);
    assert_eq!(following.read(), [""; 0]);
}

#[test]
fn a_wrapper_may_be_kept_in_parts_and_goes_on_behind_the_last_one() {
    let mut following = Following::plain();
    let body = format!("{{\"Records\":[{}]}}", (0..10).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
    following.fake.append("t.json", body);
    following.fake.wait(5_000);
    for _ in 0..3 {
        following.watch.look(following.fake.now_ms()).unwrap();
        let portion = following.watch.next(following.fake.now_ms(), 3).unwrap();
        assert_eq!(portion.gathered.decoded.events.len(), 3);
        following.commit(portion);
        following.restart();
    }
    assert_eq!(following.read(), ["9"]);
    assert_eq!(following.log.join(""), "0123456789");
}

#[test]
fn files_of_which_everything_is_kept_are_removed_when_asked() {
    let mut following = Following::new(WatchRules { remove: true, ..WatchRules::default() });
    following.fake.append("a.json.gz", gzip(b"{\"Records\":[1,2]}"));
    following.fake.append("b.log.gz", gzip(b"three\n"));
    following.fake.append("c.log", "four\n");
    following.fake.wait(5_000);
    assert_eq!(following.read().len(), 4);
    assert_eq!(following.fake.names(), ["c.log"]);
}

#[test]
fn a_line_over_the_limit_is_kept_cut_and_the_next_one_whole() {
    let mut following = Following::plain();
    following.fake.append("a.log", [&vec![b'x'; EVENT_BYTES_MAX + 7][..], b"\nnext\n"].concat());
    following.watch.look(following.fake.now_ms()).unwrap();
    let portion = following.watch.next(following.fake.now_ms(), 1).unwrap();
    let event = &portion.gathered.decoded.events[0];
    assert_eq!((event.len as usize, event.truncated.as_ref().unwrap().bytes as usize), (EVENT_BYTES_MAX, EVENT_BYTES_MAX + 7));
    following.commit(portion);
    assert_eq!(following.read(), ["next"]);
}

#[test]
fn more_files_than_a_cursor_holds_are_said_and_not_begun() {
    let mut following = Following::plain();
    for number in 0..1_000 {
        following.fake.append(&format!("{number}.log"), format!("{number}\n"));
    }
    let read = following.read().len();
    assert!((500..1_000).contains(&read), "{read}");
    assert_eq!(following.watch.take_troubles(), vec!["too_many_files"; 1_000 - read]);
    assert!(following.cursor.as_ref().unwrap().len() < 64 << 10);
}

#[test]
fn fewer_events_can_be_asked_for_and_none_is_skipped() {
    let mut following = Following::plain();
    following.fake.append("a.log", (0..100).map(|n| format!("{n}\n")).collect::<String>());
    following.watch.look(0).unwrap();
    let portion = following.watch.next(0, usize::MAX).unwrap();
    assert_eq!(portion.gathered.decoded.events.len(), 100);
    following.watch.not_kept(&portion);
    let portion = following.watch.next(0, 7).unwrap();
    assert_eq!(portion.gathered.decoded.events.len(), 7);
    following.commit(portion);
    following.read();
    assert_eq!(following.log, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[test]
fn few_files_stay_open_and_one_that_was_closed_is_read_on() {
    let mut following = Following::plain();
    for number in 0..100 {
        following.fake.wait(1);
        following.fake.append(&format!("{number}.log"), format!("{number}\n"));
    }
    assert_eq!(following.read().len(), 100);
    assert_eq!(following.read(), [""; 0]);
    assert_eq!(following.watch.tracked.iter().filter(|tracked| tracked.lines.is_some()).count(), IDLE_OPEN_MAX);
    following.fake.append("0.log", "more\n");
    assert_eq!(following.read(), ["more"]);
}

#[test]
fn one_whole_file_at_a_time_is_held_in_memory() {
    let mut following = Following::plain();
    for name in ["a.json", "b.json"] {
        following.fake.append(name, "{\"Records\":[1,2,3,4]}");
    }
    following.fake.wait(5_000);
    following.watch.look(following.fake.now_ms()).unwrap();
    for _ in 0..4 {
        let portion = following.watch.next(following.fake.now_ms(), 2).unwrap();
        assert!(following.watch.tracked.iter().filter(|tracked| tracked.whole.is_some()).count() == 1);
        following.commit(portion);
    }
    assert_eq!(following.log.join(""), "12341234");
}

#[test]
fn complete_files_that_wait_are_read_in_the_order_of_their_times_and_no_other_file_waits_for_them() {
    let mut following = Following::plain();
    for nth in 0..8 {
        let (whole, lines) = (format!("{{\"Records\":[\"whole {nth}\"]}}"), format!("line {nth}\n"));
        following.fake.append(&format!("{nth}.json.gz"), gzip(whole.as_bytes()));
        following.fake.append(&format!("{nth}.log.gz"), gzip(lines.as_bytes()));
        following.fake.wait(1_000);
    }
    following.fake.append("a.log", "open\n");
    following.fake.wait(5_000);
    following.watch.look(following.fake.now_ms()).unwrap();
    for _ in 0..5 {
        let portion = following.watch.next(following.fake.now_ms(), 1).unwrap();
        following.commit(portion);
    }
    following.restart();
    following.read();
    let of = |kind: &str| following.log.iter().filter(|raw| raw.contains(kind)).cloned().collect::<Vec<_>>();
    assert_eq!(of("whole"), (0..8).map(|nth| format!("\"whole {nth}\"")).collect::<Vec<_>>());
    assert_eq!(of("line"), (0..8).map(|nth| format!("line {nth}")).collect::<Vec<_>>());
    assert_eq!(of("open"), ["open"]);
}
