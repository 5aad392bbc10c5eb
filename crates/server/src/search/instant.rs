//! Points in time in a search line: dates and times of ISO 8601, and spans back from now.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// A point in time as it was written: it stands for all of its day, minute or second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First millisecond since 1970 UTC.
    pub from_ms: i64,
    /// The millisecond behind the last.
    pub to_ms: i64,
}

/// What to write, for errors.
pub const FORMS: &str = "write 7d, 12h, 30m (back from now), now, 2026-01-31, 2026-01-31T08:30 or 2026-01-31T08:30:00Z";

const UNITS: [(char, i64); 5] = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000), ('w', 604_800_000)];

/// Reads a time; `None` for what is none. Without an offset it is UTC.
#[must_use]
pub fn read(text: &str, now_ms: i64) -> Option<Span> {
    let one = |ms: i64| Span { from_ms: ms, to_ms: ms.saturating_add(1) };
    if text.eq_ignore_ascii_case("now") {
        return Some(one(now_ms));
    }
    if let Some(unit) = text.chars().last()
        && let Some((_, ms)) = UNITS.iter().find(|(of, _)| of.eq_ignore_ascii_case(&unit))
        && let Some(count) = text.strip_suffix(unit)
        && count.bytes().all(|byte| byte.is_ascii_digit())
    {
        let back = count.parse::<i64>().ok()?.checked_mul(*ms)?;
        return Some(one(now_ms.saturating_sub(back)));
    }
    let digits = |expected: usize| text.len() == expected;
    let lasting = |from_ms: i64, length: i64| Span { from_ms, to_ms: from_ms.saturating_add(length) };
    if digits(10) {
        let date: Date = text.parse().ok()?;
        return Some(lasting(utc(date.at(0, 0, 0, 0))?, 86_400_000));
    }
    let fraction = text.contains('.');
    if let Ok(at) = text.parse::<Timestamp>() {
        let clock = text.get(11..).unwrap_or_default().split(['Z', 'z', '+', '-']).next().unwrap_or_default();
        let length = match clock.bytes().filter(|byte| *byte == b':').count() {
            _ if fraction => 1,
            0 => 3_600_000,
            1 => 60_000,
            _ => 1_000,
        };
        return Some(lasting(at.as_millisecond(), length));
    }
    let at: DateTime = text.parse().ok().filter(|_| text.len() >= 16)?;
    Some(lasting(
        utc(at)?,
        if digits(16) {
            60_000
        } else if fraction {
            1
        } else {
            1_000
        },
    ))
}

fn utc(at: DateTime) -> Option<i64> {
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// `2026-01-31T08:30:00.000Z` for ms since 1970.
#[must_use]
pub fn format(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_time_stands_for_all_of_what_it_names() {
        let at = |text: &str| read(text, 1_000_000_000_000).map(|span| (format(span.from_ms), span.to_ms - span.from_ms));
        let is = |text: &str, start: &str, length: i64| assert_eq!(at(text), Some((start.to_owned(), length)), "{text}");
        is("2026-01-31", "2026-01-31T00:00:00.000Z", 86_400_000);
        is("2026-01-31T08:30", "2026-01-31T08:30:00.000Z", 60_000);
        is("2026-01-31T08:30:01", "2026-01-31T08:30:01.000Z", 1_000);
        is("2026-01-31T08:30:01Z", "2026-01-31T08:30:01.000Z", 1_000);
        is("2026-01-31T08:30:01.5Z", "2026-01-31T08:30:01.500Z", 1);
        is("2026-01-31T08:30:01+02:00", "2026-01-31T06:30:01.000Z", 1_000);
        is("2026-01-31T08:30Z", "2026-01-31T08:30:00.000Z", 60_000);
        is("2026-01-31T08:30+02:00", "2026-01-31T06:30:00.000Z", 60_000);
        is("2026-01-31T08:30:01-02:00", "2026-01-31T10:30:01.000Z", 1_000);
        is("7d", "2001-09-02T01:46:40.000Z", 1);
        is("now", "2001-09-09T01:46:40.000Z", 1);
        for text in ["", "d", "7", "7y", "-7d", "2026-02-30", "2026-1-1", "yesterday", "99999999999999999999d"] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
