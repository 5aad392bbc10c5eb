//! What the watch states of a source, as records in the log; and what it reads there of refusals.

use evidence::canonical_json::{INTEGER_MAX, Value, parse};

use crate::log::records::record;
use crate::watch::sequence::Said;

/// One statement about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// About the numbering of one of its producers.
    Numbering {
        /// Which producer; see [`crate::watch::Observation::producer`].
        producer: u64,
        /// What.
        said: Said,
    },
    /// Nothing came for longer than it may.
    Silent {
        /// When the last event was received, ms.
        since_ms: u64,
        /// Index of the last event.
        last: Option<u64>,
        /// By what it may not be silent for so long.
        by: Expected,
        /// How long it may be, ms.
        within_ms: u64,
    },
    /// Something came again.
    Resumed {
        /// When the last event before the silence was received, ms.
        since_ms: u64,
        /// When the first one after it was, ms.
        until_ms: u64,
        /// Index of that one.
        index: u64,
    },
}

/// By what a source is expected to be heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Somebody said how often.
    Heartbeat,
    /// It always was.
    Usual,
}

impl Expected {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Heartbeat => "heartbeat",
            Self::Usual => "usual",
        }
    }
}

/// A record that says something of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The watch's own.
    Fact(Fact),
    /// A door refused or lost input.
    Refused {
        /// Why.
        reason: String,
        /// How many.
        count: u64,
        /// Start of the minute in which it was counted, ms.
        minute_ms: u64,
        /// Nobody could be told.
        lost: bool,
    },
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

