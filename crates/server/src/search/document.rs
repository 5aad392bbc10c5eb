//! One entry as search sees it: the values that each field has.

mod json;
mod meaning;
mod walk;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

use evidence::envelope::People;
use evidence::fold::TrailState;
use evidence::leaf::Kind;

use crate::intake::tape::Tape;
use crate::search::compare::address;
use crate::search::field::{Field, Name};
use crate::search::recent::Recent;
use crate::source::directory::Directory;
use crate::source::map::as_text;
use crate::source::write::MADE_UP;
use crate::source::{Catalog, Mapped, Scratch};
use crate::store::read::StoredEntry;
use json::Json;
pub(super) use meaning::Meaning;
use meaning::with_scratch;
use walk::{OBSERVED, Walk, of, paths};

/// What it takes to understand an entry.
#[derive(Clone, Copy, Debug)]
pub struct Knowing<'a> {
    /// Kinds of sources.
    pub catalog: &'a Catalog,
    /// Which names are the same person.
    pub directory: &'a Directory,
    /// Names of the sources.
    pub state: &'a TrailState,
    /// What was understood lately; nothing for whoever must not rely on it.
    pub recent: Option<&'a Recent>,
}

/// Stops at the first value that is to the taste of whoever looks.
pub type See<'s> = dyn FnMut(&str) -> bool + 's;

/// One entry, understood as far as somebody asks.
pub struct Document<'a> {
    entry: &'a StoredEntry,
    knowing: Knowing<'a>,
    raw: OnceCell<Option<Json<'a>>>,
    meaning: OnceCell<Arc<Meaning>>,
    /// What one walk over the OCSF form found, once somebody wants all fields of it.
    walk: Option<Walk>,
    remembered: Option<Remembered>,
}

/// Room for the values of named fields that most entries have, and how many they are.
const TEXT_BYTES: usize = 1_024;
const SPANS: usize = 64;

/// The values of all named fields.
struct Remembered {
    text: String,
    /// Where in `text` each begins and ends, field by field as [`Name::ALL`] has them.
    spans: Vec<(Name, Range<usize>)>,
}

/// Whether a name stands in the OCSF form only because the schema asks for one, of a record that gives none.
fn is_made_up(own: Option<&str>, name: &str) -> bool {
    own.is_none() && name == MADE_UP
}

impl<'a> Document<'a> {
    /// An entry to be searched.
    #[must_use]
    pub fn new(entry: &'a StoredEntry, knowing: Knowing<'a>) -> Self {
        Self { entry, knowing, raw: OnceCell::new(), meaning: OnceCell::new(), walk: None, remembered: None }
    }

    /// As it is, with the values of all named fields looked up once: for whoever asks for most of them, and
    /// again.
    #[must_use]
    pub fn remembering(mut self) -> Self {
        self.map_and_keep_tape();
        self.walk = self.meaning().ocsf.as_ref().and_then(Walk::over);
        let mut remembered = Remembered { text: String::with_capacity(TEXT_BYTES), spans: Vec::with_capacity(SPANS) };
        for name in Name::ALL {
            self.named(*name, &mut |value| {
                let start = remembered.text.len();
                remembered.text.push_str(value);
                remembered.spans.push((*name, start..remembered.text.len()));
                false
            });
        }
        self.remembered = Some(remembered);
        self
    }

