//! How often each value of a field stands in what is counted.

use std::collections::HashMap;

/// Distinct values counted: a hundred bytes each are 50 MB. What comes new beyond is counted together.
const VALUES_MAX: usize = 500_000;

/// Values of a field and how often each stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    counts: HashMap<String, u64>,
    beyond: u64,
}

impl Values {
    /// Counts a value.
    pub fn add(&mut self, value: &str, count: u64) {
        if let Some(known) = self.counts.get_mut(value) {
            *known += count;
        } else if self.counts.len() < VALUES_MAX {
            self.counts.insert(value.to_owned(), count);
        } else {
            self.beyond += count;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, mut other: Self) {
        if self.counts.len() < other.counts.len() {
            std::mem::swap(self, &mut other);
        }
        for (value, count) in other.counts {
            if let Some(known) = self.counts.get_mut(&value) {
                *known += count;
            } else if self.counts.len() < VALUES_MAX {
                self.counts.insert(value, count);
            } else {
                self.beyond += count;
            }
        }
        self.beyond += other.beyond;
    }

    /// With other names for values, which may then be the same.
    #[must_use]
    pub fn renamed(self, name: impl Fn(String) -> String) -> Self {
        let mut renamed = Self { counts: HashMap::with_capacity(self.counts.len()), beyond: self.beyond };
        for (value, count) in self.counts {
            *renamed.counts.entry(name(value)).or_default() += count;
        }
        renamed
    }

    /// The most frequent values, at most `most`; of equals the least first.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.counts.iter().map(|(value, count)| (value.as_str(), *count)).collect();
        let order = |(a, x): &(&str, u64), (b, y): &(&str, u64)| y.cmp(x).then_with(|| a.cmp(b));
        if all.len() > most && most > 0 {
            all.select_nth_unstable_by(most - 1, order);
        }
        all.truncate(most);
        all.sort_unstable_by(order);
        all
    }

    /// Distinct values; at least so many, if [`Self::beyond`] is not 0.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.counts.len()
    }

    /// Entries with a value.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum::<u64>() + self.beyond
    }

    /// Entries whose value was not counted for itself, because there were too many values.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[(&str, u64)]) -> Values {
        let mut all = Values::default();
        values.iter().for_each(|(value, count)| all.add(value, *count));
        all
    }

    #[test]
    fn the_most_frequent_come_first_and_equals_by_name() {
        let values = of(&[("a", 1), ("c", 3), ("b", 3), ("a", 1), ("d", 9)]);
        assert_eq!(values.top(3), [("d", 9), ("b", 3), ("c", 3)]);
        assert_eq!(values.top(9).len(), 4);
        assert_eq!(values.top(0), []);
        assert_eq!((values.distinct(), values.total(), values.beyond()), (4, 17, 0));
    }

    #[test]
    fn merging_adds_up_in_either_direction_and_names_may_become_the_same() {
        let (small, large) = (of(&[("a", 1)]), of(&[("a", 2), ("b", 1)]));
        for (mut one, other) in [(small.clone(), large.clone()), (large, small)] {
            one.merge(other);
            assert_eq!(one.top(2), [("a", 3), ("b", 1)]);
            assert_eq!(one.renamed(|_| "x".to_owned()).top(2), [("x", 4)]);
        }
    }

    #[test]
    fn values_beyond_the_limit_are_counted_together() {
        let mut values = Values::default();
        (0..VALUES_MAX).for_each(|n| values.add(&n.to_string(), 1));
        values.add("one more", 5);
        values.add("7", 1);
        values.merge(of(&[("another", 2)]));
        assert_eq!((values.distinct(), values.beyond()), (VALUES_MAX, 7));
        assert_eq!(values.total(), VALUES_MAX as u64 + 8);
        assert_eq!(values.top(1), [("7", 2)]);
    }
}
