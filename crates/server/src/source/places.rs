//! Places in a record that expressions ask for, found in one walk over its tape.

use crate::intake::tape::{Node, NodeKind};
use crate::source::evaluate::{NOWHERE, is_exact};
use crate::source::expression::{Name, Path, Segment};
use crate::source::names::Names;
use crate::source::value::Document;

/// Names that lead to places; one node for each name on the way.
#[derive(Debug, Clone, Default)]
pub struct Places {
    members: Names<Places>,
    place: Option<usize>,
}

impl Places {
    /// Gives the leading names of `path` a place; `count` is how many there are so far.
    pub fn add(&mut self, path: &mut Path, count: &mut usize) {
        let names = path.segments.iter().take_while(|segment| matches!(segment, Segment::Member(_))).count();
        if names == 0 {
            return;
        }
        let mut here = self;
        for segment in path.segments.iter().take(names) {
            let Segment::Member(name) = segment else { return };
            here = here.members.entry(name);
        }
        let place = *here.place.get_or_insert_with(|| {
            *count += 1;
            *count - 1
        });
        path.place = Some((place, names));
    }

    /// Finds all places of the value at `at`.
    pub fn find(&self, document: Document<'_>, at: u32, loose: bool, found: &mut [u32]) {
        if loose { self.find_loosely(document, at, found) } else { self.find_exactly(document, at, found) }
    }

    fn find_exactly(&self, document: Document<'_>, at: u32, found: &mut [u32]) {
        for (child, node) in document.tape.children(at) {
            let escaped =
                || if node.escaped_name { self.members.find(|wanted| is_exact(document.name(node), &wanted.exact)) } else { None };
            let Some(places) = self.members.exact(document.name_bytes(node)).or_else(escaped) else { continue };
            if places.set(child, found) && node.kind == NodeKind::Object {
                places.find_exactly(document, child, found);
            }
        }
    }

    /// Each name's member is the first that is spelled exactly so, else the first alike.
    fn find_loosely(&self, document: Document<'_>, at: u32, found: &mut [u32]) {
        // Of each name the first member that is spelled so, and the first that is alike.
        let mut taken = vec![[NOWHERE; 2]; self.members.len()];
        let mut take = |nth: usize, how: usize, child: u32| {
            if let Some(taken) = taken.get_mut(nth).and_then(|taken| taken.get_mut(how)).filter(|taken| **taken == NOWHERE) {
                *taken = child;
            }
        };
        let (exactly, loosely) = (0, 1);
        for (child, node) in document.tape.children(at) {
            let name = document.name_bytes(node);
            if let Some(nth) = self.members.position(name) {
                take(nth, exactly, child);
                if !self.members.has_alike() {
                    continue;
                }
            } else if node.escaped_name {
                let spelled = |(_, (name, _)): &(usize, (&Name, &Self))| is_exact(document.name(node), &name.exact);
                self.members.iter().enumerate().filter(spelled).for_each(|(nth, _)| take(nth, exactly, child));
            }
            self.members.alike(name).for_each(|nth| take(nth, loosely, child));
        }
        let first = |[exact, alike]: [u32; 2]| if exact == NOWHERE { alike } else { exact };
        for (child, (_, places)) in taken.into_iter().map(first).zip(self.members.iter()).filter(|(child, _)| *child != NOWHERE) {
            places.set(child, found);
            if !places.members.is_empty() && document.tape.node(child).is_some_and(|node| node.kind == NodeKind::Object) {
                places.find_loosely(document, child, found);
            }
        }
    }

    /// Takes a node; false for a repeated name, of which the first counts.
    fn set(&self, node: u32, found: &mut [u32]) -> bool {
        match self.place.and_then(|place| found.get_mut(place)) {
            Some(at) if *at != NOWHERE => false,
            Some(at) => {
                *at = node;
                true
            }
            None => true,
        }
    }
}

/// Members that a map reads: what is not among them goes to `unmapped`.
#[derive(Debug, Clone, Default)]
pub struct Read {
    members: Names<Read>,
    whole: bool,
}

