//! The store that is tampered with: small, and with everything in it that a trail can have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evidence::envelope::Facts;
use evidence::leaf::Kind;
use indelible::clock::Clock;
use indelible::log::batch::{BatchBuilder, NewEntry};
use indelible::log::intent::Intent;
use indelible::log::window::IdOrigin;
use indelible::store::keys::StoredKey;
use indelible::store::media::SimMedia;
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::store::wal::WalLimits;

use tlog::VerifierKey;

use super::shelf::{Files, files_of};

/// The finished store, and how it looked along the way.
pub struct Store {
    /// All files at the end, secrets aside.
    pub files: Files,
    /// The newest checkpoint, held elsewhere.
    pub note: String,
    /// The key that signed first.
    pub first_key: VerifierKey,
    /// A key that never signed.
    pub stranger: [u8; 32],
    /// Entries at the end.
    pub size: u64,
    /// Earlier states: a name, the entries then, and all files.
    pub earlier: Vec<(&'static str, u64, Files)>,
}

struct Builder {
    media: Arc<SimMedia>,
    now: Arc<AtomicU64>,
    trail: Arc<Trail>,
    n: u64,
    earlier: Vec<(&'static str, u64, Files)>,
}

impl Builder {
    fn new() -> Self {
        let media = Arc::new(SimMedia::new(1));
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let options = TrailOptions {
            segment_leaves: 256,
            wal: WalLimits { file_bytes: 4 << 10, spare_files: 4 },
            seal: SealPolicy { flush_bytes: u64::MAX, flush_age_ms: u64::MAX, look_ms: 10 },
            clock: Clock::from_fn(move || clock.load(Ordering::SeqCst)),
            threads: false,
            origin: Some("example.org/log".into()),
            ..TrailOptions::main("/sim")
        };
        let trail = Trail::open(media.clone(), &options).unwrap();
        let source = Intent::CreateSource { name: "okta".into(), kind: "okta".into() };
        trail.log().act_blocking(source, b"{}".to_vec()).unwrap();
        Self { media, now, trail, n: 0, earlier: Vec::new() }
    }

    fn append(&mut self, events: u64) {
        let facts = Facts::new("okta", "http").to_bytes();
        let mut batch = BatchBuilder::with_capacity(0, 0);
        for _ in 0..events {
            let n = self.n;
            self.n += 1;
            let raw = match n % 5 {
                0 => format!(r#"{{"id":"{n}","a":"login"}}"#),
                1 => format!(r#"{{"a":{n}}}"#),
                _ => format!("line {n}"),
            };
            let id = n
                .is_multiple_of(5)
                .then(|| (IdOrigin::Record, self.trail.ids().mark(IdOrigin::Record, 1, n.to_string().as_bytes(), raw.as_bytes())));
            let entry = NewEntry {
                kind: Kind::Event,
                source: 1,
                class: 1,
                facts: facts.as_slice().into(),
                people: b"{}".as_slice().into(),
                raw: raw.as_bytes(),
                id,
            };
            batch.push(&entry).unwrap();
        }
        self.now.fetch_add(1000, Ordering::SeqCst);
        self.trail.log().append_blocking(batch.finish()).unwrap();
    }

    fn append_to(&mut self, size: u64) {
        while self.trail.view().size < size {
            let left = size - self.trail.view().size;
            self.append(left.min(20));
        }
    }

    /// What the server's threads would have done by now; then time passes.
    fn rest(&mut self, name: &'static str) {
        self.trail.keep_files().unwrap();
        self.trail.sync_checkpoint().unwrap();
        self.now.fetch_add(120_000, Ordering::SeqCst);
        self.earlier.push((name, self.trail.view().size, files_of(&self.media)));
    }
}

/// Two sealed segments with payload files from flushes and from sealing, a rotation, then a flushed
/// prefix of the third segment and a tail in chunks.
pub fn build() -> Store {
    let mut build = Builder::new();
    let first_key = build.trail.view().state.vkey.clone();
    build.append(20);
    build.rest("begun");
    build.append_to(100);
    build.trail.flush().unwrap();
    build.rest("first flush");
    build.append_to(180);
    build.rest("before the rotation");
    build.trail.rotate(b"{}".to_vec()).unwrap();
    build.append(5);
    build.rest("after the rotation");
    build.append_to(270);
    while build.trail.seal_due().unwrap() {}
    build.rest("first seal");
    build.append_to(520);
    while build.trail.seal_due().unwrap() {}
    build.rest("second seal");
    build.append_to(545);
    build.trail.flush().unwrap();
    build.rest("prefix");
    build.append(18);
    build.now.fetch_add(60_000, Ordering::SeqCst);
    build.trail.log().record_blocking(br#"{"record":"search","v":1}"#).unwrap();
    build.append(7);
    build.rest("tail");
    let (name, size, files) = build.earlier.pop().unwrap();
    assert_eq!(name, "tail");
    let note = build.trail.view().note.to_string();
    let other = StoredKey::draw(Some("example.org/log"), "main").unwrap();
    Store { files, note, first_key, stranger: other.signer.key().public, size, earlier: build.earlier }
}

/// A trail whose own threads seal, recycle and sync as a server's do.
pub fn running(media: Arc<SimMedia>) -> Arc<Trail> {
    let options = TrailOptions {
        segment_leaves: 256,
        wal: WalLimits { file_bytes: 16 << 10, spare_files: 2 },
        seal: SealPolicy { flush_bytes: 4 << 10, flush_age_ms: u64::MAX, look_ms: 5 },
        ..TrailOptions::main("/sim")
    };
    let trail = Trail::open(media, &options).unwrap();
    trail.sync_checkpoint().unwrap();
    trail
}

/// Appends lines of the trail's own.
pub fn append_lines(trail: &Trail, count: u64) {
    let facts = Facts::new("indelible", "internal").to_bytes();
    let mut batch = BatchBuilder::with_capacity(0, 0);
    for n in 0..count {
        let raw = format!("line {n}");
        let entry = NewEntry {
            kind: Kind::Event,
            source: 0,
            class: 1,
            facts: facts.as_slice().into(),
            people: b"{}".as_slice().into(),
            raw: raw.as_bytes(),
            id: None,
        };
        batch.push(&entry).unwrap();
    }
    trail.log().append_blocking(batch.finish()).unwrap();
}
