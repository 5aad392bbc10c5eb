//! Deriving again what stands beside payload files: at once on a stopped server's directory, or by the thread of a
//! running one.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use evidence::act::PayloadFile;
use evidence::fold::TrailState;

use crate::search::recheck::AGAIN;
use crate::search::work::side_by_side;
use crate::search::{Index, IndexError};
use crate::store::read::ReadError;
use crate::store::trail::Trail;

/// What was derived again.
#[derive(Debug, Default)]
pub struct Remapped {
    /// Payload files.
    pub files: usize,
    /// Entries in them.
    pub entries: u64,
    /// What went wrong with the others.
    pub failed: Vec<IndexError>,
}

/// How far a running server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derived {
    /// Payload files.
    pub files: usize,
    /// Of these, how many are still to be derived.
    pub waiting: usize,
    /// And how many cannot be; the server's own log says why.
    pub failed: usize,
}

/// The payload files that hold something received at `since_ms` or later, the newest first: they are asked for most.
///
/// # Errors
/// [`ReadError`].
pub fn files_since(trail: &Trail, since_ms: Option<i64>) -> Result<Vec<PayloadFile>, ReadError> {
    let state = &trail.view().state;
    let since = since_ms.map_or(0, |ms| u64::try_from(ms).unwrap_or(0));
    let mut files = Vec::new();
    for file in state.payload_files.values() {
        // Times of receipt never decrease: the last of a range is its latest.
        if since == 0 || trail.reader().leaf(file.end() - 1)?.received_at >= since {
            files.push(file.clone());
        }
    }
    files.sort_unstable_by_key(|file| std::cmp::Reverse(file.first));
    Ok(files)
}

impl Index {
    /// Derives everything of these files again, whether or not it is stale, some side by side; `done` hears of each file
    /// when it is over. What fails does not keep the others from it.
    pub fn remap(&self, trail: &Trail, files: &[PayloadFile], done: &mut (dyn FnMut(&PayloadFile) + Send)) -> Remapped {
        self.remove_orphans(trail);
        let (left, over) = (Mutex::new(files.iter()), Mutex::new((Remapped::default(), done)));
        let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        side_by_side(next, |file| {
            let made = self.make(trail, file, &|| false);
            let mut over = over.lock().unwrap_or_else(PoisonError::into_inner);
            let (remapped, done) = &mut *over;
            match made {
                Ok(entries) => {
                    remapped.files += 1;
                    remapped.entries += entries;
                }
                Err(why) => remapped.failed.push(why),
            }
            done(file);
        });
        over.into_inner().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Has the thread of a running server derive these files again. Until it comes to one, what was derived of it
    /// before is used.
    pub fn remap_later(&self, files: &[PayloadFile]) {
        self.work.want(files);
    }

    /// How far deriving has come.
    #[must_use]
    pub fn derived(&self, state: &TrailState) -> Derived {
        let files = state.payload_files.len();
        let (failed, others): (Vec<_>, Vec<_>) = state.payload_files.values().partition(|file| self.work.has_failed(file));
        let waiting = others.into_iter().filter(|file| self.dir.is_some() && !self.is_made(file, state)).count();
        Derived { files, waiting, failed: failed.len() }
    }

    /// Removes what was derived of payload files that are no more, what was half written, and a lake that nobody
    /// wants any more.
    pub(super) fn remove_orphans(&self, trail: &Trail) {
        let Some(dir) = &self.dir else { return };
        let _ = std::fs::remove_dir_all(dir.join(AGAIN));
        let state = &trail.view().state;
        let files = || state.payload_files.values();
        let known: HashSet<_> = files().map(|file| file.sha256).collect();
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|sha256, _| known.contains(sha256));
        let indexes = files().filter_map(|file| self.paths(file)).flat_map(|(sidecar, terms)| [sidecar, terms]);
        let lakes = files().flat_map(|file| self.lake.iter().flat_map(|lake| lake.paths(file)));
        let wanted: HashSet<_> = indexes.chain(lakes).collect();
        let there = super::DERIVED.map(|name| std::fs::read_dir(dir.join(name)).into_iter().flatten().flatten());
        for entry in there.into_iter().flatten().filter(|entry| !wanted.contains(&entry.path())) {
            // Derived: whoever cannot remove it leaves it.
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_dir { std::fs::remove_dir_all(entry.path()) } else { std::fs::remove_file(entry.path()) };
        }
    }
}
