//! The hashes under which an entry is filed: of each of its values, and of each word of its texts.
//!
//! INVARIANT: every value and every word that a field or free text of an entry may be asked for is among them, but
//! for words that are not filed. So an entry without the hash of what is asked for does not match.

use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::search::compare::{address, fold};
use crate::search::document::Document;
use crate::search::field::{Field, Name};
use crate::search::spelling::Spellings;

/// The hash of a whole value.
pub(super) fn value_key(value: &str) -> u64 {
    // One address has many spellings.
    match address(value) {
        Some(address) => hash(1, &address.to_string()),
        None => hash(1, &fold(value)),
    }
}

/// The hash of a word in lower case.
pub(super) fn word_key(word: &str) -> u64 {
    hash(2, word)
}

fn hash(seed: u64, text: &str) -> u64 {
    twox_hash::XxHash64::oneshot(seed, text.as_bytes())
}

/// Whether a word is filed: a short one with a digit (`07`, `2026`, a piece of a UUID) says little and is
/// seldom asked for alone.
pub(super) fn is_filed(word: &str) -> bool {
    word.len() > 4 || !word.bytes().any(|byte| byte.is_ascii_digit())
}

/// A set of hashes that is being filled, and no other one ever: what it was given once it need not be given again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filing(u64);

impl Filing {
    /// The set that has been given nothing, and is never filled.
    pub const NONE: Self = Self(0);

    /// A set with nothing in it yet.
    pub fn begin() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(Filing::NONE.0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Gives `take` the hashes of an entry that `filing` may not have yet, some of them several times.
pub(super) fn each_key(document: &Document<'_>, spellings: &mut Spellings, filing: Filing, take: &mut dyn FnMut(u64)) {
    let mut whole = |value: &str, with_words: bool| {
        spellings.with(value, |spelling| {
            spelling.file(value, filing, take);
            if with_words {
                spelling.file_words(value, filing, take);
            }
        });
        false
    };
    document.texts(&mut |value| whole(value, true));
    document.ocsf_values(&mut |value| whole(value, false));
    // The values of all other fields are among these.
    for name in [Name::Actor, Name::Target, Name::Action, Name::Kind, Name::Id] {
        document.values(&Field::Named(name), &mut |value| whole(value, false));
    }
    for name in Name::ALL.iter().filter(|name| name.is_prose()) {
        document.values(&Field::Named(*name), &mut |value| whole(value, true));
    }
}

/// Builds hashers of what is a hash already.
pub(super) type ByItself = BuildHasherDefault<Itself>;

/// The hash of a hash.
#[derive(Debug, Default)]
pub(super) struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |known, byte| known.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
