//! Checking proofs, from nothing but the proof. The algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2,
//! which work on the bits of index and size.
//!
//! The claim is a struct so that four values of two types cannot be given in the wrong order.

use crate::hash::Hash;
use crate::position::{LeafIndex, TreeSize};

/// "The leaf with this hash is at `index` in the tree of `size` leaves whose root is `root`."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InclusionClaim {
    /// Position of the leaf.
    pub index: LeafIndex,
    /// Size of the tree.
    pub size: TreeSize,
    /// Leaf hash, see [`Hash::leaf`].
    pub leaf: Hash,
    /// Root of the tree, from a checkpoint whose signature was verified.
    pub root: Hash,
}

/// "The tree of `new` leaves begins with the tree of `old` leaves."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsistencyClaim {
    /// Size of the older tree.
    pub old: TreeSize,
    /// Size of the newer tree.
    pub new: TreeSize,
    /// Root of the older tree.
    pub old_root: Hash,
    /// Root of the newer tree.
    pub new_root: Hash,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The leaf would lie behind the end of the tree.
    #[error("leaf {index} cannot be in a tree of {size} leaves")]
    NotInTree {
        /// Claimed index.
        index: LeafIndex,
        /// Claimed size.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one: somebody cut the log, or the sizes are swapped.
    #[error("a tree of {new} leaves cannot extend one of {old}: the log shrank or the sizes are swapped")]
    Shrinks {
        /// Claimed size of the older tree.
        old: TreeSize,
        /// Claimed size of the newer tree.
        new: TreeSize,
    },
    /// Every tree extends the empty one, so such a proof says nothing and is not taken for one.
    #[error("consistency with the empty tree proves nothing: start from a tree with leaves")]
    FromEmpty,
    /// More or fewer hashes than a proof for these sizes has.
    #[error("a proof of {got} hashes is too long or too short for the sizes it was made for")]
    Length {
        /// Number of hashes in the proof.
        got: usize,
    },
    /// The proof does not lead to the root: leaf, index, size, proof or root is not genuine.
    #[error("the proof does not lead to the root of the tree: the entry or the proof was altered")]
    Root,
    /// The proof does not lead to the root of the older tree.
    #[error("the proof does not lead to the root of the older tree: its beginning was altered")]
    OldRoot,
}

impl InclusionClaim {
    /// Checks the claim against a proof: sibling hashes from the leaf up.
    ///
    /// # Errors
    /// [`VerifyError`] when the proof does not show it. Most likely: the leaf was altered.
    pub fn verify(&self, proof: &[Hash]) -> Result<(), VerifyError> {
        if self.index.0 >= self.size.0 {
            return Err(VerifyError::NotInTree { index: self.index, size: self.size });
        }
        let mut climb = Climb { node: self.index.0, last: self.size.0 - 1 };
        let mut hash = self.leaf;
        for sibling in proof {
            hash = match climb.step() {
                None => return Err(VerifyError::Length { got: proof.len() }),
                Some(Side::Left) => Hash::node(sibling, &hash),
                Some(Side::Right) => Hash::node(&hash, sibling),
            };
        }
        if climb.last != 0 {
            return Err(VerifyError::Length { got: proof.len() });
        }
        if hash != self.root {
            return Err(VerifyError::Root);
        }
        Ok(())
    }
}

impl ConsistencyClaim {
    /// Checks the claim against a proof. Between equal sizes the proof is empty and the roots equal.
    ///
    /// # Errors
    /// [`VerifyError`] when the proof does not show it; [`VerifyError::FromEmpty`] when `old` is 0
    /// and `new` is not: the caller decides what to make of a first checkpoint.
    pub fn verify(&self, proof: &[Hash]) -> Result<(), VerifyError> {
        let wrong_length = VerifyError::Length { got: proof.len() };
        if self.old > self.new {
            return Err(VerifyError::Shrinks { old: self.old, new: self.new });
        }
        if self.old == self.new {
            return self.verify_equal_sizes(proof);
        }
        if self.old.0 == 0 {
            return Err(VerifyError::FromEmpty);
        }
        // Start at the last complete subtree of the old tree. When that is the whole old tree the
        // proof leaves it out.
        let mut climb = Climb { node: self.old.0 - 1, last: self.new.0 - 1 };
        climb.up(climb.node.trailing_ones());
        let (start, rest) = if self.old.0.is_power_of_two() { (&self.old_root, proof) } else { proof.split_first().ok_or(wrong_length)? };
        let (mut old_hash, mut new_hash) = (*start, *start);
        for sibling in rest {
            match climb.step() {
                None => return Err(wrong_length),
                Some(Side::Left) => {
                    old_hash = Hash::node(sibling, &old_hash);
                    new_hash = Hash::node(sibling, &new_hash);
                }
                Some(Side::Right) => new_hash = Hash::node(&new_hash, sibling),
            }
        }
        if climb.last != 0 {
            return Err(wrong_length);
        }
        if old_hash != self.old_root {
            return Err(VerifyError::OldRoot);
        }
        if new_hash != self.new_root {
            return Err(VerifyError::Root);
        }
        Ok(())
    }

    fn verify_equal_sizes(&self, proof: &[Hash]) -> Result<(), VerifyError> {
        if !proof.is_empty() {
            return Err(VerifyError::Length { got: proof.len() });
        }
        if self.old_root != self.new_root {
            return Err(VerifyError::Root);
        }
        if self.old.0 == 0 && self.old_root != Hash::empty_root() {
            return Err(VerifyError::OldRoot);
        }
        Ok(())
    }
}

/// Which child the sibling is.
enum Side {
    Left,
    Right,
}

/// The way from a node up to the root: its index on the current level and the index of the last
/// node there. At the root both are 0.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    /// The side of the next sibling, going up past it; `None` at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        if self.node & 1 == 1 || self.node == self.last {
            // The last node of a level may lack a sibling: then it stands unchanged on the next.
            self.up(self.node.trailing_zeros());
            self.up(1);
            Some(Side::Left)
        } else {
            self.up(1);
            Some(Side::Right)
        }
    }

    fn up(&mut self, levels: u32) {
        self.node = self.node.checked_shr(levels).unwrap_or(0);
        self.last = self.last.checked_shr(levels).unwrap_or(0);
    }
}
