//! When an event happened, among all the others.

use serde::Serialize;

use crate::investigate::condition::before;
use crate::investigate::line::{Line, rfc3339};
use crate::search::Query;
use crate::search::document::Document;

/// Where an event stands in the order of time; of those at the same time, the greater index is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When it happened, ms.
    pub time_ms: i64,
    /// Its number in the log.
    pub index: u64,
}

impl Moment {
    /// Behind everything.
    pub const END: Self = Self { time_ms: i64::MAX, index: u64::MAX };

    /// Of a line.
    #[must_use]
    pub const fn of(line: &Line) -> Self {
        Self { time_ms: line.time_ms, index: line.index }
    }

    /// Of an event.
    #[must_use]
    pub fn of_document(document: &Document<'_>) -> Self {
        Self { time_ms: document.time_ms(), index: document.index() }
    }

    /// The condition of all that may be before it.
    #[must_use]
    pub fn condition(self) -> Query {
        if self.time_ms == i64::MAX { Query::All } else { before(self.time_ms.saturating_add(1)) }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.time_ms, self.index)
    }
}

impl std::str::FromStr for Moment {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        // A time before 1970 begins with the sign that stands in the middle.
        let at = text.rfind('-').filter(|at| *at > 0).ok_or(())?;
        let (time_ms, index) = (text.get(..at).and_then(|ms| ms.parse().ok()), text.get(at + 1..).and_then(|index| index.parse().ok()));
        let moment = Self { time_ms: time_ms.ok_or(())?, index: index.ok_or(())? };
        if moment.to_string() == text { Ok(moment) } else { Err(()) }
    }
}

/// An event by its number and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Its number in the log.
    pub index: u64,
    /// When it happened, ms.
    #[serde(rename = "time", serialize_with = "rfc3339")]
    pub time_ms: i64,
}

impl From<Moment> for Seen {
    fn from(Moment { time_ms, index }: Moment) -> Self {
        Self { index, time_ms }
    }
}

#[cfg(test)]
#[path = "moment/tests.rs"]
mod tests;
