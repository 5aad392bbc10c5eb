//! From the events of one body to blocks for the log.

use std::borrow::Cow;
use std::net::IpAddr;

use evidence::canonical_json::{INTEGER_MAX, write_string};
use evidence::envelope::{Facts, Truncated};
use evidence::leaf::Kind;

use crate::clock::NoRandomness;
use crate::door::{By, Peer, Source};
use crate::intake::{Decoded, IdempotencyKey, RawEvent, record_id};
use crate::log::batch::{BatchBuilder, HeadedBlock, NewEntry};
use crate::log::cursors::Cursor;
use crate::log::sequencer::Wholeness;
use crate::log::window::{IdMark, IdOrigin};
use crate::store::trail::Trail;

/// The only retention class there is yet.
const CLASS_DEFAULT: u16 = 1;

/// What all events of a body share, besides their source, and what the door knows of each.
#[derive(Debug)]
pub struct Batch {
    /// On whose behalf they come.
    pub by: By,
    /// The address that connected; none for what is fetched or read from a file.
    pub peer: Option<IpAddr>,
    /// The sender's own protection against sending twice. Each event's identity is the key with its
    /// position.
    pub key: Option<IdempotencyKey>,
    /// What the door or the kind of source says of each event, in the order of `Decoded::events`; events
    /// without one are told nothing of.
    pub told: Vec<Told>,
    /// Cursors that move over these events, committed with them.
    pub cursors: Vec<Cursor>,
    /// Version of the map of the source's kind, 0 when the kind is not known. The way in fills it.
    pub map: u32,
    /// Name in the sender's certificate.
    pub subject: Option<String>,
    /// Whether the batch may be kept in parts.
    pub wholeness: Wholeness,
}

/// What is known of one event from outside its bytes, or by its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The record's own id. Without one it is looked for in the record as of an unknown kind.
    pub id: Option<String>,
    /// Where it stood at the sender, by which it is kept once if no id of its own is found.
    pub place: Option<String>,
    /// Sequence number that the producer gave. Past 2^53 it is not kept: JSON cannot hold it.
    pub sequence: Option<u64>,
}

impl Told {
    /// The same of the `nth` record in a wrapper of which this was told: the wrapper's id is none of theirs,
    /// and tells them apart where they have none.
    pub(super) fn of_record(&self, nth: usize) -> Self {
        let wrapper = self.id.as_ref().or(self.place.as_ref());
        Self { id: None, place: wrapper.map(|wrapper| format!("{wrapper}/{nth}")), sequence: None }
    }
}

impl Batch {
    /// A batch of which nothing is known but where it comes from.
    #[must_use]
    pub fn new(by: By, peer: Option<IpAddr>) -> Self {
        Self { by, peer, key: None, told: Vec::new(), cursors: Vec::new(), map: 0, subject: None, wholeness: Wholeness::InParts }
    }

    /// As [`Batch::new`], by whoever connected.
    #[must_use]
    pub fn sent(by: By, peer: &Peer) -> Self {
        Self { subject: peer.names.first().cloned(), ..Self::new(by, peer.address) }
    }

    /// The same of the records in the one wrapper that it was.
    pub(super) fn of_records(mut self, count: usize) -> Self {
        if let [wrapper] = self.told.as_slice() {
            self.told = (0..count).map(|nth| wrapper.of_record(nth)).collect();
        }
        self
    }

    /// Cuts, hashes and compresses the events of `body`.
    pub(super) fn build(&self, trail: &Trail, source: &Source, body: &[u8], decoded: &Decoded) -> Result<Vec<HeadedBlock>, NoRandomness> {
        let mut builder = BatchBuilder::with_capacity(decoded.events.len(), body.len());
        let plain = self.plain_facts(source);
        let people_end = self.people_end();
        let (mut people, mut identity) = (Vec::with_capacity(160), Vec::new());
        let mut refused = decoded.refused.iter().peekable();
        let mut refused_before = 0;
        for (nth, event) in decoded.events.iter().enumerate() {
            while refused.next_if(|refused| refused.line < event.line).is_some() {
                refused_before += 1;
            }
            let raw = event.raw(body);
            let told = self.told.get(nth);
            let told_id = told.and_then(|told| told.id.as_deref());
            let found = if event.json && told_id.is_none() { record_id(raw) } else { None };
            let place = told.and_then(|told| told.place.as_deref());
            let own_id = told_id.or(found.as_ref().map(|id| id.as_str())).or(place);
            write_people(own_id, &people_end, &mut people);
            let id = match &self.key {
                Some(key) => {
                    key.write_identity(nth + refused_before, &mut identity);
                    Some(mark(trail, IdOrigin::Explicit, source, &identity, event, raw))
                }
                None => own_id.map(|id| mark(trail, IdOrigin::Record, source, id.as_bytes(), event, raw)),
            };
            let facts = self.facts(source, &plain, event, told);
            let (number, people) = (source.number, Cow::Borrowed(people.as_slice()));
            builder.push(&NewEntry { kind: Kind::Event, source: number, class: CLASS_DEFAULT, facts, people, raw, id })?;
        }
        Ok(builder.finish())
    }

