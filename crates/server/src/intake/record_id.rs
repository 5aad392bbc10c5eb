//! The id a record gives itself: its top-level member `id`.
//!
//! Read lexically, without a document: members before it are skipped, nothing after it is looked
//! at. The id is a string of 1 to 512 bytes (decoded), or an integer in its own digits; `5` and
//! `"5"` are the same id. Of several members called `id` the first counts, and if that is of
//! another type, empty or too long, the record has no id: an id is a help against sending twice,
//! never a reason to lose an event.
//!
//! Expects what `shape` found to be JSON. On any other bytes it returns some answer or none, and
//! stays within them; use it only for events marked `json`.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::json::{is_space, skip_space, string_end};
use super::limits::RECORD_ID_BYTES_MAX;

/// A record's own id, 1 to 512 bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordId<'a>(Cow<'a, str>);

impl RecordId<'_> {
    /// The id's text: a string's characters, or an integer's digits as they were sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

static PLAIN: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(r#""id""#));
/// Every other spelling of the name holds an escaped `i` (0069) or `d` (0064).
static ESCAPED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(r"\u006"));

/// Finds the id of the record `raw`, if it has one.
#[must_use]
pub fn record_id(raw: &[u8]) -> Option<RecordId<'_>> {
    // Most kinds of records have no such member at all, and that is found out far faster.
    if PLAIN.find(raw).is_none() && ESCAPED.find(raw).is_none() {
        return None;
    }
    let mut at = skip_space(raw, 0);
    if raw.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        // `at` stands at the brace or comma before a member.
        let name = skip_space(raw, at + 1);
        if raw.get(name) != Some(&b'"') {
            return None;
        }
        let name_end = string_end(raw, name + 1)?;
        let colon = skip_space(raw, name_end);
        if raw.get(colon) != Some(&b':') {
            return None;
        }
        let value = skip_space(raw, colon + 1);
        if is_id(raw.get(name..name_end)?) {
            return id_value(raw.get(value..)?);
        }
        at = member_end(raw, value)?;
        if raw.get(at) != Some(&b',') {
            return None;
        }
    }
}

/// Whether a quoted name spells `id`, with or without escapes.
fn is_id(quoted: &[u8]) -> bool {
    const LONGEST: usize = br#""\u0069\u0064""#.len();
    quoted == br#""id""# || (quoted.len() <= LONGEST && quoted.contains(&b'\\') && unescape(quoted).is_some_and(|name| name == "id"))
}

fn id_value(value: &[u8]) -> Option<RecordId<'_>> {
    let id = match value.first()? {
        b'"' => {
            let quoted = value.get(..string_end(value, 1)?)?;
            // Escapes write one byte in at most six; longer cannot come down to the limit.
            if quoted.len() > 6 * RECORD_ID_BYTES_MAX + 2 {
                return None;
            }
            unescape(quoted)?
        }
        b'-' | b'0'..=b'9' => Cow::Borrowed(integer(value)?),
        _ => return None,
    };
    (1..=RECORD_ID_BYTES_MAX).contains(&id.len()).then_some(RecordId(id))
}

pub(super) fn unescape(quoted: &[u8]) -> Option<Cow<'_, str>> {
    if quoted.contains(&b'\\') {
        // A lone surrogate stands for no character: no id.
        return serde_json::from_slice(quoted).ok().map(Cow::Owned);
    }
    let inner = quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// The digits of an integer; none for a fraction, an exponent or a leading zero.
fn integer(value: &[u8]) -> Option<&str> {
    let end = value.iter().position(|&byte| byte == b',' || byte == b'}' || is_space(byte))?;
    let text = value.get(..end)?;
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if plain { std::str::from_utf8(text).ok() } else { None }
}