impl Read {
    /// All that `path` leads to is read.
    pub fn add(&mut self, path: &Path) {
        let mut here = self;
        for segment in &path.segments {
            let Segment::Member(name) = segment else { break };
            here = here.members.entry(name);
        }
        here.whole = true;
    }

    /// What the map reads of a member.
    fn of(&self, document: Document<'_>, node: &Node, loose: bool) -> Option<&Read> {
        let name = document.name_bytes(node);
        let alike = || self.members.alike(name).next().and_then(|nth| self.members.get(nth));
        self.members.exact(name).or_else(|| if loose { alike() } else { None })
    }

    /// Writes the members of the value at `at` that are not read, as members of an open object.
    /// Returns how many scalar values that were.
    pub fn write_rest(&self, document: Document<'_>, at: u32, loose: bool, out: &mut Vec<u8>) -> usize {
        let mut values = 0;
        for (child, node) in document.tape.children(at) {
            let read = self.of(document, node, loose);
            if read.is_some_and(|read| read.whole) || matches!(node.kind, NodeKind::Null) {
                continue;
            }
            let before = out.len();
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(document.name_bytes(node));
            out.extend_from_slice(b"\":");
            match read.filter(|_| node.kind == NodeKind::Object) {
                Some(read) => {
                    out.push(b'{');
                    let inside = read.write_rest(document, child, loose, out);
                    values += inside;
                    if out.last() == Some(&b'{') {
                        out.truncate(before);
                    } else {
                        out.push(b'}');
                    }
                }
                None => {
                    out.extend_from_slice(document.raw(node).as_bytes());
                    values += scalars(document, child);
                }
            }
        }
        values
    }
}

/// Scalar values in the value at `at`, nulls left out.
#[must_use]
pub fn scalars(document: Document<'_>, at: u32) -> usize {
    let end = document.tape.node(at).map_or(at, |node| node.next);
    let inside = (at..end).filter_map(|node| document.tape.node(node));
    inside.filter(|node| !matches!(node.kind, NodeKind::Object | NodeKind::Array | NodeKind::Null)).count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::intake::tape::Tape;
    use crate::source::evaluate::member;

    fn name() -> impl Strategy<Value = String> {
        "[aAbB][_-]?[aB]?"
    }

    /// Members with names that are the same, alike, written with escapes, and with members of their own.
    fn record() -> impl Strategy<Value = String> {
        let written = prop_oneof![4 => name(), 1 => Just("\\u0061B".to_owned())];
        let object = |value: BoxedStrategy<String>| {
            let member = (written.clone(), value).prop_map(|(name, value)| format!("\"{name}\":{value}"));
            prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))).boxed()
        };
        let inner = object(Just("1".to_owned()).boxed());
        object(prop_oneof![Just("1".to_owned()), inner].boxed())
    }

    proptest! {
        #[test]
        fn one_walk_finds_the_members_that_step_after_step_does(
            paths in prop::collection::vec(prop::collection::vec(name(), 1..3), 1..6), record in record(),
        ) {
            let (mut places, mut count) = (Places::default(), 0);
            let paths: Vec<Path> = paths.iter().map(|names| {
                let segments = names.iter().map(|name| Segment::Member(Name::new(name))).collect();
                let mut path = Path { segments, place: None };
                places.add(&mut path, &mut count);
                path
            }).collect();
            let mut tape = Tape::default();
            tape.read(&record).unwrap();
            let document = Document { text: &record, tape: &tape };
            let mut found = vec![NOWHERE; count];
            places.find(document, 0, true, &mut found);
            for path in &paths {
                let step = |at: u32, segment: &Segment| match segment {
                    Segment::Member(name) => member(document, at, name, true),
                    _ => None,
                };
                let expected = path.segments.iter().try_fold(0, step).unwrap_or(NOWHERE);
                prop_assert_eq!(found[path.place.unwrap().0], expected, "{:?} in {}", path.segments, record);
            }
        }
    }
}
