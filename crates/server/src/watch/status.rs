//! What is known of one source, in one line.

use evidence::fold::SourceEntry;

use crate::watch::state::SourceState;
use crate::watch::{Expected, Lag};

/// One source as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// `ok`, `learning` (nothing is expected yet), `silent`, `gaps` or `new` (nothing came yet).
    pub state: &'static str,
    /// When the last event was received, ms.
    pub last_ms: Option<u64>,
    /// Index of the last event.
    pub last_index: Option<u64>,
    /// Events an hour now.
    pub rate: f64,
    /// Events an hour that are usual at this time of the week; none while that is learned.
    pub usual: Option<f64>,
    /// By what an event is expected.
    pub expected: Option<Expected>,
    /// Within how many milliseconds an event is expected; none while nothing is.
    pub expected_within_ms: Option<u64>,
    /// Since when it is silent, ms.
    pub silent_since_ms: Option<u64>,
    /// Delays of the newest events.
    pub lag: Option<Lag>,
    /// Whether producers number their events.
    pub numbered: bool,
    /// Numbers that are missing.
    pub missing: u64,
    /// Refused or lost in the last 24 hours.
    pub refused: u64,
    /// Which part of the fields no mapping covers, 0 to 1.
    pub unmapped: Option<f64>,
}

impl Status {
    pub(super) fn of(source: &SourceEntry, state: Option<&SourceState>, now_ms: u64) -> Self {
        let nothing = SourceState::default();
        let state = state.unwrap_or(&nothing);
        let expected = state.expected(source.heartbeat_s);
        let word = match (state.silent_since_ms(), state.last(), state.missing(), expected) {
            (Some(_), ..) => "silent",
            (_, None, ..) => "new",
            (_, _, 1.., _) => "gaps",
            (_, _, _, None) => "learning",
            _ => "ok",
        };
        Self {
            name: source.name.clone(),
            state: word,
            last_ms: state.rate.last_ms,
            last_index: state.last(),
            rate: state.rate.now(now_ms),
            usual: state.rate.usual(now_ms),
            expected: expected.map(|(by, _)| by),
            expected_within_ms: expected.map(|(_, within_ms)| within_ms),
            silent_since_ms: state.silent_since_ms(),
            lag: state.timing.lag(),
            numbered: state.is_numbered(),
            missing: state.missing(),
            refused: state.refused_lately(now_ms),
            unmapped: state.timing.unmapped_share(),
        }
    }
}
