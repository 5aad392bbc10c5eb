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
use tlog::Hash;

use crate::log::core::{payload_file_of, stands_in_files_to};
use crate::search::Index;
use crate::search::cursor::{Cursor, InvalidCursor, Order, mark};
use crate::search::document::{Document, Knowing};
use crate::search::matcher::Matcher;
use crate::search::query::Query;
use crate::source::Catalog;
use crate::source::directory::Directory;
use crate::store::layout;
use crate::store::read::{ReadError, StoredEntry};
use crate::store::trail::Trail;

/// Entries read at a time. They are held until they are compared, and each may be 1 MiB: 64 MiB in each
/// of the few searches that run at once.
const STEP: u64 = 64;
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

/// What is known of a payload file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    MayMatch,
    RuledOut,
    /// Not there, or not as long as recorded.
    Gone,
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
        verdicts: HashMap::new(),
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
    /// What is known of a file, by name.
    verdicts: HashMap<String, Verdict>,
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
            let files = stretch.files.map(|files| self.candidates(files));
            if let Some((may, covered)) = &files
                && may.is_empty()
                && *covered
            {
                self.found.ruled_out += stretch.range.end - stretch.range.start;
                self.at = if self.order == Order::Newest { stretch.range.start } else { stretch.range.end };
            } else if !self.stretch(stretch.range, files.map(|(may, _)| may).as_deref()) {
                return;
            }
            if self.is_over() {
                return;
            }
        }
    }

    /// Steps through a stretch; false when the search is over.
    fn stretch(&mut self, range: Range<u64>, files: Option<&[PayloadFile]>) -> bool {
        let (mut from, mut to) = (range.start, range.end);
        while from < to {
            let step = match self.order {
                Order::Newest => to.saturating_sub(STEP).max(from)..to,
                Order::Oldest => from..(from + STEP).min(to),
            };
            let mut entries = match files {
                Some(files) => self.in_files_of(&step, files),
                None => self.in_tail(&step),
            };
            if self.order == Order::Newest {
                entries.reverse();
                to = step.start;
            } else {
                from = step.end;
            }
            if !self.look_at(entries) {
                return false;
            }
            self.at = if self.order == Order::Newest { step.start } else { step.end };
            if self.is_over() {
                return false;
            }
        }
        true
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

    /// Compares entries; false when there are enough matches, or no time is left for more.
    fn look_at(&mut self, entries: Vec<StoredEntry>) -> bool {
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

    /// Files that have to be read, and whether there are any at all. One that is not as recorded has to be:
    /// then it is reported.
    fn candidates(&mut self, files: Vec<PayloadFile>) -> (Vec<PayloadFile>, bool) {
        let covered = !files.is_empty();
        let may = files.into_iter().filter(|file| self.verdict(file) != Verdict::RuledOut);
        (may.collect(), covered)
    }

    fn verdict(&mut self, file: &PayloadFile) -> Verdict {
        let name = file.name();
        if let Some(known) = self.verdicts.get(&name) {
            return *known;
        }
        let verdict = if self.trail.media().open_read(&name).and_then(|open| open.len()).ok() != Some(file.bytes) {
            Verdict::Gone
        } else if self.index.may_match(file, &self.matcher, self.directory, &self.state) {
            Verdict::MayMatch
        } else {
            Verdict::RuledOut
        };
        self.verdicts.insert(name, verdict);
        verdict
    }

    /// Entries of a step that stand in these files. Every entry must stand in one, unless its file was
    /// ruled out.
    fn in_files_of(&mut self, step: &Range<u64>, files: &[PayloadFile]) -> Vec<StoredEntry> {
        let leaves = match self.trail.reader().leaves(step.clone()) {
            Ok(leaves) => leaves,
            Err(why) => {
                self.unreadable(step.clone(), &why);
                return Vec::new();
            }
        };
        let (mut entries, mut failed) = (Vec::new(), BTreeSet::new());
        for file in files {
            let read = match self.verdict(file) {
                // A reader may hold it open still: then it would be read as if nothing had happened.
                Verdict::Gone => {
                    Err(ReadError::Damaged { path: file.name(), why: "it is gone, or of another length than recorded".into() })
                }
                _ => self.trail.reader().file_entries(file, step.start, &leaves),
            };
            match read {
                Ok(found) => entries.extend(found),
                Err(why) => {
                    failed.insert(file.class);
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
            let file = payload_file_of(&self.state, index, leaf.class);
            if file.is_none_or(|file| files.contains(file)) {
                let path = file.map_or_else(|| layout::PAYLOAD.to_owned(), PayloadFile::name);
                self.unreadable(index..index + 1, &ReadError::Damaged { path, why: format!("entry {index} is not in it") });
            }
        }
        entries
    }

    /// Entries of a step that may not stand in files yet.
    fn in_tail(&mut self, step: &Range<u64>) -> Vec<StoredEntry> {
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
