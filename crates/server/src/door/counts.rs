//! What was refused or lost: counted for the metrics at once, and for the log as one record for each
//! door, source, reason and minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tracing::warn;

use crate::door::RefusedCounter;
use crate::intake::{RefusalRecord, Refusals, SourceName};
use crate::log::records;
use crate::log::sequencer::AppendError;

/// Both counts.
#[derive(Debug)]
pub(super) struct Counts {
    /// Refusals under `None`, losses under the door's name. Doors are few and named in this program.
    pending: Mutex<BTreeMap<Option<&'static str>, Refusals>>,
    counter: RefusedCounter,
}

/// One count that is due.
#[derive(Debug)]
pub(super) struct Counted {
    door: Option<&'static str>,
    of: RefusalRecord,
}

impl Counts {
    pub fn new(counter: RefusedCounter) -> Self {
        Self { pending: Mutex::default(), counter }
    }

    pub fn refused(&self, source: Option<&SourceName>, reason: &'static str, times: u64, now_ms: u64) {
        if times > 0 {
            self.counter.refused(reason, times);
            self.pend(None, source, reason, times, now_ms);
        }
    }

    pub fn lost(&self, door: &'static str, source: Option<&SourceName>, reason: &'static str, times: u64, now_ms: u64) {
        if times > 0 {
            self.counter.lost(door, reason, times);
            self.pend(Some(door), source, reason, times, now_ms);
        }
    }

    fn pend(&self, door: Option<&'static str>, source: Option<&SourceName>, reason: &'static str, times: u64, at_ms: u64) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.entry(door).or_default().count_many(source, reason, times, at_ms);
    }

    /// Takes the counts of minutes that are over, or all.
    pub fn take(&self, all: bool, now_ms: u64) -> Vec<Counted> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let due = pending.iter_mut().map(|(door, counts)| (*door, if all { counts.drain_all() } else { counts.drain(now_ms) }));
        due.flat_map(|(door, due)| due.into_iter().map(move |of| Counted { door, of })).collect()
    }

    /// Counted again, so that the next minute's record has them.
    pub fn give_back(&self, counted: Counted, why: &AppendError) {
        let RefusalRecord { source, reason, count, minute_ms } = counted.of;
        warn!(%why, reason, count, "refusals could not be recorded yet");
        self.pend(counted.door, source.as_ref(), reason, count, minute_ms);
    }
}

impl Counted {
    pub fn record(&self) -> Vec<u8> {
        let RefusalRecord { source, reason, count, minute_ms } = &self.of;
        let source = source.as_ref().map_or("", SourceName::as_str);
        match self.door {
            None => records::input_refused(source, reason, *count, *minute_ms),
            Some(door) => records::door_lost(door, source, reason, *count, *minute_ms),
        }
    }
}
