//! The part of the tree that is not yet in sealed files, in memory, for readers.
//!
//! The sequencer writes here after a chunk is durable and its checkpoint signed; readers hold the
//! lock for the time of a copy. Sealed segments are known by their roots alone: what lies below
//! is in `segments/` and is read from there.

use std::collections::VecDeque;

use evidence::leaf::LEAF_BYTES;
use tlog::Hash;

/// Leaves of one segment that is not sealed yet, with every complete subtree root above them.
#[derive(Clone, Debug, Default)]
struct OpenSegment {
    leaves: Vec<[u8; LEAF_BYTES]>,
    /// `levels[l][i]` is the root of the complete subtree of 2^l leaves at i within the segment.
    levels: Vec<Vec<Hash>>,
    /// Signed note whose size is the segment's end, once it is full.
    end_checkpoint: Option<String>,
}

impl OpenSegment {
    fn push(&mut self, leaf: [u8; LEAF_BYTES], mut hash: Hash) {
        self.leaves.push(leaf);
        for level in 0.. {
            if self.levels.len() <= level {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(level) else { return };
            hashes.push(hash);
            // A subtree one level up is complete with every second hash.
            match hashes.as_slice() {
                [.., left, right] if hashes.len().is_multiple_of(2) => hash = Hash::node(left, right),
                _ => return,
            }
        }
    }
}

/// Where the store put a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkAt {
    /// Sequence number of the file.
    pub file: u64,
    /// First block in it.
    pub block: u32,
    /// Bytes of the chunk.
    pub bytes: u32,
}

/// Where a chunk lies, for readers of entries that are not in payload files yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRef {
    /// Index of its first entry.
    pub first: u64,
    /// Entries in it.
    pub count: u32,
    /// Receive time, ms.
    pub received_at: u64,
    /// Where the store put it.
    pub at: ChunkAt,
}

/// Tree nodes and chunk places above the sealed files.
#[derive(Clone, Debug)]
pub struct Tail {
    segment_leaves: u64,
    sealed: Vec<Hash>,
    open: VecDeque<OpenSegment>,
    chunks: VecDeque<ChunkRef>,
}

impl Tail {
    /// A tail above `sealed` segments of `segment_leaves` leaves each (a power of two ≥ 256).
    #[must_use]
    pub fn new(segment_leaves: u64, sealed: Vec<Hash>) -> Self {
        Self { segment_leaves, sealed, open: VecDeque::new(), chunks: VecDeque::new() }
    }

    /// Level of a segment's root: its binary logarithm.
    #[must_use]
    pub fn segment_level(&self) -> u8 {
        self.segment_leaves.trailing_zeros() as u8
    }

    /// First index that is not in a sealed segment.
    #[must_use]
    pub fn open_from(&self) -> u64 {
        self.sealed.len() as u64 * self.segment_leaves
    }

