//! Keeps what a door with a protocol of its own received: from gathered events to indexes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use evidence::canonical_json::write_string;
use evidence::envelope::{Facts, Truncated};
use evidence::leaf::Kind;

use crate::access::KeyId;
use crate::api::error::ApiError;
use crate::api::limits::INLINE_BYTES_MAX;
use crate::api::sources::{Source, source};
use crate::api::state::Api;
use crate::clock::NoRandomness;
use crate::intake::{Gathered, RawEvent, SourceName, record_id};
use crate::log::batch::{BatchBuilder, HeadedBlock, NewEntry};
use crate::log::sequencer::{Committed, Outcome};
use crate::log::window::{IdMark, IdOrigin};
use crate::store::trail::Trail;

/// The only retention class there is yet.
const DEFAULT_CLASS: u16 = 1;

/// How the sender tells an event from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentId {
    /// By the record's own `id`, if it has one.
    Own,
    /// By this id: the same id with other bytes is kept beside the first.
    Record(Box<str>),
    /// By this id: the same id with other bytes is a conflict.
    Explicit(Box<str>),
}

/// What the protocol says of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Which source it is from.
    pub source: SourceName,
    /// Its id.
    pub id: SentId,
}

/// Events on their way into the log.
#[derive(Debug)]
pub struct Delivery {
    /// The door in their envelopes.
    pub door: Cow<'static, str>,
    /// The address that connected.
    pub peer: IpAddr,
    /// Who pays: the API key, or what stands for a connection.
    pub by: Payer,
    /// The events.
    pub gathered: Gathered,
    /// One for each event, in order.
    pub sent: Vec<Sent>,
}

/// Who spends the rate, and what the envelope says of him.
#[derive(Clone, Copy, Debug)]
pub enum Payer {
    /// An API key, named in the envelope.
    Key(KeyId),
    /// A connection: its rate is counted under this number, and its source says who it is.
    Connection(KeyId),
}

impl Payer {
    fn rate(self) -> KeyId {
        match self {
            Self::Key(id) | Self::Connection(id) => id,
        }
    }

    fn key(self) -> Option<KeyId> {
        match self {
            Self::Key(id) => Some(id),
            Self::Connection(_) => None,
        }
    }
}

/// Keeps all events of a delivery with one append; one outcome each, in order.
///
/// # Errors
/// When none of them is kept.
pub async fn deliver(api: &Arc<Api>, delivery: Delivery) -> Result<Committed, ApiError> {
    let events = delivery.gathered.decoded.events.len();
    api.spend(delivery.by.rate(), u32::try_from(events).unwrap_or(u32::MAX).max(1))?;
    if events == 0 {
        return Ok(Committed { outcomes: Vec::new(), view: api.trail.view() });
    }
    let by = delivery.by.key().map_or_else(|| "connection".to_owned(), |key| key.to_string());
    let mut sources = BTreeMap::new();
    for sent in &delivery.sent {
        if !sources.contains_key(&sent.source) {
            sources.insert(sent.source.clone(), source(api, &sent.source, &by).await?);
        }
    }
    let (bytes, names) = (delivery.gathered.bytes.len(), delivery.sent.iter().map(|sent| sent.source.clone()).collect::<Vec<_>>());
    let blocks = if bytes <= INLINE_BYTES_MAX {
        build(&api.trail, &sources, &delivery)
    } else {
        let trail = Arc::clone(&api.trail);
        let work = move || build(&trail, &sources, &delivery);
        tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::lost_task())?
    };
    let committed = api.trail.log().append(blocks.map_err(|_| ApiError::lost_task())?).await?;
    api.metrics.bytes.inc_by(bytes as u64);
    count(api, &names, &committed.outcomes);
    Ok(committed)
}

