//! How close commits follow one another. Each costs a write, a sync and a signature whatever is in
//! it, so while requests come side by side they wait a moment for one another.

use std::time::{Duration, Instant};

/// Least time from the beginning of one commit to the next while requests come side by side. Without
/// it, 10,000 requests a second make 3,100 commits a second, whose cost is most of a core.
const PACE: Duration = Duration::from_micros(750);
/// A draft of so many stored bytes is worth a commit of its own.
const PACE_BYTES: usize = 64 << 10;

/// What the last commit says about the next: nothing to wait for before the first.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last commit began, if it answered more than one request.
    shared: Option<Instant>,
}

impl Pace {
    /// How long a commit of `bytes` is to wait for company. A sender who came alone last time, too,
    /// waits for nobody.
    pub fn due_in(&self, bytes: usize) -> Duration {
        match self.shared {
            Some(began) if bytes < PACE_BYTES => PACE.saturating_sub(began.elapsed()),
            _ => Duration::ZERO,
        }
    }

    /// A commit that answers so many requests begins.
    pub fn commits(&mut self, requests: usize) {
        self.shared = (requests > 1).then(Instant::now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_commits_after_a_shared_one_wait() {
        let mut pace = Pace::default();
        assert_eq!(pace.due_in(1), Duration::ZERO);
        pace.commits(1);
        assert_eq!(pace.due_in(1), Duration::ZERO);
        // In the future, so that a busy machine cannot let the moment pass.
        pace.shared = Instant::now().checked_add(Duration::from_secs(60));
        assert_eq!(pace.due_in(1), PACE);
        assert_eq!(pace.due_in(PACE_BYTES), Duration::ZERO);
        pace.commits(2);
        assert!(pace.shared.is_some());
    }
}
