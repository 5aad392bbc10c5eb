//! Where one JSON value ends, and how deeply it nests. RFC 8259, strictly, on bytes.
//!
//! Builds nothing and recurses nowhere: the open brackets are one bit each. Bytes from 0x80 up are
//! let through inside strings; whether they are UTF-8 is the caller's question (it asks once for
//! the whole body). Escapes are checked for form only: a lone surrogate is a valid escape.

/// A JSON value at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    /// Its length in bytes.
    pub len: usize,
    /// Most brackets open at once: 0 for a scalar, 1 for `{}`.
    pub depth: usize,
}

/// The bytes do not start with a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotJson;

/// Finds the value at the very start of `bytes`; what follows it is not looked at.
pub(super) fn value(bytes: &[u8]) -> Result<Value, NotJson> {
    let mut open = Open::default();
    let mut depth = 0;
    let mut at = 0;
    loop {
        // `at` stands at the first byte of a value.
        match byte(bytes, at)? {
            b'"' => at = string_end(bytes, at + 1).ok_or(NotJson)?,
            b'{' => {
                at = skip_space(bytes, at + 1);
                depth = depth.max(open.depth + 1);
                if byte(bytes, at)? == b'}' {
                    at += 1;
                } else {
                    open.push(Bracket::Object);
                    at = member_value(bytes, at)?;
                    continue;
                }
            }
            b'[' => {
                at = skip_space(bytes, at + 1);
                depth = depth.max(open.depth + 1);
                if byte(bytes, at)? == b']' {
                    at += 1;
                } else {
                    open.push(Bracket::Array);
                    continue;
                }
            }
            b't' => at = literal(bytes, at, b"true")?,
            b'f' => at = literal(bytes, at, b"false")?,
            b'n' => at = literal(bytes, at, b"null")?,
            _ => at = number_end(bytes, at)?,
        }
        // A value ended before `at`: close what it closes, up to the next value's first byte.
        loop {
            let Some(bracket) = open.top() else {
                return Ok(Value { len: at, depth });
            };
            at = skip_space(bytes, at);
            match (byte(bytes, at)?, bracket) {
                (b',', Bracket::Object) => {
                    at = member_value(bytes, skip_space(bytes, at + 1))?;
                    break;
                }
                (b',', Bracket::Array) => {
                    at = skip_space(bytes, at + 1);
                    break;
                }
                (b'}', Bracket::Object) | (b']', Bracket::Array) => {
                    open.pop();
                    at += 1;
                }
                _ => return Err(NotJson),
            }
        }
    }
}

/// First index at or after `at` that is not JSON white space.
#[inline]
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|&byte| is_space(byte)) {
        at += 1;
    }
    at
}

/// The four bytes of JSON white space. RFC 8259 §2.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Index after the closing quote of a string whose first content byte is at `at`.
#[inline]
pub(super) fn string_end(bytes: &[u8], at: usize) -> Option<usize> {
    string(bytes, at).map(|(end, _)| end)
}

/// As [`string_end`], and whether a backslash is in the string.
#[inline]
pub(super) fn string(bytes: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some((at + 1, escaped)),
            b'\\' => {
                escaped = true;
                at = escape_end(bytes, at + 1)?;
            }
            _ => return None,
        }
    }
}

const LOW: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
const QUOTE: u64 = u64::from_le_bytes([b'"'; 8]);
const BACKSLASH: u64 = u64::from_le_bytes([b'\\'; 8]);
const SPACE: u64 = u64::from_le_bytes([b' '; 8]);

/// First index at or after `at` that holds a quote, a backslash or a control byte.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    let mut rest = bytes.get(at..).unwrap_or_default();
    while let Some((chunk, tail)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // The high bit of each byte that is equal, or below a space. A borrow may mark bytes above
        // a true one as well, never below it, and only the lowest is used.
        let zero = |word: u64| word.wrapping_sub(LOW) & !word;
        let found = (zero(word ^ QUOTE) | zero(word ^ BACKSLASH) | (word.wrapping_sub(SPACE) & !word)) & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        rest = tail;
        at += 8;
    }
    at + rest.iter().take_while(|&&byte| byte >= b' ' && byte != b'"' && byte != b'\\').count()
}

fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = bytes.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

#[inline]
fn byte(bytes: &[u8], at: usize) -> Result<u8, NotJson> {
    bytes.get(at).copied().ok_or(NotJson)
}

