//! What records keep under a name: the last `set` of a name is in force until it is `removed`.
//!
//! INVARIANT: the log decides. What is held here was read from it, and each use reads on to its end first;
//! so a change whose answer was lost is seen as soon as it stands, and one that was lost never is.
//!
//! Where the log cannot be read, a change may be missed. That is logged here, and every answer about that
//! stretch lists it as unreadable; a damaged file must not take all searches by name and all forwards with it.
//!
//! Records and not acts, because what is kept so may name people: acts cannot be erased.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::log::sequencer::AppendError;
use crate::search::Index;
use crate::search::ask::{Budget, SearchError, Unreadable};
use crate::search::follow::Following;
use crate::search::parse::{QueryError, parse};
use crate::source::directory::Directory;
use crate::store::trail::Trail;

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 63;
/// What is read at a time.
const STEP: Budget = Budget { hits: 1_000, bytes: 16 << 20, time: Duration::from_secs(60), entries: 1_000_000 };

/// What is searched for changes.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// The log.
    pub trail: &'a Trail,
    /// What need not be read of it.
    pub index: &'a Index,
    /// Who is who.
    pub directory: &'a Directory,
}

/// Names of the two records.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// It is like this from here on.
    pub set: &'static str,
    /// It is gone from here on.
    pub removed: &'static str,
}

/// One in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    /// What it is.
    pub value: T,
    /// Who set it.
    pub by: String,
    /// Index of the record that says so.
    pub index: u64,
}

/// All in force.
pub type InForce<T> = BTreeMap<String, Kept<T>>;

/// Why they are not known, or were not changed.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// The log cannot be searched.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The line that finds the records is none: does not happen.
    #[error(transparent)]
    Line(#[from] QueryError),
    /// The log did not say that it kept the change.
    #[error("the change is not recorded, unless a list shows it: {0}")]
    Append(#[from] AppendError),
}

/// See the module.
#[derive(Debug)]
pub struct Named<T> {
    words: Words,
    known: Mutex<Known<T>>,
}

#[derive(Debug)]
struct Known<T> {
    following: Option<Following>,
    kept: InForce<T>,
    /// Every entry so far could be read.
    whole: bool,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { following: None, kept: BTreeMap::new(), whole: true }
    }
}

impl<T: Clone + DeserializeOwned> Named<T> {
    /// Nothing read yet.
    #[must_use]
    pub fn of(words: Words) -> Self {
        Self { words, known: Mutex::default() }
    }

    /// Those in force. The first call looks through the log.
    ///
    /// # Errors
    /// [`NamedError`].
    pub fn in_force(&self, within: Within<'_>) -> Result<InForce<T>, NamedError> {
        let mut known = self.locked();
        known.read_on(self.words, within)?;
        Ok(known.kept.clone())
    }

    /// Appends the record that `decide` makes of those in force, if it makes one; nobody else changes them
    /// meanwhile. Says whether it did.
    ///
    /// # Errors
    /// What `decide` says, and [`NamedError`]. Unless it is [`NamedError::Append`] nothing was changed.
    pub fn change<E: From<NamedError>>(
        &self,
        within: Within<'_>,
        decide: impl FnOnce(&InForce<T>) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<bool, E> {
        let mut known = self.locked();
        known.read_on(self.words, within)?;
        let Some(record) = decide(&known.kept)? else { return Ok(false) };
        within.trail.log().record_blocking(&record).map_err(NamedError::Append)?;
        Ok(true)
    }

    fn locked(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all these records have.
#[derive(Deserialize)]
struct Head {
    record: String,
    name: String,
    by: String,
}

impl<T: DeserializeOwned> Known<T> {
    fn read_on(&mut self, words: Words, within: Within<'_>) -> Result<(), NamedError> {
        if !self.whole {
            // It may be by now.
            *self = Self::default();
        }
        let Within { trail, index, directory } = within;
        let following = match &mut self.following {
            Some(following) => following,
            none => none.insert(Following::from(parse(&format!("entry:record action:({} OR {})", words.set, words.removed))?, 0, 0)),
        };
        while following.at() < trail.view().size {
            let found = following.step(trail, index, directory, STEP)?;
            for entry in &found.hits {
                // One whose words were erased says nothing any more.
                let Ok(Head { record, name, by }) = serde_json::from_slice(&entry.raw) else { continue };
                if record == words.removed {
                    self.kept.remove(&name);
                } else if let Ok(value) = serde_json::from_slice(&entry.raw) {
                    self.kept.insert(name, Kept { value, by, index: entry.index });
                }
            }
            for Unreadable { first, end, why } in &found.unreadable {
                tracing::warn!(
                    first,
                    last = end.saturating_sub(1),
                    why,
                    "what is kept under names may have changed where the log cannot be read"
                );
                self.whole = false;
            }
        }
        Ok(())
    }
}

/// Whether a name is one: 1 to 63 of a-z, 0-9, dot, underscore and hyphen, the first no dot.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    (1..=NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(letter) && !name.starts_with('.')
}
