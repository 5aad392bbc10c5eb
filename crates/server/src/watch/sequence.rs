//! One producer's numbering: which numbers never came, which came late, and when it began anew.
//!
//! Nothing is said at once. A number that is missing may be on its way (events overtake each other),
//! so a gap is stated when it stood open for [`GRACE_MS`], and what fills it is stated as late only if
//! the gap had been stated. A number far from the expected one is a new beginning only when the next
//! ones go on from there: one odd number is no reason to call a million events missing.
//!
//! What was stated is known from the records in the log: [`Sequence::stated_gap`] and its sisters mark
//! it, live and after a restart alike, so nothing is stated twice.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::watch::ranges::Ranges;

/// How long a gap may be open before it is stated: collectors and brokers deliver within seconds.
pub const GRACE_MS: u64 = 30_000;
/// Numbers that may be missing at once before the counter is taken to have jumped: a producer of
/// 1,000 events a second that is cut off for four hours.
pub const JUMP_MAX: u64 = 1 << 24;
/// Events in a row that must go on from a far number before it is a new beginning.
const CONFIRM: u64 = 3;
/// How long what is missing is waited for. After a week it stays missing in the records alone.
pub const LATE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// Ranges kept that are missing, of one producer. Of older ones a late arrival is not recognised.
pub const MISSING_MAX: usize = 1_000;

/// What is to be stated of one producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Numbers `first..=last` did not come.
    Gap {
        /// First missing number.
        first: u64,
        /// Last missing number.
        last: u64,
        /// Index of the event before them.
        after: u64,
        /// Index of the event behind them.
        before: u64,
    },
    /// Of numbers stated as missing, `first..=last` came late.
    Filled {
        /// First number.
        first: u64,
        /// Last number.
        last: u64,
    },
    /// The counter began anew: after `was` came `now`.
    Restarted {
        /// The greatest number before.
        was: u64,
        /// The first number of the new counting.
        now: u64,
        /// Index of the first event of the new counting.
        index: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OpenGap {
    missing: Ranges,
    after: u64,
    before: u64,
    since_ms: u64,
}

/// A far number and what followed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Far {
    first: u64,
    last: u64,
    index: u64,
    seen: u64,
}

/// One event's number, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Numbered {
    /// The number.
    pub number: u64,
    /// Index of the event.
    pub index: u64,
    /// When it was received, ms.
    pub received_ms: u64,
    /// When it happened, ms, where that is known.
    pub time_ms: Option<u64>,
}

/// The numbering of one producer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The number expected next.
    next: u64,
    /// Index of the event with the greatest number.
    newest: u64,
    /// Its time.
    newest_time_ms: Option<u64>,
    /// Open and not stated yet, oldest first.
    open: VecDeque<OpenGap>,
    /// Stated as missing and not filled.
    missing: Ranges,
    /// When the newest of them was stated, ms.
    lacked_ms: u64,
    /// Came late into what was stated; not stated yet.
    filled: Ranges,
    filled_since_ms: u64,
    far: Option<Far>,
    restarted: Option<(u64, u64, u64)>,
    /// When it was last heard of, ms.
    heard_ms: u64,
}

impl Sequence {
    /// A numbering of which the first event was seen.
    #[must_use]
    pub fn begin(first: Numbered) -> Self {
        Self {
            next: first.number.saturating_add(1),
            newest: first.index,
            newest_time_ms: first.time_ms,
            open: VecDeque::new(),
            missing: Ranges::default(),
            lacked_ms: 0,
            filled: Ranges::default(),
            filled_since_ms: 0,
            far: None,
            restarted: None,
            heard_ms: first.received_ms,
        }
    }

    /// When it was last heard of, ms.
    #[must_use]
    pub const fn heard_ms(&self) -> u64 {
        self.heard_ms
    }

    /// Stated as missing, and not come since.
    #[must_use]
    pub const fn missing(&self) -> &Ranges {
        &self.missing
    }

    /// Takes an event's number.
    pub fn see(&mut self, event: Numbered) {
        self.heard_ms = event.received_ms;
        if self.fills(event) {
            return;
        }
        let ahead = event.number.checked_sub(self.next);
        if ahead.is_some_and(|ahead| ahead < JUMP_MAX) {
            self.advance(event);
        } else {
            self.see_far(event, ahead.is_some());
        }
    }

