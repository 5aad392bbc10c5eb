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
/// Bytes of values that passed through. Half of them is room for those of an entry, whatever was before it.
const TEXTS_BYTES: usize = 32 << 10;

/// Where a value for which there is no room stands among the texts: nowhere.
const NO_ROOM: (u32, u32) = (1, 0);

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
    key: OnceCell<u64>,
    /// Whether somebody will ask again.
    kept: bool,
    words: OnceCell<Box<[u64]>>,
    /// The sets that had its hash last, and those of its words.
    filed: Cell<Filing>,
    words_filed: Cell<Filing>,
    terms: OnceCell<(String, Option<String>)>,
}

impl Spelling {
    /// The spelling of a value whose hash these sets had last, and those of its words.
    fn new(kept: bool, [filed, words_filed]: [Filing; 2]) -> Self {
        let (key, words, terms) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Self { key, kept, words, filed: Cell::new(filed), words_filed: Cell::new(words_filed), terms }
    }

    /// Gives `take` the hash of `value`, which this is the spelling of, unless `filing` has it from here.
    pub fn file(&self, value: &str, filing: Filing, take: &mut dyn FnMut(u64)) {
        if self.filed.replace(filing) != filing {
            take(*self.key.get_or_init(|| value_key(value)));
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

    /// The sets that had its hash last, and those of its words.
    fn filed(&self) -> [Filing; 2] {
        [self.filed.get(), self.words_filed.get()]
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
    /// in which entry that was first,
    passed_in: Entry,
    /// where it stands among the texts of that entry, from and to,
    passed_at: (u32, u32),
    /// and the sets that had its hash, and those of its words: most values of a record stand in what it means too.
    passed_filed: [Filing; 2],
}

impl Place {
    /// Whether the value that passed last is this one.
    fn is_passed(&self, value: &str, texts: &str) -> bool {
        let (from, to) = self.passed_at;
        texts.get(from as usize..to as usize) == Some(value)
    }
}

/// An entry whose values are met, for as long as it is worth telling from others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry(u32);

/// The spellings of values that come again and again. Ids and times, which never do, pass through: only a value
/// that is met in two entries, with no other of its place in between, is remembered.
#[derive(Debug)]
pub(super) struct Spellings {
    places: Box<[Place]>,
    /// The entry that is looked at, and the last that was begun.
    entry: Entry,
    last: Entry,
    /// The values that passed through lately, those of the last entry among them.
    texts: String,
}

impl Default for Spellings {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| Place::default()).collect();
        Self { places, entry: Entry::default(), last: Entry::default(), texts: String::new() }
    }
}

impl Spellings {
    /// What is met from now on stands in another entry, which is given a name.
    pub fn next_entry(&mut self) -> Entry {
        if self.texts.len() > TEXTS_BYTES / 2 {
            self.texts.clear();
        }
        self.last = Entry(self.last.0.wrapping_add(1));
        self.entry = self.last;
        self.entry
    }

    /// What is met from now on stands in this entry again.
    pub const fn return_to(&mut self, entry: Entry) {
        self.entry = entry;
    }

    /// Shows `see` the spelling of a value.
    pub fn with<T>(&mut self, value: &str, see: impl FnOnce(&Spelling) -> T) -> T {
        let unknown = [Filing::NONE; 2];
        if value.len() > BYTES_MAX {
            return see(&Spelling::new(false, unknown));
        }
        let hash = FixedState::default().hash_one(value);
        let Some(place) = self.places.get_mut((hash % PLACES) as usize) else { return see(&Spelling::new(false, unknown)) };
        if place.hash == hash
            && let Some(known) = place.known.as_deref()
            && *known.value == *value
        {
            return see(&known.spelling);
        }
        let is_passing = place.passed == hash;
        let comes_again = is_passing && place.passed_in != self.entry;
        // Two values may have the same hash: what was filed of one says nothing of the other.
        let is_same = is_passing && !comes_again && place.is_passed(value, &self.texts);
        let spelling = Spelling::new(comes_again, if is_same { place.passed_filed } else { unknown });
        let seen = see(&spelling);
        if is_same {
            place.passed_filed = spelling.filed();
        } else if comes_again {
            place.hash = hash;
            place.known = Some(Box::new(Known { value: value.into(), spelling }));
        } else if !is_passing {
            (place.passed, place.passed_in, place.passed_filed) = (hash, self.entry, spelling.filed());
            // One without room is no text, not even an empty one, and is given everything again.
            place.passed_at = NO_ROOM;
            if self.texts.len() + value.len() <= TEXTS_BYTES {
                let from = self.texts.len() as u32;
                self.texts.push_str(value);
                place.passed_at = (from, self.texts.len() as u32);
            }
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
                    spelling.file(value, filing, &mut |hash| key = Some(hash));
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
                spelling.file("two words", filing, &mut |_| keys += 1);
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
    fn a_value_that_stands_twice_in_an_entry_is_given_once() {
        let mut spellings = Spellings::default();
        let (one, other) = (Filing::begin(), Filing::begin());
        let mut given = |value: &str, filing, with_words: bool| {
            let mut keys = 0;
            spellings.with(value, |spelling| {
                spelling.file(value, filing, &mut |_| keys += 1);
                if with_words {
                    spelling.file_words(value, filing, &mut |_| keys += 1);
                }
            });
            keys
        };
        let all =
            [("two words", one, false), ("x", one, true), ("two words", one, true), ("two words", one, true), ("two words", other, true)];
        assert_eq!(all.map(|(value, filing, with_words)| given(value, filing, with_words)), [1, 2, 2, 0, 3]);
    }

    #[test]
    fn a_value_is_not_taken_for_one_of_the_same_hash() {
        let place = Place { passed_at: (2, 6), ..Place::default() };
        let texts = "a value of it";
        assert!(place.is_passed("valu", texts));
        for other in ["value", "val", "", "other"] {
            assert!(!place.is_passed(other, texts), "{other}");
        }
        assert!(!Place { passed_at: NO_ROOM, ..Place::default() }.is_passed("", texts));
    }

    #[test]
    fn an_entry_of_many_values_takes_no_more_room() {
        let mut spellings = Spellings::default();
        for nth in 0..4 * TEXTS_BYTES {
            spellings.with(&format!("value {nth}"), |_| ());
        }
        assert!(spellings.texts.len() <= TEXTS_BYTES);
    }

    #[test]
    fn who_returns_to_an_entry_meets_nothing_of_another() {
        let mut spellings = Spellings::default();
        let first = spellings.next_entry();
        spellings.with("of the first", |_| ());
        spellings.next_entry();
        spellings.return_to(first);
        spellings.with("of the first", |_| ());
        assert!(spellings.places.iter().all(|place| place.known.is_none()));
        assert_ne!(spellings.next_entry(), first);
        spellings.with("of the first", |_| ());
        assert_eq!(spellings.places.iter().filter(|place| place.known.is_some()).count(), 1);
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
