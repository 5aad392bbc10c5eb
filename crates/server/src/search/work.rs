//! What is to be derived though it is there, what is being derived, and what cannot be.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use evidence::act::PayloadFile;

/// Files that are looked through at a time. Each takes a core and about 150 MB.
const THREADS: usize = 2;
/// How long a file that could not be derived is left alone: a disk that was full may have room again. Twice as long after each
/// time, up to [`RETRY_DOUBLINGS`] times, for one that never comes out.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// Up to some hours.
const RETRY_DOUBLINGS: u32 = 7;

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
    /// Could not be derived so many times, and when that was: tried again after a while, and when somebody asks.
    failed: HashMap<String, (u32, Instant)>,
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
            let times = known.failed.get(&name).map_or(0, |(times, _)| *times);
            known.failed.insert(name, (times + 1, Instant::now()));
        } else {
            known.failed.remove(&name);
        }
    }

    /// Whether a file could not be derived when that was tried last.
    pub(super) fn has_failed(&self, file: &PayloadFile) -> bool {
        let (known, name) = (self.files(), file.name());
        known.failed.contains_key(&name) && !known.under_way.contains(&name)
    }

    /// Whether a file that could not be derived is still left alone.
    pub(super) fn rests(&self, file: &PayloadFile) -> bool {
        self.rests_at(file, Instant::now())
    }

    fn rests_at(&self, file: &PayloadFile, now: Instant) -> bool {
        let pause = |times: u32| RETRY_AFTER * (1 << times.saturating_sub(1).min(RETRY_DOUBLINGS));
        self.files().failed.get(&file.name()).is_some_and(|(times, at)| now.saturating_duration_since(*at) < pause(*times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_tried_again_after_ever_longer_pauses_and_at_once_when_somebody_asks() {
        let file = PayloadFile { first: 0, count: 1, class: 1, generation: 0, bytes: 1, sha256: [0; 32] };
        let work = Work::default();
        for times in [1, 2, 4] {
            work.begin(&file);
            assert!(!work.has_failed(&file), "a thread is at it");
            work.end(&file, true);
            let rests_for = |pause: Duration| work.rests_at(&file, Instant::now() + pause);
            assert!(work.has_failed(&file) && rests_for(RETRY_AFTER * times - Duration::from_secs(9)) && !rests_for(RETRY_AFTER * times));
        }
        work.want(std::slice::from_ref(&file));
        assert!(!work.has_failed(&file) && !work.rests(&file) && work.is_due(&file));
        work.begin(&file);
        work.end(&file, false);
        assert!(!work.has_failed(&file) && !work.is_due(&file));
    }
}
