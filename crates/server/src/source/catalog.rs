//! All kinds of sources: those that come with the program, and those of a directory, which win.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use crate::intake::tape::{NodeKind, Tape};
use crate::source::compile::{MapError, compile};
use crate::source::envelope::ENVELOPES;
use crate::source::evaluate::Context;
use crate::source::geo::Geo;
use crate::source::kind::{Decoder, Kind};
use crate::source::map::{Mapped, Scratch, Taken, as_json, as_text, unreadable};
use crate::source::notice::Noticed;
use crate::source::value::{Document, Value};

include!(concat!(env!("OUT_DIR"), "/built_in_sources.rs"));

/// How certain it is that a line is of a kind when JSON at its end is no record of its own.
const LINE_KNOWN: u8 = 50;
/// A shipper behind a shipper is real; more is a loop.
const ENVELOPES_DEEP: usize = 2;

/// Why a directory of sources cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Something cannot be read.
    #[error("{path}: {why}; --sources needs a directory of folders with a map.toml each", path = path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A map is wrong.
    #[error("{path}: {why}", path = path.display())]
    Map {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: Box<MapError>,
    },
    /// A folder has another name than its map.
    #[error("{path}: the map says kind = \"{kind}\"; folder and kind must have the same name", path = path.display())]
    Name {
        /// Which.
        path: PathBuf,
        /// What the map says.
        kind: String,
    },
}

/// A kind found for a record.
#[derive(Debug, Clone)]
pub struct Recognised {
    /// The kind.
    pub kind: Arc<Kind>,
    /// 1 to 100.
    pub certainty: u8,
}

/// The files of one kind, as they come with the program.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Its name.
    pub kind: &'static str,
    /// `map.toml`.
    pub map: &'static str,
    /// `samples.ndjson`.
    pub samples: &'static str,
    /// `expected.ndjson`.
    pub expected: &'static str,
}

/// A record in a wrapper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// An object: these bytes of the wrapper.
    Range(std::ops::Range<usize>),
    /// A text, without escapes.
    Text(String),
}

/// All kinds.
#[derive(Debug, Clone)]
pub struct Catalog {
    kinds: Vec<Arc<Kind>>,
    /// Checksum of the maps of a directory; 0 without one.
    directory: u64,
    /// Says where senders are when their records do not.
    geo: Option<Arc<Geo>>,
}

static BUILT_IN_KINDS: LazyLock<Vec<Arc<Kind>>> = LazyLock::new(|| {
    // That each of them compiles is a test of this file.
    BUILT_IN.iter().filter_map(|built_in| compile(built_in.map).ok()).map(Arc::new).collect()
});

impl Catalog {
    /// The kinds that come with the program.
    #[must_use]
    pub fn built_in() -> Self {
        Self { kinds: BUILT_IN_KINDS.clone(), directory: 0, geo: None }
    }

