//! Search: one line of text, and the entries of the log that it describes. docs/SEARCH.md has the
//! language; docs/decisions/0020-search.md has why it is built like this.
//!
//! ```text
//! line ─ parse ─► Query ─► Matcher ── matches? ──► Document (payload, envelope, OCSF)        the meaning
//!                             └────── narrow ────► Sidecar, TermIndex of a payload file,     what need not be read
//!                                                  Tail of what is in no file yet
//! ```
//! INVARIANT: an answer is what comparing every entry with the line would give. What is derived only
//! rules entries out, and each match is confirmed on the payload.

pub mod ask;
mod caseless;
pub mod compare;
pub mod counts;
pub mod cursor;
pub mod document;
pub mod field;
pub mod follow;
pub mod glance;
mod health;
mod indexer;
pub mod instant;
mod keys;
pub mod lake;
pub mod matcher;
pub mod named;
mod narrow;
pub mod ordinals;
pub mod parse;
mod paths;
pub mod query;
mod recent;
mod recheck;
pub mod remap;
pub mod rows;
mod same_bytes;
pub mod saved;
mod scan;
pub mod sidecar;
mod spelling;
mod tail;
pub mod term_index;
mod wording;
mod work;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use evidence::act::PayloadFile;
use evidence::fold::TrailState;
use rayon::prelude::*;

use crate::config::LakeContent;
use crate::log::core::stands_in_files_to;
use crate::search::document::{Document, Knowing};
use crate::search::field::Name;
use crate::search::lake::Lake;
use crate::search::matcher::Matcher;
use crate::search::narrow::{Derived, Narrowed};
use crate::search::ordinals::Ordinals;
use crate::search::recent::Recent;
use crate::search::sidecar::{Gathered, Sidecar};
use crate::search::spelling::with_spellings;
use crate::search::tail::Tail;
use crate::search::term_index::{Builder, TermIndex};
use crate::search::wording::Wording;
use crate::search::work::Work;
use crate::source::Catalog;
use crate::source::directory::Directory;
use crate::store::read::{ReadError, StoredEntry};
use crate::store::trail::Trail;

pub use ask::{Ask, Budget, Found, SearchError, Stopped, Unreadable, naive, search};
pub use counts::{CountAsk, Counts, count};
pub use cursor::{Cursor, InvalidCursor, Order};
pub use follow::Following;
pub use health::Health;
pub use indexer::Indexer;
pub use parse::{QueryError, parse};
pub use query::Query;
pub use recheck::{Held, Recheck};
pub use saved::{Saved, SavedError, SavedLines};

/// Below the directory of what is derived: filters of texts, indexes of fields.
const SIDECARS: &str = "search";
const INDEXES: &str = "index";
/// And what engines read.
pub const LAKE: &str = "lake";
const DERIVED: [&str; 3] = [SIDECARS, INDEXES, LAKE];

/// Entries that are understood and then filed together: each step finds its own code in the processor's cache.
const BATCH: usize = 32;
/// Bytes of records after which they are, however few they are.
const BATCH_BYTES: usize = 256 << 10;
/// Records of searches that wait for the log: more come together only when it takes nothing.
const NOTES_MAX: usize = 10_000;

/// What is derived of one payload file: both, or it is made again.
#[derive(Debug)]
struct Known {
    sidecar: Sidecar,
    terms: TermIndex,
}

/// What is derived of a trail's payload files, and the maps that gave it.
#[derive(Debug)]
pub struct Index {
    catalog: Arc<Catalog>,
    maps: String,
    dir: Option<PathBuf>,
    /// Written in the same pass, when somebody wants it.
    lake: Option<Lake>,
    work: Work,
    /// By the SHA-256 of the payload file.
    open: Mutex<HashMap<[u8; 32], Arc<Known>>>,
    /// Records of searches that are not in the log yet; none while nobody writes them there.
    notes: Mutex<Option<Vec<Vec<u8>>>>,
    health: Health,
    ordinals: Ordinals,
    tail: Tail,
    recent: Recent,
    /// By the kind.
    wordings: Mutex<HashMap<String, Arc<Wording>>>,
}

