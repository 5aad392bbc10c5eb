//! The thread that follows the log: reads committed entries, states what is due, and keeps what it
//! learned.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use evidence::leaf::{Kind, Leaf};
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::store::read::{ReadError, StoredEntry};
use crate::store::trail::Trail;
use crate::watch::states::{Entry, Gathering, States};
use crate::watch::status::Status;
use crate::watch::{Fact, Observe};

/// How much the follower yields: to threads that answer, and to the sealer, for which intake may wait.
const FOLLOWER_NICE: i32 = 19;
/// Entries read at a time: the lock on what is known is held for as long as they take to look at.
const ENTRIES_AT_ONCE: usize = 256;
/// Of what comes faster than it is looked at, one event in 16 is read for its time and fields: these are
/// shown over the newest events, and reading each would take the cores that answer.
const SAMPLE_BITS: u32 = 4;
/// How often a follower that has read everything looks again, and states what is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Entries that a start reads again at most. What was learned before is lost only to a follower that
/// kept nothing for longer.
pub const REPLAY_ENTRIES_MAX: u64 = 200_000;
/// Entries after which what was learned is kept: a start replays these within seconds.
const KEEP_ENTRIES: u64 = 50_000;
/// Entries since the last time that are worth keeping it when the server stops: fewer are read again
/// sooner than a record is written.
const KEEP_AT_STOP: u64 = 5_000;
/// Statements that wait for a log that takes nothing: beyond these, what is due stays due.
const OUTBOX_MAX: usize = 10_000;

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    trail: Arc<Trail>,
    clock: Clock,
    states: Arc<Mutex<States>>,
    stop: Mutex<Option<Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Watch {
    /// Follows `trail` on a thread of its own.
    ///
    /// # Errors
    /// What the system says when it makes no thread.
    pub fn start(trail: &Arc<Trail>, clock: Clock, observe: Observe) -> std::io::Result<Arc<Self>> {
        let states = Arc::new(Mutex::new(States::default()));
        let (stop, stopped) = bounded(0);
        let mut follower = Follower::new(Arc::clone(trail), clock.clone(), observe, Arc::clone(&states));
        let thread = std::thread::Builder::new().name("watch".into()).spawn(move || {
            let _ = rustix::process::nice(FOLLOWER_NICE);
            follower.run(&stopped);
        })?;
        let (stop, thread) = (Mutex::new(Some(stop)), Mutex::new(Some(thread)));
        Ok(Arc::new(Self { trail: Arc::clone(trail), clock, states, stop, thread }))
    }

    /// One line for each of the first `most` sources, by number.
    #[must_use]
    pub fn status(&self, most: usize) -> Vec<Status> {
        let view = self.trail.view();
        let now_ms = self.clock.now_ms();
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        view.state.sources.iter().take(most).map(|(number, source)| Status::of(source, states.get(*number), now_ms)).collect()
    }

    /// One source.
    #[must_use]
    pub fn status_of(&self, name: &str) -> Option<Status> {
        let view = self.trail.view();
        let number = view.state.source_number(name)?;
        let states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Status::of(view.state.sources.get(&number)?, states.get(number), self.clock.now_ms()))
    }

    /// Entries below this index were looked at.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).position()
    }

    /// Stops following; what is due is stated at the next start.
    pub fn stop(&self) {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The follower's own state; what readers see is in `states`.
pub(super) struct Follower {
    trail: Arc<Trail>,
    clock: Clock,
    observe: Observe,
    states: Arc<Mutex<States>>,
    /// Stated, and not in the log yet.
    outbox: Vec<Vec<u8>>,
    /// The log did not take the last statement; said once.
    stuck: bool,
    /// Position when what was learned was kept last.
    kept: u64,
    /// Since when this process watches, ms; none while it replays.
    live_ms: Option<u64>,
    /// Entries below stood in the log at the start.
    replay_to: u64,
}

impl Follower {
    pub(super) fn new(trail: Arc<Trail>, clock: Clock, observe: Observe, states: Arc<Mutex<States>>) -> Self {
        Self { trail, clock, observe, states, outbox: Vec::new(), stuck: false, kept: 0, live_ms: None, replay_to: 0 }
    }

    /// Works until the log stops or `stop` is closed.
    fn run(&mut self, stop: &Receiver<()>) {
        if let Err(why) = self.begin() {
            warn!(%why, "what was learned of the sources cannot be read; it is learned again");
        }
        while self.trail.log().shared().stopped().is_none() {
            let wait = match self.step() {
                Ok(true) => Duration::ZERO,
                Ok(false) => LOOK_EVERY,
                Err(why) => {
                    warn!(%why, "the watch cannot read on; it is tried again");
                    LOOK_EVERY * 20
                }
            };
            match stop.recv_timeout(wait) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.keep(KEEP_AT_STOP);
    }

    /// Takes up what was learned last.
    ///
    /// # Errors
    /// The log cannot be read; then it begins without.
    pub(super) fn begin(&mut self) -> Result<(), ReadError> {
        let size = self.trail.view().size;
        let from = size.saturating_sub(REPLAY_ENTRIES_MAX);
        self.replay_to = size;
        *self.locked() = States::from(from);
        self.kept = from;
        if let Some(states) = self.newest_kept(from, size)? {
            debug!(to = states.position(), size, "the watch takes up what it learned");
            self.kept = states.position();
            *self.locked() = states;
        }
        Ok(())
    }

    fn newest_kept(&self, from: u64, size: u64) -> Result<Option<States>, ReadError> {
        const BUNDLE: u64 = 256;
        let reader = self.trail.reader();
        let mut gathering = Gathering::default();
        for bundle in (from / BUNDLE..size.div_ceil(BUNDLE)).rev() {
            let leaves = reader.bundle_leaves(bundle, size)?;
            let records = (bundle * BUNDLE..).zip(&leaves).filter(|(index, leaf)| *index < size && is_record(leaf.as_slice()));
            for (index, _) in records.collect::<Vec<_>>().into_iter().rev() {
                if let Some(states) = gathering.take(&reader.entry(index)?.raw).filter(|states| states.position() <= index) {
                    return Ok(Some(states));
                }
            }
        }
        Ok(None)
    }

    /// Looks at the next entries and states what is due; true when there may be more at once.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn step(&mut self) -> Result<bool, ReadError> {
        let position = self.locked().position();
        let entries = self.trail.reader().entries(position, ENTRIES_AT_ONCE)?;
        self.look_at(&entries);
        let caught_up = entries.len() < ENTRIES_AT_ONCE;
        if self.live_ms.is_none() && self.locked().position() >= self.replay_to {
            self.live_ms = Some(self.clock.now_ms());
        }
        if let Some(live_ms) = self.live_ms {
            self.state_what_is_due(live_ms, caught_up);
            self.keep(KEEP_ENTRIES);
        }
        Ok(!caught_up)
    }

    fn look_at(&self, entries: &[StoredEntry]) {
        let view = self.trail.view();
        let mut states = self.locked();
        for stored in entries {
            let Leaf { kind, source, received_at, .. } = stored.leaf;
            let (facts, raw) = (stored.facts.as_ref(), stored.raw.as_ref());
            let entry = Entry { index: stored.index, kind, source, received_ms: received_at, facts, raw };
            let sample = entries.len() < ENTRIES_AT_ONCE || is_in_sample(stored.index);
            states.take(&entry, &view.state, &self.observe, sample, stored.index < self.replay_to);
        }
    }

    /// A follower that is behind goes by the time of what it read: an event that it has not seen yet is
    /// not one that did not come.
    fn state_what_is_due(&mut self, live_ms: u64, caught_up: bool) {
        let view = self.trail.view();
        if self.outbox.len() < OUTBOX_MAX {
            let due = {
                let mut states = self.locked();
                let now_ms = if caught_up { self.clock.now_ms() } else { states.time_ms() };
                states.due(now_ms, live_ms, &view.state)
            };
            let name = |number: u32| view.state.sources.get(&number).map(|source| source.name.as_str());
            self.outbox.extend(due.iter().filter_map(|(number, fact): &(u32, Fact)| Some(fact.record(name(*number)?))));
        }
        self.send();
    }

    /// What the log does not take now is tried again with the next step.
    fn send(&mut self) {
        let mut sent = 0;
        for record in &self.outbox {
            if let Err(why) = self.trail.log().record_blocking(record) {
                if !std::mem::replace(&mut self.stuck, true) {
                    warn!(%why, "what the watch found could not be recorded yet");
                }
                break;
            }
            self.stuck = false;
            sent += 1;
        }
        self.outbox.drain(..sent);
    }

    /// Keeps what was learned, when at least `entries` were looked at since the last time.
    fn keep(&mut self, entries: u64) {
        let (position, snapshot) = {
            let states = self.locked();
            let position = states.position();
            // What is stated and not recorded would count as recorded.
            if position.saturating_sub(self.kept) < entries || !self.outbox.is_empty() || self.live_ms.is_none() {
                return;
            }
            (position, states.snapshot())
        };
        self.kept = position;
        for record in snapshot {
            if let Err(why) = self.trail.log().record_blocking(&record) {
                debug!(%why, "what the watch learned could not be kept; the next start learns it again");
                return;
            }
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn is_record(leaf: &[u8]) -> bool {
    leaf.get(1) == Some(&(Kind::Record as u8))
}

/// A choice of one in 2^[`SAMPLE_BITS`] that no rhythm of the senders can meet or miss.
fn is_in_sample(index: u64) -> bool {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SAMPLE_BITS) == 0
}

#[cfg(test)]
#[path = "follower/tests.rs"]
mod tests;
