//! Tiles: the tree as static files of 256 hashes, and the entries beside it.
//! <https://c2sp.org/tlog-tiles>
//!
//! ```text
//! tile/<level>/<n>[.p/<width>]      hashes: (n·256 + i)-th subtree of 256^level leaves, 32 bytes each
//! tile/entries/<n>[.p/<width>]      entries n·256 + i, each after its length in 2 bytes
//! ```
//!
//! A full tile has 256; a partial one, at the right edge of some tree, 1 to 255.

mod bundle;
mod path;

pub use bundle::{BundleError, EntryTooLong, decode_bundle, encode_bundle};
pub use path::{TileId, TileKind, TilePathError};

use crate::hash::{HASH_BYTES, Hash};
use crate::position::TreeSize;

/// Hashes or entries in a full tile.
pub const TILE_WIDTH: u16 = 256;

/// Highest level a tile's path may name. Trees of up to 2^64 leaves end at level 7.
pub const LEVEL_MAX: u8 = 63;

/// Not 1 to 256 hashes of 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tile of {bytes} bytes is not 1 to 256 hashes of 32 bytes")]
pub struct TileBytesError {
    /// Its length.
    pub bytes: usize,
}

/// Not 1, 2, 4, … hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{got} hashes do not fill a complete subtree: a power of two is needed")]
pub struct NotPowerOfTwo {
    /// How many there are.
    pub got: usize,
}

/// Width of the partial tile at `level` of a tree of `size` leaves, `floor(size / 256^level) mod
/// 256`. 0 when there is none; an empty tile is never served.
///
/// ```
/// use tlog::{TreeSize, tile::partial_width};
///
/// // The example of the specification: 273 full tiles and these.
/// let size = TreeSize(70_000);
/// assert_eq!([0, 1, 2, 3].map(|level| partial_width(size, level)), [112, 17, 1, 0]);
/// ```
#[must_use]
pub fn partial_width(size: TreeSize, level: u8) -> u16 {
    (hashes_at_level(size, level) % u64::from(TILE_WIDTH)) as u16
}

/// How many hashes all tiles of `level` hold together: `floor(size / 256^level)`.
#[must_use]
pub(crate) fn hashes_at_level(size: TreeSize, level: u8) -> u64 {
    size.0.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

/// The bytes of a tile of hashes.
#[must_use]
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile.
///
/// # Errors
/// [`TileBytesError`] unless there are 1 to 256 whole hashes.
pub fn decode_hashes(bytes: &[u8]) -> Result<Vec<Hash>, TileBytesError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if !rest.is_empty() || hashes.is_empty() || hashes.len() > usize::from(TILE_WIDTH) {
        return Err(TileBytesError { bytes: bytes.len() });
    }
    Ok(hashes.iter().copied().map(Hash).collect())
}

/// Root over 2^k neighbouring hashes: of a full tile, the hash that stands for it one level up.
///
/// # Errors
/// [`NotPowerOfTwo`] for any other number, none included.
pub fn subtree_root(hashes: &[Hash]) -> Result<Hash, NotPowerOfTwo> {
    let not_power_of_two = NotPowerOfTwo { got: hashes.len() };
    if !hashes.len().is_power_of_two() {
        return Err(not_power_of_two);
    }
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        let (pairs, _) = level.as_chunks::<2>();
        level = pairs.iter().map(|[left, right]| Hash::node(left, right)).collect();
    }
    level.first().copied().ok_or(not_power_of_two)
}
