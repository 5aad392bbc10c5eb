//! How many events a source usually brings: learned by hour of the week.
//!
//! A login system is busy on Monday at nine and silent on Sunday at four, so each of the 168 hours has
//! its own mean, moved a third of the way with each week. Until an hour has been seen twice the mean
//! of all hours stands in for it, and until [`LEARNING_HOURS`] have passed nothing is expected.

use serde::{Deserialize, Serialize};

/// Hours in a week.
pub const WEEK_HOURS: usize = 168;
/// Hours that must have passed before anything is expected: a day and a night.
pub const LEARNING_HOURS: u64 = 24;
/// Events that must have come before anything is expected.
pub const LEARNING_EVENTS: u64 = 100;
/// Events that a silence must have swallowed before it is one: by chance alone that many stay away
/// once in 20,000 times.
const SWALLOWED_MIN: f64 = 10.0;
/// No learned silence is shorter.
const SILENCE_MIN_MS: u64 = 15 * 60 * 1000;
/// Days for which the longest pause is remembered.
pub const PAUSE_DAYS: usize = 7;

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What one hour of the week usually brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u8)", into = "(u64, u8)")]
pub struct Hour {
    /// Mean, in thousandths of an event an hour.
    pub mean_milli: u64,
    /// Times it was seen, up to 255.
    pub seen: u8,
}

impl From<(u64, u8)> for Hour {
    fn from((mean_milli, seen): (u64, u8)) -> Self {
        Self { mean_milli, seen }
    }
}

impl From<Hour> for (u64, u8) {
    fn from(hour: Hour) -> Self {
        (hour.mean_milli, hour.seen)
    }
}

/// The rate of one source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// By hour of the week; hour 0 is Thursday 00:00 UTC, as 1970 began.
    pub hours: Vec<Hour>,
    /// Hours seen whole.
    pub hours_seen: u64,
    /// Events seen.
    pub events: u64,
    /// The hour under way, counted since 1970, and its events.
    pub hour: u64,
    /// Events of the hour under way.
    pub in_hour: u64,
    /// Longest pause between two events, ms, of each of the last days; the last is today's.
    pub pauses_ms: Vec<u64>,
    /// The day of the last of `pauses_ms`, since 1970.
    pub day: u64,
    /// When the last event was received, ms.
    pub last_ms: Option<u64>,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            hours: vec![Hour::default(); WEEK_HOURS],
            hours_seen: 0,
            events: 0,
            hour: 0,
            in_hour: 0,
            pauses_ms: vec![0; PAUSE_DAYS],
            day: 0,
            last_ms: None,
        }
    }
}

