//! The receipt: a C2SP tlog-proof whose `extra` is the leaf, or the leaf, the event salt and the
//! digests of the envelope, for the sender, who has the raw bytes.
//!
//! The longer one holds the salt: it proves what was sent even after the log has erased it, at the
//! sender's own discretion.

use std::fmt;
use std::str::FromStr;

use tlog::{Hash, LeafIndex, TlogProof, VerifiedCheckpoint, VerifierKey};

use crate::commitment::{Salt, commitment_of, digest, part_salts};
use crate::event_file::{EventFile, verify_proof};
use crate::leaf::{Kind, LEAF_BYTES, Leaf};
use crate::rotation::KeyChain;
use crate::verdict::Wrong;

/// A receipt, read but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The leaf.
    pub leaf: Leaf,
    /// What the sender needs besides the raw bytes.
    pub sender: Option<SenderData>,
    /// Index of the leaf.
    pub index: LeafIndex,
    /// The inclusion proof, leaf to root.
    pub hashes: Vec<Hash>,
    /// The checkpoint: a signed note.
    pub checkpoint: String,
}

/// What leads from raw bytes to the leaf's commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderData {
    /// The event salt.
    pub salt: Salt,
    /// Digests of parts 0 and 1, the envelope.
    pub envelope: [[u8; 32]; 2],
}

/// Length of [`SenderData`], in bytes.
const SENDER_BYTES: usize = 16 + 2 * 32;

/// A receipt that holds: the log has this leaf at this index.
#[derive(Clone, Debug)]
pub struct VerifiedReceipt {
    /// Index of the entry.
    pub index: LeafIndex,
    /// Its leaf.
    pub leaf: Leaf,
    /// What raw bytes can be compared with.
    pub sender: Option<SenderData>,
    /// The checkpoint that covers it, and the key that signed it.
    pub checkpoint: VerifiedCheckpoint,
    /// Changes of the log's key that the verification rests on.
    pub rotations: usize,
}

impl FromStr for Receipt {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let TlogProof { extra, index, hashes, checkpoint } = text.parse()?;
        let extra = extra.unwrap_or_default();
        let Some((leaf, rest)) = extra.split_at_checked(LEAF_BYTES) else {
            return Err(Wrong::ReceiptExtra(extra.len()));
        };
        let sender = match rest.len() {
            0 => None,
            SENDER_BYTES => Some(SenderData::decode(rest).ok_or(Wrong::ReceiptExtra(extra.len()))?),
            _ => return Err(Wrong::ReceiptExtra(extra.len())),
        };
        Ok(Receipt { leaf: Leaf::decode(leaf)?, sender, index, hashes, checkpoint })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut extra = self.leaf.encode().to_vec();
        if let Some(SenderData { salt, envelope }) = &self.sender {
            extra.extend_from_slice(&salt.0);
            extra.extend_from_slice(envelope.as_flattened());
        }
        let proof = TlogProof { extra: Some(extra), index: self.index, hashes: self.hashes.clone(), checkpoint: self.checkpoint.clone() };
        proof.fmt(f)
    }
}

impl SenderData {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (salt, digests) = bytes.split_first_chunk()?;
        let (first, second) = digests.split_first_chunk()?;
        Some(SenderData { salt: Salt(*salt), envelope: [*first, second.try_into().ok()?] })
    }

    /// The commitment of an entry with this envelope and that raw.
    fn commitment(&self, raw: &[u8]) -> [u8; 32] {
        let mut cuts = Vec::new();
        crate::cut::cut(raw, &mut cuts);
        let salts = part_salts(&self.salt, cuts.len() + 2);
        let mut digests = self.envelope.to_vec();
        let mut rest = raw;
        for (length, salt) in cuts.iter().zip(salts.iter().skip(2)) {
            let (part, after) = rest.split_at_checked(*length as usize).unwrap_or((rest, &[]));
            digests.push(digest(salt, part));
            rest = after;
        }
        commitment_of(&digests)
    }
}

/// Opens a receipt: checks the checkpoint against the pinned key, or one that the rotations in `keys`
/// lead to from it, and the leaf against the checkpoint's tree.
///
/// # Errors
/// The first thing that does not hold.
pub fn open_receipt(text: &str, pinned: &VerifierKey, keys: &[EventFile]) -> Result<VerifiedReceipt, Wrong> {
    let chain = KeyChain::build(pinned, keys)?;
    let receipt: Receipt = text.parse()?;
    receipt.verify_in(&chain)
}

impl Receipt {
    /// As [`open_receipt`], with the keys already worked out.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify_in(&self, chain: &KeyChain) -> Result<VerifiedReceipt, Wrong> {
        if self.leaf.kind == Kind::Act && (self.leaf.source != 0 || self.leaf.class != 0) {
            return Err(Wrong::ActNumbers { source_number: self.leaf.source, class: self.leaf.class });
        }
        let proof = TlogProof { extra: None, index: self.index, hashes: self.hashes.clone(), checkpoint: self.checkpoint.clone() };
        Ok(VerifiedReceipt {
            index: self.index,
            leaf: self.leaf,
            sender: self.sender,
            checkpoint: verify_proof(&proof, &self.leaf, chain)?,
            rotations: chain.rotations().len(),
        })
    }
}

impl VerifiedReceipt {
    /// Checks that these are the raw bytes of the entry.
    ///
    /// # Errors
    /// Other bytes, or a receipt that cannot tell.
    pub fn check_raw(&self, raw: &[u8]) -> Result<(), Wrong> {
        if self.leaf.kind == Kind::Act {
            return Err(Wrong::RawUnknown("the entry is an act, which has no raw bytes"));
        }
        let Some(sender) = &self.sender else {
            return Err(Wrong::RawUnknown("the receipt has no salt; ask for one while the event is kept"));
        };
        if sender.commitment(raw) == self.leaf.commitment { Ok(()) } else { Err(Wrong::Raw) }
    }
}
