//! Texts to compare with, `*` standing for anything, and sets of them.

/// A text to compare with; `*` stands for anything.
#[derive(Debug, Clone, PartialEq)]
pub enum Glob {
    /// Anything that is there.
    Any,
    /// Just this, without regard to case.
    Exact(String),
    /// A number that compares so.
    Compared(Comparison, f64),
    /// These pieces in order; whether the first and last may float.
    Pieces {
        /// In lower case.
        pieces: Vec<String>,
        /// The text begins with the first piece.
        from_start: bool,
        /// The text ends with the last piece.
        to_end: bool,
    },
}

/// How a number compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the signs are the names")]
pub enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    fn parse(text: &str) -> Option<(Self, f64)> {
        let signs = [("<=", Self::AtMost), (">=", Self::AtLeast), ("<", Self::Less), (">", Self::More)];
        signs.into_iter().find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?.trim().parse().ok()?)))
    }

    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
        }
    }
}

impl Glob {
    /// Reads a matcher's text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        if let Some((comparison, number)) = Comparison::parse(text) {
            return Self::Compared(comparison, number);
        }
        if !text.contains('*') {
            return Self::Exact(text.to_owned());
        }
        let pieces = text.split('*').filter(|piece| !piece.is_empty()).map(str::to_ascii_lowercase).collect();
        Self::Pieces { pieces, from_start: !text.starts_with('*'), to_end: !text.ends_with('*') }
    }

    /// Whether `text` is one of those meant.
    #[inline]
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact.len() == text.len() && exact.eq_ignore_ascii_case(text),
            Self::Compared(comparison, number) => text.parse().is_ok_and(|left| comparison.holds(left, *number)),
            Self::Pieces { pieces, from_start, to_end } => pieces_match(pieces, *from_start, *to_end, text.as_bytes()),
        }
    }
}

fn pieces_match(pieces: &[String], from_start: bool, to_end: bool, text: &[u8]) -> bool {
    let mut rest = text;
    let mut pieces = pieces.iter().map(String::as_bytes);
    if from_start && let Some(first) = pieces.next() {
        match rest.split_at_checked(first.len()) {
            Some((begins, behind)) if begins.eq_ignore_ascii_case(first) => rest = behind,
            _ => return false,
        }
    }
    if to_end && let Some(last) = pieces.next_back() {
        match rest.len().checked_sub(last.len()).and_then(|at| rest.split_at_checked(at)) {
            Some((before, ends)) if ends.eq_ignore_ascii_case(last) => rest = before,
            _ => return false,
        }
    }
    for piece in pieces {
        let Some(at) = rest.windows(piece.len()).position(|window| window.eq_ignore_ascii_case(piece)) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    true
}

/// Many globs that each stand for a value. Most are plain words, found by their length.
#[derive(Debug, Clone, Default)]
pub struct GlobSet {
    /// Plain words with their values, by their length, then as they were given.
    words: Vec<(String, usize)>,
    /// Where the words of a length begin, and behind the longest where they end.
    starts: Vec<usize>,
    /// The rest, as they were given.
    globs: Vec<(Glob, usize)>,
}

impl GlobSet {
    /// The set of these globs.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = (Glob, usize)>) -> Self {
        let (mut words, mut globs) = (Vec::new(), Vec::new());
        for (glob, value) in all {
            match glob {
                Glob::Exact(word) => words.push((word, value)),
                glob => globs.push((glob, value)),
            }
        }
        words.sort_by_key(|(word, _)| word.len());
        let longest = words.last().map_or(0, |(word, _)| word.len());
        let starts = (0..longest + 2).map(|len| words.partition_point(|(word, _)| word.len() < len)).collect();
        Self { words, starts, globs }
    }

    /// Whether there is none.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.globs.is_empty()
    }

    /// The values of the words that are this text, as they were given.
    #[inline]
    pub fn words<'s>(&'s self, text: &'s str) -> impl Iterator<Item = usize> + 's {
        let start = |len: usize| self.starts.get(len).copied().unwrap_or(self.words.len());
        let same_length = self.words.get(start(text.len())..start(text.len() + 1)).unwrap_or_default();
        same_length.iter().filter(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
    }

    /// The value of the first word that is this text, or of the first glob it matches.
    #[inline]
    #[must_use]
    pub fn find(&self, text: &str) -> Option<usize> {
        let word = self.words(text).next();
        word.or_else(|| self.globs.iter().find(|(glob, _)| glob.matches(text)).map(|(_, value)| *value))
    }

    /// Whether any of them means the text.
    #[inline]
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.find(text).is_some()
    }

    /// Whether any of them means the number: `0` and `0.0` are the same.
    #[must_use]
    pub fn matches_number(&self, digits: &str) -> bool {
        let same = |word: &str| matches!((word.parse::<f64>(), digits.parse::<f64>()), (Ok(a), Ok(b)) if a.to_bits() == b.to_bits());
        self.matches(digits) || self.words.iter().any(|(word, _)| same(word))
    }

    /// Whether any but "anything" means the text.
    #[must_use]
    pub fn matches_something(&self, text: &str) -> bool {
        self.words(text).next().is_some() || self.globs.iter().any(|(glob, _)| *glob != Glob::Any && glob.matches(text))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn globs_match_without_regard_to_case() {
        for (glob, text, holds) in [
            ("*", "", true),
            ("Get*", "getUser", true),
            ("*Policy", "PutRolePolicy", true),
            ("*Policy*", "PutRolePolicyX", true),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("exact", "EXACT", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(Glob::new(glob).matches(text), holds, "{glob} {text}");
        }
    }

    #[test]
    fn a_set_finds_what_its_globs_would() {
        let set =
            GlobSet::new(["GetUser", "get*", "putuser", "*", "PUTUSER"].iter().zip(0..).map(|(glob, value)| (Glob::new(glob), value)));
        for (text, value) in [("getuser", 0), ("GetRole", 1), ("PutUser", 2), ("", 3), ("anything", 3)] {
            assert_eq!(set.find(text), Some(value), "{text}");
        }
        assert_eq!(set.words("PutUser").collect::<Vec<_>>(), [2, 4]);
        assert!(!set.matches_something("other"));
        assert!(GlobSet::new([(Glob::new("0"), 0)]).matches_number("0.0"));
        assert!(GlobSet::default().is_empty() && !GlobSet::default().matches(""));
    }
}
