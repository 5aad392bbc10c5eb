//! What is known of the newest entries, which stand in no payload file yet: in memory, block by block. It is
//! learnt behind the log, or by whoever comes to a block first and cannot rule out its records by their bytes; what is
//! not known yet is read.
//!
//! INVARIANT: an entry that is left out does not match, and what says that it is exact holds no entry that does not match
//! either: only that is counted without being read.

mod learn;
mod values;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evidence::leaf::{Kind, Leaf};

use crate::search::compare::{Literal, Ready};
use crate::search::document::{Document, Knowing};
use crate::search::field::{Field, Name};
use crate::search::keys::{ByItself, Filing, each_key, is_filed, value_key, word_key};
use crate::search::kind_of;
use crate::search::matcher::{Matcher, Node, leaf_passes};
use crate::search::narrow::other_names;
use crate::search::spelling::Spellings;
use crate::store::read::StoredEntry;
use values::Values;

pub(super) use learn::Ahead;

/// Entries of a block: the bits of a mask.
pub(super) const BLOCK_ENTRIES: u64 = 64;
/// Memory of all blocks: a segment of 65,536 ordinary events has 1.5 million hashes and takes about half of it.
const BYTES_MAX: usize = 128 << 20;

/// Entries of a block, by bit.
#[derive(Clone, Copy, Debug)]
struct Mask {
    bits: u64,
    /// All of them match, not only some.
    exact: bool,
}

/// Any entry may match.
const ANY: Mask = Mask { bits: u64::MAX, exact: false };

/// What needs no hash: its leaf, and when it happened.
#[derive(Debug)]
pub(super) struct Row {
    index: u64,
    /// What the log says of it.
    pub leaf: Leaf,
    /// When it happened; when it was received, if it does not say.
    pub time_ms: i64,
}

/// What is known of [`BLOCK_ENTRIES`] neighbours.
#[derive(Debug)]
pub(super) struct Block {
    rows: Vec<Row>,
    /// Of the fields with short values.
    values: Values,
    /// The kinds that the sources had.
    kinds: BTreeMap<u32, String>,
    /// Half of each hash, ascending, and the entries that have it.
    keys: Box<[u32]>,
    masks: Box<[u64]>,
}

const fn half(key: u64) -> u32 {
    key as u32
}

impl Block {
    fn of(entries: &[StoredEntry], knowing: Knowing<'_>, spellings: &mut Spellings) -> Self {
        let (mut rows, mut values, mut kinds) = (Vec::with_capacity(entries.len()), Values::new(), BTreeMap::new());
        let mut keys = HashMap::<u32, u64, ByItself>::default();
        for (bit, entry) in entries.iter().enumerate() {
            let document = Document::new(entry, knowing).remembering();
            let source = document.source();
            kinds.entry(source).or_insert_with(|| kind_of(knowing.state, source).to_owned());
            rows.push(Row { index: entry.index, leaf: entry.leaf, time_ms: document.time_ms() });
            values.add(&document, bit);
            spellings.next_entry();
            each_key(&document, spellings, Filing::begin(), &mut |key| *keys.entry(half(key)).or_default() |= 1 << bit);
        }
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        let (keys, masks): (Vec<_>, Vec<_>) = keys.into_iter().unzip();
        Self { rows, values, kinds, keys: keys.into(), masks: masks.into() }
    }

    /// Memory that it takes, about.
    fn bytes(&self) -> usize {
        self.rows.len() * size_of::<Row>() + self.keys.len() * (size_of::<u32>() + size_of::<u64>()) + self.values.bytes()
    }

    /// The entries that have a hash.
    fn with(&self, key: u64) -> u64 {
        self.keys.binary_search(&half(key)).ok().and_then(|at| self.masks.get(at)).copied().unwrap_or(0)
    }

    fn with_words(&self, literal: &Literal) -> Mask {
        let words = literal.words.iter().filter(|word| is_filed(word));
        Mask { bits: words.fold(u64::MAX, |bits, word| bits & self.with(word_key(word))), exact: false }
    }

    fn with_value(&self, ready: &Ready) -> Mask {
        match ready {
            Ready::Is(literal) if literal.network.is_none() => Mask { bits: self.with(value_key(&literal.folded)), exact: false },
            _ => ANY,
        }
    }

