//! Acts: entries that change what holds for the trail. The fold of all acts is its configuration.
//!
//! Part 2 of an act is canonical JSON `{"act":…,"origin":…,"prev":index|null,"v":1,…}`: permanent,
//! about sources, classes and keys, never about people; no free text beside a connection's settings,
//! no secrets. `prev` is the
//! greatest lower act index, so acts form a chain. What is malformed or unknown gives no authority.

mod connection;
mod members;
mod names;
mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use tlog::VerifierKey;

use crate::canonical_json::JsonError;

pub use connection::{
    ConnectionAct, InvalidSecretReference, SECRET_NAME_CHARS_MAX, SECRETS_MAX, SETTINGS_BYTES_MAX, SecretReference, Setting, settings_value,
};
pub use names::{ids_file_name, is_name, leaves_prefix_name, payload_file_name, seal_file_names};
pub use read::{parse_head, parse_part2};

/// Leaves in a segment; one full level-1 subtree (256 × 256). Tests may make it smaller.
pub const SEGMENT_LEAVES: u64 = 65_536;

/// What every act says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActHead {
    /// Origin of the log that the act is for.
    pub origin: String,
    /// The greatest lower act index, `None` for the first.
    pub prev: Option<u64>,
}

/// What an act does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The first entry of every trail.
    Trail(TrailAct),
    /// A source exists from here on.
    Source(SourceAct),
    /// An API key exists from here on.
    Key(KeyAct),
    /// An API key is good for nothing from here on.
    KeyRevoked {
        /// Its id.
        id: String,
    },
    /// Whether anyone may read the tree (hashes and leaves, never payloads).
    Public {
        /// Anyone may.
        public: bool,
    },
    /// The signing key changes.
    Rotate(RotateAct),
    /// Files were written.
    Payload(PayloadAct),
    /// A segment is complete and permanent.
    Seal(SealAct),
    /// A source is of another kind, or expected to be heard of at another interval, from here on.
    Describe(DescribeAct),
    /// A connection is like this from here on.
    Connection(ConnectionAct),
    /// A connection is gone from here on.
    ConnectionRemoved {
        /// Its name.
        name: String,
    },
}

/// `trail`: stands at index 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailAct {
    /// The first key that signs.
    pub vkey: VerifierKey,
    /// Leaves in a segment, 1 to [`SEGMENT_LEAVES`].
    pub segment_leaves: u64,
    /// Number and name of each retention class; 0 is the trail's own and not listed.
    pub classes: BTreeMap<u16, String>,
}

/// `source`: number and name are never reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAct {
    /// From 1.
    pub number: u32,
    /// See [`is_name`].
    pub name: String,
    /// What kind of system it is, in the form of a name.
    pub kind: String,
}

/// `describe`: what holds for an existing source from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeAct {
    /// Number of the source.
    pub number: u32,
    /// What kind of system it is, in the form of a name.
    pub kind: String,
    /// Seconds within which at least one event is expected, at least 1; `None`: nobody said.
    pub heartbeat_s: Option<u32>,
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything, the other two included.
    Admin,
    /// Send events.
    Ingest,
    /// Read events and proofs.
    Read,
}

impl Scope {
    /// The word for it in acts, on the command line and in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Scope::Admin => "admin",
            Scope::Ingest => "ingest",
            Scope::Read => "read",
        }
    }

    /// The scope of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Scope::Admin, Scope::Ingest, Scope::Read].into_iter().find(|scope| scope.word() == word)
    }
}

/// `key`: an API key, by the hash of its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAct {
    /// `k_` and 16 lower-case hexadecimal digits.
    pub id: String,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// What it may do: at least one thing.
    pub scopes: BTreeSet<Scope>,
    /// Names of the sources it is for; empty: all.
    pub sources: BTreeSet<String>,
    /// When it lapses: milliseconds since 1970, UTC.
    pub expires_at: Option<u64>,
    /// Made on the machine itself because the admin key was lost.
    pub reset: bool,
}

/// `rotate`: see [`crate::rotation`] for what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateAct {
    /// The key that signed until now.
    pub old: VerifierKey,
    /// The key that signs larger trees than this act's.
    pub new: VerifierKey,
    /// The old key's signature.
    pub sig_old: [u8; 64],
    /// The new key's signature.
    pub sig_new: [u8; 64],
}

