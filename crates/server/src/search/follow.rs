//! Follows the log with a search line: each entry that matches, in the order of the index, once.
//!
//! INVARIANT: entries below [`Following::at`] were compared and given, or told as unreadable. So whoever
//! keeps that number goes on without a gap and without a repetition, in this process or another.

use crate::search::Index;
use crate::search::ask::{Ask, Budget, Found, SearchError, search};
use crate::search::cursor::{Cursor, Order};
use crate::search::query::Query;
use crate::source::directory::Directory;
use crate::store::trail::Trail;

/// A place in the log, and what is looked for behind it.
#[derive(Clone, Debug)]
pub struct Following {
    query: Query,
    now_ms: u64,
    at: u64,
}

impl Following {
    /// Looks for `query` from the entry `at` on. Times back from now count from `now_ms` for good.
    #[must_use]
    pub const fn from(query: Query, now_ms: u64, at: u64) -> Self {
        Self { query, now_ms, at }
    }

    /// Entries below are dealt with.
    #[must_use]
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// What is looked for.
    #[must_use]
    pub const fn query(&self) -> &Query {
        &self.query
    }

    /// Looks at what the log holds behind [`Following::at`], as far as the budget goes.
    ///
    /// # Errors
    /// [`SearchError`]; then nothing has moved.
    pub fn step(&mut self, trail: &Trail, index: &Index, directory: &Directory, budget: Budget) -> Result<Found, SearchError> {
        let size = trail.view().size;
        let ask = Ask {
            query: self.query.clone(),
            order: Order::Oldest,
            cursor: Some(Cursor::rising(&self.query, self.at, size, self.now_ms)),
            now_ms: self.now_ms,
            budget,
        };
        let found = search(trail, index, directory, &ask)?;
        self.at = found.range.end;
        Ok(found)
    }
}
