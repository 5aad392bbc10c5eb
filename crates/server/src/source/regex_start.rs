//! How the matches of a regular expression begin: a map of syslog lines has more than a hundred
//! patterns, nearly all start with a fixed text, and the first bytes of a line rule out all but a few.

use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, Look};

/// How every text that matches an expression begins: with one of these; `None`: with anything.
#[derive(Debug)]
pub struct Start(Option<Vec<Vec<u8>>>);

impl Start {
    /// Of an expression; one that cannot be read may match anything.
    #[must_use]
    pub fn of(regex: &str) -> Self {
        // One that may match further on is not looked for here: that costs what the expression does, which does the same.
        let is_anchored = |syntax: &Hir| syntax.properties().look_set_prefix().contains(Look::Start);
        let Some(syntax) = regex_syntax::parse(regex).ok().filter(is_anchored) else { return Self(None) };
        let found = Extractor::new().extract(&syntax);
        Self(found.literals().map(|all| all.iter().map(|literal| literal.as_bytes().to_vec()).collect()))
    }

    /// Whether a match of the expression may be in `text`; never `false` when there is one.
    #[must_use]
    pub fn may_match(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|literals| literals.iter().any(|literal| text.as_bytes().starts_with(literal)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// Beginnings with each thing that may be read wrongly: groups, choices, classes, case, anchors of
    /// lines, and nothing at all.
    const REGEXES: &[&str] = &[
        "^ab",
        "^(?:x )?ab",
        "^(?<n>a|b)c",
        "ab",
        "(?m)^ab",
        "(?i)^ab",
        "^[ab]+c",
        "^\\s*a",
        "^a?",
        "^",
        "^(?:)",
        "a|^b",
        "(?:^a|^b)c",
        "^\\bab",
        "^(?:ab|)c",
        "^a{0,2}b",
        "\\Aab",
        "^.b",
    ];

    #[test]
    fn what_begins_otherwise_is_ruled_out() {
        assert!(!Start::of("^(?:error: )?Accepted (?<user>.*)").may_match("Failed password"));
        assert!(Start::of("^(?:error: )?Accepted (?<user>.*)").may_match("error: Accepted x"));
        assert!(!Start::of("^(?i)Accepted").may_match("FAILED"));
    }

    proptest! {
        #[test]
        fn what_matches_is_never_ruled_out(text in "[abcABxX \\n]{0,6}") {
            for regex in REGEXES {
                let matches = Regex::new(regex).is_ok_and(|regex| regex.is_match(&text));
                prop_assert!(!matches || Start::of(regex).may_match(&text), "{regex} {text:?}");
            }
        }
    }
}
