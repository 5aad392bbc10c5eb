//! Which entries of a stretch of the log may match: one bit an index.

use std::ops::Range;

/// Indexes in a word of bits.
const WORD: u64 = 64;

/// Indexes from `first` on, each in or out.
#[derive(Clone, Debug)]
pub struct Rows {
    range: Range<u64>,
    /// None at all while nothing was added: of most files, nothing may match.
    bits: Vec<u64>,
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        let same = if self.bits.len() == other.bits.len() { self.bits == other.bits } else { self.is_empty() && other.is_empty() };
        self.range == other.range && same
    }
}

impl Eq for Rows {}

impl Rows {
    /// None of the range.
    #[must_use]
    pub const fn none(range: Range<u64>) -> Self {
        Self { range, bits: Vec::new() }
    }

    /// Makes room for all of the range.
    fn fill_up(&mut self) {
        if self.bits.is_empty() {
            let words = self.range.end.saturating_sub(self.range.start).div_ceil(WORD);
            self.bits = vec![0; words as usize];
        }
    }

    /// All of the range.
    #[must_use]
    pub fn all(range: Range<u64>) -> Self {
        let mut rows = Self::none(range);
        rows.fill_up();
        rows.bits.fill(u64::MAX);
        rows.clear_tail();
        rows
    }

    /// Behind the end of the range no bit is set, so that bits can be counted.
    fn clear_tail(&mut self) {
        let used = (self.range.end.saturating_sub(self.range.start)) % WORD;
        if let Some(last) = self.bits.last_mut().filter(|_| used > 0) {
            *last &= (1 << used) - 1;
        }
    }

    /// The range that it is about.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Adds an index; one outside the range is nobody's.
    pub fn insert(&mut self, index: u64) {
        if !self.range.contains(&index) {
            return;
        }
        self.fill_up();
        let at = index - self.range.start;
        if let Some(word) = self.bits.get_mut((at / WORD) as usize) {
            *word |= 1 << (at % WORD);
        }
    }

    /// Adds what of `range` belongs here.
    pub fn insert_all(&mut self, range: Range<u64>) {
        let from = range.start.max(self.range.start);
        let to = range.end.min(self.range.end);
        if from < to {
            self.fill_up();
        }
        let mut at = from;
        while at < to {
            let within = (at - self.range.start) % WORD;
            let count = (WORD - within).min(to - at);
            let mask = if count == WORD { u64::MAX } else { ((1 << count) - 1) << within };
            if let Some(word) = self.bits.get_mut(((at - self.range.start) / WORD) as usize) {
                *word |= mask;
            }
            at += count;
        }
    }

    /// Keeps what is in `other` too; both are about the same range.
    pub fn intersect(&mut self, other: &Self) {
        debug_assert_eq!(self.range, other.range, "rows of one file");
        if other.bits.is_empty() {
            self.bits = Vec::new();
        }
        for (word, with) in self.bits.iter_mut().zip(&other.bits) {
            *word &= with;
        }
    }

    /// Adds what is in `other`; both are about the same range.
    pub fn unite(&mut self, other: &Self) {
        debug_assert_eq!(self.range, other.range, "rows of one file");
        if !other.bits.is_empty() {
            self.fill_up();
        }
        for (word, with) in self.bits.iter_mut().zip(&other.bits) {
            *word |= with;
        }
    }

