//! What is known of one source: numbering, rate, timing, silence. Pure: time is passed in.
//!
//! Events and records change it; [`SourceState::due`] gives what is to be stated, which counts as
//! stated from then on. While the log is replayed after a restart nothing is asked for: the records
//! that were kept say what was stated, and the rest is due once the replay is over.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::watch::Observation;
use crate::watch::fact::{Expected, Fact, NUMBER_MAX};
use crate::watch::rate::Rate;
use crate::watch::sequence::{Numbered, Said, Sequence};
use crate::watch::timing::Timing;

/// Producers of one source whose numbering is followed; the one heard of longest ago makes room.
pub const PRODUCERS_MAX: usize = 256;
/// Time after a start in which what waited for the server may come in before silence counts.
pub const SETTLE_MS: u64 = 5 * 60 * 1000;
const HOUR_MS: u64 = 60 * 60 * 1000;
/// Hours over which refusals are counted.
const REFUSED_HOURS: usize = 24;

/// One event, as the watch sees it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Its index.
    pub index: u64,
    /// When it was received, ms.
    pub received_ms: u64,
    /// What it says of itself.
    pub observed: Observation,
}

/// A source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    /// Its rate.
    pub rate: Rate,
    /// Delays of its newest events; learned again after a restart.
    #[serde(skip)]
    pub timing: Timing,
    producers: BTreeMap<u64, Sequence>,
    last: Option<u64>,
    /// Received time of the last event before the silence that was stated.
    silent_since_ms: Option<u64>,
    /// A silence that ended and is to be stated: since, until, index.
    resumed: Option<(u64, u64, u64)>,
    /// Hour since 1970 and refusals in it.
    refused: VecDeque<(u64, u64)>,
}

impl SourceState {
    /// Takes an event.
    pub fn see(&mut self, event: &Seen) {
        let Seen { index, received_ms, observed } = *event;
        self.rate.count(received_ms);
        self.timing.see(received_ms, observed.time_ms, observed.fields, observed.unmapped);
        self.last = Some(index);
        if let Some(number) = observed.sequence.filter(|number| *number <= NUMBER_MAX) {
            let numbered = Numbered { number, index, received_ms, time_ms: observed.time_ms };
            self.see_number(observed.producer, numbered);
        }
        if let (Some(since), None) = (self.silent_since_ms, self.resumed) {
            self.resumed = Some((since, received_ms, index));
        }
    }

    fn see_number(&mut self, producer: u64, numbered: Numbered) {
        if let Some(sequence) = self.producers.get_mut(&producer) {
            sequence.see(numbered);
            return;
        }
        if self.producers.len() >= PRODUCERS_MAX {
            let quietest = self.producers.iter().min_by_key(|(_, sequence)| sequence.heard_ms()).map(|(producer, _)| *producer);
            self.producers.remove(&quietest.unwrap_or_default());
        }
        self.producers.insert(producer, Sequence::begin(numbered));
    }

    /// Counts refusals and losses that a record speaks of.
    pub fn refused(&mut self, count: u64, at_ms: u64) {
        let hour = at_ms / HOUR_MS;
        match self.refused.back_mut() {
            Some((newest, so_far)) if *newest >= hour => *so_far = so_far.saturating_add(count),
            _ => self.refused.push_back((hour, count)),
        }
        while self.refused.len() > REFUSED_HOURS {
            self.refused.pop_front();
        }
    }

    /// Refusals and losses of the last 24 hours.
    #[must_use]
    pub fn refused_lately(&self, now_ms: u64) -> u64 {
        let from = (now_ms / HOUR_MS + 1).saturating_sub(REFUSED_HOURS as u64);
        self.refused.iter().filter(|(hour, _)| *hour >= from).map(|(_, count)| *count).fold(0, u64::saturating_add)
    }

    /// Takes note of what a record says was stated; only while the log is replayed.
    pub fn stated(&mut self, fact: &Fact) {
        match fact {
            Fact::Numbering { producer, said } => {
                let Some(sequence) = self.producers.get_mut(producer) else { return };
                match said {
                    Said::Gap { first, last, .. } => sequence.stated_gap(*first, *last),
                    Said::Filled { first, last } => sequence.stated_filled(*first, *last),
                    Said::Restarted { now, .. } => sequence.stated_restart(*now),
                }
            }
            Fact::Silent { since_ms, .. } => {
                self.silent_since_ms = Some(*since_ms);
                // An event that came while the record was on its way stands before it in the log.
                let came = self.rate.last_ms.filter(|last| last > since_ms).zip(self.last);
                self.resumed = came.map(|(at_ms, index)| (*since_ms, at_ms, index));
            }
            Fact::Resumed { .. } => {
                self.silent_since_ms = None;
                self.resumed = None;
            }
        }
    }

    /// What is to be stated at `now_ms`. `live_ms` is when this process began to watch.
    pub fn due(&mut self, now_ms: u64, live_ms: u64, heartbeat_s: Option<u32>) -> Vec<Fact> {
        self.rate.pass_to(now_ms);
        let mut due = Vec::new();
        for (producer, sequence) in &mut self.producers {
            due.extend(sequence.due(now_ms).into_iter().map(|said| Fact::Numbering { producer: *producer, said }));
        }
        if let Some((since_ms, until_ms, index)) = self.resumed.take() {
            self.silent_since_ms = None;
            due.push(Fact::Resumed { since_ms, until_ms, index });
        }
        due.extend(self.falls_silent(now_ms, live_ms, heartbeat_s));
        due
    }

    fn falls_silent(&mut self, now_ms: u64, live_ms: u64, heartbeat_s: Option<u32>) -> Option<Fact> {
        let since_ms = self.rate.last_ms?;
        let (by, within_ms) = self.expected(heartbeat_s)?;
        let settled = now_ms.saturating_sub(live_ms) >= SETTLE_MS.min(within_ms);
        let silent = match by {
            Expected::Heartbeat => now_ms.saturating_sub(since_ms) > within_ms,
            Expected::Usual => self.rate.is_silence(since_ms, now_ms),
        };
        if self.silent_since_ms.is_some() || !settled || !silent {
            return None;
        }
        self.silent_since_ms = Some(since_ms);
        Some(Fact::Silent { since_ms, last: self.last, by, within_ms })
    }

    /// By what, and within what time in ms, an event is expected; `None` when nothing is known.
    #[must_use]
    pub fn expected(&self, heartbeat_s: Option<u32>) -> Option<(Expected, u64)> {
        match heartbeat_s {
            Some(seconds) => Some((Expected::Heartbeat, u64::from(seconds) * 1000)),
            None => self.rate.longest_pause_ms().map(|within_ms| (Expected::Usual, within_ms)),
        }
    }

    /// Index of the last event.
    #[must_use]
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// Since when it is silent, ms, if that was stated.
    #[must_use]
    pub const fn silent_since_ms(&self) -> Option<u64> {
        self.silent_since_ms
    }

    /// Whether producers number their events.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        !self.producers.is_empty()
    }

    /// Numbers that are missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.producers.values().map(|sequence| sequence.missing().count()).fold(0, u64::saturating_add)
    }
}
