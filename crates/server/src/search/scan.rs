//! A search over the log: payload files that may hold a match, then what is not in files yet, or the
//! other way round.
//!
//! INVARIANT: an answer covers every entry of its range below the size it names, except for what it
//! lists as unreadable. What was ruled out unread is counted apart from what was looked at.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::act::PayloadFile;
use evidence::fold::TrailState;
use evidence::leaf::Leaf;
use tlog::Hash;

use crate::log::core::stands_in_files_to;
use crate::search::Index;
use crate::search::cursor::{Cursor, InvalidCursor, Order};
use crate::search::document::{Document, Knowing};
use crate::search::matcher::Matcher;
use crate::search::query::Query;
use crate::search::rows::Rows;
use crate::source::Catalog;
use crate::source::directory::Directory;
use crate::store::layout;
use crate::store::read::{ReadError, StoredEntry};
use crate::store::trail::Trail;

/// Entries read at a time. They are held until they are compared, and each may be 1 MiB: 64 MiB in each
/// of the few searches that run at once.
const STEP: u64 = 64;
/// Entries of a step that are read one by one rather than all of it.
const FEW: usize = 8;
/// Ranges reported as unreadable; what is beyond is in the last of them.
const UNREADABLE_MAX: usize = 100;

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

/// A payload file that covers a stretch, and what is known of it.
struct Part {
    file: PayloadFile,
    /// The entries that may match; all, while nothing is known.
    rows: Option<Arc<Rows>>,
    /// Not there, or not as long as recorded.
    gone: bool,
}

impl Part {
    fn may_match(&self, index: u64) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.contains(index))
    }
}

/// A stretch of the log that the same payload files cover; none of what is not in files yet.
struct Stretch {
    range: Range<u64>,
    files: Option<Vec<PayloadFile>>,
}

/// Searches the log.
///
/// # Errors
/// [`SearchError`]; entries that cannot be read are no error but part of the answer.
pub fn search(trail: &Trail, index: &Index, directory: &Directory, ask: &Ask) -> Result<Found, SearchError> {
    let query = crc32c::crc32c(ask.query.to_string().as_bytes());
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
    let due = if ask.order == Order::Newest { 0..start.at } else { start.at..start.size };
    let mut scan = Scan {
        trail,
        index,
        directory,
        matcher: Matcher::new(&ask.query, i64::try_from(start.now_ms).unwrap_or(i64::MAX)),
        order: ask.order,
        budget: ask.budget,
        began: Instant::now(),
        state: Arc::clone(&view.state),
        known: HashMap::new(),
        at: start.at,
        bytes: 0,
        found: Found {
            hits: Vec::new(),
            size: start.size,
            root,
            range: due.clone(),
            read: 0,
            ruled_out: 0,
            unreadable: Vec::new(),
            stopped: None,
            next: None,
        },
    };
    scan.run(&due);
    let mut found = scan.found;
    let range = if ask.order == Order::Newest { scan.at..start.at } else { start.at..scan.at };
    let ends = if ask.order == Order::Newest { scan.at == 0 } else { scan.at == start.size };
    found.range = range;
    let unread: u64 = found.unreadable.iter().map(|gap| gap.end - gap.first).sum();
    found.ruled_out = (found.range.end - found.range.start).saturating_sub(found.read).saturating_sub(unread);
    found.next = (!ends).then_some(Cursor { at: scan.at, ..start });
    if ends {
        found.stopped = None;
    }
    Ok(found)
}

struct Scan<'a> {
    trail: &'a Trail,
    index: &'a Index,
    directory: &'a Directory,
    matcher: Matcher,
    order: Order,
    budget: Budget,
    began: Instant,
    state: Arc<TrailState>,
    /// What may match in a file that covers several stretches, by its name.
    known: HashMap<String, Option<Arc<Rows>>>,
    /// As in [`Cursor`].
    at: u64,
    bytes: usize,
    found: Found,
}

