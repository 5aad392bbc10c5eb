//! The thread that derives what search needs and records searches, behind the log: nothing waits for it,
//! and what it has not come to is read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use evidence::act::PayloadFile;
use evidence::fold::TrailState;
use tracing::{debug, warn};

use crate::search::recheck::{SAMPLE_EVERY, Sampler};
use crate::search::{Index, IndexError};
use crate::store::trail::Trail;

/// How much it yields, as the watch does.
const INDEXER_NICE: i32 = 19;
/// How often it looks for new payload files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Files that are looked through at a time when several wait. Each takes a core and about 150 MB.
const THREADS: usize = 2;
/// Files that are made before it is looked whether newer ones have come.
const AT_ONCE: usize = 2 * THREADS;
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
    let mut sampler = Sampler::new(sample_every);
    while !stopped() {
        index.write_notes(trail);
        let state = Arc::clone(&trail.view().state);
        // The newest first: they are asked for most.
        let mut files: Vec<_> = state.payload_files.values().filter(|file| !index.work.has_failed(file)).collect();
        files.sort_unstable_by_key(|file| std::cmp::Reverse(file.first));
        let mut due: Vec<_> = files.into_iter().filter(|file| !index.is_made(file, &state)).collect();
        let more = due.len() > AT_ONCE;
        due.truncate(AT_ONCE);
        make(trail, index, &state, &due, stopped);
        if more {
            continue;
        }
        index.learn_tail(trail, stopped);
        sampler.look(trail, index, stopped);
        index.read_lake(&state);
        for _ in 0..LOOK_EVERY.as_millis() / STOP_EVERY.as_millis() {
            if stopped() {
                return;
            }
            std::thread::sleep(STOP_EVERY);
        }
    }
}

/// Derives what search needs of files, the first first and some side by side.
fn make(trail: &Trail, index: &Index, state: &TrailState, files: &[&PayloadFile], stopped: &(dyn Fn() -> bool + Sync)) {
    let next = AtomicUsize::new(0);
    let take = || files.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !stopped());
    let some = || std::iter::from_fn(take).for_each(|file| make_one(trail, index, state, file, stopped));
    if files.len() < THREADS {
        return some();
    }
    // Each thread yields as this one does: a new thread is as nice as the one that makes it.
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(some))));
}

/// Derives what search needs of a file, if that can be.
fn make_one(trail: &Trail, index: &Index, state: &TrailState, file: &PayloadFile, stopped: &dyn Fn() -> bool) {
    index.write_notes(trail);
    match index.make(trail, file, stopped) {
        Ok(()) => {
            // Opened now, so that no search has to.
            let opened = index.is_made(file, state);
            debug!(file = file.name(), opened, "made what search needs of a payload file");
        }
        Err(IndexError::Stopped) => {}
        Err(why) => warn!(%why, "search has to read a payload file each time: what it needs of it cannot be made"),
    }
}
