//! A trail's life on a simulated disk, and the oracle that says what must hold after any of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::sync::Arc;

use evidence::leaf::Kind;
use indelible::clock::Clock;
use indelible::log::batch::{BatchBuilder, NewEntry};
use indelible::log::cursors::Cursor;
use indelible::log::sequencer::{AppendError, Outcome};
use indelible::log::window::IdOrigin;
use indelible::store::media::sim::{Fault, Survivors};
use indelible::store::media::{Media, SimMedia};
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::store::wal::WalLimits;
use tlog::Hash;

/// What is done to the trail, in order.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Keep this many new events, with record ids.
    Append(u64),
    /// Read this many events on from the committed cursor, and keep them with the cursor moved.
    Poll(u64),
    /// Send the last events again.
    Retry,
    /// Seal or flush what is due.
    Seal,
    /// Move everything to payload files.
    Flush,
    /// Recycle and prepare write-ahead files, and sync the checkpoint.
    Keep,
    /// Replace the signing key.
    Rotate,
    /// Stop and start the process; the disk keeps its cache.
    Restart,
    /// Cut the power between two operations.
    PowerCut(Survivors),
}

/// A life long enough to meet every kind of write: flush, seal, recycling, rotation, restarts.
pub const LIFE: &[Step] = &[
    Step::Append(3),
    Step::Keep,
    Step::Poll(5),
    Step::Append(40),
    Step::Flush,
    Step::Append(1),
    Step::Retry,
    Step::Restart,
    Step::Append(90),
    Step::Keep,
    Step::Rotate,
    Step::Poll(7),
    Step::Append(93),
    Step::Seal,
    Step::Append(60),
    Step::Seal,
    Step::Keep,
    Step::PowerCut(Survivors::Nothing),
    Step::Append(2),
    Step::Retry,
    Step::Append(150),
    Step::Seal,
    Step::Keep,
    Step::Append(110),
    Step::Seal,
    Step::Poll(20),
    Step::Flush,
    Step::Keep,
    Step::Append(5),
];

pub fn options() -> TrailOptions {
    TrailOptions {
        segment_leaves: 256,
        wal: WalLimits { file_bytes: 16 << 10, spare_files: 1 },
        seal: SealPolicy { flush_bytes: 24 << 10, flush_age_ms: u64::MAX, look_ms: 10 },
        clock: Clock::from_fn(|| 1_700_000_000_000),
        threads: false,
        ..TrailOptions::main("/sim")
    }
}

/// Everything promised so far, and the trail it was promised by.
pub struct Life {
    pub media: Arc<SimMedia>,
    trail: Option<Arc<Trail>>,
    /// Acknowledged: index → raw.
    kept: BTreeMap<u64, Vec<u8>>,
    /// Every checkpoint that anybody could have seen: size → root.
    released: BTreeMap<u64, Hash>,
    /// Last events sent, for retries.
    last: Vec<Vec<u8>>,
    next: u64,
    /// How far the poller was told that it had come.
    polled: u64,
    /// Size before the last poll.
    poll_from: u64,
}

impl Life {
    pub fn begin(media: SimMedia) -> Self {
        let media = Arc::new(media);
        Self { media, trail: None, kept: BTreeMap::new(), released: BTreeMap::new(), last: Vec::new(), next: 0, polled: 0, poll_from: 0 }
    }