impl Scan<'_> {
    fn run(&mut self, due: &Range<u64>) {
        let mut stretches = stretches(&self.state, due);
        if self.order == Order::Newest {
            stretches.reverse();
        }
        for stretch in stretches {
            let goes_on = match stretch.files {
                Some(files) => {
                    let parts: Vec<_> = files.into_iter().map(|file| self.part(file)).collect();
                    self.in_files(&stretch.range, &parts)
                }
                None => self.in_tail(&stretch.range),
            };
            if !goes_on || self.is_over() {
                return;
            }
        }
    }

    /// What is left of a range when everything up to `self.at` is done.
    fn left(&self, range: &Range<u64>) -> Range<u64> {
        match self.order {
            Order::Newest => range.start..range.end.min(self.at),
            Order::Oldest => range.start.max(self.at)..range.end,
        }
    }

    /// The next entries to look at, from the end where the order begins.
    fn step(&self, left: &Range<u64>) -> Range<u64> {
        match self.order {
            Order::Newest => left.end.saturating_sub(STEP).max(left.start)..left.end,
            Order::Oldest => left.start..(left.start + STEP).min(left.end),
        }
    }

    /// Everything of this range is done.
    fn pass(&mut self, range: &Range<u64>) {
        self.at = if self.order == Order::Newest { range.start } else { range.end };
    }

    /// Goes through a stretch in payload files, from candidate to candidate; false when the search is over.
    fn in_files(&mut self, range: &Range<u64>, parts: &[Part]) -> bool {
        loop {
            let left = self.left(range);
            let next = match self.order {
                Order::Newest => parts.iter().filter_map(|part| part.rows.as_ref().map_or(left.end.checked_sub(1), |rows| rows.previous(left.end))).max(),
                Order::Oldest => parts.iter().filter_map(|part| part.rows.as_ref().map_or(Some(left.start), |rows| rows.next(left.start))).min(),
            };
            // A range that no file covers is looked at, and reported.
            let next = if parts.is_empty() { Some(left.start) } else { next };
            let Some(next) = next.filter(|next| left.contains(next)) else {
                self.pass(range);
                return true;
            };
            let due = match self.order {
                _ if parts.is_empty() => left,
                Order::Newest => self.step(&(left.start..next + 1)),
                Order::Oldest => self.step(&(next..left.end)),
            };
            let entries = self.read(&due, parts);
            if !self.look_at(entries) {
                return false;
            }
            self.pass(&due);
            if self.is_over() {
                return false;
            }
        }
    }

    /// Goes through entries that may not stand in files yet; false when the search is over.
    fn in_tail(&mut self, range: &Range<u64>) -> bool {
        loop {
            let left = self.left(range);
            if left.is_empty() {
                return true;
            }
            let due = self.step(&left);
            let entries = self.read_tail(&due);
            if !self.look_at(entries) {
                return false;
            }
            self.pass(&due);
            if self.is_over() {
                return false;
            }
        }
    }

    fn is_over(&mut self) -> bool {
        if self.found.stopped.is_none() && self.began.elapsed() >= self.budget.time {
            self.found.stopped = Some(Stopped::Time);
        }
        if self.found.stopped.is_none() && self.found.read >= self.budget.entries {
            self.found.stopped = Some(Stopped::Entries);
        }
        self.found.stopped.is_some()
    }

    /// Compares entries, given in ascending order; false when there are enough matches, or no time is left
    /// for more.
    fn look_at(&mut self, mut entries: Vec<StoredEntry>) -> bool {
        if self.order == Order::Newest {
            entries.reverse();
        }
        let state = Arc::clone(&self.state);
        let knowing = Knowing { catalog: self.index.catalog(), directory: self.directory, state: &state };
        for entry in entries {
            self.found.read += 1;
            let matches = self.matcher.matches(&Document::new(&entry, knowing));
            self.at = if self.order == Order::Newest { entry.index } else { entry.index + 1 };
            if !matches {
                // One entry may take long: the clock is looked at after each.
                if self.is_over() {
                    return false;
                }
                continue;
            }
            self.bytes += entry.raw.len();
            self.found.hits.push(entry);
            let full = self.found.hits.len() >= self.budget.hits;
            if full || self.bytes >= self.budget.bytes {
                self.found.stopped = Some(if full { Stopped::Hits } else { Stopped::Bytes });
                return false;
            }
        }
        true
    }

    /// What is known of a file. One that is not as recorded has to be read: then it is reported.
    fn part(&mut self, file: PayloadFile) -> Part {
        let name = file.name();
        let gone = self.trail.media().open_read(&name).and_then(|open| open.len()).ok() != Some(file.bytes);
        let known = self.known.entry(name).or_insert_with(|| {
            let narrowed = self.index.narrow(&file, &self.matcher, self.directory, &self.state);
            narrowed.map(|narrowed| Arc::new(narrowed.rows))
        });
        let rows = if gone { None } else { known.clone() };
        Part { file, rows, gone }
    }

    /// The entries of a step that may match. Each of them must stand in its file.
    fn read(&mut self, step: &Range<u64>, parts: &[Part]) -> Vec<StoredEntry> {
        let leaves = match self.trail.reader().leaves(step.clone()) {
            Ok(leaves) => leaves,
            Err(why) => {
                self.unreadable(step.clone(), &why);
                return Vec::new();
            }
        };
        let (mut entries, mut failed) = (Vec::new(), BTreeSet::new());
        for part in parts {
            match self.read_part(step, part, &leaves) {
                Ok(found) => entries.extend(found),
                Err(why) => {
                    failed.insert(part.file.class);
                    self.unreadable(step.clone(), &why);
                }
            }
        }
        entries.sort_unstable_by_key(|entry: &StoredEntry| entry.index);
        let mut there = entries.iter().map(|entry| entry.index).peekable();
        for (index, leaf) in step.clone().zip(&leaves) {
            if there.next_if_eq(&index).is_some() || failed.contains(&leaf.class) {
                continue;
            }
            let part = parts.iter().find(|part| part.file.class == leaf.class);
            if part.is_none_or(|part| part.may_match(index)) {
                let path = part.map_or_else(|| layout::PAYLOAD.to_owned(), |part| part.file.name());
                self.unreadable(index..index + 1, &ReadError::Damaged { path, why: format!("entry {index} is not in it") });
            }
        }
        entries
    }

    fn read_part(&self, step: &Range<u64>, part: &Part, leaves: &[Leaf]) -> Result<Vec<StoredEntry>, ReadError> {
        // A reader may hold it open still: then it would be read as if nothing had happened.
        if part.gone {
            return Err(ReadError::Damaged { path: part.file.name(), why: "it is gone, or of another length than recorded".into() });
        }
        let reader = self.trail.reader();
        let due: Vec<_> = step.clone().zip(leaves).filter(|(index, leaf)| leaf.class == part.file.class && part.may_match(*index)).collect();
        if due.len() <= FEW {
            let found = due.iter().map(|(index, leaf)| reader.file_entry(&part.file, *index, leaf));
            return found.filter_map(Result::transpose).collect();
        }
        let mut entries = reader.file_entries(&part.file, step.start, leaves)?;
        entries.retain(|entry| part.may_match(entry.index));
        Ok(entries)
    }

    /// Entries of a step that may not stand in files yet.
    fn read_tail(&mut self, step: &Range<u64>) -> Vec<StoredEntry> {
        let reader = self.trail.reader();
        let count = (step.end - step.start) as usize;
        if let Ok(entries) = reader.entries(step.start, count) {
            return entries;
        }
        // One by one, so that what cannot be read hides nothing else.
        let mut entries = Vec::new();
        for index in step.clone() {
            match reader.entry(index) {
                Ok(entry) => entries.push(entry),
                Err(why) => self.unreadable(index..index + 1, &why),
            }
        }
        entries
    }

    fn unreadable(&mut self, range: Range<u64>, why: &ReadError) {
        let why = why.to_string();
        let list = &mut self.found.unreadable;
        let full = list.len() >= UNREADABLE_MAX;
        let grows = |last: &Unreadable| full || (last.why == why && range.start <= last.end && last.first <= range.end);
        match list.last_mut().filter(|last| grows(last)) {
            Some(last) => (last.first, last.end) = (last.first.min(range.start), last.end.max(range.end)),
            None => list.push(Unreadable { first: range.start, end: range.end, why }),
        }
    }
}

