//! Leaves of a segment on disk: C2SP entry bundles end to end, and the level-1 tile over them.
//!
//! `NNNNNN.leaves` holds a whole segment, `NNNNNN-<count>.leaves` the first `count` leaves of one
//! that is not sealed; its last bundle may be partial. A bundle is 256 entries of
//! `u16 length = 48 ‖ leaf`. `NNNNNN.tile` holds the roots of the segment's bundles. Names are made
//! by `evidence::act`.

use evidence::leaf::LEAF_BYTES;
use tlog::Hash;
use tlog::tile::{encode_hashes, subtree_root};

/// Leaves in a bundle.
pub const BUNDLE_LEAVES: usize = 256;
/// Bytes of an entry: its length and the leaf.
const ENTRY_BYTES: usize = 2 + LEAF_BYTES;
/// Bytes of a full bundle.
pub const BUNDLE_BYTES: usize = BUNDLE_LEAVES * ENTRY_BYTES;
/// The length that stands before every leaf.
const LENGTH: [u8; 2] = (LEAF_BYTES as u16).to_be_bytes();

/// The bytes are not entries of 48 bytes each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leaf {position} is cut off or its length is not 48")]
pub struct MalformedLeaves {
    /// Position in the file.
    pub position: usize,
}

/// The file for these leaves.
#[must_use]
pub fn encode(leaves: &[[u8; LEAF_BYTES]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(leaves.len() * ENTRY_BYTES);
    for leaf in leaves {
        out.extend_from_slice(&LENGTH);
        out.extend_from_slice(leaf);
    }
    out
}

/// Reads leaves: a file, or any run of whole entries.
///
/// # Errors
/// [`MalformedLeaves`].
pub fn parse(bytes: &[u8]) -> Result<Vec<[u8; LEAF_BYTES]>, MalformedLeaves> {
    let entries = bytes.chunks(ENTRY_BYTES).enumerate();
    let parsed = entries.map(|(position, entry)| {
        let leaf = entry.strip_prefix(&LENGTH).and_then(|leaf| leaf.try_into().ok());
        leaf.ok_or(MalformedLeaves { position })
    });
    parsed.collect()
}

/// Where a leaf's own bytes begin in the file.
#[must_use]
pub fn leaf_offset(position: u64) -> u64 {
    position * ENTRY_BYTES as u64 + LENGTH.len() as u64
}

/// The level-1 tile of whole bundles of leaves: one root a bundle.
#[must_use]
pub fn level1_tile(leaves: &[[u8; LEAF_BYTES]]) -> Vec<u8> {
    let roots: Vec<Hash> = leaves
        .chunks_exact(BUNDLE_LEAVES)
        .filter_map(|bundle| {
            let hashes: Vec<Hash> = bundle.iter().map(|leaf| Hash::leaf(leaf)).collect();
            subtree_root(&hashes).ok()
        })
        .collect();
    encode_hashes(&roots)
}

/// What a name in `segments/` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentFile {
    /// `NNNNNN.leaves`.
    Leaves(u64),
    /// `NNNNNN.tile`.
    Tile(u64),
    /// `NNNNNN-<count>.leaves`.
    Prefix {
        /// Segment number.
        segment: u64,
        /// Leaves in it.
        count: u64,
    },
}

/// Reads a file name (without its directory); `None` when it is not exactly one that is written.
#[must_use]
pub fn parse_name(name: &str) -> Option<SegmentFile> {
    let (stem, ending) = name.split_once('.')?;
    let (segment, count) = match stem.split_once('-') {
        Some((segment, count)) => (segment, Some(count.parse().ok()?)),
        None => (stem, None),
    };
    let segment = segment.parse().ok()?;
    let [leaves, tile] = evidence::act::seal_file_names(segment);
    let (file, written) = match (ending, count) {
        ("leaves", None) => (SegmentFile::Leaves(segment), leaves),
        ("tile", None) => (SegmentFile::Tile(segment), tile),
        ("leaves", Some(count)) => (SegmentFile::Prefix { segment, count }, evidence::act::leaves_prefix_name(segment, count)),
        _ => return None,
    };
    (written.rsplit('/').next() == Some(name)).then_some(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn leaves(count: u8) -> Vec<[u8; LEAF_BYTES]> {
        (0..count).map(|byte| [byte; LEAF_BYTES]).collect()
    }

    #[test]
    fn leaves_come_back_and_nothing_else_is_taken_for_leaves() {
        let bytes = encode(&leaves(3));
        assert_eq!(bytes[..4], [0, 48, 0, 0]);
        assert_eq!(parse(&bytes).unwrap(), leaves(3));
        assert_eq!(parse(&bytes[..149]), Err(MalformedLeaves { position: 2 }));
        let mut altered = bytes;
        altered[51] = 49;
        assert_eq!(parse(&altered), Err(MalformedLeaves { position: 1 }));
        assert_eq!(leaf_offset(2), 102);
    }

    #[test]
    fn the_tile_holds_a_root_for_each_bundle() {
        let many: Vec<_> = (0..512_u32).map(|n| [(n % 251) as u8; LEAF_BYTES]).collect();
        let tile = level1_tile(&many);
        let hashes: Vec<_> = many[256..].iter().map(|leaf| Hash::leaf(leaf)).collect();
        assert_eq!(tile.len(), 64);
        assert_eq!(tile[32..], subtree_root(&hashes).unwrap().0);
    }

    #[test]
    fn names_are_read_only_as_they_are_written() {
        assert_eq!(parse_name("000012.leaves"), Some(SegmentFile::Leaves(12)));
        assert_eq!(parse_name("000012.tile"), Some(SegmentFile::Tile(12)));
        assert_eq!(parse_name("000012-700.leaves"), Some(SegmentFile::Prefix { segment: 12, count: 700 }));
        for other in ["12.leaves", "000012.leaves.1.tmp", "000012-0700.leaves", "000012-700.tile", "+00012.tile"] {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }
}
