//! Finds the values at many paths of an OCSF form in one walk over it.

use crate::intake::tape::{Node, NodeKind, Tape};

/// Where a walk is: names that lead on, and what is wanted of a value that stands here.
#[derive(Debug)]
pub(super) struct Paths<T> {
    below: Vec<(Beginning, &'static str, Paths<T>)>,
    wanted: Vec<T>,
}

/// The first bytes of a name and its length: two names are seldom alike in both and not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Beginning(u64, usize);

impl Beginning {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let first = bytes
            .first_chunk::<8>()
            .map_or_else(|| bytes.iter().rev().fold(0, |first, byte| first << 8 | u64::from(*byte)), |first| u64::from_le_bytes(*first));
        Self(first, bytes.len())
    }
}

impl<T: Copy> Paths<T> {
    /// Paths, each with what it is wanted for.
    pub fn new<'p>(paths: impl Iterator<Item = (&'p [&'static str], T)>) -> Self {
        let mut root = Self { below: Vec::new(), wanted: Vec::new() };
        paths.for_each(|(path, wanted)| root.want(path, wanted));
        root
    }

    fn want(&mut self, path: &[&'static str], wanted: T) {
        let Some((name, rest)) = path.split_first() else {
            self.wanted.push(wanted);
            return;
        };
        let at = self.below.iter().position(|(_, known, _)| known == name).unwrap_or_else(|| {
            self.below.push((Beginning::of(name), name, Self { below: Vec::new(), wanted: Vec::new() }));
            self.below.len() - 1
        });
        if let Some((_, _, place)) = self.below.get_mut(at) {
            place.want(rest, wanted);
        }
    }

    /// Shows `see` each value that is not null and what it is wanted for, in the order of the form; lists on
    /// the way are passed through. False when a name on the way is written with escapes or with dots in it:
    /// such a name may be, or hold, one of a path, and is not followed.
    pub fn each<'a>(&self, text: &'a str, tape: &Tape, see: &mut dyn FnMut(T, &'a str, &Node)) -> bool {
        self.walk(text, tape, 0, see)
    }

    fn walk<'a>(&self, text: &'a str, tape: &Tape, at: u32, see: &mut dyn FnMut(T, &'a str, &Node)) -> bool {
        let Some(node) = tape.node(at) else { return true };
        let slice = |(from, to): (u32, u32)| text.get(from as usize..to as usize).unwrap_or_default();
        match node.kind {
            NodeKind::Null => true,
            NodeKind::Array => tape.children(at).fold(true, |plain, (child, _)| self.walk(text, tape, child, see) && plain),
            // Nothing below is wanted.
            NodeKind::Object if self.below.is_empty() => true,
            NodeKind::Object => tape.children(at).fold(true, |plain, (child, member)| {
                let name = slice(member.name);
                let is_plain = !member.escaped_name && !name.contains('.');
                let beginning = Beginning::of(name);
                let below = self.below.iter().find(|(known, whole, _)| is_plain && *known == beginning && *whole == name);
                below.is_none_or(|(_, _, below)| below.walk(text, tape, child, see)) && is_plain && plain
            }),
            NodeKind::Text { .. } | NodeKind::Number | NodeKind::Bool(_) => {
                self.wanted.iter().for_each(|wanted| see(*wanted, slice(node.value), node));
                true
            }
        }
    }
}
