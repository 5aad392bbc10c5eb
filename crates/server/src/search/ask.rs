//! What is asked, and the answer: the entries that a line describes, page by page.
//!
//! INVARIANT: an answer covers every entry of its range below the size it names, except for what it
//! lists as unreadable. What was ruled out unread is counted apart from what was looked at.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tlog::Hash;

use crate::search::Index;
use crate::search::cursor::{Cursor, InvalidCursor, Order, mark};
use crate::search::document::{Document, Knowing};
use crate::search::matcher::Matcher;
use crate::search::query::Query;
use crate::search::scan::{Scan, Within};
use crate::source::Catalog;
use crate::source::directory::Directory;
use crate::store::read::{ReadError, StoredEntry};
use crate::store::trail::Trail;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What to look for.
    pub query: Query,
    /// Which entries come first.
    pub order: Order,
    /// Where an earlier answer stopped.
    pub cursor: Option<Cursor>,
    /// Now, ms.
    pub now_ms: u64,
    /// When to stop.
    pub budget: Budget,
}

/// When a search stops and says where it goes on.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// After so many matches, at least 1.
    pub hits: usize,
    /// After so many bytes of matches.
    pub bytes: usize,
    /// After so much time.
    pub time: Duration,
    /// After so many entries were read.
    pub entries: u64,
}

/// Why a search stopped before the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// There are as many matches as were asked for.
    Hits,
    /// The matches are as large as an answer may be.
    Bytes,
    /// It took as long as it may.
    Time,
    /// As many entries were read as may be.
    Entries,
}

impl Stopped {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hits => "limit",
            Self::Bytes => "bytes",
            Self::Time => "time",
            Self::Entries => "entries",
        }
    }
}

/// Entries that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// First of them.
    pub first: u64,
    /// The index behind the last.
    pub end: u64,
    /// Why.
    pub why: String,
}

/// An answer.
#[derive(Debug)]
pub struct Found {
    /// What matches, in the order asked for.
    pub hits: Vec<StoredEntry>,
    /// Size of the tree that the answer covers.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The indexes that this page covers.
    pub range: Range<u64>,
    /// Entries that were read and compared.
    pub read: u64,
    /// Entries in files that were ruled out unread.
    pub ruled_out: u64,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
    /// Why it ends before the end of the log.
    pub stopped: Option<Stopped>,
    /// Where it goes on; none at the end of the log.
    pub next: Option<Cursor>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The cursor is of another search.
    #[error(transparent)]
    Cursor(#[from] InvalidCursor),
    /// The tree cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Searches the log.
///
/// # Errors
/// [`SearchError`]; entries that cannot be read are no error but part of the answer.
pub fn search(trail: &Trail, index: &Index, directory: &Directory, ask: &Ask) -> Result<Found, SearchError> {
    let query = mark(&ask.query);
    let view = trail.view();
    let start = match ask.cursor {
        Some(cursor) if cursor.query == query && cursor.order == ask.order && cursor.size <= view.size => cursor,
        Some(_) => return Err(InvalidCursor.into()),
        None => {
            let at = if ask.order == Order::Newest { view.size } else { 0 };
            Cursor { order: ask.order, at, size: view.size, now_ms: ask.now_ms, query }
        }
    };
    let root = if start.size == view.size { view.root } else { trail.reader().root_at(start.size)? };
    let (mut hits, mut bytes) = (Vec::new(), 0);
    let mut take = |entry: StoredEntry| {
        bytes += entry.raw.len();
        hits.push(entry);
        match bytes >= ask.budget.bytes {
            _ if hits.len() >= ask.budget.hits => Some(Stopped::Hits),
            full => full.then_some(Stopped::Bytes),
        }
    };
    let matcher = Matcher::new(&ask.query, i64::try_from(start.now_ms).unwrap_or(i64::MAX));
    let within = Within::new(trail, index, directory, Arc::clone(&view.state), &matcher);
    let due = if ask.order == Order::Newest { 0..start.at } else { start.at..start.size };
    let mut scan = Scan::new(&within, ask.order, &due, &mut take);
    scan.stop_at(Instant::now() + ask.budget.time, ask.budget.entries);
    scan.run(&due);
    let (seen, ends) = (scan.seen(&due), scan.is_at_end(&due));
    Ok(Found {
        hits,
        size: start.size,
        root,
        range: seen.range,
        read: seen.read,
        ruled_out: seen.ruled_out,
        unreadable: seen.unreadable,
        stopped: seen.stopped.filter(|_| !ends),
        next: (!ends).then_some(Cursor { at: seen.at, ..start }),
    })
}

/// A search without any help, entry by entry: what [`search`] must equal.
///
/// # Errors
/// The log cannot be read.
pub fn naive(trail: &Trail, catalog: &Catalog, directory: &Directory, query: &Query, now_ms: i64) -> Result<Vec<u64>, ReadError> {
    let view = trail.view();
    let knowing = Knowing { catalog, directory, state: &view.state, recent: None };
    let matcher = Matcher::new(query, now_ms);
    let mut hits = Vec::new();
    for index in 0..view.size {
        let entry = trail.reader().entry(index)?;
        if matcher.matches(&Document::new(&entry, knowing)) {
            hits.push(index);
        }
    }
    Ok(hits)
}
