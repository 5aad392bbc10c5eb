//! Wrappers that a source's own protocol puts around its events.
//!
//! A door that knows its protocol names the path of an array, whose elements are the events: Okta sends
//! `{"data":{"events":[…]}}`, a Kubernetes API server `{"kind":"EventList","items":[…]}`, Slack's
//! audit export `{"entries":[…]}`. Each element is kept as its own bytes; the wrapper is not kept.
//!
//! Wrappers that only their content tells are found by the rules of kinds (`source::Catalog::unwrap`), which
//! give [`records`] what they found. The rules cannot take the place of a path: to them a list without
//! elements is no wrapper, where a door knows that there is nothing to keep, and the path may be a
//! connection's own setting.

use bytes::Bytes;

use super::gather::{Gather, Gathered};
use super::member::{Span, at_path, elements};
use super::shape::ShapeError;

/// The elements of the array at `path` in `body`; `None` when the body is not JSON with an array there.
///
/// # Errors
/// [`ShapeError::TooManyEvents`].
pub fn unwrap(body: &Bytes, path: &[&str]) -> Result<Option<Gathered>, ShapeError> {
    let Some(array) = Span::whole(body).and_then(|whole| at_path(body, whole, path)).filter(|array| array.is_array(body)) else {
        return Ok(None);
    };
    let mut gather = Gather::new(body);
    for (element, line) in elements(body, array).zip(1..) {
        gather.value(element, line)?;
    }
    Ok(Some(gather.finish(body)))
}

/// Records of a wrapper that somebody else found, by their bytes: as events of a buffer of their own.
///
/// # Errors
/// [`ShapeError::TooManyEvents`], [`ShapeError::TooLarge`].
pub fn records<'a>(found: impl IntoIterator<Item = &'a [u8]>) -> Result<Gathered, ShapeError> {
    let nothing = Bytes::new();
    let mut gather = Gather::new(&nothing);
    for (record, line) in found.into_iter().zip(1..) {
        let value = Span::whole(record).filter(|_| std::str::from_utf8(record).is_ok());
        gather.own(record, value.is_some(), value.map_or(0, |value| value.depth), line)?;
    }
    Ok(gather.finish(&nothing))
}

/// The text at `path` in a body that is JSON: a challenge to answer, a type to look at.
#[must_use]
pub fn text_at<'a>(body: &'a [u8], path: &[&str]) -> Option<std::borrow::Cow<'a, str>> {
    at_path(body, Span::whole(body)?, path)?.text(body)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::intake::limits::{DEPTH_MAX, EVENT_BYTES_MAX, EVENTS_MAX};
    use proptest::prelude::*;

    fn events(body: &'static str, path: &[&str]) -> Option<Vec<String>> {
        let found = unwrap(&Bytes::from_static(body.as_bytes()), path).unwrap()?;
        let raw = |event: &crate::intake::RawEvent| String::from_utf8(event.raw(&found.bytes).to_vec()).unwrap();
        Some(found.decoded.events.iter().map(raw).collect())
    }

    #[test]
    fn each_element_is_its_own_bytes() {
        let okta = r#"{"eventType":"com.okta.event_hook","data":{"events":[ {"uuid": "a" }, {"uuid":"b"}]},"source":"x"}"#;
        assert_eq!(events(okta, &["data", "events"]).unwrap(), [r#"{"uuid": "a" }"#, r#"{"uuid":"b"}"#]);
        assert_eq!(events(r#"{"kind":"EventList","items":[]}"#, &["items"]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_body_without_the_array_is_not_unwrapped() {
        for body in ["", "{}", r#"{"items":{}}"#, r#"{"items":[1]"#, r#"{"items":[1]} x"#, "[1]"] {
            assert_eq!(events(body, &["items"]), None, "{body}");
        }
    }

    #[test]
    fn a_wrapper_of_too_many_events_is_refused() {
        let body = format!("{{\"items\":[{}0]}}", "0,".repeat(EVENTS_MAX));
        assert_eq!(unwrap(&body.into(), &["items"]), Err(ShapeError::TooManyEvents));
    }

    #[test]
    fn records_found_elsewhere_are_json_or_text_each_within_the_limits_of_an_event() {
        let (long, deep) = (vec![b'x'; EVENT_BYTES_MAX + 1], "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1));
        let found = records([b"{\"a\": 1}".as_slice(), b"a line", &long, deep.as_bytes(), b"\"\xff\""]).unwrap();
        let shown: Vec<_> =
            found.decoded.events.iter().map(|event| (event.line, event.json, event.truncated.is_some(), event.len)).collect();
        assert_eq!(shown, [(1, true, false, 8), (2, false, false, 6), (3, false, true, EVENT_BYTES_MAX as u32), (5, false, false, 3)]);
        assert_eq!(found.decoded.refused.iter().map(|refused| refused.line).collect::<Vec<_>>(), [4]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_events_lie_in_the_body(body in r#"([{}\[\],: ]|"items"|[0-9]|\PC)*"#) {
            let body = Bytes::from(body);
            if let Ok(Some(found)) = unwrap(&body, &["items"]) {
                prop_assert!(found.decoded.events.iter().all(|event| body.get(event.range()).is_some()));
            }
        }
    }
}