    /// With the kinds of a directory, which replace those of the same name.
    ///
    /// # Errors
    /// [`CatalogError`] names the file.
    pub fn with_directory(mut self, dir: &Path) -> Result<Self, CatalogError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |why| CatalogError::Unreadable { path, why }
        };
        let mut folders: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(unreadable(dir))? {
            let path = entry.map_err(unreadable(dir))?.path();
            if path.join("map.toml").is_file() {
                folders.push(path);
            }
        }
        folders.sort();
        for folder in folders {
            let path = folder.join("map.toml");
            let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            let kind = compile(&text).map_err(|why| CatalogError::Map { path: path.clone(), why: Box::new(why) })?;
            if folder.file_name().is_none_or(|name| name.to_string_lossy() != kind.name) {
                return Err(CatalogError::Name { path, kind: kind.name });
            }
            self.directory = twox_hash::XxHash64::oneshot(self.directory, text.as_bytes());
            self.kinds.retain(|known| known.name != kind.name);
            self.kinds.push(Arc::new(kind));
        }
        Ok(self)
    }

    /// With databases that say where a sender is, when its record does not.
    #[must_use]
    pub fn locating(mut self, geo: Geo) -> Self {
        self.geo = Some(Arc::new(geo));
        self
    }

    /// Says whether two catalogs make the same of a record: what was derived with another one is stale. The code
    /// that reads maps and records counts as much as the maps do, and so do the databases of addresses.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        static BUILT_IN_MAPS: LazyLock<u64> = LazyLock::new(|| {
            let mix = |hash, built_in: &BuiltIn| twox_hash::XxHash64::oneshot(hash, built_in.map.as_bytes());
            BUILT_IN.iter().fold(0, mix)
        });
        let code = concat!(env!("CARGO_PKG_VERSION"), "-", env!("INDELIBLE_MAPPING_CODE"));
        let geo = self.geo.as_ref().map_or(0, |geo| geo.fingerprint());
        format!("{code}-{:016x}-{:016x}-{geo:016x}", *BUILT_IN_MAPS, self.directory)
    }

    /// All kinds.
    #[must_use]
    pub fn kinds(&self) -> &[Arc<Kind>] {
        &self.kinds
    }

    /// The kind of that name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Arc<Kind>> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// The kind a record looks most like.
    #[must_use]
    pub fn recognise(&self, raw: &[u8]) -> Option<Recognised> {
        let (found, _) = self.best(raw, ENVELOPES_DEEP, &self.kinds)?;
        Some(found)
    }

    /// Maps a record of the kind `name`; of the kind it looks most like, when that is `None` or unknown.
    #[must_use]
    pub fn map(&self, raw: &[u8], name: Option<&str>, received_at: i64, scratch: &mut Scratch) -> Mapped {
        self.read(raw, name, received_at, scratch).0
    }

    /// As [`Self::map`], and the tape of the record if it was read as it stands: it need not be read again.
    #[must_use]
    pub fn map_with_tape(&self, raw: &[u8], name: Option<&str>, received_at: i64, scratch: &mut Scratch) -> (Mapped, Option<Tape>) {
        let (mapped, in_scratch) = self.read(raw, name, received_at, scratch);
        (mapped, if in_scratch { scratch.take_tape() } else { None })
    }

    /// What it means, and whether it was read without an envelope: then its tape may be the one in `scratch`.
    fn read(&self, raw: &[u8], name: Option<&str>, received_at: i64, scratch: &mut Scratch) -> (Mapped, bool) {
        let (mut mapped, in_scratch) = self.read_record(raw, name, received_at, scratch);
        if let Some(geo) = &self.geo {
            geo.fill(&mut mapped.ocsf);
        }
        (mapped, in_scratch)
    }

    /// What the record itself says.
    fn read_record(&self, raw: &[u8], name: Option<&str>, received_at: i64, scratch: &mut Scratch) -> (Mapped, bool) {
        let mapped = if let Some(kind) = name.and_then(|name| self.kind(name)) {
            if let Some(mapped) = kind.map_if(Taken::Recognised, raw, received_at, scratch) {
                return (mapped, true);
            }
            // Of this kind, but perhaps in a shipper's envelope.
            match self.best(raw, ENVELOPES_DEEP, std::slice::from_ref(kind)) {
                Some((_, inner)) => kind.map(inner.as_bytes(), received_at, scratch),
                None => kind.map(raw, received_at, scratch),
            }
        } else {
            match self.best(raw, ENVELOPES_DEEP, &self.kinds) {
                Some((found, inner)) => found.kind.map(inner.as_bytes(), received_at, scratch),
                None => unreadable(raw, received_at, "unknown"),
            }
        };
        (mapped, false)
    }

    /// What completeness asks of a record of the kind `name`; `None` for an unknown kind.
    #[must_use]
    pub fn notice(&self, raw: &[u8], name: &str, received_at: i64, scratch: &mut Scratch) -> Option<Noticed> {
        let kind = self.kind(name)?;
        if let Some(noticed) = kind.notice(Taken::Recognised, raw, received_at, scratch) {
            return Some(noticed);
        }
        let (_, inner) = self.best(raw, ENVELOPES_DEEP, std::slice::from_ref(kind))?;
        kind.notice(Taken::Readable, inner.as_bytes(), received_at, scratch)
    }

    /// The records of a wrapper of the kind, or of any kind when it is not known; `None` when `raw` is
    /// no wrapper.
    #[must_use]
    pub fn unwrap(&self, raw: &[u8], kind: Option<&Kind>) -> Option<Vec<Item>> {
        if let Some(kind) = kind {
            return unwrap_as(kind, raw);
        }
        self.kinds.iter().find_map(|kind| {
            let items = unwrap_as(kind, raw)?;
            let first = match items.first()? {
                Item::Range(range) => raw.get(range.clone())?,
                Item::Text(text) => text.as_bytes(),
            };
            // Of another kind it would be an ordinary record with a list in it.
            (Forms::new(&String::from_utf8_lossy(first)).certainty(kind) > 0).then_some(items)
        })
    }

    /// The best of `kinds` and the record it was recognised in, which may stand in a shipper's envelope.
    #[must_use]
    pub fn best<'r>(&self, raw: &'r [u8], deep: usize, kinds: &[Arc<Kind>]) -> Option<(Recognised, Cow<'r, str>)> {
        let text = as_text(raw);
        let mut forms = Forms::new(&text);
        let mut best: Option<Recognised> = None;
        for kind in kinds {
            let certainty = forms.certainty(kind);
            if certainty > best.as_ref().map_or(0, |best| best.certainty) {
                best = Some(Recognised { kind: Arc::clone(kind), certainty });
            }
        }
        let certainty = best.as_ref().map_or(0, |best| best.certainty);
        let inner = if certainty < 95 && deep > 0 { forms.enveloped(certainty) } else { Vec::new() };
        for inside in inner {
            let Some((found, record)) = self.best(inside.as_bytes(), deep - 1, kinds) else { continue };
            if found.certainty > best.as_ref().map_or(0, |best| best.certainty) {
                return Some((found, Cow::Owned(record.into_owned())));
            }
        }
        best.map(|best| (best, text))
    }
}

