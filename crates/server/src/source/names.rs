//! A small map from members' names, found by their length first: most names a record has are asked
//! for by nobody, and a length says so at once.

use crate::source::expression::{Name, loosened_bytes};

/// Values under names.
#[derive(Debug, Clone)]
pub struct Names<T> {
    /// Sorted by the length of the exact name.
    members: Vec<(Name, T)>,
    /// The [`tag`] of each, so that few names are compared in full.
    tags: Vec<u64>,
    /// The [`loose_tag`] of each with its position, in ascending order.
    loose_tags: Vec<(u64, usize)>,
    /// Whether a tag stands in it twice.
    has_alike: bool,
    /// One bit for the [`outline`] of each: a name without its bit is like none.
    outlines: [u64; 4],
    /// Where the names of a length begin, and behind the longest where they end.
    starts: Vec<usize>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { members: Vec::new(), tags: Vec::new(), loose_tags: Vec::new(), has_alike: false, outlines: [0; 4], starts: Vec::new() }
    }
}

impl<T: Default> Names<T> {
    /// What stands under `name`, which is added if it is not there.
    pub fn entry(&mut self, name: &Name) -> &mut T {
        let len = name.exact.len();
        let known = self.range(len).find(|at| self.members.get(*at).is_some_and(|(known, _)| known == name));
        let at = known.unwrap_or_else(|| {
            let at = self.range(len).end;
            self.members.insert(at, (name.clone(), T::default()));
            self.tags.insert(at, tag(name.exact.as_bytes()));
            let longest = len.max(self.starts.len().saturating_sub(2));
            let loosely = |(at, (known, _)): (usize, &(Name, T))| (loose_tag(known.exact.as_bytes()), at);
            self.loose_tags = self.members.iter().enumerate().map(loosely).collect();
            self.loose_tags.sort_unstable();
            self.has_alike = self.loose_tags.windows(2).any(|pair| matches!(pair, [(one, _), (other, _)] if one == other));
            let (word, bit) = outline(name.exact.as_bytes());
            self.outlines.iter_mut().skip(word).take(1).for_each(|bits| *bits |= bit);
            self.starts = (0..longest + 2).map(|len| self.members.partition_point(|(known, _)| known.exact.len() < len)).collect();
            at
        });
        // The position was found or made just now.
        #[expect(clippy::indexing_slicing, reason = "`at` is the position of an element")]
        &mut self.members[at].1
    }
}

impl<T> Names<T> {
    /// Positions of the names of this length; the end is where one more belongs.
    fn range(&self, len: usize) -> std::ops::Range<usize> {
        let start = |len: usize| self.starts.get(len).copied().unwrap_or(self.members.len());
        start(len)..start(len + 1)
    }

    /// The position, in the order of [`Self::iter`], of the name that is spelled exactly so.
    #[inline]
    #[must_use]
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        let (range, tag) = (self.range(name.len()), tag(name));
        let (members, tags) = (self.members.get(range.clone())?, self.tags.get(range.clone())?);
        let alike = range.zip(members.iter().zip(tags)).filter(|(_, (_, known))| **known == tag);
        alike.map(|(at, (member, _))| (at, member)).find(|(_, (known, _))| known.exact.as_bytes() == name).map(|(at, _)| at)
    }

    /// The positions of the names that are alike.
    pub fn alike(&self, name: &[u8]) -> impl Iterator<Item = usize> {
        let (word, bit) = outline(name);
        let may_be = self.outlines.get(word).is_some_and(|bits| bits & bit != 0);
        let tag = if may_be { loose_tag(name) } else { 0 };
        let first = if may_be { self.loose_tags.partition_point(|(known, _)| *known < tag) } else { self.loose_tags.len() };
        let tagged = self.loose_tags.iter().skip(first).take_while(move |(known, _)| *known == tag).map(|(_, at)| *at);
        tagged.filter(move |at| self.members.get(*at).is_some_and(|(known, _)| loosened_bytes(name).eq(known.loose.bytes())))
    }

    /// Whether two of the names may be alike: as a rule none are.
    #[inline]
    #[must_use]
    pub const fn has_alike(&self) -> bool {
        self.has_alike
    }

    /// What stands at a position.
    #[inline]
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&T> {
        self.members.get(at).map(|(_, value)| value)
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What stands under the name that is spelled exactly so.
    #[inline]
    #[must_use]
    pub fn exact(&self, name: &[u8]) -> Option<&T> {
        self.position(name).and_then(|at| self.get(at))
    }

    /// What stands under the first name that `is` accepts.
    #[must_use]
    pub fn find(&self, is: impl Fn(&Name) -> bool) -> Option<&T> {
        self.members.iter().find(|(known, _)| is(known)).map(|(_, value)| value)
    }

    /// All names with what stands under them.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &T)> {
        self.members.iter().map(|(name, value)| (name, value))
    }
}

