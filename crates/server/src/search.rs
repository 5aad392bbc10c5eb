//! Search: one line of text, and the entries of the log that it describes. docs/SEARCH.md has the
//! language; docs/decisions/0020-search.md has why it is built like this.
//!
//! ```text
//! line ─ parse ─► Query ─► Matcher ── matches? ──► Document (payload, envelope, OCSF)     the meaning
//!                             └────── may match? ─► Sidecar of a payload file             what need not be read
//! ```
//! INVARIANT: an answer is what comparing every entry with the line would give. Sidecars only rule
//! files out, and each match is confirmed on the payload.

pub mod compare;
pub mod cursor;
pub mod document;
pub mod field;
pub mod follow;
mod indexer;
pub mod instant;
pub mod matcher;
pub mod parse;
mod prune;
pub mod query;
pub mod scan;
pub mod sidecar;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use evidence::act::PayloadFile;
use evidence::fold::TrailState;

use crate::search::matcher::Matcher;
use crate::search::prune::Candidate;
use crate::search::sidecar::{Gathered, Sidecar};
use crate::source::Catalog;
use crate::source::directory::Directory;
use crate::store::read::ReadError;
use crate::store::trail::Trail;

pub use cursor::{Cursor, InvalidCursor, Order};
pub use follow::Following;
pub use indexer::Indexer;
pub use parse::{QueryError, parse};
pub use query::Query;
pub use scan::{Ask, Budget, Found, SearchError, Stopped, Unreadable, naive, search};

/// Entries read at a time while a sidecar is made.
const STEP: u64 = 64;

/// Records of searches that wait for the log: more come together only when it takes nothing.
const NOTES_MAX: usize = 10_000;

/// The sidecars of a trail, and the maps that gave them.
#[derive(Debug)]
pub struct Index {
    catalog: Arc<Catalog>,
    maps: String,
    dir: Option<PathBuf>,
    open: Mutex<HashMap<String, Arc<Sidecar>>>,
    /// Records of searches that are not in the log yet; none while nobody writes them there.
    notes: Mutex<Option<Vec<Vec<u8>>>>,
}

/// Why a sidecar was not made.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The payload file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The sidecar cannot be written.
    #[error("{path}: {why}", path = path.display())]
    Write {
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
    /// Without sidecars: every file is read.
    #[must_use]
    pub fn none(catalog: Arc<Catalog>) -> Self {
        Self { maps: catalog.fingerprint(), catalog, dir: None, open: Mutex::default(), notes: Mutex::default() }
    }

    /// With the sidecars in `dir`, which need not exist.
    #[must_use]
    pub fn kept_in(dir: PathBuf, catalog: Arc<Catalog>) -> Self {
        Self { dir: Some(dir), ..Self::none(catalog) }
    }

    /// The kinds of sources.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
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
    fn write_notes(&self, trail: &Trail) {
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

    fn path(&self, of: &PayloadFile) -> Option<PathBuf> {
        let name = of.name();
        let name = Path::new(&name).file_stem()?;
        Some(self.dir.as_ref()?.join(name).with_extension("search"))
    }

    /// The sidecar of a payload file, if it is whole and says what would be said now.
    #[must_use]
    pub fn sidecar(&self, of: &PayloadFile, state: &TrailState) -> Option<Arc<Sidecar>> {
        let path = self.path(of)?;
        let name = of.name();
        let known = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        let sidecar = match known {
            Some(known) => known,
            None => {
                let opened = Arc::new(Sidecar::open(&path, of, &self.maps)?);
                self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::clone(&opened));
                opened
            }
        };
        // A source that is of another kind now is mapped in another way.
        let same = |(number, kind): (&u32, &String)| kind_of(state, *number) == kind;
        sidecar.header.sources.iter().all(same).then_some(sidecar)
    }

    fn forget(&self, of: &PayloadFile) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&of.name());
    }

    /// Whether an entry of the file may match; true when nothing is known of it.
    #[must_use]
    pub fn may_match(&self, file: &PayloadFile, matcher: &Matcher, directory: &Directory, state: &TrailState) -> bool {
        let Some(sidecar) = self.sidecar(file, state) else { return true };
        let asked = Candidate::new(file, &sidecar, directory, state).and_then(|candidate| candidate.may_match(matcher));
        asked.unwrap_or_else(|why| {
            tracing::warn!(%why, file = file.name(), "what search derived of a payload file is damaged; it is made again");
            self.forget(file);
            if let Some(path) = self.path(file) {
                // Whoever cannot remove it finds it damaged again.
                let _ = std::fs::remove_file(path);
            }
            true
        })
    }

    /// Makes the sidecar of a payload file.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn make(&self, trail: &Trail, file: &PayloadFile, stopped: &dyn Fn() -> bool) -> Result<(), IndexError> {
        let Some(path) = self.path(file) else { return Ok(()) };
        let view = trail.view();
        let nobody = Directory::default();
        let knowing = document::Knowing { catalog: &self.catalog, directory: &nobody, state: &view.state };
        let mut gathered = Gathered::default();
        let mut at = file.first;
        while at < file.end() {
            if stopped() {
                return Err(IndexError::Stopped);
            }
            let to = (at + STEP).min(file.end());
            let leaves = trail.reader().leaves(at..to)?;
            for entry in trail.reader().file_entries(file, at, &leaves)? {
                let document = document::Document::new(&entry, knowing);
                gathered.add(&document, entry.leaf.source, kind_of(&view.state, entry.leaf.source));
            }
            at = to;
        }
        let failed = |why| IndexError::Write { path: path.clone(), why };
        if let Some(dir) = &self.dir {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        gathered.write(&path, file, &self.maps).map_err(failed)?;
        self.forget(file);
        Ok(())
    }
}

/// The kind of a source; nothing for the trail itself.
fn kind_of(state: &TrailState, number: u32) -> &str {
    state.sources.get(&number).map_or("", |source| source.kind.as_str())
}
