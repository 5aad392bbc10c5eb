//! Sets of numbers as ranges.

use serde::{Deserialize, Serialize};

/// Disjoint ranges of numbers, first and last included, in order; no two touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, u64)>")]
pub struct Ranges(Vec<(u64, u64)>);

impl From<Vec<(u64, u64)>> for Ranges {
    /// Whatever was written is put in order.
    fn from(ranges: Vec<(u64, u64)>) -> Self {
        Self::of(ranges)
    }
}

impl Ranges {
    /// From first and last of each, in any order.
    pub fn of(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut set = Self::default();
        for (first, last) in ranges {
            set.insert(first, last);
        }
        set
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }

    /// No number is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ranges in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Numbers in it.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| (last - first).saturating_add(1)).fold(0, u64::saturating_add)
    }

    /// Whether a number is in it.
    pub fn contains(&self, number: u64) -> bool {
        let behind = self.0.partition_point(|(first, _)| *first <= number);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| number <= *last)
    }

    /// Puts `first..=last` in; nothing when they are the wrong way round.
    pub fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let from = self.0.partition_point(|(_, end)| end.saturating_add(1) < first);
        let to = self.0.partition_point(|(start, _)| *start <= last.saturating_add(1));
        let touched = self.0.get(from..to).unwrap_or_default();
        let first = touched.first().map_or(first, |(start, _)| first.min(*start));
        let last = touched.last().map_or(last, |(_, end)| last.max(*end));
        self.0.splice(from..to.max(from), [(first, last)]);
    }

    /// Takes `first..=last` out.
    pub fn remove(&mut self, first: u64, last: u64) {
        let mut left = Vec::with_capacity(self.0.len() + 1);
        for (start, end) in self.0.drain(..) {
            if end < first || start > last {
                left.push((start, end));
                continue;
            }
            if start < first {
                left.push((start, first - 1));
            }
            if end > last {
                left.push((last + 1, end));
            }
        }
        self.0 = left;
    }

    /// Takes the lowest range out.
    pub fn take_first(&mut self) -> Option<(u64, u64)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(steps in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..12), 0..60)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (put, first, more) in steps {
                if put {
                    ranges.insert(first, first + more);
                    set.extend(first..=first + more);
                } else {
                    ranges.remove(first, first + more);
                    set.retain(|number| !(first..=first + more).contains(number));
                }
                prop_assert_eq!(ranges.iter().flat_map(|(first, last)| first..=last).collect::<BTreeSet<_>>(), set.clone());
                prop_assert_eq!(ranges.count(), set.len() as u64);
                prop_assert!(ranges.iter().zip(ranges.iter().skip(1)).all(|((_, end), (start, _))| end + 1 < start));
                prop_assert!((0..80).all(|number| ranges.contains(number) == set.contains(&number)));
            }
        }
    }
}
