//! Entries on their way to a receiver, as the bytes it takes.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::export::Line;
use crate::export::line::{Columns, RawIs};
use crate::search::document::{Document, Knowing};
use crate::store::read::StoredEntry;

/// How an entry is written.
#[derive(Clone, Debug)]
pub enum Shape {
    /// One JSON object a line.
    Lines,
    /// An event of a HTTP Event Collector, with the index it goes to.
    Hec(Option<String>),
}

/// Entries that wait for the receiver.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// As they are sent.
    pub bytes: Vec<u8>,
    /// How many.
    pub count: u64,
    /// Index of the first.
    pub first: u64,
    /// When the first was read, ms.
    pub since_ms: u64,
}

/// An entry, as receivers see it.
#[derive(Serialize)]
struct Event<'a> {
    /// The same each time it is sent: a receiver that has it may drop it.
    id: &'a str,
    index: u64,
    entry: &'a str,
    time: &'a str,
    received: &'a str,
    source: &'a str,
    kind: &'a str,
    fields: &'a Columns,
    raw: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_is: Option<RawIs>,
    ocsf: &'a RawValue,
}

#[derive(Serialize)]
struct HecEvent<'a> {
    /// Seconds.
    time: f64,
    host: &'a str,
    source: &'a str,
    sourcetype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'a str>,
    event: Event<'a>,
    fields: Indexed<'a>,
}

/// What Splunk indexes beside the event.
#[derive(Serialize)]
struct Indexed<'a> {
    indelible_id: &'a str,
}

impl Batch {
    /// Adds an entry.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, shape: &Shape, entry: &StoredEntry, knowing: Knowing<'_>, now_ms: u64) -> Result<(), serde_json::Error> {
        let line = Line::new(entry, knowing);
        let origin = knowing.state.origin.as_str();
        let id = format!("{origin}/{}", line.index);
        let event = Event {
            id: &id,
            index: line.index,
            entry: &line.entry,
            time: &line.time,
            received: &line.received,
            source: &line.source,
            kind: &line.kind,
            fields: &line.fields,
            raw: &line.raw,
            raw_is: line.raw_is,
            ocsf: &line.ocsf,
        };
        let before = self.bytes.len();
        let written = match shape {
            Shape::Lines => serde_json::to_writer(&mut self.bytes, &event),
            Shape::Hec(index) => {
                let time = Document::new(entry, knowing).time_ms() as f64 / 1_000.0;
                let (source, index) = (line.source.as_str(), index.as_deref());
                let fields = Indexed { indelible_id: &id };
                serde_json::to_writer(
                    &mut self.bytes,
                    &HecEvent { time, host: origin, source, sourcetype: "indelible", index, event, fields },
                )
            }
        };
        written.inspect_err(|_| self.bytes.truncate(before))?;
        self.bytes.push(b'\n');
        if self.count == 0 {
            (self.first, self.since_ms) = (line.index, now_ms);
        }
        self.count += 1;
        Ok(())
    }

    /// Nothing waits any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
