//! The searches behind one answer: all over the same tree, with one deadline, and one account of what they could
//! not look at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::fold::TrailState;
use serde::Serialize;
use tlog::Hash;

use crate::investigate::condition::{all, before, from};
use crate::investigate::moment::Moment;
use crate::search::ask::{Budget, SearchError, Unreadable};
use crate::search::document::Document;
use crate::search::named::Within;
use crate::search::{Ask, CountAsk, Cursor, Order, Query, count, search};
use crate::source::identity::canonical;

/// Matches asked for at a time, and raw bytes of them: what is held at once.
const PAGE: usize = 256;
const PAGE_BYTES: usize = 4 << 20;
/// Ranges reported as unreadable: those of one search and some more.
const UNREADABLE_MAX: usize = 200;

/// What an answer may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Time for all its searches.
    pub time: Duration,
    /// Entries that they read.
    pub entries: u64,
    /// Matches that one of them looks at.
    pub matches: usize,
}

/// What an answer rests on.
#[derive(Clone, Debug, Serialize)]
pub struct Covered {
    /// Entries 0 to the one before this: all of the tree.
    pub to: u64,
    /// Entries that were read and compared; one that was needed for two questions counts twice.
    pub read: u64,
    /// Whether everything needed could be read, and in time.
    pub complete: bool,
    /// Whether time or reading ran out: then there may be more, and less often than is said.
    pub out_of_time: bool,
    /// What could not be looked at.
    #[serde(skip)]
    pub unreadable: Vec<Unreadable>,
}

/// See the module.
pub struct Inquiry<'a> {
    log: Within<'a>,
    state: Arc<TrailState>,
    size: u64,
    root: Hash,
    now_ms: u64,
    deadline: Instant,
    entries: u64,
    matches: usize,
    read: u64,
    out_of_time: bool,
    unreadable: Vec<Unreadable>,
}

impl<'a> Inquiry<'a> {
    /// Of the log as it is now.
    #[must_use]
    pub fn new(log: Within<'a>, now_ms: u64, bounds: Bounds) -> Self {
        let view = log.trail.view();
        Self {
            log,
            state: Arc::clone(&view.state),
            size: view.size,
            root: view.root,
            now_ms,
            deadline: Instant::now() + bounds.time,
            entries: bounds.entries,
            matches: bounds.matches,
            read: 0,
            out_of_time: false,
            unreadable: Vec::new(),
        }
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> Within<'a> {
        self.log
    }

    /// Size and root of the tree that all its searches cover.
    #[must_use]
    pub const fn tree(&self) -> (u64, Hash) {
        (self.size, self.root)
    }

    /// Shows `see` the matches, at most `most` and at most as many as the bounds say; true when there are no more.
    ///
    /// # Errors
    /// [`SearchError`]; entries that cannot be read are no error, see [`Self::covered`].
    pub fn walk(&mut self, query: &Query, order: Order, most: usize, see: &mut dyn FnMut(&Document<'_>)) -> Result<bool, SearchError> {
        let Within { trail, index, directory } = self.log;
        let mut cursor = match order {
            Order::Newest => Cursor::falling(query, self.size, self.now_ms),
            Order::Oldest => Cursor::rising(query, 0, self.size, self.now_ms),
        };
        let (mut seen, most) = (0, most.min(self.matches));
        loop {
            let time = self.deadline.saturating_duration_since(Instant::now());
            let entries = self.entries.saturating_sub(self.read);
            if time.is_zero() || entries == 0 {
                self.out_of_time = true;
                return Ok(false);
            }
            // One more than wanted tells whether there is one.
            let budget = Budget { hits: PAGE.min(most + 1 - seen), bytes: PAGE_BYTES, time, entries };
            let found =
                search(trail, index, directory, &Ask { query: query.clone(), order, cursor: Some(cursor), now_ms: self.now_ms, budget })?;
            self.read += found.read;
            self.note(found.unreadable);
            let knowing = index.knowing(directory, &self.state);
            for entry in &found.hits {
                if seen == most {
                    return Ok(false);
                }
                see(&Document::new(entry, knowing).remembering());
                seen += 1;
            }
            match found.next {
                Some(next) => cursor = next,
                None => return Ok(true),
            }
        }
    }

    /// The first match and the last by the time they happened, if there are any: an import brings late what is old.
    ///
    /// # Errors
    /// [`SearchError`].
    pub fn ends(&mut self, query: &Query) -> Result<Option<(Moment, Moment)>, SearchError> {
        let Within { trail, index, directory } = self.log;
        let time = self.deadline.saturating_duration_since(Instant::now());
        let ask = CountAsk { query: query.clone(), size: Some(self.size), now_ms: self.now_ms, facets: Vec::new(), histogram: true, time };
        let counts = count(trail, index, directory, &ask)?;
        self.out_of_time |= counts.left_out > 0;
        self.note(counts.unreadable);
        let histogram = counts.histogram.unwrap_or_default();
        let buckets = histogram.buckets();
        let (Some((first, _)), Some((last, _))) = (buckets.first(), buckets.last()) else { return Ok(None) };
        let (mut least, mut greatest) = (Moment::END, None);
        for begin in [*first, *last] {
            let interval = all([query.clone(), from(begin), before(begin.saturating_add(histogram.interval_ms()))]);
            // More of them than are looked at lie within this minute.
            self.walk(&interval, Order::Newest, usize::MAX, &mut |document| {
                let moment = Moment::of_document(document);
                (least, greatest) = (least.min(moment), greatest.max(Some(moment)));
            })?;
        }
        Ok(greatest.map(|greatest| (least, greatest)))
    }

    /// The one identity that a name leads to.
    #[must_use]
    pub fn resolved(&self, name: &str) -> String {
        let canonical = canonical(name).unwrap_or_else(|| name.to_owned());
        self.log.directory.resolve(&canonical).to_owned()
    }

    fn note(&mut self, gaps: Vec<Unreadable>) {
        for gap in gaps {
            if self.unreadable.len() < UNREADABLE_MAX && !self.unreadable.contains(&gap) {
                self.unreadable.push(gap);
            }
        }
    }

    /// What the answer rests on so far.
    #[must_use]
    pub fn covered(&self) -> Covered {
        let mut unreadable = self.unreadable.clone();
        unreadable.sort_by_key(|gap| gap.first);
        Covered {
            to: self.size,
            read: self.read,
            complete: unreadable.is_empty() && !self.out_of_time,
            out_of_time: self.out_of_time,
            unreadable,
        }
    }
}
