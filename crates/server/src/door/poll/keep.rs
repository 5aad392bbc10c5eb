//! From a piece of a page to the log, through the way in that all doors share.
//!
//! Notes become records, and a record is a chunk of its own. So that none is lost, the cursor moves
//! behind them: a crash in between makes a record twice, never not at all.

use std::sync::Arc;

use evidence::canonical_json::Value;

use crate::door::poll::upkeep::{Keep, KeepError, Piece};
use crate::door::poll::{Event, EventId};
use crate::door::{Admission, AdmitError, Batch, By, Origin, Told};
use crate::intake::limits::EVENT_BYTES_MAX;
use crate::intake::shape::Truncated;
use crate::intake::{Decoded, Media, RawEvent, decode};
use crate::log::cursors::Cursor;
use crate::log::intent::ActError;
use crate::log::sequencer::AppendError;

/// Keeps pieces of a connection as events of `origin`.
#[must_use]
pub fn keep(admission: Arc<Admission>, connection: String, origin: Origin) -> Keep {
    Box::new(move |piece| {
        let keeper = Keeper { admission: Arc::clone(&admission), connection: connection.clone(), origin: origin.clone() };
        Box::pin(async move { keeper.keep(piece).await })
    })
}

struct Keeper {
    admission: Arc<Admission>,
    connection: String,
    origin: Origin,
}

impl Keeper {
    async fn keep(&self, piece: Piece) -> Result<(), KeepError> {
        let Piece { events, mut notes, cursor } = piece;
        let last = notes.pop();
        let cursors: Vec<Cursor> =
            cursor.into_iter().map(|value| Cursor { name: self.connection.clone(), value: value.into_bytes() }).collect();
        let Some(last) = last else {
            return self.admit(events, cursors).await;
        };
        self.admit(events, Vec::new()).await?;
        for note in notes {
            self.record(note).await?;
        }
        // Moves with whatever chunk comes next, which is that of the last record.
        self.admit(Vec::new(), cursors).await?;
        self.record(last).await
    }

    async fn admit(&self, events: Vec<Event>, cursors: Vec<Cursor>) -> Result<(), KeepError> {
        if events.is_empty() && cursors.is_empty() {
            return Ok(());
        }
        let (body, decoded) = body(&events);
        let mut batch = Batch::new(By::Connection(self.connection.clone()), None);
        batch.told = decoded
            .events
            .iter()
            .map(|raw| {
                // Elements are counted from 1; a refused one leaves a hole.
                let event = (raw.line as usize).checked_sub(1).and_then(|at| events.get(at));
                match event.map(|event| event.id.clone()) {
                    Some(EventId::Own(id)) => Told { id: Some(id), ..Told::default() },
                    Some(EventId::Place(place)) => Told { place: Some(place), ..Told::default() },
                    None => Told::default(),
                }
            })
            .collect();
        batch.cursors = cursors;
        self.admission.admit(&self.origin, batch, body, decoded).await.map(drop).map_err(|why| keep_error(&why))
    }

    async fn record(&self, note: crate::door::poll::Note) -> Result<(), KeepError> {
        let own = [("connection", self.connection.clone()), ("source", self.origin.source.to_string())];
        let members = own.into_iter().chain(note.members).map(|(name, text)| (name, Value::String(text))).collect();
        self.admission.record(note.record, members).await.map(drop).map_err(|why| append_error(&why))
    }
}

fn keep_error(why: &AdmitError) -> KeepError {
    match why {
        AdmitError::Append(why) | AdmitError::Act(ActError::Append(why)) => append_error(why),
        AdmitError::Act(_) | AdmitError::Random(_) | AdmitError::LostTask => KeepError::Later(why.to_string()),
    }
}

fn append_error(why: &AppendError) -> KeepError {
    match why {
        AppendError::Stopped(_) => KeepError::Stopped(why.to_string()),
        // Pollers let their batches be kept in parts; should one ever be split, it is read again.
        AppendError::Busy | AppendError::NoSpace | AppendError::Cursor(_) | AppendError::Split { .. } => KeepError::Later(why.to_string()),
    }
}

/// Events as one body: a JSON array, so that the bytes are looked at as those of any other door.
/// Events that are no JSON (a queue may hold anything) stand one after another as text.
fn body(events: &[Event]) -> (Vec<u8>, Decoded) {
    let mut array = Vec::with_capacity(events.iter().map(|event| event.raw.len() + 1).sum::<usize>() + 1);
    array.push(b'[');
    for (nth, event) in events.iter().enumerate() {
        if nth > 0 {
            array.push(b',');
        }
        array.extend_from_slice(&event.raw);
    }
    array.push(b']');
    match decode(&array, Media::Any) {
        Ok(decoded) if are_the_elements(&decoded, events) => (array, decoded),
        _ => texts(events),
    }
}

/// Whether what was found is what was put in, element for element.
fn are_the_elements(decoded: &Decoded, events: &[Event]) -> bool {
    let mut at = 1;
    let whole =
        |raw: &RawEvent, event: &Event| raw.truncated.as_ref().map_or(raw.len as usize, |whole| whole.bytes as usize) == event.raw.len();
    let in_place = decoded.events.iter().all(|raw| {
        let event = (raw.line as usize).checked_sub(1).and_then(|nth| events.get(nth));
        let expected = at;
        at += event.map_or(0, |event| event.raw.len() + 1);
        // Behind a refused element places are not counted on; none is refused in practice.
        event.is_some_and(|event| whole(raw, event)) && (raw.start as usize == expected || !decoded.refused.is_empty())
    });
    in_place && decoded.events.len() + decoded.refused.len() == events.len()
}