impl Fact {
    /// The record that states it.
    #[must_use]
    pub fn record(&self, source: &str) -> Vec<u8> {
        let mut members = vec![("source", text(source))];
        let mut numbers = |named: &[(&'static str, u64)]| members.extend(named.iter().map(|(name, number)| (*name, Value::from(*number))));
        let name = match self {
            Self::Numbering { said, .. } => match said {
                Said::Gap { first, last, after, before } => {
                    numbers(&[("first", *first), ("last", *last), ("after", *after), ("before", *before)]);
                    "source.gap"
                }
                Said::Filled { first, last } => {
                    numbers(&[("first", *first), ("last", *last)]);
                    "source.gap_filled"
                }
                Said::Restarted { was, now, index } => {
                    numbers(&[("was", *was), ("now", *now), ("index", *index)]);
                    "source.sequence_restarted"
                }
            },
            Self::Silent { since_ms, last, within_ms, .. } => {
                numbers(&[("since", *since_ms), ("within_ms", *within_ms)]);
                members.push(("last", (*last).into()));
                "source.silent"
            }
            Self::Resumed { since_ms, until_ms, index } => {
                numbers(&[
                    ("since", *since_ms),
                    ("until", *until_ms),
                    ("silent_ms", until_ms.saturating_sub(*since_ms)),
                    ("index", *index),
                ]);
                "source.resumed"
            }
        };
        match self {
            Self::Numbering { producer, .. } if *producer != 0 => members.push(("producer", Value::String(format!("{producer:016x}")))),
            Self::Silent { by, .. } => members.push(("by", text(by.word()))),
            Self::Numbering { .. } | Self::Resumed { .. } => {}
        }
        record(name, members)
    }
}

impl Noted {
    /// Reads a record: which source it is about, and what it says. `None` for all other records.
    #[must_use]
    pub fn read(raw: &[u8]) -> Option<(String, Self)> {
        let Value::Object(members) = parse(raw).ok()? else { return None };
        let get = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| value);
        let number = |name: &str| match get(name)? {
            Value::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let word = |name: &str| match get(name)? {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        };
        let numbering = |said| Some(Self::Fact(Fact::Numbering { producer: producer(word("producer"))?, said }));
        let noted = match word("record")? {
            "source.gap" => {
                let (after, before) = (number("after")?, number("before")?);
                numbering(Said::Gap { first: number("first")?, last: number("last")?, after, before })
            }
            "source.gap_filled" => numbering(Said::Filled { first: number("first")?, last: number("last")? }),
            "source.sequence_restarted" => numbering(Said::Restarted { was: number("was")?, now: number("now")?, index: number("index")? }),
            "source.silent" => {
                let by = if word("by")? == Expected::Heartbeat.word() { Expected::Heartbeat } else { Expected::Usual };
                let (since_ms, within_ms) = (number("since")?, number("within_ms")?);
                Some(Self::Fact(Fact::Silent { since_ms, last: number("last"), by, within_ms }))
            }
            "source.resumed" => {
                let (since_ms, until_ms) = (number("since")?, number("until")?);
                Some(Self::Fact(Fact::Resumed { since_ms, until_ms, index: number("index")? }))
            }
            name @ ("input.refused" | "door.lost") => {
                let (count, minute_ms) = (number("count")?, number("minute")?);
                Some(Self::Refused { reason: word("reason")?.to_owned(), count, minute_ms, lost: name == "door.lost" })
            }
            _ => None,
        }?;
        Some((word("source")?.to_owned(), noted))
    }
}

fn producer(text: Option<&str>) -> Option<u64> {
    text.map_or(Some(0), |text| u64::from_str_radix(text, 16).ok())
}

/// The greatest number that a record can state.
pub const NUMBER_MAX: u64 = INTEGER_MAX;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::log::records::{door_lost, input_refused};
    use proptest::prelude::*;

    #[test]
    fn every_statement_reads_back_and_has_golden_bytes() {
        let facts = [
            Fact::Numbering { producer: 0, said: Said::Gap { first: 7, last: 8, after: 40, before: 41 } },
            Fact::Numbering { producer: 255, said: Said::Filled { first: 7, last: 7 } },
            Fact::Numbering { producer: 0, said: Said::Restarted { was: 9, now: 1, index: 50 } },
            Fact::Silent { since_ms: 1_000, last: Some(60), by: Expected::Heartbeat, within_ms: 900_000 },
            Fact::Silent { since_ms: 1_000, last: None, by: Expected::Usual, within_ms: 900_000 },
            Fact::Resumed { since_ms: 1_000, until_ms: 5_000, index: 61 },
        ];
        let golden = [
            r#"{"after":40,"before":41,"first":7,"last":8,"record":"source.gap","source":"okta","v":1}"#,
            r#"{"first":7,"last":7,"producer":"00000000000000ff","record":"source.gap_filled","source":"okta","v":1}"#,
            r#"{"index":50,"now":1,"record":"source.sequence_restarted","source":"okta","v":1,"was":9}"#,
            r#"{"by":"heartbeat","last":60,"record":"source.silent","since":1000,"source":"okta","v":1,"within_ms":900000}"#,
            r#"{"by":"usual","last":null,"record":"source.silent","since":1000,"source":"okta","v":1,"within_ms":900000}"#,
            r#"{"index":61,"record":"source.resumed","silent_ms":4000,"since":1000,"source":"okta","until":5000,"v":1}"#,
        ];
        for (fact, golden) in facts.into_iter().zip(golden) {
            let record = fact.record("okta");
            assert_eq!(std::str::from_utf8(&record).unwrap(), golden);
            assert_eq!(Noted::read(&record), Some(("okta".to_owned(), Noted::Fact(fact))));
        }
    }

    #[test]
    fn refusals_and_losses_are_read_and_other_records_are_not() {
        let refused = Noted::Refused { reason: "too_deep".into(), count: 3, minute_ms: 60_000, lost: false };
        assert_eq!(Noted::read(&input_refused("okta", "too_deep", 3, 60_000)), Some(("okta".to_owned(), refused)));
        let lost = Noted::Refused { reason: "queue_full".into(), count: 4, minute_ms: 60_000, lost: true };
        assert_eq!(Noted::read(&door_lost("syslog", "bastion", "queue_full", 4, 60_000)), Some(("bastion".to_owned(), lost)));
        for other in [&b"{}"[..], b"x", b"[]", br#"{"record":"source.gap","source":"a"}"#, br#"{"record":"log.tail_dropped","source":"a"}"#]
        {
            assert_eq!(Noted::read(other), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Noted::read(&raw);
        }
    }
}
