//! The subset of RFC 8785 that our own values use: strings, integers up to 2^53 either way, `true`,
//! `false`, `null`, arrays and objects. Deliberately absent: fractions and exponents; none of our
//! values has any, so a value with one is not ours.
//!
//! Canonical means: no white space, members sorted by the UTF-16 code units of their names, the
//! shortest escapes. There is exactly one text for a value, so `parse` then `write` gives the
//! same bytes or the bytes were not canonical.

use std::fmt;

use serde_core::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

/// Greatest integer, and least when negated: what every JSON reader holds exactly.
pub const INTEGER_MAX: u64 = 1 << 53;

/// A JSON value of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer; readers refuse what is beyond ±[`INTEGER_MAX`].
    Integer(i64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object. In any order; `write` sorts. Names are unique in what [`parse`] returns.
    Object(Vec<(String, Value)>),
}

/// Why bytes are not canonical JSON.
#[derive(Debug, Error)]
pub enum JsonError {
    /// Not JSON, or with duplicate members, fractions, or integers beyond 2^53.
    #[error("not the JSON that is expected: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON, but not in the one canonical form.
    #[error("the JSON is not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// Reads any JSON text of the subset. Duplicate members are refused.
///
/// # Errors
/// Not JSON, or outside the subset.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    Ok(serde_json::from_slice(bytes)?)
}

/// Reads a canonical text.
///
/// # Errors
/// As [`parse`], and when the bytes are not the canonical ones of the value.
pub fn parse_canonical(bytes: &[u8]) -> Result<Value, JsonError> {
    let value = parse(bytes)?;
    if to_bytes(&value) == bytes { Ok(value) } else { Err(JsonError::NotCanonical) }
}

/// Whether the bytes are canonical JSON of the subset.
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    parse_canonical(bytes).is_ok()
}

/// The canonical bytes of a value.
#[must_use]
pub fn to_bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(value, &mut out);
    out
}

/// Appends the canonical bytes of a value.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (at, (name, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends a string in quotes, with the escapes RFC 8785 §3.2.2.2 asks for and no others.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    // Most strings are one run of bytes that stand for themselves.
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0x00..0x20)) {
        let (run, from) = rest.split_at(at);
        out.extend_from_slice(run);
        let Some((byte, behind)) = from.split_first() else { break };
        write_escape(*byte, out);
        rest = behind;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        0x00..0x20 => {
            let digit = HEX.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (byte >> 4), digit]);
            return;
        }
        itself => itself,
    };
    out.extend_from_slice(&[b'\\', short]);
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<u64> for Value {
    /// Beyond 2^53 (a count no log reaches, a time 285,000 years away) the greatest integer stands.
    fn from(number: u64) -> Self {
        Value::Integer(i64::try_from(number.min(INTEGER_MAX)).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::Integer(i64::from(number))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an integer up to 2^53, true, false, null, an array or an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        match i64::try_from(number) {
            Ok(integer) if number <= INTEGER_MAX => Ok(Value::Integer(integer)),
            _ => Err(E::custom("an integer is beyond 2^53")),
        }
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        if number.unsigned_abs() <= INTEGER_MAX { Ok(Value::Integer(number)) } else { Err(E::custom("an integer is beyond 2^53")) }
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object: Vec<(String, Value)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some((name, value)) = members.next_entry::<String, Value>()? {
            if !names.insert(name.clone()) {
                return Err(de::Error::custom(format!("the member {name:?} stands there twice")));
            }
            object.push((name, value));
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn canonical_texts_are_told_from_others() {
        for good in [
            r#"{}"#,
            r#"[]"#,
            r#"null"#,
            r#""""#,
            r#"{"a":1,"b":[true,false,null]}"#,
            r#"-1"#,
            r#"9007199254740992"#,
            "\"\u{7f}é\u{1f600}\"",
            r#""\u001f\b\t\n\f\r\"\\/""#,
            // U+1F600 is D83D DE00 in UTF-16 and sorts before U+FB33.
            "{\"\u{1f600}\":1,\"\u{fb33}\":2}",
        ] {
            assert!(is_canonical(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            " {}",
            "{} ",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            "1.0",
            "1e2",
            "-0",
            "01",
            "9007199254740993",
            "-9007199254740993",
            r#""\/""#,
            r#""\u0041""#,
            r#""\u001F""#,
            r#""\ud800""#,
            "{\"\u{fb33}\":1,\"\u{1f600}\":2}",
            "\"\u{1}\"",
            "nul",
            "[1,]",
        ] {
            assert!(!is_canonical(bad.as_bytes()), "{bad}");
        }
        assert!(!is_canonical(b"\"\xff\""));
        assert!(!is_canonical("[".repeat(100_000).as_bytes()), "depth is bounded");
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-(1i64 << 53)..=1 << 53).prop_map(Value::Integer),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical_and_reads_back(value in values()) {
            let bytes = to_bytes(&value);
            let read = parse_canonical(&bytes).unwrap();
            prop_assert_eq!(to_bytes(&read), bytes);
            let plain: serde_json::Value = serde_json::from_slice(&to_bytes(&value)).unwrap();
            prop_assert_eq!(plain, serde_json::from_slice::<serde_json::Value>(&to_bytes(&read)).unwrap());
        }

        #[test]
        fn nothing_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = is_canonical(&bytes);
        }
    }
}