/// From a member's name to the first byte of its value.
#[inline]
fn member_value(bytes: &[u8], at: usize) -> Result<usize, NotJson> {
    if byte(bytes, at)? != b'"' {
        return Err(NotJson);
    }
    let colon = skip_space(bytes, string_end(bytes, at + 1).ok_or(NotJson)?);
    if byte(bytes, colon)? != b':' {
        return Err(NotJson);
    }
    Ok(skip_space(bytes, colon + 1))
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Result<usize, NotJson> {
    let end = at + word.len();
    if bytes.get(at..end) == Some(word) { Ok(end) } else { Err(NotJson) }
}

fn number_end(bytes: &[u8], mut at: usize) -> Result<usize, NotJson> {
    if byte(bytes, at)? == b'-' {
        at += 1;
    }
    match byte(bytes, at)? {
        b'0' => at += 1,
        b'1'..=b'9' => at = digits_end(bytes, at)?,
        _ => return Err(NotJson),
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits_end(bytes, at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        at = digits_end(bytes, at)?;
    }
    Ok(at)
}

/// Index after one or more digits.
fn digits_end(bytes: &[u8], start: usize) -> Result<usize, NotJson> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start { Err(NotJson) } else { Ok(at) }
}

#[derive(Clone, Copy)]
enum Bracket {
    Array,
    Object,
}

/// The open brackets, one bit each, the innermost lowest. The first 64 need no allocation; more
/// are followed as well, so that "too deep" is said of JSON only, never guessed of a text line.
/// At most an eighth of a byte for each byte of input.
#[derive(Default)]
struct Open {
    top: u64,
    below: Vec<u64>,
    depth: usize,
}

impl Open {
    #[inline]
    fn push(&mut self, bracket: Bracket) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.below.push(self.top);
        }
        self.top = self.top << 1 | u64::from(matches!(bracket, Bracket::Object));
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.top >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.top = self.below.pop().unwrap_or_default();
        }
    }

    #[inline]
    fn top(&self) -> Option<Bracket> {
        match (self.depth, self.top & 1) {
            (0, _) => None,
            (_, 0) => Some(Bracket::Array),
            (_, _) => Some(Bracket::Object),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The whole of `bytes` as one value, as `serde_json` sees it.
    fn oracle(bytes: &[u8]) -> bool {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
    }

    fn whole(bytes: &[u8]) -> bool {
        let start = skip_space(bytes, 0);
        value(&bytes[start..]).is_ok_and(|found| skip_space(bytes, start + found.len) == bytes.len())
    }

    #[test]
    fn every_kind_of_value_is_found_with_its_length_and_depth() {
        for (text, len, depth) in [
            ("null,", 4, 0),
            ("true", 4, 0),
            ("false]", 5, 0),
            ("-0.5e+3 ", 7, 0),
            ("01", 1, 0),
            (r#""a\"b" "#, 6, 0),
            ("{}", 2, 1),
            ("[ ]x", 3, 1),
            (r#"{"a":[{"b":1}]}"#, 15, 3),
            ("[[],[[]]]", 9, 3),
        ] {
            assert_eq!(value(text.as_bytes()), Ok(Value { len, depth }), "{text}");
        }
    }

    #[test]
    fn what_is_not_json_is_told() {
        for text in [
            "",
            " 1",
            "-",
            "1.",
            "1e",
            "tru",
            "nul",
            "{",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "[1}",
            "{\"a\":1]",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"a\nb\"",
            "\"\\",
            "'a'",
            "+1",
            ".5",
            "NaN",
        ] {
            assert_eq!(value(text.as_bytes()), Err(NotJson), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_past_every_word_of_bits() {
        for depth in [1, 63, 64, 65, 127, 128, 129, 1_000] {
            let text = format!("{}{}", "[{\"a\":".repeat(depth), "0".to_owned() + &"}]".repeat(depth));
            assert_eq!(value(text.as_bytes()), Ok(Value { len: text.len(), depth: 2 * depth }));
            let wrong = text.replacen("}]", "]}", 1);
            assert_eq!(value(wrong.as_bytes()), Err(NotJson), "at {depth}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn any_json_like_bytes_are_judged_as_serde_json_does(
            text in r#"([\[\]{},: \n"\\a0-9.eE+-]|true|null|"a":|"[a-z]{0,12}"|\\u00e9|é){0,24}"#
        ) {
            prop_assert_eq!(whole(text.as_bytes()), oracle(text.as_bytes()));
        }

        #[test]
        fn any_value_with_one_byte_changed_is_judged_as_serde_json_does(
            words in proptest::collection::vec("[a-z\\\\\"\u{e9}\n]{0,20}", 1..6), at in any::<prop::sample::Index>(), new in 0u8..0x80
        ) {
            let mut text = serde_json::to_vec(&serde_json::json!({"id": words, "n": [1.5, -3, null, true, {"x": {}}]})).unwrap();
            prop_assert!(whole(&text));
            let at = at.index(text.len());
            if text[at] < 0x80 {
                text[at] = new;
                // serde_json does not look for UTF-8 in what it ignores; a lone continuation byte
                // cannot arise here, since only ASCII bytes are replaced by ASCII bytes.
                prop_assert_eq!(whole(&text), oracle(&text));
            }
        }
    }
}
