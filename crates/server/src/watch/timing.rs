//! How late events arrive, how far a producer's clock is ahead, and how much of them is understood:
//! over a window of the newest events.

use std::collections::VecDeque;

use serde::Serialize;

/// Events in the window: the 99th percentile rests on the ten slowest.
pub const WINDOW_EVENTS: usize = 1_000;
/// A clock may be this far ahead before it is called so: what NTP leaves, and rounding.
const AHEAD_MS: i64 = 2_000;

/// The newest events' delays and fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Receive time less event time, ms.
    lags_ms: VecDeque<i64>,
    /// Fields and unmapped fields of each event.
    fields: VecDeque<(u32, u32)>,
}

/// Delays of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// Half of the events took at most this long, ms.
    pub median_ms: i64,
    /// 99 of 100 took at most this long, ms.
    pub p99_ms: i64,
    /// How far the producer's clock is ahead at least, ms: the event furthest in the future. 0 when none
    /// is. A clock that is behind cannot be told from events that come late.
    pub ahead_ms: i64,
}

impl Timing {
    /// Takes an event.
    pub fn see(&mut self, received_ms: u64, time_ms: Option<u64>, fields: u32, unmapped: u32) {
        if let Some(time_ms) = time_ms {
            let lag = i128::from(received_ms) - i128::from(time_ms);
            push(&mut self.lags_ms, i64::try_from(lag).unwrap_or(if lag < 0 { i64::MIN } else { i64::MAX }));
        }
        if fields > 0 {
            push(&mut self.fields, (fields, unmapped.min(fields)));
        }
    }

    /// Delays of the window; `None` when no event had a time.
    #[must_use]
    pub fn lag(&self) -> Option<Lag> {
        let mut lags: Vec<_> = self.lags_ms.iter().copied().collect();
        lags.sort_unstable();
        let at = |percent: usize| lags.get((lags.len() * percent / 100).min(lags.len().saturating_sub(1))).copied();
        let ahead = lags.first().map(|least| least.saturating_neg()).filter(|ahead| *ahead > AHEAD_MS);
        Some(Lag { median_ms: at(50)?, p99_ms: at(99)?, ahead_ms: ahead.unwrap_or(0) })
    }

    /// Which part of the fields no mapping covers, 0 to 1; `None` when nothing was mapped.
    #[must_use]
    pub fn unmapped_share(&self) -> Option<f64> {
        let (fields, unmapped) = self
            .fields
            .iter()
            .fold((0_u64, 0_u64), |(all, not), (fields, unmapped)| (all + u64::from(*fields), not + u64::from(*unmapped)));
        (fields > 0).then(|| unmapped as f64 / fields as f64)
    }
}

fn push<T>(window: &mut VecDeque<T>, item: T) {
    if window.len() == WINDOW_EVENTS {
        window.pop_front();
    }
    window.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_slowest_are_those_of_the_newest_events() {
        let mut timing = Timing::default();
        assert_eq!((timing.lag(), timing.unmapped_share()), (None, None));
        for n in 0..3 * WINDOW_EVENTS as u64 {
            let lag = if n % 50 == 0 { 90_000 } else { 400 };
            timing.see(1_000_000 + lag, Some(1_000_000), 10, 1);
        }
        assert_eq!(timing.lag(), Some(Lag { median_ms: 400, p99_ms: 90_000, ahead_ms: 0 }));
        assert_eq!(timing.unmapped_share(), Some(0.1));
        assert_eq!(timing.lags_ms.len(), WINDOW_EVENTS);
    }

    #[test]
    fn an_event_from_the_future_shows_a_clock_that_is_ahead() {
        let mut timing = Timing::default();
        timing.see(10_000, Some(10_900), 0, 0);
        assert_eq!(timing.lag().map(|lag| lag.ahead_ms), Some(0), "less than two seconds are nobody's fault");
        timing.see(10_000, Some(70_000), 0, 0);
        timing.see(0, Some(u64::MAX), 3, 9);
        assert_eq!(timing.lag().map(|lag| lag.ahead_ms), Some(i64::MAX));
        assert_eq!(timing.unmapped_share(), Some(1.0));
    }
}
