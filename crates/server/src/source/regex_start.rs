//! How the matches of a regular expression begin: a map of syslog lines has more than a hundred
//! patterns, nearly all start with a fixed text, and the first bytes of a line rule out all but a few.

use regex_syntax::hir::{Look, literal::Extractor};

/// How every match of an expression begins.
#[derive(Debug)]
pub struct Start {
    /// A match begins where the text begins.
    anchored: bool,
    /// A match begins with one of these; `None`: with anything.
    literals: Option<Vec<Vec<u8>>>,
}

impl Start {
    /// Of an expression; one that cannot be read may match anything.
    #[must_use]
    pub fn of(regex: &str) -> Self {
        let Ok(syntax) = regex_syntax::parse(regex) else { return Self { anchored: false, literals: None } };
        let found = Extractor::new().extract(&syntax);
        let literals = found.literals().map(|all| all.iter().map(|literal| literal.as_bytes().to_vec()).collect());
        Self { anchored: syntax.properties().look_set_prefix().contains(Look::Start), literals }
    }

    /// Whether a match of the expression may be in `text`; never `false` when there is one.
    #[must_use]
    pub fn may_match(&self, text: &str) -> bool {
        match &self.literals {
            Some(literals) if self.anchored => literals.iter().any(|literal| text.as_bytes().starts_with(literal)),
            // To look for it costs what the expression does, which does the same.
            _ => true,
        }
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
