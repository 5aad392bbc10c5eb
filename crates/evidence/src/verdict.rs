//! What is wrong with evidence, and where in it.
//!
//! Malformed and false are one verdict to whoever asked "does it hold?": the answer is no. What could
//! not be read at all (no such file) never gets here.

use std::fmt;

use thiserror::Error;
use tlog::checkpoint::CheckpointError;
use tlog::proof::ProofError;
use tlog::verify::VerifyError;

use crate::act::ActError;
use crate::envelope::EnvelopeError;
use crate::event_file::EventFileError;
use crate::leaf::LeafError;
use crate::rotation::ROTATIONS_MAX;

/// Where in a piece of evidence something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole: its syntax or its shape.
    File,
    /// The leaf.
    Leaf,
    /// A part of the payload, by its number.
    Part(usize),
    /// The parts of the payload taken together.
    Parts,
    /// The inclusion proof.
    Proof,
    /// The checkpoint at the end of the proof.
    Checkpoint,
    /// The rotation acts that lead from the pinned key to the one that signed.
    Keys,
    /// The raw bytes that were given to compare with.
    Raw,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File => f.write_str("file"),
            Place::Leaf => f.write_str("leaf"),
            Place::Part(number) => write!(f, "part {number}"),
            Place::Parts => f.write_str("parts"),
            Place::Proof => f.write_str("proof"),
            Place::Checkpoint => f.write_str("checkpoint"),
            Place::Keys => f.write_str("keys"),
            Place::Raw => f.write_str("raw"),
        }
    }
}

/// Why a piece of evidence does not hold.
#[derive(Debug, Error)]
pub enum Wrong {
    /// Not an event file.
    #[error("{0}")]
    EventFile(#[from] EventFileError),
    /// Not a proof file.
    #[error("{0}")]
    Proof(#[from] ProofError),
    /// The leaf is not one.
    #[error("{0}")]
    Leaf(#[from] LeafError),
    /// The `extra` of a receipt has no form that a receipt has.
    #[error("the receipt carries {0} bytes of its own, where it is a leaf (48) or a leaf, a salt and two digests (128)")]
    ReceiptExtra(usize),
    /// The `extra` of an event file's proof is something else than the leaf.
    #[error("the proof carries extra data that is not the leaf of this file")]
    ProofExtra,
    /// The checkpoint does not open with the keys there are.
    #[error("{error}{hint}", error = .0, hint = hint(.0))]
    Checkpoint(#[from] CheckpointError),
    /// The tree of the checkpoint does not have the leaf at that index.
    #[error("{0}")]
    Inclusion(#[from] VerifyError),
    /// The payload has a number of parts that its kind does not have.
    #[error("the payload has {count} parts, {allowed}")]
    PartCount {
        /// How many there are.
        count: usize,
        /// How many there may be.
        allowed: &'static str,
    },
    /// The parts hash to another commitment than the leaf's.
    #[error("the parts are not those the leaf commits to: something in them was changed, dropped, added or swapped")]
    Commitment,
    /// Part 0 is not an envelope that this program knows.
    #[error("{0}")]
    Envelope(#[from] EnvelopeError),
    /// Raw is not cut as its envelope says.
    #[error("the raw bytes are not cut where the rule of cut 1 cuts them")]
    Cuts,
    /// An act under a source or a retention class.
    #[error("the entry is an act, but of source {source_number} and class {class}, where acts have 0 for both")]
    ActNumbers {
        /// Source number in the leaf.
        source_number: u32,
        /// Class number in the leaf.
        class: u16,
    },
    /// Part 2 of an act does not begin as an act does.
    #[error("{0}")]
    Act(#[from] ActError),
    /// The act was made for another log.
    #[error("the act is for {act:?}, the checkpoint is of {log:?}")]
    ActOrigin {
        /// Origin in part 2.
        act: String,
        /// Origin of the checkpoint.
        log: String,
    },
    /// The act before is said to stand behind this one.
    #[error("the act at {index} names {prev} as the act before it")]
    ActPrev {
        /// This act's index.
        index: u64,
        /// What it names.
        prev: u64,
    },
    /// A file among the keys does not show a valid rotation.
    #[error("the rotation act at index {index}: {why}")]
    Rotation {
        /// Its index, as its proof states it.
        index: u64,
        /// What is wrong with it.
        why: Box<Wrong>,
    },
    /// A file among the keys is an entry of another sort.
    #[error("the entry is not a rotation act whose part 2 is shown")]
    NotARotation,
    /// The rotation is not signed by one of its keys.
    #[error("the {0} key's signature of the rotation does not verify")]
    RotationSignature(&'static str),
    /// A key of a rotation is named after another log.
    #[error("the key {0:?} is not one of the pinned key's log")]
    RotationOrigin(String),
    /// The rotations do not follow each other.
    #[error(
        "the rotations at indexes {before} and {after} do not follow each other: one in between is missing, or there are two histories"
    )]
    RotationGap {
        /// Index of the earlier.
        before: u64,
        /// Index of the later.
        after: u64,
    },
    /// The rotations do not lead to the pinned key.
    #[error("the rotations given neither begin with the pinned key nor lead to it")]
    RotationsElsewhere,
    /// More rotations than anybody makes.
    #[error("{0} rotations are given, more than the {ROTATIONS_MAX} that are looked at")]
    TooManyRotations(usize),
    /// A key signed a tree of a size that was not its to sign.
    #[error(
        "the tree of size {size} was not signed by the key in charge of it, {in_charge}: an old key signs through its rotation, a new key only from there"
    )]
    KeyNotInCharge {
        /// Size of the tree.
        size: u64,
        /// The key that had to sign.
        in_charge: String,
    },
    /// The bytes given are not those that were logged.
    #[error("the bytes given are not the ones that were logged")]
    Raw,
    /// There is nothing to compare the bytes with.
    #[error("the bytes given cannot be compared: {0}")]
    RawUnknown(&'static str),
}

fn hint(error: &CheckpointError) -> &'static str {
    match error {
        CheckpointError::Signature(tlog::note::SignatureError::UnknownKeys) => {
            "; if the log has changed its key since, give its rotation acts with --keys"
        }
        _ => "",
    }
}

impl Wrong {
    /// Where it is wrong.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Wrong::EventFile(_) | Wrong::ReceiptExtra(_) => Place::File,
            Wrong::Leaf(_) | Wrong::ActNumbers { .. } => Place::Leaf,
            Wrong::Proof(_) | Wrong::ProofExtra | Wrong::Inclusion(_) => Place::Proof,
            Wrong::Checkpoint(_) | Wrong::KeyNotInCharge { .. } => Place::Checkpoint,
            Wrong::PartCount { .. } | Wrong::Commitment | Wrong::Cuts => Place::Parts,
            Wrong::Envelope(_) => Place::Part(0),
            Wrong::Act(_) | Wrong::ActOrigin { .. } | Wrong::ActPrev { .. } => Place::Part(2),
            Wrong::Rotation { .. }
            | Wrong::NotARotation
            | Wrong::RotationSignature(_)
            | Wrong::RotationOrigin(_)
            | Wrong::RotationGap { .. }
            | Wrong::RotationsElsewhere
            | Wrong::TooManyRotations(_) => Place::Keys,
            Wrong::Raw | Wrong::RawUnknown(_) => Place::Raw,
        }
    }
}
