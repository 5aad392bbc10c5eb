//! Points in time as people read them: RFC 3339, UTC, milliseconds.

use std::fmt;

/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar.
const EPOCH_DAYS: u64 = 719_468;
const DAY_MS: u64 = 86_400_000;
const ERA_DAYS: u64 = 146_097;
/// Last millisecond of the year 9999: RFC 3339 has four digits for it.
const LAST_MS: u64 = 253_402_300_799_999;

/// `2026-01-02T03:04:05.678Z` for milliseconds since 1970 UTC; the end of the year 9999 for all later.
#[must_use]
pub fn format_rfc3339(ms: u64) -> String {
    let ms = ms.min(LAST_MS);
    let (days, in_day) = (ms / DAY_MS, ms % DAY_MS);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", in_day % 1_000)
}

/// Year, month and day of a day since 1970. Howard Hinnant, "chrono-compatible low-level date
/// algorithms": the year begins in March, so that the leap day is its last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + EPOCH_DAYS;
    let (era, in_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let year_in_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_in_era + u64::from(month <= 2), month, day)
}

/// Not a point in time that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnInstant;

impl fmt::Display for NotAnInstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a point in time: use RFC 3339 in UTC, such as 2026-12-31T00:00:00Z, from 1970 on")
    }
}

impl std::error::Error for NotAnInstant {}

/// Milliseconds since 1970 UTC of `YYYY-MM-DDThh:mm:ss[.fraction]Z`. Digits past the millisecond are
/// cut off; a leap second is refused, and so is any offset but `Z`.
///
/// # Errors
/// `NotAnInstant`: what is wrong with the text.
pub fn parse_rfc3339(text: &str) -> Result<u64, NotAnInstant> {
    parse(text).ok_or(NotAnInstant)
}

fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_since_epoch(year, month, day)?;
    Some(days * DAY_MS + hour * 3_600_000 + minute * 60_000 + second * 1_000 + ms)
}

fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (to, width) in out.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *to = part.parse().ok()?;
    }
    parts.next().is_none().then_some(out)
}

fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let shifted = year - u64::from(month <= 2);
    let (era, year_in_era) = (shifted / 400, shifted % 400);
    let from_march = (month + 9) % 12;
    let in_year = (153 * from_march + 2) / 5 + day - 1;
    let days = (era * ERA_DAYS + year_in_era * 365 + year_in_era / 4 - year_in_era / 100 + in_year).checked_sub(EPOCH_DAYS)?;
    // A day that the month does not have comes out as another one.
    (civil(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_points_in_time_come_out_right() {
        assert_eq!(format_rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(format_rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(format_rfc3339(1_767_323_045_678), "2026-01-02T03:04:05.678Z");
        assert_eq!(format_rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(parse_rfc3339("2026-01-02T03:04:05.6789Z"), Ok(1_767_323_045_678));
        assert_eq!(parse_rfc3339("2026-01-02T03:04:05Z"), Ok(1_767_323_045_000));
    }

    #[test]
    fn what_is_no_point_in_time_is_refused() {
        for text in [
            "",
            "2026-01-02",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-02T24:00:00Z",
            "2026-01-02T00:00:60Z",
            "2026-01-02T00:00:00+01:00",
            "2026-1-02T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-01-02T00:00:00.Z",
            "+026-01-02T00:00:00Z",
            "2026-01-02t00:00:00Z",
        ] {
            assert_eq!(parse_rfc3339(text), Err(NotAnInstant), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_millisecond_reads_back(ms in 0..=LAST_MS) {
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(ms)), Ok(ms));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = parse_rfc3339(&text);
        }
    }
}
