//! Regular expressions that are compiled when they are first asked: a catalogue has hundreds, and most
//! processes meet records of a few kinds.

use std::sync::{Arc, OnceLock};

use regex::{Captures, Regex, RegexSet};

/// A regular expression; its syntax was checked.
#[derive(Debug, Clone)]
pub struct LazyRegex {
    text: String,
    compiled: Arc<OnceLock<Option<Regex>>>,
}

impl LazyRegex {
    /// Checks the syntax.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        regex_syntax::parse(text).map_err(|why| why.to_string())?;
        Ok(Self { text: text.to_owned(), compiled: Arc::default() })
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

    /// The groups of its first match.
    #[must_use]
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.get()?.captures(text)
    }
}

/// Several regular expressions that are looked for at once.
#[derive(Debug, Clone, Default)]
pub struct LazyRegexSet {
    texts: Vec<String>,
    compiled: Arc<OnceLock<Option<RegexSet>>>,
}

impl LazyRegexSet {
    /// A set of expressions that were checked one by one.
    #[must_use]
    pub fn new<'r>(regexes: impl Iterator<Item = &'r LazyRegex>) -> Self {
        Self { texts: regexes.map(|regex| regex.text.clone()).collect(), compiled: Arc::default() }
    }

    /// Positions of those that match; all of them when the set is too large to compile.
    #[must_use]
    pub fn matches(&self, text: &str) -> Vec<usize> {
        match self.compiled.get_or_init(|| RegexSet::new(&self.texts).ok()) {
            Some(set) => set.matches(text).into_iter().collect(),
            None => (0..self.texts.len()).collect(),
        }
    }
}
