//! Where a search goes on. It names the tree and the moment of the first page, so that pages neither
//! repeat nor skip while events arrive.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::search::query::Query;

/// Which entries come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Greatest index first.
    #[default]
    Newest,
    /// Least index first.
    Oldest,
}

/// Where a search goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Order of the first page.
    pub order: Order,
    /// Newest first: entries below are due. Oldest first: this one and those above.
    pub at: u64,
    /// Size of the tree that all pages cover.
    pub size: u64,
    /// Now, for all pages, ms.
    pub now_ms: u64,
    /// Of the query, so that another one is refused.
    pub query: u32,
}

/// Not a cursor that an answer gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no cursor: use `next` of the answer before, unchanged and with the same query and order")]
pub struct InvalidCursor;

impl Cursor {
    /// Of a search that goes down from the newest entry of a tree of `size`.
    #[must_use]
    pub fn falling(query: &Query, size: u64, now_ms: u64) -> Self {
        Self { order: Order::Newest, at: size, size, now_ms, query: mark(query) }
    }

    /// Of a search that goes up from the entry `at` in a tree of `size`.
    #[must_use]
    pub fn rising(query: &Query, at: u64, size: u64, now_ms: u64) -> Self {
        Self { order: Order::Oldest, at: at.min(size), size, now_ms, query: mark(query) }
    }
}

/// What a cursor knows its query by.
pub(super) fn mark(query: &Query) -> u32 {
    crc32c::crc32c(query.to_string().as_bytes())
}

impl Display for Cursor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let order = if self.order == Order::Newest { 'n' } else { 'o' };
        write!(f, "{order}-{}-{}-{}-{:08x}", self.at, self.size, self.now_ms, self.query)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.split('-');
        let order = match parts.next() {
            Some("n") => Order::Newest,
            Some("o") => Order::Oldest,
            _ => return Err(InvalidCursor),
        };
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (at, size, now_ms) = number().zip(number()).zip(number()).map(|((at, size), now)| (at, size, now)).ok_or(InvalidCursor)?;
        let query = parts.next().and_then(|hex| u32::from_str_radix(hex, 16).ok()).ok_or(InvalidCursor)?;
        let cursor = Self { order, at, size, now_ms, query };
        // One spelling, and a place inside the tree.
        if parts.next().is_some() || at > size || cursor.to_string() != text { Err(InvalidCursor) } else { Ok(cursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_and_any_other_text_is_refused(at: u32, more: u32, now_ms: u64, query: u32, newest: bool, text: String) {
            let order = if newest { Order::Newest } else { Order::Oldest };
            let cursor = Cursor { order, at: at.into(), size: u64::from(at) + u64::from(more), now_ms, query };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
            if let Ok(read) = text.parse::<Cursor>() {
                prop_assert_eq!(read.to_string(), text);
            }
        }
    }

    #[test]
    fn a_cursor_outside_its_tree_is_refused() {
        for text in ["", "n", "n-5-4-0-00000000", "x-1-4-0-00000000", "n-1-4-0-0", "n-01-4-0-00000000", "n-1-4-0-00000000-"] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
