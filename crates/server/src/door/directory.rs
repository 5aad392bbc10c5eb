//! The identity directory of a trail: records say who was set and removed, and their fold is in force.
//!
//! ```text
//! a change ── what differs ──► identity.set, identity.removed (records, erasable) ──► in force
//! a start  ── derived file, if it fits the log ──► the records since ──► in force
//! ```
//!
//! INVARIANT: the log decides. The derived file is a shortcut: it is taken only if the log has the
//! very root it names, and whoever deletes it loses nothing.
//!
//! People never stand in an act, which cannot be erased; so the directory is no part of the trail's
//! configuration.

mod kept;
mod record;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use evidence::leaf::Kind;
use tracing::warn;

use crate::door::directory::kept::Kept;
use crate::door::directory::record::{Noted, removed, set};
use crate::log::sequencer::AppendError;
use crate::source::directory::{Directory, DirectoryError, People};
use crate::source::identity::canonical;
use crate::store::read::ReadError;
use crate::store::trail::Trail;

/// Records in one append: an import of any size leaves room for events between them.
const RECORDS_AT_ONCE: usize = 1_000;
/// Leaves in a bundle.
const BUNDLE: u64 = 256;
/// Entries read again at a start after which the derived file is written anew.
const KEEP_ENTRIES: u64 = 50_000;

/// Why a directory was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The change makes no directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log did not keep all of it.
    #[error("not all of the directory was recorded; send the same again, what stands already is left as it is: {0}")]
    Append(#[from] AppendError),
    /// Nobody of that name.
    #[error("the directory has no identity {0:?}: list them with GET /v1/directory")]
    Unknown(String),
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Identities that were not there.
    pub new: usize,
    /// Identities with other names than before.
    pub changed: usize,
    /// Identities that were there just so; nothing is recorded of them.
    pub same: usize,
}

/// The directory of one trail.
#[derive(Debug, Default)]
pub struct Identities {
    /// The derived file, if there is one.
    file: Option<PathBuf>,
    known: ArcSwapOption<Directory>,
    /// Held while the directory is read from the log or changed.
    changing: Mutex<()>,
}

impl Identities {
    /// With a derived file.
    #[must_use]
    pub fn kept_in(file: PathBuf) -> Self {
        Self { file: Some(file), ..Self::default() }
    }

    /// The directory in force. The first call reads it, which takes as long as the log is long
    /// without a derived file.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn in_force(&self, trail: &Trail) -> Result<Arc<Directory>, ReadError> {
        match self.known.load_full() {
            Some(known) => Ok(known),
            None => self.read(trail, &self.locked()),
        }
    }

    /// Sets these people; of those already there the names are replaced. `by` is who asked.
    ///
    /// # Errors
    /// [`ChangeError`]. Unless it is [`ChangeError::Append`] nothing was changed.
    pub fn import(&self, trail: &Trail, people: People, by: &str) -> Result<Imported, ChangeError> {
        let lock = self.locked();
        let change = self.read(trail, &lock)?.with(people)?;
        let differ = change.changed.iter().chain(&change.new);
        let records: Vec<_> = differ.filter_map(|identity| Some(set(identity, change.directory.people().get(identity)?, by))).collect();
        self.record(trail, &records, change.directory, &lock)?;
        Ok(Imported { new: change.new.len(), changed: change.changed.len(), same: change.same })
    }

    /// Removes one identity.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn remove(&self, trail: &Trail, identity: &str, by: &str) -> Result<(), ChangeError> {
        let lock = self.locked();
        let unknown = || ChangeError::Unknown(identity.chars().take(64).collect());
        let name = canonical(identity).ok_or_else(unknown)?;
        let directory = self.read(trail, &lock)?.without(&name).ok_or_else(unknown)?;
        self.record(trail, &[removed(&name, by)], directory, &lock)
    }

    fn record(&self, trail: &Trail, records: &[Vec<u8>], directory: Directory, _lock: &MutexGuard<'_, ()>) -> Result<(), ChangeError> {
        for some in records.chunks(RECORDS_AT_ONCE) {
            if let Err(why) = trail.log().records_blocking(some) {
                // What stands now is known from the log alone.
                self.known.store(None);
                return Err(why.into());
            }
        }
        if !records.is_empty() {
            self.keep(trail, &directory);
            self.known.store(Some(Arc::new(directory)));
        }
        Ok(())
    }

    fn read(&self, trail: &Trail, _lock: &MutexGuard<'_, ()>) -> Result<Arc<Directory>, ReadError> {
        if let Some(known) = self.known.load_full() {
            return Ok(known);
        }
        let (mut people, from) = self.kept(trail).map_or_else(Default::default, |kept| (kept.people, kept.size));
        let size = trail.view().size;
        let reader = trail.reader();
        for bundle in from / BUNDLE..size.div_ceil(BUNDLE) {
            let leaves = reader.bundle_leaves(bundle, size)?;
            let records =
                (bundle * BUNDLE..).zip(&leaves).filter(|(index, leaf)| (from..size).contains(index) && is_record(leaf.as_slice()));
            for (index, _) in records {
                match Noted::read(&reader.entry(index)?.raw) {
                    Some(Noted::Set(identity, person)) => drop(people.insert(identity, person)),
                    Some(Noted::Removed(identity)) => drop(people.remove(&identity)),
                    None => {}
                }
            }
        }
        let directory = Arc::new(Directory::of(people));
        if size - from >= KEEP_ENTRIES {
            self.keep(trail, &directory);
        }
        self.known.store(Some(Arc::clone(&directory)));
        Ok(directory)
    }

    /// What the derived file holds, if the log has the root that it names.
    fn kept(&self, trail: &Trail) -> Option<Kept> {
        let kept = Kept::read(self.file.as_deref()?)?;
        let fits = (1..=trail.view().size).contains(&kept.size)
            && trail.reader().root_at(kept.size).is_ok_and(|root| root.to_string() == kept.root);
        fits.then_some(kept)
    }

    /// A derived file that cannot be written costs the next start time, and nothing else.
    fn keep(&self, trail: &Trail, directory: &Directory) {
        let Some(file) = &self.file else { return };
        // Changes wait for the lock, so all records below this size are in the directory.
        let view = trail.view();
        if let Err(why) = Kept::write(file, view.size, &view.root.to_string(), directory.people()) {
            warn!(%why, file = %file.display(), "the directory's derived file cannot be written; the next start reads the log");
        }
    }

    fn locked(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_record(leaf: &[u8]) -> bool {
    leaf.get(1) == Some(&(Kind::Record as u8))
}