/// The stretches of `due`, in ascending order.
fn stretches(state: &TrailState, due: &Range<u64>) -> Vec<Stretch> {
    let in_files = stands_in_files_to(state).clamp(due.start, due.end);
    let files: Vec<_> = state.payload_files.values().filter(|file| file.first < in_files && file.end() > due.start).collect();
    let mut edges: BTreeSet<u64> = files.iter().flat_map(|file| [file.first, file.end()]).collect();
    edges.extend([due.start, in_files]);
    let edges: Vec<u64> = edges.into_iter().filter(|edge| (due.start..=in_files).contains(edge)).collect();
    let mut by_start: Vec<_> = files;
    by_start.sort_unstable_by_key(|file| file.first);
    let mut stretches = Vec::new();
    let (mut open, mut next): (Vec<&PayloadFile>, usize) = (Vec::new(), 0);
    for (from, to) in edges.iter().zip(edges.iter().skip(1)).map(|(from, to)| (*from, *to)) {
        while let Some(file) = by_start.get(next).filter(|file| file.first <= from) {
            open.push(file);
            next += 1;
        }
        open.retain(|file| file.end() > from);
        let covering = open.iter().map(|file| (*file).clone()).collect();
        stretches.push(Stretch { range: from..to, files: Some(covering) });
    }
    if in_files < due.end {
        stretches.push(Stretch { range: in_files..due.end, files: None });
    }
    stretches
}

/// A search without any help, entry by entry: what [`search`] must equal.
///
/// # Errors
/// The log cannot be read.
pub fn naive(trail: &Trail, catalog: &Catalog, directory: &Directory, query: &Query, now_ms: i64) -> Result<Vec<u64>, ReadError> {
    let view = trail.view();
    let knowing = Knowing { catalog, directory, state: &view.state };
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
