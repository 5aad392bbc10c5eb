//! The sender's own protection against sending twice: the `Idempotency-Key` header.
//!
//! A key covers a whole request, so each event's identity is the key together with the event's
//! position: `key ‖ 0x00 ‖ position in decimal`. The position counts the request's results, from 0,
//! as they stand in the answer (a refused event has one too), and a lone event is at 0: the first
//! event is the same one whether it came alone or in an array. No key holds a 0x00 and no position
//! anything but digits, so no two pairs of key and position share bytes.

use std::fmt;
use std::str::FromStr;

use super::limits::IDEMPOTENCY_KEY_CHARS_MAX;

/// A valid key: 1 to 255 visible ASCII characters, taken as they are (quotes included).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

/// Not a key that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid Idempotency-Key: use 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters without spaces, such as a UUID")]
pub struct InvalidIdempotencyKey;

impl IdempotencyKey {
    /// Reads the header's value.
    ///
    /// # Errors
    /// [`InvalidIdempotencyKey`], answered with 400: going on without the key could enter twice.
    pub fn from_header(value: &[u8]) -> Result<Self, InvalidIdempotencyKey> {
        std::str::from_utf8(value).map_err(|_| InvalidIdempotencyKey)?.parse()
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Replaces `out` by the identity of the event at `position`.
    pub fn write_identity(&self, position: usize, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.0.as_bytes());
        out.push(0);
        out.extend_from_slice(position.to_string().as_bytes());
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidIdempotencyKey;

    fn from_str(text: &str) -> Result<Self, InvalidIdempotencyKey> {
        let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) { Ok(Self(text.into())) } else { Err(InvalidIdempotencyKey) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn visible_ascii_up_to_the_limit_is_a_key() {
        let longest = "k".repeat(IDEMPOTENCY_KEY_CHARS_MAX);
        for key in ["a", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "!~", &longest] {
            assert_eq!(IdempotencyKey::from_header(key.as_bytes()).unwrap().as_str(), key);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let too_long = "k".repeat(IDEMPOTENCY_KEY_CHARS_MAX + 1);
        for key in ["", "a b", " a", "a\t", "a\0", "é", "\u{7f}", &too_long] {
            assert!(IdempotencyKey::from_header(key.as_bytes()).is_err(), "{key:?}");
        }
        assert!(IdempotencyKey::from_header(b"\xff").is_err());
    }

    #[test]
    fn key_and_position_are_joined_by_a_zero_byte() {
        let mut identity = vec![9];
        "batch-7".parse::<IdempotencyKey>().unwrap().write_identity(12, &mut identity);
        assert_eq!(identity, b"batch-7\x0012");
    }
}
