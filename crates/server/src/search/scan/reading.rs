//! Reads the entries that a walk comes to. What cannot be read hides nothing else, and is listed.

use std::ops::Range;
use std::sync::Arc;

use evidence::act::PayloadFile;
use evidence::leaf::Leaf;

use crate::search::ask::Unreadable;
use crate::search::rows::Rows;
use crate::search::scan::Within;
use crate::store::layout;
use crate::store::media::Touched;
use crate::store::read::{ReadError, StoredEntry};

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

    /// Takes in an entry of this file whose bytes are not what was committed.
    pub fn add_altered(&mut self, index: u64, path: String) {
        let why = "its bytes are not what its leaf commits to: they were altered".to_owned();
        self.add(index..index + 1, &ReadError::Damaged { path, why });
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
    pub fn within(self, range: &Range<u64>) -> Vec<Unreadable> {
        let clipped = |gap: Unreadable| Unreadable { first: gap.first.max(range.start), end: gap.end.min(range.end), ..gap };
        self.0.into_iter().map(clipped).filter(|gap| gap.first < gap.end).collect()
    }
}

/// Whether an entry may match as far as its leaf tells.
pub(super) fn may_match(within: &Within<'_>, index: u64, leaf: &Leaf) -> bool {
    within.matcher.matches_leaf(index, leaf, &within.state) != Some(false)
}

/// These entries, which must ascend. Each must stand in the file of its class, if that may match.
pub(super) fn read(within: &Within<'_>, wanted: &[u64], parts: &[Part], gaps: &mut Gaps) -> Vec<StoredEntry> {
    let leaves = match within.trail.reader().leaves_at(wanted) {
        Ok(leaves) => leaves,
        Err(why) => {
            wanted.iter().for_each(|index| gaps.add(*index..index + 1, &why));
            return Vec::new();
        }
    };
    let mut entries = Vec::with_capacity(wanted.len());
    // A file that is gone is reported whether or not what stood there could match.
    let is_gone = |leaf: &Leaf| parts.iter().any(|part| part.gone && part.file.class == leaf.class);
    let leaves = wanted.iter().copied().zip(leaves);
    let leaves: Vec<_> = leaves.filter(|(index, leaf)| is_gone(leaf) || may_match(within, *index, leaf)).collect();
    for part in parts {
        let is_due = |(index, leaf): &(u64, Leaf)| leaf.class == part.file.class && part.may_match(*index);
        let due: Vec<_> = leaves.iter().copied().filter(is_due).collect();
        read_part(within, part, &due, &mut entries, gaps);
    }
    for (index, leaf) in &leaves {
        if !parts.iter().any(|part| part.file.class == leaf.class) {
            let why = format!("entry {index} is in none of its files");
            gaps.add(*index..index + 1, &ReadError::Damaged { path: layout::PAYLOAD.to_owned(), why });
        }
    }
    entries.sort_unstable_by_key(|entry: &StoredEntry| entry.index);
    entries
}

/// Reads entries from a file, which must have all of them.
fn read_part(within: &Within<'_>, part: &Part, due: &[(u64, Leaf)], entries: &mut Vec<StoredEntry>, gaps: &mut Gaps) {
    let damaged = |why: &str| ReadError::Damaged { path: part.file.name(), why: why.to_owned() };
    // A reader may hold it open still: then it would be read as if nothing had happened.
    if part.gone {
        let why = damaged("it is gone, or of another length than recorded");
        due.iter().for_each(|(index, _)| gaps.add(*index..index + 1, &why));
        return;
    }
    let (mut due, reader) = (due.to_vec(), within.trail.reader());
    due.retain(|(index, leaf)| {
        let known = within.index.recent().entry(*index, leaf, part.touched);
        let is_unknown = known.is_none();
        entries.extend(known);
        is_unknown
    });
    if let Ok(found) = reader.file_entries(&part.file, &due)
        && found.len() == due.len()
    {
        entries.extend(found);
        return;
    }
    // One by one, so that what cannot be read hides nothing else.
    for one in &due {
        match reader.file_entries(&part.file, std::slice::from_ref(one)) {
            Ok(found) if found.len() == 1 => entries.extend(found),
            Ok(_) => gaps.add(one.0..one.0 + 1, &damaged(&format!("entry {} is not in it", one.0))),
            Err(why) => gaps.add(one.0..one.0 + 1, &why),
        }
    }
}

/// Neighbours that may not stand in files yet.
pub(super) fn read_newest(within: &Within<'_>, range: &Range<u64>, gaps: &mut Gaps) -> Vec<StoredEntry> {
    let reader = within.trail.reader();
    let count = (range.end - range.start) as usize;
    if let Ok(entries) = reader.entries(range.start, count) {
        return entries;
    }
    // One by one, so that what cannot be read hides nothing else.
    let mut entries = Vec::new();
    for index in range.clone() {
        match reader.entry(index) {
            Ok(entry) => entries.push(entry),
            Err(why) => gaps.add(index..index + 1, &why),
        }
    }
    entries
}
