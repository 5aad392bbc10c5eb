//! The `.tlog-proof` file: an entry's proof and the checkpoint it leads to, checkable without the
//! log. <https://c2sp.org/tlog-proof>
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra <base64>              optional, not authenticated
//! index <index of the leaf>
//! <base64 of a hash>          none or more, from the leaf's sibling up
//!
//! <checkpoint: a signed note>
//! ```

use std::fmt;
use std::str::FromStr;

use crate::canonical;
use crate::checkpoint::{BodyError, Checkpoint};
use crate::hash::Hash;
use crate::note::{NOTE_BYTES_MAX, NoteError, SignedNote};
use crate::position::LeafIndex;

/// Most hashes in a proof: the path to the root of a tree of 2^63 leaves.
pub const PROOF_HASHES_MAX: usize = 63;

/// Longest proof file: the longest note, and as much again for everything before it.
pub const PROOF_BYTES_MAX: usize = 2 * NOTE_BYTES_MAX;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof file taken apart. Nothing in it is authenticated yet: open the checkpoint, then verify
/// the hashes against its root with [`crate::InclusionClaim`].
///
/// Parsing accepts exactly what `Display` writes, to the byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Data that travels with the proof. Not covered by anything; `None` rather than empty.
    pub extra: Option<Vec<u8>>,
    /// Position of the leaf.
    pub index: LeafIndex,
    /// Sibling hashes from the leaf up.
    pub hashes: Vec<Hash>,
    /// The checkpoint's note, verbatim.
    pub checkpoint: String,
}

/// Why a text is not a proof file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Longer than [`PROOF_BYTES_MAX`].
    #[error("the proof has {bytes} bytes, more than the 2 MiB allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The first line is another one.
    #[error("not a tlog-proof: its first line is not c2sp.org/tlog-proof@v1")]
    Header,
    /// The extra line is not canonical base64 of at least one byte.
    #[error("the extra line of the proof is not base64 of at least one byte")]
    Extra,
    /// The index line is missing or malformed.
    #[error("the proof has no index line with a number without leading zeros")]
    Index,
    /// A hash line is not canonical base64 of 32 bytes, or no blank line follows the hashes.
    #[error("hash line {line} of the proof is not base64 of 32 bytes")]
    Hash {
        /// Its number, counted from 1.
        line: usize,
    },
    /// More than [`PROOF_HASHES_MAX`] hashes.
    #[error("the proof has more than 63 hashes, which no tree needs")]
    TooManyHashes,
    /// What follows the blank line is not a signed note.
    #[error("the checkpoint in the proof is malformed: {0}")]
    Note(#[from] NoteError),
    /// The signed note is not a checkpoint.
    #[error("the checkpoint in the proof is malformed: {0}")]
    Body(#[from] BodyError),
}

impl FromStr for TlogProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > PROOF_BYTES_MAX {
            return Err(ProofError::TooLong { bytes: text.len() });
        }
        let (header, mut rest) = text.split_once('\n').ok_or(ProofError::Header)?;
        if header != HEADER {
            return Err(ProofError::Header);
        }
        let mut extra = None;
        if let Some(after) = rest.strip_prefix("extra ") {
            let (base64, after) = after.split_once('\n').ok_or(ProofError::Extra)?;
            let bytes = canonical::from_base64(base64).map_err(|_| ProofError::Extra)?;
            extra = Some(bytes).filter(|bytes| !bytes.is_empty());
            if extra.is_none() {
                return Err(ProofError::Extra);
            }
            rest = after;
        }
        let (line, rest) = rest.split_once('\n').ok_or(ProofError::Index)?;
        let index = line.strip_prefix("index ").ok_or(ProofError::Index)?;
        let index = LeafIndex(canonical::from_decimal(index).map_err(|_| ProofError::Index)?);
        let (hashes, checkpoint) = parse_hashes(rest)?;
        let note: SignedNote = checkpoint.parse()?;
        Checkpoint::parse_body(&note.text)?;
        Ok(TlogProof { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }
}

/// The hash lines up to the blank line, and what follows it.
fn parse_hashes(mut text: &str) -> Result<(Vec<Hash>, &str), ProofError> {
    let mut hashes = Vec::new();
    loop {
        let line = hashes.len() + 1;
        let (hash, rest) = text.split_once('\n').ok_or(ProofError::Hash { line })?;
        text = rest;
        if hash.is_empty() {
            return Ok((hashes, text));
        }
        if hashes.len() == PROOF_HASHES_MAX {
            return Err(ProofError::TooManyHashes);
        }
        hashes.push(hash.parse().map_err(|_| ProofError::Hash { line })?);
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = self.extra.as_deref().filter(|extra| !extra.is_empty()) {
            writeln!(f, "extra {}", canonical::base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
