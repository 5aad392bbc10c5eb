//! What the kind of a source says of its records before they are kept: where a wrapper's records are,
//! their ids, their producer's sequence.

use std::sync::Arc;

use bytes::Bytes;

use crate::door::{Admission, Origin, Told, UNKNOWN_KIND};
use crate::intake::limits::EVENTS_MAX;
use crate::intake::{Decoded, RawEvent, wrapper};
use crate::source::catalog::Item;
use crate::source::{Kind, Scratch};

/// A source is made of the kind its first record looks like only when little else looks so.
const CERTAIN_ENOUGH: u8 = 60;

impl Admission {
    /// The kind that the source has; `None` when nobody knows it.
    fn kind_of(&self, origin: &Origin) -> Option<Arc<Kind>> {
        let state = &self.trail.view().state;
        let named = state.source_number(origin.source.as_str()).and_then(|number| state.sources.get(&number));
        let name = named.map_or(origin.kind.as_ref(), |source| source.kind.as_str());
        self.catalog.kind(name).cloned()
    }

    /// The origin, with the kind that its first record looks like when the source is made by it.
    pub(super) fn with_kind(&self, origin: &Origin, body: &[u8], decoded: &Decoded) -> Origin {
        let is_new = self.trail.view().state.source_number(origin.source.as_str()).is_none();
        let mut origin = origin.clone();
        if origin.kind == UNKNOWN_KIND
            && is_new
            && let Some(event) = decoded.events.first()
            && let Some(found) = self.catalog.recognise(event.raw(body)).filter(|found| found.certainty >= CERTAIN_ENOUGH)
        {
            origin.kind = found.kind.name.clone().into();
        }
        origin
    }

    /// The records of a body that is one wrapper; `None` when it is none.
    pub(super) fn unwrapped(&self, origin: &Origin, body: &[u8], decoded: &Decoded) -> Option<(Bytes, Decoded)> {
        let [event] = decoded.events.as_slice() else { return None };
        if !decoded.refused.is_empty() {
            return None;
        }
        let raw = whole(event, body)?;
        let items = self.catalog.unwrap(raw, self.kind_of(origin).as_deref()).filter(|items| items.len() <= EVENTS_MAX)?;
        // Records that are texts inside the wrapper are written out beside one another.
        let records = items.iter().map(|item| match item {
            Item::Range(range) => raw.get(range.clone()).unwrap_or_default(),
            Item::Text(text) => text.as_bytes(),
        });
        let gathered = wrapper::records(records.filter(|record| !record.is_empty())).ok()?;
        // Of a wrapper of nothing but empty texts the wrapper is all there is.
        (gathered.decoded != Decoded::default()).then_some((gathered.bytes, gathered.decoded))
    }

    /// Ids and sequence numbers by the source's kind, where the door has not told them, and the
    /// version of the kind's map.
    pub(super) fn told(&self, origin: &Origin, body: &[u8], decoded: &Decoded, told: Vec<Told>) -> (Vec<Told>, u32) {
        let Some(kind) = self.kind_of(origin) else { return (told, 0) };
        if kind.record.id.is_empty() && kind.record.sequence.is_empty() {
            return (told, kind.version);
        }
        let mut scratch = Scratch::default();
        let mut known = told.into_iter();
        let complete = decoded.events.iter().map(|event| {
            let told = known.next().unwrap_or_default();
            if told.id.is_some() || event.truncated.is_some() {
                return told;
            }
            let (id, sequence) = kind.identify(event.raw(body), &mut scratch);
            Told { id, sequence: told.sequence.or(sequence), ..told }
        });
        (complete.collect(), kind.version)
    }
}

/// The whole of an event that may be a wrapper. Of one that would be cut the rest still lies in the body, if it
/// is the body that it was found in; a door that kept no more than the cut has none.
fn whole<'a>(event: &RawEvent, body: &'a [u8]) -> Option<&'a [u8]> {
    let Some(truncated) = &event.truncated else {
        return event.json.then(|| event.raw(body));
    };
    let start = event.range().start;
    let end = start.checked_add(usize::try_from(truncated.bytes).ok()?)?;
    body.get(start..end).filter(|raw| raw.first() == Some(&b'{') && tlog::sha256(&[raw]) == truncated.sha256)
}
