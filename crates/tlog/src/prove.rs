//! Making proofs, from whatever can give the hash of a complete subtree.
//!
//! The counterpart, [`crate::verify`], shares no code with this file: it walks from the leaf up with
//! nothing but the proof, this one from the root down with the whole tree at hand.

use std::ops::Range;

use crate::hash::Hash;
use crate::position::{LeafIndex, TreeSize};
use crate::tree::join;

/// Gives the roots of complete subtrees. A closure `|level, index| …` is one, too.
pub trait Nodes {
    /// Why a node could not be had.
    type Error;

    /// Root of the complete subtree over the leaves `index · 2^level` to `(index + 1) · 2^level − 1`.
    /// Level 0 is the leaf hash.
    ///
    /// # Errors
    /// Whatever keeps the node from being read; the caller gets it in [`ProveError::Node`].
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl<F, E> Nodes for F
where
    F: Fn(u8, u64) -> Result<Hash, E>,
{
    type Error = E;

    fn node(&self, level: u8, index: u64) -> Result<Hash, E> {
        self(level, index)
    }
}

/// Why there is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {size} leaves: ask for a larger tree")]
    NotInTree {
        /// Index asked for.
        index: LeafIndex,
        /// Size of the tree asked for.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {new} leaves cannot extend one of {old}: give the smaller size first")]
    Shrinks {
        /// Size of the older tree.
        old: TreeSize,
        /// Size of the newer tree.
        new: TreeSize,
    },
    /// A node of the tree could not be read.
    #[error("could not read a node of the tree: {0}")]
    Node(E),
}

/// Proof that the leaf `index` is in the tree of `size` leaves: the sibling hashes from the leaf up
/// to just below the root. RFC 6962 §2.1.1.
///
/// ```
/// use std::convert::Infallible;
/// use tlog::{Hash, InclusionClaim, LeafIndex, TreeSize, prove};
///
/// let leaves = [Hash::leaf(b"one"), Hash::leaf(b"two"), Hash::leaf(b"three")];
/// let nodes = |level: u8, index: u64| -> Result<Hash, Infallible> {
///     let start = (index as usize) << level;
///     Ok(tlog::tile::subtree_root(&leaves[start..start + (1 << level)]).unwrap())
/// };
/// let (index, size) = (LeafIndex(1), TreeSize(3));
/// let proof = prove::inclusion(&nodes, index, size)?;
/// assert_eq!(proof, [leaves[0], leaves[2]]);
///
/// let root = prove::root_at(&nodes, size)?;
/// let claim = InclusionClaim { index, size, leaf: Hash::leaf(b"two"), root };
/// assert_eq!(claim.verify(&proof), Ok(()));
/// # Ok::<(), tlog::prove::ProveError<Infallible>>(())
/// ```
///
/// # Errors
/// [`ProveError::NotInTree`] or [`ProveError::Node`].
pub fn inclusion<N: Nodes>(nodes: &N, index: LeafIndex, size: TreeSize) -> Result<Vec<Hash>, ProveError<N::Error>> {
    if index.0 >= size.0 {
        return Err(ProveError::NotInTree { index, size });
    }
    let mut siblings = Vec::new();
    let mut tree = 0..size.0;
    while tree.end - tree.start > 1 {
        let (left, right) = halves(&tree);
        if index.0 < right.start {
            siblings.push(right);
            tree = left;
        } else {
            siblings.push(left);
            tree = right;
        }
    }
    siblings.iter().rev().map(|range| range_root(nodes, range)).collect()
}

/// Proof that the tree of `new` leaves begins with the tree of `old` leaves. RFC 6962 §2.1.2.
/// Empty when the sizes are equal, or when `old` is 0, which needs no proof.
///
/// # Errors
/// [`ProveError::Shrinks`] or [`ProveError::Node`].
pub fn consistency<N: Nodes>(nodes: &N, old: TreeSize, new: TreeSize) -> Result<Vec<Hash>, ProveError<N::Error>> {
    if old > new {
        return Err(ProveError::Shrinks { old, new });
    }
    if old.0 == 0 {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    let mut tree = 0..new.0;
    while tree.end != old.0 {
        let (left, right) = halves(&tree);
        if old.0 <= right.start {
            ranges.push(right);
            tree = left;
        } else {
            ranges.push(left);
            tree = right;
        }
    }
    // What is left is the last complete subtree of the old tree. When it is the whole old tree the
    // verifier has its root already.
    if tree.start != 0 {
        ranges.push(tree);
    }
    ranges.iter().rev().map(|range| range_root(nodes, range)).collect()
}

/// Root of the tree of the first `size` leaves.
///
/// # Errors
/// [`ProveError::Node`].
pub fn root_at<N: Nodes>(nodes: &N, size: TreeSize) -> Result<Hash, ProveError<N::Error>> {
    range_root(nodes, &(0..size.0))
}

/// Splits a range of at least two leaves where RFC 6962 does: the left half is the largest power of
/// two that leaves something for the right.
fn halves(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let leaves = range.end - range.start;
    let middle = range.start + (1 << (leaves - 1).ilog2());
    (range.start..middle, middle..range.end)
}

/// Root over a range that [`halves`] gave: it begins at a multiple of its largest complete subtree,
/// so each of its complete subtrees is a node of the tree.
fn range_root<N: Nodes>(nodes: &N, range: &Range<u64>) -> Result<Hash, ProveError<N::Error>> {
    let leaves = range.end - range.start;
    let mut subtrees = Vec::with_capacity(leaves.count_ones() as usize);
    let mut start = range.start;
    for level in (0..64_u8).rev().filter(|level| leaves >> level & 1 == 1) {
        subtrees.push(nodes.node(level, start >> level).map_err(ProveError::Node)?);
        // At the top level of a tree past 2^63 leaves nothing follows a wrapped start.
        start = start.wrapping_add(1 << level);
    }
    Ok(join(&subtrees))
}
