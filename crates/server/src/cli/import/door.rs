//! Where batches go: a running server, or a trail that this process has open.

use crate::cli::failure::Failure;
use crate::intake::Media;

/// Some events of a file, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// A body as the server takes it.
    pub body: Vec<u8>,
    /// Whether its bytes decide the shape, or every line is an event.
    pub media: Media,
    /// The same for the same batch of the same file under the same source.
    pub idempotency_key: String,
}

/// What became of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entered {
    /// Newly in the log.
    pub kept: u64,
    /// There before.
    pub duplicates: u64,
    /// Why each of the others was refused.
    pub refused: Vec<String>,
}

impl Entered {
    /// Events that were answered.
    pub fn all(&self) -> u64 {
        self.kept + self.duplicates + self.refused.len() as u64
    }

    /// Adds what became of the next batch.
    pub fn add(&mut self, next: Self) {
        self.kept += next.kept;
        self.duplicates += next.duplicates;
        self.refused.extend(next.refused);
    }
}

/// Takes batches in.
pub trait Door {
    /// Enters one batch; durable when this returns.
    ///
    /// # Errors
    /// The batch may not have been entered, and trying on makes no sense now; the same batch may
    /// be entered again later.
    fn enter(&mut self, batch: &Batch) -> Result<Entered, Failure>;

    /// After the last batch: what was counted so far goes on record.
    ///
    /// # Errors
    /// The record was not kept.
    fn finish(&mut self) -> Result<(), Failure>;
}
