//! A `Range` of bytes (RFC 9110 §14), of which one is answered; a request for several is answered with the whole.

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};
use std::ops::Range;

/// What of a body is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of it.
    Whole,
    /// These bytes, at least one.
    Part(Range<u64>),
    /// Bytes that it does not have.
    Beyond,
}

/// What of a body of `length` bytes a request asks for. With another `If-Range` than `etag` the whole.
pub fn wanted(headers: &HeaderMap, etag: &str, length: u64) -> Wanted {
    if headers.get(IF_RANGE).is_some_and(|known| known.as_bytes() != etag.as_bytes()) {
        return Wanted::Whole;
    }
    let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
    range.and_then(|range| parse(range, length)).unwrap_or(Wanted::Whole)
}

/// Nothing for what is no range of bytes, or several: RFC 9110 has them passed over.
fn parse(range: &str, length: u64) -> Option<Wanted> {
    let (first, last) = range.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let range = match (first, last) {
        ("", suffix) => length.saturating_sub(number(suffix)?)..length,
        (first, "") => number(first)?..length,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if range.is_empty() { Wanted::Beyond } else { Wanted::Part(range) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    #[test]
    fn one_range_is_read_as_the_standard_says() {
        for (text, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-4", 2..5),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-30", 0..10),
            ("bytes=9-99", 9..10),
        ] {
            assert_eq!(parse(text, 10), Some(Wanted::Part(range)), "{text}");
        }
        for text in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(parse(text, 10), Some(Wanted::Beyond), "{text}");
        }
        for text in ["", "bytes", "bytes=", "bytes=a-b", "bytes=4-2", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2", "bytes=-"] {
            assert_eq!(parse(text, 10), None, "{text}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_the_whole() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=1-2"));
        assert_eq!(wanted(&headers, "\"a\"", 10), Wanted::Part(1..3));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"b\""));
        assert_eq!(wanted(&headers, "\"a\"", 10), Wanted::Whole);
        assert_eq!(wanted(&headers, "\"b\"", 10), Wanted::Part(1..3));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_lies_within_the_body(text in "(bytes=)?[0-9-]{0,24}|\\PC*", length: u64) {
            if let Some(Wanted::Part(range)) = parse(&text, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
