//! The thread that derives what search needs and records searches, behind the log: nothing waits for it,
//! and what it has not come to is read.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use evidence::act::PayloadFile;
use tracing::{debug, warn};

use crate::search::recheck::{SAMPLE_EVERY, Sampler};
use crate::search::work::side_by_side;
use crate::search::{Index, IndexError};
use crate::store::trail::Trail;

/// How much it yields, as the watch does.
const INDEXER_NICE: i32 = 19;
/// How often it looks for new payload files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a sleeping indexer looks whether it should stop.
const STOP_EVERY: Duration = Duration::from_millis(50);

/// A running indexer.
#[derive(Debug)]
pub struct Indexer {
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Indexer {
    /// Derives what search needs of files, now and as they come, and keeps comparing it with them.
    ///
    /// # Errors
    /// What the system says when it makes no thread.
    pub fn start(trail: &Arc<Trail>, index: &Arc<Index>) -> std::io::Result<Self> {
        Self::start_sampling(trail, index, SAMPLE_EVERY)
    }

    /// As [`Self::start`], and compares the index of a payload file with the file this often.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_sampling(trail: &Arc<Trail>, index: &Arc<Index>, every: Duration) -> std::io::Result<Self> {
        let (trail, index, stop) = (Arc::clone(trail), Arc::clone(index), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        *index.notes.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        let thread = std::thread::Builder::new().name("search".into()).spawn(move || {
            let _ = rustix::process::nice(INDEXER_NICE);
            run(&trail, &index, every, &|| stopped.load(Ordering::Acquire));
            index.write_notes(&trail);
        })?;
        Ok(Self { stop, thread: Mutex::new(Some(thread)) })
    }

    /// Ends the thread; a sidecar that is half made is made again at the next start.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(trail: &Trail, index: &Index, sample_every: Duration, stopped: &(dyn Fn() -> bool + Sync)) {
    index.remove_orphans(trail);
    let (mut sampler, mut seen) = (Sampler::new(sample_every), u64::MAX);
    while !stopped() {
        index.write_notes(trail);
        let view = trail.view();
        index.forget_tail(&view.state);
        // While events pour in, what is newest stands in a payload file before it pays to have learnt it.
        if view.size <= seen || index.due(&view.state).next().is_none() {
            index.learn_tail(trail, stopped);
        }
        seen = view.size;
        make_due(trail, index, stopped);
        sampler.look(trail, index, stopped);
        index.read_lake(&trail.view().state);
        for _ in 0..LOOK_EVERY.as_millis() / STOP_EVERY.as_millis() {
            if stopped() {
                return;
            }
            std::thread::sleep(STOP_EVERY);
        }
    }
}

/// Derives what search needs of as many files as lack it now, each time of the newest that does by then: they are
/// asked for most.
fn make_due(trail: &Trail, index: &Index, stopped: &(dyn Fn() -> bool + Sync)) {
    let due = index.due(&trail.view().state).count();
    if due == 0 {
        return;
    }
    // Each once: what is not made though it did not fail has its turn again when the others had theirs.
    let taken = Mutex::new(HashSet::new());
    let next = || {
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= due || stopped() {
            return None;
        }
        let view = trail.view();
        let newest = index.due(&view.state).filter(|file| !taken.contains(&file.name())).max_by_key(|file| file.first)?;
        taken.insert(newest.name());
        // Before another thread looks for the next.
        index.work.begin(newest);
        Some(newest.clone())
    };
    // Each thread yields as this one does: a new thread is as nice as the one that makes it.
    side_by_side(next, |file| make_one(trail, index, &file, stopped));
}

/// Derives what search needs of a file, if that can be.
fn make_one(trail: &Trail, index: &Index, file: &PayloadFile, stopped: &dyn Fn() -> bool) {
    index.write_notes(trail);
    match index.make(trail, file, stopped) {
        Ok(_) => {
            // Opened now, so that no search has to.
            let opened = index.is_made(file, &trail.view().state);
            debug!(file = file.name(), opened, "made what search needs of a payload file");
        }
        Err(IndexError::Stopped) => {}
        Err(why @ IndexError::Lake { .. }) => warn!(%why, "engines miss a payload file: its file of the lake cannot be written"),
        Err(why) => warn!(%why, "search has to read a payload file each time: what it needs of it cannot be made"),
    }
}
