//! The event file, `application/vnd.indelible.event+json`: one entry, whole or with parts hidden, on
//! its way to somebody who has the log's verifier key and trusts nobody.
//!
//! ```json
//! {"format":"indelible-event/v1","leaf":b64,"parts":[{"salt":b64,"bytes":b64} | {"digest":b64}, …],
//!  "proof":"c2sp.org/tlog-proof@v1\n…","keys":[event file of each rotation act]?}
//! ```
//! Members this program does not know are passed over at the top and refused in a part; duplicate
//! members are refused in both. Base64 is canonical, standard, padded.

mod read;

use thiserror::Error;
use tlog::canonical::base64;
use tlog::{Hash, InclusionClaim, LeafIndex, TlogProof, TreeSize, VerifiedCheckpoint, VerifierKey};

use crate::act::{Act, ActError};
use crate::canonical_json::{Value, write};
use crate::commitment::Salt;
use crate::envelope::{Facts, People};
use crate::leaf::Leaf;
use crate::payload::{check_payload, raw_of};
use crate::rotation::KeyChain;
use crate::verdict::Wrong;

/// Value of the member `format`.
pub const EVENT_FORMAT: &str = "indelible-event/v1";

/// Longest event file that is read: a 1 MiB event in base64, its keys, and room for larger events
/// than the server takes by default.
pub const EVENT_FILE_BYTES_MAX: usize = 32 << 20;

/// An event file, read but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFile {
    /// The leaf.
    pub leaf: Leaf,
    /// The parts of the payload, in order.
    pub parts: Vec<Part>,
    /// The inclusion proof, with the checkpoint.
    pub proof: TlogProof,
    /// Event files of rotation acts.
    pub keys: Vec<EventFile>,
}

/// A part of a payload, as an event file carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The part itself.
    Shown {
        /// Its salt.
        salt: Salt,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Only what the leaf commits to.
    Hidden {
        /// Its digest.
        digest: [u8; 32],
    },
}

impl Part {
    /// The bytes, when they are shown.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Part::Shown { bytes, .. } => Some(bytes),
            Part::Hidden { .. } => None,
        }
    }

    /// The part's digest, as stated or computed.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match self {
            Part::Shown { salt, bytes } => crate::commitment::digest(salt, bytes),
            Part::Hidden { digest } => *digest,
        }
    }

    /// The same part, hidden.
    #[must_use]
    pub fn hide(&self) -> Part {
        Part::Hidden { digest: self.digest() }
    }
}

/// Why bytes are not an event file.
#[derive(Debug, Error)]
pub enum EventFileError {
    /// Longer than [`EVENT_FILE_BYTES_MAX`].
    #[error("the file has {0} bytes, more than an event file may have ({EVENT_FILE_BYTES_MAX})")]
    TooLong(usize),
    /// Not JSON, or not of the shape; says what is wrong and where.
    #[error("not an event file: {0}")]
    Json(#[from] serde_json::Error),
}

/// What an event file proves.
#[derive(Debug)]
pub struct VerifiedEvent {
    /// Index of the entry.
    pub index: LeafIndex,
    /// Its leaf.
    pub leaf: Leaf,
    /// The checkpoint that covers it, and the key that signed it.
    pub checkpoint: VerifiedCheckpoint,
    /// Part 0, when it is shown and has the members that this program writes.
    pub facts: Option<Facts>,
    /// Part 1, likewise.
    pub people: Option<People>,
    /// Number of parts.
    pub parts: usize,
    /// Numbers of the parts that are hidden. Hidden parts of raw may repeat a name that is shown.
    pub hidden: Vec<usize>,
    /// What is known of the way raw is cut.
    pub cuts: Cuts,
    /// The act, when the entry is one and its part 2 is shown.
    pub act: Option<ActSeen>,
    /// Changes of the log's key that the verification rests on.
    pub rotations: usize,
}

/// What is known of the way raw is cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// All of raw is there; it was cut again, with the same result.
    Recomputed,
    /// Some of it is hidden: where the cuts belong cannot be known.
    Unknown,
    /// The entry is an act, whose parts are what they are.
    NotCut,
}

