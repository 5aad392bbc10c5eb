//! The thread that derives what search needs and records searches, behind the log: nothing waits for it,
//! and what it has not come to is read.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::{debug, warn};

use crate::search::{INDEXES, Index, IndexError, SIDECARS};
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
    /// Makes the sidecars that are missing or stale, now and as files come.
    ///
    /// # Errors
    /// What the system says when it makes no thread.
    pub fn start(trail: &Arc<Trail>, index: &Arc<Index>) -> std::io::Result<Self> {
        let (trail, index, stop) = (Arc::clone(trail), Arc::clone(index), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        *index.notes.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        let thread = std::thread::Builder::new().name("search".into()).spawn(move || {
            let _ = rustix::process::nice(INDEXER_NICE);
            run(&trail, &index, &|| stopped.load(Ordering::Acquire));
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

fn run(trail: &Trail, index: &Index, stopped: &dyn Fn() -> bool) {
    let mut given_up = HashSet::new();
    if let Some(dir) = &index.dir {
        remove_orphans(trail, index, dir);
    }
    while !stopped() {
        index.write_notes(trail);
        let state = Arc::clone(&trail.view().state);
        // The newest first: they are asked for most.
        let mut files: Vec<_> = state.payload_files.values().filter(|file| !given_up.contains(&file.name())).collect();
        files.sort_unstable_by_key(|file| std::cmp::Reverse(file.first));
        for file in files {
            if stopped() {
                return;
            }
            if index.is_made(file, &state) {
                continue;
            }
            index.forget(file);
            index.write_notes(trail);
            match index.make(trail, file, stopped) {
                Ok(()) => debug!(file = file.name(), "made what search needs of a payload file"),
                Err(IndexError::Stopped) => return,
                Err(why) => {
                    warn!(%why, "search has to read a payload file each time: what it needs of it cannot be made");
                    given_up.insert(file.name());
                }
            }
        }
        for _ in 0..LOOK_EVERY.as_millis() / STOP_EVERY.as_millis() {
            if stopped() {
                return;
            }
            std::thread::sleep(STOP_EVERY);
        }
    }
}

/// Removes what was derived of payload files that are no more, and what was half written.
fn remove_orphans(trail: &Trail, index: &Index, dir: &Path) {
    let state = Arc::clone(&trail.view().state);
    let wanted: HashSet<_> =
        state.payload_files.values().filter_map(|file| index.paths(file)).flat_map(|(sidecar, terms)| [sidecar, terms]).collect();
    let there = [SIDECARS, INDEXES].map(|name| std::fs::read_dir(dir.join(name)).into_iter().flatten().flatten());
    for entry in there.into_iter().flatten().filter(|entry| !wanted.contains(&entry.path())) {
        // Derived: whoever cannot remove it leaves it.
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let _ = if is_dir { std::fs::remove_dir_all(entry.path()) } else { std::fs::remove_file(entry.path()) };
    }
}
