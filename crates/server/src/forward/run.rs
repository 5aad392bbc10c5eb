//! One forward's loop: read on in the log, deliver, note the place; wait for a commit, or after a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::door::Admission;
use crate::door::poll::backoff::Backoff;
use crate::forward::batch::Batch;
use crate::forward::place::{self, Place};
use crate::forward::receiver::{Moment, Receiver};
use crate::forward::status::{Doing, Status, Statuses};
use crate::log::records::forwarded;
use crate::search::{Budget, Following, Index};
use crate::store::media::Media;

/// What is read at a time: a collector's batch, more or less.
const STEP: Budget = Budget { hits: 500, bytes: 256 << 10, time: Duration::from_secs(1), entries: 100_000 };
/// A place that moved over entries that do not match is noted this often, and not at every commit: each time
/// costs a sync.
const NOTE_EVERY_MS: u64 = 10_000;
/// How often what was sent is recorded in the log.
const RECORD_EVERY_MS: u64 = 3_600_000;
/// Longest sleep: a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(5);

/// A forward with all it needs.
pub struct Runner {
    /// Its name.
    pub name: String,
    /// Where it is in the log.
    pub following: Following,
    /// How far the receiver is.
    pub place: Place,
    /// Who takes it.
    pub receiver: Receiver,
    /// Where the place is noted.
    pub media: Arc<dyn Media>,
    /// The log, and who is who.
    pub admission: Arc<Admission>,
    /// What need not be read.
    pub index: Arc<Index>,
    /// How it fares.
    pub statuses: Statuses,
    /// For waits and names of files.
    pub clock: Clock,
    /// For the jitter of waits.
    pub random: fn() -> u64,
}

struct Running {
    runner: Runner,
    batch: Batch,
    backoff: Backoff,
    noted: Place,
    noted_ms: u64,
    /// Something was sent since.
    unnoted: bool,
    /// Since the last record: from which entry, how many, and since when.
    recorded: (u64, u64, u64),
}

impl Runner {
    /// Forwards until told to stop. What is under way then was not noted, and is sent again.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let now = self.clock.now_ms();
        let at = self.following.at();
        let mut running = Running {
            batch: Batch::default(),
            backoff: Backoff::default(),
            noted: self.place.clone(),
            noted_ms: now,
            unnoted: false,
            recorded: (at, 0, now),
            runner: self,
        };
        let mut size = running.runner.admission.trail().log().follow();
        loop {
            // A request may be dropped half way. A write to a file runs on, so its end is waited for.
            let turn = match &running.runner.receiver {
                Receiver::Files(_) => running.turn().await,
                Receiver::Hec { .. } | Receiver::Bucket { .. } => tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => break,
                    turn = running.turn() => turn,
                },
            };
            if *stop.borrow() {
                break;
            }
            let nap = match turn {
                Ok(true) => continue,
                Ok(false) => NAP.min(running.until_due()),
                Err(why) => running.failed(why),
            };
            let failing = running.backoff.failures() > 0;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = tokio::time::sleep(nap) => {}
                changed = size.changed(), if !failing => if changed.is_err() { break },
            }
        }
        running.record(u64::MAX);
        // As far as it is known, so that a restart sends little again; it is not needed.
        if running.runner.place != running.noted {
            let _ = place::write(&*running.runner.media, &running.runner.name, &running.runner.place);
        }
    }
}

impl Running {
    /// Reads on, delivers what is due, and notes the place. True if there is more to do at once.
    async fn turn(&mut self) -> Result<bool, String> {
        let now_ms = self.runner.clock.now_ms();
        let end = self.runner.admission.trail().view().size;
        if self.runner.following.at() < end && self.runner.receiver.has_room(&self.batch) {
            self.read(now_ms).await?;
        }
        let at = self.runner.following.at();
        if self.runner.receiver.is_due(&self.batch, now_ms) {
            let file = self.runner.receiver.deliver(&self.batch, Moment { end: at, now_ms }).await?;
            let sent = self.batch.count;
            self.batch.clear();
            self.unnoted = true;
            self.recorded.1 += sent;
            self.runner.place.file = file;
            self.runner.place.at = at;
            self.change(|status| (status.sent, status.sent_at) = (status.sent + sent, Some(now_ms)));
        } else if self.batch.count == 0 {
            self.runner.place.at = at;
        }
        self.note(now_ms).await?;
        self.record(now_ms);
        self.backoff.worked();
        let more = at < self.runner.admission.trail().view().size && self.runner.receiver.has_room(&self.batch);
        let at = self.runner.place.at;
        self.change(|status| {
            (status.at, status.failures_in_a_row) = (at, 0);
            status.doing = if more { Doing::Sending } else { Doing::Waiting };
        });
        Ok(more)
    }

