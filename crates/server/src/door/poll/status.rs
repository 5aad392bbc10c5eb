//! How each poller fares, for people and for metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// What a poller is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Not begun.
    #[default]
    Starting,
    /// Reading what there is.
    Reading,
    /// Caught up: looks again in a while.
    Waiting,
    /// The vendor asked to slow down.
    Slowed,
    /// The last try failed: tries again.
    Failing,
    /// The log takes nothing more, or the connection is gone.
    Stopped,
}

/// One poller, as `GET /v1/connections` shows it. Times are ms since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PollStatus {
    /// What it is doing.
    pub doing: Doing,
    /// Requests sent.
    pub requests: u64,
    /// Events given to the log; what the log knew already counts too.
    pub events: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Failures since it last worked.
    pub failures_in_a_row: u32,
    /// Newest time that an event bears.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_event_at: Option<u64>,
    /// Last time the vendor had nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caught_up_at: Option<u64>,
    /// Last time events were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_at: Option<u64>,
    /// When the next request goes, if later than now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<u64>,
    /// The last failure, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// And its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<u64>,
}

impl PollStatus {
    /// Now less the newest event's time, ms; `None` before the first event.
    #[must_use]
    pub fn lag_ms(&self, now_ms: u64) -> Option<u64> {
        Some(now_ms.saturating_sub(self.newest_event_at?))
    }
}

/// A poller's own hand on its status.
#[derive(Clone, Debug, Default)]
pub struct StatusCell(Arc<Mutex<PollStatus>>);

impl StatusCell {
    /// As it is now.
    #[must_use]
    pub fn get(&self) -> PollStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes it.
    pub fn change(&self, change: impl FnOnce(&mut PollStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// All pollers, by connection.
#[derive(Clone, Debug, Default)]
pub struct Statuses(Arc<Mutex<BTreeMap<String, StatusCell>>>);

impl Statuses {
    /// The cell of a connection, made when there is none.
    #[must_use]
    pub fn cell(&self, connection: &str) -> StatusCell {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(connection.to_owned()).or_default().clone()
    }

    /// Forgets a connection.
    pub fn forget(&self, connection: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(connection);
    }

    /// One connection's status, if it polls.
    #[must_use]
    pub fn get(&self, connection: &str) -> Option<PollStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(connection).map(StatusCell::get)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<(String, PollStatus)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(name, cell)| (name.clone(), cell.get())).collect()
    }
}