    fn person(&self, ready: &Ready, knowing: Knowing<'_>) -> Mask {
        let Mask { bits, exact } = self.with_value(ready);
        // What rules out nobody needs no further names.
        if bits == ANY.bits {
            return ANY;
        }
        let others = other_names(knowing.directory, ready);
        Mask { bits: others.into_iter().fold(bits, |bits, name| bits | self.with(value_key(name))), exact }
    }

    fn rows(&self, passes: impl Fn(&Row) -> bool) -> Mask {
        let passing = self.rows.iter().enumerate().filter(|(_, row)| passes(row));
        Mask { bits: passing.fold(0, |bits, (bit, _)| bits | 1 << bit), exact: true }
    }

    fn named(&self, name: Name, ready: &Ready, knowing: Knowing<'_>) -> Mask {
        let (from, _) = ready.times();
        match name {
            Name::Time => self.rows(|row| ready.time(row.time_ms)),
            Name::Since => self.rows(|row| row.time_ms >= from),
            Name::Until => self.rows(|row| row.time_ms < from),
            Name::Entry | Name::Source | Name::Received | Name::Index => {
                self.rows(|row| leaf_passes(name, ready, row.index, &row.leaf, knowing.state) == Some(true))
            }
            // Whom a name means is the directory's to say, which may change.
            Name::Actor | Name::Target => self.person(ready, knowing),
            name if name.is_prose() => match ready {
                Ready::Is(literal) => self.with_words(literal),
                _ => ANY,
            },
            _ => match self.with_value(ready) {
                // A hash that is not there settles it sooner than its values.
                Mask { bits: 0, .. } => Mask { bits: 0, exact: true },
                mask => self.values.passing(name, ready).map_or(mask, |bits| Mask { bits, exact: true }),
            },
        }
    }

    fn node(&self, node: &Node, knowing: Knowing<'_>) -> Mask {
        match node {
            Node::All => Mask { bits: u64::MAX, exact: true },
            Node::Not(inner) => match self.node(inner, knowing) {
                Mask { bits, exact: true } => Mask { bits: !bits, exact: true },
                // What may match may also not match.
                _ => ANY,
            },
            Node::And(nodes) => nodes
                .iter()
                .map(|node| self.node(node, knowing))
                .fold(Mask { bits: u64::MAX, exact: true }, |all, one| Mask { bits: all.bits & one.bits, exact: all.exact && one.exact }),
            Node::Or(nodes) => nodes
                .iter()
                .map(|node| self.node(node, knowing))
                .fold(Mask { bits: 0, exact: true }, |any, one| Mask { bits: any.bits | one.bits, exact: any.exact && one.exact }),
            Node::Term(None, Ready::Is(literal)) => self.with_words(literal),
            Node::Term(None, _) => ANY,
            Node::Term(Some(Field::Named(name)), ready) => self.named(*name, ready, knowing),
            Node::Term(Some(_), ready) => self.with_value(ready),
        }
    }

    /// The entries that may match.
    fn may_match(&self, matcher: &Matcher, knowing: Knowing<'_>) -> Mask {
        // A source that is of another kind now is mapped in another way.
        if self.kinds.iter().any(|(number, kind)| kind_of(knowing.state, *number) != kind) {
            return ANY;
        }
        let events = if matcher.events_only { self.rows(|row| row.leaf.kind == Kind::Event).bits } else { u64::MAX };
        let Mask { bits, exact } = self.node(&matcher.root, knowing);
        Mask { bits: bits & events, exact }
    }
}

/// Entries of a block of which it is known that they match, to be counted.
#[derive(Debug)]
pub(super) struct Counted {
    block: Arc<Block>,
    bits: u64,
}

impl Counted {
    /// What needs no hash, of each of them.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.block.rows.iter().enumerate().filter(|(bit, _)| self.bits >> bit & 1 == 1).map(|(_, row)| row)
    }

    /// Gives each first value of a field among [`COUNTED`](super::term_index::COUNTED), without any directory, and how
    /// many of them have it.
    pub fn values(&self, name: Name, add: &mut dyn FnMut(&str, u64)) {
        self.block.values.each_first(name, self.bits, add);
    }
}

/// The blocks, by the number of the first entry.
#[derive(Debug, Default)]
struct Blocks {
    by_first: BTreeMap<u64, Arc<Block>>,
    bytes: usize,
}

/// What is known of the newest entries.
#[derive(Debug, Default)]
pub(super) struct Tail(Mutex<Blocks>);

