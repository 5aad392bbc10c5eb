//! One connection's loop: ask, judge, read, keep; wait as the vendor or a failure says; stop when
//! told to. The only place with a network, a clock and a random source.
//!
//! INVARIANT: the machine is asked for its next step only after its last page is in the log with
//! its cursor. So a crash at any point loses nothing: what was not kept is read again, and what was
//! kept and is read again is known by its id.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::door::poll::backoff::Backoff;
use crate::door::poll::credentials::Keyring;
use crate::door::poll::http::Client;
use crate::door::poll::seen::Seen;
use crate::door::poll::status::{Doing, StatusCell};
use crate::door::poll::verdict::{Verdict, judge};
use crate::door::poll::{Answer, Ask, Event, Note, Page, Poller, Step, moment};

/// Most raw bytes and events that are kept at once: well within a chunk of 8 MiB.
const PIECE_BYTES_MAX: usize = 2 << 20;
const PIECE_EVENTS_MAX: usize = 2_000;
/// A wait is looked at again this often, so that a clock that was set does not stretch it.
const NAP_MS_MAX: u64 = 30_000;
/// Of what a vendor says when it refuses.
const REASON_CHARS_MAX: usize = 200;

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

/// A poller with all it needs.
pub struct Driver {
    /// Which connection, for messages.
    pub connection: String,
    /// The vendor.
    pub poller: Box<dyn Poller>,
    /// Where the cursor stands.
    pub kept: KeptCursor,
    /// The log has it already.
    pub begun: bool,
    /// Credentials.
    pub keyring: Keyring,
    /// Network.
    pub client: Client,
    /// Log.
    pub keep: Keep,
    /// How it fares.
    pub status: StatusCell,
    /// Clock.
    pub clock: Clock,
    /// Random numbers, for jitter alone.
    pub random: Box<dyn FnMut() -> u64 + Send>,
    /// True when it is to stop.
    pub stop: watch::Receiver<bool>,
}

/// The loop is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended;

impl Driver {
    /// Polls until told to stop, or until the log takes nothing more.
    pub async fn run(self) {
        let status = self.status.clone();
        let mut stop = self.stop.clone();
        let mut running = Running { driver: self, backoff: Backoff::default(), seen: Seen::default(), pause_until: 0, fresh_token: false };
        // A request under way when told to stop is dropped: nothing of it was kept or acknowledged.
        // A piece on its way to the log is kept or not as a whole, cursor included.
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            Ended = running.poll() => {}
        }
        status.change(|status| {
            status.doing = Doing::Stopped;
            status.next_at = None;
        });
    }
}

struct Running {
    driver: Driver,
    backoff: Backoff,
    seen: Seen,
    pause_until: u64,
    /// The last request went with a token that was just renewed.
    fresh_token: bool,
}

impl Running {
    async fn poll(&mut self) -> Ended {
        if !self.driver.begun && self.begin().await.is_err() {
            return Ended;
        }
        loop {
            self.sleep_until(self.pause_until).await;
            let step = self.driver.poller.next(self.driver.clock.now_ms());
            let ended = match step {
                Step::WaitUntil(until) => {
                    self.sleep_until(until).await;
                    continue;
                }
                Step::Ask(ask) => self.exchange(ask).await,
            };
            if ended.is_err() {
                return Ended;
            }
        }
    }

    /// Says in the log from when this connection reads, so that a restart before the first event
    /// begins there as well.
    async fn begin(&mut self) -> Result<(), Ended> {
        let from = moment::rfc3339(self.driver.kept.start);
        let note = Note { record: "source.polling_began", members: vec![("from", from)] };
        self.keep_piece(Piece { events: Vec::new(), notes: vec![note], cursor: Some(self.driver.kept.to_text()) }).await
    }

    async fn exchange(&mut self, ask: Ask) -> Result<(), Ended> {
        let now = self.driver.clock.now_ms();
        let credentials = match self.driver.keyring.authorise(&ask, now).await {
            Ok(credentials) => credentials,
            Err(why) => return self.fail(&why.to_string()).await,
        };
        let host = ask.url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        self.driver.status.change(|status| status.requests += 1);
        match self.driver.client.send(ask, credentials).await {
            Ok(answer) => self.take(&host, answer).await,
            Err(why) => self.fail(&why.to_string()).await,
        }
    }

    async fn take(&mut self, host: &str, answer: Answer) -> Result<(), Ended> {
        let now = self.driver.clock.now_ms();
        let verdict = judge(answer.status, &answer.headers, now);
        if verdict != Verdict::Unauthorized {
            self.fresh_token = false;
        }
        match verdict {
            Verdict::Read { pause_until_ms } => {
                self.pause_until = pause_until_ms.unwrap_or(0);
                match self.driver.poller.answered(&answer, now) {
                    Ok(page) => self.keep_page(page).await,
                    Err(why) => self.fail(&why.to_string()).await,
                }
            }
            Verdict::Slow { until_ms: Some(until) } => {
                self.driver.status.change(|status| status.doing = Doing::Slowed);
                self.pause_until = until;
                Ok(())
            }
            Verdict::Unauthorized if !self.fresh_token && self.driver.keyring.rejected() => {
                self.fresh_token = true;
                Ok(())
            }
            Verdict::Unauthorized => self.fail(&format!("{host} does not accept the token (401{}): renew the secret", reason(&answer))).await,
            Verdict::Slow { until_ms: None } | Verdict::Again => self.fail(&format!("{host} answered with {}", answer.status.as_u16())).await,
            Verdict::Forbidden | Verdict::Refused => match self.driver.poller.refused(&answer, now) {
                Some(page) => self.keep_page(page).await,
                None => self.fail(&format!("{host} refused what was asked ({}{})", answer.status.as_u16(), reason(&answer))).await,
            },
        }
    }

