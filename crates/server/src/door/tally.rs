//! How many events became what.

use crate::log::sequencer::Outcome;

/// Code of an event that is not kept because its idempotency key stands for other bytes.
pub const CONFLICT: &str = "idempotency_conflict";

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Kept now.
    pub kept: u64,
    /// Of these, kept beside an entry with the same record id and other bytes.
    pub beside: u64,
    /// Kept before.
    pub duplicates: u64,
    /// Not kept: another event has the idempotency key.
    pub conflicts: u64,
}

impl Tally {
    /// Counts outcomes.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let mut tally = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Kept(_) => tally.kept += 1,
                Outcome::KeptBeside { .. } => {
                    tally.kept += 1;
                    tally.beside += 1;
                }
                Outcome::Duplicate(_) => tally.duplicates += 1,
                Outcome::Conflict(_) => tally.conflicts += 1,
            }
        }
        tally
    }

    /// Events that stand in the log, new or known.
    #[must_use]
    pub const fn standing(&self) -> u64 {
        self.kept + self.duplicates
    }
}
