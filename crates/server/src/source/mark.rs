//! Texts that values are split at.

use memchr::memmem::{Finder, FinderRev};

/// A text to look for, with its searcher made beforehand.
#[derive(Debug, Clone)]
pub struct Mark {
    first: Finder<'static>,
    last: FinderRev<'static>,
}

impl Mark {
    /// Looks for `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { first: Finder::new(text).into_owned(), last: FinderRev::new(text).into_owned() }
    }

    /// What stands before and after the first one.
    #[must_use]
    pub fn split_first<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        self.split_at(text, self.first.find(text.as_bytes())?)
    }

    /// What stands before and after the last one.
    #[must_use]
    pub fn split_last<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        self.split_at(text, self.last.rfind(text.as_bytes())?)
    }

    fn split_at<'t>(&self, text: &'t str, at: usize) -> Option<(&'t str, &'t str)> {
        Some((text.get(..at)?, text.get(at + self.first.needle().len()..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_as_the_standard_library_splits_it() {
        for (text, mark) in [("a/b/c", "/"), ("a::b::c", "::"), ("é|é|é", "|"), ("éé", "é"), ("abc", "x"), ("", "x"), ("abc", "")] {
            assert_eq!(Mark::new(mark).split_first(text), text.split_once(mark), "{text} {mark}");
            assert_eq!(Mark::new(mark).split_last(text), text.rsplit_once(mark), "{text} {mark}");
        }
    }
}
