//! What one sender's events become before they reach the sequencer.
//!
//! Cutting, hashing and compressing happen here, on the sender's own thread: they need neither
//! the index nor the receive time. The sequencer is left with one hash an entry.

use std::borrow::Cow;

use evidence::leaf::Kind;

use crate::clock::{NoRandomness, random};
use crate::log::chunk::{BLOCK_BYTES_MAX, Block};
use crate::log::entry::{Entry, encoded_bytes};
use crate::log::window::{IdMark, IdOrigin};

/// What the sequencer needs to know of an entry to place it.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// Event, act or record.
    pub kind: Kind,
    /// Source number.
    pub source: u32,
    /// Retention class.
    pub class: u16,
    /// Commitment over its parts.
    pub commitment: [u8; 32],
    /// Its id, when it has one.
    pub id: Option<(IdOrigin, IdMark)>,
}

/// A block with the heads of its entries.
#[derive(Clone, Debug)]
pub struct HeadedBlock {
    /// One for each entry.
    pub heads: Vec<Head>,
    /// The entries.
    pub block: Block,
}

/// One entry to be kept.
#[derive(Clone, Debug)]
pub struct NewEntry<'a> {
    /// Event or record. Acts are made by the sequencer alone.
    pub kind: Kind,
    /// Source number, 0 for the trail's own.
    pub source: u32,
    /// Retention class.
    pub class: u16,
    /// Part 0, canonical JSON.
    pub facts: Cow<'a, [u8]>,
    /// Part 1, canonical JSON.
    pub people: Cow<'a, [u8]>,
    /// The raw bytes.
    pub raw: &'a [u8],
    /// Its id, when it has one.
    pub id: Option<(IdOrigin, IdMark)>,
}

/// Collects entries into blocks.
#[derive(Debug)]
pub struct BatchBuilder {
    blocks: Vec<HeadedBlock>,
    heads: Vec<Head>,
    bytes: Vec<u8>,
    cuts: Vec<u32>,
    salts: Vec<u8>,
    salts_used: usize,
}

/// Salts drawn from the system at a time.
const SALTS_AT_ONCE: usize = 256;

impl BatchBuilder {
    /// A builder for about `events` entries of `raw_bytes` raw bytes in all.
    #[must_use]
    pub fn with_capacity(events: usize, raw_bytes: usize) -> Self {
        let bytes = (raw_bytes + events * encoded_bytes(80, 80, 0)).min(BLOCK_BYTES_MAX);
        Self {
            blocks: Vec::new(),
            heads: Vec::with_capacity(events),
            bytes: Vec::with_capacity(bytes),
            cuts: Vec::new(),
            salts: Vec::new(),
            salts_used: 0,
        }
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`NoRandomness`] when no salt can be drawn.
    pub fn push(&mut self, new: &NewEntry<'_>) -> Result<(), NoRandomness> {
        let entry = Entry {
            kind: new.kind,
            source: new.source,
            class: new.class,
            salt: self.salt()?,
            facts: &new.facts,
            people: &new.people,
            raw: new.raw,
            map: None,
            id: new.id.map(|(_, mark)| mark),
        };
        let size = encoded_bytes(entry.facts.len(), entry.people.len(), entry.raw.len());
        if !self.bytes.is_empty() && self.bytes.len() + size > BLOCK_BYTES_MAX {
            self.close_block();
        }
        let commitment = entry.commitment(&mut self.cuts);
        entry.encode(&mut self.bytes);
        self.heads.push(Head { kind: new.kind, source: new.source, class: new.class, commitment, id: new.id });
        Ok(())
    }

    fn salt(&mut self) -> Result<[u8; 16], NoRandomness> {
        if self.salts.len() < self.salts_used + 16 {
            self.salts.resize(SALTS_AT_ONCE.min(self.heads.capacity().max(1)) * 16, 0);
            random(&mut self.salts)?;
            self.salts_used = 0;
        }
        let salt = self.salts.get(self.salts_used..self.salts_used + 16);
        self.salts_used += 16;
        salt.and_then(|bytes| bytes.try_into().ok()).ok_or(NoRandomness)
    }

    fn close_block(&mut self) {
        let heads = std::mem::take(&mut self.heads);
        let bytes = std::mem::take(&mut self.bytes);
        let count = u32::try_from(heads.len()).unwrap_or(u32::MAX);
        self.blocks.push(HeadedBlock { heads, block: Block::new(count, bytes) });
    }

    /// The finished blocks, in order.
    #[must_use]
    pub fn finish(mut self) -> Vec<HeadedBlock> {
        if !self.heads.is_empty() {
            self.close_block();
        }
        self.blocks
    }
}
