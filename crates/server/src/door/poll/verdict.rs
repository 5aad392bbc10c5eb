//! What an answer's status and headers mean for the next request, the same for every vendor.

use http::{HeaderMap, StatusCode};

use crate::door::poll::moment;

/// Longest a vendor may make us wait by a header: a day-long value is a mistake, and asking again
/// after an hour costs one request.
const WAIT_MS_MAX: u64 = 3_600_000;
/// A reset below this is a number of seconds from now (IETF draft), one above it an epoch second.
const EPOCH_S_MIN: u64 = 1_000_000_000;
/// Where vendors say how many requests are left.
const REMAINING: [&str; 3] = ["x-rate-limit-remaining", "x-ratelimit-remaining", "ratelimit-remaining"];
/// Where vendors say when there are more.
const RESET: [&str; 3] = ["x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset"];

/// What to do about an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Read it. `pause_until_ms` is there when the vendor has no more requests for us until then.
    Read {
        /// When the next request may go, ms since 1970.
        pause_until_ms: Option<u64>,
    },
    /// Too many requests; `None` when the vendor did not say for how long.
    Slow {
        /// When the next request may go, ms since 1970.
        until_ms: Option<u64>,
    },
    /// The vendor's own trouble: again, after a back-off.
    Again,
    /// The token is not, or no longer, good.
    Unauthorized,
    /// The token may not read this.
    Forbidden,
    /// What was asked is wrong: the page's cursor, if one was given, else the settings.
    Refused,
}

/// Judges a status and its headers at `now_ms`.
#[must_use]
pub fn judge(status: StatusCode, headers: &HeaderMap, now_ms: u64) -> Verdict {
    let spent = number(headers, &REMAINING) == Some(0);
    match status.as_u16() {
        200..=299 => Verdict::Read { pause_until_ms: spent.then(|| reset(headers, now_ms)).flatten() },
        429 => Verdict::Slow { until_ms: retry_after(headers, now_ms).or_else(|| reset(headers, now_ms)) },
        // GitHub says so with 403 when a limit is spent. https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
        403 if spent || headers.contains_key("retry-after") => {
            Verdict::Slow { until_ms: retry_after(headers, now_ms).or_else(|| reset(headers, now_ms)) }
        }
        401 => Verdict::Unauthorized,
        403 => Verdict::Forbidden,
        503 if headers.contains_key("retry-after") => Verdict::Slow { until_ms: retry_after(headers, now_ms) },
        408 | 425 | 500..=599 => Verdict::Again,
        _ => Verdict::Refused,
    }
}

fn text<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok()).map(str::trim)
}

fn number(headers: &HeaderMap, names: &[&str]) -> Option<u64> {
    // Some gateways send `1.0`.
    let text = text(headers, names)?;
    text.split_once('.').map_or(text, |(whole, _)| whole).parse().ok()
}

fn retry_after(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let text = text(headers, &["retry-after"])?;
    let until = match text.parse::<u64>() {
        Ok(seconds) => now_ms.saturating_add(seconds.saturating_mul(1_000)),
        Err(_) => moment::from_http_date(text)?,
    };
    Some(bounded(until, now_ms))
}

fn reset(headers: &HeaderMap, now_ms: u64) -> Option<u64> {
    let value = number(headers, &RESET)?;
    let ms = value.saturating_mul(1_000);
    Some(bounded(if value < EPOCH_S_MIN { now_ms.saturating_add(ms) } else { ms }, now_ms))
}

/// At least a second from now, since a clock that differs makes "now" a loop; at most an hour.
fn bounded(until: u64, now_ms: u64) -> u64 {
    until.clamp(now_ms.saturating_add(1_000), now_ms.saturating_add(WAIT_MS_MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_767_323_045_000;

    fn at(status: u16, headers: &[(&'static str, &str)]) -> Verdict {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        judge(StatusCode::from_u16(status).unwrap(), &map, NOW)
    }

    #[test]
    fn a_vendor_that_says_when_is_believed() {
        let until = |ms| Verdict::Slow { until_ms: Some(ms) };
        assert_eq!(at(429, &[("retry-after", "30")]), until(NOW + 30_000));
        assert_eq!(at(429, &[("retry-after", "Fri, 02 Jan 2026 03:05:05 GMT")]), until(NOW + 60_000));
        assert_eq!(at(429, &[("x-rate-limit-reset", "1767323105")]), until(NOW + 60_000));
        assert_eq!(at(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767323105")]), until(NOW + 60_000));
        assert_eq!(at(403, &[("retry-after", "60")]), until(NOW + 60_000));
        assert_eq!(at(503, &[("retry-after", "5")]), until(NOW + 5_000));
        assert_eq!(at(429, &[("ratelimit-reset", "7")]), until(NOW + 7_000));
        assert_eq!(at(429, &[]), Verdict::Slow { until_ms: None });
    }

    #[test]
    fn a_spent_budget_pauses_before_it_is_refused() {
        let spent = at(200, &[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1767323105")]);
        assert_eq!(spent, Verdict::Read { pause_until_ms: Some(NOW + 60_000) });
        let some_left = at(200, &[("x-rate-limit-remaining", "1"), ("x-rate-limit-reset", "1767323105")]);
        assert_eq!(some_left, Verdict::Read { pause_until_ms: None });
    }

    #[test]
    fn every_wait_lies_between_a_second_and_an_hour() {
        for value in ["0", "999999999999999999", "-5", "soon"] {
            let Verdict::Slow { until_ms } = at(429, &[("retry-after", value)]) else { unreachable!("429 is slow") };
            assert!(until_ms.is_none_or(|until| (NOW + 1_000..=NOW + WAIT_MS_MAX).contains(&until)), "{value}");
        }
    }

    #[test]
    fn other_statuses_mean_what_they_say() {
        assert_eq!(at(401, &[]), Verdict::Unauthorized);
        assert_eq!(at(403, &[]), Verdict::Forbidden);
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(at(status, &[]), Verdict::Again, "{status}");
        }
        for status in [302, 400, 404, 410, 422] {
            assert_eq!(at(status, &[]), Verdict::Refused, "{status}");
        }
    }

    proptest! {
        #[test]
        fn no_header_panics(status in 100u16..1000, value in "[ -~]{0,24}", now: u64) {
            let mut map = HeaderMap::new();
            for name in ["retry-after", "x-rate-limit-remaining", "x-ratelimit-reset"] {
                map.insert(name, value.parse().unwrap());
            }
            let _ = judge(StatusCode::from_u16(status).unwrap(), &map, now);
        }
    }
}