impl Tail {
    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a range that lies in so many blocks: the one of its first entry and those behind it, or the one of
    /// its last and those before.
    pub(super) fn stride(left: &Range<u64>, from_the_end: bool, blocks: u64) -> Range<u64> {
        if from_the_end {
            let last = left.end.saturating_sub(1) / BLOCK_ENTRIES;
            return ((last + 1).saturating_sub(blocks) * BLOCK_ENTRIES).max(left.start)..left.end;
        }
        let behind = (left.start / BLOCK_ENTRIES).saturating_add(blocks).saturating_mul(BLOCK_ENTRIES);
        left.start..behind.min(left.end)
    }

    /// The part of a range that lies in the block of its first entry, or of its last.
    pub(super) fn step(left: &Range<u64>, from_the_end: bool) -> Range<u64> {
        Self::stride(left, from_the_end, 1)
    }

    /// Says of entries whether they may match; `step` lies in one block.
    pub(super) fn candidates(&self, step: &Range<u64>, matcher: &Matcher, knowing: Knowing<'_>) -> impl Fn(u64) -> bool + use<> {
        let first = step.start / BLOCK_ENTRIES * BLOCK_ENTRIES;
        let block = self.blocks().by_first.get(&first).cloned();
        let bits = block.map_or(u64::MAX, |block| block.may_match(matcher, knowing).bits);
        move |index| index.checked_sub(first).and_then(|bit| bits.checked_shr(u32::try_from(bit).ok()?)).is_some_and(|rest| rest & 1 == 1)
    }

    /// The entries of a step that match, if that and their values of these fields are known without reading them; `step`
    /// lies in one block.
    pub(super) fn counted(&self, step: &Range<u64>, matcher: &Matcher, fields: &[Name], knowing: Knowing<'_>) -> Option<Counted> {
        let first = step.start / BLOCK_ENTRIES * BLOCK_ENTRIES;
        let block = self.blocks().by_first.get(&first).cloned()?;
        // Which source it is says the leaf.
        if !fields.iter().all(|name| *name == Name::Source || block.values.has(*name)) {
            return None;
        }
        let Mask { bits, exact: true } = block.may_match(matcher, knowing) else { return None };
        let in_step = block.rows(|row| step.contains(&row.index)).bits;
        Some(Counted { block, bits: bits & in_step })
    }

    /// Forgets the blocks before the one of an entry.
    fn forget_below(&self, index: u64) {
        let (mut blocks, first) = (self.blocks(), index / BLOCK_ENTRIES * BLOCK_ENTRIES);
        if blocks.by_first.first_key_value().is_some_and(|(known, _)| *known < first) {
            blocks.by_first = blocks.by_first.split_off(&first);
            blocks.bytes = blocks.by_first.values().map(|block| block.bytes()).sum();
        }
    }

    /// The blocks of a range that nobody has learnt, ascending: of those that end within it.
    fn unknown(&self, range: &Range<u64>) -> Vec<u64> {
        let blocks = self.blocks();
        let numbers = range.start / BLOCK_ENTRIES..range.end / BLOCK_ENTRIES;
        numbers.map(|number| number * BLOCK_ENTRIES).filter(|first| !blocks.by_first.contains_key(first)).collect()
    }

    /// Keeps the block that begins at `first`; false when there is no room for more.
    fn keep(&self, first: u64, block: Block) -> bool {
        let (mut blocks, bytes) = (self.blocks(), block.bytes());
        if blocks.bytes + bytes > BYTES_MAX {
            return false;
        }
        blocks.bytes += bytes;
        if let Some(known) = blocks.by_first.insert(first, Arc::new(block)) {
            // Two came to it at once.
            blocks.bytes -= known.bytes();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block without entries that takes more than half of the memory of all.
    fn large() -> Block {
        let keys = BYTES_MAX / 2 / (size_of::<u32>() + size_of::<u64>()) + 1;
        let (keys, masks) = (vec![0; keys].into(), vec![0; keys].into());
        Block { rows: Vec::new(), values: Values::new(), kinds: BTreeMap::new(), keys, masks }
    }

    #[test]
    fn what_there_is_no_room_for_is_refused_until_something_is_forgotten() {
        let tail = Tail::default();
        assert!(tail.keep(64, large()) && !tail.keep(128, large()));
        assert_eq!(tail.unknown(&(10..200)), [0, 128]);
        tail.forget_below(127);
        assert!(!tail.keep(128, large()), "the block of that entry is kept");
        tail.forget_below(128);
        assert!(tail.keep(128, large()));
        assert_eq!(tail.unknown(&(64..191)), [64], "a block that does not end in the range is left out");
    }
}
