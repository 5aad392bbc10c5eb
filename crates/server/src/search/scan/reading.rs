//! Reads the entries that a walk comes to and compares them, in the order of the walk. What cannot be read hides nothing
//! else, and is listed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use evidence::act::PayloadFile;
use evidence::leaf::Leaf;

use crate::search::ask::Unreadable;
use crate::search::cursor::Order;
use crate::search::document::Document;
use crate::search::rows::Rows;
use crate::search::scan::Within;
use crate::store::layout;
use crate::store::media::Touched;
use crate::store::read::{FileEntries, OpenFile, ReadError, StoredEntry, altered};

/// Entries that are read at a time, all of one row group: they come to 16 MiB, or one record more.
const READ_ENTRIES: usize = 512;
/// Bytes of matches after which no more of a step is read: what is left is for the next one. Beside them a step holds what
/// each thread read last, and one record of each of its first shares: some 70 MiB of the longest records on two cores, in each
/// of the few searches that run at once.
const STEP_BYTES_MAX: usize = 16 << 20;
/// Ranges reported as unreadable; what is beyond is in the last of them.
const UNREADABLE_MAX: usize = 100;

/// A payload file that covers a stretch, and what is known of it.
#[derive(Clone)]
pub(super) struct Part {
    pub file: PayloadFile,
    /// The entries that may match; all, while nothing is known.
    pub rows: Option<Arc<Rows>>,
    /// Whether all of them do, by what is derived.
    pub exact: bool,
    /// Not there, or not as long as recorded.
    pub gone: bool,
    /// When it was last touched, if that is known.
    pub touched: Option<Touched>,
}

impl Part {
    /// The last entry before `to` that may match.
    pub fn previous(&self, to: u64) -> Option<u64> {
        self.rows.as_ref().map_or(to.checked_sub(1), |rows| rows.previous(to))
    }

    /// The first entry from `from` on that may match.
    pub fn next(&self, from: u64) -> Option<u64> {
        self.rows.as_ref().map_or(Some(from), |rows| rows.next(from))
    }

    fn may_match(&self, index: u64) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.contains(index))
    }
}

/// What could not be read.
#[derive(Debug, Default)]
pub(super) struct Gaps(Vec<Unreadable>);

impl Gaps {
    /// Takes in a range, which lies beside that of the last one or further on.
    pub fn add(&mut self, range: Range<u64>, why: &ReadError) {
        self.merge_one(Unreadable { first: range.start, end: range.end, why: why.to_string() });
    }

    /// Takes in what could not be read elsewhere, further on.
    pub fn merge(&mut self, others: Self) {
        others.0.into_iter().for_each(|other| self.merge_one(other));
    }

    fn merge_one(&mut self, other: Unreadable) {
        let full = self.0.len() >= UNREADABLE_MAX;
        let grows = |last: &Unreadable| full || (last.why == other.why && other.first <= last.end && last.first <= other.end);
        match self.0.last_mut().filter(|last| grows(last)) {
            Some(last) => (last.first, last.end) = (last.first.min(other.first), last.end.max(other.end)),
            None => self.0.push(other),
        }
    }

    /// What of them lies in a range. A step reads further than a page may go: what lies there is the next page's.
    pub fn within(self, range: &Range<u64>) -> Self {
        let clipped = |gap: Unreadable| Unreadable { first: gap.first.max(range.start), end: gap.end.min(range.end), ..gap };
        Self(self.0.into_iter().map(clipped).filter(|gap| gap.first < gap.end).collect())
    }

    /// As an answer lists them.
    pub fn list(self) -> Vec<Unreadable> {
        self.0
    }
}

/// What comparing an entry with the line came to.
#[derive(Debug)]
pub(super) enum Verdict {
    Matches(Box<StoredEntry>),
    Differs,
    /// No time was left for it.
    Late,
    /// It is for the next step.
    Left,
}

/// An entry, and what came of it.
pub(super) type Compared = (u64, Verdict);

/// Some entries that one thread goes through.
pub(super) struct Looking<'a> {
    within: &'a Within<'a>,
    order: Order,
    deadline: Option<Instant>,
    /// Bytes of the matches of the whole step.
    held: &'a AtomicUsize,
    /// What could not be read.
    gaps: Gaps,
    compared: Vec<Compared>,
    /// Of each file and of what is known, the first entry in the walk is compared whatever the time: one of them is
    /// the first of all.
    at_least_one: bool,
    /// That entry is still to come.
    forced: bool,
}

