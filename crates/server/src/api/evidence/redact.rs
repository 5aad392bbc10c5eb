//! What an evidence file hides. The unit is the part: what a leaf commits to by itself. So whoever
//! names a member of a record hides each part that holds something of it, and with it whatever else
//! stands in there.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use bytes::Bytes;
use evidence::leaf::Kind;

use crate::api::evidence::hidden::Hidden;
use crate::intake::tape::{Node, NodeKind, Tape, unescape};
use crate::store::read::StoredEntry;

/// Hidden texts shorter than this stand elsewhere by chance: `true`, `EU`, `443`.
const TELLING_BYTES_MIN: usize = 4;

/// One thing to hide: `[INDEX:]WHAT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// In this entry alone.
    index: Option<u64>,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    /// `a.b`: every part that holds this member, or something in it.
    Member(String),
    /// `@facts`, `@people`, `@raw`.
    Facts,
    People,
    Raw,
    /// `#3`.
    Part(usize),
}

/// Why a redaction is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} says nothing to hide: write a member as userIdentity or requestParameters.userName, #3 for a part, @people, @facts or @raw, with 12: before it for entry 12 alone"
)]
pub struct RedactionError(String);

impl FromStr for Redaction {
    type Err = RedactionError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let numbered = written.split_once(':').and_then(|(index, what)| Some((tlog::canonical::from_decimal(index).ok()?, what)));
        let (index, what) = numbered.map_or((None, written), |(index, what)| (Some(index), what));
        let none = || RedactionError(written.to_owned());
        let what = match what {
            "" => return Err(none()),
            "@facts" => What::Facts,
            "@people" => What::People,
            "@raw" => What::Raw,
            other if other.starts_with('@') => return Err(none()),
            other => match other.strip_prefix('#') {
                Some(number) => What::Part(number.parse().map_err(|_| none())?),
                None => What::Member(other.to_owned()),
            },
        };
        Ok(Self { index, what })
    }
}

impl fmt::Display for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index {
            write!(f, "{index}:")?;
        }
        match &self.what {
            What::Member(path) => f.write_str(path),
            What::Facts => f.write_str("@facts"),
            What::People => f.write_str("@people"),
            What::Raw => f.write_str("@raw"),
            What::Part(number) => write!(f, "#{number}"),
        }
    }
}

/// An entry with what is hidden of it.
pub struct Redacted<'a> {
    entry: &'a StoredEntry,
    /// By number of the part.
    hidden: Vec<bool>,
    /// Where part 2 and the following stand in raw.
    places: Vec<Range<usize>>,
    /// Raw as JSON, if it is that. An act has a JSON text in each part.
    texts: Vec<(usize, Tape)>,
}

impl<'a> Redacted<'a> {
    /// With nothing hidden yet.
    pub fn new(entry: &'a StoredEntry) -> Self {
        let mut at = 0;
        let place = |length: &u32| {
            let from = at;
            at += *length as usize;
            from..at
        };
        let places: Vec<Range<usize>> = entry.lengths().iter().map(place).collect();
        let texts = match entry.leaf.kind {
            Kind::Act => places.clone(),
            Kind::Event | Kind::Record => std::iter::once(0..entry.raw.len()).collect(),
        };
        let read = |range: Range<usize>| {
            let mut tape = Tape::default();
            tape.read(std::str::from_utf8(entry.raw.get(range.clone())?).ok()?).ok()?;
            Some((range.start, tape))
        };
        Self { hidden: vec![false; places.len() + 2], texts: texts.into_iter().filter_map(read).collect(), places, entry }
    }

    /// Hides what `redaction` names; false when the entry has nothing of it.
    pub fn hide(&mut self, redaction: &Redaction) -> bool {
        if redaction.index.is_some_and(|index| index != self.entry.index) {
            return false;
        }
        let parts: Vec<usize> = match &redaction.what {
            What::Facts => vec![0],
            What::People => vec![1],
            What::Raw => (2..self.hidden.len()).collect(),
            What::Part(number) => vec![*number],
            What::Member(path) => self.parts_with(path),
        };
        let mut hit = false;
        for part in parts {
            if let Some(hidden) = self.hidden.get_mut(part) {
                (*hidden, hit) = (true, true);
            }
        }
        hit
    }

    /// Whether the part of that number is hidden.
    fn is_hidden(&self, part: usize) -> bool {
        self.hidden.get(part).copied().unwrap_or(false)
    }

