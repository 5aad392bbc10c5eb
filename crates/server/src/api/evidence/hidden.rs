//! The values that an evidence file hides, to find where they still stand: in another part, in another
//! entry, in the title, in a search line. That is how redactions fail.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

use crate::api::evidence::EvidenceError;

/// Bytes of a value that are looked for. One that begins like it is taken for it.
const TEXT_BYTES_MAX: usize = 64;
/// Bytes of all values: what finds them takes many times as much memory.
const TEXTS_BYTES_MAX: usize = 4 << 20;

/// The hidden values.
#[derive(Debug)]
pub struct Hidden {
    exactly: AhoCorasick,
    /// As search lines match them: whatever their case.
    lower: AhoCorasick,
}

impl Hidden {
    /// Of all entries together: what is hidden in one may stand in another.
    pub fn of(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, EvidenceError> {
        let begin = |text: &str| text.as_bytes().get(..TEXT_BYTES_MAX).unwrap_or(text.as_bytes()).to_owned();
        let (mut exactly, mut lower) = (BTreeSet::new(), BTreeSet::new());
        for text in texts {
            exactly.insert(begin(text.as_ref()));
            lower.insert(begin(&text.as_ref().to_lowercase()));
        }
        if exactly.iter().map(Vec::len).sum::<usize>() > TEXTS_BYTES_MAX {
            return Err(EvidenceError::HidesTooMuch);
        }
        let finder = |texts: BTreeSet<Vec<u8>>| AhoCorasick::new(texts).map_err(|_| EvidenceError::HidesTooMuch);
        Ok(Self { exactly: finder(exactly)?, lower: finder(lower)? })
    }

    /// Whether a part holds one of them.
    pub fn is_in(&self, part: &[u8]) -> bool {
        self.exactly.is_match(part)
    }

    /// Whether words of a person, or a search line, tell one of them.
    pub fn is_told_by(&self, text: &str) -> bool {
        self.lower.is_match(&text.to_lowercase())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_hidden_whatever_its_case() {
        let hidden = Hidden::of(["Ana@Corp.example", "Ärger"]).unwrap();
        assert!(hidden.is_told_by("actor:ana@corp.Example since:7d") && hidden.is_told_by("\"kein ÄRGER\""));
        assert!(!hidden.is_told_by("actor:bob since:7d"));
        assert!(hidden.is_in(b"{\"by\":\"Ana@Corp.example\"}") && !hidden.is_in(b"{\"by\":\"ANA@CORP.EXAMPLE\"}"));
        let nothing = Hidden::of([""; 0]).unwrap();
        assert!(!nothing.is_told_by("actor:ana@corp.example") && !nothing.is_in(b"anything"));
    }

    #[test]
    fn a_long_value_is_known_by_its_beginning_and_all_of_them_have_a_bound() {
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        let hidden = Hidden::of([&long]).unwrap();
        assert!(hidden.is_in(long.as_bytes()) && !hidden.is_in("x".repeat(TEXT_BYTES_MAX - 1).as_bytes()));
        let many = (0..=TEXTS_BYTES_MAX / TEXT_BYTES_MAX).map(|n| format!("{n:0>64}"));
        assert!(matches!(Hidden::of(many), Err(EvidenceError::HidesTooMuch)));
    }
}
