//! What was refused: counted for `/metrics` at once, and for the log as one record for each source,
//! reason and minute.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

use crate::api::metrics::RefusedCounter;
use crate::api::state::Api;
use crate::intake::{RefusalRecord, Refusals, SourceName};
use crate::log::records;

/// Both counts.
#[derive(Debug)]
pub struct Refused {
    pending: Mutex<Refusals>,
    counter: RefusedCounter,
}

impl Refused {
    /// Nothing refused yet.
    pub fn new(counter: RefusedCounter) -> Self {
        Self { pending: Mutex::default(), counter }
    }
}

impl Api {
    /// Counts `times` refusals.
    pub fn count_refused(&self, source: Option<&SourceName>, reason: &'static str, times: u64) {
        if times > 0 {
            self.refused.counter.count(reason, times);
            let mut pending = self.refused.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.count_many(source, reason, times, self.clock.now_ms());
        }
    }

    /// Puts counts into the log as records: those of minutes that are over, or `all`.
    pub async fn record_refusals(&self, all: bool) {
        let found = {
            let mut pending = self.refused.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if all { pending.drain_all() } else { pending.drain(self.clock.now_ms()) }
        };
        for refusal in found {
            let raw = record(&refusal);
            if let Err(why) = self.trail.log().record(&raw).await {
                warn!(%why, reason = refusal.reason, count = refusal.count, "refusals could not be recorded yet");
                // Counted again, so that the next minute's record has them.
                let mut pending = self.refused.pending.lock().unwrap_or_else(PoisonError::into_inner);
                pending.count_many(refusal.source.as_ref(), refusal.reason, refusal.count, refusal.minute_ms);
            }
        }
    }
}

fn record(refusal: &RefusalRecord) -> Vec<u8> {
    let source = refusal.source.as_ref().map_or("", SourceName::as_str);
    records::input_refused(source, refusal.reason, refusal.count, refusal.minute_ms)
}

/// Records finished minutes until the API drains.
pub async fn record_finished_minutes(api: Arc<Api>) {
    let mut tick = tokio::time::interval(api.limits.refusals_every);
    while !api.draining.load(Ordering::Acquire) {
        tick.tick().await;
        api.record_refusals(false).await;
    }
}
