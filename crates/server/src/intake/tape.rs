//! One parse of a JSON record: every value in it with its place, in the order of the bytes.
//!
//! Mapping, cutting and rules all read this tape instead of parsing again. It borrows nothing: a
//! node is a few numbers, so one tape serves record after record without allocating.
//!
//! Why not a document of a JSON library: those keep values and forget places, and a record is kept
//! byte for byte, so what counts is *where* a value stands. Speed: docs/BENCHMARKS.md.

use std::borrow::Cow;

use super::json::{self, skip_space};
use super::limits::DEPTH_MAX;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`; whether it holds a backslash.
    Text {
        /// A backslash is in it: the text is not the bytes as they stand.
        escaped: bool,
    },
    /// A number, in its own digits.
    Number,
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The member's name without quotes, as it stands in the bytes; empty range in an array.
    pub name: (u32, u32),
    /// The value's bytes, quotes included.
    pub value: (u32, u32),
    /// Number of the first node after this value and all it holds.
    pub next: u32,
    /// What it is.
    pub kind: NodeKind,
    /// A backslash is in its name: the name is not the bytes as they stand.
    pub escaped_name: bool,
}

/// Why bytes do not make a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one JSON value in UTF-8, at most {DEPTH_MAX} levels deep")]
pub struct NoTape;

/// Bytes of a record a node, about, of one with short values.
const BYTES_A_NODE: usize = 16;

/// The nodes of one value; node 0 is the value itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tape {
    nodes: Vec<Node>,
    open: Vec<u32>,
}

impl Tape {
    /// Reads `text`, which must be one JSON value and white space.
    ///
    /// # Errors
    /// [`NoTape`]; the tape is empty then.
    pub fn read(&mut self, text: &str) -> Result<(), NoTape> {
        self.nodes.clear();
        self.open.clear();
        if self.nodes.capacity() == 0 {
            // To grow step by step copies what was read several times.
            self.nodes.reserve(text.len() / BYTES_A_NODE);
        }
        let done = u32::try_from(text.len()).map_err(|_| NoTape).and_then(|_| self.read_value(text.as_bytes()).ok_or(NoTape));
        if done.is_err() {
            self.nodes.clear();
        }
        done
    }

    /// The node of that number.
    #[inline]
    #[must_use]
    pub fn node(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Bytes of memory that the nodes take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.open.capacity() * size_of::<u32>()
    }

    /// Members or elements of a value, with their numbers; none of a scalar.
    #[inline]
    pub fn children(&self, at: u32) -> impl Iterator<Item = (u32, &Node)> {
        let parent = self.node(at).filter(|node| matches!(node.kind, NodeKind::Object | NodeKind::Array));
        let end = parent.map_or(0, |node| node.next);
        let mut next = if parent.is_some() { at + 1 } else { 0 };
        std::iter::from_fn(move || {
            let here = next;
            let node = if here < end { self.node(here) } else { None }?;
            next = node.next;
            Some((here, node))
        })
    }

    fn read_value(&mut self, bytes: &[u8]) -> Option<()> {
        let mut at = skip_space(bytes, 0);
        let (mut name, mut escaped_name) = ((0, 0), false);
        loop {
            // `at` stands at the first byte of a value.
            let (kind, end) = scalar_or_open(bytes, at)?;
            let number = self.nodes.len() as u32;
            self.nodes.push(Node { name, value: (at as u32, end as u32), next: number + 1, kind, escaped_name });
            at = end;
            if matches!(kind, NodeKind::Object | NodeKind::Array) {
                at = skip_space(bytes, at);
                let closes = if kind == NodeKind::Object { b'}' } else { b']' };
                if *bytes.get(at)? == closes {
                    at += 1;
                    self.close(number, at);
                } else {
                    if self.open.len() >= DEPTH_MAX {
                        return None;
                    }
                    self.open.push(number);
                    (name, escaped_name, at) = self.name(bytes, at)?;
                    continue;
                }
            }
            // A value ended before `at`: close what it closes, up to the next value.
            loop {
                let Some(&parent) = self.open.last() else {
                    return (skip_space(bytes, at) == bytes.len()).then_some(());
                };
                at = skip_space(bytes, at);
                let object = self.node(parent)?.kind == NodeKind::Object;
                match (*bytes.get(at)?, object) {
                    (b',', _) => {
                        at = skip_space(bytes, at + 1);
                        (name, escaped_name, at) = self.name(bytes, at)?;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        at += 1;
                        self.open.pop();
                        self.close(parent, at);
                    }
                    _ => return None,
                }
            }
        }
    }

    /// The name before a value, when the innermost open bracket is an object's, whether it has a
    /// backslash, and where the value begins.
    #[inline]
    fn name(&self, bytes: &[u8], at: usize) -> Option<((u32, u32), bool, usize)> {
        let parent = self.node(*self.open.last()?)?;
        if parent.kind == NodeKind::Array {
            return Some(((0, 0), false, at));
        }
        if *bytes.get(at)? != b'"' {
            return None;
        }
        let (end, escaped) = json::string(bytes, at + 1)?;
        let colon = skip_space(bytes, end);
        (*bytes.get(colon)? == b':').then(|| (((at + 1) as u32, (end - 1) as u32), escaped, skip_space(bytes, colon + 1)))
    }

    fn close(&mut self, number: u32, end: usize) {
        let next = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(number as usize) {
            node.value.1 = end as u32;
            node.next = next;
        }
    }
}

/// Kind of the value at `at`, and the index after it (after its bracket, if it has one).
#[inline]
fn scalar_or_open(bytes: &[u8], at: usize) -> Option<(NodeKind, usize)> {
    Some(match *bytes.get(at)? {
        b'"' => {
            let (end, escaped) = json::string(bytes, at + 1)?;
            (NodeKind::Text { escaped }, end)
        }
        b'{' => (NodeKind::Object, at + 1),
        b'[' => (NodeKind::Array, at + 1),
        first => {
            let end = at + json::value(bytes.get(at..)?).ok()?.len;
            let kind = match first {
                b't' => NodeKind::Bool(true),
                b'f' => NodeKind::Bool(false),
                b'n' => NodeKind::Null,
                _ => NodeKind::Number,
            };
            (kind, end)
        }
    })
}

/// The characters of a JSON text: `inner` is what stands between its quotes. `None` for an escape
/// that stands for no character (a lone surrogate).
#[must_use]
pub fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut quoted = String::with_capacity(inner.len() + 2);
    quoted.push('"');
    quoted.push_str(inner);
    quoted.push('"');
    serde_json::from_str(&quoted).ok().map(Cow::Owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// The value that the tape describes, built node by node.
    fn rebuilt(text: &str, tape: &Tape, at: u32) -> Value {
        let node = tape.node(at).unwrap();
        let raw = &text[node.value.0 as usize..node.value.1 as usize];
        match node.kind {
            NodeKind::Object => Value::Object(
                tape.children(at)
                    .map(|(child, node)| {
                        (unescape(&text[node.name.0 as usize..node.name.1 as usize]).unwrap().into_owned(), rebuilt(text, tape, child))
                    })
                    .collect(),
            ),
            NodeKind::Array => Value::Array(tape.children(at).map(|(child, _)| rebuilt(text, tape, child)).collect()),
            NodeKind::Text { .. } => Value::String(unescape(&raw[1..raw.len() - 1]).unwrap().into_owned()),
            NodeKind::Number => serde_json::from_str(raw).unwrap(),
            NodeKind::Bool(yes) => Value::Bool(yes),
            NodeKind::Null => Value::Null,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-z\"\\\\\u{e9}\n]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-z\"\\\\]{0,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Tape::default().read(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(Tape::default().read(&format!("[{}]", nested(DEPTH_MAX + 1))), Err(NoTape));
    }

    proptest! {
        #[test]
        fn a_tape_describes_the_value_a_full_parser_reads(value in json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut tape = Tape::default();
            tape.read(&text).unwrap();
            prop_assert_eq!(rebuilt(&text, &tape, 0), value);
        }

        #[test]
        fn any_text_is_judged_as_a_full_parser_does(
            text in r#"([\[\]{},: \n"\\a0-9.eE+-]|true|null|"a":|"[a-z]{0,12}"|\\u00e9|é){0,24}"#
        ) {
            let full = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(Tape::default().read(&text).is_ok(), full);
        }
    }
}
