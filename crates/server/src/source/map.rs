//! Maps a record to OCSF. Pure and total: the same bytes give the same event, and there is always one.

use std::borrow::Cow;
use std::cell::LazyCell;

use evidence::canonical_json::write_string;

use crate::intake::limits::RECORD_ID_BYTES_MAX;
use crate::intake::tape::{NodeKind, Tape};
use crate::ocsf::OCSF_VERSION;
use crate::source::evaluate::{Context, NOWHERE};
use crate::source::kind::{Decoder, Kind};
use crate::source::places::scalars;
use crate::source::reader::{Reader, first};
use crate::source::value::{Document, Value};

/// What a record means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mapped {
    /// Kind it was read as; `unknown` for none.
    pub kind: String,
    /// Version of that kind's map.
    pub version: u32,
    /// The OCSF event: JSON in UTF-8, since everything in it is a text or a piece of one cut at its members.
    pub ocsf: Vec<u8>,
    /// When it happened, ms; `None` when the record does not say.
    pub time_ms: Option<i64>,
    /// The record's own id.
    pub id: Option<String>,
    /// The producer's counter.
    pub sequence: Option<u64>,
    /// What that counter counts for.
    pub sequence_of: Option<String>,
    /// The vendor's word for what happened.
    pub action: Option<String>,
    /// Canonical id of who did it.
    pub actor: Option<String>,
    /// Canonical id of whom it was done to.
    pub target: Option<String>,
    /// Scalar values in the record.
    pub values: usize,
    /// Of these, how many stand in `unmapped`.
    pub unmapped: usize,
}

/// Memory that is used again for each record.
#[derive(Debug, Default)]
pub struct Scratch {
    tape: Tape,
    places: Vec<u32>,
    /// Whether the tape is that of the bytes that were given, as they stand.
    as_it_stands: bool,
}

impl Scratch {
    /// The tape of the bytes that a kind read last, if they are JSON as they stand.
    pub(super) fn take_tape(&mut self) -> Option<Tape> {
        std::mem::take(&mut self.as_it_stands).then(|| std::mem::take(&mut self.tape))
    }
}

/// A record's bytes as text; what is not UTF-8 becomes U+FFFD.
#[must_use]
pub fn as_text(raw: &[u8]) -> Cow<'_, str> {
    match simdutf8::basic::from_utf8(raw) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(raw),
    }
}

/// A record as JSON; owned when it had to be made.
pub fn as_json<'r>(decoders: &[Decoder], text: &'r str, tape: &mut Tape) -> Option<Cow<'r, str>> {
    for decoder in decoders {
        match decoder {
            Decoder::Json => {
                if tape.read(text).is_ok() && tape.node(0).is_some_and(|node| node.kind == NodeKind::Object) {
                    return Some(Cow::Borrowed(text));
                }
            }
            other => {
                if let Some(decoded) = other.decode(text).filter(|decoded| tape.read(decoded).is_ok()) {
                    return Some(Cow::Owned(decoded));
                }
            }
        }
    }
    None
}

/// Which records a kind reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Every one that one of its decoders takes.
    Readable,
    /// Those that it recognises as they stand, too.
    Recognised,
}

impl Kind {
    /// Maps a record of this kind. `received_at` (ms) is its time when it has none of its own.
    #[must_use]
    pub fn map(&self, raw: &[u8], received_at: i64, scratch: &mut Scratch) -> Mapped {
        self.map_if(Taken::Readable, raw, received_at, scratch).unwrap_or_else(|| unreadable(raw, received_at, &self.name))
    }

    /// Maps a record if the kind takes it.
    #[must_use]
    pub fn map_if(&self, taken: Taken, raw: &[u8], received_at: i64, scratch: &mut Scratch) -> Option<Mapped> {
        let mut mapped = None;
        self.with_reader(taken, raw, received_at, scratch, &mut |reader| mapped = Some(reader.event()));
        if self.passthrough
            && let Some(mapped) = &mut mapped
            && let Some(own) = valid_ocsf(raw)
        {
            // It is in the common form already: as it is.
            mapped.ocsf = own;
            mapped.unmapped = 0;
        }
        mapped
    }