fn texts(events: &[Event]) -> (Vec<u8>, Decoded) {
    let mut body = Vec::new();
    let mut decoded = Decoded::default();
    for (event, line) in events.iter().zip(1..) {
        let kept = event.raw.len().min(EVENT_BYTES_MAX);
        let truncated =
            (kept < event.raw.len()).then(|| Box::new(Truncated { bytes: event.raw.len() as u64, sha256: tlog::sha256(&[&event.raw]) }));
        let start = u32::try_from(body.len()).unwrap_or(u32::MAX);
        body.extend_from_slice(event.raw.get(..kept).unwrap_or_default());
        decoded.events.push(RawEvent { start, len: u32::try_from(kept).unwrap_or(u32::MAX), line, json: false, truncated });
    }
    (body, decoded)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::door::poll::kafka;
    use crate::store::media::disk::Disk;
    use crate::store::trail::{Trail, TrailOptions};
    use evidence::envelope::People;
    use evidence::leaf::Kind;
    use proptest::prelude::*;

    /// Bytes and id of every event that a new log keeps of these messages of a topic, one piece each.
    async fn kept(kind: &'static str, messages: &[(i64, &'static str)]) -> Vec<(String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let trail = Trail::open(Arc::new(Disk::new(dir.path()).unwrap()), &TrailOptions::main("/test")).unwrap();
        let admission = Arc::new(Admission::new(Arc::clone(&trail), Clock::system()));
        let origin = Origin { source: "topic".parse().unwrap(), kind: kind.into(), door: "kafka" };
        let mut keep = keep(admission, "kafka".into(), origin);
        for (offset, payload) in messages {
            let events = kafka::events("t", 0, *offset, None, &payload.as_bytes().into());
            keep(Piece { events, notes: Vec::new(), cursor: Some(offset.to_string()) }).await.unwrap();
        }
        let entries = trail.reader().entries(0, trail.view().size as usize).unwrap();
        let events = entries.iter().filter(|entry| entry.leaf.kind == Kind::Event);
        let shown = |entry: &crate::store::read::StoredEntry| {
            (String::from_utf8(entry.raw.to_vec()).unwrap(), People::parse(&entry.people).unwrap().id.unwrap())
        };
        events.map(shown).collect()
    }

    #[tokio::test]
    async fn a_record_of_a_topic_is_known_by_its_own_id_and_else_by_its_place() {
        let (own, other) = (r#"{"eventID":"e-1","eventName":"x"}"#, r#"{"eventName":"x"}"#);
        // Sent twice by its producer, once in a wrapper; read again after a crash.
        let messages =
            [(7, own), (8, r#"{"records":[{"eventID":"e-1","eventName":"x"}]}"#), (9, other), (10, other), (10, other), (11, "text")];
        let expected = [(own, "e-1"), (other, "t/0/9"), (other, "t/0/10"), ("text", "t/0/11")];
        let expected = expected.map(|(raw, id)| (raw.to_owned(), id.to_owned()));
        assert_eq!(kept("aws_cloudtrail", &messages).await, expected);
        // What id an unknown kind has is looked for as at any other door.
        let unknown = kept("unknown", &[(1, r#"{"id":"a"}"#), (2, r#"{"id":"a"}"#), (3, r#"{"id":"a","x":1}"#)]).await;
        assert_eq!(unknown.iter().map(|(_, id)| id.as_str()).collect::<Vec<_>>(), ["a", "a"], "with other bytes it is another event");
    }

    #[tokio::test]
    async fn records_of_a_wrapper_without_ids_are_known_by_their_places_in_it() {
        let page =
            r#"{"value":[{"createdDateTime":"2024-11-24T15:00:00Z"},{"createdDateTime":"2024-11-24T15:00:00Z"}],"@odata.context":"x"}"#;
        let ids: Vec<String> = kept("entra_id", &[(5, page), (5, page)]).await.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids, ["t/0/5/0", "t/0/5/1"]);
    }

    fn events(raws: &[&[u8]]) -> Vec<Event> {
        raws.iter().map(|raw| Event { raw: raw.to_vec().into(), id: EventId::Own(String::new()), at_ms: None }).collect()
    }

    #[test]
    fn elements_stay_what_they_are_even_when_they_look_like_something_else() {
        let raws: [&[u8]; 5] = [b"{\"a\" : 1}", b"[1,2]", b"{\"records\":[1,2]}", b"{\n \"x\":2}", b"3"];
        let (body, decoded) = body(&events(&raws));
        assert_eq!(decoded.events.iter().map(|event| event.raw(&body)).collect::<Vec<_>>(), raws);
        assert!(decoded.events.iter().all(|event| event.json));
    }

    #[test]
    fn what_is_no_json_is_text_and_a_long_one_is_cut_and_marked() {
        let long = vec![b'x'; EVENT_BYTES_MAX + 7];
        let (body, decoded) = body(&events(&[b"1,2", b"]", &long]));
        assert_eq!(decoded.events[0].raw(&body), b"1,2");
        assert_eq!(decoded.events[1].raw(&body), b"]");
        assert_eq!(decoded.events[2].raw(&body).len(), EVENT_BYTES_MAX);
        assert_eq!(decoded.events[2].truncated.as_ref().unwrap().bytes, long.len() as u64);
    }

    proptest! {
        #[test]
        fn every_list_of_bytes_comes_out_as_it_went_in(raws in prop::collection::vec(r#"([\[\]{},"\n ]|[0-9a-z]|"a":|null){0,8}"#, 0..6)) {
            let raws: Vec<&[u8]> = raws.iter().map(String::as_bytes).filter(|raw| !raw.is_empty()).collect();
            let (body, decoded) = body(&events(&raws));
            prop_assert!(decoded.refused.is_empty());
            prop_assert_eq!(decoded.events.iter().map(|event| event.raw(&body)).collect::<Vec<_>>(), raws);
        }
    }
}
