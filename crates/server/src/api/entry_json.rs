//! One entry as JSON, for people and programs that do not need the proof.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evidence::fold::TrailState;
use evidence::leaf::Kind;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::instant::format_rfc3339;
use crate::api::readable::{is_readable, made_readable};
use crate::search::document::{self, Document};
use crate::source::Catalog;
use crate::source::directory::Directory;
use crate::store::read::StoredEntry;

/// An entry.
#[derive(Serialize)]
pub struct EntryJson {
    index: u64,
    received_at: String,
    kind: &'static str,
    source: Numbered,
    class: Numbered,
    leaf: LeafJson,
    envelope: Envelope,
    /// The event: its own JSON, or its text as a string, as of JSON that not every reader takes. Of an act, what it does.
    raw: Box<RawValue>,
    /// The bytes, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    /// Of an act: who and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<Box<RawValue>>,
    parts: usize,
    /// Of an event, when asked for: what it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<Meaning>,
}

/// What a source's map makes of an event. Derived: it changes when the map gets better.
#[derive(Serialize)]
struct Meaning {
    kind: String,
    map: u32,
    identity: Identities,
    ocsf: Box<RawValue>,
}

/// What it takes to say what an event means.
#[derive(Clone, Copy, Debug)]
pub struct Knowing<'a> {
    /// Kinds of sources.
    pub catalog: &'a Catalog,
    /// Which names are the same person.
    pub directory: &'a Directory,
}

#[derive(Serialize)]
struct Identities {
    actor: Option<String>,
    target: Option<String>,
}

#[derive(Serialize)]
struct Numbered {
    number: u32,
    name: String,
}

#[derive(Serialize)]
struct LeafJson {
    version: u8,
    kind: u8,
    source: u32,
    class: u16,
    received_at: u64,
    commitment: String,
    hash: String,
}

#[derive(Serialize)]
struct Envelope {
    facts: Box<RawValue>,
    people: Box<RawValue>,
}

/// What kind of bytes an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawType {
    /// One JSON value.
    Json,
    /// UTF-8 text.
    Text,
    /// Anything else.
    Bytes,
}

impl RawType {
    /// Looks at the bytes.
    pub fn of(raw: &[u8]) -> Self {
        match std::str::from_utf8(raw) {
            Ok(_) if serde_json::from_slice::<&RawValue>(raw).is_ok() => Self::Json,
            Ok(_) => Self::Text,
            Err(_) => Self::Bytes,
        }
    }
}

/// The bytes as they are, if they are JSON that any reader takes.
fn json(raw: &[u8]) -> Option<Box<RawValue>> {
    is_readable(raw).then(|| serde_json::from_slice::<&RawValue>(raw).ok()).flatten().map(ToOwned::to_owned)
}

/// The bytes as a JSON value: as they are where that can be, else as a string.
fn value(raw: &[u8]) -> Box<RawValue> {
    json(raw).unwrap_or_else(|| serde_json::value::to_raw_value(&String::from_utf8_lossy(raw)).unwrap_or_default())
}

/// An OCSF form, with what is no character and numbers without bounds replaced.
fn ocsf(form: &str) -> Box<RawValue> {
    json(form.as_bytes()).or_else(|| json(made_readable(form)?.as_bytes())).unwrap_or_else(|| value(form.as_bytes()))
}

impl EntryJson {
    /// The entry, with the names that numbers have in `state`.
    pub fn new(entry: &StoredEntry, state: &TrailState) -> Self {
        let leaf = &entry.leaf;
        let source = state.sources.get(&leaf.source).map_or("", |source| &source.name);
        let class = state.classes.get(&leaf.class).map_or("", String::as_str);
        let raw = entry.record();
        let why = (leaf.kind == Kind::Act).then(|| entry.parts().get(3).map(|why| value(why))).flatten();
        Self {
            index: entry.index,
            received_at: format_rfc3339(leaf.received_at),
            kind: leaf.kind.word(),
            source: Numbered { number: leaf.source, name: source.to_owned() },
            class: Numbered { number: leaf.class.into(), name: class.to_owned() },
            leaf: LeafJson {
                version: evidence::leaf::LEAF_VERSION,
                kind: leaf.kind.byte(),
                source: leaf.source,
                class: leaf.class,
                received_at: leaf.received_at,
                commitment: tlog::canonical::hex(&leaf.commitment),
                hash: leaf.hash().to_string(),
            },
            envelope: Envelope { facts: value(&entry.facts), people: value(&entry.people) },
            raw: value(raw),
            raw_base64: std::str::from_utf8(raw).is_err().then(|| STANDARD.encode(raw)),
            why,
            parts: entry.lengths().len() + 2,
            meaning: None,
        }
    }

    /// With what it means, if somebody is given who knows and it is an event.
    #[must_use]
    pub fn meaning(self, knowing: Option<Knowing<'_>>, entry: &StoredEntry, state: &TrailState) -> Self {
        let Some(Knowing { catalog, directory }) = knowing else { return self };
        self.meaning_of(&Document::new(entry, document::Knowing { catalog, directory, state, recent: None }))
    }

    /// With what it means, if it is an event.
    #[must_use]
    pub fn meaning_of(mut self, document: &Document<'_>) -> Self {
        if document.kind() == Kind::Event {
            let mapped = document.mapped();
            let person = |name: &Option<String>| name.as_ref().map(|name| document.directory().resolve(name).to_owned());
            self.meaning = Some(Meaning {
                kind: mapped.kind.clone(),
                map: mapped.version,
                identity: Identities { actor: person(&mapped.actor), target: person(&mapped.target) },
                ocsf: ocsf(&document.ocsf_text()),
            });
        }
        self
    }
}