    /// Does every step, whatever fails, and checks every promise at the end and after each start.
    pub fn live(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(*step);
        }
        self.cut_power(Survivors::Nothing);
        self.check();
    }

    fn step(&mut self, step: Step) {
        let Some(trail) = self.running() else { return };
        match step {
            Step::Append(count) => {
                let events: Vec<_> = (0..count).map(|n| event(self.next + n)).collect();
                self.next += count;
                self.send(&trail, events, Vec::new());
            }
            Step::Poll(count) => self.poll(&trail, count),
            Step::Retry => {
                self.send(&trail, self.last.clone(), Vec::new());
            }
            Step::Seal => {
                // What a failing disk leaves unsealed is sealed later; only promises count here.
                while trail.seal_due().unwrap_or(false) {}
            }
            Step::Flush => drop(trail.flush()),
            Step::Keep => {
                let _ = trail.keep_files();
                let _ = trail.sync_checkpoint();
            }
            Step::Rotate => drop(trail.rotate(b"{}".to_vec())),
            Step::Restart => self.trail = None,
            Step::PowerCut(survivors) => {
                drop(trail);
                self.cut_power(survivors);
            }
        }
        if let Some(trail) = &self.trail {
            self.released.insert(trail.view().size, trail.view().root);
            // A checkpoint counts from the moment it can be seen, whatever was answered.
            let note = trail.view().note.to_string();
            let stated: Vec<_> = note.lines().skip(1).take(2).collect();
            if let [size, root] = stated[..] {
                self.released.insert(size.parse().unwrap(), root.parse().unwrap());
            }
        }
        if self.trail.as_ref().is_some_and(|trail| trail.log().shared().stopped().is_some()) {
            self.trail = None;
        }
    }

    /// The running trail; after a failure it is started again, as an operator would.
    fn running(&mut self) -> Option<Arc<Trail>> {
        if self.trail.is_none() || self.media.is_off() {
            self.trail = None;
            self.media.restart();
            let mut opened = Trail::open(self.media.clone(), &options());
            if opened.is_err() || self.media.is_off() {
                // The one fault of this life hit the start itself: the next start must succeed.
                drop(opened);
                self.media.restart();
                opened = Trail::open(self.media.clone(), &options());
            }
            self.trail = Some(opened.unwrap_or_else(|why| panic!("the trail does not open after a crash: {why}")));
            self.check_open();
        }
        self.trail.clone()
    }

    fn poll(&mut self, trail: &Arc<Trail>, count: u64) {
        self.poll_from = trail.view().size;
        let end = cursor(trail) + count;
        let events = (cursor(trail)..end).map(polled_event).collect();
        let moves = vec![Cursor { name: POLLER.into(), value: end.to_be_bytes().to_vec() }];
        if self.send(trail, events, moves) {
            self.polled = end;
        }
    }

    /// True when it was promised.
    fn send(&mut self, trail: &Arc<Trail>, events: Vec<Vec<u8>>, moves: Vec<Cursor>) -> bool {
        let mut batch = BatchBuilder::with_capacity(events.len(), 0);
        for raw in &events {
            let id = (IdOrigin::Record, trail.ids().mark(IdOrigin::Record, 0, raw, raw));
            let entry = NewEntry {
                kind: Kind::Event,
                source: 0,
                class: 1,
                facts: br#"{"cut":1,"door":"test","map":0,"source":"test","v":1}"#.as_slice().into(),
                people: b"{}".as_slice().into(),
                raw,
                id: Some(id),
            };
            batch.push(&entry).unwrap();
        }
        let answer = trail.log().append_moving_blocking(batch.finish(), moves);
        let promised = answer.is_ok();
        match answer {
            Ok(committed) => {
                self.released.insert(committed.view.size, committed.view.root);
                for (outcome, raw) in committed.outcomes.iter().zip(&events) {
                    match outcome {
                        Outcome::Kept(index) | Outcome::Duplicate(index) => {
                            let before = self.kept.insert(*index, raw.clone());
                            assert!(before.is_none_or(|before| before == *raw), "index {index} was promised to two events");
                        }
                        other => panic!("unexpected {other:?}"),
                    }
                }
            }
            Err(AppendError::NoSpace | AppendError::Busy | AppendError::Stopped(_)) => {}
            Err(why @ (AppendError::Cursor(_) | AppendError::Split { .. })) => panic!("{why}"),
        }
        self.last = events;
        promised
    }

    fn cut_power(&mut self, survivors: Survivors) {
        self.media.crash(survivors);
        self.trail = None;
        self.media.restart();
    }

    /// Acknowledged ⊆ log, in order, once; every root ever released is extended by what is here.
    pub fn check(&mut self) {
        assert!(self.running().is_some());
        self.check_all();
    }

    /// After every start: the newest released checkpoints are extended.
    fn check_open(&self) {
        let trail = self.trail.as_ref().unwrap();
        for (size, root) in self.released.iter().rev().take(3) {
            check_released(trail, *size, root);
        }
        self.check_cursor(trail, self.poll_from.min(trail.view().size));
    }

    /// Polled events and their cursor are both there or both not. Only where a request was cut at a
    /// segment's end may its first part be there without the cursor, which follows the last part.
    fn check_cursor(&self, trail: &Trail, from: u64) {
        let cursor = cursor(trail);
        assert!(cursor >= self.polled, "the cursor {} was promised, {cursor} is here", self.polled);
        let entries = trail.reader().entries(from, usize::MAX).unwrap();
        let beyond = entries.iter().rfind(|entry| polled_number(&entry.raw).is_some_and(|number| number >= cursor));
        if let Some(last) = beyond {
            assert_eq!((last.index + 1) % 256, 0, "the event polled at {} is here without its cursor", last.index);
        }
    }

    /// At the end of a life: every checkpoint, every entry.
    fn check_all(&self) {
        let trail = self.trail.as_ref().unwrap();
        for (size, root) in &self.released {
            check_released(trail, *size, root);
        }
        let entries = trail.reader().entries(0, usize::MAX).unwrap();
        for (index, raw) in &self.kept {
            assert_eq!(entries[*index as usize].raw, raw, "acknowledged entry {index}");
        }
        let mut seen = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.leaf.kind == Kind::Event) {
            let before = seen.insert(entry.raw.clone(), entry.index);
            assert_eq!(before, None, "the event at {} was entered twice", entry.index);
        }
        let polled: BTreeSet<_> = entries.iter().filter_map(|entry| polled_number(&entry.raw)).collect();
        assert!((0..cursor(trail)).all(|number| polled.contains(&number)), "the cursor stands behind an event that is not here");
    }
}

