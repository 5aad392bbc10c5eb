//! The transparency log underneath Indelible: RFC 6962 trees and the C2SP formats around them.
#![doc = include_str!("manual.md")]

pub mod canonical;
pub mod checkpoint;
pub mod cosignature;
pub mod hash;
pub mod note;
pub mod position;
pub mod proof;
pub mod prove;
pub mod tile;
pub mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, VerifiedCheckpoint, open_checkpoint};
pub use hash::{Hash, sha256};
pub use note::{SignedNote, VerifierKey};
pub use position::{LeafIndex, TreeSize};
pub use proof::TlogProof;
pub use prove::Nodes;
pub use tile::{TileId, TileKind};
pub use tree::Frontier;
pub use verify::{ConsistencyClaim, InclusionClaim};
