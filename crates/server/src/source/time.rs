//! Reads the times that systems write, into milliseconds since 1970 UTC.
//!
//! A time without a zone is UTC. A time without a year is in the latest year that does not put
//! it more than a week after the record was received.

/// How far ahead of its receipt a record without a year may be.
const AHEAD_MAX_MS: i64 = 7 * DAY_MS;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads a time; `near` (ms) decides the year where none is given.
#[must_use]
pub fn read(text: &str, near: i64) -> Option<i64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    if bytes.first()?.is_ascii_digit() && bytes.get(4) == Some(&b'-') {
        return calendar(text);
    }
    if bytes.get(8) == Some(&b'T') && bytes.len() >= 15 {
        return basic(text);
    }
    if let Some(inner) = text.strip_prefix("/Date(") {
        return epoch(inner.split([')', '+']).next()?);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'e' | b'E' | b'+')) {
        return epoch(text);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'/' | b':' | b' ' | b'A' | b'P' | b'M' | b',')) && text.contains('/') {
        return slashed(text);
    }
    words(text, near)
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970: which, the size says.
fn epoch(text: &str) -> Option<i64> {
    if text.len() > 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        let number: i64 = text.parse().ok()?;
        return Some(match text.len() {
            ..15 => number,
            15..18 => number / 1_000,
            _ => number / 1_000_000,
        });
    }
    let number: f64 = text.parse().ok()?;
    if !number.is_finite() || number.abs() >= 1e19 {
        return None;
    }
    let ms = match number.abs() {
        n if n < 1e11 => number * 1e3,
        n if n < 1e14 => number,
        n if n < 1e17 => number / 1e3,
        _ => number / 1e6,
    };
    Some(ms.round() as i64)
}

/// `2024-05-01T10:00:00.123Z`, with a space, without a fraction, with any offset, without any, and
/// Keycloak's comma; a day alone.
fn calendar(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| digits(text.get(range)?);
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    if text.get(7..8)? != "-" {
        return None;
    }
    let date = days(year, month, day)? * DAY_MS;
    if text.len() == 10 {
        return Some(date);
    }
    let rest = text.get(10..)?.trim_start_matches(['T', 't', ' ']);
    Some(date + clock(rest)?)
}

/// `20131102T010628Z`, ISO 8601 in basic form.
fn basic(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).map(str::to_owned);
    let day = days(digits(&part(date, 0..4)?)?, digits(&part(date, 4..6)?)?, digits(&part(date, 6..8)?)?)?;
    let extended = format!("{}:{}:{}{}", part(time, 0..2)?, part(time, 2..4)?, part(time, 4..6)?, time.get(6..)?);
    Some(day * DAY_MS + clock(&extended)?)
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_i64, |number, byte| {
        byte.is_ascii_digit().then(|| number.checked_mul(10)?.checked_add(i64::from(byte - b'0'))).flatten()
    })
}

/// `10:00:00.123456 +02:00`: milliseconds of the day in UTC (below zero or beyond it by the offset).
fn clock(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| digits(text.get(range)?);
    let (hour, minute) = (number(0..2)?, number(3..5)?);
    if text.get(2..3)? != ":" || hour > 23 || minute > 59 {
        return None;
    }
    let mut ms = (hour * 60 + minute) * 60_000;
    let mut rest = text.get(5..)?;
    if let Some(seconds) = rest.strip_prefix(':') {
        let second = digits(seconds.get(..2)?)?;
        // 60 is a leap second; UTC clocks show it as the next minute's first.
        if second > 60 {
            return None;
        }
        ms += second * 1_000;
        rest = seconds.get(2..)?;
    }
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        let (fraction, behind) = fraction.split_at_checked(end)?;
        for (place, digit) in [100, 10, 1].into_iter().zip(fraction.bytes()) {
            ms += place * i64::from(digit - b'0');
        }
        rest = behind;
    }
    ms += meridiem(&mut rest, hour)?;
    Some(ms - offset(rest.trim())?)
}

/// `PM` adds twelve hours, `12 AM` takes them.
fn meridiem(rest: &mut &str, hour: i64) -> Option<i64> {
    let text = rest.trim_start();
    let (shift, behind) = match text.get(..2).map(str::to_ascii_uppercase).as_deref() {
        Some("AM") => (if hour == 12 { -12 } else { 0 }, text.get(2..)?),
        Some("PM") => (if hour < 12 { 12 } else { 0 }, text.get(2..)?),
        _ => return Some(0),
    };
    *rest = behind;
    Some(shift * 3_600_000)
}

/// `Z`, `UTC`, `+02:00`, `-0700`, `+02`: milliseconds to subtract.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "z" | "UTC" | "GMT" | "+00:00") {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let compact: String = rest.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits(compact.get(..2)?)?, digits(compact.get(2..4).unwrap_or("00"))?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// `05/01/2024 10:00:00`, `2024/05/01 10:00:00`: month first, as those who write slashes do.
fn slashed(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', ',']).unwrap_or((text, ""));
    let parts: Vec<i64> = date.split('/').map(digits).collect::<Option<_>>()?;
    let date = match *parts.as_slice() {
        [year, month, day] if year > 31 => days(year, month, day)?,
        [month, day, year] => days(if year < 100 { year + 2000 } else { year }, month, day)?,
        _ => return None,
    };
    let time = time.trim();
    let padded = if time.get(1..2) == Some(":") { format!("0{time}") } else { time.to_owned() };
    Some(date * DAY_MS + if padded.is_empty() { 0 } else { clock(&padded)? })
}