impl Rate {
    /// Whether it has the hours and days that a rate has: what was read from a record may not.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.hours.len() == WEEK_HOURS && self.pauses_ms.len() == PAUSE_DAYS
    }

    /// Counts an event received at `at_ms`.
    pub fn count(&mut self, at_ms: u64) {
        self.pass_to(at_ms);
        if let (Some(last), Some(longest)) = (self.last_ms, self.pauses_ms.last_mut()) {
            *longest = (*longest).max(at_ms.saturating_sub(last));
        }
        self.events = self.events.saturating_add(1);
        self.in_hour = self.in_hour.saturating_add(1);
        self.last_ms = Some(self.last_ms.map_or(at_ms, |last| last.max(at_ms)));
    }

    /// Time passes: hours that are over are learned.
    pub fn pass_to(&mut self, now_ms: u64) {
        let (hour, day) = (now_ms / HOUR_MS, now_ms / DAY_MS);
        if self.hour == 0 {
            // The first hour is not seen whole.
            (self.hour, self.day) = (hour, day);
            return;
        }
        let begun_late = self.hours_seen == 0 && self.events == self.in_hour;
        // Past two weeks of nothing the rest says nothing new.
        for passed in 0..hour.saturating_sub(self.hour).min(2 * WEEK_HOURS as u64) {
            if !(begun_late && passed == 0) {
                self.learn(self.hour + passed);
            }
            self.in_hour = 0;
            self.hours_seen += 1;
        }
        self.hour = self.hour.max(hour);
        for _ in 0..day.saturating_sub(self.day).min(PAUSE_DAYS as u64) {
            self.pauses_ms.rotate_left(1);
            if let Some(today) = self.pauses_ms.last_mut() {
                *today = 0;
            }
        }
        self.day = self.day.max(day);
    }

    fn learn(&mut self, hour: u64) {
        let came = self.in_hour.saturating_mul(1000);
        if let Some(usual) = self.hours.get_mut((hour % WEEK_HOURS as u64) as usize) {
            usual.mean_milli = if usual.seen == 0 { came } else { (usual.mean_milli.saturating_mul(2).saturating_add(came)) / 3 };
            usual.seen = usual.seen.saturating_add(1);
        }
    }

    /// Too little was seen to expect anything.
    #[must_use]
    pub fn is_learning(&self) -> bool {
        self.hours_seen < LEARNING_HOURS || self.events < LEARNING_EVENTS
    }

    /// Events an hour that are usual at this time; `None` while learning.
    #[must_use]
    pub fn usual(&self, at_ms: u64) -> Option<f64> {
        if self.is_learning() {
            return None;
        }
        let own = self.hours.get((at_ms / HOUR_MS % WEEK_HOURS as u64) as usize).filter(|hour| hour.seen >= 2);
        Some(own.map_or_else(|| self.mean(), |hour| hour.mean_milli as f64 / 1000.0))
    }

    fn mean(&self) -> f64 {
        let seen: Vec<_> = self.hours.iter().filter(|hour| hour.seen > 0).map(|hour| hour.mean_milli as f64 / 1000.0).collect();
        seen.iter().sum::<f64>() / (seen.len().max(1)) as f64
    }

    /// Events an hour now, from the part of the hour that has passed (at least five minutes of it).
    #[must_use]
    pub fn now(&self, now_ms: u64) -> f64 {
        let passed = if now_ms / HOUR_MS == self.hour { now_ms % HOUR_MS } else { HOUR_MS };
        let in_hour = if now_ms / HOUR_MS == self.hour { self.in_hour } else { 0 };
        in_hour as f64 * HOUR_MS as f64 / passed.max(5 * 60 * 1000) as f64
    }

    /// How long a pause may be before it is a silence: half as long again as the longest of the last
    /// days. `None`
    /// while learning.
    #[must_use]
    pub fn longest_pause_ms(&self) -> Option<u64> {
        let longest = self.pauses_ms.iter().copied().max().unwrap_or(0);
        (!self.is_learning()).then_some((longest / 2).saturating_add(longest).max(SILENCE_MIN_MS))
    }

    /// Whether a pause from `from_ms` to `now_ms` is a silence by what was learned.
    #[must_use]
    pub fn is_silence(&self, from_ms: u64, now_ms: u64) -> bool {
        let Some(longest) = self.longest_pause_ms() else { return false };
        now_ms.saturating_sub(from_ms) > longest && self.expected(from_ms, now_ms) >= SWALLOWED_MIN
    }

    /// Events usually received between two times; past a week no more are counted.
    fn expected(&self, from_ms: u64, to_ms: u64) -> f64 {
        let mut expected = 0.0;
        let mut at = from_ms;
        for _ in 0..=WEEK_HOURS {
            if at >= to_ms {
                break;
            }
            let end = ((at / HOUR_MS + 1) * HOUR_MS).min(to_ms);
            expected += self.usual(at).unwrap_or(0.0) * (end - at) as f64 / HOUR_MS as f64;
            at = end;
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: u64 = 4 * DAY_MS;

    /// `a_hour` events in each hour of the day from 8 to 18, for `days` days from a Monday on.
    fn office(days: u64, an_hour: u64) -> Rate {
        let mut rate = Rate::default();
        for hour in 0..days * 24 {
            let at = MONDAY + hour * HOUR_MS;
            rate.pass_to(at);
            let busy = if (8..18).contains(&(hour % 24)) { an_hour } else { 0 };
            for n in 0..busy {
                rate.count(at + n * HOUR_MS / an_hour);
            }
        }
        rate.pass_to(MONDAY + days * DAY_MS);
        rate
    }

    #[test]
    fn nothing_is_expected_before_a_day_and_a_hundred_events_have_passed() {
        let rate = office(1, 5);
        assert!(rate.is_learning() && rate.usual(MONDAY).is_none() && rate.longest_pause_ms().is_none());
        assert!(!office(3, 60).is_learning());
        assert!(!rate.is_silence(MONDAY, MONDAY + 90 * DAY_MS));
    }

    #[test]
    fn each_hour_of_the_week_has_its_own_usual_rate() {
        let rate = office(21, 60);
        let at = |hour: u64| rate.usual(MONDAY + 21 * DAY_MS + hour * HOUR_MS);
        assert_eq!((at(9), at(3)), (Some(60.0), Some(0.0)));
    }

    #[test]
    fn a_night_is_no_silence_and_a_dead_morning_is_one() {
        let rate = office(21, 60);
        let evening = MONDAY + 20 * DAY_MS + 18 * HOUR_MS - HOUR_MS / 60;
        let monday = MONDAY + 21 * DAY_MS;
        assert!(!rate.is_silence(evening, monday + 9 * HOUR_MS), "the night is as long as every night");
        assert!(rate.is_silence(evening, monday + 20 * HOUR_MS), "a whole day without anything");
        assert!(!rate.is_silence(monday + 9 * HOUR_MS, monday + 9 * HOUR_MS + 60_000));
    }

    #[test]
    fn a_rate_that_changes_is_followed_within_weeks() {
        let mut rate = office(21, 60);
        for week in 3..9 {
            for hour in 0..WEEK_HOURS as u64 {
                let at = MONDAY + week * 7 * DAY_MS + hour * HOUR_MS;
                rate.pass_to(at);
                for n in 0..6 {
                    rate.count(at + n * 1000);
                }
            }
        }
        let usual = rate.usual(MONDAY + 9 * HOUR_MS);
        assert!(usual.is_some_and(|usual| usual < 15.0), "{usual:?}");
    }

    #[test]
    fn the_rate_now_is_that_of_the_hour_under_way() {
        let mut rate = office(3, 60);
        let noon = MONDAY + 3 * DAY_MS + 12 * HOUR_MS;
        for n in 0..30 {
            rate.count(noon + n * 60_000);
        }
        assert!((rate.now(noon + HOUR_MS / 2) - 60.0).abs() < 0.1);
        assert!(rate.now(noon + 3 * HOUR_MS) < 0.1);
    }
}
