//! A Kafka topic; Azure Event Hubs speak the same protocol. Offsets are kept in the log with the
//! events, never in the broker, and partitions are assigned by hand: no consumer group decides what
//! this log has.
//!
//! What is here is pure: settings, offsets, and events out of messages. The client is librdkafka
//! behind the cargo feature `kafka`.

#[cfg(feature = "kafka")]
pub mod consume;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::door::poll::{Event, EventId, Note};
use crate::intake::{Media, decode};

/// A topic and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// `host:port`, separated by commas.
    pub brokers: String,
    /// Its name.
    pub name: String,
    /// How the connection is secured.
    pub security: Security,
    /// Where a connection begins that was never read.
    pub from: From,
}

/// How the connection is secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    Plaintext,
    /// TLS alone.
    Tls,
    /// TLS, and user name with the secret `password`.
    Password {
        /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        mechanism: &'static str,
        /// User name.
        username: String,
    },
    /// TLS, and a token for client id and secret `client_secret`.
    Token {
        /// Token endpoint.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Scope.
        scope: String,
    },
}

/// Where a connection begins that was never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the oldest message that is there.
    Earliest,
    /// With the next message.
    Latest,
}

/// Offset of the next message by partition: the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offsets(pub BTreeMap<i32, i64>);

/// What a partition has: offset of its oldest message, and of the one to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Oldest.
    pub low: i64,
    /// Next to be written.
    pub high: i64,
}

impl Offsets {
    /// Reads a cursor.
    #[must_use]
    pub fn of(cursor: Option<&str>) -> Option<Self> {
        serde_json::from_str(cursor?).ok()
    }

    /// As a cursor.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// Settles where each partition is read from. A partition that was never read begins where
    /// `from` says; messages that are gone, or a topic that was made anew, are told.
    #[must_use]
    pub fn settle(&mut self, partitions: &BTreeMap<i32, Watermarks>, from: From) -> Vec<Note> {
        let mut notes = Vec::new();
        for (partition, marks) in partitions {
            let begin = if from == From::Earliest { marks.low } else { marks.high };
            let next = self.0.entry(*partition).or_insert(begin);
            if (marks.low..=marks.high).contains(next) {
                continue;
            }
            let missing =
                if *next < marks.low { format!("{next}-{}", marks.low - 1) } else { format!("from {next}: the topic was made anew") };
            *next = marks.low;
            notes.push(Note {
                record: "source.cursor_lost",
                members: vec![
                    ("partition", partition.to_string()),
                    ("missing_offsets", missing),
                    ("read_again_from", marks.low.to_string()),
                ],
            });
        }
        notes
    }

    /// Whether a message is the next of its partition or later; if so, the one behind it is next.
    pub fn pass(&mut self, partition: i32, offset: i64) -> bool {
        let next = self.0.entry(partition).or_default();
        let new = offset >= *next;
        if new {
            *next = offset.saturating_add(1);
        }
        new
    }
}

/// Events of a message: the elements of `{"records":[…]}` or an array, else the message itself.
/// They are known by their message's place in the topic unless they have an id of their own.
#[must_use]
pub fn events(topic: &str, partition: i32, offset: i64, at_ms: Option<u64>, payload: &Bytes) -> Vec<Event> {
    let place = format!("{topic}/{partition}/{offset}");
    let whole = |payload: &Bytes| vec![Event { raw: payload.clone(), id: EventId::Place(place.clone()), at_ms }];
    if payload.is_empty() {
        // A tombstone: it deletes a key and says nothing.
        return Vec::new();
    }
    if serde_json::from_slice::<&RawValue>(payload).is_err() {
        return whole(payload);
    }
    match decode(payload, Media::Any) {
        Ok(decoded) if decoded.refused.is_empty() => {
            let count = decoded.events.len();
            let cut = decoded.events.iter().enumerate().map(|(nth, event)| {
                // From the payload, not from what would be kept of it: cutting off comes later.
                let length =
                    event.truncated.as_ref().map_or(event.len as usize, |whole| usize::try_from(whole.bytes).unwrap_or(usize::MAX));
                let (start, end) = (event.start as usize, (event.start as usize).saturating_add(length).min(payload.len()));
                let id = if count == 1 { place.clone() } else { format!("{place}/{nth}") };
                Event { raw: payload.slice(start.min(end)..end), id: EventId::Place(id), at_ms }
            });
            cut.collect()
        }
        _ => whole(payload),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raws(payload: &'static [u8]) -> Vec<(String, Bytes)> {
        events("t", 2, 40, None, &Bytes::from_static(payload)).into_iter().map(|event| (event.id.as_str().to_owned(), event.raw)).collect()
    }

    #[test]
    fn a_wrapper_is_unwrapped_and_anything_else_is_one_event() {
        let two = [("t/2/40/0".to_owned(), Bytes::from_static(b"{\"a\": 1}")), ("t/2/40/1".to_owned(), Bytes::from_static(b"{\"b\":2}"))];
        assert_eq!(raws(br#"{"records": [ {"a": 1} ,{"b":2}]}"#), two);
        assert_eq!(raws(br#"[{"a": 1},{"b":2}]"#), two);
        for one in [&b"{\"records\":[],\"x\":1}"[..], b"no json\nat all", b"\xff\xfe", b"{\"a\":1}", b"{\"a\":1}\n{\"b\":2}"] {
            assert_eq!(raws(one), [("t/2/40".to_owned(), Bytes::from_static(one))]);
        }
        assert_eq!(raws(b""), []);
        assert_eq!(raws(br#"{"records":[]}"#), []);
    }

    #[test]
    fn messages_that_are_gone_are_told_and_a_new_partition_begins_at_its_beginning() {
        let marks = |low, high| Watermarks { low, high };
        let partitions = BTreeMap::from([(0, marks(0, 10)), (1, marks(50, 90)), (2, marks(0, 3))]);
        let mut offsets = Offsets(BTreeMap::from([(0, 4), (1, 20), (2, 70)]));
        let notes = offsets.settle(&partitions, From::Latest);
        assert_eq!(offsets.0, BTreeMap::from([(0, 4), (1, 50), (2, 0)]));
        let missing: Vec<&str> = notes.iter().map(|note| note.members[1].1.as_str()).collect();
        assert_eq!(missing, ["20-49", "from 70: the topic was made anew"]);
        let mut first = Offsets::default();
        assert!(first.settle(&partitions, From::Latest).is_empty());
        assert_eq!(first.0, BTreeMap::from([(0, 10), (1, 90), (2, 3)]));
        let mut first = Offsets::default();
        assert!(first.settle(&partitions, From::Earliest).is_empty());
        assert_eq!(first.0, BTreeMap::from([(0, 0), (1, 50), (2, 0)]));
        assert_eq!(Offsets::of(first.cursor().as_deref()), Some(first));
    }

    #[test]
    fn a_message_passes_once() {
        let mut offsets = Offsets::default();
        assert!(offsets.pass(0, 5) && !offsets.pass(0, 5) && !offsets.pass(0, 3) && offsets.pass(0, 8));
        assert_eq!(offsets.0, BTreeMap::from([(0, 9)]));
    }

    proptest! {
        #[test]
        fn no_message_panics(payload: Vec<u8>, json in r#"([{}\[\],:" ]|"records"|[0-9a-z]){0,20}"#) {
            for payload in [Bytes::from(payload), Bytes::from(json)] {
                for event in events("t", 0, 0, None, &payload) {
                    prop_assert!(event.raw.len() <= payload.len());
                }
            }
        }
    }
}