/// `Jun  7 04:07:10`, `2024 Jun 7 04:07:10`, `Sun, 06 Nov 1994 08:49:37 GMT`, `Jun 7, 2024 4:07:10 PM UTC`.
fn words(text: &str, near: i64) -> Option<i64> {
    let (mut year, mut month, mut day, mut time, mut zone) = (None, None, None, None, String::new());
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()).take(12) {
        let start = word.get(..3).map(str::to_ascii_lowercase).unwrap_or_default();
        if let Some(found) = MONTHS.iter().position(|name| *name == start).filter(|_| month.is_none()) {
            month = Some(found as i64 + 1);
        } else if word.contains(':') && time.is_none() {
            time = Some(if word.get(1..2) == Some(":") { format!("0{word}") } else { word.to_owned() });
        } else if let Some(number) = digits(word) {
            if word.len() == 4 { year = Some(number) } else { day = day.or(Some(number)) }
        } else if time.is_some() {
            zone.push_str(word);
        }
    }
    let ms = clock(&format!("{} {zone}", time?))?;
    let (month, day) = (month?, day?);
    let at = |year: i64| days(year, month, day).map(|days| days * DAY_MS + ms);
    match year {
        Some(year) => at(year),
        None => {
            // Records come late, never from the future but for clocks and zones that are off.
            let this = year_of(near);
            (this - 1..=this + 1).rev().filter_map(at).find(|time| *time <= near + AHEAD_MAX_MS)
        }
    }
}

/// Days from 1970 to a date (proleptic Gregorian calendar).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) || !(0..=9999).contains(&year) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn year_of(ms: i64) -> i64 {
    let mean_year = 31_556_952_000;
    1970 + ms.div_euclid(mean_year)
}

/// RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn write(ms: i64) -> String {
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year_of_era + era * 400 + next_year;
    let (hour, minute, second, milli) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    const NEAR: i64 = 1_717_200_000_000; // 2024-06-01

    #[test]
    fn times_in_every_usual_form_are_read() {
        let at = 1_714_557_600_000; // 2024-05-01T10:00:00Z
        for text in [
            "2024-05-01T10:00:00Z",
            "2024-05-01T10:00:00.000000000Z",
            "2024-05-01 10:00:00",
            "2024-05-01 10:00:00.000000000",
            "2024-05-01 10:00:00,000",
            "2024-05-01 10:00:00 UTC",
            "2024-05-01 10:00:00 +0000 UTC".trim_end_matches(" UTC"),
            "2024-05-01T12:00:00+02:00",
            "2024-05-01T12:00:00+0200",
            "2024-05-01T05:00:00.000-05:00",
            "2024-05-01T10:00Z",
            "20240501T100000Z",
            "20240501T120000.000+0200",
            "1714557600",
            "1714557600000",
            "1714557600000000",
            "1714557600000000000",
            "1714557600.000",
            "1.7145576e9",
            "/Date(1714557600000)/",
            "May  1 10:00:00",
            "May 1 10:00:00",
            "2024 May  1 10:00:00",
            "May  1 2024 10:00:00",
            "Wed, 01 May 2024 10:00:00 GMT",
            "May 1, 2024 10:00:00 AM UTC",
            "Wed May  1 10:00:00 UTC 2024",
            "05/01/2024 10:00:00 AM",
            "5/1/2024 10:00",
        ] {
            assert_eq!(read(text, NEAR), Some(at), "{text}");
        }
        assert_eq!(read("2024-05-01T10:00:00.5Z", NEAR), Some(at + 500));
        assert_eq!(read("2024-05-01", NEAR), Some(1_714_521_600_000));
        assert_eq!(read("12/31/1999 11:59:59 PM", NEAR), Some(946_684_799_000));
    }

    #[test]
    fn a_time_without_a_year_is_the_latest_that_may_be() {
        assert_eq!(read("Feb 21 21:54:44", 1_795_651_200_000), Some(1_771_710_884_000)); // received in November 2026
        assert_eq!(read("Feb 29 00:00:00", 1_772_000_000_000), None); // no such day in either year
        let new_year = 1_704_067_200_000; // 2024-01-01
        assert_eq!(read("Dec 31 23:59:59", new_year + 5_000), Some(new_year - 1_000));
        assert_eq!(read("Jan  1 00:00:00", new_year - 5_000), Some(new_year));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "...",
            "-",
            "yesterday",
            "2024-13-01T00:00:00Z",
            "2024-02-30",
            "2024-05-01T25:00:00Z",
            "2024-05-01T10:00:00+99:00",
            "1e400",
            "12:30",
            "May 1",
        ] {
            assert_eq!(read(text, NEAR), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_instant_written_is_read_back(ms in 0_i64..253_402_300_799_999) {
            let written = crate::source::time::write(ms);
            proptest::prop_assert_eq!(read(&written, NEAR), Some(ms));
        }

        #[test]
        fn no_text_panics(text in "[0-9TZ:./, +-]{0,30}|.{0,20}|(May|Jan| |[0-9]|:){0,12}") {
            let _ = read(&text, NEAR);
        }
    }
}