impl<'a> Looking<'a> {
    /// Begins with nothing; at least one entry is compared whatever the time, if so wanted.
    pub fn new(within: &'a Within<'a>, (order, deadline): (Order, Option<Instant>), held: &'a AtomicUsize, at_least_one: bool) -> Self {
        Self { within, order, deadline, held, gaps: Gaps::default(), compared: Vec::new(), at_least_one, forced: at_least_one }
    }

    /// Looks at these entries, which must ascend. Each must stand in the file of its class, if that may match.
    pub fn in_files(mut self, wanted: &[u64], parts: &[Part]) -> (Vec<Compared>, Gaps) {
        let leaves = match self.within.trail.reader().leaves_at(wanted) {
            Ok(leaves) => leaves,
            Err(why) => {
                wanted.iter().for_each(|index| self.gaps.add(*index..index + 1, &why));
                return (Vec::new(), self.gaps);
            }
        };
        // A file that is gone is reported whether or not what stood there could match.
        let is_gone = |leaf: &Leaf| parts.iter().any(|part| part.gone && part.file.class == leaf.class);
        let leaves = wanted.iter().copied().zip(leaves);
        let leaves: Vec<_> = leaves.filter(|(index, leaf)| is_gone(leaf) || may_match(self.within, *index, leaf)).collect();
        for part in parts {
            let is_due = |(index, leaf): &(u64, Leaf)| leaf.class == part.file.class && part.may_match(*index);
            let due: Vec<_> = leaves.iter().copied().filter(is_due).collect();
            self.in_part(part, due);
        }
        for (index, leaf) in &leaves {
            if !parts.iter().any(|part| part.file.class == leaf.class) {
                let why = format!("entry {index} is in none of its files");
                self.gaps.add(*index..index + 1, &ReadError::Damaged { path: layout::PAYLOAD.to_owned(), why });
            }
        }
        self.compared.sort_by_key(|(index, _)| *index);
        (self.compared, self.gaps)
    }

    /// Looks at an entry that stands in no file; gives also how many were not settled by their bytes.
    pub fn at_newest(mut self, entry: StoredEntry) -> (Vec<Compared>, Gaps, u64) {
        if !self.is_late() && !self.within.glance().may_match(entry.leaf.source, &entry.raw, &entry.people) {
            return (vec![(entry.index, Verdict::Differs)], self.gaps, 0);
        }
        self.compare(vec![entry], None);
        (self.compared, self.gaps, 1)
    }

    /// Looks at entries of a file, which must have all of them.
    fn in_part(&mut self, part: &Part, mut due: Vec<(u64, Leaf)>) {
        self.forced = self.at_least_one;
        // A reader may hold it open still: then it would be read as if nothing had happened.
        if part.gone {
            let why = damaged(part, "it is gone, or of another length than recorded");
            due.iter().for_each(|(index, _)| self.gaps.add(*index..index + 1, &why));
            return;
        }
        let known = self.within.index.recent().take(&mut due, part.touched);
        self.compare(known, Some(part));
        if due.is_empty() {
            return;
        }
        self.forced = self.at_least_one;
        match self.within.trail.reader().open(&part.file) {
            Ok(file) => self.in_file(part, &file, &due),
            Err(why) => due.iter().for_each(|(index, _)| self.gaps.add(*index..index + 1, &why)),
        }
    }

    /// Looks at entries of a file that is open, some at a time.
    fn in_file(&mut self, part: &Part, file: &OpenFile, due: &[(u64, Leaf)]) {
        let groups = due.chunk_by(|(one, _), (next, _)| file.group_of(*one) == file.group_of(*next));
        let mut some: Vec<_> = groups.flat_map(|group| group.chunks(READ_ENTRIES)).collect();
        if self.order == Order::Newest {
            some.reverse();
        }
        let mut entries = file.entries(self.within.telling());
        for due in some {
            let due = if self.held.load(Ordering::Relaxed) < STEP_BYTES_MAX { due } else { self.all_but_left(due) };
            if due.is_empty() {
                continue;
            }
            if self.is_late() {
                self.compared.extend(due.iter().map(|(index, _)| (*index, Verdict::Late)));
            } else {
                match self.pick(part, &mut entries, due) {
                    Ok((found, met)) if met == due.len() => self.compare_some(part, due, found),
                    // One by one, so that what cannot be read hides nothing else.
                    _ => due.chunks(1).for_each(|one| self.in_doubt(part, &mut entries, one)),
                }
            }
        }
    }

