//! A compact JWS (RFC 7515 §7.1): its header and payload. No signature is checked here; a door that
//! takes one has done that (`ssf`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::intake::tape::{NodeKind, Tape};

/// The payload's members and `header`; `None` unless both are JSON objects.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with("ey") {
        return None;
    }
    let mut parts = text.split('.');
    let (header, payload) = (part(parts.next()?)?, part(parts.next()?)?);
    parts.next()?;
    if !is_object(&header) || !is_object(&payload) {
        return None;
    }
    let inside = payload.trim().strip_prefix('{')?;
    let between = if inside.trim_start().starts_with('}') { "" } else { "," };
    Some(format!("{{\"header\":{}{between}{inside}", header.trim()))
}

fn is_object(json: &str) -> bool {
    let mut tape = Tape::default();
    tape.read(json).is_ok() && tape.node(0).is_some_and(|node| node.kind == NodeKind::Object)
}

fn part(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?).ok()
}

/// The text behind base64, with or without padding, in either alphabet.
#[must_use]
pub fn base64_text(text: &str) -> Option<String> {
    let decoded =
        STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')));
    String::from_utf8(decoded.ok()?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn header_and_payload_become_one_object() {
        let token = format!("{}.{}.sig", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#), URL_SAFE_NO_PAD.encode(r#"{"jti":"1"}"#));
        assert_eq!(decode(&token).as_deref(), Some(r#"{"header":{"alg":"RS256"},"jti":"1"}"#));
        let empty = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), URL_SAFE_NO_PAD.encode("{}"));
        assert_eq!(decode(&empty).as_deref(), Some(r#"{"header":{"alg":"none"}}"#));
        for text in ["", "ey", "ey.ey", "eyJ.x.y", "plain text"] {
            assert_eq!(decode(text), None, "{text}");
        }
        let token = |header: &str, payload: &str| format!("{}.{}.sig", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        for (header, payload) in [(r#"{"alg""#, "{}"), (r#"{"a":1}"#, r#"{"jti" "1"}"#), (r#"{"a":1}"#, "[]"), (r#"{"a":1},"b":{}"#, "{}")]
        {
            assert_eq!(decode(&token(header, payload)), None, "{header} {payload}");
        }
    }
}
