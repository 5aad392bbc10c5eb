//! The growing edge of the tree: enough to add leaves and to know the root, in 64 hashes at most.
//!
//! INVARIANT: a frontier of size *n* holds one hash for each set bit of *n*, largest subtree first.
//! The bits of *n* say how the leaves fall into complete subtrees: 11 leaves = 8 + 2 + 1.
//!
//! ```text
//!         root
//!        /    \
//!       8      ·          hashes() = [8, 2, 1]
//!      / \    / \
//!     …   …  2   1
//! ```

use crate::hash::Hash;
use crate::position::TreeSize;

/// Largest tree: 2^63 leaves. The path from any leaf to the root is then at most 63 hashes long,
/// which is also the longest proof a C2SP witness accepts.
pub const TREE_SIZE_MAX: TreeSize = TreeSize(1 << 63);

/// The roots of the maximal complete subtrees of a tree: what must be kept to go on adding leaves.
///
/// ```
/// use tlog::{Frontier, Hash, TreeSize};
///
/// let mut frontier = Frontier::new();
/// for entry in ["one", "two", "three"] {
///     frontier.push(Hash::leaf(entry.as_bytes()));
/// }
/// assert_eq!(frontier.size(), TreeSize(3));
/// assert_eq!(frontier.hashes().len(), 2); // 3 = 2 + 1
///
/// let pair = Hash::node(&Hash::leaf(b"one"), &Hash::leaf(b"two"));
/// assert_eq!(frontier.root(), Hash::node(&pair, &Hash::leaf(b"three")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

/// A subtree of 2^`level` leaves cannot stand behind `size` leaves: it would begin in the middle of
/// a larger one, or the tree would grow past [`TREE_SIZE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a subtree of level {level} cannot follow {size} leaves: add smaller ones first")]
pub struct Misaligned {
    /// Size of the tree when the subtree was offered.
    pub size: TreeSize,
    /// Level of the subtree: it has 2^level leaves.
    pub level: u8,
}

/// The hashes given are not those a tree of this size has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a tree of {size} leaves (2^63 at most) has one hash per set bit of its size, not {got}")]
pub struct WrongParts {
    /// Size the hashes were said to belong to.
    pub size: TreeSize,
    /// How many hashes were given.
    pub got: usize,
}

impl Frontier {
    /// The empty tree.
    #[must_use]
    pub const fn new() -> Frontier {
        Frontier { size: 0, hashes: Vec::new() }
    }

    /// A frontier from what [`size`](Self::size) and [`hashes`](Self::hashes) once gave.
    ///
    /// Only their number can be checked here; that they are the right ones shows in the root.
    ///
    /// # Errors
    /// [`WrongParts`] when a tree of this size has another number of hashes.
    pub fn from_parts(size: TreeSize, hashes: Vec<Hash>) -> Result<Frontier, WrongParts> {
        if size > TREE_SIZE_MAX || hashes.len() != size.0.count_ones() as usize {
            return Err(WrongParts { size, got: hashes.len() });
        }
        Ok(Frontier { size: size.0, hashes })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        TreeSize(self.size)
    }

    /// Roots of the maximal complete subtrees, largest (leftmost) first: one per set bit of the size.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds one leaf, given its hash. Two node hashes on average, 63 at most.
    pub fn push(&mut self, leaf: Hash) {
        self.carry(0, leaf);
    }

    /// Adds the 2^`level` leaves under `root` at once.
    ///
    /// # Errors
    /// [`Misaligned`] when the size is not a multiple of 2^`level`, or would pass [`TREE_SIZE_MAX`].
    pub fn push_subtree(&mut self, level: u8, root: Hash) -> Result<(), Misaligned> {
        let misaligned = Misaligned { size: TreeSize(self.size), level };
        let leaves = 1_u64.checked_shl(u32::from(level)).ok_or(misaligned)?;
        let grown = self.size.checked_add(leaves).ok_or(misaligned)?;
        if !self.size.is_multiple_of(leaves) || TreeSize(grown) > TREE_SIZE_MAX {
            return Err(misaligned);
        }
        self.carry(level, root);
        Ok(())
    }

    /// The root over all leaves; [`Hash::empty_root`] when there are none.
    #[must_use]
    pub fn root(&self) -> Hash {
        join(&self.hashes)
    }

    /// Adding a subtree is adding one to a binary counter: each carry joins two equal subtrees.
    fn carry(&mut self, level: u8, root: Hash) {
        let mut joined = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                joined = Hash::node(&left, &joined);
            }
        }
        self.hashes.push(joined);
        // Cannot wrap: it would take 2^63 calls after the largest frontier there is.
        self.size += 1 << level;
    }
}

impl Default for Frontier {
    fn default() -> Self {
        Frontier::new()
    }
}

/// The root over neighbouring complete subtrees, largest first. RFC 6962 splits at the largest power
/// of two, so the joins go from the right.
pub(crate) fn join(subtrees: &[Hash]) -> Hash {
    subtrees.iter().rev().copied().reduce(|right, left| Hash::node(&left, &right)).unwrap_or(Hash::empty_root())
}
