//! One connection's loop: ask, judge, read, keep; wait as the vendor or a failure says; stop when
//! told to. The only place with a network, a clock and a random source.
//!
//! INVARIANT: the machine is asked for its next step only after its last page is in the log with
//! its cursor. So a crash at any point loses nothing: what was not kept is read again, and what was
//! kept and is read again is known by its id.

use tokio::sync::watch;

use crate::door::poll::credentials::Keyring;
use crate::door::poll::http::Client;
use crate::door::poll::seen::Seen;
use crate::door::poll::status::Doing;
use crate::door::poll::upkeep::{Ended, KeptCursor, Piece, Upkeep};
use crate::door::poll::verdict::{Verdict, judge};
use crate::door::poll::{Answer, Ask, Event, Note, Page, Poller, Step, moment};

/// Most raw bytes and events that are kept at once: well within a chunk of 8 MiB.
const PIECE_BYTES_MAX: usize = 2 << 20;
const PIECE_EVENTS_MAX: usize = 2_000;
/// Of what a vendor says when it refuses.
const REASON_CHARS_MAX: usize = 200;

/// A poller with all it needs.
pub struct Driver {
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
    /// Log, status, clock.
    pub upkeep: Upkeep,
    /// True when it is to stop.
    pub stop: watch::Receiver<bool>,
}

impl Driver {
    /// Polls until told to stop, or until the log takes nothing more.
    pub async fn run(self) {
        let (status, mut stop) = (self.upkeep.status.clone(), self.stop.clone());
        let mut running = Running { driver: self, seen: Seen::default(), pause_until: 0, fresh_token: false };
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
            self.driver.upkeep.sleep_until(self.pause_until).await;
            let step = self.driver.poller.next(self.driver.upkeep.clock.now_ms());
            let ended = match step {
                Step::WaitUntil(until) => {
                    self.driver.upkeep.sleep_until(until).await;
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
        let note = Note { record: "source.polling_began", members: vec![("from", moment::rfc3339(self.driver.kept.start))] };
        let cursor = Some(self.driver.kept.to_text());
        self.driver.upkeep.keep(Piece { events: Vec::new(), notes: vec![note], cursor }).await
    }

    async fn exchange(&mut self, ask: Ask) -> Result<(), Ended> {
        let now = self.driver.upkeep.clock.now_ms();
        let credentials = match self.driver.keyring.authorise(&ask, now).await {
            Ok(credentials) => credentials,
            Err(why) => return self.fail(&why.to_string()).await,
        };
        let host = ask.url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        self.driver.upkeep.status.change(|status| status.requests += 1);
        match self.driver.client.send(ask, credentials).await {
            Ok(answer) => self.take(&host, answer).await,
            Err(why) => self.fail(&why.to_string()).await,
        }
    }

    async fn take(&mut self, host: &str, answer: Answer) -> Result<(), Ended> {
        let now = self.driver.upkeep.clock.now_ms();
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
                self.driver.upkeep.status.change(|status| status.doing = Doing::Slowed);
                self.pause_until = until;
                Ok(())
            }
            Verdict::Unauthorized if !self.fresh_token && self.driver.keyring.rejected() => {
                self.fresh_token = true;
                Ok(())
            }
            Verdict::Unauthorized => {
                self.fail(&format!("{host} does not accept the token (401{}): renew the secret", reason(&answer))).await
            }
            Verdict::Slow { until_ms: None } | Verdict::Again => {
                self.fail(&format!("{host} answered with {}", answer.status.as_u16())).await
            }
            Verdict::Forbidden | Verdict::Refused => match self.driver.poller.refused(&answer, now) {
                Some(page) => self.keep_page(page).await,
                None => self.fail(&format!("{host} refused what was asked ({}{})", answer.status.as_u16(), reason(&answer))).await,
            },
        }
    }

    async fn keep_page(&mut self, page: Page) -> Result<(), Ended> {
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
            let events = piece.events.clone();
            self.driver.upkeep.keep(piece).await?;
            self.seen.kept(&events);
        }
        self.driver.upkeep.worked(page.caught_up);
        Ok(())
    }

    async fn fail(&mut self, why: &str) -> Result<(), Ended> {
        self.driver.upkeep.fail(why).await;
        Ok(())
    }
}

/// Events cut into pieces that fit a chunk.
#[must_use]
pub fn pieces(events: Vec<Event>) -> Vec<Piece> {
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
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_in_pieces_that_fit_a_chunk() {
        let event = |bytes: usize| Event { raw: vec![b'x'; bytes].into(), id: crate::door::poll::EventId::Own(String::new()), at_ms: None };
        let sizes = |events: Vec<Event>| pieces(events).iter().map(|piece| piece.events.len()).collect::<Vec<_>>();
        assert_eq!(sizes(vec![]), [0; 0]);
        assert_eq!(sizes(vec![event(10); PIECE_EVENTS_MAX + 1]), [PIECE_EVENTS_MAX, 1]);
        assert_eq!(sizes(vec![event(PIECE_BYTES_MAX), event(1), event(5 * PIECE_BYTES_MAX), event(1)]), [1, 1, 1, 1]);
    }
}
