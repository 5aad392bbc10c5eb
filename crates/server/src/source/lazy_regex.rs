//! Regular expressions that are compiled when they are first asked: a catalogue has hundreds, and most
//! processes meet records of a few kinds.

use std::sync::{Arc, OnceLock};

use regex::{Captures, Regex};
use regex_syntax::hir::HirKind;

use crate::source::regex_start::Start;

/// A regular expression; its syntax was checked.
#[derive(Debug, Clone)]
pub struct LazyRegex {
    text: String,
    /// Its first group is all of it, or it has none: what it matches is what it gives.
    gives_all: bool,
    compiled: Arc<OnceLock<Option<Regex>>>,
    /// For one that gives all it matches: the same without its group, which costs several times the match.
    whole: Arc<OnceLock<Option<Regex>>>,
    start: Arc<OnceLock<Start>>,
}

impl LazyRegex {
    /// Checks the syntax.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let syntax = regex_syntax::parse(text).map_err(|why| why.to_string())?;
        let gives_all = matches!(syntax.kind(), HirKind::Capture(_)) || syntax.properties().explicit_captures_len() == 0;
        Ok(Self { text: text.to_owned(), gives_all, compiled: Arc::default(), whole: Arc::default(), start: Arc::default() })
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The compiled expression; `None` only for one that is too large to compile, which a test of the
    /// maps rules out.
    #[must_use]
    pub fn get(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| Regex::new(&self.text).ok()).as_ref()
    }

    /// Whether it may match: a look at how its matches begin, before anything is compiled or run.
    #[must_use]
    pub fn may_match(&self, text: &str) -> bool {
        self.start.get_or_init(|| Start::of(&self.text)).may_match(text)
    }

    /// The first group of its first match, or all of the match when there is no such group in it.
    #[must_use]
    pub fn first_group<'t>(&self, text: &'t str) -> Option<&'t str> {
        if self.gives_all {
            return self.whole.get_or_init(|| Regex::new(without_group(&self.text)).ok()).as_ref()?.find(text).map(|found| found.as_str());
        }
        let found = self.captures(text)?;
        found.get(1).or_else(|| found.get(0)).map(|group| group.as_str())
    }

    /// The groups of its first match.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.get()?.captures(text)
    }
}

/// The inside of `(…)`, for an expression that is one group.
fn without_group(text: &str) -> &str {
    match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(inside) if !inside.starts_with('?') && regex_syntax::parse(inside).is_ok() => inside,
        _ => text,
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn the_first_group_is_given_and_without_one_the_match() {
        for (regex, given) in [("(b|c)", "b"), ("b.", "b1"), ("b(.)", "1"), ("(b)(.)", "b"), ("(x)?b", "b"), ("(?i)(B1)", "b1")] {
            assert_eq!(LazyRegex::new(regex).unwrap_or_else(|why| panic!("{why}")).first_group("ab1"), Some(given), "{regex}");
        }
        assert!(LazyRegex::new("x").is_ok_and(|regex| regex.first_group("ab1").is_none()));
    }
}
