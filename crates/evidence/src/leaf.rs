//! The leaf: the 48 bytes that stand in the Merkle tree for one entry, kept for ever.
//!
//! ```text
//!  0        1      2           6            8               16                      48
//!  | version | kind | source u32 | class u16 | received_at u64 | commitment [32]       |
//! ```
//! Integers are big-endian. The leaf is the C2SP entry; its hash is SHA-256(0x00 ‖ leaf).

use thiserror::Error;
use tlog::Hash;

/// Length of an encoded leaf, in bytes.
pub const LEAF_BYTES: usize = 48;

/// The only leaf version there is.
pub const LEAF_VERSION: u8 = 1;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// One raw record of a source.
    Event = 0,
    /// An entry that changes what holds for the trail.
    Act = 1,
    /// An entry about use: search, export, refused input, gap.
    Record = 2,
}

impl Kind {
    /// The kind's byte in a leaf.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The kind in one word, as the API and the tools show it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Event => "event",
            Kind::Act => "act",
            Kind::Record => "record",
        }
    }
}

impl TryFrom<u8> for Kind {
    type Error = LeafError;

    fn try_from(byte: u8) -> Result<Self, LeafError> {
        match byte {
            0 => Ok(Kind::Event),
            1 => Ok(Kind::Act),
            2 => Ok(Kind::Record),
            other => Err(LeafError::Kind(other)),
        }
    }
}

/// One leaf, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// What the entry is.
    pub kind: Kind,
    /// Number of the source, 0 for the trail itself. Never reused.
    pub source: u32,
    /// Number of the retention class, 0 for the trail itself. Never reused.
    pub class: u16,
    /// When the entry's chunk was received: milliseconds since 1970, UTC.
    pub received_at: u64,
    /// Commitment to the payload, see [`crate::commitment`].
    pub commitment: [u8; 32],
}

/// Why bytes are not a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeafError {
    /// Not 48 bytes.
    #[error("the leaf has {0} bytes where a leaf has exactly {LEAF_BYTES}")]
    Length(usize),
    /// A version this program does not know.
    #[error("the leaf has version {0}, only version {LEAF_VERSION} is known; a newer program may read it")]
    Version(u8),
    /// A kind this program does not know.
    #[error("the leaf has kind {0}, which is none of 0 (event), 1 (act) and 2 (record)")]
    Kind(u8),
}

impl Leaf {
    /// The 48 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; LEAF_BYTES] {
        let [s0, s1, s2, s3] = self.source.to_be_bytes();
        let [c0, c1] = self.class.to_be_bytes();
        let head = [LEAF_VERSION, self.kind.byte(), s0, s1, s2, s3, c0, c1];
        let mut leaf = [0; LEAF_BYTES];
        let (fields, commitment) = leaf.split_at_mut(16);
        let (start, time) = fields.split_at_mut(8);
        start.copy_from_slice(&head);
        time.copy_from_slice(&self.received_at.to_be_bytes());
        commitment.copy_from_slice(&self.commitment);
        leaf
    }

    /// Reads a leaf back, strictly.
    ///
    /// # Errors
    /// Another length, version or kind than version 1 has.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let leaf: &[u8; LEAF_BYTES] = bytes.try_into().map_err(|_| LeafError::Length(bytes.len()))?;
        let [version, kind, rest @ ..] = leaf;
        if *version != LEAF_VERSION {
            return Err(LeafError::Version(*version));
        }
        let kind = Kind::try_from(*kind)?;
        let [s0, s1, s2, s3, c0, c1, rest @ ..] = rest;
        let [t0, t1, t2, t3, t4, t5, t6, t7, commitment @ ..] = rest;
        Ok(Leaf {
            kind,
            source: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
            class: u16::from_be_bytes([*c0, *c1]),
            received_at: u64::from_be_bytes([*t0, *t1, *t2, *t3, *t4, *t5, *t6, *t7]),
            commitment: *commitment,
        })
    }

    /// The leaf's hash in the tree, SHA-256(0x00 ‖ leaf). RFC 6962 §2.1.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::leaf(&self.encode())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_leaf_has_these_bytes() {
        let leaf =
            Leaf { kind: Kind::Record, source: 0x0102_0304, class: 0x0506, received_at: 0x0708_090a_0b0c_0d0e, commitment: [0xee; 32] };
        let mut expected = vec![1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
        expected.extend([0xee; 32]);
        assert_eq!(leaf.encode().as_slice(), expected);
    }

    #[test]
    fn other_lengths_versions_and_kinds_are_refused() {
        let good = Leaf { kind: Kind::Event, source: 1, class: 1, received_at: 2, commitment: [3; 32] }.encode();
        assert_eq!(Leaf::decode(&good[..47]), Err(LeafError::Length(47)));
        assert_eq!(Leaf::decode(&[&good[..], &[0]].concat()), Err(LeafError::Length(49)));
        let mut bad = good;
        bad[0] = 2;
        assert_eq!(Leaf::decode(&bad), Err(LeafError::Version(2)));
        let mut bad = good;
        bad[1] = 3;
        assert_eq!(Leaf::decode(&bad), Err(LeafError::Kind(3)));
    }

    proptest! {
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(mut bytes in proptest::array::uniform::<_, 48>(any::<u8>()), kind in 0u8..3) {
            bytes[0] = 1;
            bytes[1] = kind;
            prop_assert_eq!(Leaf::decode(&bytes).unwrap().encode(), bytes);
        }
    }
}
