//! Was a source complete between two times? Answered from the records in the log, with what the answer
//! rests on: the same records that anybody can prove.

use std::collections::BTreeMap;

use crate::store::read::{ReadError, Reader};
use crate::watch::fact::{Expected, Fact, Noted};
use crate::watch::follower::is_record;
use crate::watch::ranges::Ranges;
use crate::watch::sequence::Said;

/// Leaves looked through for records: 10 M take seconds.
const LEAVES_MAX: u64 = 10_000_000;
const BUNDLE: u64 = 256;
const MINUTE_MS: u64 = 60_000;

/// What an answer rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestsOn {
    /// The producers number their events, so that what is missing is seen.
    pub numbered: bool,
    /// Silence is seen: by a heartbeat, or by the usual rate.
    pub expected: Option<Expected>,
}

/// Numbers that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which producer; 0 when the source has one.
    pub producer: u64,
    /// First number.
    pub first: u64,
    /// Last number.
    pub last: u64,
    /// The events around them were received at these times, ms.
    pub between_ms: (u64, u64),
    /// Index of the event before.
    pub after: u64,
}

/// A time in which nothing came although something should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// From the last event on, ms.
    pub from_ms: u64,
    /// To the next one, ms; `None`: it lasts.
    pub to_ms: Option<u64>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completeness {
    /// Whether nothing is known to be missing; `None` when nothing could be known.
    pub complete: Option<bool>,
    /// What it rests on.
    pub rests_on: RestsOn,
    /// Numbers that did not come, and did not come late either.
    pub missing: Vec<Missing>,
    /// Times of silence.
    pub silences: Vec<Silence>,
    /// When a producer's counter began anew: index of the first event of the new counting.
    pub restarts: Vec<u64>,
    /// Refused or lost, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Entries below this index were looked at for it.
    pub watched_to: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Too much would have to be read.
    #[error("{0} entries were received since then, at most {LEAVES_MAX} are looked through: ask for a later time")]
    TooMuch(u64),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// From this time on, ms.
    pub from_ms: u64,
    /// Up to this time, ms, which is not in it.
    pub to_ms: u64,
    /// Since when it is silent now, ms.
    pub silent_since_ms: Option<u64>,
    /// What an answer may rest on now.
    pub rests_on: RestsOn,
    /// Entries below this index were watched.
    pub watched_to: u64,
}

/// The answer, from the records of all entries received since `from_ms`: what was missing may have come
/// late, long after `to_ms`.
///
/// # Errors
/// [`ReportError`].
pub fn report(reader: &Reader, asked: &Asked<'_>) -> Result<Completeness, ReportError> {
    let size = reader.view().size;
    let first = first_received_from(reader, asked.from_ms, size)?;
    if size - first > LEAVES_MAX {
        return Err(ReportError::TooMuch(size - first));
    }
    let mut found = Found::default();
    for bundle in first / BUNDLE..size.div_ceil(BUNDLE) {
        let leaves = reader.bundle_leaves(bundle, size)?;
        for (index, _) in (bundle * BUNDLE..size).zip(&leaves).filter(|(index, leaf)| *index >= first && is_record(leaf.as_slice())) {
            if let Some((_, noted)) = Noted::read(&reader.entry(index)?.raw).filter(|(source, _)| source == asked.source) {
                found.take(reader, asked, noted)?;
            }
        }
    }
    Ok(found.answer(asked))
}

/// Index of the first entry received at or after a time. Receive times never decrease.
fn first_received_from(reader: &Reader, from_ms: u64, size: u64) -> Result<u64, ReadError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        if reader.leaf(middle)?.received_at < from_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

#[derive(Default)]
struct Found {
    gaps: Vec<Missing>,
    filled: BTreeMap<u64, Ranges>,
    silences: Vec<Silence>,
    restarts: Vec<u64>,
    refused: BTreeMap<String, u64>,
}

impl Found {
    fn take(&mut self, reader: &Reader, asked: &Asked<'_>, noted: Noted) -> Result<(), ReadError> {
        match noted {
            Noted::Refused { reason, count, minute_ms, .. } => {
                if minute_ms < asked.to_ms && minute_ms.saturating_add(MINUTE_MS) > asked.from_ms {
                    let sum = self.refused.entry(reason).or_default();
                    *sum = sum.saturating_add(count);
                }
            }
            Noted::Fact(Fact::Numbering { producer, said: Said::Gap { first, last, after, before } }) => {
                let between_ms = (reader.leaf(after)?.received_at, reader.leaf(before)?.received_at);
                self.gaps.push(Missing { producer, first, last, between_ms, after });
            }
            Noted::Fact(Fact::Numbering { producer, said: Said::Filled { first, last } }) => {
                self.filled.entry(producer).or_default().insert(first, last);
            }
            Noted::Fact(Fact::Numbering { said: Said::Restarted { index, .. }, .. }) => {
                if reader.leaf(index)?.received_at < asked.to_ms {
                    self.restarts.push(index);
                }
            }
            Noted::Fact(Fact::Silent { since_ms, .. }) => self.silences.push(Silence { from_ms: since_ms, to_ms: None }),
            Noted::Fact(Fact::Resumed { since_ms, until_ms, .. }) => {
                // The silence may have been stated before the time that is asked for.
                self.silences.retain(|silence| silence.from_ms != since_ms);
                self.silences.push(Silence { from_ms: since_ms, to_ms: Some(until_ms) });
            }
        }
        Ok(())
    }

    fn answer(self, asked: &Asked<'_>) -> Completeness {
        let touches = |from_ms: u64, to_ms: u64| from_ms < asked.to_ms && to_ms >= asked.from_ms;
        let mut missing = Vec::new();
        for gap in self.gaps.into_iter().filter(|gap| touches(gap.between_ms.0, gap.between_ms.1)) {
            let mut left = Ranges::of([(gap.first, gap.last)]);
            for (first, last) in self.filled.get(&gap.producer).into_iter().flat_map(Ranges::iter) {
                left.remove(first, last);
            }
            missing.extend(left.iter().map(|(first, last)| Missing { first, last, ..gap.clone() }));
        }
        let mut silences = self.silences;
        // A silence that lasts may have been stated before the time that is asked for.
        let known = |since: &u64| silences.iter().any(|silence| silence.from_ms == *since);
        silences.extend(asked.silent_since_ms.filter(|since| !known(since)).map(|from_ms| Silence { from_ms, to_ms: None }));
        silences.retain(|silence| touches(silence.from_ms, silence.to_ms.unwrap_or(u64::MAX)));
        silences.sort_by_key(|silence| silence.from_ms);
        let nothing_missing = missing.is_empty() && silences.is_empty() && self.refused.is_empty();
        let RestsOn { numbered, expected } = asked.rests_on;
        let complete = if nothing_missing && !numbered && expected.is_none() { None } else { Some(nothing_missing) };
        Completeness {
            complete,
            rests_on: asked.rests_on,
            missing,
            silences,
            restarts: self.restarts,
            refused: self.refused,
            watched_to: asked.watched_to,
        }
    }
}
