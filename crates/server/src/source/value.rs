//! A value on its way from a record to an OCSF attribute.

use std::borrow::Cow;

use crate::intake::tape::{Node, NodeKind, Tape, unescape};

/// A record as text with its tape.
#[derive(Debug, Clone, Copy)]
pub struct Document<'d> {
    /// The JSON.
    pub text: &'d str,
    /// Its values.
    pub tape: &'d Tape,
}

/// A value; texts are already without escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'d> {
    /// A text; `plain`: it stood between quotes without an escape, so it may stand there again.
    Text {
        /// Its characters.
        text: Cow<'d, str>,
        /// Needs no escape.
        plain: bool,
    },
    /// A number in its own digits.
    Number(Cow<'d, str>),
    /// True or false.
    Bool(bool),
    /// An object or array, as JSON.
    Json(Cow<'d, str>),
    /// Several, of `[*]`.
    List(Vec<Value<'d>>),
}

impl<'d> Value<'d> {
    /// A text that may need escapes.
    #[must_use]
    pub fn text(text: impl Into<Cow<'d, str>>) -> Self {
        Self::Text { text: text.into(), plain: false }
    }

    /// As characters: a text's own, a number's digits, a word, JSON.
    #[inline]
    #[must_use]
    pub fn as_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text { text, .. } | Self::Number(text) | Self::Json(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::List(values) => Cow::Owned(values.iter().map(Value::as_text).collect::<Vec<_>>().join(", ")),
        }
    }

    /// The same, borrowing nothing.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text { text, plain } => Value::Text { text: Cow::Owned(text.into_owned()), plain },
            Self::Number(text) => Value::Number(Cow::Owned(text.into_owned())),
            Self::Bool(yes) => Value::Bool(yes),
            Self::Json(text) => Value::Json(Cow::Owned(text.into_owned())),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
        }
    }
}

impl<'d> Document<'d> {
    /// The value of a node; `None` for null, the empty text and a text that is not Unicode.
    #[inline]
    #[must_use]
    pub fn value(&self, node: &Node) -> Option<Value<'d>> {
        Some(match node.kind {
            NodeKind::Null => return None,
            NodeKind::Bool(yes) => Value::Bool(yes),
            NodeKind::Number => Value::Number(Cow::Borrowed(self.raw(node))),
            NodeKind::Object | NodeKind::Array => Value::Json(Cow::Borrowed(self.raw(node))),
            NodeKind::Text { escaped } => {
                let inner = self.text.get(node.value.0 as usize + 1..(node.value.1 as usize).checked_sub(1)?)?;
                if inner.is_empty() {
                    return None;
                }
                Value::Text { text: if escaped { unescape(inner)? } else { Cow::Borrowed(inner) }, plain: !escaped }
            }
        })
    }

    /// A node's bytes.
    #[inline]
    #[must_use]
    pub fn raw(&self, node: &Node) -> &'d str {
        self.text.get(node.value.0 as usize..node.value.1 as usize).unwrap_or_default()
    }

    /// The bytes of a member's name.
    #[inline]
    #[must_use]
    pub fn name_bytes(&self, node: &Node) -> &'d [u8] {
        self.text.as_bytes().get(node.name.0 as usize..node.name.1 as usize).unwrap_or_default()
    }

    /// A member's name as it stands in the bytes.
    #[inline]
    #[must_use]
    pub fn name(&self, node: &Node) -> &'d str {
        self.text.get(node.name.0 as usize..node.name.1 as usize).unwrap_or_default()
    }
}