fn unwrap_as(kind: &Kind, raw: &[u8]) -> Option<Vec<Item>> {
    if kind.unwraps.is_empty() {
        return None;
    }
    let text = std::str::from_utf8(raw).ok()?;
    let mut tape = Tape::default();
    tape.read(text).ok()?;
    let document = Document { text, tape: &tape };
    let context = Context { document, captures: &[], reading: &kind.reading, places: &[], root: 0 };
    kind.unwraps.iter().filter(|(when, _)| when.holds(&context)).find_map(|(_, path)| items(&context, path))
}

/// The elements at a path: objects by their place, texts as they are.
fn items<'c>(context: &Context<'c>, path: &'c crate::source::expression::Path) -> Option<Vec<Item>> {
    let mut found = Vec::new();
    let elements = context.elements(path);
    for at in &elements {
        let node = context.document.tape.node(*at)?;
        let inside: Vec<_> = match node.kind {
            NodeKind::Array => context.document.tape.children(*at).map(|(_, node)| *node).collect(),
            _ => vec![*node],
        };
        for node in inside {
            match context.document.value(&node) {
                Some(Value::Json(_)) => found.push(Item::Range(node.value.0 as usize..node.value.1 as usize)),
                Some(Value::Text { text, .. }) => found.push(Item::Text(text.into_owned())),
                _ => {}
            }
        }
    }
    if elements.is_empty() {
        // A way through a text, such as base64: the values themselves.
        let values = match context.path(path)? {
            Value::List(values) => values,
            one => vec![one],
        };
        found.extend(values.into_iter().map(|value| Item::Text(value.as_text().into_owned())));
    }
    (!found.is_empty()).then_some(found)
}

