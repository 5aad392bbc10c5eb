//! The identity directory: which names are the same person or workload. An administrator imports it
//! or edits it; what a map finds is then told by the one identity.
//!
//! INVARIANT: a name leads to one identity. A change that would have two claim it is refused whole.

mod csv;
mod scim;

use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use csv::parse as parse_csv;
pub use scim::parse as parse_scim;

use crate::source::identity::{IDENTITY_CHARS_MAX, canonical};

/// Entries of a directory: it is held in memory, at about half a kilobyte each.
pub const ENTRIES_MAX: usize = 200_000;
/// Further names of one identity: accounts of one person in that many systems.
pub const NAMES_MAX: usize = 32;

/// One person or workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Further names, canonical, without the identity itself.
    pub names: BTreeSet<String>,
    /// What people call it.
    pub display: Option<String>,
}

/// People by identity, as a file or a request names them.
pub type People = BTreeMap<String, Person>;

/// Why a directory cannot be like that.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DirectoryError {
    /// Too many entries.
    #[error("the directory would have {count} entries, and {ENTRIES_MAX} are the most: import only those whose events come in")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Too many names of one.
    #[error("{identity} has more than {NAMES_MAX} further names: leave out those under which no events come in")]
    TooManyNames {
        /// Whose.
        identity: String,
    },
    /// What stands there is no name.
    #[error("{place}: {name:?} is no name: one has 1 to {IDENTITY_CHARS_MAX} characters and no control characters")]
    NotAName {
        /// Where.
        place: String,
        /// The beginning of it.
        name: String,
    },
    /// Two identities claim one name.
    #[error("{name} is claimed by two identities, {one} and {other}: a name leads to one; take it from one of them")]
    Claimed {
        /// The name.
        name: String,
        /// Who has it.
        one: String,
        /// Who claims it too.
        other: String,
    },
    /// Nobody is named.
    #[error("{place} names no identity: it needs an e-mail address, a userName or an `identity`")]
    Nameless {
        /// Where.
        place: String,
    },
    /// Not the form it should have.
    #[error("this is no directory: {0}")]
    Malformed(String),
}

/// Reads a name.
///
/// # Errors
/// [`DirectoryError::NotAName`].
fn name(text: &str, place: &str) -> Result<String, DirectoryError> {
    canonical(text)
        .filter(|name| name.chars().count() <= IDENTITY_CHARS_MAX)
        .ok_or_else(|| DirectoryError::NotAName { place: place.to_owned(), name: text.chars().take(40).collect() })
}

/// Adds what one row or resource says to what others said of the same identity.
///
/// # Errors
/// [`DirectoryError`] when a name is none, or there are too many.
pub fn add<'a>(
    people: &mut People,
    identity: &str,
    names: impl IntoIterator<Item = &'a str>,
    display: Option<&str>,
    place: &str,
) -> Result<(), DirectoryError> {
    let identity = name(identity, place)?;
    let names = names.into_iter().filter(|text| !text.trim().is_empty()).map(|text| name(text, place)).collect::<Result<Vec<_>, _>>()?;
    let count = people.len() + 1;
    let person = match people.entry(identity.clone()) {
        Slot::Occupied(slot) => slot.into_mut(),
        Slot::Vacant(_) if count > ENTRIES_MAX => return Err(DirectoryError::TooMany { count }),
        Slot::Vacant(slot) => slot.insert(Person::default()),
    };
    person.names.extend(names.into_iter().filter(|name| *name != identity));
    if person.names.len() > NAMES_MAX {
        return Err(DirectoryError::TooManyNames { identity });
    }
    if let Some(display) = display.map(str::trim).filter(|display| !display.is_empty()) {
        if display.chars().count() > IDENTITY_CHARS_MAX || display.chars().any(char::is_control) {
            return Err(DirectoryError::NotAName { place: place.to_owned(), name: display.chars().take(40).collect() });
        }
        person.display = Some(display.to_owned());
    }
    Ok(())
}

/// A directory in force.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    people: People,
    /// Identity of each further name.
    by_name: HashMap<String, String>,
}

/// A directory with what was changed in it.
#[derive(Debug)]
pub struct Change {
    /// As it is then.
    pub directory: Directory,
    /// Identities that were not there.
    pub new: Vec<String>,
    /// Identities with other names than before.
    pub changed: Vec<String>,
    /// How many were there just so.
    pub same: usize,
}

impl Directory {
    /// The directory of these people. Where two claim one name, the first by identity has it.
    #[must_use]
    pub fn of(people: People) -> Self {
        let mut by_name = HashMap::new();
        for (identity, person) in &people {
            for name in person.names.iter().filter(|name| !people.contains_key(*name)) {
                by_name.entry(name.clone()).or_insert_with(|| identity.clone());
            }
        }
        Self { people, by_name }
    }

    /// Everybody in it, by identity.
    #[must_use]
    pub fn people(&self) -> &People {
        &self.people
    }

    /// The identity that `canonical` is a name of; itself when the directory knows none.
    #[must_use]
    pub fn resolve<'a>(&'a self, canonical: &'a str) -> &'a str {
        self.identity(canonical).unwrap_or(canonical)
    }

    /// The identity that `canonical` is a further name of, if the directory knows one.
    #[must_use]
    pub fn identity(&self, canonical: &str) -> Option<&str> {
        self.by_name.get(canonical).map(String::as_str)
    }

    /// The directory with these people in it; of those already there the names are replaced.
    ///
    /// # Errors
    /// [`DirectoryError::Claimed`], [`DirectoryError::TooMany`]; then nothing is changed.
    pub fn with(&self, people: People) -> Result<Change, DirectoryError> {
        let (mut new, mut changed, mut same, mut all) = (Vec::new(), Vec::new(), 0, self.people.clone());
        for (identity, person) in people {
            match all.insert(identity.clone(), person) {
                None => new.push(identity),
                Some(before) if all.get(&identity) != Some(&before) => changed.push(identity),
                Some(_) => same += 1,
            }
        }
        if all.len() > ENTRIES_MAX {
            return Err(DirectoryError::TooMany { count: all.len() });
        }
        let directory = Self::of(all);
        directory.check()?;
        Ok(Change { directory, new, changed, same })
    }

    /// The directory without `identity`; none when it is not there.
    #[must_use]
    pub fn without(&self, identity: &str) -> Option<Self> {
        let mut people = self.people.clone();
        people.remove(identity).map(|_| Self::of(people))
    }

    fn check(&self) -> Result<(), DirectoryError> {
        for (identity, person) in &self.people {
            for name in &person.names {
                let one = self.by_name.get(name).unwrap_or(name);
                if one != identity {
                    return Err(DirectoryError::Claimed { name: name.clone(), one: one.clone(), other: identity.clone() });
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "directory/tests.rs"]
mod tests;