    /// The record's own id and its producer's sequence number, and nothing else.
    #[must_use]
    pub fn identify(&self, raw: &[u8], scratch: &mut Scratch) -> (Option<String>, Option<u64>) {
        let mut found = (None, None);
        let mut see = |context: Context<'_>| {
            found.0 = first(&context, &self.record.id).map(|value| value.as_text().into_owned());
            found.1 = first(&context, &self.record.sequence).and_then(|value| value.as_text().parse().ok());
        };
        if self.patterns.list.is_empty() && !self.has_root() {
            // Nothing but the members themselves can tell: two names are sooner found than all places.
            let text = as_text(raw);
            if let Some(json) = as_json(&self.decoders, text.trim_start_matches('\u{feff}'), &mut scratch.tape) {
                scratch.places.clear();
                see(self.context(&json, scratch));
            }
        } else {
            self.with_context(Taken::Readable, raw, scratch, &mut see);
        }
        (found.0.filter(|id: &String| id.len() <= RECORD_ID_BYTES_MAX), found.1)
    }

    /// Reads a record and shows it to `see`, which is not called when the kind does not take it.
    pub fn with_reader(&self, taken: Taken, raw: &[u8], received_at: i64, scratch: &mut Scratch, see: &mut dyn FnMut(&Reader<'_>)) {
        self.with_context(taken, raw, scratch, &mut |context| see(&Reader::new(self, context, received_at)));
    }

    fn with_context(&self, taken: Taken, raw: &[u8], scratch: &mut Scratch, see: &mut dyn FnMut(Context<'_>)) {
        scratch.as_it_stands = false;
        let whole = as_text(raw);
        let text = whole.trim_start_matches('\u{feff}');
        let Some(mut json) = as_json(&self.decoders, text, &mut scratch.tape) else { return };
        self.find_places(&json, scratch);
        if taken == Taken::Recognised && !self.recognises(&self.context(&json, scratch)) {
            return;
        }
        let (captures, merged) = {
            let context = self.context(&json, scratch);
            let captures = self.captures(&context);
            let merged = self.with_root(&Context { captures: &captures, ..context });
            (captures, merged)
        };
        if let Some(merged) = merged {
            json = Cow::Owned(merged);
            if scratch.tape.read(&json).is_err() {
                return;
            }
            self.find_places(&json, scratch);
        }
        scratch.as_it_stands = matches!((&whole, &json), (Cow::Borrowed(_), Cow::Borrowed(_))) && text.len() == raw.len();
        let context = self.context(&json, scratch);
        see(Context { captures: &captures, ..context });
    }

    fn has_root(&self) -> bool {
        !self.root.is_empty() || self.names_the_record
    }

    /// Finds the places of the record on the tape.
    fn find_places(&self, json: &str, scratch: &mut Scratch) {
        scratch.places.clear();
        scratch.places.resize(self.place_count, NOWHERE);
        self.places.find(Document { text: json, tape: &scratch.tape }, 0, self.reading.loose, &mut scratch.places);
    }

    /// The record with the places found.
    fn context<'c>(&'c self, json: &'c str, scratch: &'c Scratch) -> Context<'c> {
        let document = Document { text: json, tape: &scratch.tape };
        Context { document, captures: &[], reading: &self.reading, places: &scratch.places, root: 0 }
    }

    /// The record with the members of its root in front of its own, if the map names one that is there.
    fn with_root<'c>(&'c self, context: &Context<'c>) -> Option<String> {
        if !self.has_root() {
            return None;
        }
        let root = self.root.iter().find_map(|root| match context.value(root)? {
            Value::Json(object) if object.starts_with('{') => Some(object.into_owned()),
            // `(json)` at the end of a path says what the text is.
            Value::Text { text, .. } if text.trim_start().starts_with('{') => Some(text.trim().to_owned()),
            _ => None,
        });
        if root.is_none() && !self.names_the_record {
            return None;
        }
        let inside =
            |object: &str| object.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).map(|rest| rest.trim().to_owned());
        let json = context.document.text;
        let members: Vec<String> =
            root.as_deref().and_then(inside).into_iter().chain(inside(json)).filter(|members| !members.is_empty()).collect();
        let mut merged = members.join(",");
        if self.names_the_record {
            merged = format!("{merged}{}\"$\":{json}", if merged.is_empty() { "" } else { "," });
        }
        Some(format!("{{{merged}}}"))
    }

    /// What the first pattern that matches finds.
    fn captures<'c>(&'c self, context: &Context<'c>) -> Vec<(String, Cow<'static, str>)> {
        let texts: Vec<_> = self.patterns.texts.iter().map(|text| LazyCell::new(move || context.value(text))).collect();
        for pattern in &self.patterns.list {
            for &on in &pattern.on {
                let Some(value) = texts.get(on).and_then(|value| LazyCell::force(value).as_ref()) else { continue };
                let text = value.as_text();
                if !pattern.regex.may_match(&text) || !pattern.when.holds(context) {
                    continue;
                }
                let Some(found) = pattern.regex.captures(&text) else { continue };
                let named = pattern.regex.get().into_iter().flat_map(|regex| regex.capture_names().flatten());
                let groups = named.filter_map(|name| Some((name.to_owned(), Cow::Owned(found.name(name)?.as_str().to_owned()))));
                let set = pattern.set.iter().map(|(name, value)| (name.clone(), Cow::Owned(value.clone())));
                return groups.chain(set).collect();
            }
        }
        Vec::new()
    }
}

/// The record itself, if it is a valid event.
fn valid_ocsf(raw: &[u8]) -> Option<Vec<u8>> {
    let raw = raw.trim_ascii();
    let event = serde_json::from_slice(raw).ok()?;
    crate::ocsf::check(&event).is_empty().then(|| raw.to_vec())
}

/// A record that no decoder of its kind takes, or of no kind: a Base Event that keeps the text.
#[must_use]
pub fn unreadable(raw: &[u8], received_at: i64, kind: &str) -> Mapped {
    let text = String::from_utf8_lossy(raw);
    let mut tape = Tape::default();
    let object = tape.read(text.trim()).is_ok() && tape.node(0).is_some_and(|node| node.kind == NodeKind::Object);
    let mut out = format!(
        "{{\"activity_id\":0,\"activity_name\":\"Unknown\",\"category_name\":\"Uncategorized\",\"category_uid\":0,\"class_name\":\"Base Event\",\
         \"class_uid\":0,\"type_name\":\"Base Event: Unknown\",\"type_uid\":0,\"severity\":\"Unknown\",\"severity_id\":0,\"status\":\"Unknown\",\
         \"status_id\":0,\"time\":{received_at},\"metadata\":{{\"product\":{{\"name\":\"unknown\"}},\"version\":\"{OCSF_VERSION}\"}},\"unmapped\":"
    )
    .into_bytes();
    let values = if object {
        out.extend_from_slice(text.trim().as_bytes());
        scalars(Document { text: text.trim(), tape: &tape }, 0)
    } else {
        out.extend_from_slice(b"{\"message\":");
        write_string(&text, &mut out);
        out.push(b'}');
        1
    };
    out.push(b'}');
    Mapped { kind: kind.to_owned(), ocsf: out, values, unmapped: values, ..Mapped::default() }
}
