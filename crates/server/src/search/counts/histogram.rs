//! How much happened when.

use std::collections::HashMap;

use crate::search::term_index::MINUTE_MS;

/// The shortest interval, ms.
pub const INTERVAL_MS_MIN: i64 = MINUTE_MS;
/// Intervals that people read easily, each a multiple of the one before; ms.
const INTERVALS_MS: [i64; 9] =
    [INTERVAL_MS_MIN, 300_000, 900_000, 3_600_000, 10_800_000, 43_200_000, 86_400_000, 604_800_000, 31_449_600_000];
/// Intervals held: times may lie anywhere, and then longer intervals are taken.
const HELD_MAX: usize = 200_000;

/// Counts by interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// Length of an interval, ms; they are counted from 1970.
    interval_ms: i64,
    counts: HashMap<i64, u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { interval_ms: INTERVAL_MS_MIN, counts: HashMap::new() }
    }
}

impl Histogram {
    /// Counts what happened at a time, ms.
    pub fn add(&mut self, ms: i64, count: u64) {
        *self.counts.entry(ms.div_euclid(self.interval_ms)).or_default() += count;
        if self.counts.len() > HELD_MAX {
            self.lengthen();
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, mut other: Self) {
        while self.interval_ms < other.interval_ms && self.lengthen() {}
        while other.interval_ms < self.interval_ms && other.lengthen() {}
        for (interval, count) in other.counts {
            *self.counts.entry(interval).or_default() += count;
        }
        if self.counts.len() > HELD_MAX {
            self.lengthen();
        }
    }

    /// Takes the next longer intervals; false when there are none: then all times are in four at most.
    fn lengthen(&mut self) -> bool {
        let next = INTERVALS_MS.into_iter().find(|interval| *interval > self.interval_ms);
        // Longer than all of them: twice as long each time.
        let Some(next) = next.or_else(|| self.interval_ms.checked_mul(2)) else { return false };
        let factor = next / self.interval_ms;
        let mut counts = HashMap::new();
        for (interval, count) in self.counts.drain() {
            *counts.entry(interval.div_euclid(factor)).or_default() += count;
        }
        (self.interval_ms, self.counts) = (next, counts);
        true
    }

    /// In intervals of at least this length, if it is one of those there are or a multiple of theirs.
    #[must_use]
    pub fn in_intervals_of(mut self, interval_ms: i64) -> Self {
        if interval_ms > self.interval_ms && interval_ms % self.interval_ms == 0 {
            let factor = interval_ms / self.interval_ms;
            let mut counts = HashMap::new();
            for (interval, count) in self.counts.drain() {
                *counts.entry(interval.div_euclid(factor)).or_default() += count;
            }
            (self.interval_ms, self.counts) = (interval_ms, counts);
        }
        self
    }

    /// In the shortest intervals of which at most `most` lie between the first and the last.
    #[must_use]
    pub fn with_at_most(mut self, most: u64) -> Self {
        let span = |counts: &HashMap<i64, u64>| match (counts.keys().min(), counts.keys().max()) {
            (Some(first), Some(last)) => last.abs_diff(*first).saturating_add(1),
            _ => 0,
        };
        while span(&self.counts) > most.max(2) && self.lengthen() {}
        self
    }

    /// Length of an interval, ms.
    #[must_use]
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// The beginnings of the intervals in which anything happened, ms, with how much, in their order.
    #[must_use]
    pub fn buckets(&self) -> Vec<(i64, u64)> {
        let mut all: Vec<_> = self.counts.iter().map(|(interval, count)| (interval.saturating_mul(self.interval_ms), *count)).collect();
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_interval_is_a_multiple_of_the_one_before() {
        for pair in INTERVALS_MS.windows(2) {
            let [short, long] = pair else { continue };
            assert_eq!(long % short, 0, "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whatever_the_intervals(times in prop::collection::vec(any::<i64>(), 0..200), near in prop::collection::vec(0_i64..10_000_000_000, 0..200), most in 1_u64..300) {
            let (mut one, mut other) = (Histogram::default(), Histogram::default());
            times.iter().for_each(|ms| one.add(*ms, 1));
            near.iter().for_each(|ms| other.add(*ms, 2));
            let other = other.in_intervals_of(3_600_000);
            prop_assert!(other.interval_ms() == 3_600_000);
            one.merge(other);
            let all = one.with_at_most(most);
            prop_assert!(all.buckets().len() as u64 <= most.max(4));
            prop_assert_eq!(all.buckets().iter().map(|(_, count)| count).sum::<u64>(), times.len() as u64 + 2 * near.len() as u64);
        }
    }

    #[test]
    fn the_longest_intervals_hold_the_first_and_the_last_of_all_times() {
        let mut histogram = Histogram::default();
        [i64::MIN, 0, i64::MAX].into_iter().for_each(|ms| histogram.add(ms, 1));
        assert_eq!(histogram.with_at_most(2).buckets().len(), 3);
    }

    #[test]
    fn times_that_lie_anywhere_take_longer_intervals() {
        let mut histogram = Histogram::default();
        (0..=HELD_MAX as i64).for_each(|n| histogram.add(n * INTERVAL_MS_MIN, 1));
        assert_eq!(histogram.interval_ms(), 300_000);
        assert_eq!(histogram.buckets().first(), Some(&(0, 5)));
        assert_eq!(histogram.in_intervals_of(86_400_000).buckets().first(), Some(&(0, 1440)));
    }
}
