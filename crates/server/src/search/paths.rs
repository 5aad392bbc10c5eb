//! Finds the values at many paths of an OCSF form in one walk over it.

use crate::intake::tape::{Node, NodeKind, Tape};

/// Where a walk is: names that lead on, and what is wanted of a value that stands here.
#[derive(Debug)]
pub(super) struct Paths<T> {
    below: Vec<(&'static str, Paths<T>)>,
    /// Where in `below` a name is, by its beginning and counted from 1: in its own slot or, where that is taken, in one of
    /// those behind it, up to one that is free. So a name that leads nowhere meets a free slot at once.
    slots: Vec<(Beginning, u16)>,
    wanted: Vec<T>,
}

/// The first bytes of a name and its length: two names are seldom alike in both and not the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Beginning(u64, usize);

impl Beginning {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let first = bytes
            .first_chunk::<8>()
            .map_or_else(|| bytes.iter().rev().fold(0, |first, byte| first << 8 | u64::from(*byte)), |first| u64::from_le_bytes(*first));
        Self(first, bytes.len())
    }

    /// The slot that is its own, of `count`, which is a power of two.
    fn slot(self, count: usize) -> usize {
        let mixed = (self.0 ^ (self.1 as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (count - 1)
    }
}

impl<T: Copy> Paths<T> {
    /// Paths, each with what it is wanted for.
    pub fn new<'p>(paths: impl Iterator<Item = (&'p [&'static str], T)>) -> Self {
        let mut root = Self::leading_nowhere();
        paths.for_each(|(path, wanted)| root.want(path, wanted));
        root.file();
        root
    }

    const fn leading_nowhere() -> Self {
        Self { below: Vec::new(), slots: Vec::new(), wanted: Vec::new() }
    }

    /// Fills the slots, here and below. Three of four stay free.
    fn file(&mut self) {
        let count = (self.below.len() * 4).next_power_of_two();
        self.slots = vec![(Beginning::default(), 0); count];
        for (nth, (name, below)) in (1..).zip(&mut self.below) {
            let beginning = Beginning::of(name);
            let mut at = beginning.slot(count);
            while self.slots.get(at).is_some_and(|(_, nth)| *nth > 0) {
                at = (at + 1) & (count - 1);
            }
            if let Some(slot) = self.slots.get_mut(at) {
                *slot = (beginning, nth);
            }
            below.file();
        }
    }

    /// Where a name leads.
    fn below(&self, name: &str) -> Option<&Self> {
        let (beginning, count) = (Beginning::of(name), self.slots.len());
        let mut at = beginning.slot(count);
        loop {
            let (known, nth) = self.slots.get(at)?;
            let (whole, below) = self.below.get(usize::from(*nth).checked_sub(1)?)?;
            if *known == beginning && *whole == name {
                return Some(below);
            }
            at = (at + 1) & (count - 1);
        }
    }

    fn want(&mut self, path: &[&'static str], wanted: T) {
        let Some((name, rest)) = path.split_first() else {
            self.wanted.push(wanted);
            return;
        };
        let at = self.below.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.below.push((name, Self::leading_nowhere()));
            self.below.len() - 1
        });
        if let Some((_, place)) = self.below.get_mut(at) {
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
                let below = if is_plain { self.below(name) } else { None };
                below.is_none_or(|below| below.walk(text, tape, child, see)) && is_plain && plain
            }),
            NodeKind::Text { .. } | NodeKind::Number | NodeKind::Bool(_) => {
                self.wanted.iter().for_each(|wanted| see(*wanted, slice(node.value), node));
                true
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    /// Names that begin and end alike, and more than fit without sharing slots.
    #[test]
    fn each_name_leads_where_it_was_put_and_no_other_anywhere() {
        let names: Vec<&'static str> = (0..200).map(|nth| -> &'static str { format!("beginning_{nth:03}").leak() }).collect();
        let paths = Paths::new(names.iter().map(std::slice::from_ref).zip(0..));
        for (nth, name) in (0..).zip(&names) {
            assert_eq!(paths.below(name).unwrap().wanted, [nth], "{name}");
        }
        for other in ["", "beginning_200", "beginning_", "eginning_000", "beginning_0000"] {
            assert!(paths.below(other).is_none(), "{other}");
        }
        assert!(Paths::<u8>::new(std::iter::empty()).below("a").is_none());
    }
}
