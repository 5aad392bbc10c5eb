//! What a value is filed under, found once: most values stand in a log again and again.

use std::cell::{Cell, OnceCell, RefCell};
use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;

use crate::search::compare::{fold, words};
use crate::search::keys::{Filing, is_filed, value_key, word_key};
use crate::search::term_index::terms_of;

/// Places for values. With [`BYTES_MAX`] in each, some 500 bytes: 4 MB for each thread that indexes or learns.
const PLACES: u64 = 8_192;
/// A longer value is seldom the same twice.
const BYTES_MAX: usize = 256;

thread_local! {
    /// What a thread learnt of one file it knows of the next.
    static SPELLINGS: RefCell<Spellings> = RefCell::default();
}

/// Lends this thread's spellings, to one at a time.
pub(super) fn with_spellings<T>(lent: impl FnOnce(&mut Spellings) -> T) -> T {
    SPELLINGS.with_borrow_mut(lent)
}

/// What a value is filed under.
#[derive(Debug)]
pub(super) struct Spelling {
    /// The hash of the whole value.
    key: u64,
    /// Whether somebody will ask again.
    kept: bool,
    words: OnceCell<Box<[u64]>>,
    /// The sets that had its hash last, and those of its words.
    filed: Cell<Filing>,
    words_filed: Cell<Filing>,
    terms: OnceCell<(String, Option<String>)>,
}

impl Spelling {
    fn of(value: &str, kept: bool) -> Self {
        let (words, terms) = (OnceCell::new(), OnceCell::new());
        Self { key: value_key(value), kept, words, filed: Cell::new(Filing::NONE), words_filed: Cell::new(Filing::NONE), terms }
    }

    /// Gives `take` its hash, unless `filing` has it from here.
    pub fn file(&self, filing: Filing, take: &mut dyn FnMut(u64)) {
        if self.filed.replace(filing) != filing {
            take(self.key);
        }
    }

    /// Gives `take` the hashes of its words, of those that are filed, unless `filing` has them from here; `value` is
    /// what this is the spelling of.
    pub fn file_words(&self, value: &str, filing: Filing, take: &mut dyn FnMut(u64)) {
        if self.words_filed.replace(filing) == filing {
            return;
        }
        if !self.kept {
            return each_filed_word(value, take);
        }
        let find = || {
            let mut keys = Vec::new();
            each_filed_word(value, &mut |key| keys.push(key));
            keys.into()
        };
        self.words.get_or_init(find).iter().copied().for_each(take);
    }

    /// Its terms: see [`terms_of`].
    pub fn terms(&self, value: &str) -> &(String, Option<String>) {
        self.terms.get_or_init(|| terms_of(value))
    }
}

fn each_filed_word(value: &str, take: &mut dyn FnMut(u64)) {
    words(&fold(value)).filter(|word| is_filed(word)).map(word_key).for_each(take);
}

/// A value that is remembered, with what it is filed under.
#[derive(Debug)]
struct Known {
    value: Box<str>,
    spelling: Spelling,
}

/// Where the values of one hash are remembered, one at a time. Small, and apart from what it leads to: most that is
/// met here is not known, and that is to be seen without leaving the processor's cache.
#[derive(Debug, Default)]
struct Place {
    /// The hash of the value that is known.
    hash: u64,
    known: Option<Box<Known>>,
    /// The hash of the last value that was met here and is not the known one,
    passed: u64,
    /// and in which entry that was first.
    passed_in: u32,
}

/// The spellings of values that come again and again. Ids and times, which never do, pass through: only a value
/// that is met in two entries, with no other of its place in between, is remembered.
#[derive(Debug)]
pub(super) struct Spellings {
    places: Box<[Place]>,
    entry: u32,
}

impl Default for Spellings {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Place::default()).collect(), entry: 0 }
    }
}

impl Spellings {
    /// What is met from now on stands in another entry.
    pub fn next_entry(&mut self) {
        self.entry = self.entry.wrapping_add(1);
    }

    /// Shows `see` the spelling of a value.
    pub fn with<T>(&mut self, value: &str, see: impl FnOnce(&Spelling) -> T) -> T {
        if value.len() > BYTES_MAX {
            return see(&Spelling::of(value, false));
        }
        let hash = FixedState::default().hash_one(value);
        let Some(place) = self.places.get_mut((hash % PLACES) as usize) else { return see(&Spelling::of(value, false)) };
        if place.hash == hash
            && let Some(known) = place.known.as_deref()
            && *known.value == *value
        {
            return see(&known.spelling);
        }
        let is_passing = place.passed == hash;
        let comes_again = is_passing && place.passed_in != self.entry;
        let spelling = Spelling::of(value, comes_again);
        let seen = see(&spelling);
        if comes_again {
            place.hash = hash;
            place.known = Some(Box::new(Known { value: value.into(), spelling }));
        }
        if !is_passing {
            (place.passed, place.passed_in) = (hash, self.entry);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_found() {
        let mut spellings = Spellings::default();
        let long = "Long ".repeat(BYTES_MAX);
        // Again and again, alone and with so many others in between that each place is met several times.
        for nth in 0..4 * PLACES {
            let other = format!("Value {nth} of many");
            for value in [if nth % 3 < 2 { "::FFFF:10.0.0.1" } else { "x" }, &long, &other, &other, &other] {
                spellings.next_entry();
                spellings.with(value, |spelling| {
                    assert_eq!(spelling.terms(value), &terms_of(value), "{value}");
                    let filing = Filing::begin();
                    let (mut key, mut found) = (None, Vec::new());
                    spelling.file(filing, &mut |hash| key = Some(hash));
                    spelling.file_words(value, filing, &mut |key| found.push(key));
                    assert_eq!(key, Some(value_key(value)), "{value}");
                    assert_eq!(found, words(&fold(value)).filter(|word| is_filed(word)).map(word_key).collect::<Vec<_>>(), "{value}");
                });
            }
        }
    }

    #[test]
    fn a_set_is_given_all_of_a_value_and_what_is_remembered_once() {
        let mut spellings = Spellings::default();
        let given = |spellings: &mut Spellings, filing| {
            spellings.next_entry();
            let (mut keys, mut of_words) = (0, 0);
            spellings.with("two words", |spelling| {
                spelling.file(filing, &mut |_| keys += 1);
                spelling.file_words("two words", filing, &mut |_| of_words += 1);
            });
            (keys, of_words)
        };
        let (one, other) = (Filing::begin(), Filing::begin());
        // It is remembered from the second entry on, and another set knows nothing of the first.
        let all = [one, one, one, one, other, other, one].map(|filing| given(&mut spellings, filing));
        assert_eq!(all, [(1, 2), (1, 2), (0, 0), (0, 0), (1, 2), (0, 0), (1, 2)]);
    }

    #[test]
    fn a_value_of_two_entries_is_remembered_and_one_that_is_long_or_of_one_is_not() {
        let mut spellings = Spellings::default();
        let long = "x".repeat(BYTES_MAX + 1);
        for values in [["again", &long, "once", "once"], ["again", &long, "late", "late"]] {
            spellings.next_entry();
            values.iter().for_each(|value| spellings.with(value, |_| ()));
        }
        let known = spellings.places.iter().filter_map(|place| place.known.as_deref()).map(|known| &*known.value);
        assert_eq!(known.collect::<Vec<_>>(), ["again"]);
    }
}
