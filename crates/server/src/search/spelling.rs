//! What a value is filed under, found once: most values stand in a log again and again.

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::search::compare::{fold, words};
use crate::search::keys::{is_filed, value_key, word_key};
use crate::search::term_index::terms_of;

/// Values remembered; then all are forgotten. With [`BYTES_MAX`] each, some 300 bytes: 5 MB.
const KNOWN_MAX: usize = 16_384;
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

/// The spellings of the values that were met last.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    known: HashMap<Box<str>, Spelling>,
}

impl Spellings {
    /// Shows `see` the spelling of a value.
    pub fn with<T>(&mut self, value: &str, see: impl FnOnce(&Spelling) -> T) -> T {
        if let Some(spelling) = self.known.get(value) {
            return see(spelling);
        }
        let spelling = Spelling::of(value);
        let seen = see(&spelling);
        if value.len() <= BYTES_MAX {
            if self.known.len() >= KNOWN_MAX {
                self.known.clear();
            }
            self.known.insert(value.into(), spelling);
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
        // Twice, and so many others in between that it is forgotten.
        for nth in 0..2 * KNOWN_MAX + 1 {
            let other = format!("Value {nth} of many");
            for value in [if nth % KNOWN_MAX < 2 { "::FFFF:10.0.0.1" } else { "x" }, &long, &other] {
                spellings.with(value, |spelling| {
                    assert_eq!(spelling.key, value_key(value), "{value}");
                    assert_eq!(spelling.terms(value), &terms_of(value), "{value}");
                    let filed = words(&fold(value)).filter(|word| is_filed(word)).map(word_key).collect::<Vec<_>>();
                    assert_eq!(spelling.words(value), filed, "{value}");
                });
            }
            assert!(spellings.known.len() <= KNOWN_MAX);
        }
    }
}
