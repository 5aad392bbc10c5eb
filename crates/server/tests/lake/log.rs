//! A log whose payload files are in place, and the lake beside them, laid out as in a data directory.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use indelible::clock::Clock;
use indelible::config::LakeContent;
use indelible::door::{Admission, Batch, By, Origin};
use indelible::intake::{Media as MediaType, SourceName, decode};
use indelible::search::Index;
use indelible::source::Catalog;
use indelible::source::catalog::BUILT_IN;
use indelible::store::media::{Disk, Media};
use indelible::store::read::StoredEntry;
use indelible::store::seal::SealPolicy;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::synth::{Plan, Synth};

/// 2026-07-02T00:00:00Z, behind the end of a synthetic trail.
const NOW: u64 = 1_782_950_400_000;

pub struct Log {
    pub trail: Arc<Trail>,
    pub catalog: Arc<Catalog>,
    admission: Admission,
    dir: tempfile::TempDir,
}

impl Log {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/trails/main");
        std::fs::create_dir_all(&path).unwrap();
        let media: Arc<dyn Media> = Arc::new(Disk::new(&path).unwrap());
        let clock = Clock::from_fn(|| NOW);
        let seal = SealPolicy { flush_bytes: u64::MAX, flush_age_ms: u64::MAX, look_ms: 10 };
        let options = TrailOptions { segment_leaves: 512, seal, threads: false, clock: clock.clone(), ..TrailOptions::main("/lake") };
        let trail = Trail::open(media, &options).unwrap();
        let catalog = Arc::new(Catalog::built_in());
        let admission = Admission::knowing(Arc::clone(&trail), clock, Arc::clone(&catalog));
        Self { trail, catalog, admission, dir }
    }

    /// Every sample of every kind, and a record.
    pub fn of_all_kinds() -> Self {
        let log = Self::new();
        for built_in in BUILT_IN {
            log.send(built_in.kind, built_in.samples.as_bytes());
        }
        log.trail.log().record_blocking(br#"{"record":"test.note","v":1}"#).unwrap();
        log.to_files();
        log
    }

    /// A synthetic trail with its incident.
    pub fn synthetic(events: u64) -> Self {
        let log = Self::new();
        let synth = Synth::new(Plan::new(events, 1)).unwrap();
        for first in (0..events).step_by(500) {
            for (source, body) in synth.slice(first..(first + 500).min(events)).unwrap() {
                log.send(source.name(), &body);
            }
        }
        log.trail.log().record_blocking(br#"{"record":"search","v":1}"#).unwrap();
        log.to_files();
        log
    }

    pub fn send(&self, kind: &'static str, body: &[u8]) {
        if body.is_empty() {
            return;
        }
        let origin = Origin { source: kind.parse::<SourceName>().unwrap(), kind: Cow::Borrowed(kind), door: "test" };
        let decoded = decode(body, MediaType::Any).unwrap();
        self.admission.admit_blocking(&origin, Batch::new(By::Local, None), body, decoded).unwrap();
    }

    pub fn to_files(&self) {
        while self.trail.seal_due().unwrap() {}
        self.trail.flush().unwrap();
    }

    /// The directory that `data` is in.
    pub fn home(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub fn lake_dir(&self) -> PathBuf {
        self.dir.path().join("data/derived/main/lake")
    }

    pub fn index(&self, content: LakeContent) -> Index {
        self.index_of(Arc::clone(&self.catalog), content)
    }

    pub fn index_of(&self, catalog: Arc<Catalog>, content: LakeContent) -> Index {
        Index::kept_in(self.dir.path().join("data/derived/main"), catalog).with_lake(content)
    }

    pub fn make_all(&self, index: &Index) {
        let state = Arc::clone(&self.trail.view().state);
        for file in state.payload_files.values() {
            index.make(&self.trail, file, &|| false).unwrap();
            assert!(index.is_made(file, &state), "{}", file.name());
        }
    }

    /// What stands in payload files, by index.
    pub fn entries(&self) -> Vec<StoredEntry> {
        let mut entries = Vec::new();
        for file in self.trail.view().state.payload_files.values() {
            let mut take = |entry| {
                entries.push(entry);
                true
            };
            self.trail.reader().each_in_file(file, &mut take).unwrap();
        }
        entries.sort_by_key(|entry| entry.index);
        entries
    }

    /// Names and bytes of the lake's files, the hidden ones included.
    pub fn lake(&self) -> Vec<(String, Vec<u8>)> {
        let files = std::fs::read_dir(self.lake_dir()).into_iter().flatten().map(Result::unwrap);
        let mut files: Vec<_> = files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect();
        files.sort();
        files
    }
}
