//! Enters events into a trail that this process has open, without a server.

use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::import::door::{Batch, Door, Entered};
use crate::clock::Clock;
use crate::door::{Admission, Batch as Admissible, By, Origin};
use crate::intake::{IdempotencyKey, Media, SourceName, decode};
use crate::log::sequencer::Outcome;
use crate::store::trail::Trail;

/// One source of an open trail.
#[derive(Debug)]
pub struct LocalDoor {
    admission: Admission,
    origin: Origin,
}

impl LocalDoor {
    /// Enters events of a source into `trail`; envelopes name `door` as the way in. The source is made
    /// with its first event, of this kind.
    pub fn new(trail: &Arc<Trail>, door: &'static str, source: &SourceName, kind: &'static str) -> Self {
        let origin = Origin { source: source.clone(), kind: kind.into(), door };
        Self { admission: Admission::new(Arc::clone(trail), Clock::system()), origin }
    }

    /// Keeps the events of `body`, durable when this returns.
    ///
    /// # Errors
    /// The body holds nothing, or the log cannot keep it.
    pub fn keep(&self, body: &[u8], media: Media, key: Option<IdempotencyKey>) -> Result<Entered, Failure> {
        let decoded = decode(body, media)?;
        let mut entered = Entered::default();
        for refused in &decoded.refused {
            entered.refused.push(format!("event {} of its batch: {}", refused.line, refused.code));
        }
        let batch = Admissible { key, ..Admissible::new(By::Local, None) };
        let admitted = self.admission.admit_blocking(&self.origin, batch, body, decoded)?;
        entered.kept = admitted.tally.kept;
        entered.duplicates = admitted.tally.duplicates;
        for outcome in admitted.committed.outcomes {
            if let Outcome::Conflict(earlier) = outcome {
                entered.refused.push(format!("the same batch was entered before with other bytes, at {earlier}"));
            }
        }
        self.admission.record_counts_blocking(false);
        Ok(entered)
    }
}

impl Door for LocalDoor {
    fn enter(&mut self, batch: &Batch) -> Result<Entered, Failure> {
        let key: IdempotencyKey = batch.idempotency_key.parse()?;
        self.keep(&batch.body, batch.media, Some(key))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.admission.record_counts_blocking(true);
        Ok(())
    }
}