/// A JSON object that a line ends with, behind something else.
fn object_at_the_end(line: &str) -> Option<&str> {
    let at = line.find('{').filter(|at| *at > 0)?;
    line.get(at..).map(str::trim_end).filter(|object| object.ends_with('}'))
}

/// A record as JSON with its values.
type Form<'r> = (Cow<'r, str>, Tape);

/// A record in each form that a kind may ask for, made once.
struct Forms<'r> {
    text: &'r str,
    made: Vec<(Decoder, Option<Form<'r>>)>,
}

impl<'r> Forms<'r> {
    fn new(text: &'r str) -> Self {
        Self { text, made: Vec::new() }
    }

    fn form(&mut self, decoder: Decoder) -> Option<Document<'_>> {
        if !self.made.iter().any(|(known, _)| *known == decoder) {
            let mut tape = Tape::default();
            let form = as_json(&[decoder], self.text, &mut tape).map(|json| (json, tape));
            self.made.push((decoder, form));
        }
        let (_, form) = self.made.iter().find(|(known, _)| *known == decoder)?;
        form.as_ref().map(|(json, tape)| Document { text: json, tape })
    }

    fn certainty(&mut self, kind: &Kind) -> u8 {
        let taken = kind.decoders.iter().copied().find(|decoder| self.form(*decoder).is_some());
        let Some(document) = taken.and_then(|decoder| self.form(decoder)) else { return 0 };
        kind.certainty(&Context { document, captures: &[], reading: &kind.reading, places: &[], root: 0 })
    }

    /// What shippers' members hold: objects as they stand, texts without escapes. A line that nothing is known of may be
    /// JSON behind the header of a syslog message; of one that is known, what stands in it is what somebody typed.
    fn enveloped(&mut self, certainty: u8) -> Vec<String> {
        let text = self.text;
        let Some(document) = self.form(Decoder::Json) else {
            let inside = object_at_the_end(text).filter(|_| certainty < LINE_KNOWN);
            return inside.map(str::to_owned).into_iter().collect();
        };
        let mut found = Vec::new();
        for way in ENVELOPES {
            let end = way
                .iter()
                .try_fold(0, |at, name| document.tape.children(at).find(|(_, node)| document.name(node) == *name).map(|(child, _)| child));
            let value =
                end.and_then(|at| document.tape.node(at)).filter(|node| node.kind != NodeKind::Array).and_then(|node| document.value(node));
            match value {
                // Pub/Sub carries base64.
                Some(Value::Text { text, .. }) if way.last() == Some(&"data") && text.starts_with("ey") => {
                    found.extend(crate::source::inner::jwt::base64_text(&text));
                }
                Some(Value::Text { text, .. } | Value::Json(text)) => found.push(text.into_owned()),
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_map_compiles() {
        for built_in in BUILT_IN {
            if let Err(why) = compile(built_in.map) {
                panic!("{}: {why}", built_in.kind);
            }
        }
        assert_eq!(Catalog::built_in().kinds().len(), BUILT_IN.len());
    }

    #[test]
    fn json_that_somebody_typed_is_no_record_and_json_behind_a_header_is() {
        let call = r#"{"eventVersion":"1.09","eventSource":"iam.amazonaws.com","eventName":"DeleteUser","awsRegion":"eu-west-1","eventTime":"2026-03-03T09:00:00Z","eventID":"1","userIdentity":{"type":"IAMUser","userName":"ana"}}"#;
        let kind_of = |line: String| Catalog::built_in().recognise(line.as_bytes()).map(|found| found.kind.name.clone()).unwrap();
        assert_eq!(kind_of(call.to_owned()), "aws_cloudtrail");
        assert_eq!(kind_of(format!("<134>Nov 20 10:00:00 collector shipper[12]: {call}")), "aws_cloudtrail");
        assert_eq!(kind_of(format!("eve : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/echo {call}")), "linux_auth");
    }
}
