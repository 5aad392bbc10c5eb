//! Counts what was refused, so that each source, reason and minute gives at most one record.
//!
//! A flood of bad input must be visible in the log without becoming a flood of entries itself.
//! Time is passed in; a minute is finished when a later one is drained, and a clock that steps back
//! counts into the first minute that has not been.

use std::collections::BTreeMap;

use super::limits::REFUSAL_PAIRS_MAX;
use super::source_name::SourceName;

const MINUTE_MS: u64 = 60_000;

/// Refusals of one source for one reason in one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRecord {
    /// The source; none if the request named no valid one, or in the overflow count.
    pub source: Option<SourceName>,
    /// The refusal's code; [`Refusals::OVERFLOW`] where pairs were no longer counted apart.
    pub reason: &'static str,
    /// Start of the minute in milliseconds since 1970 UTC.
    pub minute_ms: u64,
    /// How many.
    pub count: u64,
}

/// Counts refusals until they are drained.
#[derive(Debug)]
pub struct Refusals {
    counts: BTreeMap<Pair, u64>,
    pairs_max: usize,
    /// Minutes before this one have been handed out.
    open_from: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    minute: u64,
    source: Option<SourceName>,
    reason: &'static str,
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new(REFUSAL_PAIRS_MAX)
    }
}

impl Refusals {
    /// Reason of the record that counts what found no room of its own.
    pub const OVERFLOW: &'static str = "other_refusals";

    /// Counts at most `pairs_max` pairs apart at once, and all others together.
    #[must_use]
    pub fn new(pairs_max: usize) -> Self {
        Self { counts: BTreeMap::new(), pairs_max, open_from: 0 }
    }

    /// Counts one refusal.
    pub fn count(&mut self, source: Option<&SourceName>, reason: &'static str, now_ms: u64) {
        self.count_many(source, reason, 1, now_ms);
    }

    /// Counts `times` refusals of the same source and reason.
    pub fn count_many(&mut self, source: Option<&SourceName>, reason: &'static str, times: u64, now_ms: u64) {
        if times == 0 {
            return;
        }
        let minute = (now_ms / MINUTE_MS).max(self.open_from);
        let pair = Pair { minute, source: source.cloned(), reason };
        if let Some(count) = self.counts.get_mut(&pair) {
            *count = count.saturating_add(times);
            return;
        }
        let pair = if self.counts.len() < self.pairs_max { pair } else { self.overflow(minute) };
        let count = self.counts.entry(pair).or_insert(0);
        *count = count.saturating_add(times);
    }

    /// The one overflow count: it keeps the minute in which it began, so it takes one place only.
    fn overflow(&self, minute: u64) -> Pair {
        let open = self.counts.keys().find(|pair| pair.reason == Self::OVERFLOW && pair.source.is_none());
        open.cloned().unwrap_or(Pair { minute, source: None, reason: Self::OVERFLOW })
    }

    /// Takes the records of all minutes that are over at `now_ms`, oldest first.
    pub fn drain(&mut self, now_ms: u64) -> Vec<RefusalRecord> {
        self.take_before(now_ms / MINUTE_MS)
    }

    /// Takes everything, the running minute included: for a shutdown.
    pub fn drain_all(&mut self) -> Vec<RefusalRecord> {
        let newest = self.counts.keys().next_back().map_or(0, |pair| pair.minute);
        self.take_before(newest.saturating_add(1))
    }

    fn take_before(&mut self, minute: u64) -> Vec<RefusalRecord> {
        self.open_from = self.open_from.max(minute);
        let open = self.counts.split_off(&Pair { minute, source: None, reason: "" });
        let over = std::mem::replace(&mut self.counts, open);
        let record = |(pair, count): (Pair, u64)| RefusalRecord {
            source: pair.source,
            reason: pair.reason,
            minute_ms: pair.minute.saturating_mul(MINUTE_MS),
            count,
        };
        over.into_iter().map(record).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn source(name: &str) -> SourceName {
        name.parse().unwrap()
    }

    fn record(name: &str, reason: &'static str, minute: u64, count: u64) -> RefusalRecord {
        RefusalRecord { source: Some(source(name)), reason, minute_ms: minute * MINUTE_MS, count }
    }

    #[test]
    fn a_minute_gives_one_record_for_each_source_and_reason() {
        let mut refusals = Refusals::default();
        for now_ms in [60_000, 60_001, 119_999] {
            refusals.count(Some(&source("okta")), "too_deep", now_ms);
        }
        refusals.count(Some(&source("okta")), "empty", 60_000);
        refusals.count_many(Some(&source("okta")), "too_deep", 5, 120_000);
        assert_eq!(refusals.drain(119_999), []);
        assert_eq!(refusals.drain(120_000), [record("okta", "empty", 1, 1), record("okta", "too_deep", 1, 3)]);
        assert_eq!(refusals.drain(120_000), []);
        assert_eq!(refusals.drain_all(), [record("okta", "too_deep", 2, 5)]);
    }

    #[test]
    fn a_clock_that_steps_back_never_gives_a_second_record_for_a_minute() {
        let mut refusals = Refusals::default();
        refusals.count(Some(&source("okta")), "empty", 60_000);
        assert_eq!(refusals.drain(180_000).len(), 1);
        refusals.count(Some(&source("okta")), "empty", 60_000);
        assert_eq!(refusals.drain(180_000), []);
        assert_eq!(refusals.drain(240_000), [record("okta", "empty", 3, 1)]);
    }

    #[test]
    fn pairs_over_the_limit_are_counted_together() {
        let mut refusals = Refusals::default();
        for number in 0..REFUSAL_PAIRS_MAX + 10 {
            refusals.count(Some(&source(&format!("s{number}"))), "empty", 0);
        }
        let records = refusals.drain_all();
        assert_eq!(records.len(), REFUSAL_PAIRS_MAX + 1);
        let together = records.iter().find(|record| record.reason == Refusals::OVERFLOW).unwrap();
        assert_eq!((together.source.as_ref(), together.count), (None, 10));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_record_comes_twice(
            steps in proptest::collection::vec((0usize..4, 0usize..3, 0u64..400_000, any::<bool>()), 1..100)
        ) {
            let mut refusals = Refusals::new(3);
            let (mut counted, mut records) = (0, Vec::new());
            for (name, reason, now_ms, drain) in steps {
                let name = ["a", "b", "c", "d"].into_iter().nth(name).unwrap();
                let reason = ["empty", "too_deep", "key_unknown"].into_iter().nth(reason).unwrap();
                refusals.count(Some(&source(name)), reason, now_ms);
                counted += 1;
                prop_assert!(refusals.counts.len() <= 4);
                if drain {
                    records.extend(refusals.drain(now_ms));
                }
            }
            records.extend(refusals.drain_all());
            prop_assert_eq!(records.iter().map(|record| record.count).sum::<u64>(), counted);
            let distinct: BTreeSet<_> = records.iter().map(|record| (record.minute_ms, &record.source, record.reason)).collect();
            prop_assert_eq!(distinct.len(), records.len());
        }
    }
}
