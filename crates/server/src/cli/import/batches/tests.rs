#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use super::*;

/// The raw events that entering all batches one by one keeps.
fn entered(file: &[u8], text: bool) -> (Vec<Vec<u8>>, usize) {
    let mut batches = Batches::new(file, "s", text);
    let (mut events, mut count) = (Vec::new(), 0);
    while let Some(batch) = batches.next().unwrap() {
        let decoded = decode(&batch.body, batch.media).unwrap();
        events.extend(decoded.events.iter().map(|event| event.raw(&batch.body).to_vec()));
        count += 1;
    }
    (events, count)
}

fn keys(file: &[u8]) -> Vec<String> {
    let mut batches = Batches::new(file, "s", false);
    std::iter::from_fn(|| batches.next().unwrap().map(|batch| batch.idempotency_key)).collect()
}

/// Ten-odd megabytes of events, so that they do not go as a whole.
fn many(between: &str) -> (Vec<String>, String) {
    let events: Vec<String> = (0..12_000).map(|n| format!("{{\"n\":{n},\"text\":\"{}, ]}}\\\"[\"}}", "x".repeat(900))).collect();
    let joined = events.join(between);
    (events, joined)
}

#[test]
fn a_small_file_goes_as_it_is_whatever_its_shape() {
    for file in ["{\n  \"a\": 1\n}", "[1, 2]", "{\"Records\":[{\"a\":1}]}", "{\"a\":1}\n{\"a\":2}\n", "not json\nat all"] {
        let mut batches = Batches::new(file.as_bytes(), "s", false);
        assert_eq!(batches.next().unwrap().unwrap().body, file.as_bytes());
        assert_eq!(batches.next().unwrap(), None, "{file}");
    }
    for empty in ["", " \n\n", "[]", "{\"Records\":[]}"] {
        assert_eq!(Batches::new(empty.as_bytes(), "s", false).next().unwrap(), None, "{empty:?}");
    }
}

#[test]
fn lines_of_a_large_file_are_entered_byte_for_byte() {
    for ending in ["\n", "\r\n", "\n\n"] {
        let (events, file) = many(ending);
        let (found, count) = entered(file.as_bytes(), false);
        assert!(count > 2);
        assert!(found.iter().map(Vec::as_slice).eq(events.iter().map(String::as_bytes)), "{ending:?}");
    }
}

#[test]
fn elements_of_a_large_array_are_entered_byte_for_byte() {
    let (events, joined) = many(" ,\n ");
    for file in [
        format!("[{joined}]"),
        format!(" [\n{joined}\n]\n"),
        format!("{{\"Records\": [{joined}]}}"),
        format!("{{ \"records\":[{joined}] }}\n"),
    ] {
        let (found, count) = entered(file.as_bytes(), false);
        assert!(count > 2);
        assert!(found.iter().map(Vec::as_slice).eq(events.iter().map(String::as_bytes)));
    }
}

#[test]
fn an_array_that_is_not_closed_or_has_something_behind_it_is_an_error() {
    let (_, joined) = many(",");
    for file in [
        format!("[{joined}"),
        format!("[{joined}] 1"),
        format!("[{joined}]}}"),
        format!("{{\"Records\":[{joined}],\"more\":1}}"),
        format!("[{joined},nul]"),
    ] {
        let mut batches = Batches::new(file.as_bytes(), "s", false);
        let failed = std::iter::from_fn(|| Some(batches.next())).find_map(|next| match next {
            Ok(Some(_)) => None,
            other => Some(other.is_err()),
        });
        assert_eq!(failed, Some(true));
    }
}

#[test]
fn a_line_that_is_an_array_stays_one_event_even_alone_in_its_batch() {
    let mut file = many("\n").1;
    let long = format!("[\"{}\"]", "y".repeat(BATCH_BYTES));
    file.push_str(&format!("\n{long}\n[1,2]"));
    let (found, _) = entered(file.as_bytes(), false);
    assert_eq!(found.len(), 12_002);
    assert_eq!(found.last().unwrap(), b"[1,2]");
}

#[test]
fn lines_that_together_look_like_an_array_are_entered_one_by_one() {
    let (used, body) = lines::body(b"[\n1\n]\n", 6, false);
    assert_eq!((used, body.as_deref()), (2, Some(&b"[\n"[..])));
    assert_eq!(lines::body(b"  \n\n", 4, false), (4, None));
    assert_eq!(lines::body(b"[1]\n", 4, false), (4, Some(b"[[1]]".to_vec())));
}

#[test]
fn text_lines_are_never_read_as_json() {
    let (_, file) = many("\n");
    let (found, _) = entered(file.as_bytes(), true);
    assert_eq!(found.len(), 12_000);
    assert_eq!(entered(b"[1,2]\n{}\n", true).0, [b"[1,2]".to_vec(), b"{}".to_vec()]);
}

#[test]
fn keys_repeat_for_the_same_file_and_for_nothing_else() {
    let (_, file) = many("\n");
    let first = keys(file.as_bytes());
    assert_eq!(first, keys(file.as_bytes()));
    let mut unique = first.clone();
    unique.dedup();
    assert_eq!(unique.len(), first.len());
    let changed = file.replacen("\"n\":0", "\"n\":9", 1);
    assert!(keys(changed.as_bytes()).iter().all(|key| !first.contains(key)), "content before a batch is part of its key");
}

#[test]
fn an_import_goes_on_where_it_ended_and_enters_what_was_added() {
    let (events, file) = many("\n");
    let mut batches = Batches::new(file.as_bytes(), "s", false);
    let mut before = 0;
    for _ in 0..2 {
        let batch = batches.next().unwrap().unwrap();
        before += decode(&batch.body, batch.media).unwrap().events.len();
    }
    let progress = batches.progress();
    let grown = format!("{file}\n{{\"new\":1}}\n");
    let mut again = Batches::new(grown.as_bytes(), "s", false);
    assert!(again.skip(&progress).unwrap());
    let mut after = 0;
    while let Some(batch) = again.next().unwrap() {
        after += decode(&batch.body, batch.media).unwrap().events.len();
    }
    assert_eq!(before + after, events.len() + 1);
    let other = grown.replacen('x', "z", 1);
    assert!(!Batches::new(other.as_bytes(), "s", false).skip(&progress).unwrap());
    assert!(!Batches::new(&b"short"[..], "s", false).skip(&progress).unwrap());
}

#[test]
fn how_fast_a_file_is_read_changes_nothing() {
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(self.0.len()).min(4_099);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let (_, file) = many("\n");
    let mut slow = Batches::new(Slow(file.as_bytes()), "s", false);
    let keys_of_slow: Vec<_> = std::iter::from_fn(|| slow.next().unwrap().map(|batch| batch.idempotency_key)).collect();
    assert_eq!(keys_of_slow, keys(file.as_bytes()));
}