    /// Leaves in all.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.open_from() + self.open.iter().map(|segment| segment.leaves.len() as u64).sum::<u64>()
    }

    /// Adds the next leaf.
    pub fn push_leaf(&mut self, leaf: [u8; LEAF_BYTES], hash: Hash) {
        let full = |segment: &OpenSegment| segment.leaves.len() as u64 == self.segment_leaves;
        if self.open.back().is_none_or(full) {
            self.open.push_back(OpenSegment::default());
        }
        if let Some(segment) = self.open.back_mut() {
            segment.push(leaf, hash);
        }
    }

    /// Notes where the newest chunk lies.
    pub fn push_chunk(&mut self, chunk: ChunkRef) {
        self.chunks.push_back(chunk);
    }

    /// Keeps the signed note of a segment that has just become full.
    pub fn keep_end_checkpoint(&mut self, size: u64, note: &str) {
        let Some(position) = size.checked_sub(self.open_from() + 1).map(|below| below / self.segment_leaves) else { return };
        if let Some(segment) = self.open.get_mut(position as usize) {
            segment.end_checkpoint = Some(note.to_owned());
        }
    }

    /// The signed note for the end of the oldest open segment, when it is full.
    #[must_use]
    pub fn end_checkpoint(&self) -> Option<&str> {
        self.open.front().and_then(|segment| segment.end_checkpoint.as_deref())
    }

    /// Leaf at `index` when it is above the sealed segments.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<[u8; LEAF_BYTES]> {
        let above = index.checked_sub(self.open_from())?;
        let segment = self.open.get((above / self.segment_leaves) as usize)?;
        segment.leaves.get((above % self.segment_leaves) as usize).copied()
    }

    /// Leaves in `[from, to)`, which lies in one open segment; `None` when it does not.
    #[must_use]
    pub fn leaves(&self, from: u64, to: u64) -> Option<Vec<[u8; LEAF_BYTES]>> {
        if from == to {
            return Some(Vec::new());
        }
        let above = from.checked_sub(self.open_from())?;
        let segment = self.open.get((above / self.segment_leaves) as usize)?;
        let start = (above % self.segment_leaves) as usize;
        Some(segment.leaves.get(start..start + (to - from) as usize)?.to_vec())
    }

    /// Root of the complete subtree of 2^level leaves at `index`, when this tail knows it: in an
    /// open segment, or at or above the root of a sealed one.
    #[must_use]
    pub fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let segment_level = self.segment_level();
        if level > segment_level {
            let left = self.node(level - 1, index * 2)?;
            let right = self.node(level - 1, index * 2 + 1)?;
            return Some(Hash::node(&left, &right));
        }
        let first = index << level;
        let segment = first / self.segment_leaves;
        if segment < self.sealed.len() as u64 {
            return (level == segment_level).then(|| self.sealed.get(segment as usize).copied()).flatten();
        }
        let open = self.open.get((segment - self.sealed.len() as u64) as usize)?;
        let within = (first % self.segment_leaves) >> level;
        open.levels.get(level as usize)?.get(within as usize).copied()
    }

    /// The chunk that holds `index`.
    #[must_use]
    pub fn chunk(&self, index: u64) -> Option<ChunkRef> {
        let after = self.chunks.partition_point(|chunk| chunk.first <= index);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        (index < chunk.first + u64::from(chunk.count)).then_some(*chunk)
    }

    /// Chunks that hold entries of `[from, to)`, in order.
    #[must_use]
    pub fn chunks(&self, from: u64, to: u64) -> Vec<ChunkRef> {
        self.chunks.iter().filter(|chunk| chunk.first < to && chunk.first + u64::from(chunk.count) > from).copied().collect()
    }

    /// The oldest segment is sealed: only its root stays here.
    pub fn seal_oldest(&mut self) {
        let level = self.segment_level();
        if let Some(root) = self.node(level, self.sealed.len() as u64) {
            self.open.pop_front();
            self.sealed.push(root);
        }
    }

    /// Forgets chunks that end at or before `index`: their entries stand in payload files. Gives
    /// the oldest chunk that is still needed.
    pub fn forget_chunks_before(&mut self, index: u64) -> Option<ChunkRef> {
        while self.chunks.front().is_some_and(|chunk| chunk.first + u64::from(chunk.count) <= index) {
            self.chunks.pop_front();
        }
        self.chunks.front().copied()
    }

    /// Receive time of the oldest chunk still here, ms.
    #[must_use]
    pub fn oldest_chunk(&self) -> Option<ChunkRef> {
        self.chunks.front().copied()
    }

    /// Segments that are not sealed, the newest, partial one included.
    #[must_use]
    pub fn open_segments(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use tlog::Frontier;

    fn leaf(index: u64) -> ([u8; LEAF_BYTES], Hash) {
        let mut leaf = [0; LEAF_BYTES];
        leaf[40..].copy_from_slice(&index.to_be_bytes());
        (leaf, Hash::leaf(&leaf))
    }

    #[test]
    fn nodes_give_the_same_root_as_the_frontier_before_and_after_sealing() {
        let mut tail = Tail::new(256, Vec::new());
        let mut frontier = Frontier::new();
        for index in 0..1100 {
            let (bytes, hash) = leaf(index);
            tail.push_leaf(bytes, hash);
            frontier.push(hash);
        }
        let whole: Vec<_> = [(10, 0), (6, 16), (3, 136), (2, 274)].iter().map(|(l, i)| tail.node(*l, *i).unwrap()).collect();
        assert_eq!(whole, frontier.hashes());
        tail.seal_oldest();
        tail.seal_oldest();
        assert_eq!((tail.open_from(), tail.size()), (512, 1100));
        assert_eq!(tail.node(10, 0), Some(whole[0]));
        assert_eq!(tail.node(9, 0), Some(Hash::node(&tail.node(8, 0).unwrap(), &tail.node(8, 1).unwrap())));
        assert_eq!(tail.node(7, 0), None, "below a sealed root only the files know");
        assert_eq!(tail.leaf(511), None);
        assert_eq!(tail.leaf(512), Some(leaf(512).0));
    }

    #[test]
    fn a_chunk_is_found_by_any_of_its_indexes_until_it_is_forgotten() {
        let mut tail = Tail::new(256, Vec::new());
        for (first, count) in [(0, 3), (3, 1), (4, 6)] {
            let at = ChunkAt { file: 1, block: first as u32, bytes: 512 };
            tail.push_chunk(ChunkRef { first, count, received_at: 0, at });
        }
        assert_eq!([0, 2, 3, 9].map(|index| tail.chunk(index).unwrap().at.block), [0, 0, 3, 4]);
        assert_eq!(tail.chunk(10), None);
        assert_eq!(tail.chunks(2, 5).len(), 3);
        assert_eq!(tail.forget_chunks_before(4).unwrap().first, 4);
        assert_eq!(tail.chunk(3), None);
    }
}
