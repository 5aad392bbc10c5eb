//! What every poller does beside fetching: keeps pieces however long the log is busy, tells how it
//! fares, and sleeps.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use crate::clock::Clock;
use crate::door::poll::backoff::Backoff;
use crate::door::poll::status::{Doing, StatusCell};
use crate::door::poll::{Event, Note};

/// A wait is looked at again this often, so that a clock that was set does not stretch it.
const NAP_MS_MAX: u64 = 30_000;

/// What is kept together: events, notes about the fetching, and the cursor behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Events in order.
    pub events: Vec<Event>,
    /// Records to make.
    pub notes: Vec<Note>,
    /// The cursor that holds once all of this is kept.
    pub cursor: Option<String>,
}

/// Why a piece was not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// Not now: the queue or the disk is full.
    #[error("{0}")]
    Later(String),
    /// Not before a restart.
    #[error("{0}")]
    Stopped(String),
}

/// Keeps a piece durably, or none of it.
pub type Keep = Box<dyn FnMut(Piece) -> Pin<Box<dyn Future<Output = Result<(), KeepError>> + Send>> + Send>;

/// The cursor as the log has it: the vendor's own, with what it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCursor {
    v: u8,
    /// Which source this is a cursor of; other settings begin anew.
    of: String,
    /// From when this connection reads, ms.
    pub start: u64,
    /// The vendor's cursor; none before the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl KeptCursor {
    /// A connection's first one.
    #[must_use]
    pub fn first(of: &str, start: u64) -> Self {
        Self { v: 1, of: of.to_owned(), start, at: None }
    }

    /// Reads what the log has, if it is a cursor of `of`.
    #[must_use]
    pub fn read(bytes: &[u8], of: &str) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|kept| kept.v == 1 && kept.of == of)
    }

    /// As the log keeps it.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Strings and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The loop is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// See the module.
pub struct Upkeep {
    /// Which connection, for messages.
    pub connection: String,
    /// Log.
    pub keep: Keep,
    /// How it fares.
    pub status: StatusCell,
    /// Clock.
    pub clock: Clock,
    /// Random numbers, for jitter alone.
    pub random: Box<dyn FnMut() -> u64 + Send>,
    /// Failures in a row.
    pub backoff: Backoff,
}

impl Upkeep {
    /// Keeps a piece, however long the log is busy: the vendor is not asked for more meanwhile.
    ///
    /// # Errors
    /// [`Ended`] when the log takes nothing more.
    pub async fn keep(&mut self, piece: Piece) -> Result<(), Ended> {
        let mut backoff = Backoff::default();
        let count = piece.events.len() as u64;
        let newest = piece.events.iter().filter_map(|event| event.at_ms).max();
        loop {
            match (self.keep)(piece.clone()).await {
                Ok(()) => break,
                Err(KeepError::Later(why)) => {
                    let wait = backoff.failed((self.random)());
                    self.failed(&why, wait, backoff.failures());
                    self.sleep_until(self.clock.now_ms().saturating_add(wait)).await;
                }
                Err(KeepError::Stopped(why)) => {
                    self.failed(&why, 0, 0);
                    return Err(Ended);
                }
            }
        }
        let now = self.clock.now_ms();
        self.status.change(|status| {
            status.events += count;
            status.newest_event_at = status.newest_event_at.max(newest);
            status.kept_at = Some(now);
        });
        Ok(())
    }

    /// A try failed: says so and waits.
    pub async fn fail(&mut self, why: &str) {
        let wait = self.backoff.failed((self.random)());
        self.failed(why, wait, self.backoff.failures());
        self.sleep_until(self.clock.now_ms().saturating_add(wait)).await;
    }

    /// A try worked, and there may be more or not.
    pub fn worked(&mut self, caught_up: bool) {
        self.backoff.worked();
        let now = self.clock.now_ms();
        self.status.change(|status| {
            status.failures_in_a_row = 0;
            status.doing = if caught_up { Doing::Waiting } else { Doing::Reading };
            if caught_up {
                status.caught_up_at = Some(now);
            }
        });
    }

    fn failed(&self, why: &str, wait_ms: u64, in_a_row: u32) {
        let now = self.clock.now_ms();
        self.status.change(|status| {
            status.doing = Doing::Failing;
            status.failures += 1;
            status.failures_in_a_row = in_a_row;
            status.last_error = Some(why.to_owned());
            status.last_error_at = Some(now);
        });
        // The first of a row, and then once in a while: a vendor that is down for a day is not news.
        if in_a_row.is_power_of_two() || in_a_row == 0 {
            warn!(connection = self.connection, %why, wait_ms, in_a_row, "polling failed");
        } else {
            info!(connection = self.connection, %why, wait_ms, in_a_row, "polling failed again");
        }
    }

    /// Sleeps, and shows until when.
    pub async fn sleep_until(&mut self, until_ms: u64) {
        loop {
            let now = self.clock.now_ms();
            if now >= until_ms {
                self.status.change(|status| status.next_at = None);
                return;
            }
            self.status.change(|status| status.next_at = Some(until_ms));
            tokio::time::sleep(Duration::from_millis((until_ms - now).min(NAP_MS_MAX))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_other_settings_is_none() {
        let kept = KeptCursor { at: Some("x".into()), ..KeptCursor::first("a", 5) };
        assert_eq!(KeptCursor::read(kept.to_text().as_bytes(), "a"), Some(kept.clone()));
        assert_eq!(KeptCursor::read(kept.to_text().as_bytes(), "b"), None);
        assert_eq!(KeptCursor::read(b"\xff", "a"), None);
    }
}
