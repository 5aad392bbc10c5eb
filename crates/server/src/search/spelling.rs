//! What a value is filed under, found once: most values stand in a log again and again.

use std::cell::OnceCell;

use crate::search::compare::{fold, words};
use crate::search::keys::{is_filed, value_key, word_key};
use crate::search::term_index::terms_of;

/// Places for values. With [`BYTES_MAX`] in each, some 300 bytes: 5 MB.
const PLACES: u64 = 16_384;
/// A longer value is seldom the same twice.
const BYTES_MAX: usize = 128;

/// What a value is filed under.
#[derive(Debug)]
pub(super) struct Spelling {
    /// The hash of the whole value.
    pub key: u64,
    words: OnceCell<Box<[u64]>>,
    terms: OnceCell<(String, Option<String>)>,
}

impl Spelling {
    fn of(value: &str) -> Self {
        Self { key: value_key(value), words: OnceCell::new(), terms: OnceCell::new() }
    }

    /// The hashes of its words, of those that are filed; `value` is what this is the spelling of.
    pub fn words(&self, value: &str) -> &[u64] {
        self.words.get_or_init(|| words(&fold(value)).filter(|word| is_filed(word)).map(word_key).collect())
    }

    /// Its terms: see [`terms_of`].
    pub fn terms(&self, value: &str) -> &(String, Option<String>) {
        self.terms.get_or_init(|| terms_of(value))
    }
}

/// Where the values of one hash are remembered, one at a time.
#[derive(Debug, Default)]
struct Place {
    known: Option<(Box<str>, Spelling)>,
    /// Hash of the last value that was met here and is not the known one.
    passed: u64,
}

/// The spellings of values that come again and again. Ids and times, which never do, pass through: only a value
/// that is met twice, with no other of its place in between, is remembered.
#[derive(Debug)]
pub(super) struct Spellings {
    places: Box<[Place]>,
}

impl Default for Spellings {
    fn default() -> Self {
        Self { places: (0..PLACES).map(|_| Place::default()).collect() }
    }
}

impl Spellings {
    /// Shows `see` the spelling of a value.
    pub fn with<T>(&mut self, value: &str, see: impl FnOnce(&Spelling) -> T) -> T {
        if value.len() > BYTES_MAX {
            return see(&Spelling::of(value));
        }
        let hash = twox_hash::XxHash64::oneshot(0, value.as_bytes());
        let Some(place) = self.places.get_mut((hash % PLACES) as usize) else { return see(&Spelling::of(value)) };
        if let Some((known, spelling)) = &place.known
            && **known == *value
        {
            return see(spelling);
        }
        let spelling = Spelling::of(value);
        let seen = see(&spelling);
        if place.passed == hash {
            place.known = Some((value.into(), spelling));
        }
        place.passed = hash;
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
                spellings.with(value, |spelling| {
                    assert_eq!(spelling.key, value_key(value), "{value}");
                    assert_eq!(spelling.terms(value), &terms_of(value), "{value}");
                    let filed = words(&fold(value)).filter(|word| is_filed(word)).map(word_key).collect::<Vec<_>>();
                    assert_eq!(spelling.words(value), filed, "{value}");
                });
            }
        }
    }

    #[test]
    fn a_value_that_comes_again_is_remembered_and_one_that_is_long_or_comes_once_is_not() {
        let mut spellings = Spellings::default();
        let long = "x".repeat(BYTES_MAX + 1);
        for value in ["again", &long, "once", "again", &long] {
            spellings.with(value, |_| ());
        }
        let known = spellings.places.iter().filter_map(|place| place.known.as_ref()).map(|(value, _)| &**value);
        assert_eq!(known.collect::<Vec<_>>(), ["again"]);
    }
}
