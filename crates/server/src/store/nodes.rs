//! Nodes of the tree for proofs: from the tail in memory, or from leaves and tiles of sealed segments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use evidence::act::seal_file_names;
use evidence::leaf::LEAF_BYTES;
use tlog::tile::{decode_hashes, subtree_root};
use tlog::{Hash, Nodes};

use crate::log::shared::Shared;
use crate::log::tail::Tail;
use crate::store::layout;
use crate::store::leaves_file::{self, BUNDLE_BYTES, BUNDLE_LEAVES};
use crate::store::media::Media;
use crate::store::read::{ReadError, damaged};

/// Where the tail is: with a running log, or with a recovery that is not running yet.
#[derive(Clone, Copy, Debug)]
pub enum TailView<'a> {
    /// Of a running log.
    Shared(&'a Shared),
    /// Just recovered.
    Owned(&'a Tail),
}

impl TailView<'_> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        match self {
            Self::Shared(shared) => shared.with_tail(|tail| tail.node(level, index)),
            Self::Owned(tail) => tail.node(level, index),
        }
    }
}

/// Hashes of one bundle or tile.
type Run = Arc<Vec<Hash>>;

/// Nodes of one tree; each bundle and tile is read once.
pub struct TreeNodes<'a> {
    media: &'a dyn Media,
    tail: TailView<'a>,
    segment_leaves: u64,
    /// Bundles and tiles already read: (level of their hashes, number) → hashes.
    hashes: Mutex<HashMap<(u8, u64), Run>>,
}

impl<'a> TreeNodes<'a> {
    /// Nodes of the tree whose sealed segments lie on `media`.
    #[must_use]
    pub fn new(media: &'a dyn Media, tail: TailView<'a>, segment_leaves: u64) -> Self {
        Self { media, tail, segment_leaves, hashes: Mutex::default() }
    }

    fn read_once(&self, key: (u8, u64), read: impl FnOnce() -> Result<Vec<Hash>, ReadError>) -> Result<Run, ReadError> {
        let mut known = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(hashes) = known.get(&key) {
            return Ok(Arc::clone(hashes));
        }
        let hashes = Arc::new(read()?);
        known.insert(key, Arc::clone(&hashes));
        Ok(hashes)
    }

    /// Roots of all bundles of a sealed segment: its level-1 tile.
    fn tile(&self, segment: u64) -> Result<Run, ReadError> {
        self.read_once((8, segment), || {
            let [_, path] = seal_file_names(segment);
            let bytes = self.media.read(&path).map_err(|why| damaged(&path, why))?;
            decode_hashes(&bytes).map_err(|why| damaged(&path, why))
        })
    }

    fn leaf_hashes(&self, bundle: u64) -> Result<Run, ReadError> {
        self.read_once((0, bundle), || {
            let leaves = sealed_bundle(self.media, self.segment_leaves, bundle)?;
            Ok(leaves.iter().map(|leaf| Hash::leaf(leaf)).collect())
        })
    }
}

impl Nodes for TreeNodes<'_> {
    type Error = ReadError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, ReadError> {
        if let Some(hash) = self.tail.node(level, index) {
            return Ok(hash);
        }
        let segment_level = self.segment_leaves.trailing_zeros() as u8;
        if level > segment_level {
            let (left, right) = (self.node(level - 1, index * 2)?, self.node(level - 1, index * 2 + 1)?);
            return Ok(Hash::node(&left, &right));
        }
        let (hashes, first, count) = if level < 8 {
            let bundle = (index << level) / BUNDLE_LEAVES as u64;
            (self.leaf_hashes(bundle)?, (index << level) % BUNDLE_LEAVES as u64, 1_u64 << level)
        } else {
            let (above, tile_bits) = (level - 8, segment_level - 8);
            let segment = (index << above) >> tile_bits;
            (self.tile(segment)?, (index << above) % (1 << tile_bits), 1_u64 << above)
        };
        let range = first as usize..(first + count) as usize;
        let hashes = hashes.get(range).ok_or_else(|| damaged(layout::SEGMENTS, "a bundle or tile is short"))?;
        subtree_root(hashes).map_err(|why| damaged(layout::SEGMENTS, why))
    }
}

/// Leaves of the full entry bundle `n`, which lies in a sealed segment.
///
/// # Errors
/// [`ReadError::Damaged`].
pub fn sealed_bundle(media: &dyn Media, segment_leaves: u64, n: u64) -> Result<Vec<[u8; LEAF_BYTES]>, ReadError> {
    let bundles = segment_leaves / BUNDLE_LEAVES as u64;
    let [path, _] = seal_file_names(n / bundles);
    let mut bytes = vec![0; BUNDLE_BYTES];
    let file = media.open_read(&path).map_err(|why| damaged(&path, why))?;
    file.read_at(&mut bytes, (n % bundles) * BUNDLE_BYTES as u64).map_err(|why| damaged(&path, why))?;
    leaves_file::parse(&bytes).map_err(|why| damaged(&path, why))
}
