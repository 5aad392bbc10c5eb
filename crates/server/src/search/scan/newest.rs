//! The part of the walk that goes over the newest entries, which stand in no payload file yet.

use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use rayon::prelude::*;

use super::reading::{Compared, Gaps, Looking, may_match};
use super::{FIRST_STEP, Next, Scan, Within};
use crate::search::cursor::Order;
use crate::search::tail::{Ahead, BLOCK_ENTRIES, Tail};
use crate::store::read::StoredEntry;

impl Scan<'_, '_> {
    /// Goes through entries that may not stand in files yet; false when the search is over.
    pub(super) fn in_tail(&mut self, range: &Range<u64>) -> bool {
        let Within { index, matcher, .. } = self.within;
        let from_the_end = self.order == Order::Newest;
        let mut ahead = Ahead::new(self.within, from_the_end, self.deadline);
        let (mut understood, by_bytes) = (0, self.within.glance().rules_out);
        loop {
            let left = self.left(range);
            if left.is_empty() {
                return true;
            }
            let due = Tail::step(&left, from_the_end);
            // What their bytes rule out need not be learnt by whoever waits for an answer, if that is most of them.
            if !by_bytes || understood >= BLOCK_ENTRIES {
                ahead.go(&left);
            }
            let is_candidate = index.tail.candidates(&due, matcher, self.within.knowing());
            if due.clone().any(&is_candidate) {
                let mut entries = read_newest(self.within, &due, &mut self.unreadable);
                entries.retain(|entry| is_candidate(entry.index) && may_match(self.within, entry.index, &entry.leaf));
                let newest = compare(self.within, (self.order, self.deadline), entries);
                understood += newest.understood;
                self.unreadable.merge(newest.gaps);
                if self.look_at(newest.compared) != Next::On {
                    return false;
                }
            }
            self.pass(&due);
            if self.is_over() {
                return false;
            }
        }
    }
}

/// What came of entries that stand in no file.
#[derive(Debug, Default)]
struct Newest {
    /// In the order of the walk.
    compared: Vec<Compared>,
    /// What could not be read.
    gaps: Gaps,
    /// How many were not settled by their bytes.
    understood: u64,
}

/// Compares entries that stand in no file, which ascend, on all cores; in the order of the walk.
fn compare(within: &Within<'_>, walk: (Order, Option<Instant>), mut entries: Vec<StoredEntry>) -> Newest {
    if walk.0 == Order::Newest {
        entries.reverse();
    }
    let compared = |(nth, entry): (usize, StoredEntry)| Looking::new(within, walk, &AtomicUsize::new(0), nth == 0).at_newest(entry);
    let done: Vec<_> = match entries.len() {
        0..FIRST_STEP => entries.into_iter().enumerate().map(compared).collect(),
        _ => entries.into_par_iter().enumerate().map(compared).collect(),
    };
    let mut all = Newest::default();
    for (compared, gaps, understood) in done {
        all.compared.extend(compared);
        all.gaps.merge(gaps);
        all.understood += understood;
    }
    all
}

/// Neighbours that may not stand in files yet.
fn read_newest(within: &Within<'_>, range: &Range<u64>, gaps: &mut Gaps) -> Vec<StoredEntry> {
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
