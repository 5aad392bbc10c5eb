//! JSON text in which values are found by their paths.

use std::borrow::Cow;

use crate::intake::tape::{Node, NodeKind, Tape, unescape};
use crate::search::document::See;

/// JSON with the place of each value.
#[derive(Debug)]
pub struct Json<'a> {
    /// As it is written.
    pub text: Cow<'a, str>,
    /// Where its values stand.
    pub tape: Tape,
}

impl<'a> Json<'a> {
    /// Reads it; nothing of what is no JSON, or deeper than records may be.
    pub fn read(text: Cow<'a, str>) -> Option<Self> {
        let mut tape = Tape::default();
        tape.read(&text).ok()?;
        Some(Self { text, tape })
    }

    fn slice(&self, (from, to): (u32, u32)) -> &str {
        self.text.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The value of a node, if it is no list, no object and no null.
    pub fn scalar(&self, node: &Node, see: &mut See<'_>) -> bool {
        let written = self.slice(node.value);
        match node.kind {
            NodeKind::Object | NodeKind::Array | NodeKind::Null => false,
            NodeKind::Number | NodeKind::Bool(_) => see(written),
            NodeKind::Text { escaped } => {
                let inner = written.get(1..written.len().saturating_sub(1)).unwrap_or_default();
                // Half a surrogate pair is no text: then as it is written.
                if escaped { see(&unescape(inner).unwrap_or(Cow::Borrowed(inner))) } else { see(inner) }
            }
        }
    }

    /// Every value in it.
    pub fn all(&self, see: &mut See<'_>) -> bool {
        (0..self.tape.len() as u32).filter_map(|at| self.tape.node(at)).any(|node| self.scalar(node, see))
    }

    /// The values at a path; a member's own name may hold dots, and lists are passed through.
    pub fn at<S: AsRef<str>>(&self, path: &[S], see: &mut See<'_>) -> bool {
        self.below(0, path, see)
    }

    fn below<S: AsRef<str>>(&self, at: u32, path: &[S], see: &mut See<'_>) -> bool {
        let Some(node) = self.tape.node(at) else { return false };
        match node.kind {
            NodeKind::Array => self.tape.children(at).any(|(child, _)| self.below(child, path, see)),
            NodeKind::Object => self.tape.children(at).any(|(child, member)| {
                let written = self.slice(member.name);
                let Some(first) = path.first() else { return false };
                // Nearly every member is settled by this.
                if !member.escaped_name && !written.starts_with(first.as_ref()) {
                    return false;
                }
                let name = unescape(written).unwrap_or(Cow::Borrowed(written));
                (1..=path.len()).any(|taken| {
                    let (own, rest) = path.split_at(taken);
                    is_joined(&name, own) && self.below(child, rest, see)
                })
            }),
            _ => path.is_empty() && self.scalar(node, see),
        }
    }
}

/// Whether `name` is these parts with dots between them.
fn is_joined<S: AsRef<str>>(name: &str, parts: &[S]) -> bool {
    let mut rest = name;
    for (nth, part) in parts.iter().enumerate() {
        let behind = if nth == 0 { Some(rest) } else { rest.strip_prefix('.') };
        let Some(after) = behind.and_then(|rest| rest.strip_prefix(part.as_ref())) else { return false };
        rest = after;
    }
    rest.is_empty()
}