/// Why nothing was derived of a file.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The payload file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be written.
    #[error("{path}: {why}", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// What search needs is there; what engines read cannot be written.
    #[error("{path}: {why}", path = path.display())]
    Lake {
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// The server stops.
    #[error("the server stops")]
    Stopped,
}

impl Index {
    /// Without anything derived: every file is read.
    #[must_use]
    pub fn none(catalog: Arc<Catalog>) -> Self {
        Self {
            maps: catalog.fingerprint(),
            catalog,
            dir: None,
            lake: None,
            work: Work::default(),
            open: Mutex::default(),
            notes: Mutex::default(),
            health: Health::default(),
            ordinals: Ordinals::default(),
            tail: Tail::default(),
            recent: Recent::default(),
            wordings: Mutex::default(),
        }
    }

    /// With `search` and `index` in `dir`, which need not exist.
    #[must_use]
    pub fn kept_in(dir: PathBuf, catalog: Arc<Catalog>) -> Self {
        Self { dir: Some(dir), ..Self::none(catalog) }
    }

    /// And with `lake`, which search does not read.
    #[must_use]
    pub fn with_lake(mut self, content: LakeContent) -> Self {
        self.lake = self.dir.as_ref().and_then(|dir| Lake::holding(content, dir.join(LAKE)));
        self
    }

