//! What is to be derived though it is there, what is being derived, and what cannot be.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use evidence::act::PayloadFile;

/// Files that are looked through at a time. Each takes a core and about 150 MB.
const THREADS: usize = 2;

/// Makes what comes next, and next, on this thread and some more, until nothing does.
pub(super) fn side_by_side<T>(next: impl Fn() -> Option<T> + Sync, make: impl Fn(T) + Sync) {
    let work = || std::iter::from_fn(&next).for_each(&make);
    std::thread::scope(|scope| {
        for _ in 1..THREADS {
            // Without another one, this one does it all.
            let _ = std::thread::Builder::new().name("search".into()).spawn_scoped(scope, work);
        }
        work();
    });
}

/// Payload files, by name.
#[derive(Debug, Default)]
struct Files {
    /// Somebody wants them derived again.
    again: HashSet<String>,
    /// A thread is at them.
    under_way: HashSet<String>,
    /// Could not be derived by this process: it does not try again unless somebody asks.
    failed: HashSet<String>,
}

/// Who has to do what, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Work(Mutex<Files>);

impl Work {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wants files derived again, those that could not be as well.
    pub(super) fn want(&self, files: &[PayloadFile]) {
        let mut known = self.files();
        for name in files.iter().map(PayloadFile::name) {
            known.failed.remove(&name);
            known.again.insert(name);
        }
    }

    /// Whether what is there of a file is not what somebody waits for.
    pub(super) fn is_due(&self, file: &PayloadFile) -> bool {
        let (known, name) = (self.files(), file.name());
        known.again.contains(&name) || known.under_way.contains(&name)
    }

    /// Whether a thread is at a file.
    pub(super) fn is_under_way(&self, file: &PayloadFile) -> bool {
        self.files().under_way.contains(&file.name())
    }

    /// Begins with a file. Who wants it again from now on wants it once more.
    pub(super) fn begin(&self, file: &PayloadFile) {
        let (mut known, name) = (self.files(), file.name());
        known.again.remove(&name);
        known.under_way.insert(name);
    }

    /// Has done with a file.
    pub(super) fn end(&self, file: &PayloadFile, failed: bool) {
        let (mut known, name) = (self.files(), file.name());
        known.under_way.remove(&name);
        if failed {
            known.failed.insert(name);
        } else {
            known.failed.remove(&name);
        }
    }

    /// Whether a file could not be derived.
    pub(super) fn has_failed(&self, file: &PayloadFile) -> bool {
        self.files().failed.contains(&file.name())
    }
}
