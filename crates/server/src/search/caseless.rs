//! Finds a word in the bytes of a record, in letters of either case, without making a copy of the record in lower case.

use std::cell::RefCell;
use std::sync::LazyLock;

use memchr::memchr2_iter;
use memchr::memmem::Finder;

/// Letters and digits from the rarest in records of identity systems to the commonest. What is not among them is rarer
/// than any, but for what JSON itself is made of.
const BY_RARITY: &[u8] = b"jqzxkwh9f8gby7v635_4210mupldcnsroitae";
/// Bytes that stand between the values of each record.
const OF_JSON: &[u8] = b"\"':,{}[]-. \n";
/// Places where the word might begin that are looked at, in a thousand bytes, before a copy in lower case is the quicker way.
const DOUBTS_MAX: usize = 64;

/// How common each byte is, the rarest first.
static RANKS: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let mut ranks = [0; 256];
    for (rank, byte) in (1..).zip(BY_RARITY.iter().chain(OF_JSON)) {
        if let Some(known) = ranks.get_mut(usize::from(*byte)) {
            *known = rank;
        }
    }
    ranks
});

thread_local! {
    /// A record in lower case.
    static LOWER: RefCell<Vec<u8>> = RefCell::default();
}

/// A word, in lower case, that is looked for in letters of either. Letters outside ASCII have to be as they are in it.
#[derive(Clone, Debug)]
pub struct Caseless {
    finder: Finder<'static>,
    /// Whether it has letters at all.
    has_letters: bool,
    /// Where its rarest byte stands in it, and that in either case.
    at: usize,
    rarest: [u8; 2],
}

impl Caseless {
    /// Makes ready to find `word`, which is in lower case.
    #[must_use]
    pub fn new(word: &str) -> Self {
        let rank = |byte: u8| RANKS.get(usize::from(byte)).copied().unwrap_or(0);
        let (at, rarest) = word.bytes().enumerate().min_by_key(|(_, byte)| rank(*byte)).unwrap_or_default();
        let has_letters = word.bytes().any(|byte| byte.is_ascii_alphabetic());
        Self { finder: Finder::new(word).into_owned(), has_letters, at, rarest: [rarest, rarest.to_ascii_uppercase()] }
    }

    /// The word.
    #[must_use]
    pub fn word(&self) -> &[u8] {
        self.finder.needle()
    }

    /// Whether it stands in these bytes.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        if !self.has_letters {
            return self.finder.find(bytes).is_some();
        }
        let (word, [lower, upper]) = (self.word(), self.rarest);
        let mut doubts = DOUBTS_MAX * (1 + bytes.len() / 1000);
        for found in memchr2_iter(lower, upper, bytes) {
            let place = found.checked_sub(self.at).and_then(|start| bytes.get(start..start + word.len()));
            // Most is settled by the first letter.
            let is_like = |place: &&[u8]| place.first().map(u8::to_ascii_lowercase) == word.first().copied();
            if place.filter(is_like).is_some_and(|place| place.eq_ignore_ascii_case(word)) {
                return true;
            }
            doubts -= 1;
            if doubts == 0 {
                return self.is_in_lower(bytes);
            }
        }
        false
    }

    fn is_in_lower(&self, bytes: &[u8]) -> bool {
        LOWER.with_borrow_mut(|lower| {
            lower.clear();
            lower.extend_from_slice(bytes);
            lower.make_ascii_lowercase();
            self.finder.find(lower).is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of few letters, so that much is nearly the word; and long, so that all doubts are used up.
        #[test]
        fn a_word_is_found_as_in_a_copy_in_lower_case(word in "[abAB9é]{0,4}", text in "[abAB9é\" ]{0,300}", times in 1_usize..8) {
            let (word, text) = (word.to_ascii_lowercase(), text.repeat(times));
            prop_assert_eq!(Caseless::new(&word).is_in(text.as_bytes()), text.to_ascii_lowercase().contains(&word), "{} in {}", word, text);
        }
    }

    #[test]
    fn the_rarest_letter_is_looked_for() {
        for (word, rarest) in [("eve", b'v'), ("203.0.113.66", b'6'), ("\"ey", b'y'), ("a@b", b'@'), ("stranger", b'g')] {
            assert_eq!(Caseless::new(word).rarest[0], rarest, "{word}");
        }
    }
}
