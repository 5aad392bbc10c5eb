//! What is known of the newest entries, which stand in no payload file yet: in memory, block by block. It is
//! learnt behind the log, or by whoever comes to a block first; what is not known yet is read.
//!
//! INVARIANT: an entry that is left out does not match, and what says that it is exact holds no entry that does not match
//! either: only that is counted without being read.

mod values;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evidence::fold::TrailState;
use evidence::leaf::{Kind, Leaf};
use rayon::prelude::*;

use crate::log::core::stands_in_files_to;
use crate::search::compare::{Literal, Ready};
use crate::search::document::{Document, Knowing};
use crate::search::field::{Field, Name};
use crate::search::keys::{ByItself, Filing, each_key, is_filed, value_key, word_key};
use crate::search::matcher::{Matcher, Node, leaf_passes};
use crate::search::narrow::other_names;
use crate::search::spelling::{Spellings, with_spellings};
use crate::search::{Index, kind_of};
use crate::source::directory::Directory;
use crate::store::read::StoredEntry;
use crate::store::trail::Trail;
use values::Values;

/// Entries of a block: the bits of a mask.
pub(super) const BLOCK_ENTRIES: u64 = 64;
/// Memory of all blocks: a segment of 65,536 ordinary events has 1.5 million hashes and takes about half of it.
const BYTES_MAX: usize = 128 << 20;
/// Bytes of a block that a search learns when it comes to it. A larger one would take more of its time than is left: it
/// compares entry by entry.
const LEARN_BYTES_MAX: usize = 256 << 10;

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
    /// Those that are too large for a search to learn.
    large: BTreeSet<u64>,
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

    /// Forgets what stands in files, and gives the blocks that are still to be learnt, the newest first.
    fn missing(&self, to_learn: Range<u64>) -> Vec<u64> {
        let mut blocks = self.blocks();
        let kept = blocks.by_first.split_off(&to_learn.start);
        blocks.bytes = kept.values().map(|block| block.bytes()).sum();
        blocks.by_first = kept;
        blocks.large = blocks.large.split_off(&to_learn.start);
        let numbers = to_learn.start / BLOCK_ENTRIES..to_learn.end / BLOCK_ENTRIES;
        numbers.rev().map(|number| number * BLOCK_ENTRIES).filter(|first| !blocks.by_first.contains_key(first)).collect()
    }

    /// Of the blocks of a range those that nobody has learnt and a search may; none when there is no room for more.
    fn unknown(&self, range: &Range<u64>) -> Vec<u64> {
        let blocks = self.blocks();
        if blocks.bytes >= BYTES_MAX {
            return Vec::new();
        }
        let numbers = range.start / BLOCK_ENTRIES..range.end.div_ceil(BLOCK_ENTRIES);
        numbers
            .map(|number| number * BLOCK_ENTRIES)
            .filter(|first| !blocks.by_first.contains_key(first) && !blocks.large.contains(first))
            .collect()
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

impl Index {
    /// Learns the entries that stand in no payload file and that nobody has learnt yet.
    pub fn learn_tail(&self, trail: &Trail, stopped: &dyn Fn() -> bool) {
        let view = trail.view();
        let from = stands_in_files_to(&view.state) / BLOCK_ENTRIES * BLOCK_ENTRIES;
        let to = view.size / BLOCK_ENTRIES * BLOCK_ENTRIES;
        for first in self.tail.missing(from..to.max(from)) {
            if stopped() || !self.learn(trail, &view.state, first, usize::MAX) {
                return;
            }
        }
    }

    /// Learns what a walk comes to next, on all cores: the blocks of a range that nobody has learnt, as far as that is
    /// possible.
    pub(super) fn learn_ahead(&self, trail: &Trail, state: &TrailState, range: &Range<u64>) {
        // It ends with the first that is too large: each was read for nothing, and those behind may be as large.
        let _ = self.tail.unknown(range).par_iter().try_for_each(|first| self.learn(trail, state, *first, LEARN_BYTES_MAX).then_some(()));
    }

    /// Learns the block that begins at `first`, if it is whole; false when it has more bytes than that, or there is no room
    /// for more.
    fn learn(&self, trail: &Trail, state: &TrailState, first: u64, bytes_max: usize) -> bool {
        // What cannot be read is met, and reported, by whoever asks for it.
        let Ok(entries) = trail.reader().entries(first, BLOCK_ENTRIES as usize) else { return true };
        let bytes: usize = entries.iter().map(|entry| entry.raw.len()).sum();
        if bytes > bytes_max {
            self.tail.blocks().large.insert(first);
            return false;
        }
        if entries.len() as u64 != BLOCK_ENTRIES {
            return true;
        }
        let nobody = Directory::default();
        let knowing = Knowing { catalog: self.catalog(), directory: &nobody, state };
        let block = with_spellings(|spellings| Block::of(&entries, knowing, spellings));
        self.tail.keep(first, block)
    }
}