    /// A number that was missing: it came late.
    fn fills(&mut self, event: Numbered) -> bool {
        let number = event.number;
        if let Some(gap) = self.open.iter_mut().find(|gap| gap.missing.contains(number)) {
            gap.missing.remove(number, number);
            self.open.retain(|gap| !gap.missing.is_empty());
            return true;
        }
        if !self.missing.contains(number) {
            return false;
        }
        self.missing.remove(number, number);
        if self.filled.is_empty() {
            self.filled_since_ms = event.received_ms;
        }
        self.filled.insert(number, number);
        true
    }

    fn advance(&mut self, event: Numbered) {
        if event.number > self.next {
            let missing = Ranges::of([(self.next, event.number - 1)]);
            self.open.push_back(OpenGap { missing, after: self.newest, before: event.index, since_ms: event.received_ms });
        }
        self.next = event.number.saturating_add(1);
        self.newest = event.index;
        self.newest_time_ms = event.time_ms.or(self.newest_time_ms);
        self.far = None;
    }

    /// A number that was there before, or lies too far ahead: sent again, an odd one, or the first of
    /// a new counting.
    fn see_far(&mut self, event: Numbered, is_ahead: bool) {
        // What is sent again is old; a counter that began anew counts new events.
        let is_old = !is_ahead && event.time_ms.zip(self.newest_time_ms).is_some_and(|(time, newest)| time < newest);
        if is_old {
            return;
        }
        let goes_on = self.far.filter(|far| event.number == far.last.saturating_add(1));
        let far = match goes_on {
            Some(far) => Far { last: event.number, seen: far.seen + 1, ..far },
            None => Far { first: event.number, last: event.number, index: event.index, seen: 1 },
        };
        self.far = Some(far);
        if far.seen >= CONFIRM {
            self.restarted = Some((self.next.saturating_sub(1), far.first, far.index));
            // What the old counting lacks stays missing in the records; nothing can fill it now.
            self.missing = Ranges::default();
            self.next = far.last.saturating_add(1);
            self.newest = event.index;
            self.newest_time_ms = event.time_ms.or(self.newest_time_ms);
            self.far = None;
        }
    }

    /// What is due to be stated at `now_ms`; it counts as stated from here on.
    pub fn due(&mut self, now_ms: u64) -> Vec<Said> {
        let mut said = Vec::new();
        while self.open.front().is_some_and(|gap| gap.since_ms.saturating_add(GRACE_MS) <= now_ms) {
            let Some(gap) = self.open.pop_front() else { break };
            for (first, last) in gap.missing.iter() {
                said.push(Said::Gap { first, last, after: gap.after, before: gap.before });
                self.lacks(first, last, now_ms);
            }
        }
        if self.lacked_ms.saturating_add(LATE_MS) <= now_ms {
            self.missing = Ranges::default();
        }
        if self.filled_since_ms.saturating_add(GRACE_MS) <= now_ms {
            said.extend(self.filled.iter().map(|(first, last)| Said::Filled { first, last }));
            self.filled = Ranges::default();
        }
        said.extend(self.restarted.take().map(|(was, now, index)| Said::Restarted { was, now, index }));
        said
    }

    fn lacks(&mut self, first: u64, last: u64, now_ms: u64) {
        self.lacked_ms = self.lacked_ms.max(now_ms);
        self.missing.insert(first, last);
        while self.missing.len() > MISSING_MAX {
            self.missing.take_first();
        }
    }

    /// A record says that these are missing.
    pub fn stated_gap(&mut self, first: u64, last: u64) {
        for gap in &mut self.open {
            let before = gap.missing.clone();
            gap.missing.remove(first, last);
            if gap.missing != before {
                let mut stated = before;
                for (start, end) in gap.missing.iter() {
                    stated.remove(start, end);
                }
                for (start, end) in stated.iter() {
                    self.missing.insert(start, end);
                    self.lacked_ms = self.lacked_ms.max(self.heard_ms);
                }
            }
        }
        self.open.retain(|gap| !gap.missing.is_empty());
    }

    /// A record says that these came late.
    pub fn stated_filled(&mut self, first: u64, last: u64) {
        self.filled.remove(first, last);
        self.missing.remove(first, last);
    }