    async fn keep_page(&mut self, page: Page) -> Result<(), Ended> {
        self.backoff.worked();
        let now = self.driver.clock.now_ms();
        let newest = page.events.iter().filter_map(|event| event.at_ms).max();
        let events = self.seen.only_new(page.events);
        let cursor = page.cursor.map(|at| {
            self.driver.kept.at = Some(at);
            self.driver.kept.to_text()
        });
        // A cursor that moved over nothing rides with the next event: a chunk costs a sync.
        let mut pieces = pieces(events);
        if pieces.is_empty() && !page.notes.is_empty() {
            pieces.push(Piece::default());
        }
        if let Some(last) = pieces.last_mut() {
            last.notes = page.notes;
            last.cursor = cursor;
        }
        for piece in pieces {
            self.keep_piece(piece).await?;
        }
        self.driver.status.change(|status| {
            status.failures_in_a_row = 0;
            status.newest_event_at = status.newest_event_at.max(newest);
            status.doing = if page.caught_up { Doing::Waiting } else { Doing::Reading };
            if page.caught_up {
                status.caught_up_at = Some(now);
            }
        });
        Ok(())
    }

    /// Keeps a piece, however long the log is busy: the vendor is not asked for more meanwhile.
    async fn keep_piece(&mut self, piece: Piece) -> Result<(), Ended> {
        let mut backoff = Backoff::default();
        loop {
            match (self.driver.keep)(piece.clone()).await {
                Ok(()) => break,
                Err(KeepError::Later(why)) => {
                    let wait = backoff.failed((self.driver.random)());
                    self.failed(&why, wait, backoff.failures());
                    self.sleep_until(self.driver.clock.now_ms().saturating_add(wait)).await;
                }
                Err(KeepError::Stopped(why)) => {
                    self.failed(&why, 0, 0);
                    return Err(Ended);
                }
            }
        }
        self.seen.kept(&piece.events);
        let now = self.driver.clock.now_ms();
        let count = piece.events.len() as u64;
        self.driver.status.change(|status| {
            status.events += count;
            status.kept_at = Some(now);
        });
        Ok(())
    }

    async fn fail(&mut self, why: &str) -> Result<(), Ended> {
        let wait = self.backoff.failed((self.driver.random)());
        self.failed(why, wait, self.backoff.failures());
        self.sleep_until(self.driver.clock.now_ms().saturating_add(wait)).await;
        Ok(())
    }

    fn failed(&self, why: &str, wait_ms: u64, in_a_row: u32) {
        let now = self.driver.clock.now_ms();
        self.driver.status.change(|status| {
            status.doing = Doing::Failing;
            status.failures += 1;
            status.failures_in_a_row = in_a_row;
            status.last_error = Some(why.to_owned());
            status.last_error_at = Some(now);
        });
        // The first of a row, and then once in a while: a vendor that is down for a day is not news.
        if in_a_row.is_power_of_two() || in_a_row == 0 {
            warn!(connection = self.driver.connection, %why, wait_ms, in_a_row, "polling failed");
        } else {
            info!(connection = self.driver.connection, %why, wait_ms, in_a_row, "polling failed again");
        }
    }

    async fn sleep_until(&mut self, until_ms: u64) {
        loop {
            let now = self.driver.clock.now_ms();
            if now >= until_ms {
                self.driver.status.change(|status| status.next_at = None);
                return;
            }
            self.driver.status.change(|status| status.next_at = Some(until_ms));
            tokio::time::sleep(Duration::from_millis((until_ms - now).min(NAP_MS_MAX))).await;
        }
    }
}

/// Events cut into pieces that fit a chunk.
fn pieces(events: Vec<Event>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut bytes = 0;
    for event in events {
        let fits = pieces.last().is_some_and(|piece| piece.events.len() < PIECE_EVENTS_MAX && bytes + event.raw.len() <= PIECE_BYTES_MAX);
        if !fits {
            pieces.push(Piece::default());
            bytes = 0;
        }
        bytes += event.raw.len();
        if let Some(piece) = pieces.last_mut() {
            piece.events.push(event);
        }
    }
    pieces
}

/// What a vendor says in words, cut short and without control characters.
fn reason(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(answer.body.get(..REASON_CHARS_MAX * 4).unwrap_or(&answer.body)).into_owned();
    let text: String = text.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_in_pieces_that_fit_a_chunk() {
        let event = |bytes: usize| Event { raw: vec![b'x'; bytes].into(), id: String::new(), at_ms: None };
        let sizes = |events: Vec<Event>| pieces(events).iter().map(|piece| piece.events.len()).collect::<Vec<_>>();
        assert_eq!(sizes(vec![]), [0; 0]);
        assert_eq!(sizes(vec![event(10); PIECE_EVENTS_MAX + 1]), [PIECE_EVENTS_MAX, 1]);
        assert_eq!(sizes(vec![event(PIECE_BYTES_MAX), event(1), event(5 * PIECE_BYTES_MAX), event(1)]), [1, 1, 1, 1]);
    }

    #[test]
    fn a_cursor_of_other_settings_is_none() {
        let kept = KeptCursor { at: Some("x".into()), ..KeptCursor::first("a", 5) };
        assert_eq!(KeptCursor::read(kept.to_text().as_bytes(), "a"), Some(kept.clone()));
        assert_eq!(KeptCursor::read(kept.to_text().as_bytes(), "b"), None);
        assert_eq!(KeptCursor::read(b"\xff", "a"), None);
    }
}