    /// Event, act or record.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.entry.leaf.kind
    }

    /// Its number in the log.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.entry.index
    }

    /// The number of its source; 0 for the trail itself.
    #[must_use]
    pub fn source(&self) -> u32 {
        self.entry.leaf.source
    }

    fn json(&self) -> Option<&Json<'a>> {
        self.raw.get_or_init(|| Json::read(as_text(self.entry.record()))).as_ref()
    }

    /// The entry itself.
    #[must_use]
    pub fn entry(&self) -> &'a StoredEntry {
        self.entry
    }

    /// The kind that its source has.
    pub(super) fn source_kind(&self) -> Option<&'a str> {
        self.knowing.state.sources.get(&self.entry.leaf.source).map(|source| source.kind.as_str())
    }

    fn meaning(&self) -> &Meaning {
        self.meaning.get_or_init(|| {
            if self.kind() != Kind::Event {
                return Arc::new(Meaning { mapped: Mapped::default(), ocsf: None });
            }
            let kind = self.source_kind();
            if let Some(known) = self.knowing.recent.and_then(|recent| recent.meaning(self.entry, kind)) {
                return known;
            }
            let map = |scratch: &mut Scratch| self.knowing.catalog.map(self.entry.record(), kind, self.received_ms(), scratch);
            let meaning = Arc::new(Meaning::of(with_scratch(map)));
            self.knowing.recent.iter().for_each(|recent| recent.understand(self.entry, kind, &meaning));
            meaning
        })
    }

    /// Maps an event and keeps what was read of its record on the way, for whoever asks for all of it.
    fn map_and_keep_tape(&mut self) {
        // What was understood lately may be known without its tape.
        if self.kind() != Kind::Event || self.meaning.get().is_some() || self.knowing.recent.is_some() {
            return;
        }
        let Knowing { catalog, .. } = self.knowing;
        let map = |scratch: &mut Scratch| catalog.map_with_tape(self.entry.record(), self.source_kind(), self.received_ms(), scratch);
        let (mapped, tape) = with_scratch(map);
        self.meaning = OnceCell::from(Arc::new(Meaning::of(mapped)));
        self.raw = tape.map_or_else(OnceCell::new, |tape| OnceCell::from(Some(Json { text: as_text(self.entry.record()), tape })));
    }

    /// What it means, as far as somebody asked.
    pub(super) fn known_meaning(&self) -> Option<Arc<Meaning>> {
        self.meaning.get().cloned()
    }

    /// What the source's map makes of it, but for the OCSF form (see [`Self::ocsf_text`]); nothing of what is no event.
    #[must_use]
    pub fn mapped(&self) -> &Mapped {
        &self.meaning().mapped
    }

    /// Who resolves names.
    #[must_use]
    pub fn directory(&self) -> &'a Directory {
        self.knowing.directory
    }

    /// When it was received, ms.
    #[must_use]
    pub fn received_ms(&self) -> i64 {
        i64::try_from(self.entry.leaf.received_at).unwrap_or(i64::MAX)
    }

    /// When it happened, ms; when it was received, if it does not say.
    #[must_use]
    pub fn time_ms(&self) -> i64 {
        self.meaning().mapped.time_ms.unwrap_or_else(|| self.received_ms())
    }

    /// The texts of the record: its values, or all of it when it is no JSON.
    pub fn texts(&self, see: &mut See<'_>) -> bool {
        match self.json() {
            Some(json) => json.all(see),
            None => see(&as_text(self.entry.record())),
        }
    }

    /// The OCSF form as it is written, with the place of each value; nothing for what is no event.
    #[must_use]
    pub fn ocsf_form(&self) -> Option<(&str, &Tape)> {
        self.meaning().ocsf.as_ref().map(|ocsf| (ocsf.text.as_ref(), &ocsf.tape))
    }

    /// The record's bytes.
    #[must_use]
    pub fn record(&self) -> &'a [u8] {
        self.entry.record()
    }

    /// The OCSF form as it is written, though it may be too deep to be read; empty for what is no event.
    #[must_use]
    pub fn ocsf_text(&self) -> Cow<'_, str> {
        self.ocsf_form().map_or_else(|| as_text(&self.mapped().ocsf), |(text, _)| Cow::Borrowed(text))
    }

    /// Every value of the OCSF form.
    pub fn ocsf_values(&self, see: &mut See<'_>) -> bool {
        self.meaning().ocsf.as_ref().is_some_and(|ocsf| ocsf.all(see))
    }

    /// The values of a field that are texts; times are asked for apart.
    pub fn values(&self, field: &Field, see: &mut See<'_>) -> bool {
        match field {
            Field::Named(name) => self.named(*name, see),
            Field::Ocsf(path) => self.meaning().ocsf.as_ref().is_some_and(|ocsf| ocsf.at(path, see)),
            Field::Raw(path) => self.json().is_some_and(|raw| raw.at(path, see)),
        }
    }

    /// The values that the OCSF form has of a field, each with the number of the path it stands at.
    fn ocsf(&self, name: Name, see: &mut dyn FnMut(usize, &str) -> bool) -> bool {
        let Some(ocsf) = &self.meaning().ocsf else { return false };
        match &self.walk {
            Some(walk) => walk.each(name, ocsf, see),
            None => {
                let mut paths = paths(name).iter().enumerate();
                paths.any(|(choice, path)| ocsf.at(path, &mut |text| see(choice, text)))
            }
        }
    }

    fn named(&self, name: Name, see: &mut See<'_>) -> bool {
        if let Some(Remembered { text, spans }) = &self.remembered {
            let of_name = of(name, spans, |(name, _)| *name).iter();
            return of_name.filter_map(|(_, span)| text.get(span.clone())).any(see);
        }
        match name {
            Name::Actor => self.people(name, self.meaning().mapped.actor.as_deref(), see),
            Name::Target => self.people(name, self.meaning().mapped.target.as_deref(), see),
            Name::Action => self.action(see),
            // What the map observed may be something else than an address.
            Name::Ip => self.ocsf(name, &mut |choice, value| (choice != OBSERVED || address(value).is_some()) && see(value)),
            Name::Source => self.knowing.state.sources.get(&self.entry.leaf.source).is_some_and(|source| see(&source.name)),
            Name::Kind => {
                let mapped = &self.meaning().mapped.kind;
                self.source_kind().is_some_and(&mut *see) || (!mapped.is_empty() && see(mapped))
            }
            Name::Id => {
                People::own_id(&self.entry.people).is_some_and(|id| see(&id)) || self.meaning().mapped.id.as_deref().is_some_and(see)
            }
            Name::Index => see(&self.entry.index.to_string()),
            Name::Entry => see(self.kind().word()),
            Name::Time | Name::Received | Name::Since | Name::Until => false,
            other => self.ocsf(other, &mut |_, value| see(value)),
        }
    }

    /// Who it is, and all that the OCSF form calls them.
    fn people(&self, name: Name, own: Option<&str>, see: &mut See<'_>) -> bool {
        self.person(own, see) || self.ocsf(name, &mut |_, value| !is_made_up(own, value) && see(value))
    }

    /// A name, and the one identity that the directory knows by it.
    fn person(&self, name: Option<&str>, see: &mut See<'_>) -> bool {
        let Some(name) = name else { return false };
        let identity = self.knowing.directory.resolve(name);
        see(identity) || (identity != name && see(name))
    }

    fn action(&self, see: &mut See<'_>) -> bool {
        if self.kind() != Kind::Event {
            return self.json().is_some_and(|raw| raw.at(&["act"], see) || raw.at(&["record"], see));
        }
        let mut called = [None, None];
        self.ocsf(Name::Api, &mut |choice, value| {
            if let Some(known @ None) = called.get_mut(choice) {
                *known = Some(value.to_owned());
            }
            false
        });
        let [operation, service] = called;
        let operation = operation.filter(|operation| !is_made_up(self.meaning().mapped.action.as_deref(), operation));
        // As people write it: iam.CreateUser for CreateUser at iam.amazonaws.com.
        let qualified = service.zip(operation.as_ref()).map(|(service, operation)| {
            let service = service.split('.').next().unwrap_or_default();
            format!("{service}.{operation}")
        });
        self.meaning().mapped.action.as_deref().is_some_and(&mut *see)
            || operation.is_some_and(|operation| see(&operation))
            || qualified.is_some_and(|qualified| see(&qualified))
    }

    /// The first value of a field.
    #[must_use]
    pub fn first(&self, name: Name) -> Option<String> {
        let mut first = None;
        self.named(name, &mut |value| {
            first = Some(value.to_owned());
            true
        });
        first
    }
}