/// A number that differs for most names of one length: their first and last bytes.
#[inline]
fn tag(name: &[u8]) -> u64 {
    match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29),
        _ => name.iter().fold(0, |tag, byte| tag << 8 | u64::from(*byte)),
    }
}

/// Which of 256 bits stands for the first and last byte that names which are alike share, by its word.
#[inline]
fn outline(name: &[u8]) -> (usize, u64) {
    let is_shared = |byte: &&u8| !matches!(byte, b'_' | b'-' | b' ');
    let lower = |byte: Option<&u8>| byte.map_or(0, u8::to_ascii_lowercase);
    let mixed = lower(name.iter().find(is_shared)).wrapping_mul(31) ^ lower(name.iter().rev().find(is_shared)).wrapping_mul(7);
    (usize::from(mixed >> 6), 1 << (mixed & 63))
}

/// A number that is the same for names that are alike: FNV-1a of what they share.
#[inline]
fn loose_tag(name: &[u8]) -> u64 {
    loosened_bytes(name).fold(0xcbf2_9ce4_8422_2325, |tag, byte| (tag ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::expression::loosened;

    proptest! {
        #[test]
        fn names_are_alike_that_are_the_same_when_loosened(known in prop::collection::vec("[aAbB_ -]{0,4}", 0..12), name in "[aAbB_ -]{0,5}") {
            let mut names = Names::<()>::default();
            for known in &known {
                names.entry(&Name::new(known));
            }
            let mut alike: Vec<_> = names.alike(name.as_bytes()).collect();
            alike.sort_unstable();
            let is_alike = |(known, _): &(&Name, &())| loosened(&known.exact) == loosened(&name);
            let expected: Vec<_> = names.iter().enumerate().filter(|(_, known)| is_alike(known)).map(|(at, _)| at).collect();
            prop_assert!(alike.len() < 2 || names.has_alike());
            prop_assert_eq!(alike, expected);
        }
    }

    #[test]
    fn a_name_is_found_as_it_was_put_in() {
        let mut names = Names::<usize>::default();
        let all = ["id", "", "eventName", "eventTime", "a", "userIdentity", "ID"];
        for (nth, name) in all.iter().enumerate() {
            *names.entry(&Name::new(name)) = nth;
        }
        *names.entry(&Name::new("a")) += 10;
        for (nth, name) in all.iter().enumerate() {
            assert_eq!(names.exact(name.as_bytes()), Some(&if *name == "a" { nth + 10 } else { nth }), "{name}");
        }
        for name in ["b", "Id", "userIdentitY", "eventNames", "a much longer name than any of these"] {
            assert_eq!(names.exact(name.as_bytes()), None, "{name}");
        }
        assert_eq!(names.iter().count(), all.len());
        assert!(Names::<usize>::default().exact(b"a").is_none());
        let loose = |name: &str| names.alike(name.as_bytes()).filter_map(|at| names.get(at)).copied().collect::<Vec<_>>();
        assert_eq!(loose("i_d"), [0, 6]);
        assert_eq!(loose("Event-Name"), [2]);
        assert!(loose("eventNames").is_empty());
    }
}
