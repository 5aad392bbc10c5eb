//! Cursors: how far pollers have read is committed with what they read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;

use evidence::act::ConnectionAct;
use evidence::leaf::Kind;
use indelible::log::batch::{BatchBuilder, HeadedBlock, NewEntry};
use indelible::log::cursors::{CURSOR_BYTES_MAX, Cursor};
use indelible::log::intent::Intent;
use indelible::log::sequencer::{AppendError, Outcome, Wholeness};
use indelible::log::window::IdOrigin;
use indelible::store::media::SimMedia;
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::store::wal::WalLimits;

fn open(media: &SimMedia) -> Arc<Trail> {
    let options = TrailOptions {
        segment_leaves: 256,
        wal: WalLimits { file_bytes: 16 << 10, spare_files: 1 },
        seal: SealPolicy { flush_bytes: 48 << 10, flush_age_ms: u64::MAX, look_ms: 10 },
        threads: false,
        ..TrailOptions::main("/sim")
    };
    Trail::open(Arc::new(media.clone()), &options).unwrap()
}

fn events(trail: &Trail, texts: &[String]) -> Vec<HeadedBlock> {
    let mut builder = BatchBuilder::with_capacity(texts.len(), 0);
    for raw in texts.iter().map(String::as_bytes) {
        let entry = NewEntry {
            kind: Kind::Event,
            source: 0,
            class: 1,
            facts: br#"{"cut":1,"door":"test","map":0,"source":"test","v":1}"#.as_slice().into(),
            people: b"{}".as_slice().into(),
            raw,
            id: Some((IdOrigin::Record, trail.ids().mark(IdOrigin::Record, 0, raw, raw))),
        };
        builder.push(&entry).unwrap();
    }
    builder.finish()
}

fn poll(trail: &Trail, texts: &[&str], cursor: &str) -> Vec<Outcome> {
    let texts: Vec<_> = texts.iter().map(ToString::to_string).collect();
    let moves = vec![Cursor { name: "okta".into(), value: cursor.as_bytes().to_vec() }];
    trail.log().append_moving_blocking(events(trail, &texts), moves).unwrap().outcomes
}

fn cursor(trail: &Trail) -> Option<String> {
    trail.log().cursor("okta").map(|value| String::from_utf8(value).unwrap())
}

#[test]
fn a_cursor_is_as_it_was_committed_after_its_chunk_was_released() {
    let media = SimMedia::new(1);
    let trail = open(&media);
    poll(&trail, &["a", "b"], "page 2");
    assert_eq!(cursor(&trail).as_deref(), Some("page 2"));
    for n in 0..12_u64 {
        let texts: Vec<_> = (0..60).map(|k| format!("{n} {k} {}", "x".repeat(100))).collect();
        trail.log().append_blocking(events(&trail, &texts)).unwrap();
        while trail.seal_due().unwrap() {}
        trail.keep_files().unwrap();
    }
    let oldest = trail.log().shared().with_tail(|tail| tail.oldest_chunk()).unwrap();
    assert!(oldest.first >= 256, "the chunk that moved the cursor is long gone: {oldest:?}");
    drop(trail);
    let copy = media.fork();
    assert_eq!(cursor(&open(&media)).as_deref(), Some("page 2"));
    assert_eq!(cursor(&open(&copy)).as_deref(), Some("page 2"), "a copy of the directory holds it too");
}

#[test]
fn a_cursor_over_known_events_goes_into_the_next_chunk() {
    let media = SimMedia::new(2);
    let trail = open(&media);
    poll(&trail, &["a", "b"], "page 2");
    assert!(poll(&trail, &["a", "b"], "page 3").iter().all(|outcome| matches!(outcome, Outcome::Duplicate(_))));
    assert_eq!(cursor(&trail).as_deref(), Some("page 2"), "no chunk was written");
    trail.log().record_blocking(b"{}").unwrap();
    assert_eq!(cursor(&trail).as_deref(), Some("page 3"));
    drop(trail);
    assert_eq!(cursor(&open(&media)).as_deref(), Some("page 3"));
}

#[test]
fn a_removed_connection_takes_its_cursors_along() {
    let media = SimMedia::new(3);
    let trail = open(&media);
    let source = Intent::CreateSource { name: "okta-prod".into(), kind: "okta".into() };
    trail.log().act_blocking(source, b"{}".to_vec()).unwrap();
    let (settings, secrets) = (BTreeMap::new(), BTreeMap::new());
    let connection = ConnectionAct { name: "okta".into(), kind: "poll.okta".into(), source: 1, settings, secrets, enabled: true };
    trail.log().act_blocking(Intent::SetConnection(connection.clone()), b"{}".to_vec()).unwrap();
    poll(&trail, &["a"], "page 2");
    trail.log().act_blocking(Intent::RemoveConnection { name: "okta".into() }, b"{}".to_vec()).unwrap();
    assert_eq!(cursor(&trail), None);
    drop(trail);
    let trail = open(&media);
    assert_eq!((cursor(&trail), trail.view().state.connections.len()), (None, 0));
    trail.log().act_blocking(Intent::SetConnection(connection), b"{}".to_vec()).unwrap();
    poll(&trail, &["b"], "page 1");
    drop(trail);
    assert_eq!(cursor(&open(&media)).as_deref(), Some("page 1"));
}

#[test]
fn events_beside_a_cursor_that_is_too_long_are_not_kept() {
    let trail = open(&SimMedia::new(4));
    let size = trail.view().size;
    let moves = vec![Cursor { name: "okta".into(), value: vec![0; CURSOR_BYTES_MAX + 1] }];
    let refused = trail.log().append_moving_blocking(events(&trail, &["a".into()]), moves).unwrap_err();
    assert!(matches!(refused, AppendError::Cursor(_)), "{refused}");
    trail.log().record_blocking(b"{}").unwrap();
    assert_eq!((trail.view().size, cursor(&trail)), (size + 1, None));
}

#[test]
fn what_is_to_be_kept_whole_never_crosses_the_end_of_a_segment() {
    let media = SimMedia::new(5);
    let trail = open(&media);
    let filling: Vec<_> = (trail.view().size..250).map(|n| format!("{n}")).collect();
    trail.log().append_blocking(events(&trail, &filling)).unwrap();
    let texts: Vec<_> = (0..10).map(|n| format!("whole {n}")).collect();
    let moved = |cursor: &str| vec![Cursor { name: "files".into(), value: cursor.into() }];
    let whole = |texts: &[String], cursor| trail.log().append_as_blocking(events(&trail, texts), moved(cursor), Wholeness::Whole);
    let AppendError::Split { room } = whole(&texts, "all").unwrap_err() else { panic!("it was not refused") };
    assert_eq!((room, trail.view().size, trail.log().cursor("files")), (6, 250, None), "nothing is kept of it");
    whole(&texts[..room], "six").unwrap();
    whole(&texts[room..], "ten").unwrap();
    assert_eq!((trail.view().size, trail.log().cursor("files").as_deref()), (260, Some(&b"ten"[..])));
    // In parts it goes over the end of a segment, as ever.
    let many: Vec<_> = (0..300).map(|n| format!("parts {n}")).collect();
    assert_eq!(trail.log().append_blocking(events(&trail, &many)).unwrap().outcomes.len(), 300);
    let AppendError::Split { room } = whole(&(0..600).map(|n| format!("far {n}")).collect::<Vec<_>>(), "far").unwrap_err() else {
        panic!("it was not refused")
    };
    assert_eq!(room, 768 - 560);
}