    /// Hides these parts.
    pub fn hide_parts(&mut self, parts: &[u64]) {
        for (_, hidden) in (0..).zip(&mut self.hidden).filter(|(part, _)| parts.contains(part)) {
            *hidden = true;
        }
    }

    /// Numbers of the parts that are hidden, ascending.
    pub fn hidden_parts(&self) -> Vec<u64> {
        (0..).zip(&self.hidden).filter(|(_, hidden)| **hidden).map(|(part, _)| part).collect()
    }

    /// The parts that hold something of the members at a path.
    fn parts_with(&self, path: &str) -> Vec<usize> {
        let mut found = Vec::new();
        for (offset, tape) in &self.texts {
            self.members_at(*offset, tape, 0, path, &mut found);
        }
        let touches = |place: &Range<usize>| found.iter().any(|member| member.start < place.end && place.start < member.end);
        self.places.iter().enumerate().filter(|(_, place)| touches(place)).map(|(nth, _)| nth + 2).collect()
    }

    /// Where the members at a path stand, names included; lists are passed through, and a name may hold
    /// dots of its own.
    fn members_at(&self, offset: usize, tape: &Tape, at: u32, path: &str, found: &mut Vec<Range<usize>>) {
        let in_object = tape.node(at).is_some_and(|node| node.kind == NodeKind::Object);
        for (child, node) in tape.children(at) {
            if !in_object {
                self.members_at(offset, tape, child, path, found);
                continue;
            }
            let Some(rest) = path.strip_prefix(self.text(offset, node.name).as_ref()) else { continue };
            if rest.is_empty() {
                // The quote before the name is its own.
                found.push(offset + (node.name.0 as usize).saturating_sub(1)..offset + node.value.1 as usize);
            } else if let Some(rest) = rest.strip_prefix('.') {
                self.members_at(offset, tape, child, rest, found);
            }
        }
    }

    fn slice(&self, offset: usize, (from, to): (u32, u32)) -> &'a str {
        let bytes = self.entry.raw.get(offset + from as usize..offset + to as usize).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn text(&self, offset: usize, place: (u32, u32)) -> Cow<'a, str> {
        let written = self.slice(offset, place);
        unescape(written).unwrap_or(Cow::Borrowed(written))
    }

    fn is_hidden_at(&self, at: usize) -> bool {
        let part = self.places.iter().position(|place| place.contains(&at));
        part.is_some_and(|nth| self.is_hidden(nth + 2))
    }

    fn nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.texts.iter().flat_map(|(offset, tape)| (0..tape.len() as u32).filter_map(|at| Some((*offset, tape.node(at)?))))
    }

    /// The entry as somebody sees it who sees only what is shown: each hidden value null, each hidden
    /// name the same, so that what is made of it can tell nothing hidden.
    pub fn masked(&self) -> Cow<'a, StoredEntry> {
        if !self.hidden.contains(&true) {
            return Cow::Borrowed(self.entry);
        }
        let people = if self.is_hidden(1) { Bytes::from_static(b"{}") } else { self.entry.people.clone() };
        // Cut where the entry is: what is hidden may be what the rule would cut by.
        let cuts = self.entry.lengths().to_vec().into();
        Cow::Owned(StoredEntry { raw: self.masked_raw(), people, cuts, ..self.entry.clone() })
    }

    fn masked_raw(&self) -> Bytes {
        let hides_raw = self.hidden.iter().skip(2).any(|hidden| *hidden);
        match (&self.texts[..], self.entry.leaf.kind) {
            _ if !hides_raw => self.entry.raw.clone(),
            ([_], Kind::Event | Kind::Record) => {
                let (raw, mut masked, mut at) = (&self.entry.raw, Vec::with_capacity(self.entry.raw.len()), 0);
                for (_, node) in self.nodes() {
                    let name = (node.name.0 != node.name.1).then_some((node.name, &b"_"[..]));
                    let scalar = !matches!(node.kind, NodeKind::Object | NodeKind::Array);
                    for ((from, to), instead) in name.into_iter().chain(scalar.then_some((node.value, &b"null"[..]))) {
                        if self.is_hidden_at(from as usize) {
                            masked.extend_from_slice(raw.get(at..from as usize).unwrap_or_default());
                            masked.extend_from_slice(instead);
                            at = to as usize;
                        }
                    }
                }
                masked.extend_from_slice(raw.get(at..).unwrap_or_default());
                masked.into()
            }
            // Text in one part, or an act: nothing of it is told.
            _ => Bytes::new(),
        }
    }

    /// The hidden texts that are long enough to be told from others: as they are written, and as they read. Of a
    /// record that is not JSON it is the whole text.
    pub fn hidden_texts(&self) -> Vec<Cow<'a, str>> {
        let raw = self.entry.raw.as_ref();
        let mut texts = Vec::new();
        for (offset, tape) in &self.texts {
            let text = std::str::from_utf8(raw.get(*offset..).unwrap_or_default()).unwrap_or_default();
            scalars(text, tape, |at| self.is_hidden_at(offset + at), &mut texts);
        }
        if self.texts.is_empty() && self.is_hidden(2) {
            texts.extend(std::str::from_utf8(raw).ok());
        }
        for (_, about) in [&self.entry.facts, &self.entry.people].into_iter().enumerate().filter(|(part, _)| self.is_hidden(*part)) {
            let (text, mut tape) = (std::str::from_utf8(about).unwrap_or_default(), Tape::default());
            if tape.read(text).is_ok() {
                scalars(text, &tape, |_| true, &mut texts);
            }
        }
        let both = texts.into_iter().flat_map(|written| [Some(Cow::Borrowed(written)), unescape(written)]);
        let mut texts: Vec<_> = both.flatten().filter(|text| text.len() >= TELLING_BYTES_MIN).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    }

    /// The shown parts that hold something hidden, here or in another entry.
    pub fn repeats(&self, hidden: &Hidden) -> Vec<usize> {
        let parts = self.entry.parts();
        let shown = parts.into_iter().enumerate().filter(|(number, _)| !self.is_hidden(*number));
        shown.filter(|(_, part)| hidden.is_in(part)).map(|(number, _)| number).collect()
    }
}

