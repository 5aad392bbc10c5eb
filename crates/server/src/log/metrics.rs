//! Counters and histograms of the log itself.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What the sequencer counts.
#[derive(Clone, Debug)]
pub struct LogMetrics {
    entries: Counter,
    commits: Counter,
    commit_seconds: Histogram,
}

impl Default for LogMetrics {
    fn default() -> Self {
        Self {
            entries: Counter::default(),
            commits: Counter::default(),
            // 100 µs (one fsync of an idle disk) to 3.3 s in doublings.
            commit_seconds: Histogram::new(exponential_buckets(0.0001, 2.0, 16)),
        }
    }
}

impl LogMetrics {
    /// Counts a commit of `entries` entries that took `took`, from plan to publication.
    pub fn committed(&self, entries: u64, took: Duration) {
        self.entries.inc_by(entries);
        self.commits.inc();
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// Makes them known to `/metrics`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("indelible_entries", "Entries committed since the start", self.entries.clone());
        registry.register("indelible_commits", "Chunks committed since the start", self.commits.clone());
        registry.register("indelible_commit_seconds", "Time from plan to publication of a chunk", self.commit_seconds.clone());
    }
}
