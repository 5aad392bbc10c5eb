//! One record, read by its kind: which class, activity, outcome and severity it has, and its event.

use evidence::canonical_json::write_string;

use crate::ocsf::OCSF_VERSION;
use crate::source::evaluate::Context;
use crate::source::expression::Expression;
use crate::source::identity::{canonical, default_of};
use crate::source::kind::{ClassProgram, Identity, Kind, Person};
use crate::source::map::Mapped;
use crate::source::places::scalars;
use crate::source::time;
use crate::source::tree_rules::Bits;
use crate::source::value::Value;
use crate::source::write::{Writer, write_integer, write_text};

/// One record, read by its kind.
pub struct Reader<'d> {
    /// The kind.
    pub kind: &'d Kind,
    /// The record.
    pub context: Context<'d>,
    /// The class it has.
    pub class: &'d ClassProgram,
    /// The vendor's word for what happened.
    pub action: Option<Value<'d>>,
    /// Which outcome.
    pub outcome: Option<usize>,
    severity: Option<&'d (i64, String)>,
    overlays: Vec<bool>,
    received_at: i64,
}

impl<'d> Reader<'d> {
    /// Reads what decides: action, class, outcome, overlays.
    #[must_use]
    pub fn new(kind: &'d Kind, context: Context<'d>, received_at: i64) -> Self {
        let action = first(&context, &kind.record.action);
        let text = action.as_ref().map(Value::as_text);
        let word = text.as_deref();
        // A kind always has its default class; without one there is nothing to write.
        let class = kind.class(word, &context).unwrap_or_else(|| no_class());
        let outcome = kind.outcomes.iter().position(|outcome| outcome.actions.matches(word) && outcome.when.holds(&context));
        let overlays = kind.overlays.iter().map(|overlay| overlay.actions.matches(word) && overlay.when.holds(&context)).collect();
        let severity = kind.severities.iter().find(|rule| rule.actions.matches(word) && rule.when.holds(&context));
        let severity = severity.map(|rule| &rule.number);
        drop(text);
        Self { kind, context, class, action, outcome, severity, overlays, received_at }
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

    /// Number of the header with its activity.
    fn activity(&self) -> usize {
        let activity = &self.class.activity;
        let said = first(&self.context, &activity.from);
        let found = said.and_then(|value| activity.map.find(&value.as_text()));
        found.unwrap_or(activity.default)
    }

    /// Canonical ids of who did it and of whom it was done to.
    #[must_use]
    pub fn identities(&self) -> (Option<String>, Option<String>) {
        let overlays = self.kind.overlays.iter().zip(&self.overlays).filter(|(_, holds)| **holds).map(|(overlay, _)| &overlay.identity);
        let given: Vec<&'d Identity> = overlays.chain([&self.class.identity, &self.kind.identity]).collect();
        let find = |of: fn(&Identity) -> &Vec<Expression>, person: &'d Person| {
            let said = given.iter().find_map(|identity| first(&self.context, of(identity)));
            said.and_then(|value| canonical(&value.as_text())).or_else(|| default_of(self, person))
        };
        (find(|identity| &identity.actor, &self.class.actor), find(|identity| &identity.target, &self.class.user))
    }

