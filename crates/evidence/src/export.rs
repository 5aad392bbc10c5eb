//! An export: entries of a log as lines of JSON, and a manifest that ties all of them to one checkpoint.
//!
//! ```text
//! {"index":5,…,"raw":{…},…,"evidence":{"leaf":b64,"salt":b64,"facts":{…},"people":{…},"before":[b64,…]}}
//! {"index":9,…}
//! manifest: {"format":"indelible-export/v1",…,"checkpoint":"…","count":2,"after":[b64,…],"files":[…]}
//! ```
//! Between two lines lie entries that are not in the export. Their subtrees' roots stand in `before` of the
//! line behind them, and those behind the last line in `after`: [`gap`] says which, so only hashes are
//! written. Adding up leaves and gaps from the left gives the root that the checkpoint signs, in the memory
//! of one [`Frontier`], and only if every line is an entry of that log, at its index, unchanged.
//!
//! That *no* line is missing among those that a search line describes is not proved by this: whoever made
//! the export says it. Between two lines with neighbouring indexes nothing can be missing.

mod read;

use thiserror::Error;
use tlog::{Frontier, Hash, TreeSize, VerifiedCheckpoint};

use crate::commitment::{Salt, part_salts};
use crate::event_file::{EventFile, Part};
use crate::leaf::{Kind, Leaf};
use crate::payload::check_payload;
use crate::rotation::KeyChain;
use crate::verdict::Wrong;

/// Value of the member `format` of a manifest.
pub const EXPORT_FORMAT: &str = "indelible-export/v1";

/// Longest line that is read: an entry may hold 1 MiB of raw, and each of its bytes six in JSON.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// One line, read and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportLine {
    /// Index of the entry.
    pub index: u64,
    /// Its leaf.
    pub leaf: Leaf,
    /// The event salt.
    pub salt: Salt,
    /// Part 0.
    pub facts: Vec<u8>,
    /// Part 1.
    pub people: Vec<u8>,
    /// Raw of an event or a record; part 2 of an act.
    pub raw: Vec<u8>,
    /// Parts 3 and on of an act.
    pub more: Vec<Vec<u8>>,
    /// Roots of the subtrees between the line before and this one.
    pub before: Vec<Hash>,
}

/// What belongs to all lines, read and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportManifest {
    /// How the entries are written: `ndjson`, `csv`, `parquet`.
    pub encoding: String,
    /// The search line.
    pub query: String,
    /// The checkpoint's note, verbatim.
    pub checkpoint: String,
    /// How many lines there are.
    pub count: u64,
    /// Roots of the subtrees behind the last line.
    pub after: Vec<Hash>,
    /// Whether every entry of the log was looked at.
    pub complete: bool,
    /// Whether the export came to its end.
    pub finished: bool,
    /// The files.
    pub files: Vec<ExportFile>,
    /// Event files of rotation acts.
    pub keys: Vec<EventFile>,
}

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Its name, without a directory.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// What is wrong with an export.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Not a line, or not a manifest.
    #[error("not of an export: {0}")]
    Json(#[from] serde_json::Error),
    /// Longer than [`LINE_BYTES_MAX`].
    #[error("it has more than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// Lines do not ascend.
    #[error("entry {index} stands behind an entry of a greater or the same index, or is beyond the checkpoint's tree of {size}")]
    Order {
        /// Of this line.
        index: u64,
        /// Of the tree.
        size: u64,
    },
    /// Another number of hashes than the gap needs.
    #[error("{got} hashes stand for the entries {from} to {to} that are not in the export, where {needed} do")]
    Gap {
        /// First entry of the gap.
        from: u64,
        /// Behind its last.
        to: u64,
        /// Hashes there are.
        got: usize,
        /// Hashes there should be.
        needed: usize,
    },
    /// The entry is not what its leaf says.
    #[error("{0}")]
    Entry(#[from] Wrong),
    /// The leaves do not add up.
    #[error("the lines do not add up to the root that the checkpoint signs: one of them was changed, added, dropped or moved")]
    Root,
    /// Lines are missing or added.
    #[error("there are {got} lines, where the manifest says {said}")]
    Count {
        /// Lines there are.
        got: u64,
        /// Lines that the manifest states.
        said: u64,
    },
}

/// The subtrees, as level and index, that together hold exactly the entries `from` to `to` (excluded), from
/// the left: each the largest that begins where the last ended and does not reach beyond `to`.
pub fn gap(from: u64, to: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = from;
    std::iter::from_fn(move || {
        let left = to.checked_sub(at).filter(|left| *left > 0)?;
        let level = at.trailing_zeros().min(left.ilog2());
        let subtree = (level as u8, at >> level);
        // At most `to`.
        at += 1 << level;
        Some(subtree)
    })
}

impl ExportLine {
    /// Reads a line, strictly in what is proved; other members are passed over.
    ///
    /// # Errors
    /// Not such a line.
    pub fn parse(line: &[u8]) -> Result<Self, ExportError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(ExportError::TooLong);
        }
        Ok(serde_json::from_slice(line)?)
    }

    /// The parts of the payload, shown.
    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<&[u8]> = vec![&self.facts, &self.people];
        let mut cuts = Vec::new();
        if self.leaf.kind == Kind::Act {
            parts.push(&self.raw);
            parts.extend(self.more.iter().map(Vec::as_slice));
        } else {
            crate::cut::cut(&self.raw, &mut cuts);
            let mut rest = self.raw.as_slice();
            for length in cuts {
                let (part, after) = rest.split_at_checked(length as usize).unwrap_or((rest, &[]));
                parts.push(part);
                rest = after;
            }
        }
        let salts = part_salts(&self.salt, parts.len());
        parts.into_iter().zip(salts).map(|(bytes, salt)| Part::Shown { salt, bytes: bytes.to_vec() }).collect()
    }
}

