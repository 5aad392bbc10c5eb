//! Maps a record to OCSF. Pure and total: the same bytes give the same event, and there is always one.

use std::borrow::Cow;

use evidence::canonical_json::write_string;

use crate::intake::limits::RECORD_ID_BYTES_MAX;
use crate::intake::tape::{NodeKind, Tape};
use crate::ocsf::OCSF_VERSION;
use crate::source::emit::{Object, Out, Writer, write_integer};
use crate::source::evaluate::{Context, NOWHERE};
use crate::source::expression::Expression;
use crate::source::identity::{canonical, default_of};
use crate::source::kind::{ClassProgram, Decoder, Identity, Kind, Person};
use crate::source::places::scalars;
use crate::source::time;
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

impl Kind {
    /// Maps a record of this kind. `received_at` (ms) is its time when it has none of its own.
    #[must_use]
    pub fn map(&self, raw: &[u8], received_at: i64, scratch: &mut Scratch) -> Mapped {
        let mut mapped = None;
        self.with_reader(raw, received_at, scratch, &mut |reader| mapped = Some(reader.event()));
        if self.passthrough
            && let Some(mapped) = &mut mapped
            && let Some(own) = valid_ocsf(raw)
        {
            // It is in the common form already: as it is.
            mapped.ocsf = own;
            mapped.unmapped = 0;
        }
        mapped.unwrap_or_else(|| unreadable(raw, received_at, &self.name))
    }

    /// The record's own id and its producer's sequence number, and nothing else.
    #[must_use]
    pub fn identify(&self, raw: &[u8], scratch: &mut Scratch) -> (Option<String>, Option<u64>) {
        let mut found = (None, None);
        self.with_context(raw, scratch, &mut |context| {
            found.0 = first(&context, &self.record.id).map(|value| value.as_text().into_owned());
            found.1 = first(&context, &self.record.sequence).and_then(|value| value.as_text().parse().ok());
        });
        (found.0.filter(|id: &String| id.len() <= RECORD_ID_BYTES_MAX), found.1)
    }

    /// Reads a record of this kind and shows it to `see`; not called when no decoder takes the bytes.
    pub fn with_reader(&self, raw: &[u8], received_at: i64, scratch: &mut Scratch, see: &mut dyn FnMut(&Reader<'_, '_>)) {
        self.with_context(raw, scratch, &mut |context| see(&Reader::new(self, context, received_at)));
    }

