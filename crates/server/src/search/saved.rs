//! Saved searches: search lines under a name, kept as [`named`](crate::search::named) says.

use evidence::canonical_json::Value;
use serde::Deserialize;

use crate::log::records::record;
use crate::search::named::{InForce, NAME_CHARS_MAX, Named, NamedError, Within, Words, is_name};
use crate::search::parse::{QueryError, parse, parse_with};
use crate::search::query::Query;

/// Saved searches of a log: more are a program's, which can keep them itself.
pub const SAVED_MAX: usize = 1_000;

const WORDS: Words = Words { set: "saved.set", removed: "saved.removed" };

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SavedSearch {
    /// The line.
    pub line: String,
}

/// All in force, by name.
pub type SavedLines = InForce<SavedSearch>;

/// Why saved searches were not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// A name that is none.
    #[error("{0:?} is no name of a saved search: use 1 to {NAME_CHARS_MAX} of a-z, 0-9, dot, underscore and hyphen, the first no dot")]
    Name(String),
    /// Nothing of that name.
    #[error("there is no saved search {0:?}: list them with `indelible saved list`")]
    Unknown(String),
    /// The line is none, or names another saved search.
    #[error(transparent)]
    Line(#[from] QueryError),
    /// It would stand for everything.
    #[error("an empty line finds every event: give one that says what to look for")]
    Empty,
    /// Enough of them.
    #[error("there are {SAVED_MAX} saved searches, as many as may be: remove one")]
    TooMany,
    /// The log says no.
    #[error(transparent)]
    Named(#[from] NamedError),
}

/// The saved searches of one log.
#[derive(Debug)]
pub struct Saved {
    named: Named<SavedSearch>,
}

impl Default for Saved {
    fn default() -> Self {
        Self { named: Named::of(WORDS) }
    }
}

impl Saved {
    /// Those in force. The first call looks through the log.
    ///
    /// # Errors
    /// [`SavedError`].
    pub fn in_force(&self, within: Within<'_>) -> Result<SavedLines, SavedError> {
        Ok(self.named.in_force(within)?)
    }

    /// Saves a line, in place of an earlier one of this name. Says whether anything changed.
    ///
    /// # Errors
    /// [`SavedError`].
    pub fn set(&self, within: Within<'_>, name: &str, line: &str, by: &str) -> Result<bool, SavedError> {
        if !is_name(name) {
            return Err(SavedError::Name(short(name)));
        }
        if parse(line)? == Query::All {
            return Err(SavedError::Empty);
        }
        self.named.change(within, |saved| match saved.get(name) {
            Some(there) if there.value.line == line => Ok(None),
            None if saved.len() >= SAVED_MAX => Err(SavedError::TooMany),
            _ => Ok(Some(record(WORDS.set, vec![("name", text(name)), ("line", text(line)), ("by", text(by))]))),
        })
    }

    /// Removes one.
    ///
    /// # Errors
    /// [`SavedError`].
    pub fn remove(&self, within: Within<'_>, name: &str, by: &str) -> Result<(), SavedError> {
        let removed = self.named.change(within, |saved| match saved.contains_key(name) {
            true => Ok(Some(record(WORDS.removed, vec![("name", text(name)), ("by", text(by))]))),
            false => Err(SavedError::Unknown(short(name))),
        });
        removed.map(drop)
    }
}

/// Reads a search line in which saved ones may be named.
///
/// # Errors
/// [`QueryError`].
pub fn parse_among(line: &str, saved: &SavedLines) -> Result<Query, QueryError> {
    parse_with(line, &|name| {
        let there = saved.get(name).ok_or_else(|| SavedError::Unknown(short(name)).to_string())?;
        parse(&there.value.line).map_err(|why| format!("the saved search {name:?} is not read any more, save it anew: {why}"))
    })
}

/// Whether a line, which may be none at all, names a saved search.
#[must_use]
pub fn names_saved(line: &str) -> bool {
    let named = std::cell::Cell::new(false);
    let _ = parse_with(line, &|_| {
        named.set(true);
        Ok(Query::All)
    });
    named.get()
}

fn short(name: &str) -> String {
    name.chars().take(NAME_CHARS_MAX).collect()
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}
