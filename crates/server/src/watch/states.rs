//! All sources, followed along the log; and what is kept of it for the next start.
//!
//! The log is the only memory: every so often a record `watch.state` holds what was learned up to an
//! index. A start takes the newest one and replays what came since.

use std::collections::BTreeMap;

use evidence::fold::TrailState;
use evidence::leaf::Kind;
use serde::{Deserialize, Serialize};

use crate::watch::fact::{Fact, Noted};
use crate::watch::state::{Seen, SourceState};
use crate::watch::{Observation, Observe};

/// Most bytes of one record of what was learned: half of what an event may have. A source takes
/// about 2 KB, and more with many producers.
const SNAPSHOT_BYTES_MAX: usize = 512 << 10;
/// Parts of one snapshot at most: with 10,000 sources about 50.
const PARTS_MAX: u32 = 256;

/// An entry of the log, as far as the watch looks.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its index.
    pub index: u64,
    /// Event, act or record.
    pub kind: Kind,
    /// Source number.
    pub source: u32,
    /// When it was received, ms.
    pub received_ms: u64,
    /// Part 0.
    pub facts: &'a [u8],
    /// The raw bytes.
    pub raw: &'a [u8],
}

/// All sources by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    sources: BTreeMap<u32, SourceState>,
    /// Everything below was seen.
    position: u64,
    /// Receive time of the last entry seen, ms.
    time_ms: u64,
}

/// One part of what was learned, as its record holds it.
#[derive(Serialize, Deserialize)]
struct Part {
    v: u32,
    record: String,
    to: u64,
    part: u32,
    parts: u32,
    sources: BTreeMap<u32, SourceState>,
}

const SNAPSHOT: &str = "watch.state";

impl States {
    /// Nothing seen below `position`.
    #[must_use]
    pub fn from(position: u64) -> Self {
        Self { position, ..Self::default() }
    }

    /// The next index to be seen.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Receive time of the last entry seen, ms.
    #[must_use]
    pub const fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// What is known of a source.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&SourceState> {
        self.sources.get(&number)
    }

    /// Takes the next entry. An event out of the `sample` is counted, and read only if its kind numbers
    /// its records. While the log is replayed, records of the watch say what was stated.
    pub fn take(&mut self, entry: &Entry<'_>, trail: &TrailState, observe: &Observe, sample: bool, replay: bool) {
        self.position = entry.index + 1;
        self.time_ms = entry.received_ms;
        match entry.kind {
            Kind::Event => {
                let Some(source) = trail.sources.get(&entry.source) else { return };
                let is_read = sample || observe.numbers(&source.kind);
                let observed = if is_read { observe.see(entry.raw, &source.kind, entry.received_ms) } else { Observation::default() };
                let sequence = stated_sequence(entry.facts).or(observed.sequence);
                let observed = Observation { sequence, ..observed };
                let seen = Seen { index: entry.index, received_ms: entry.received_ms, observed };
                self.sources.entry(entry.source).or_default().see(&seen);
            }
            Kind::Record => {
                let Some((name, noted)) = Noted::read(entry.raw) else { return };
                let Some(number) = trail.source_number(&name) else { return };
                match noted {
                    Noted::Refused { count, .. } => self.sources.entry(number).or_default().refused(count, entry.received_ms),
                    Noted::Fact(fact) if replay => self.sources.entry(number).or_default().stated(&fact),
                    Noted::Fact(_) => {}
                }
            }
            Kind::Act => {}
        }
    }

    /// What is to be stated of each source, by its number.
    pub fn due(&mut self, now_ms: u64, live_ms: u64, trail: &TrailState) -> Vec<(u32, Fact)> {
        let mut due = Vec::new();
        for (number, state) in &mut self.sources {
            let heartbeat_s = trail.sources.get(number).and_then(|source| source.heartbeat_s);
            due.extend(state.due(now_ms, live_ms, heartbeat_s).into_iter().map(|fact| (*number, fact)));
        }
        due
    }

    /// Records that hold what was learned so far.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Vec<u8>> {
        let mut groups: Vec<BTreeMap<u32, SourceState>> = vec![BTreeMap::new()];
        let mut bytes = 0;
        for (number, state) in &self.sources {
            let size = serde_json::to_vec(state).map_or(0, |json| json.len() + 16);
            if bytes + size > SNAPSHOT_BYTES_MAX && bytes > 0 {
                groups.push(BTreeMap::new());
                bytes = 0;
            }
            bytes += size;
            if let Some(group) = groups.last_mut() {
                group.insert(*number, state.clone());
            }
        }
        let parts = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let records = (0..).zip(groups).map(|(part, sources)| {
            let part = Part { v: 1, record: SNAPSHOT.to_owned(), to: self.position, part, parts, sources };
            serde_json::to_vec(&part).unwrap_or_default()
        });
        records.collect()
    }
}

/// Puts the parts of the newest whole snapshot together, from records read newest first.
#[derive(Debug, Default)]
pub struct Gathering {
    to: Option<u64>,
    parts: BTreeMap<u32, BTreeMap<u32, SourceState>>,
}

impl Gathering {
    /// Takes a record; gives the states once all parts of a snapshot are there.
    pub fn take(&mut self, raw: &[u8]) -> Option<States> {
        if !raw.windows(SNAPSHOT.len()).any(|window| window == SNAPSHOT.as_bytes()) {
            return None;
        }
        let part: Part = serde_json::from_slice(raw).ok()?;
        let sound = part.record == SNAPSHOT && part.v == 1 && part.part < part.parts && part.parts <= PARTS_MAX;
        if !sound || part.sources.values().any(|state| !state.rate.is_whole()) {
            return None;
        }
        if self.to != Some(part.to) {
            // Parts of a newer one that was cut short are of no use.
            *self = Self { to: Some(part.to), parts: BTreeMap::new() };
        }
        self.parts.insert(part.part, part.sources);
        if self.parts.len() < part.parts as usize {
            return None;
        }
        let sources = std::mem::take(&mut self.parts).into_values().flatten().collect();
        Some(States { sources, position: part.to, time_ms: 0 })
    }
}

/// The producer's number in part 0, when the door was told one. Most events have none, and part 0 is
/// not parsed for those.
fn stated_sequence(facts: &[u8]) -> Option<u64> {
    const MEMBER: &[u8] = b"\"seq\":";
    facts.windows(MEMBER.len()).any(|window| window == MEMBER).then(|| evidence::Facts::parse(facts).ok()?.seq)?
}