/// `payload`: names every file written since the last such act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadAct {
    /// Payload files.
    pub files: Vec<PayloadFile>,
    /// The unsealed prefix of the current segment's leaves, when one was written.
    pub leaves: Option<LeavesPrefix>,
    /// The record ids of a range, when they were written.
    pub ids: Option<IdsFile>,
}

/// One payload file: entries of one retention class in a range of indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadFile {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// Length of the file, in bytes.
    pub bytes: u64,
    /// First index of the range.
    pub first: u64,
    /// Indexes in the range, at least 1.
    pub count: u64,
    /// Retention class of every entry in it.
    pub class: u16,
    /// 0 as first written, one more with each erasure.
    pub generation: u32,
}

impl PayloadFile {
    /// Where the file lies, relative to the trail's directory.
    #[must_use]
    pub fn name(&self) -> String {
        payload_file_name(self.first, self.count, self.class, self.generation)
    }

    /// The index behind the range.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// `segments/NNNNNN-<count>.leaves`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavesPrefix {
    /// Number of the segment.
    pub segment: u64,
    /// Leaves in the file, at least 1.
    pub count: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

impl LeavesPrefix {
    /// Where the file lies, relative to the trail's directory.
    #[must_use]
    pub fn name(&self) -> String {
        leaves_prefix_name(self.segment, self.count)
    }
}

/// `ids/<first>-<count>.ids`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdsFile {
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// First index of the range.
    pub first: u64,
    /// Indexes in the range, at least 1.
    pub count: u64,
}

impl IdsFile {
    /// Where the file lies, relative to the trail's directory.
    #[must_use]
    pub fn name(&self) -> String {
        ids_file_name(self.first, self.count)
    }

    /// The index behind the range.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }
}

/// `seal`: a segment's permanent files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealAct {
    /// Number of the segment, from 0.
    pub segment: u64,
    /// SHA-256 of `segments/NNNNNN.leaves`.
    pub leaves: [u8; 32],
    /// SHA-256 of `segments/NNNNNN.tile`.
    pub tile: [u8; 32],
    /// The checkpoint kept for it.
    pub checkpoint: KeptCheckpoint,
    /// The greatest act index below the segment's end.
    pub last_act: Option<u64>,
}

/// A checkpoint kept under `checkpoints/<size>/<sha256>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// Size of its tree.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

impl KeptCheckpoint {
    /// Where the file lies, relative to the trail's directory.
    #[must_use]
    pub fn name(&self) -> String {
        format!("checkpoints/{}/{}", self.size, tlog::canonical::hex(&self.sha256))
    }
}

/// Why part 2 is not an act that this program knows. None of these gives any authority.
#[derive(Debug, Error)]
pub enum ActError {
    /// Not canonical JSON.
    #[error("part 2 of the act: {0}")]
    Json(#[from] JsonError),
    /// Not an object.
    #[error("part 2 of the act is not an object")]
    NotAnObject,
    /// A member is missing, of another type, or not a value it may have.
    #[error("part 2 of the act has no proper member {0:?}")]
    Member(&'static str),
    /// A member that this act does not have.
    #[error("part 2 of the act has the unknown member {0:?}")]
    UnknownMember(String),
    /// A version this program does not know.
    #[error("part 2 of the act has version {0}, only version 1 is known; a newer program may read it")]
    Version(i64),
    /// An act this program does not know; it has a place in the chain and no authority.
    #[error("the act {name:?} is not known; a newer program may know it")]
    Unknown {
        /// Its name.
        name: String,
        /// Its place.
        head: ActHead,
    },
}

impl Act {
    /// The act's name, member `act` of part 2.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Act::Trail(_) => "trail",
            Act::Source(_) => "source",
            Act::Key(_) => "key",
            Act::KeyRevoked { .. } => "key_revoked",
            Act::Public { .. } => "public",
            Act::Rotate(_) => "rotate",
            Act::Payload(_) => "payload",
            Act::Seal(_) => "seal",
            Act::Describe(_) => "describe",
            Act::Connection(_) => "connection",
            Act::ConnectionRemoved { .. } => "connection_removed",
        }
    }
}
