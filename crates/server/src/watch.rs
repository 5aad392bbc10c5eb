//! Is a source complete? A follower of the log says when something is missing.
//!
//! ```text
//! log ── committed entries ──► States (pure) ──► source.gap, source.silent, … as records in the log
//! ```
//!
//! It reads what is committed from a position of its own, on a thread of low priority: intake never
//! waits for it, and when it falls behind it goes by the time of what it reads. What it states rests on
//! producer sequences where there are some, on a heartbeat that somebody set, and on the rate learned.
//!
//! INVARIANT: a statement is recorded once, whatever is restarted when. Statements are derived from
//! entries and time; what was stated is known from the records alone.
//!
//! Absent on purpose: a database of its own. What was learned is a record too.

mod fact;
mod follower;
mod ranges;
mod rate;
mod report;
mod sequence;
mod state;
mod states;
mod status;
mod timing;

pub use fact::{Expected, Fact, Noted};
pub use follower::Watch;
pub use report::{Asked, Completeness, Missing, ReportError, RestsOn, Silence, report};
pub use sequence::Said;
pub use states::{Entry, Gathering, States};
pub use status::Status;
pub use timing::Lag;

/// What an event says of itself, as far as completeness goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// When it happened, ms since 1970 UTC.
    pub time_ms: Option<u64>,
    /// The producer's own number of it. Past 2^53 it is passed over.
    pub sequence: Option<u64>,
    /// Tells the producers of one source apart, such as a hash of the host's name; 0 when it has one.
    pub producer: u64,
    /// Fields in it, 0 when it was not mapped.
    pub fields: u32,
    /// Of these, how many no mapping covers.
    pub unmapped: u32,
}

/// Reads raw bytes of a source's kind. Total: any bytes, no panic.
pub type Observe = fn(raw: &[u8], kind: &str) -> Observation;

/// Observes nothing: for a server without mappings.
#[must_use]
pub fn observe_nothing(_raw: &[u8], _kind: &str) -> Observation {
    Observation::default()
}
