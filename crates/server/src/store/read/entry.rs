//! An entry as it is stored, wherever it lies.

use std::sync::OnceLock;

use bytes::Bytes;
use evidence::commitment::commit;
use evidence::leaf::{Kind, Leaf};

use super::{ReadError, damaged};
use crate::log::chunk::Chunk;
use crate::log::entry::{Entries, part_lengths};
use crate::store::layout;
use crate::store::payload_file::OwnedRow;

/// Where bytes are cut into parts: worked out when somebody asks, for most who read an entry do not.
#[derive(Clone, Debug)]
pub struct Cuts {
    /// As stored, when it is not by the rule.
    map: Option<Bytes>,
    lengths: OnceLock<Vec<u32>>,
}

impl From<Vec<u32>> for Cuts {
    /// At these lengths.
    fn from(lengths: Vec<u32>) -> Self {
        Self { map: None, lengths: lengths.into() }
    }
}

/// An entry as stored, with its leaf.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    /// Index in the log.
    pub index: u64,
    /// Its leaf.
    pub leaf: Leaf,
    /// Event salt.
    pub salt: [u8; 16],
    /// Part 0.
    pub facts: Bytes,
    /// Part 1.
    pub people: Bytes,
    /// Parts 2…, concatenated.
    pub raw: Bytes,
    /// Where it is cut into parts 2….
    pub cuts: Cuts,
}

impl StoredEntry {
    /// Lengths of parts 2….
    #[must_use]
    pub fn lengths(&self) -> &[u32] {
        self.cuts.lengths.get_or_init(|| lengths_of(&self.raw, self.cuts.map.as_deref()))
    }

    /// What was sent; of an act, part 2: what it does.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        // Where an event is cut is not asked, for that has to be worked out.
        if self.leaf.kind != Kind::Act {
            return &self.raw;
        }
        self.lengths().first().map_or(&self.raw, |length| self.raw.get(..*length as usize).unwrap_or_default())
    }

    /// Whether its bytes are what its leaf commits to.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        commit(&self.salt, &self.facts, &self.people, &self.raw, self.lengths()) == self.leaf.commitment
    }

    /// All parts in order.
    #[must_use]
    pub fn parts(&self) -> Vec<&[u8]> {
        let mut parts: Vec<&[u8]> = vec![&self.facts, &self.people];
        let mut rest: &[u8] = &self.raw;
        for length in self.lengths() {
            let (part, after) = rest.split_at(rest.len().min(*length as usize));
            parts.push(part);
            rest = after;
        }
        parts
    }
}

/// The entry of a row of `file`.
pub(super) fn entry_of(row: OwnedRow, leaf: Leaf, file: &str) -> Result<StoredEntry, ReadError> {
    let index = row.index;
    let salt = row.salts.as_ref().try_into().map_err(|_| damaged(file, format!("entry {index} has no whole salt")))?;
    let cuts = Cuts { map: row.parts, lengths: OnceLock::new() };
    Ok(StoredEntry { index, leaf, salt, facts: row.facts, people: row.people, raw: row.raw, cuts })
}

/// Lengths of parts 2… of an entry.
#[must_use]
pub fn lengths_of(raw: &[u8], map: Option<&[u8]>) -> Vec<u32> {
    let mut lengths = Vec::new();
    match map {
        Some(map) => part_lengths(map, &mut lengths),
        None => evidence::cut::cut(raw, &mut lengths),
    }
    lengths
}

/// All entries of a chunk with their leaves.
pub(super) fn stored_entries(chunk: &Chunk) -> Result<Vec<StoredEntry>, ReadError> {
    let mut cuts = Vec::new();
    let mut entries = Vec::with_capacity(chunk.header.count as usize);
    for block in &chunk.blocks {
        let decoded = Bytes::from(block.decode().map_err(|why| damaged(layout::WAL, why))?.into_owned());
        for entry in Entries::new(&decoded) {
            let entry = entry.map_err(|why| damaged(layout::WAL, why))?;
            let leaf = entry.leaf(entry.commitment(&mut cuts), chunk.header.received_at);
            entries.push(StoredEntry {
                index: chunk.header.first + entries.len() as u64,
                leaf,
                salt: entry.salt,
                facts: decoded.slice_ref(entry.facts),
                people: decoded.slice_ref(entry.people),
                raw: decoded.slice_ref(entry.raw),
                cuts: cuts.clone().into(),
            });
        }
    }
    Ok(entries)
}
