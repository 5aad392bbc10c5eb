//! Members and elements of JSON as ranges of the body, found without building a document.
//!
//! A door that has to look inside what it was sent (a wrapper, the metadata beside an event) uses
//! these, so that what it keeps stays a range of the sender's own bytes.
//!
//! Every function is total: bytes that are not the JSON it expects give `None`, never a panic.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{self, skip_space, string_end};
use super::record_id::unescape;

/// A JSON value in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first byte.
    pub start: usize,
    /// The index after its last byte.
    pub end: usize,
    /// Most brackets open at once in it.
    pub depth: usize,
}

impl Span {
    /// The value at or after `at`, white space skipped.
    pub fn at(body: &[u8], at: usize) -> Option<Self> {
        let start = skip_space(body, at);
        let value = json::value(body.get(start..)?).ok()?;
        Some(Self { start, end: start + value.len, depth: value.depth })
    }

    /// The whole of `body` as one value.
    pub fn whole(body: &[u8]) -> Option<Self> {
        let value = Self::at(body, 0)?;
        (skip_space(body, value.end) == body.len()).then_some(value)
    }

    /// Its range in the body.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Its bytes.
    pub fn bytes(self, body: &[u8]) -> &[u8] {
        body.get(self.range()).unwrap_or_default()
    }

    /// Whether it is an object.
    pub fn is_object(self, body: &[u8]) -> bool {
        body.get(self.start) == Some(&b'{')
    }

    /// Whether it is an array.
    pub fn is_array(self, body: &[u8]) -> bool {
        body.get(self.start) == Some(&b'[')
    }

    /// The characters of a string; `None` for another type, a lone surrogate, or bytes that are not UTF-8.
    pub fn text(self, body: &[u8]) -> Option<Cow<'_, str>> {
        let bytes = self.bytes(body);
        if bytes.first() == Some(&b'"') { unescape(bytes) } else { None }
    }
}

/// A member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name, quotes included.
    pub name: Span,
    /// Its value.
    pub value: Span,
}

impl Member {
    /// Whether its name is `name`, escaped or not.
    pub fn is(self, body: &[u8], name: &str) -> bool {
        let quoted = self.name.bytes(body);
        let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        if plain.contains(&b'\\') { unescape(quoted).is_some_and(|text| text == name) } else { plain == name.as_bytes() }
    }
}

/// The members of the object at `object.start`, in order.
pub(super) fn members(body: &[u8], object: Span) -> impl Iterator<Item = Member> {
    let mut at = if object.is_object(body) { Some(object.start) } else { None };
    std::iter::from_fn(move || {
        // `at` stands at the brace or comma before a member.
        let start = skip_space(body, at?.saturating_add(1));
        at = None;
        if body.get(start) != Some(&b'"') {
            return None;
        }
        let name = Span { start, end: string_end(body, start + 1)?, depth: 0 };
        let colon = skip_space(body, name.end);
        if body.get(colon) != Some(&b':') {
            return None;
        }
        let value = Span::at(body, colon + 1)?;
        let next = skip_space(body, value.end);
        at = (body.get(next) == Some(&b',')).then_some(next);
        Some(Member { name, value })
    })
}

/// The first member called `name` of the object.
pub(super) fn member(body: &[u8], object: Span, name: &str) -> Option<Span> {
    members(body, object).find(|member| member.is(body, name)).map(|member| member.value)
}

/// The value at the end of a path of names.
pub(super) fn at_path(body: &[u8], from: Span, path: &[&str]) -> Option<Span> {
    path.iter().try_fold(from, |value, name| member(body, value, name))
}

/// The elements of the array at `array.start`, in order.
pub(super) fn elements(body: &[u8], array: Span) -> impl Iterator<Item = Span> {
    let mut at = if array.is_array(body) { Some(array.start) } else { None };
    std::iter::from_fn(move || {
        // `at` stands at the bracket or comma before an element. An empty array has a bracket there.
        let value = Span::at(body, at?.saturating_add(1));
        at = None;
        let value = value?;
        let next = skip_space(body, value.end);
        at = (body.get(next) == Some(&b',')).then_some(next);
        Some(value)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn a_member_is_found_by_its_path_however_its_name_is_spelled() {
        let body = br#" {"x":{"event":1},"\u0064ata" : {"events":[ {"a":"]"} , 2 ,"\"x"]}} "#;
        let whole = Span::whole(body).unwrap();
        let array = at_path(body, whole, &["data", "events"]).unwrap();
        let found: Vec<_> = elements(body, array).map(|span| std::str::from_utf8(span.bytes(body)).unwrap()).collect();
        assert_eq!(found, [r#"{"a":"]"}"#, "2", r#""\"x""#]);
        assert_eq!(at_path(body, whole, &["event"]), None);
        assert_eq!(at_path(body, whole, &["x", "event", "y"]), None);
    }

    #[test]
    fn an_empty_array_and_another_type_have_no_elements() {
        for body in ["[]", "[ ]", "{}", "7", "\"[1]\""] {
            let whole = Span::whole(body.as_bytes()).unwrap();
            assert_eq!(elements(body.as_bytes(), whole).count(), 0, "{body}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), "[a-z\"\\\\\u{e9}\n]{0,6}".prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-c\"\\\\]{0,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_full_parser_finds(value in json(), pretty: bool) {
            let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            let whole = Span::whole(&body).unwrap();
            let parse = |span: Span| serde_json::from_slice::<Value>(span.bytes(&body)).unwrap();
            let found: Vec<_> = elements(&body, whole).map(parse).collect();
            prop_assert_eq!(&found, &value.as_array().cloned().unwrap_or_default());
            let named: serde_json::Map<_, _> =
                members(&body, whole).map(|member| (member.name.text(&body).unwrap().into_owned(), parse(member.value))).collect();
            prop_assert_eq!(&named, &value.as_object().cloned().unwrap_or_default());
            for (name, inner) in &named {
                prop_assert_eq!(&parse(member(&body, whole, name).unwrap()), inner);
            }
        }

        #[test]
        fn no_bytes_panic(body in r#"([{}\[\],:"\\ ]|"id"|[0-9])*"#) {
            let body = body.as_bytes();
            let loose = Span { start: 0, end: body.len(), depth: 0 };
            prop_assert!(members(body, loose).count() + elements(body, loose).count() <= body.len());
        }
    }
}