/// The texts and numbers of a JSON text whose values begin at such a place, as they are written.
fn scalars<'t>(text: &'t str, tape: &Tape, hidden: impl Fn(usize) -> bool, found: &mut Vec<&'t str>) {
    let nodes = (0..tape.len() as u32).filter_map(|at| tape.node(at));
    let scalars = nodes.filter(|node| matches!(node.kind, NodeKind::Text { .. } | NodeKind::Number));
    let places = scalars.map(|node| node.value.0 as usize..node.value.1 as usize).filter(|place| hidden(place.start));
    found.extend(places.filter_map(|place| text.get(place)).map(|written| written.trim_matches('"')));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use evidence::leaf::Leaf;
    use proptest::prelude::*;

    use super::*;

    fn entry(raw: &str) -> StoredEntry {
        let mut lengths = Vec::new();
        evidence::cut(raw.as_bytes(), &mut lengths);
        StoredEntry {
            index: 7,
            leaf: Leaf { kind: Kind::Event, source: 1, class: 1, received_at: 0, commitment: [0; 32] },
            salt: [0; 16],
            facts: Bytes::from_static(b"{}"),
            people: Bytes::from_static(b"{\"peer\":\"192.0.2.1\"}"),
            raw: Bytes::copy_from_slice(raw.as_bytes()),
            cuts: lengths.into(),
        }
    }

    fn hidden(raw: &str, what: &str) -> Vec<usize> {
        let entry = entry(raw);
        let mut redacted = Redacted::new(&entry);
        assert_eq!(redacted.hide(&what.parse().unwrap()), redacted.hidden.contains(&true));
        (0..redacted.hidden.len()).filter(|part| redacted.is_hidden(*part)).collect()
    }

    const RAW: &str = r#"{"who":{"name":"ana","ip":"192.0.2.7"},"list":[{"ip":"198.51.100.1"}],"a.b":{"c":1},"ip":"192.0.2.7"}"#;

    #[test]
    fn a_member_is_hidden_with_the_parts_it_stands_in() {
        for (what, parts) in [
            ("who", vec![2]),
            ("who.name", vec![2]),
            ("list.ip", vec![3]),
            ("a.b.c", vec![4]),
            ("a.b", vec![4]),
            ("ip", vec![5]),
            ("7:ip", vec![5]),
            ("8:ip", vec![]),
            ("wh", vec![]),
            ("who.na", vec![]),
            ("IP", vec![]),
            ("@people", vec![1]),
            ("@facts", vec![0]),
            ("@raw", vec![2, 3, 4, 5]),
            ("#3", vec![3]),
            ("#6", vec![]),
        ] {
            assert_eq!(hidden(RAW, what), parts, "{what}");
        }
        let long = format!(r#"{{"who":{{"name":"ana","text":"{}","ip":"192.0.2.7"}},"z":1}}"#, "x".repeat(600));
        assert_eq!((hidden(&long, "who.name"), hidden(&long, "who.ip"), hidden(&long, "who")), (vec![2], vec![4], vec![2, 3, 4]));
        assert_eq!(hidden("plain text", "@raw"), [2]);
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for nothing in ["", "7:", "@x", "#", "#x", "#-1"] {
            assert!(nothing.parse::<Redaction>().is_err(), "{nothing}");
        }
        for something in ["a.b", "12:#3", "@people", "07:x"] {
            assert_eq!(something.parse::<Redaction>().unwrap().to_string(), something);
        }
    }

    #[test]
    fn a_hidden_value_that_stands_elsewhere_is_found() {
        let entry = entry(RAW);
        let mut redacted = Redacted::new(&entry);
        redacted.hide(&"ip".parse().unwrap());
        assert_eq!(redacted.repeats(&Hidden::of(redacted.hidden_texts()).unwrap()), [2]);
        redacted.hide(&"who".parse().unwrap());
        let hidden = Hidden::of(redacted.hidden_texts()).unwrap();
        assert_eq!(redacted.repeats(&hidden), [0; 0]);
        assert_eq!(Redacted::new(&entry).repeats(&hidden), [2, 5], "also in an entry that hides nothing");
        assert_eq!(redacted.hidden_texts(), ["192.0.2.7"], "ana is too short to tell");
    }

    #[test]
    fn who_sent_it_and_text_that_is_not_json_are_looked_for_too() {
        let entry_with = |raw: &str, what: &str| {
            let entry = entry(raw);
            let mut redacted = Redacted::new(&entry);
            redacted.hide(&what.parse().unwrap());
            redacted.repeats(&Hidden::of(redacted.hidden_texts()).unwrap())
        };
        assert_eq!(entry_with(r#"{"from":"192.0.2.1"}"#, "@people"), [2]);
        assert_eq!(entry_with(r#"{"from":"192.0.2.9"}"#, "@people"), [0; 0]);
        assert_eq!(entry_with("192.0.2.1", "@raw"), [1]);
    }

    #[test]
    fn a_hidden_value_is_found_however_it_is_escaped_there() {
        let entry = entry(r#"{"path":"corp\/\u00e9t\u00e9"}"#);
        let mut redacted = Redacted::new(&entry);
        redacted.hide(&"path".parse().unwrap());
        let hidden = Hidden::of(redacted.hidden_texts()).unwrap();
        assert!(hidden.is_in("as corp/été".as_bytes()) && hidden.is_told_by("path:corp/ÉTÉ") && hidden.is_in(br"corp\/\u00e9t\u00e9"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![any::<i32>().prop_map(Into::into), "[a-z\"\\\\é]{4,12}".prop_map(Into::into)];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map("[a-z.]{1,5}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_masked_is_json_with_nothing_hidden_in_it(members in prop::collection::hash_map("[a-z]{1,5}", json(), 1..6), hide: Vec<bool>) {
            let raw = serde_json::to_string(&members).unwrap();
            let entry = entry(&raw);
            let mut redacted = Redacted::new(&entry);
            for (nth, _) in entry.lengths().iter().enumerate().filter(|(nth, _)| hide.get(*nth) == Some(&true)) {
                redacted.hide(&Redaction { index: None, what: What::Part(nth + 2) });
            }
            let masked = redacted.masked();
            let value: serde_json::Value = serde_json::from_slice(&masked.raw).unwrap();
            prop_assert!(value.is_object());
            let shown = |text: &str| {
                let parts = entry.parts();
                parts.iter().enumerate().any(|(part, bytes)| !redacted.is_hidden(part) && memchr::memmem::find(bytes, text.as_bytes()).is_some())
            };
            for text in redacted.hidden_texts() {
                prop_assert!(shown(&text) || memchr::memmem::find(&masked.raw, text.as_bytes()).is_none(), "{text}");
            }
        }

        #[test]
        fn any_bytes_can_be_redacted(raw: Vec<u8>, what in ".{0,8}") {
            let raw_entry = StoredEntry { raw: raw.clone().into(), cuts: vec![raw.len() as u32].into(), ..entry("") };
            let mut redacted = Redacted::new(&raw_entry);
            if let Ok(what) = what.parse() {
                redacted.hide(&what);
            }
            let _ = (redacted.masked(), redacted.repeats(&Hidden::of(redacted.hidden_texts()).unwrap()));
        }
    }
}
