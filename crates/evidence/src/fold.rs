//! The fold of acts: what holds for a trail. There is no other configuration.
//!
//! INVARIANTS, checked as each act is applied, so that a log whose acts break one is refused by the
//! server that replays it and by the verifier that audits it, through the same code:
//! 1. Acts form one chain: `prev` is the index of the act before, `origin` the trail's.
//! 2. Numbers and names of sources, ids and hashes of keys, and signing keys are never reused.
//! 3. The next segment sealed is the one behind the last, and its seal names acts and a checkpoint
//!    that lie where they must.
//! 4. Payload files of one class do not overlap, nor cross segments, nor reach past their act.
//! 5. A signing key changes only with the signatures of both keys over the change's own index.

mod connections;
mod files;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use tlog::VerifierKey;

use crate::act::{Act, ActHead, DescribeAct, IdsFile, LeavesPrefix, PayloadFile, RotateAct, SEGMENT_LEAVES, SealAct, SourceAct, TrailAct};
use crate::rotation::verify_signatures;

pub use connections::ConnectionEntry;
pub use tokens::{KeyEntry, hash_of_token};

/// What holds for a trail after some prefix of its acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailState {
    /// The trail's identity.
    pub origin: String,
    /// The key that signs now.
    pub vkey: VerifierKey,
    /// Retention classes by number, without 0.
    pub classes: BTreeMap<u16, String>,
    /// Sources by number.
    pub sources: BTreeMap<u32, SourceEntry>,
    /// Connections by name.
    pub connections: BTreeMap<String, ConnectionEntry>,
    /// API keys by id, revoked ones included.
    pub keys: BTreeMap<String, KeyEntry>,
    /// Whether anyone may read the tree.
    pub public: bool,
    /// Changes of the signing key, oldest first.
    pub rotations: Vec<Rotation>,
    /// Payload files by class and first index.
    pub payload_files: BTreeMap<(u16, u64), PayloadFile>,
    /// The newest unsealed prefix of the current segment's leaves.
    pub leaves_prefix: Option<LeavesPrefix>,
    /// Files of record ids, oldest first.
    pub ids_files: Vec<IdsFile>,
    /// Sealed segments; the position is the segment's number.
    pub seals: Vec<SealAct>,
    /// Index of the newest act.
    pub last_act: u64,
    /// Leaves in a segment.
    pub segment_leaves: u64,
    /// Indexes of the acts since the last sealed segment's end, and of the one before them.
    recent_acts: BTreeSet<u64>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its name.
    pub name: String,
    /// What kind of system it is.
    pub kind: String,
    /// Seconds within which at least one event is expected, when somebody said so.
    pub heartbeat_s: Option<u32>,
    /// Index of the act that made it.
    pub index: u64,
}

/// A change of the signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Index of the act: the old key signs trees up to one larger, the new key only larger ones.
    pub index: u64,
    /// The key before.
    pub old: VerifierKey,
    /// The key after.
    pub new: VerifierKey,
}