/// Counts what became of the events; a conflict as a refusal of its source.
fn count(api: &Api, names: &[SourceName], outcomes: &[Outcome]) {
    for (name, outcome) in names.iter().zip(outcomes) {
        match outcome {
            Outcome::Kept(_) => api.metrics.events.inc(),
            Outcome::Duplicate(_) => api.metrics.duplicates.inc(),
            Outcome::KeptBeside { .. } => {
                api.metrics.events.inc();
                api.count_refused(Some(name), "same_id_other_bytes", 1);
                continue;
            }
            Outcome::Conflict(_) => {
                api.count_refused(Some(name), "idempotency_conflict", 1);
                continue;
            }
        };
    }
}

type Known = BTreeMap<SourceName, Arc<Source>>;

fn build(trail: &Trail, sources: &Known, delivery: &Delivery) -> Result<Vec<HeadedBlock>, NoRandomness> {
    let Gathered { bytes, decoded } = &delivery.gathered;
    let mut builder = BatchBuilder::with_capacity(decoded.events.len(), bytes.len());
    let facts: BTreeMap<_, _> = sources.keys().map(|name| (name, Facts::new(name.as_str(), &delivery.door))).collect();
    let plain: BTreeMap<_, _> = facts.iter().map(|(name, facts)| (*name, facts.to_bytes())).collect();
    let people_end = people_end(delivery);
    let mut people = Vec::with_capacity(160);
    for (event, sent) in decoded.events.iter().zip(&delivery.sent) {
        let raw = event.raw(bytes);
        // Every name was looked up before.
        let (Some(source), Some(facts), Some(plain)) = (sources.get(&sent.source), facts.get(&sent.source), plain.get(&sent.source)) else {
            continue;
        };
        let own = if event.json { record_id(raw) } else { None };
        let (origin, id) = match &sent.id {
            SentId::Own => (IdOrigin::Record, own.as_ref().map(|id| id.as_str())),
            SentId::Record(id) => (IdOrigin::Record, Some(&**id)),
            SentId::Explicit(id) => (IdOrigin::Explicit, Some(&**id)),
        };
        write_people(id, &people_end, &mut people);
        builder.push(&NewEntry {
            kind: Kind::Event,
            source: source.number,
            class: DEFAULT_CLASS,
            facts: event_facts(facts, plain, event),
            people: Cow::Borrowed(&people),
            raw,
            id: id.map(|id| (origin, mark(trail, origin, source.number, id, event, raw))),
        })?;
    }
    Ok(builder.finish())
}

/// Part 1 from its member `key` or `peer` on: the same for all events. Members are in canonical order.
fn people_end(delivery: &Delivery) -> Vec<u8> {
    let mut end = Vec::new();
    if let Some(key) = delivery.by.key() {
        end.extend_from_slice(b"\"key\":");
        write_string(&key.to_string(), &mut end);
        end.push(b',');
    }
    end.extend_from_slice(b"\"peer\":");
    write_string(&delivery.peer.to_string(), &mut end);
    end.push(b'}');
    end
}

fn write_people(id: Option<&str>, end: &[u8], people: &mut Vec<u8>) {
    people.clear();
    people.push(b'{');
    if let Some(id) = id {
        people.extend_from_slice(b"\"id\":");
        write_string(id, people);
        people.push(b',');
    }
    people.extend_from_slice(end);
}

/// Of an event that was cut off, the whole counts: its hash stands for the bytes that are not kept.
fn mark(trail: &Trail, origin: IdOrigin, source: u32, id: &str, event: &RawEvent, raw: &[u8]) -> IdMark {
    let of: &[u8] = event.truncated.as_ref().map_or(raw, |whole| &whole.sha256);
    trail.ids().mark(origin, source, id.as_bytes(), of)
}

fn event_facts<'a>(facts: &Facts, plain: &'a [u8], event: &RawEvent) -> Cow<'a, [u8]> {
    match &event.truncated {
        None => Cow::Borrowed(plain),
        Some(whole) => {
            let truncated = Some(Truncated { bytes: whole.bytes, sha256: whole.sha256 });
            Cow::Owned(Facts { truncated, ..facts.clone() }.to_bytes())
        }
    }
}
