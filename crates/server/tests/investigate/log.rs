//! A log on disk, and questions to it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use indelible::clock::Clock;
use indelible::door::{Admission, Batch, By, Origin};
use indelible::intake::{Media as MediaType, SourceName, decode};
use indelible::investigate::how::{How, how};
use indelible::investigate::moment::Moment;
use indelible::investigate::routine::{Routine, routine};
use indelible::investigate::timeline::{Asked, EVENTS_MAX, Timeline, timeline};
use indelible::investigate::{Bounds, Inquiry, Line};
use indelible::search::Index;
use indelible::search::document::{Document, Knowing};
use indelible::search::named::Within;
use indelible::source::Catalog;
use indelible::source::directory::{Directory, People};
use indelible::store::media::{Disk, Media};
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};

/// 2026-07-02T00:00:00Z
pub const NOW: u64 = 1_782_950_400_000;
pub const DAY: i64 = 86_400_000;
pub const BOUNDS: Bounds = Bounds { time: Duration::from_secs(600), entries: u64::MAX, matches: EVENTS_MAX };

pub struct Log {
    pub trail: Arc<Trail>,
    pub admission: Admission,
    pub index: Index,
    pub directory: Directory,
    pub dir: tempfile::TempDir,
}

impl Log {
    pub fn new(people: People) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("trail")).unwrap();
        let media: Arc<dyn Media> = Arc::new(Disk::new(dir.path().join("trail")).unwrap());
        let clock = Clock::from_fn(|| NOW);
        let seal = SealPolicy { flush_bytes: u64::MAX, flush_age_ms: u64::MAX, look_ms: 10 };
        let options = TrailOptions { segment_leaves: 4096, seal, threads: false, clock: clock.clone(), ..TrailOptions::main("/who") };
        let trail = Trail::open(media, &options).unwrap();
        let catalog = Arc::new(Catalog::built_in());
        let admission = Admission::knowing(Arc::clone(&trail), clock, Arc::clone(&catalog));
        let index = Index::kept_in(dir.path().join("derived"), catalog);
        Self { trail, admission, index, directory: Directory::of(people), dir }
    }

    pub fn send(&self, source: &str, kind: &'static str, body: &[u8]) {
        let origin = Origin { source: source.parse::<SourceName>().unwrap(), kind: Cow::Borrowed(kind), door: "test" };
        let decoded = decode(body, MediaType::Any).unwrap();
        self.admission.admit_blocking(&origin, Batch::new(By::Local, None), body, decoded).unwrap();
    }

    /// Everything so far in payload files, and what is derived of them.
    pub fn settle(&self) {
        while self.trail.seal_due().unwrap() {}
        self.trail.flush().unwrap();
        for file in self.trail.view().state.payload_files.values() {
            self.index.make(&self.trail, file, &|| false).unwrap();
        }
    }

    pub fn within(&self) -> Within<'_> {
        Within { trail: &self.trail, index: &self.index, directory: &self.directory }
    }

    pub fn inquiry(&self, bounds: Bounds) -> Inquiry<'_> {
        Inquiry::new(self.within(), NOW, bounds)
    }

    pub fn timeline(&self, asked: &Asked) -> Timeline {
        timeline(&mut self.inquiry(BOUNDS), asked).unwrap()
    }

    pub fn how(&self, name: &str, privilege: &str) -> How {
        how(&mut self.inquiry(BOUNDS), name, privilege).unwrap()
    }

    pub fn routine(&self, index: u64, bounds: Bounds) -> Routine {
        let entry = self.trail.reader().entry(index).unwrap();
        let state = Arc::clone(&self.trail.view().state);
        let knowing = Knowing { catalog: self.index.catalog(), directory: &self.directory, state: &state, recent: None };
        routine(&mut self.inquiry(bounds), &Document::new(&entry, knowing)).unwrap()
    }

    /// Every event as a line, in the order of time.
    pub fn naive(&self) -> Vec<Line> {
        let view = self.trail.view();
        let knowing = Knowing { catalog: self.index.catalog(), directory: &self.directory, state: &view.state, recent: None };
        let entries = (0..view.size).map(|index| self.trail.reader().entry(index).unwrap());
        let events = entries.filter(|entry| entry.leaf.kind == evidence::leaf::Kind::Event);
        let mut lines: Vec<_> = events.map(|entry| Line::of(&Document::new(&entry, knowing))).collect();
        lines.sort_by_key(Moment::of);
        lines
    }
}

pub fn asked(identity: &str, lines: usize) -> Asked {
    Asked { identity: identity.to_owned(), lines, ..Asked::default() }
}
