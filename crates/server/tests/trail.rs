//! A trail as its users see it: what goes in comes back, proved, over restarts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use evidence::leaf::Kind;
use indelible::log::batch::{BatchBuilder, HeadedBlock, NewEntry};
use indelible::log::sequencer::{AppendError, Outcome};
use indelible::log::window::{IdMark, IdOrigin};
use indelible::store::media::SimMedia;
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::store::wal::WalLimits;
use tlog::{Hash, InclusionClaim, LeafIndex, TreeSize};

fn options() -> TrailOptions {
    TrailOptions {
        segment_leaves: 256,
        wal: WalLimits { file_bytes: 64 << 10, spare_files: 1 },
        seal: SealPolicy { flush_bytes: 48 << 10, flush_age_ms: u64::MAX, look_ms: 10 },
        threads: false,
        ..TrailOptions::main("/sim")
    }
}

/// Raw bytes and, where it has one, an id.
type Sent = (Vec<u8>, Option<(IdOrigin, IdMark)>);

fn batch(events: &[Sent]) -> Vec<HeadedBlock> {
    let mut builder = BatchBuilder::with_capacity(events.len(), 0);
    for (raw, id) in events {
        let entry = NewEntry {
            kind: Kind::Event,
            source: 0,
            class: 1,
            facts: br#"{"cut":1,"door":"test","map":0,"source":"test","v":1}"#.as_slice().into(),
            people: b"{}".as_slice().into(),
            raw,
            id: *id,
        };
        builder.push(&entry).unwrap();
    }
    builder.finish()
}

fn event(n: u64) -> Sent {
    (format!(r#"{{"n":{n},"user":"u{}","text":"{}"}}"#, n % 7, "x".repeat(n as usize % 50)).into_bytes(), None)
}

fn append(trail: &Trail, events: &[Sent]) -> Vec<Outcome> {
    trail.log().append_blocking(batch(events)).unwrap().outcomes
}

fn check_entry(trail: &Trail, index: u64, raw: &[u8]) {
    let entry = trail.reader().entry(index).unwrap();
    assert_eq!(entry.raw, raw, "entry {index}");
    let view = trail.view();
    let leaf = Hash::leaf(&trail.reader().leaf_bytes(index).unwrap());
    let proof = trail.reader().inclusion(index, view.size).unwrap();
    InclusionClaim { index: LeafIndex(index), size: TreeSize(view.size), leaf, root: view.root }.verify(&proof).unwrap();
    assert_eq!(entry.leaf.hash(), leaf);
}

#[test]
fn a_disk_too_full_to_seal_refuses_events_and_takes_them_again_when_there_is_room() {
    let media: Arc<SimMedia> = Arc::new(SimMedia::new(1));
    let wal = WalLimits { file_bytes: 4 << 20, spare_files: 1 };
    let trail = Arc::new(Trail::open(media.clone(), &TrailOptions { wal, ..options() }).unwrap());
    let mut n = 0;
    while !trail.log().shared().is_backlogged() {
        append(&trail, &(n..n + 64).map(event).collect::<Vec<_>>());
        n += 64;
    }
    // What is laid out for the next events has room, and nothing else has.
    media.set_capacity(Some(0));
    assert!(trail.seal_due().is_err());
    let (sent, answered) = std::sync::mpsc::channel();
    let sender = Arc::clone(&trail);
    std::thread::spawn(move || sent.send(sender.log().append_blocking(batch(&[event(n)])).map(|_| ())));
    assert_eq!(answered.recv_timeout(Duration::from_secs(30)), Ok(Err(AppendError::NoSpace)), "and nobody waits for ever");
    assert_eq!(trail.log().shared().refuses().as_deref(), Some(&AppendError::NoSpace));
    let size = trail.view().size;
    media.set_capacity(None);
    while trail.seal_due().unwrap() {}
    assert_eq!(trail.log().shared().refuses(), None);
    append(&trail, &[event(n)]);
    assert!(trail.view().size > size);
    check_entry(&trail, trail.view().size - 1, &event(n).0);
}

#[test]
fn events_come_back_with_proofs_before_and_after_sealing_and_restarting() {
    let media: Arc<SimMedia> = Arc::new(SimMedia::new(1));
    let mut trail = Trail::open(media.clone(), &options()).unwrap();
    let mut kept = Vec::new();
    let mut n = 0;
    for round in 0..40_u64 {
        let events: Vec<_> = (0..round % 23 + 1).map(|i| event(n + i)).collect();
        n += events.len() as u64;
        for (outcome, event) in append(&trail, &events).iter().zip(&events) {
            let Outcome::Kept(index) = outcome else { panic!("{outcome:?}") };
            kept.push((*index, event.0.clone()));
        }
        if round % 5 == 4 {
            while trail.seal_due().unwrap() {}
        }
        if round % 9 == 8 {
            trail.flush().unwrap();
        }
        if round % 11 == 10 {
            drop(trail);
            trail = Trail::open(media.clone(), &options()).unwrap();
        }
        for (index, raw) in kept.iter().rev().step_by(7) {
            check_entry(&trail, *index, raw);
        }
    }
    assert!(!trail.view().state.seals.is_empty(), "at least one segment was sealed");
    let note = tlog::open_checkpoint(&trail.view().note, &[trail.view().state.vkey.clone()]).unwrap();
    assert_eq!(note.checkpoint.size.0, trail.view().size);
}

#[test]
fn a_retry_gets_the_same_index_and_another_record_with_that_id_is_kept_beside() {
    let media: Arc<SimMedia> = Arc::new(SimMedia::new(1));
    let trail = Trail::open(media.clone(), &options()).unwrap();
    let with = |trail: &Trail, origin, id: &[u8], raw: &[u8]| (raw.to_vec(), Some((origin, trail.ids().mark(origin, 1, id, raw))));
    let first = with(&trail, IdOrigin::Record, b"a", b"{\"id\":\"a\"}");
    let other = with(&trail, IdOrigin::Record, b"a", b"{\"id\":\"a\",\"x\":1}");
    let explicit = with(&trail, IdOrigin::Explicit, b"a", b"1");
    let conflict = with(&trail, IdOrigin::Explicit, b"a", b"2");
    let outcomes = append(&trail, &[first.clone(), first.clone(), other.clone(), explicit.clone(), conflict.clone()]);
    let base = trail.view().size - 3;
    let expected = [
        Outcome::Kept(base),
        Outcome::Duplicate(base),
        Outcome::KeptBeside { index: base + 1, earlier: base },
        Outcome::Kept(base + 2),
        Outcome::Conflict(base + 2),
    ];
    assert_eq!(outcomes, expected);
    let beside = trail.reader().entry(base + 1).unwrap();
    assert!(String::from_utf8_lossy(&beside.facts).contains(&format!("\"conflict\":{base}")));
    check_entry(&trail, base + 1, &other.0);
    trail.flush().unwrap();
    drop(trail);
    let trail = Trail::open(media, &options()).unwrap();
    let again = append(&trail, &[first, other, explicit, conflict]);
    let expected = [Outcome::Duplicate(base), Outcome::Duplicate(base + 1), Outcome::Duplicate(base + 2), Outcome::Conflict(base + 2)];
    assert_eq!(again, expected);
}