    /// Part 1 from behind its member `id` on: the same for all events. Members are in canonical order.
    fn people_end(&self) -> Vec<u8> {
        let mut end = Vec::new();
        let key = match &self.by {
            By::Key(id) => Some(id.to_string()),
            By::Certificate(_) | By::Connection(_) | By::Local => None,
        };
        let peer = self.peer.map(|peer| peer.to_string());
        for (name, value) in [("key", key), ("peer", peer), ("subject", self.subject.clone())] {
            let Some(value) = value else { continue };
            if !end.is_empty() {
                end.push(b',');
            }
            write_string(name, &mut end);
            end.push(b':');
            write_string(&value, &mut end);
        }
        end.push(b'}');
        end
    }

    /// Facts of an event of this batch with nothing special about it.
    fn plain_facts<'a>(&self, source: &'a Source) -> Cow<'a, [u8]> {
        match &self.by {
            By::Key(_) | By::Local if self.map == 0 => Cow::Borrowed(&source.facts),
            _ => Cow::Owned(self.facts_to_begin_from(source).to_bytes()),
        }
    }

    fn facts_to_begin_from(&self, source: &Source) -> Facts {
        let connection = match &self.by {
            By::Connection(name) => Some(name.clone()),
            By::Certificate(_) | By::Key(_) | By::Local => None,
        };
        Facts { connection, map: self.map, ..source.plain_facts() }
    }

    fn facts<'a>(&self, source: &Source, plain: &'a [u8], event: &RawEvent, told: Option<&Told>) -> Cow<'a, [u8]> {
        let seq = told.and_then(|told| told.sequence).filter(|sequence| *sequence <= INTEGER_MAX);
        if seq.is_none() && event.truncated.is_none() {
            return Cow::Borrowed(plain);
        }
        let truncated = event.truncated.as_ref().map(|whole| Truncated { bytes: whole.bytes, sha256: whole.sha256 });
        Cow::Owned(Facts { seq, truncated, ..self.facts_to_begin_from(source) }.to_bytes())
    }
}

fn write_people(id: Option<&str>, end: &[u8], people: &mut Vec<u8>) {
    people.clear();
    people.push(b'{');
    if let Some(id) = id {
        people.extend_from_slice(b"\"id\":");
        write_string(id, people);
        if end != b"}" {
            people.push(b',');
        }
    }
    people.extend_from_slice(end);
}

/// Of an event that was cut off, the whole counts: its hash stands for the bytes that are not kept.
fn mark(trail: &Trail, origin: IdOrigin, source: &Source, id: &[u8], event: &RawEvent, raw: &[u8]) -> (IdOrigin, IdMark) {
    let of: &[u8] = event.truncated.as_ref().map_or(raw, |whole| &whole.sha256);
    (origin, trail.ids().mark(origin, source.number, id, of))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::access::KeyId;
    use evidence::envelope::People;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn people_written_by_hand_are_the_canonical_ones(id in "[^\u{0}]{1,40}", with_key: bool, peer in prop::option::of(any::<bool>()), subject in prop::option::of("[a-z\"]{1,9}")) {
            let peer: Option<IpAddr> = peer.map(|v6| if v6 { "2001:db8::1".parse().unwrap() } else { "192.0.2.7".parse().unwrap() });
            let by = if with_key { By::Key(KeyId(7)) } else { By::Connection("okta".into()) };
            let batch = Batch { subject: subject.clone(), ..Batch::new(by, peer) };
            let mut people = Vec::new();
            write_people(Some(&id), &batch.people_end(), &mut people);
            let key = with_key.then(|| KeyId(7).to_string());
            let expected = People { id: Some(id), peer: peer.map(|peer| peer.to_string()), key, subject };
            prop_assert_eq!(&people, &expected.to_bytes());
            write_people(None, &batch.people_end(), &mut people);
            prop_assert_eq!(people, People { id: None, ..expected }.to_bytes());
        }
    }
}