    /// The kinds of sources.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// What it takes to understand an entry of a search.
    #[must_use]
    pub fn knowing<'a>(&'a self, directory: &'a Directory, state: &'a TrailState) -> Knowing<'a> {
        Knowing { catalog: &self.catalog, directory, state, recent: Some(&self.recent) }
    }

    /// What a kind's map does to the words of a record; nothing for an unknown kind.
    fn wording(&self, kind: &str) -> Option<Arc<Wording>> {
        let mut known = self.wordings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wording) = known.get(kind) {
            return Some(Arc::clone(wording));
        }
        let wording = Arc::new(Wording::of(self.catalog.kind(kind)?));
        known.insert(kind.to_owned(), Arc::clone(&wording));
        Some(wording)
    }

    /// The entries that were found lately.
    #[must_use]
    pub const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Takes a record of a search, which goes into the log with the next batch. False when too many
    /// wait: then nobody should be told what could not be recorded.
    #[must_use]
    pub fn note(&self, record: Vec<u8>) -> bool {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(waiting) = notes.as_mut() else { return true };
        let room = waiting.len() < NOTES_MAX;
        if room {
            waiting.push(record);
        }
        room
    }

    /// Writes what waits into the log; what it does not take waits on.
    pub fn write_notes(&self, trail: &Trail) {
        let batch = match self.notes.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(waiting) if !waiting.is_empty() => std::mem::take(waiting),
            _ => return,
        };
        if let Err(why) = trail.log().records_blocking(&batch) {
            tracing::warn!(%why, searches = batch.len(), "searches could not be recorded yet");
            if let Some(waiting) = self.notes.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                waiting.splice(0..0, batch);
            }
        }
    }

    /// Where the sidecar and the index of a payload file lie.
    fn paths(&self, of: &PayloadFile) -> Option<(PathBuf, PathBuf)> {
        let name = of.name();
        let stem = Path::new(&name).file_stem()?;
        let dir = self.dir.as_ref()?;
        Some((dir.join(SIDECARS).join(stem).with_extension("search"), dir.join(INDEXES).join(stem)))
    }

    /// Whether all that is derived of a payload file is there and says what would be said now.
    #[must_use]
    pub fn is_made(&self, of: &PayloadFile, state: &TrailState) -> bool {
        !self.work.is_due(of) && self.known(of, state).is_some() && self.lake.as_ref().is_none_or(|lake| lake.is_made(of, &self.maps))
    }

    /// The payload files of which something is to be derived that no thread is at, and that did not fail a moment ago.
    fn due<'s>(&self, state: &'s TrailState) -> impl Iterator<Item = &'s PayloadFile> + use<'_, 's> {
        let may_be = |file: &&PayloadFile| self.dir.is_some() && !self.work.rests(file) && !self.work.is_under_way(file);
        state.payload_files.values().filter(may_be).filter(|file| !self.is_made(file, state))
    }

    /// Reads one lake file that nobody has read since the start; what is damaged does not count as made from then on.
    fn read_lake(&self, state: &TrailState) {
        let Some(lake) = &self.lake else { return };
        if let Some(damaged) = lake.read_next(state.payload_files.values(), &self.maps) {
            tracing::warn!(file = damaged, "a file of the lake is damaged; it is made again");
        }
    }

    fn known(&self, of: &PayloadFile, state: &TrailState) -> Option<Arc<Known>> {
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&of.sha256).cloned();
        let known = match known {
            Some(known) => known,
            None => {
                let (sidecar, terms) = self.paths(of)?;
                let sidecar = Sidecar::open(&sidecar, of, &self.maps)?;
                let opened = Arc::new(Known { sidecar, terms: TermIndex::open(&terms, of, &self.maps)? });
                self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(of.sha256, Arc::clone(&opened));
                opened
            }
        };
        // A source that is of another kind now is mapped in another way.
        let same = |(number, kind): (&u32, &String)| kind_of(state, *number) == kind;
        known.sidecar.header.sources.iter().all(same).then_some(known)
    }

    fn forget(&self, of: &PayloadFile) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&of.sha256);
    }

    /// What is derived of a file is worth nothing: it is made again.
    fn discard(&self, file: &PayloadFile) {
        self.forget(file);
        if let Some((sidecar, _)) = self.paths(file) {
            // Whoever cannot remove it finds it damaged again.
            let _ = std::fs::remove_file(sidecar);
        }
    }

    /// Entries below the end of the log that an index does not cover yet: a search reads them.
    #[must_use]
    pub fn behind(&self, trail: &Trail) -> u64 {
        let view = trail.view();
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting: Vec<_> = view.state.payload_files.values().filter(|file| !open.contains_key(&file.sha256)).collect();
        waiting.sort_unstable_by_key(|file| file.first);
        // Files of several classes share a range, which is behind while one of them is.
        let (mut behind, mut end) = (view.size.saturating_sub(stands_in_files_to(&view.state)), 0);
        for file in waiting {
            behind += file.end().saturating_sub(file.first.max(end));
            end = end.max(file.end());
        }
        behind
    }

    /// Gives the values of fields their numbers, in all files whose index is there.
    fn number(&self, names: &[Name], state: &TrailState) {
        let files: Vec<_> = state.payload_files.values().collect();
        files.into_par_iter().filter_map(|file| self.known(file, state)).for_each(|known| {
            // A damaged one is met again when it is counted.
            let _ = known.terms.number(names, &self.ordinals);
        });
    }

    /// How the index fares.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Asks what is derived of a file; nothing when there is nothing, or it is damaged.
    fn ask<T>(
        &self,
        file: &PayloadFile,
        directory: &Directory,
        state: &TrailState,
        question: impl FnOnce(&Derived<'_>, &TermIndex) -> std::io::Result<T>,
    ) -> Option<T> {
        let known = self.known(file, state)?;
        let derived = Derived::new(file, &known.sidecar, &known.terms, directory, state);
        match question(&derived, &known.terms) {
            Ok(answer) => Some(answer),
            Err(why) => {
                tracing::warn!(%why, file = file.name(), "what search derived of a payload file is damaged; it is made again");
                self.discard(file);
                None
            }
        }
    }

    /// The entries of the file that may match; nothing when that cannot be said.
    fn narrow(&self, file: &PayloadFile, matcher: &Matcher, directory: &Directory, state: &TrailState) -> Option<Narrowed> {
        self.ask(file, directory, state, |derived, _| derived.narrow(matcher))
    }

    /// Derives what search needs of a payload file, and its part of the lake. Returns how many entries are in it.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn make(&self, trail: &Trail, file: &PayloadFile, stopped: &dyn Fn() -> bool) -> Result<u64, IndexError> {
        let Some(places) = self.paths(file) else { return Ok(0) };
        self.work.begin(file);
        let made = self.make_at(trail, file, &places, stopped);
        self.work.end(file, made.as_ref().is_err_and(|why| !matches!(why, IndexError::Stopped)));
        made
    }

    /// As [`Self::make`], to these places.
    fn make_at(
        &self,
        trail: &Trail,
        file: &PayloadFile,
        places: &(PathBuf, PathBuf),
        stopped: &dyn Fn() -> bool,
    ) -> Result<u64, IndexError> {
        let mut lake = self.lake.as_ref().map(|lake| lake.begin(file, &self.maps));
        let entries = self.derive(trail, file, places, lake.as_mut(), stopped)?;
        self.forget(file);
        if let Some(lake) = lake {
            let path = lake.path().to_owned();
            lake.finish().map_err(|why| IndexError::Lake { path, why })?;
        }
        Ok(entries)
    }

    /// Derives what search needs of a payload file, to these places; a lake file that is begun takes its entries, whose
    /// number is returned.
    fn derive(
        &self,
        trail: &Trail,
        file: &PayloadFile,
        (sidecar, terms): &(PathBuf, PathBuf),
        mut lake: Option<&mut lake::Writer>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<u64, IndexError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |why| IndexError::Write { path, why }
        };
        let folder = sidecar.parent().unwrap_or(sidecar);
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let view = trail.view();
        let nobody = Directory::default();
        let knowing = Knowing { catalog: &self.catalog, directory: &nobody, state: &view.state, recent: None };
        let mut gathered = Gathered::new(file);
        let mut builder = Builder::new(terms).map_err(failed(terms))?;
        let mut wrong = None;
        let (mut entries, mut bytes, mut count) = (Vec::with_capacity(BATCH), 0, 0);
        let mut take = |entries: &mut Vec<StoredEntry>| {
            let documents: Vec<_> = entries.iter().map(|entry| Document::new(entry, knowing).remembering()).collect();
            lake.iter_mut().for_each(|lake| documents.iter().for_each(|document| lake.add(document)));
            let added = with_spellings(|spellings| {
                let gather = |document: &Document<'_>| {
                    let entry = spellings.next_entry();
                    gathered.add(document, kind_of(&view.state, document.source()), spellings);
                    entry
                };
                let named: Vec<_> = documents.iter().map(gather).collect();
                documents.iter().zip(named).try_for_each(|(document, entry)| {
                    spellings.return_to(entry);
                    builder.add(document, spellings)
                })
            });
            drop(documents);
            entries.clear();
            added.err().map(failed(terms)).or_else(|| stopped().then_some(IndexError::Stopped))
        };
        trail.reader().each_in_file(file, &mut |entry| {
            bytes += entry.raw.len();
            count += 1;
            entries.push(entry);
            if entries.len() == BATCH || bytes >= BATCH_BYTES {
                wrong = take(&mut entries);
                bytes = 0;
            }
            wrong.is_none()
        })?;
        if let Some(why) = wrong.or_else(|| take(&mut entries)) {
            return Err(why);
        }
        builder.finish(terms, file, &self.maps).map_err(failed(terms))?;
        gathered.write(sidecar, file, &self.maps).map_err(failed(sidecar))?;
        Ok(count)
    }
}

/// The kind of a source; nothing for the trail itself.
fn kind_of(state: &TrailState, number: u32) -> &str {
    state.sources.get(&number).map_or("", |source| source.kind.as_str())
}