const POLLER: &str = "okta";

fn polled_event(number: u64) -> Vec<u8> {
    format!(r#"{{"polled":{number}}}"#).into_bytes()
}

fn polled_number(raw: &[u8]) -> Option<u64> {
    let number = raw.strip_prefix(br#"{"polled":"#)?.strip_suffix(b"}")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

fn cursor(trail: &Trail) -> u64 {
    trail.log().cursor(POLLER).map_or(0, |value| u64::from_be_bytes(value.try_into().unwrap()))
}

fn check_released(trail: &Trail, size: u64, root: &Hash) {
    assert!(size <= trail.view().size, "a checkpoint of {size} entries was released, {} are here", trail.view().size);
    assert_eq!(trail.reader().root_at(size).unwrap(), *root, "the released root of size {size} is not extended");
}

fn event(n: u64) -> Vec<u8> {
    format!(r#"{{"n":{n},"user":"u{}","text":"{}"}}"#, n % 7, "abcdefghij".repeat(n as usize % 9)).into_bytes()
}

/// Faults tried at every operation.
pub const FAULTS: &[Fault] = &[
    Fault::PowerCut(Survivors::Nothing),
    Fault::PowerCut(Survivors::Everything),
    Fault::PowerCut(Survivors::Random(1)),
    Fault::PowerCut(Survivors::Random(2)),
    Fault::Refused(ErrorKind::Other),
    Fault::Refused(ErrorKind::StorageFull),
    Fault::KeptButReportedLost,
];

/// Operations that a life without faults takes.
pub fn operations() -> u64 {
    let media = SimMedia::new(7);
    let mut life = Life::begin(media.clone());
    life.live(LIFE);
    media.ops()
}

/// Lives once with `fault` at operation `op`.
pub fn live_with(op: u64, fault: Fault) {
    let media = SimMedia::new(op);
    media.inject(op, fault);
    Life::begin(media).live(LIFE);
}

/// A directory behind the checkpoint beside it, or behind one it is told of, does not open.
pub fn roll_back() {
    let media = SimMedia::new(3);
    let mut life = Life::begin(media.clone());
    life.live(&LIFE[..6]);
    let older = media.fork();
    life.live(&[Step::Append(4), Step::Keep]);
    let newest = String::from_utf8(media.read("checkpoint").unwrap()).unwrap();
    drop(life);
    let told = TrailOptions { not_before: Some(newest.clone()), ..options() };
    assert!(Trail::open(Arc::new(older.fork()), &told).is_err(), "an older copy opened although it was told of a newer checkpoint");
    older.tamper("checkpoint", |bytes| *bytes = newest.clone().into_bytes());
    assert!(Trail::open(Arc::new(older), &options()).is_err(), "an older log opened beside a newer checkpoint");
    assert!(Trail::open(Arc::new(media), &told).is_ok());
}
