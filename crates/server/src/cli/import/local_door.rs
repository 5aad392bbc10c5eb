//! Enters events into a trail that this process has open, without a server.

use evidence::envelope::{Facts, People};
use evidence::leaf::Kind;

use crate::cli::failure::Failure;
use crate::cli::import::door::{Batch, Door, Entered};
use crate::cli::new_key::local_why;
use crate::clock::Clock;
use crate::intake::{Decoded, IdempotencyKey, Media, RawEvent, RefusalRecord, Refusals, Refused, SourceName, decode, record_id};
use crate::log::batch::{BatchBuilder, NewEntry};
use crate::log::intent::Intent;
use crate::log::records;
use crate::log::sequencer::Outcome;
use crate::log::window::{IdMark, IdOrigin};
use crate::store::trail::Trail;

/// The retention class of events until there are rules for more.
const CLASS_DEFAULT: u16 = 1;

/// An open trail.
#[derive(Clone, Copy, Debug)]
pub struct LocalDoor<'a> {
    trail: &'a Trail,
    door: &'static str,
}

/// One source of an open trail.
#[derive(Debug)]
pub struct LocalSource<'a> {
    at: LocalDoor<'a>,
    number: u32,
    name: SourceName,
    facts: Facts,
    refusals: Refusals,
}

impl<'a> LocalDoor<'a> {
    /// Enters into `trail`; envelopes name `door` as the way in.
    pub fn new(trail: &'a Trail, door: &'static str) -> Self {
        Self { trail, door }
    }

    /// The source of this name, made by an act when there is none.
    ///
    /// # Errors
    /// The log did not keep the act.
    pub fn source(self, name: &SourceName, kind: &str) -> Result<LocalSource<'a>, Failure> {
        let intent = Intent::CreateSource { name: name.as_str().to_owned(), kind: kind.to_owned() };
        self.trail.log().act_blocking(intent, local_why(None))?;
        let number = self.trail.view().state.source_number(name.as_str());
        let number = number.ok_or_else(|| Failure::new(format!("source {name} was made but is not there")))?;
        let facts = Facts::new(name.as_str(), self.door);
        Ok(LocalSource { at: self, number, name: name.clone(), facts, refusals: Refusals::default() })
    }
}

/// An event or a refusal, in the order of the batch.
enum Found<'a> {
    Event(&'a RawEvent),
    Refused(&'a Refused),
}

/// Both lists of a decoded batch, merged back into input order: positions count all of it.
fn in_order(decoded: &Decoded) -> Vec<Found<'_>> {
    let mut found: Vec<_> = decoded.events.iter().map(|event| (event.line, Found::Event(event))).collect();
    found.extend(decoded.refused.iter().map(|refused| (refused.line, Found::Refused(refused))));
    found.sort_by_key(|(line, _)| *line);
    found.into_iter().map(|(_, found)| found).collect()
}

impl LocalSource<'_> {
    /// The event's own id, shown in part 1, and its mark in the id window.
    fn mark(&self, event: &RawEvent, raw: &[u8], explicit: Option<&[u8]>) -> (People, Option<(IdOrigin, IdMark)>) {
        let own = Some(raw).filter(|_| event.json).and_then(record_id);
        let (origin, id) = match (explicit, &own) {
            (Some(id), _) => (IdOrigin::Explicit, Some(id)),
            (None, own) => (IdOrigin::Record, own.as_ref().map(|own| own.as_str().as_bytes())),
        };
        let mark = id.map(|id| (origin, self.at.trail.ids().mark(origin, self.number, id, raw)));
        let people = People { id: own.as_ref().map(|own| own.as_str().to_owned()), ..People::default() };
        (people, mark)
    }

    fn facts(&self, event: &RawEvent) -> Vec<u8> {
        let truncated = event.truncated.as_ref().map(|whole| evidence::envelope::Truncated { bytes: whole.bytes, sha256: whole.sha256 });
        Facts { truncated, ..self.facts.clone() }.to_bytes()
    }

    /// Keeps the events of `body`, durable when this returns.
    ///
    /// # Errors
    /// The body holds nothing, or the log cannot keep it.
    pub fn keep(&mut self, body: &[u8], media: Media, key: Option<&IdempotencyKey>) -> Result<Entered, Failure> {
        let decoded = decode(body, media)?;
        let mut batch = BatchBuilder::with_capacity(decoded.events.len(), body.len());
        let (mut identity, mut entered) = (Vec::new(), Entered::default());
        for (position, found) in in_order(&decoded).into_iter().enumerate() {
            match found {
                Found::Refused(refused) => {
                    self.refusals.count(Some(&self.name), refused.code.code(), Clock::system().now_ms());
                    entered.refused.push(format!("event {} of its batch: {}", refused.line, refused.code));
                }
                Found::Event(event) => {
                    let raw = event.raw(body);
                    let explicit = key.map(|key| key.write_identity(position, &mut identity));
                    let (people, id) = self.mark(event, raw, explicit.map(|()| identity.as_slice()));
                    let (facts, people) = (self.facts(event).into(), people.to_bytes().into());
                    batch.push(&NewEntry { kind: Kind::Event, source: self.number, class: CLASS_DEFAULT, facts, people, raw, id })?;
                }
            }
        }
        for outcome in self.at.trail.log().append_blocking(batch.finish())?.outcomes {
            match outcome {
                Outcome::Kept(_) | Outcome::KeptBeside { .. } => entered.kept += 1,
                Outcome::Duplicate(_) => entered.duplicates += 1,
                Outcome::Conflict(earlier) => {
                    entered.refused.push(format!("the same batch was entered before with other bytes, at {earlier}"))
                }
            }
        }
        let finished = self.refusals.drain(Clock::system().now_ms());
        self.record(&finished)?;
        Ok(entered)
    }

    fn record(&self, refusals: &[RefusalRecord]) -> Result<(), Failure> {
        for refusal in refusals {
            let record = records::input_refused(self.name.as_str(), refusal.reason, refusal.count, refusal.minute_ms);
            self.at.trail.log().record_blocking(&record)?;
        }
        Ok(())
    }
}

impl Door for LocalSource<'_> {
    fn enter(&mut self, batch: &Batch) -> Result<Entered, Failure> {
        let key: IdempotencyKey = batch.idempotency_key.parse()?;
        self.keep(&batch.body, batch.media, Some(&key))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let counted = self.refusals.drain_all();
        self.record(&counted)
    }
}