    /// The whole event.
    #[must_use]
    pub fn event(&self) -> Mapped {
        let time = self.time();
        let id = first(&self.context, &self.kind.record.id);
        let mut writer = self.writer();
        // An event is about twice as long as what it is made of.
        writer.out.reserve(self.context.document.text.len() * 2 + 1_024);
        let header = self.class.header.get(self.activity());
        writer.out.extend_from_slice(header.map_or(b"{", |header| header.json.as_slice()));
        self.write_shared(&mut writer, time.as_ref().map_or(self.received_at, |(_, ms)| *ms));
        let written = self.write_tree(&mut writer);
        self.write_metadata(&mut writer, written, time.as_ref().map(|(value, _)| value), id.as_ref());
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
            id: id.map(|id| id.as_text().into_owned()),
            sequence: first(&self.context, &record.sequence).and_then(|value| value.as_text().parse().ok()),
            sequence_of: first(&self.context, &record.sequence_of).map(|value| value.as_text().into_owned()),
            action: self.action.as_ref().map(|action| action.as_text().into_owned()),
            actor,
            target,
            values: scalars(self.context.document, 0),
            unmapped,
        }
    }

    /// Severity, status and time.
    fn write_shared(&self, writer: &mut Writer<'_, 'd>, time_ms: i64) {
        let informational = (1, "Informational".to_owned());
        let rules = &self.class.rules;
        let severity =
            self.severity.or(if rules.severity != 0 { None } else { Some(self.class.severity.as_ref().unwrap_or(&informational)) });
        let unknown = (0, "Unknown".to_owned());
        let status = self.outcome.and_then(|nth| self.kind.outcomes.get(nth)).map(|outcome| &outcome.status);
        let status = status.or(if rules.status != 0 { None } else { Some(&unknown) });
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

    /// The mapped attributes, and what the class asks for beside them. Returns those written.
    fn write_tree(&self, writer: &mut Writer<'_, 'd>) -> Bits {
        let rules = &self.class.rules;
        let severity_is_ruled = self.severity.is_some();
        let mut taken = if self.outcome.is_some() { rules.status } else { 0 };
        if severity_is_ruled {
            taken |= rules.severity;
        }
        let mut written: Bits = 0;
        for (at, (out, needs)) in self.class.tree.iter().zip(&rules.needs).enumerate() {
            let bit: Bits = 1 << at;
            let is_second = bit & rules.just_one != 0 && written & rules.just_one != 0;
            if bit & taken != 0 || is_second || self.context.misses(needs) {
                continue;
            }
            // Outside its own class an API call needs the cloud it belongs to.
            if bit & rules.api != 0 && written & rules.cloud == 0 {
                writer.set_aside(out);
            } else if writer.write(out) {
                written |= bit;
            }
        }
        if !severity_is_ruled && rules.severity != 0 && written & rules.severity == 0 {
            writer.out.extend_from_slice(b",\"severity\":\"Unknown\",\"severity_id\":0");
        }
        rules.demands.iter().filter(|demand| written & demand.met_by == 0).for_each(|demand| self.make_up(writer, &demand.otherwise));
        written
    }

    /// Writes an attribute that the schema asks for and the record does not give.
    fn make_up(&self, writer: &mut Writer<'_, 'd>, name: &str) {
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

    fn write_metadata(&self, writer: &mut Writer<'_, 'd>, written: Bits, time: Option<&Value<'d>>, id: Option<&Value<'d>>) {
        writer.out.extend_from_slice(b",\"metadata\":{");
        let mut own = [("event_code", self.action.as_ref()), ("original_time", time), ("uid", id)];
        for child in &self.class.rules.metadata {
            if writer.write(child)
                && let Some((_, value)) = own.iter_mut().find(|(name, _)| *name == child.name())
            {
                *value = None;
            }
        }
        for (name, value) in own {
            if let Some(value) = value {
                writer.begin(b"\"");
                writer.out.extend_from_slice(name.as_bytes());
                writer.out.extend_from_slice(b"\":");
                write_text(value, &mut writer.out);
            }
        }
        writer.begin(b"\"product\":");
        writer.out.extend_from_slice(&self.kind.product);
        let needed = self.class.rules.profiles.iter().filter(|(of, _)| written & of != 0);
        let mut last = None;
        for (_, profile) in needed {
            if last == Some(profile) {
                continue;
            }
            writer.out.extend_from_slice(if last.is_none() { b",\"profiles\":[" } else { b"," });
            write_string(profile, &mut writer.out);
            last = Some(profile);
        }
        if last.is_some() {
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
pub fn first<'d>(context: &Context<'d>, expressions: &'d [Expression]) -> Option<Value<'d>> {
    expressions.iter().find_map(|expression| context.value(expression))
}
