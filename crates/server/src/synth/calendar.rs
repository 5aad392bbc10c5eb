//! When the events of a trail happen: evenly through a span, but for nights and weekends.
//!
//! INVARIANT: the time of event n does not decrease with n, and is known without the events before it.

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// How much happens in each hour of a working day (UTC) in a company with people on five continents.
const WORKDAY: [u64; 24] = [22, 20, 19, 21, 26, 31, 37, 47, 58, 64, 66, 64, 63, 71, 82, 88, 90, 88, 80, 70, 58, 46, 35, 27];
/// Of an hour at a weekend in percent of the same on a working day: machines go on.
const WEEKEND_PERCENT: u64 = 35;

/// Times of a number of events over a span.
#[derive(Clone, Debug)]
pub struct Calendar {
    begin_ms: u64,
    events: u64,
    /// What happens before each hour of the span, in hour weights times milliseconds; the last is the sum.
    before: Vec<u64>,
}

impl Calendar {
    /// `events` events over `days` days that begin at `begin_ms`.
    #[must_use]
    pub fn new(begin_ms: u64, days: u64, events: u64) -> Self {
        let mut before = vec![0];
        let mut sum = 0;
        for hour in 0..days * 24 {
            sum += weight(begin_ms + hour * HOUR_MS) * HOUR_MS;
            before.push(sum);
        }
        Self { begin_ms, events: events.max(1), before }
    }

    fn sum(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// When event `number` happens, in ms since 1970 UTC; `jitter` decides where in its share of the span.
    #[must_use]
    pub fn time_ms(&self, number: u64, jitter: u32) -> u64 {
        let share = (u128::from(number) << 32) | u128::from(jitter);
        let place = share * u128::from(self.sum()) / (u128::from(self.events) << 32);
        let place = u64::try_from(place).unwrap_or(u64::MAX).min(self.sum().saturating_sub(1));
        let hour = self.before.partition_point(|before| *before <= place).saturating_sub(1);
        let hour_ms = self.begin_ms + hour as u64 * HOUR_MS;
        hour_ms + (place - self.before.get(hour).copied().unwrap_or(0)) / weight(hour_ms)
    }

    /// The first event that happens at `time_ms` or later whatever its jitter.
    #[must_use]
    pub fn first_at(&self, time_ms: u64) -> u64 {
        let since = time_ms.saturating_sub(self.begin_ms);
        let hour = usize::try_from(since / HOUR_MS).unwrap_or(usize::MAX);
        let Some(before) = self.before.get(hour) else { return self.events };
        let place = before + since % HOUR_MS * weight(self.begin_ms + hour as u64 * HOUR_MS);
        let number = (u128::from(place) * u128::from(self.events)).div_ceil(u128::from(self.sum().max(1)));
        u64::try_from(number).unwrap_or(u64::MAX)
    }
}

/// How much happens in the hour at `at_ms`.
fn weight(at_ms: u64) -> u64 {
    let hour = usize::try_from(at_ms / HOUR_MS % 24).unwrap_or(0);
    let workday = WORKDAY.get(hour).copied().unwrap_or(1);
    // 1 January 1970 was a Thursday: days 2 and 3 from there are Saturday and Sunday.
    let weekend = matches!(at_ms / DAY_MS % 7, 2 | 3);
    if weekend { workday * WEEKEND_PERCENT / 100 } else { workday }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-04-01T00:00:00Z, a Wednesday.
    const BEGIN: u64 = 1_775_001_600_000;

    #[test]
    fn times_do_not_decrease_and_fill_the_span() {
        let calendar = Calendar::new(BEGIN + 1_234_567, 9, 5_000);
        let times: Vec<u64> = (0..5_000).flat_map(|number| [0, 7, u32::MAX].map(|jitter| calendar.time_ms(number, jitter))).collect();
        assert!(times.is_sorted());
        assert!(times.first().is_some_and(|first| *first == BEGIN + 1_234_567));
        assert!(times.last().is_some_and(|last| *last < BEGIN + 1_234_567 + 9 * DAY_MS && *last > BEGIN + 9 * DAY_MS));
    }

    #[test]
    fn the_first_event_of_a_moment_is_found_without_counting() {
        let calendar = Calendar::new(BEGIN, 30, 100_000);
        for minute in [0, 1, 77, 1_440, 20_000, 43_000] {
            let at = BEGIN + minute * 60_000;
            let first = calendar.first_at(at);
            assert!(calendar.time_ms(first, 0) >= at, "minute {minute}");
            assert!(first == 0 || calendar.time_ms(first - 1, 0) < at, "minute {minute}");
        }
        assert_eq!(calendar.first_at(BEGIN + 31 * DAY_MS), 100_000);
    }

    #[test]
    fn nights_and_weekends_are_quieter() {
        let calendar = Calendar::new(BEGIN, 28, 1_000_000);
        let count = |day: u64, hour: u64| {
            let from = BEGIN + day * DAY_MS + hour * HOUR_MS;
            calendar.first_at(from + HOUR_MS) - calendar.first_at(from)
        };
        assert!(count(0, 16) > 4 * count(0, 2), "night");
        assert!(count(0, 16) > 2 * count(3, 16), "Saturday");
    }
}