/// Index of the comma or brace that ends the member whose value starts at `at`.
fn member_end(raw: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match raw.get(at)? {
            b'"' => {
                at = string_end(raw, at + 1)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' if depth == 0 => return Some(at),
            b'}' | b']' => match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Some(at),
            },
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn id(raw: &str) -> Option<String> {
        record_id(raw.as_bytes()).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn the_top_level_id_is_found_wherever_it_stands() {
        for raw in [
            r#"{"id":"a-1"}"#,
            r#" { "id" : "a-1" , "x":1}"#,
            r#"{"x":{"id":"no"},"y":["id",{"id":1}],"z":"\"id\":\"no\"","id":"a-1"}"#,
            r#"{"\u0069d":"a-1"}"#,
            r#"{"id":"\u0061-1"}"#,
            r#"{"id":"a-1","id":"later"}"#,
            "{\"n\":1.5e3,\"t\":true,\n\"id\":\"a-1\"}",
        ] {
            assert_eq!(id(raw).as_deref(), Some("a-1"), "{raw}");
        }
    }

    #[test]
    fn an_integer_is_an_id_in_its_own_digits() {
        assert_eq!(id(r#"{"id":5}"#), id(r#"{"id":"5"}"#));
        assert_eq!(id(r#"{"id":-12 ,"x":1}"#).as_deref(), Some("-12"));
        assert_eq!(id(r#"{"id":123456789012345678901234567890}"#).as_deref(), Some("123456789012345678901234567890"));
    }

    #[test]
    fn what_is_no_usable_id_is_none() {
        for raw in [
            r#"{"id":null}"#,
            r#"{"id":true}"#,
            r#"{"id":1.0}"#,
            r#"{"id":1e3}"#,
            r#"{"id":{}}"#,
            r#"{"id":["a"]}"#,
            r#"{"id":""}"#,
            r#"{"id":null,"id":"second"}"#,
            r#"{"id":"\ud800"}"#,
            r#"{"ID":"a"}"#,
            r#"{"x":{"id":"a"}}"#,
            r#"["id"]"#,
            r#""id""#,
            "{}",
            "",
            "{",
            r#"{"id"#,
            r#"{"id":"#,
            r#"{"id":"a"#,
            r#"{"id":5"#,
            "{\"id\":\"\u{0}\"}",
        ] {
            assert_eq!(id(raw), None, "{raw}");
        }
        assert_eq!(record_id(b"{\"id\":\"\xff\"}"), None);
    }

    #[test]
    fn an_id_over_the_limit_is_no_id() {
        let of = |len: usize| id(&format!(r#"{{"id":"{}"}}"#, "x".repeat(len))).map(|id| id.len());
        assert_eq!(of(RECORD_ID_BYTES_MAX), Some(RECORD_ID_BYTES_MAX));
        assert_eq!(of(RECORD_ID_BYTES_MAX + 1), None);
        let escaped = |len: usize| id(&format!(r#"{{"id":"{}"}}"#, r"\u0041".repeat(len))).map(|id| id.len());
        assert_eq!(escaped(RECORD_ID_BYTES_MAX), Some(RECORD_ID_BYTES_MAX));
        assert_eq!(escaped(RECORD_ID_BYTES_MAX + 1), None);
        assert_eq!(id(&format!(r#"{{"id":{}}}"#, "7".repeat(RECORD_ID_BYTES_MAX + 1))), None);
    }

    fn oracle(raw: &str) -> Option<String> {
        let Value::Object(object) = serde_json::from_str(raw).ok()? else {
            return None;
        };
        match object.get("id")? {
            Value::String(text) if (1..=RECORD_ID_BYTES_MAX).contains(&text.len()) => Some(text.clone()),
            Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
            _ => None,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(Value::from(1.5)),
            "[a-z\"\\\\\u{e9}\n]{0,6}|id".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("id|[a-z\"\\\\]{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_record_has_the_id_a_full_parser_finds(value in json(), pretty in any::<bool>()) {
            let raw = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(id(&raw), oracle(&raw), "{}", raw);
        }

        #[test]
        fn no_bytes_panic(raw in r#"([{}\[\],:"\\ ]|"id"|id|\\u006|[0-9]|[^ -~])*"#) {
            let _ = record_id(raw.as_bytes());
        }
    }
}