/// An act whose head was checked.
#[derive(Debug)]
pub enum ActSeen {
    /// One that this program knows.
    Known(Box<Act>),
    /// One that it does not know or that is malformed: it stands in the log and has no authority.
    NoAuthority(ActError),
}

impl EventFile {
    /// Reads an event file, strictly.
    ///
    /// # Errors
    /// Too long, not JSON, or another shape than the format has.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventFileError> {
        if bytes.len() > EVENT_FILE_BYTES_MAX {
            return Err(EventFileError::TooLong(bytes.len()));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Reads what `--keys` names: an array of event files, or a single one. An event file's own keys
    /// come along.
    ///
    /// # Errors
    /// As [`EventFile::parse`].
    pub fn parse_keys(bytes: &[u8]) -> Result<Vec<Self>, EventFileError> {
        let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
        if first != Some(&b'[') {
            return Ok(vec![Self::parse(bytes)?]);
        }
        if bytes.len() > EVENT_FILE_BYTES_MAX {
            return Err(EventFileError::TooLong(bytes.len()));
        }
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The file's JSON. Members stand in canonical order; [`EventFile::parse`] does not insist on it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(&self.to_value(), &mut out);
        out
    }

    pub(crate) fn to_value(&self) -> Value {
        let object =
            |members: Vec<(&str, Value)>| Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        let part = |part: &Part| match part {
            Part::Shown { salt, bytes } => object(vec![("salt", base64(&salt.0).into()), ("bytes", base64(bytes).into())]),
            Part::Hidden { digest } => object(vec![("digest", base64(digest).into())]),
        };
        let mut members = vec![
            ("format", EVENT_FORMAT.into()),
            ("leaf", base64(&self.leaf.encode()).into()),
            ("parts", self.parts.iter().map(part).collect()),
            ("proof", self.proof.to_string().into()),
        ];
        if !self.keys.is_empty() {
            members.push(("keys", self.keys.iter().map(EventFile::to_value).collect()));
        }
        object(members)
    }

    /// Verifies everything from the bytes to the signature: parts against the leaf, the leaf against
    /// the tree, the tree against the checkpoint, the checkpoint against the pinned key, or against
    /// one that the rotations in the file and in `extra_keys` lead to from it.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, pinned: &VerifierKey, extra_keys: &[EventFile]) -> Result<VerifiedEvent, Wrong> {
        let chain = KeyChain::build(pinned, self.keys.iter().chain(extra_keys))?;
        self.verify_in(&chain)
    }

    /// As [`EventFile::verify`], with the keys already worked out (they are the same for many files).
    /// The file's own `keys` are not looked at.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify_in(&self, chain: &KeyChain) -> Result<VerifiedEvent, Wrong> {
        if self.proof.extra.as_ref().is_some_and(|extra| extra.as_slice() != self.leaf.encode()) {
            return Err(Wrong::ProofExtra);
        }
        let checkpoint = verify_proof(&self.proof, &self.leaf, chain)?;
        let payload = check_payload(&self.leaf, &self.parts, self.proof.index.0, &checkpoint.checkpoint.origin)?;
        Ok(VerifiedEvent {
            index: self.proof.index,
            leaf: self.leaf,
            checkpoint,
            facts: payload.facts,
            people: payload.people,
            parts: self.parts.len(),
            hidden: payload.hidden,
            cuts: payload.cuts,
            act: payload.act,
            rotations: chain.rotations().len(),
        })
    }

    /// Raw, when the entry has one and all of it is shown.
    #[must_use]
    pub fn raw(&self) -> Option<Vec<u8>> {
        if self.leaf.kind == crate::leaf::Kind::Act {
            return None;
        }
        raw_of(&self.parts)
    }
}

/// Opens a proof's checkpoint and checks that its tree has the leaf at the proof's index.
pub(crate) fn verify_proof(proof: &TlogProof, leaf: &Leaf, chain: &KeyChain) -> Result<VerifiedCheckpoint, Wrong> {
    let opened = chain.open(&proof.checkpoint)?;
    let (size, root): (TreeSize, Hash) = (opened.checkpoint.size, opened.checkpoint.root);
    InclusionClaim { index: proof.index, size, leaf: leaf.hash(), root }.verify(&proof.hashes)?;
    Ok(opened)
}
