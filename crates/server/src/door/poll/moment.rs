//! Points in time as vendors write them.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// Milliseconds since 1970 UTC of an RFC 3339 time with any offset. `None` for anything else and
/// for what lies before 1970.
#[must_use]
pub fn from_rfc3339(text: &str) -> Option<u64> {
    let at: Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// Milliseconds since 1970 UTC of an HTTP date, such as `Wed, 21 Oct 2015 07:28:00 GMT`. RFC 9110 §5.6.7.
#[must_use]
pub fn from_http_date(text: &str) -> Option<u64> {
    let at = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

/// `2026-01-02T03:04:05.678Z`; the last time there is for what lies past the year 9999.
#[must_use]
pub fn rfc3339(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
    format!("{at:.3}")
}

/// Year, month, day, hour, minute, second and so on by a `strftime` form, in UTC.
#[must_use]
pub fn formatted(ms: u64, form: &str) -> String {
    let at = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or(Timestamp::MAX);
    at.strftime(form).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_every_vendor_are_read() {
        for (text, ms) in [
            ("2026-01-02T03:04:05.678Z", 1_767_323_045_678),
            ("2026-01-02T03:04:05.6789012Z", 1_767_323_045_678),
            ("2026-01-02T04:04:05+01:00", 1_767_323_045_000),
            ("2026-01-02T03:04:05Z", 1_767_323_045_000),
        ] {
            assert_eq!(from_rfc3339(text), Some(ms), "{text}");
        }
        for text in ["", "yesterday", "2026-01-02", "1960-01-01T00:00:00Z"] {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
        assert_eq!(from_http_date("Fri, 02 Jan 2026 03:04:05 GMT"), Some(1_767_323_045_000));
        assert_eq!(from_http_date("120"), None);
    }

    #[test]
    fn times_are_written_with_milliseconds() {
        assert_eq!(rfc3339(1_767_323_045_678), "2026-01-02T03:04:05.678Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(formatted(1_767_323_045_678, "%Y%m%dT%H%MZ"), "20260102T0304Z");
    }

    proptest! {
        #[test]
        fn every_time_reads_back(ms in 0u64..253_402_000_000_000) {
            prop_assert_eq!(from_rfc3339(&rfc3339(ms)), Some(ms));
        }

        #[test]
        fn no_text_and_no_number_panics(text: String, ms: u64) {
            let _ = (from_rfc3339(&text), from_http_date(&text), rfc3339(ms));
        }
    }
}