    /// What was out is in, and the other way round.
    pub fn invert(&mut self) {
        self.fill_up();
        for word in &mut self.bits {
            *word = !*word;
        }
        self.clear_tail();
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether an index is in.
    #[must_use]
    pub fn contains(&self, index: u64) -> bool {
        let Some(at) = index.checked_sub(self.range.start) else { return false };
        self.bits.get((at / WORD) as usize).is_some_and(|word| word >> (at % WORD) & 1 == 1)
    }

    /// The indexes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.bits.iter().enumerate().flat_map(|(nth, word)| {
            let base = self.range.start + nth as u64 * WORD;
            std::iter::successors((*word != 0).then_some(*word), |left| Some(left & (left - 1)).filter(|left| *left != 0))
                .map(move |left| base + u64::from(left.trailing_zeros()))
        })
    }

    /// The first index at `from` or behind it.
    #[must_use]
    pub fn next(&self, from: u64) -> Option<u64> {
        let from = from.max(self.range.start);
        let at = from - self.range.start;
        let first = (at / WORD) as usize;
        self.bits.get(first..)?.iter().enumerate().find_map(|(nth, word)| {
            let word = if nth == 0 { word & (u64::MAX << (at % WORD)) } else { *word };
            (word != 0).then(|| self.range.start + (first + nth) as u64 * WORD + u64::from(word.trailing_zeros()))
        })
    }

    /// The last index before `to`.
    #[must_use]
    pub fn previous(&self, to: u64) -> Option<u64> {
        let to = to.min(self.range.end);
        let at = to.checked_sub(self.range.start).filter(|at| *at > 0)? - 1;
        let last = (at / WORD) as usize;
        self.bits.get(..=last)?.iter().enumerate().rev().find_map(|(nth, word)| {
            let word = if nth == last { word & (u64::MAX >> (WORD - 1 - at % WORD)) } else { *word };
            (word != 0).then(|| self.range.start + nth as u64 * WORD + u64::from(63 - word.leading_zeros()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_a_set_of_indexes(first in 0_u64..1000, span in 0_u64..300, one in prop::collection::btree_set(0_u64..1400, 0..40), from in 0_u64..1400, more in 0_u64..200) {
            let range = first..first + span;
            let mut rows = Rows::none(range.clone());
            one.iter().for_each(|index| rows.insert(*index));
            let set: BTreeSet<u64> = one.iter().copied().filter(|index| range.contains(index)).collect();
            prop_assert_eq!(rows.iter().collect::<BTreeSet<_>>(), set.clone());
            prop_assert_eq!(rows.len(), set.len() as u64);
            prop_assert_eq!(rows.is_empty(), set.is_empty());
            prop_assert_eq!(rows.next(from), set.range(from..).next().copied());
            prop_assert_eq!(rows.previous(from), set.range(..from).next_back().copied());
            prop_assert!(set.iter().all(|index| rows.contains(*index)));

            let mut stretch = Rows::none(range.clone());
            stretch.insert_all(from..from + more);
            let wanted: BTreeSet<u64> = (from..from + more).filter(|index| range.contains(index)).collect();
            prop_assert_eq!(stretch.iter().collect::<BTreeSet<_>>(), wanted.clone());

            let (mut both, mut either, mut others) = (rows.clone(), rows.clone(), rows);
            both.intersect(&stretch);
            either.unite(&stretch);
            others.invert();
            prop_assert_eq!(both.iter().collect::<BTreeSet<_>>(), &set & &wanted);
            prop_assert_eq!(either.iter().collect::<BTreeSet<_>>(), &set | &wanted);
            let everything: BTreeSet<u64> = range.clone().collect();
            prop_assert_eq!(others.iter().collect::<BTreeSet<_>>(), &everything - &set);
            prop_assert_eq!(Rows::all(range.clone()).len(), span);

            // With none at all, which takes no room.
            let none = Rows::none(range.clone());
            prop_assert_eq!((none.len(), none.next(from), none.previous(from), none.contains(from)), (0, None, None, false));
            let (mut with_none, mut and_none, mut from_none, mut not_none) = (stretch.clone(), stretch.clone(), none.clone(), none.clone());
            with_none.unite(&none);
            and_none.intersect(&none);
            from_none.unite(&stretch);
            not_none.invert();
            let (mut emptied, mut not_stretch) = (stretch.clone(), stretch.clone());
            not_stretch.invert();
            emptied.intersect(&not_stretch);
            prop_assert_eq!((&emptied, stretch == none), (&none, stretch.is_empty()));
            prop_assert_eq!((&with_none, &and_none, &from_none, &not_none), (&stretch, &none, &stretch, &Rows::all(range.clone())));
        }
    }
}
