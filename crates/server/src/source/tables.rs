//! A map's tables: what a vendor's words mean.

use crate::source::glob::{Glob, GlobSet};

/// One table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    words: GlobSet,
    meanings: Vec<String>,
    /// What every other word means: the entry `"*"`.
    otherwise: Option<String>,
}

impl Table {
    /// The table of these words and meanings.
    #[must_use]
    pub fn new<'t>(entries: impl IntoIterator<Item = (&'t String, &'t String)>) -> Self {
        let (mut words, mut meanings, mut otherwise) = (Vec::new(), Vec::new(), None);
        for (word, meaning) in entries {
            if word == "*" {
                otherwise = Some(meaning.clone());
            } else {
                words.push((Glob::Exact(word.clone()), meanings.len()));
                meanings.push(meaning.clone());
            }
        }
        Self { words: GlobSet::new(words), meanings, otherwise }
    }

    /// All that words may mean.
    pub fn meanings(&self) -> impl Iterator<Item = &str> {
        self.meanings.iter().chain(&self.otherwise).map(String::as_str)
    }

    /// What the word means, whatever its case.
    #[must_use]
    pub fn meaning(&self, word: &str) -> Option<&str> {
        let known = self.words.words(word).next().and_then(|nth| self.meanings.get(nth));
        known.or(self.otherwise.as_ref()).map(String::as_str)
    }
}

/// The tables of a map; a few, so that a walk over their names finds one soonest.
#[derive(Debug, Clone, Default)]
pub struct Tables(Vec<(String, Table)>);

impl Tables {
    /// These tables under their names.
    #[must_use]
    pub fn new(tables: impl IntoIterator<Item = (String, Table)>) -> Self {
        Self(tables.into_iter().collect())
    }

    /// The table of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Table> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, table)| table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_in_any_case_and_the_star_stands_for_the_rest() {
        let entries = [("Root", "Admin"), ("IAMUser", "User")].map(|(word, meaning)| (word.to_owned(), meaning.to_owned()));
        let table = Table::new(entries.iter().map(|(word, meaning)| (word, meaning)));
        assert_eq!((table.meaning("root"), table.meaning("iamuser"), table.meaning("other")), (Some("Admin"), Some("User"), None));
        let rest = [("*".to_owned(), "Other".to_owned()), ("a".to_owned(), "A".to_owned())];
        let table = Table::new(rest.iter().map(|(word, meaning)| (word, meaning)));
        assert_eq!((table.meaning("A"), table.meaning(""), table.meaning("*")), (Some("A"), Some("Other"), Some("Other")));
        let tables = Tables::new([("kinds".to_owned(), table)]);
        assert!(tables.get("kinds").is_some() && tables.get("kind").is_none());
    }
}