impl ExportManifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Not a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, ExportError> {
        if bytes.len() > LINE_BYTES_MAX {
            return Err(ExportError::TooLong);
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Opens the checkpoint, with the keys that lead from the pinned one.
    ///
    /// # Errors
    /// The keys or the checkpoint do not hold.
    pub fn open(&self, pinned: &tlog::VerifierKey, extra_keys: &[EventFile]) -> Result<(VerifiedCheckpoint, usize), Wrong> {
        let chain = KeyChain::build(pinned, self.keys.iter().chain(extra_keys))?;
        Ok((chain.open(&self.checkpoint)?, chain.rotations().len()))
    }
}

/// Adds up the lines of an export.
#[derive(Debug)]
pub struct ExportCheck {
    checkpoint: VerifiedCheckpoint,
    frontier: Frontier,
    count: u64,
    first: Option<u64>,
    last: Option<u64>,
}

/// What an export proves.
#[derive(Debug)]
pub struct VerifiedExport {
    /// The checkpoint that covers all of it, and the key that signed it.
    pub checkpoint: VerifiedCheckpoint,
    /// Lines.
    pub count: u64,
    /// First and last index.
    pub range: Option<(u64, u64)>,
}

impl ExportCheck {
    /// Begins, with the checkpoint that the lines are to lead to.
    #[must_use]
    pub const fn begin(checkpoint: VerifiedCheckpoint) -> Self {
        Self { checkpoint, frontier: Frontier::new(), count: 0, first: None, last: None }
    }

    /// The next line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take(&mut self, line: &ExportLine) -> Result<(), ExportError> {
        let size = self.checkpoint.checkpoint.size.0;
        if line.index < self.frontier.size().0 || line.index >= size {
            return Err(ExportError::Order { index: line.index, size });
        }
        self.pass(line.index, &line.before)?;
        check_payload(&line.leaf, &line.parts(), line.index, &self.checkpoint.checkpoint.origin)?;
        self.frontier.push(line.leaf.hash());
        self.count += 1;
        self.first.get_or_insert(line.index);
        self.last = Some(line.index);
        Ok(())
    }

    /// The end: the tree that the lines and gaps make is the checkpoint's.
    ///
    /// # Errors
    /// It is not, or lines are missing.
    pub fn finish(mut self, manifest: &ExportManifest) -> Result<VerifiedExport, ExportError> {
        if self.count != manifest.count {
            return Err(ExportError::Count { got: self.count, said: manifest.count });
        }
        let TreeSize(size) = self.checkpoint.checkpoint.size;
        self.pass(size, &manifest.after)?;
        if self.frontier.root() != self.checkpoint.checkpoint.root {
            return Err(ExportError::Root);
        }
        Ok(VerifiedExport { checkpoint: self.checkpoint, count: self.count, range: self.first.zip(self.last) })
    }

    /// Passes over entries that are not in the export.
    fn pass(&mut self, to: u64, hashes: &[Hash]) -> Result<(), ExportError> {
        let from = self.frontier.size().0;
        let needed = gap(from, to).count();
        let wrong = ExportError::Gap { from, to, got: hashes.len(), needed };
        if needed != hashes.len() {
            return Err(wrong);
        }
        for ((level, _), hash) in gap(from, to).zip(hashes) {
            if self.frontier.push_subtree(level, *hash).is_err() {
                return Err(wrong);
            }
        }
        Ok(())
    }
}