    fn with_context(&self, raw: &[u8], scratch: &mut Scratch, see: &mut dyn FnMut(Context<'_, '_>)) {
        let text = as_text(raw);
        let text = text.trim_start_matches('\u{feff}');
        let Some(mut json) = as_json(&self.decoders, text, &mut scratch.tape) else { return };
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
        }
        let context = self.context(&json, scratch);
        see(Context { captures: &captures, ..context });
    }

    fn has_root(&self) -> bool {
        !self.root.is_empty() || self.names_the_record
    }

    /// The record with all its places found.
    fn context<'c>(&'c self, json: &'c str, scratch: &'c mut Scratch) -> Context<'c, 'c> {
        let document = Document { text: json, tape: &scratch.tape };
        scratch.places.clear();
        scratch.places.resize(self.place_count, NOWHERE);
        self.places.find(document, 0, self.reading.loose, &mut scratch.places);
        Context { document, captures: &[], reading: &self.reading, places: &scratch.places, root: 0 }
    }

    /// The record with the members of its root in front of its own, if the map names one that is there.
    fn with_root(&self, context: &Context<'_, '_>) -> Option<String> {
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
    fn captures(&self, context: &Context<'_, '_>) -> Vec<(String, Cow<'static, str>)> {
        let mut tried: Option<(String, Vec<usize>)> = None;
        for (nth, pattern) in self.patterns.list.iter().enumerate() {
            for on in &pattern.on {
                let Some(value) = context.value(on) else { continue };
                let text = value.as_text();
                if tried.as_ref().is_none_or(|(known, _)| *known != text) {
                    tried = Some((text.to_string(), self.patterns.set.matches(&text)));
                }
                if !tried.as_ref().is_some_and(|(_, may)| may.contains(&nth)) || !pattern.when.holds(context) {
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

/// What completeness asks of a record: less than all it means, and far sooner read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in `Mapped`")]
pub struct Noticed {
    pub time_ms: Option<i64>,
    pub sequence: Option<u64>,
    pub sequence_of: Option<String>,
    pub values: usize,
    pub unmapped: usize,
}

impl Kind {
    /// When a record happened, its number, and how much of it the map reads.
    #[must_use]
    pub fn notice(&self, raw: &[u8], received_at: i64, scratch: &mut Scratch) -> Option<Noticed> {
        let mut noticed = None;
        self.with_reader(raw, received_at, scratch, &mut |reader| {
            let text = |expressions: &[Expression]| first(&reader.context, expressions).map(|value| value.as_text().into_owned());
            noticed = Some(Noticed {
                time_ms: reader.time().map(|(_, ms)| ms),
                sequence: text(&self.record.sequence).and_then(|text| text.parse().ok()),
                sequence_of: text(&self.record.sequence_of),
                values: scalars(reader.context.document, 0),
                unmapped: reader.class.read.write_rest(reader.context.document, 0, self.reading.loose, &mut Vec::new()),
            });
        });
        noticed
    }
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

/// One record, read by its kind.
pub struct Reader<'c, 'd> {
    /// The kind.
    pub kind: &'c Kind,
    /// The record.
    pub context: Context<'c, 'd>,
    /// The class it has.
    pub class: &'c ClassProgram,
    /// The vendor's word for what happened.
    pub action: Option<String>,
    /// Which outcome.
    pub outcome: Option<usize>,
    overlays: Vec<bool>,
    received_at: i64,
}

impl<'c, 'd> Reader<'c, 'd> {
    fn new(kind: &'c Kind, context: Context<'c, 'd>, received_at: i64) -> Self {
        let action = first(&context, &kind.record.action).map(|value| value.as_text().into_owned());
        let word = action.as_deref();
        // A kind always has its default class; without one there is nothing to write.
        let class = kind.class(word, &context).unwrap_or_else(|| no_class());
        let outcome = kind.outcomes.iter().position(|outcome| outcome.actions.matches(word) && outcome.when.holds(&context));
        let overlays = kind.overlays.iter().map(|overlay| overlay.actions.matches(word) && overlay.when.holds(&context)).collect();
        Self { kind, context, class, action, outcome, overlays, received_at }
    }

    /// A writer for this record.
    #[must_use]
    pub fn writer(&self) -> Writer<'_, 'd> {
        Writer {
            context: self.context,
            overlays: &self.overlays,
            outcome: self.outcome,
            near: self.received_at,
            out: Vec::new(),
            observed: Vec::new(),
            aside: Vec::new(),
        }
    }

    /// When it happened: the value that says, and ms.
    #[must_use]
    pub fn time(&self) -> Option<(Value<'d>, i64)> {
        self.kind.record.time.iter().find_map(|expression| {
            let value = self.context.value(expression)?;
            let ms = time::read(&value.as_text(), self.received_at)?;
            Some((value, ms))
        })
    }

    /// The record's own id.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        first(&self.context, &self.kind.record.id).map(|value| value.as_text().into_owned())
    }

    fn severity(&self) -> Option<&(i64, String)> {
        let word = self.action.as_deref();
        let rule = self.kind.severities.iter().find(|rule| rule.actions.matches(word) && rule.when.holds(&self.context));
        rule.map(|rule| &rule.number)
    }

    /// Number of the header with its activity.
    fn activity(&self) -> usize {
        let activity = &self.class.activity;
        let said = first(&self.context, &activity.from);
        let found = said.and_then(|value| activity.map.iter().find(|(glob, _)| glob.matches(&value.as_text())).map(|(_, number)| *number));
        found.unwrap_or(activity.default)
    }

    /// Canonical ids of who did it and of whom it was done to.
    #[must_use]
    pub fn identities(&self) -> (Option<String>, Option<String>) {
        let overlays = self.kind.overlays.iter().zip(&self.overlays).filter(|(_, holds)| **holds).map(|(overlay, _)| &overlay.identity);
        let given: Vec<&Identity> = overlays.chain([&self.class.identity, &self.kind.identity]).collect();
        let find = |of: fn(&Identity) -> &Vec<Expression>, person: &Person| {
            let said = given.iter().find_map(|identity| first(&self.context, of(identity)));
            said.and_then(|value| canonical(&value.as_text())).or_else(|| default_of(self, person))
        };
        (find(|identity| &identity.actor, &self.class.actor), find(|identity| &identity.target, &self.class.user))
    }

    /// The whole event.
    #[must_use]
    pub fn event(&self) -> Mapped {
        let time = self.time();
        let id = self.id();
        let mut writer = self.writer();
        writer.out.reserve(2_048);
        let header = self.class.header.get(self.activity());
        writer.out.extend_from_slice(header.map_or(b"{", |header| header.json.as_slice()));
        self.write_shared(&mut writer, time.as_ref().map_or(self.received_at, |(_, ms)| *ms));
        let written = self.write_tree(&mut writer);
        self.write_metadata(&mut writer, &written, time.as_ref().map(|(value, _)| value), id.as_deref());
        write_observables(&mut writer);
        let unmapped = self.write_unmapped(&mut writer);
        writer.out.push(b'}');
        let (actor, target) = self.identities();
        let record = &self.kind.record;
        Mapped {
            kind: self.kind.name.clone(),
            version: self.kind.version,
            ocsf: std::mem::take(&mut writer.out),
            time_ms: time.map(|(_, ms)| ms),
            id,
            sequence: first(&self.context, &record.sequence).and_then(|value| value.as_text().parse().ok()),
            sequence_of: first(&self.context, &record.sequence_of).map(|value| value.as_text().into_owned()),
            action: self.action.clone(),
            actor,
            target,
            values: scalars(self.context.document, 0),
            unmapped,
        }
    }

    /// The map has expressions for this attribute.
    fn gives(&self, name: &str) -> bool {
        self.class.tree.iter().any(|out| out.name() == name)
    }

    /// Severity, status and time.
    fn write_shared(&self, writer: &mut Writer<'_, 'd>, time_ms: i64) {
        let informational = (1, "Informational".to_owned());
        let severity =
            self.severity().or(if self.gives("severity_id") { None } else { Some(self.class.severity.as_ref().unwrap_or(&informational)) });
        let unknown = (0, "Unknown".to_owned());
        let status = self.outcome.and_then(|nth| self.kind.outcomes.get(nth)).map(|outcome| &outcome.status);
        let status = status.or(if self.gives("status_id") { None } else { Some(&unknown) });
        for (name, number) in [("severity", severity), ("status", status)] {
            if let Some((number, caption)) = number {
                let pieces = [",\"", name, "\":\"", caption, "\",\"", name, "_id\":"];
                pieces.iter().for_each(|piece| writer.out.extend_from_slice(piece.as_bytes()));
                write_integer(*number, &mut writer.out);
            }
        }
        writer.out.extend_from_slice(b",\"time\":");
        write_integer(time_ms, &mut writer.out);
    }

    /// The mapped attributes, and what the class asks for beside them. Returns the names written.
    fn write_tree(&self, writer: &mut Writer<'c, 'd>) -> Vec<&'c str>
    where
        'c: 'c,
    {
        let severity_is_ruled = self.severity().is_some();
        let mut written: Vec<&str> = Vec::with_capacity(16);
        for out in &self.class.tree {
            let name = out.name();
            let taken = match name {
                "metadata" => true,
                "status_id" => self.outcome.is_some(),
                "severity_id" => severity_is_ruled,
                name => {
                    self.class.just_one.iter().any(|one| one == name)
                        && self.class.just_one.iter().any(|one| written.contains(&one.as_str()))
                }
            };
            // Outside its own class an API call needs the cloud it belongs to.
            let homeless = name == "api" && self.class.profiles.iter().any(|(of, _)| of == "api") && !written.contains(&"cloud");
            if !taken && homeless {
                writer.set_aside(out);
            } else if !taken && writer.write(out) {
                written.push(name);
            }
        }
        let has = |name: &str| written.contains(&name);
        if !severity_is_ruled && !has("severity_id") && self.gives("severity_id") {
            writer.out.extend_from_slice(b",\"severity\":\"Unknown\",\"severity_id\":0");
        }
        self.fill_required(writer, &written);
        written
    }

    fn fill_required(&self, writer: &mut Writer<'_, 'd>, written: &[&str]) {
        let is_there = |name: &String| written.contains(&name.as_str());
        const OWN: [&str; 7] = ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"];
        let missing = self.class.required.iter().filter(|name| !is_there(name) && !OWN.contains(&name.as_str())).map(String::as_str);
        let one = self.class.at_least_one.first().filter(|_| !self.class.at_least_one.iter().any(is_there)).map(String::as_str);
        let just = self.class.just_one.first().filter(|_| !self.class.just_one.iter().any(is_there)).map(String::as_str);
        for name in missing.chain(one).chain(just) {
            const USER: &str = "{\"name\":\"unknown\",\"type\":\"Unknown\",\"type_id\":0}";
            let value = match name {
                "user" => USER.to_owned(),
                "actor" => format!("{{\"user\":{USER}}}"),
                "service" => format!("{{\"name\":{}}}", serde_json::Value::from(self.kind.product_name.as_str())),
                "privileges" => "[\"unknown\"]".to_owned(),
                "api" => "{\"operation\":\"unknown\"}".to_owned(),
                _ => "{\"name\":\"unknown\"}".to_owned(),
            };
            writer.out.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
        }
    }

    fn write_metadata(&self, writer: &mut Writer<'c, 'd>, written: &[&str], time: Option<&Value<'d>>, id: Option<&str>) {
        writer.out.extend_from_slice(b",\"metadata\":{");
        let given = self.class.tree.iter().find_map(|out| match out {
            Out::Object(Object { name, children, .. }) if name == "metadata" => Some(children.as_slice()),
            _ => None,
        });
        let mut own = vec!["product", "profiles", "version"];
        for child in given.unwrap_or_default() {
            if !own.contains(&child.name()) && writer.write(child) {
                own.push(child.name());
            }
        }
        let time = time.map(Value::as_text);
        for (name, text) in [("event_code", self.action.as_deref()), ("original_time", time.as_deref()), ("uid", id)] {
            if let Some(text) = text.filter(|_| !own.contains(&name)) {
                writer.begin(b"\"");
                writer.out.extend_from_slice(name.as_bytes());
                writer.out.extend_from_slice(b"\":");
                write_string(text, &mut writer.out);
            }
        }
        writer.begin(b"\"product\":");
        writer.out.extend_from_slice(&self.kind.product);
        let needed = self.class.profiles.iter().filter(|(of, _)| written.contains(&of.as_str()));
        let mut profiles: Vec<&str> = needed.map(|(_, profile)| profile.as_str()).collect();
        profiles.sort_unstable();
        profiles.dedup();
        if !profiles.is_empty() {
            writer.out.extend_from_slice(b",\"profiles\":[");
            for profile in profiles {
                writer.begin(b"");
                write_string(profile, &mut writer.out);
            }
            writer.out.push(b']');
        }
        writer.out.extend_from_slice(b",\"version\":\"");
        writer.out.extend_from_slice(OCSF_VERSION.as_bytes());
        writer.out.extend_from_slice(b"\"}");
    }

    fn write_unmapped(&self, writer: &mut Writer<'_, 'd>) -> usize {
        let before = writer.out.len();
        writer.out.extend_from_slice(b",\"unmapped\":{");
        for piece in std::mem::take(&mut writer.aside) {
            writer.begin(&piece);
        }
        let out = &mut writer.out;
        let read = if self.context.captures.is_empty() { &self.class.read } else { &self.class.read_with_text };
        let values = read.write_rest(self.context.document, 0, self.kind.reading.loose, out);
        if out.last() == Some(&b'{') {
            out.truncate(before);
        } else {
            out.push(b'}');
        }
        values
    }
}

/// Only a kind built without [`crate::source::compile`] could lack a default class.
fn no_class() -> &'static ClassProgram {
    static NONE: std::sync::LazyLock<ClassProgram> = std::sync::LazyLock::new(ClassProgram::empty);
    &NONE
}

fn write_observables(writer: &mut Writer<'_, '_>) {
    if writer.observed.is_empty() {
        return;
    }
    writer.out.extend_from_slice(b",\"observables\":[");
    for observed in std::mem::take(&mut writer.observed) {
        let caption = match observed.of {
            1 => "Hostname",
            2 => "IP Address",
            4 => "User Name",
            _ => "Email Address",
        };
        writer.begin(b"");
        let out = &mut writer.out;
        for piece in ["{\"name\":\"", observed.path, "\",\"type\":\"", caption, "\",\"type_id\":"] {
            out.extend_from_slice(piece.as_bytes());
        }
        write_integer(i64::from(observed.of), out);
        out.extend_from_slice(b",\"value\":");
        // The range was written to this buffer before.
        out.extend_from_within(observed.range.0..observed.range.1);
        out.push(b'}');
    }
    writer.out.push(b']');
}

/// The first expression with a value.
#[must_use]
pub fn first<'d>(context: &Context<'_, 'd>, expressions: &[Expression]) -> Option<Value<'d>> {
    expressions.iter().find_map(|expression| context.value(expression))
}