/// Why an act may not stand where it does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FoldError {
    /// The first act is something else.
    #[error("the act at index 0 is not the trail's own: the log does not begin where it should")]
    NotATrail,
    /// The trail's segments have no leaves, or more than a tile of level 1 stands for.
    #[error("the trail has segments of {0} leaves; 1 to {SEGMENT_LEAVES} are possible")]
    SegmentLeaves(u64),
    /// A second `trail`.
    #[error("a second trail act stands at index {0}: a log has one")]
    SecondTrail(u64),
    /// The act names another log.
    #[error("the act is for {found:?}, this log is {expected:?}")]
    Origin {
        /// This log's.
        expected: String,
        /// The act's.
        found: String,
    },
    /// The chain of acts is broken: one is missing, added or out of order.
    #[error("the act names {found:?} as the act before it where that is {expected:?}: an act is missing or added")]
    Chain {
        /// Index of the act before, as folded.
        expected: Option<u64>,
        /// Index of the act before, as stated.
        found: Option<u64>,
    },
    /// The act does not stand behind the last one.
    #[error("the act at index {index} does not stand behind the one at {last}")]
    Order {
        /// Its index.
        index: u64,
        /// Index of the last one.
        last: u64,
    },
    /// What the act makes was there already, now or earlier.
    #[error("{0} {1} was used before and may not be used again")]
    Reused(&'static str, String),
    /// What the act speaks of is not there.
    #[error("{0} {1} does not exist or is no longer in force")]
    Missing(&'static str, String),
    /// A connection is not in the form that connections have.
    #[error("the connection {name:?} has no proper member {member:?}")]
    Connection {
        /// Its name.
        name: String,
        /// Which member.
        member: &'static str,
    },
    /// A file's range lies where it must not.
    #[error("{name} {why}")]
    Range {
        /// Name of the file.
        name: String,
        /// What is wrong with its range.
        why: &'static str,
    },
    /// Another segment than the next was sealed, or too early, or with wrong references.
    #[error("the seal of segment {segment} {why}")]
    Seal {
        /// Number of the segment.
        segment: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A signature of the rotation does not verify.
    #[error("the {0} key's signature of the rotation does not verify")]
    RotationSignature(&'static str),
}

impl TrailState {
    /// The state after the first act, which stands at index 0.
    ///
    /// # Errors
    /// Not a `trail` act, a predecessor named, or a key of another name than the origin.
    pub fn begin(head: &ActHead, act: &Act) -> Result<Self, FoldError> {
        let Act::Trail(TrailAct { vkey, segment_leaves, classes }) = act else {
            return Err(FoldError::NotATrail);
        };
        if head.prev.is_some() {
            return Err(FoldError::Chain { expected: None, found: head.prev });
        }
        if !(1..=SEGMENT_LEAVES).contains(segment_leaves) {
            return Err(FoldError::SegmentLeaves(*segment_leaves));
        }
        if vkey.name != head.origin {
            return Err(FoldError::Origin { expected: head.origin.clone(), found: vkey.name.clone() });
        }
        Ok(TrailState {
            origin: head.origin.clone(),
            vkey: vkey.clone(),
            classes: classes.clone(),
            sources: BTreeMap::new(),
            connections: BTreeMap::new(),
            keys: BTreeMap::new(),
            public: false,
            rotations: Vec::new(),
            payload_files: BTreeMap::new(),
            leaves_prefix: None,
            ids_files: Vec::new(),
            seals: Vec::new(),
            last_act: 0,
            segment_leaves: *segment_leaves,
            recent_acts: BTreeSet::from([0]),
        })
    }

    /// Applies the next act to a state that may not have begun.
    ///
    /// # Errors
    /// As [`TrailState::begin`] and [`TrailState::apply`].
    pub fn fold(state: &mut Option<Self>, index: u64, head: &ActHead, act: &Act) -> Result<(), FoldError> {
        match state {
            Some(state) => state.apply(index, head, act),
            None if index == 0 => {
                *state = Some(Self::begin(head, act)?);
                Ok(())
            }
            None => Err(FoldError::NotATrail),
        }
    }

    /// Applies the act that stands at `index`. On an error nothing has changed.
    ///
    /// # Errors
    /// The act breaks an invariant.
    pub fn apply(&mut self, index: u64, head: &ActHead, act: &Act) -> Result<(), FoldError> {
        self.check_place(index, head)?;
        match act {
            Act::Trail(_) => return Err(FoldError::SecondTrail(index)),
            Act::Source(source) => self.source(index, source)?,
            Act::Key(key) => self.key(index, key)?,
            Act::KeyRevoked { id } => self.key_revoked(index, id)?,
            Act::Public { public } => self.public = *public,
            Act::Rotate(rotate) => self.rotate(index, rotate)?,
            Act::Payload(payload) => self.payload(index, payload)?,
            Act::Seal(seal) => self.seal(index, seal)?,
            Act::Describe(describe) => self.describe(describe)?,
            Act::Connection(connection) => self.connection(index, connection)?,
            Act::ConnectionRemoved { name } => self.connection_removed(name)?,
        }
        self.pass(index);
        Ok(())
    }

    /// Takes note of an act that this program does not know: it has its place in the chain and
    /// changes nothing.
    ///
    /// # Errors
    /// The act does not stand in the chain.
    pub fn pass_over(&mut self, index: u64, head: &ActHead) -> Result<(), FoldError> {
        self.check_place(index, head)?;
        self.pass(index);
        Ok(())
    }

    /// The number of the source with this name.
    #[must_use]
    pub fn source_number(&self, name: &str) -> Option<u32> {
        self.sources.iter().find(|(_, source)| source.name == name).map(|(number, _)| *number)
    }

    /// A number that no source had yet.
    #[must_use]
    pub fn next_source_number(&self) -> u32 {
        self.sources.last_key_value().map_or(1, |(number, _)| number.saturating_add(1))
    }

    /// First index that is in no sealed segment.
    #[must_use]
    pub fn sealed_end(&self) -> u64 {
        (self.seals.len() as u64).saturating_mul(self.segment_leaves)
    }

    /// The head of an act that would follow now.
    #[must_use]
    pub fn next_head(&self) -> ActHead {
        ActHead { origin: self.origin.clone(), prev: Some(self.last_act) }
    }

    fn check_place(&self, index: u64, head: &ActHead) -> Result<(), FoldError> {
        if head.origin != self.origin {
            return Err(FoldError::Origin { expected: self.origin.clone(), found: head.origin.clone() });
        }
        if index <= self.last_act {
            return Err(FoldError::Order { index, last: self.last_act });
        }
        if head.prev != Some(self.last_act) {
            return Err(FoldError::Chain { expected: Some(self.last_act), found: head.prev });
        }
        Ok(())
    }

    fn pass(&mut self, index: u64) {
        self.last_act = index;
        self.recent_acts.insert(index);
    }

    fn source(&mut self, index: u64, source: &SourceAct) -> Result<(), FoldError> {
        if self.sources.contains_key(&source.number) {
            return Err(FoldError::Reused("source number", source.number.to_string()));
        }
        if self.source_number(&source.name).is_some() {
            return Err(FoldError::Reused("source", source.name.clone()));
        }
        let entry = SourceEntry { name: source.name.clone(), kind: source.kind.clone(), heartbeat_s: None, index };
        self.sources.insert(source.number, entry);
        Ok(())
    }

    fn describe(&mut self, describe: &DescribeAct) -> Result<(), FoldError> {
        let missing = || FoldError::Missing("source number", describe.number.to_string());
        let entry = self.sources.get_mut(&describe.number).ok_or_else(missing)?;
        entry.kind.clone_from(&describe.kind);
        entry.heartbeat_s = describe.heartbeat_s;
        Ok(())
    }

    fn rotate(&mut self, index: u64, rotate: &RotateAct) -> Result<(), FoldError> {
        if rotate.old != self.vkey {
            return Err(FoldError::Missing("signing key", rotate.old.to_string()));
        }
        if rotate.new.name != self.origin {
            return Err(FoldError::Origin { expected: self.origin.clone(), found: rotate.new.name.clone() });
        }
        let used = rotate.new == self.vkey || self.rotations.iter().any(|earlier| earlier.old == rotate.new);
        if used {
            return Err(FoldError::Reused("signing key", rotate.new.to_string()));
        }
        verify_signatures(&self.origin, index, rotate).map_err(FoldError::RotationSignature)?;
        self.rotations.push(Rotation { index, old: rotate.old.clone(), new: rotate.new.clone() });
        self.vkey = rotate.new.clone();
        Ok(())
    }
}
