//! One entry of an export: what people filter by, the record, what it means, and what ties it to the log.
//!
//! INVARIANT: `raw` holds the exact bytes of the record, in the first of three ways that can: JSON as it was
//! sent, if it has no line break; a string with the text of it; a string with base64 of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evidence::leaf::Kind;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::search::document::{Document, Knowing};
use crate::search::field::Name;
use crate::search::instant;
use crate::store::read::StoredEntry;

macro_rules! columns {
    ($($member:ident $name:ident;)*) => {
        /// What people filter by. Each is the first value that the search field of its name has.
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        pub struct Columns {
            $(#[serde(skip_serializing_if = "Option::is_none")] #[allow(missing_docs, reason = "the field of that name")] pub $member: Option<String>,)*
        }

        impl Columns {
            /// The names, in order.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($member)),*];

            fn of(document: &Document<'_>) -> Self {
                Self { $($member: document.first(Name::$name),)* }
            }

            /// The values, in the order of the names.
            #[must_use]
            pub fn values(&self) -> Vec<Option<&str>> {
                vec![$(self.$member.as_deref()),*]
            }
        }
    };
}

columns! {
    actor Actor;
    target Target;
    action Action;
    outcome Outcome;
    ip Ip;
    class Class;
    activity Activity;
    severity Severity;
    user_agent UserAgent;
    session Session;
    api Api;
    resource Resource;
    account Account;
    region Region;
    message Message;
    id Id;
}

/// One entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Its number in the log.
    pub index: u64,
    /// Event, act or record.
    pub entry: String,
    /// When it happened (received, if it does not say).
    pub time: String,
    /// When it was received.
    pub received: String,
    /// The source's name; empty for the log's own.
    pub source: String,
    /// The kind it was read as; empty for the log's own.
    pub kind: String,
    /// What people filter by.
    pub fields: Columns,
    /// The record.
    pub raw: Box<RawValue>,
    /// How `raw` holds it, if not as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_is: Option<RawIs>,
    /// The OCSF form; null for acts and records.
    pub ocsf: Box<RawValue>,
    /// What ties it to the log.
    pub evidence: Evidence,
}

/// How a line holds a record that cannot stand in it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RawIs {
    /// A text, or JSON with line breaks.
    Text,
    /// Bytes that are no text.
    Base64,
}

/// What ties an entry to the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evidence {
    leaf: String,
    salt: String,
    facts: Box<RawValue>,
    people: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    more: Vec<String>,
    /// Roots of the subtrees between the line before and this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
}

impl RawIs {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Base64 => "base64",
        }
    }
}

impl Evidence {
    /// The leaf's bytes in base64.
    #[must_use]
    pub fn leaf(&self) -> &str {
        &self.leaf
    }
}

impl Line {
    /// The line of an entry.
    #[must_use]
    pub fn new(entry: &StoredEntry, knowing: Knowing<'_>) -> Self {
        let document = Document::new(entry, knowing);
        let parts = entry.parts();
        // Of an act, part 2 is the record; who and why stand beside it.
        let (record, more) = match entry.leaf.kind {
            Kind::Act => (parts.get(2).copied().unwrap_or_default(), parts.get(3..).unwrap_or_default()),
            Kind::Event | Kind::Record => (entry.raw.as_ref(), Default::default()),
        };
        let (raw, raw_is) = raw_of(record);
        let ocsf = document.ocsf_form().map_or("", |(ocsf, _)| ocsf);
        Self {
            index: entry.index,
            entry: entry.leaf.kind.word().to_owned(),
            time: instant::format(document.time_ms()),
            received: instant::format(document.received_ms()),
            source: document.first(Name::Source).unwrap_or_default(),
            kind: document.mapped().kind.clone(),
            fields: Columns::of(&document),
            raw,
            raw_is,
            // Line breaks stand between its members at most: in a string they are escaped.
            ocsf: json(ocsf.replace(['\n', '\r'], " ").as_bytes()).unwrap_or_default(),
            evidence: Evidence {
                leaf: STANDARD.encode(entry.leaf.encode()),
                salt: STANDARD.encode(entry.salt),
                facts: json(&entry.facts).unwrap_or_default(),
                people: json(&entry.people).unwrap_or_default(),
                more: more.iter().map(|part| STANDARD.encode(part)).collect(),
                before: Vec::new(),
            },
        }
    }

    /// The record as a text, for a table; of bytes that are no text, their base64.
    #[must_use]
    pub fn raw_text(&self) -> String {
        match self.raw_is {
            None => self.raw.get().to_owned(),
            Some(_) => serde_json::from_str(self.raw.get()).unwrap_or_default(),
        }
    }
}

/// JSON in one line, as it is.
fn json(bytes: &[u8]) -> Option<Box<RawValue>> {
    if bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return None;
    }
    let value = serde_json::from_slice::<&RawValue>(bytes).ok()?;
    // White space around a value is no part of it, and would be lost.
    (value.get().len() == bytes.len()).then(|| value.to_owned())
}

fn raw_of(record: &[u8]) -> (Box<RawValue>, Option<RawIs>) {
    if let Some(json) = json(record) {
        return (json, None);
    }
    let (text, is) = match std::str::from_utf8(record) {
        Ok(text) => (text.to_owned(), RawIs::Text),
        Err(_) => (STANDARD.encode(record), RawIs::Base64),
    };
    // A string can always be written.
    (to_raw_value(&text).unwrap_or_default(), Some(is))
}
