//! From the events of one body to blocks for the log.

use std::borrow::Cow;
use std::net::IpAddr;

use evidence::canonical_json::write_string;
use evidence::envelope::Truncated;
use evidence::leaf::Kind;

use crate::access::KeyId;
use crate::api::sources::Source;
use crate::clock::NoRandomness;
use crate::intake::{Decoded, IdempotencyKey, RawEvent, RecordId, record_id};
use crate::log::batch::{BatchBuilder, HeadedBlock, NewEntry};
use crate::log::window::{IdMark, IdOrigin};
use crate::store::trail::Trail;

/// The only retention class there is yet.
const DEFAULT_CLASS: u16 = 1;

/// What all events of a request share, besides their source.
#[derive(Debug)]
pub struct Batch {
    /// The sender's own protection against sending twice.
    pub key: Option<IdempotencyKey>,
    /// The API key.
    pub by: KeyId,
    /// The address that connected.
    pub peer: IpAddr,
}

impl Batch {
    /// Cuts, hashes and compresses the events of `body`.
    pub fn build(&self, trail: &Trail, source: &Source, body: &[u8], decoded: &Decoded) -> Result<Vec<HeadedBlock>, NoRandomness> {
        let mut builder = BatchBuilder::with_capacity(decoded.events.len(), body.len());
        let people_end = self.people_end();
        let (mut people, mut identity) = (Vec::with_capacity(160), Vec::new());
        let mut refused = decoded.refused.iter().peekable();
        let mut refused_before = 0;
        for (nth, event) in decoded.events.iter().enumerate() {
            while refused.next_if(|refused| refused.line < event.line).is_some() {
                refused_before += 1;
            }
            let raw = event.raw(body);
            let own_id = if event.json { record_id(raw) } else { None };
            write_people(own_id.as_ref(), &people_end, &mut people);
            let id = match &self.key {
                Some(key) => {
                    key.write_identity(nth + refused_before, &mut identity);
                    Some(mark(trail, IdOrigin::Explicit, source, &identity, event, raw))
                }
                None => own_id.map(|id| mark(trail, IdOrigin::Record, source, id.as_str().as_bytes(), event, raw)),
            };
            builder.push(&NewEntry {
                kind: Kind::Event,
                source: source.number,
                class: DEFAULT_CLASS,
                facts: facts(source, event),
                people: Cow::Borrowed(&people),
                raw,
                id,
            })?;
        }
        Ok(builder.finish())
    }

    /// Part 1 from its member `key` on: the same for all events. Members are in canonical order.
    fn people_end(&self) -> Vec<u8> {
        let mut end = b"\"key\":".to_vec();
        write_string(&self.by.to_string(), &mut end);
        end.extend_from_slice(b",\"peer\":");
        write_string(&self.peer.to_string(), &mut end);
        end.push(b'}');
        end
    }
}

fn write_people(id: Option<&RecordId<'_>>, end: &[u8], people: &mut Vec<u8>) {
    people.clear();
    people.push(b'{');
    if let Some(id) = id {
        people.extend_from_slice(b"\"id\":");
        write_string(id.as_str(), people);
        people.push(b',');
    }
    people.extend_from_slice(end);
}

/// Of an event that was cut off, the whole counts: its hash stands for the bytes that are not kept.
fn mark(trail: &Trail, origin: IdOrigin, source: &Source, id: &[u8], event: &RawEvent, raw: &[u8]) -> (IdOrigin, IdMark) {
    let of: &[u8] = event.truncated.as_ref().map_or(raw, |whole| &whole.sha256);
    (origin, trail.ids().mark(origin, source.number, id, of))
}

fn facts<'a>(source: &'a Source, event: &RawEvent) -> Cow<'a, [u8]> {
    match &event.truncated {
        None => Cow::Borrowed(&source.facts),
        Some(whole) => {
            let mut facts = source.plain_facts();
            facts.truncated = Some(Truncated { bytes: whole.bytes, sha256: whole.sha256 });
            Cow::Owned(facts.to_bytes())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use evidence::envelope::People;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn people_written_by_hand_are_the_canonical_ones(id in "[^\u{0}]{1,40}", v6: bool) {
            let peer: IpAddr = if v6 { "2001:db8::1".parse().unwrap() } else { "192.0.2.7".parse().unwrap() };
            let batch = Batch { key: None, by: KeyId(7), peer };
            let raw = serde_json::to_vec(&serde_json::json!({ "id": id })).unwrap();
            let mut people = Vec::new();
            write_people(record_id(&raw).as_ref(), &batch.people_end(), &mut people);
            let expected = People { id: Some(id), peer: Some(peer.to_string()), key: Some(KeyId(7).to_string()) };
            prop_assert_eq!(&people, &expected.to_bytes());
            write_people(None, &batch.people_end(), &mut people);
            prop_assert_eq!(people, People { id: None, ..expected }.to_bytes());
        }
    }
}