    /// Leaves entries to the next step, but for the one that is to be compared in any case.
    fn all_but_left<'d>(&mut self, due: &'d [(u64, Leaf)]) -> &'d [(u64, Leaf)] {
        let count = usize::from(self.forced).min(due.len());
        let (wanted, left) = match self.order {
            Order::Newest => {
                let (left, wanted) = due.split_at(due.len() - count);
                (wanted, left)
            }
            Order::Oldest => due.split_at(count),
        };
        self.compared.extend(left.iter().map(|(index, _)| (*index, Verdict::Left)));
        wanted
    }

    fn is_late(&self) -> bool {
        !self.forced && self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Reads those of some entries that may match by their bytes; and how many the file has.
    fn pick(&self, part: &Part, entries: &mut FileEntries<'_>, due: &[(u64, Leaf)]) -> Result<(Vec<StoredEntry>, usize), ReadError> {
        let (within, mut left) = (self.within, due);
        entries.pick(due, &mut |index, raw, people| {
            // By its index it matches: if its bytes do not say so, they are not those that were committed.
            if part.exact {
                return true;
            }
            // Rows come in the order of what is due.
            let of = left.iter().position(|(due, _)| *due == index).and_then(|at| left.split_at_checked(at)).unwrap_or_default().1;
            left = of;
            of.first().is_none_or(|(_, leaf)| within.glance().may_match(leaf.source, raw, people))
        })
    }

    /// Compares what was read of some entries; the others are settled by their bytes.
    fn compare_some(&mut self, part: &Part, due: &[(u64, Leaf)], found: Vec<StoredEntry>) {
        // Else the first of the walk may be among those that are still to be compared.
        self.forced &= !found.is_empty();
        let mut read = found.iter().map(|entry| entry.index).peekable();
        for (index, _) in due {
            if read.next_if_eq(index).is_none() {
                self.compared.push((*index, Verdict::Differs));
            }
        }
        self.compare(found, Some(part));
    }

    /// Looks at one entry beside which something cannot be read.
    fn in_doubt(&mut self, part: &Part, entries: &mut FileEntries<'_>, one: &[(u64, Leaf)]) {
        let Some((index, _)) = one.first() else { return };
        let why = match self.pick(part, entries, one) {
            Ok((found, 1)) => return self.compare_some(part, one, found),
            Ok(_) => damaged(part, &format!("entry {index} is not in it")),
            Err(why) => why,
        };
        self.gaps.add(*index..index + 1, &why);
    }

    /// Compares entries, which ascend, of this file or of none.
    fn compare(&mut self, mut entries: Vec<StoredEntry>, part: Option<&Part>) {
        if self.order == Order::Newest {
            entries.reverse();
        }
        for entry in entries {
            let index = entry.index;
            // One entry may take long: the clock is looked at before each.
            let verdict = if self.is_late() { Some(Verdict::Late) } else { self.compare_one(entry, part) };
            self.forced = false;
            self.compared.extend(verdict.map(|verdict| (index, verdict)));
        }
    }

    /// Compares an entry. Every match is held against its leaf, and so is what should match by its index: whoever alters a
    /// record alters what it is found by.
    fn compare_one(&mut self, entry: StoredEntry, part: Option<&Part>) -> Option<Verdict> {
        let document = Document::new(&entry, self.within.knowing());
        let matches = self.within.matcher.matches(&document);
        if (matches || part.is_some_and(|part| part.exact)) && !entry.is_committed() {
            let path = part.map_or_else(|| layout::PAYLOAD.to_owned(), |part| part.file.name());
            self.gaps.add(entry.index..entry.index + 1, &altered(&path));
            return None;
        }
        if !matches {
            return Some(Verdict::Differs);
        }
        self.within.index.recent().keep(&document, part.and_then(|part| part.touched));
        self.held.fetch_add(entry.raw.len() + entry.facts.len() + entry.people.len(), Ordering::Relaxed);
        Some(Verdict::Matches(Box::new(entry)))
    }
}

fn damaged(part: &Part, why: &str) -> ReadError {
    ReadError::Damaged { path: part.file.name(), why: why.to_owned() }
}

/// Whether an entry may match as far as its leaf tells.
pub(super) fn may_match(within: &Within<'_>, index: u64, leaf: &Leaf) -> bool {
    within.matcher.matches_leaf(index, leaf, &within.state) != Some(false)
}