    async fn read(&mut self, now_ms: u64) -> Result<(), String> {
        let runner = &self.runner;
        let (admission, index, shape) = (Arc::clone(&runner.admission), Arc::clone(&runner.index), runner.receiver.shape());
        // Moved on only when all of it is in the batch.
        let (mut following, mut batch) = (runner.following.clone(), self.batch.clone());
        let read = move || {
            let trail = admission.trail();
            let directory = admission.identities().in_force(trail).map_err(|why| why.to_string())?;
            let found = following.step(trail, &index, &directory, STEP).map_err(|why| why.to_string())?;
            if let Some(gap) = found.unreadable.first() {
                let last = gap.end.saturating_sub(1);
                return Err(format!(
                    "entries {} to {last} cannot be read, and nothing is passed over: {}; mend it, or add the forward anew with --from {}",
                    gap.first, gap.why, gap.end
                ));
            }
            let state = &trail.view().state;
            let knowing = index.knowing(&directory, state);
            for entry in &found.hits {
                batch.add(&shape, entry, knowing, now_ms).map_err(|why| why.to_string())?;
            }
            Ok((following, batch))
        };
        (self.runner.following, self.batch) = tokio::task::spawn_blocking(read).await.map_err(|why| why.to_string())??;
        Ok(())
    }

    /// Notes the place once the receiver took something, or after a while.
    async fn note(&mut self, now_ms: u64) -> Result<(), String> {
        let (place, noted) = (&self.runner.place, &self.noted);
        if place == noted || !(self.unnoted || now_ms.saturating_sub(self.noted_ms) >= NOTE_EVERY_MS) {
            return Ok(());
        }
        let (media, name, place) = (Arc::clone(&self.runner.media), self.runner.name.clone(), place.clone());
        let write = move || place::write(&*media, &name, &place).map(|()| place);
        let written = tokio::task::spawn_blocking(write).await.map_err(|why| why.to_string())?;
        self.noted = written.map_err(|why| format!("what was sent cannot be noted, so a restart sends it again: {why}"))?;
        (self.noted_ms, self.unnoted) = (now_ms, false);
        Ok(())
    }

    /// Says in the log what was sent, if it is time.
    fn record(&mut self, now_ms: u64) {
        let (from, sent, since_ms) = self.recorded;
        if sent == 0 || now_ms.saturating_sub(since_ms) < RECORD_EVERY_MS {
            return;
        }
        let line = self.runner.following.query().to_string();
        let at = self.runner.place.at;
        if self.runner.index.note(forwarded(&self.runner.name, &line, (from, at), sent)) {
            self.recorded = (at, 0, now_ms);
        }
    }

    fn failed(&mut self, why: String) -> Duration {
        let wait_ms = self.backoff.failed((self.runner.random)());
        let (now_ms, in_a_row) = (self.runner.clock.now_ms(), self.backoff.failures());
        tracing::warn!(forward = self.runner.name, why, wait_ms, "a forward failed and is tried again");
        self.change(|status| {
            status.doing = Doing::Failing;
            status.failures += 1;
            status.failures_in_a_row = in_a_row;
            (status.last_error, status.last_error_at) = (Some(why), Some(now_ms));
        });
        Duration::from_millis(wait_ms)
    }

    /// How long a batch that is not full waits.
    fn until_due(&self) -> Duration {
        let now_ms = self.runner.clock.now_ms();
        match &self.runner.receiver {
            Receiver::Bucket { every_ms, .. } if self.batch.count > 0 => {
                Duration::from_millis(self.batch.since_ms.saturating_add(*every_ms).saturating_sub(now_ms).max(1))
            }
            _ => NAP,
        }
    }

    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.runner.statuses.change(&self.runner.name, change);
    }
}