    /// A record says that the counter began anew.
    pub fn stated_restart(&mut self, now: u64) {
        if self.restarted.is_some_and(|(_, first, _)| first == now) {
            self.restarted = None;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Events one a second; what was said by a minute after the last.
    fn said(numbers: &[u64]) -> Vec<Said> {
        let mut sequence: Option<Sequence> = None;
        let mut all = Vec::new();
        for (at, number) in numbers.iter().enumerate() {
            let at = at as u64;
            let event = Numbered { number: *number, index: at, received_ms: at * 1000, time_ms: None };
            match &mut sequence {
                None => sequence = Some(Sequence::begin(event)),
                Some(sequence) => {
                    sequence.see(event);
                    all.extend(sequence.due(event.received_ms));
                }
            }
        }
        all.extend(sequence.unwrap().due((numbers.len() as u64 + 60) * 1000));
        all
    }

    #[test]
    fn a_gap_is_stated_once_with_the_events_around_it() {
        assert_eq!(said(&[5, 6, 9, 10]), [Said::Gap { first: 7, last: 8, after: 1, before: 2 }]);
        assert_eq!(said(&[5, 6, 7, 8]), []);
    }

    #[test]
    fn events_that_overtake_each_other_or_come_twice_are_no_gap() {
        assert_eq!(said(&[1, 3, 2, 5, 4, 4, 6, 1, 6]), []);
    }

    #[test]
    fn what_comes_after_its_gap_was_stated_is_stated_as_late() {
        let mut numbers = vec![1, 2, 5];
        numbers.extend(6..60);
        numbers.push(3);
        let gap = Said::Gap { first: 3, last: 4, after: 1, before: 2 };
        assert_eq!(said(&numbers), [gap.clone(), Said::Filled { first: 3, last: 3 }]);
        numbers.push(4);
        assert_eq!(said(&numbers), [gap, Said::Filled { first: 3, last: 4 }]);
    }

    #[test]
    fn a_counter_that_begins_anew_is_no_giant_gap() {
        assert_eq!(said(&[5000, 5001, 1, 2, 3, 4]), [Said::Restarted { was: 5001, now: 1, index: 2 }]);
        let far = 1 << 40;
        assert_eq!(said(&[1, 2, far, far + 1, far + 2, far + 3]), [Said::Restarted { was: 2, now: far, index: 2 }]);
        assert_eq!(said(&[1, 2, far, 3, 4, 5]), [], "one odd number changes nothing");
    }

    #[test]
    fn a_file_that_is_sent_again_is_no_new_beginning() {
        let event = |number, index, time_ms| Numbered { number, index, received_ms: index * 1000, time_ms: Some(time_ms) };
        let mut sequence = Sequence::begin(event(100, 0, 5_000));
        for n in 1..6 {
            sequence.see(event(n, n, n * 10));
        }
        assert_eq!((sequence.due(100_000), sequence.next), (Vec::new(), 101));
    }

    #[test]
    fn the_greatest_number_there_is_does_not_overflow() {
        assert_eq!(said(&[u64::MAX - 1, u64::MAX, u64::MAX, 0, 1, 2]), [Said::Restarted { was: u64::MAX - 1, now: 0, index: 3 }]);
    }

    #[test]
    fn no_more_is_kept_of_what_is_missing_than_its_bound() {
        let mut sequence = Sequence::begin(Numbered { number: 0, index: 0, received_ms: 0, time_ms: None });
        for n in 1..=2 * MISSING_MAX as u64 {
            sequence.see(Numbered { number: 2 * n, index: n, received_ms: n, time_ms: None });
        }
        assert_eq!(sequence.due(GRACE_MS + 5_000).len(), 2 * MISSING_MAX);
        assert_eq!(sequence.missing().len(), MISSING_MAX);
        assert!(sequence.due(GRACE_MS + 5_000 + LATE_MS).is_empty() && sequence.missing().is_empty(), "a week later none is waited for");
    }

    proptest! {
        /// Any numbers below the jump, in any order: what is stated as missing and never filled is what
        /// did not come.
        #[test]
        fn what_is_missing_in_the_end_is_what_never_came(order in Just((0u64..60).collect::<Vec<_>>()).prop_shuffle(), lost in prop::collection::btree_set(1u64..60, 0..20)) {
            // The first event gives the lowest number that is waited for.
            let mut numbers = vec![0];
            numbers.extend(order.into_iter().filter(|number| *number > 0 && !lost.contains(number)));
            let greatest = numbers.iter().copied().max().unwrap();
            let mut missing = Ranges::default();
            for said in said(&numbers) {
                match said {
                    Said::Gap { first, last, .. } => missing.insert(first, last),
                    Said::Filled { first, last } => missing.remove(first, last),
                    Said::Restarted { .. } => return Ok(()),
                }
            }
            let never: Vec<_> = lost.into_iter().filter(|number| *number < greatest).collect();
            prop_assert_eq!(missing.iter().flat_map(|(first, last)| first..=last).collect::<Vec<_>>(), never);
        }
    }
}
