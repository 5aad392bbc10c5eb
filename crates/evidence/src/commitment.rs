//! The commitment of a leaf to its payload, and the salts and digests between them.
//!
//! ```text
//! S_j        = SHA-256(0x53 ‖ salt[16] ‖ j u16)      salt_{2j} = S_j[0..16], salt_{2j+1} = S_j[16..32]
//! digest_i   = SHA-256(0x50 ‖ salt_i ‖ part_i)
//! commitment = SHA-256(0x43 ‖ n u16 ‖ digest_0 ‖ … ‖ digest_{n-1})
//! ```
//! A shown part is `(salt_i, part_i)`, a hidden one is `digest_i`. The event salt is random and dies
//! with the payload; from then on the leaf says nothing about it.

use crate::block_hash::{BlockHash, hash_of_block};

/// Fewest parts of a payload: two of the envelope and one of raw.
pub const PARTS_MIN: usize = 3;
/// Most parts of a payload.
pub const PARTS_MAX: usize = 255;

const SALT_TAG: u8 = 0x53;
const PART_TAG: u8 = 0x50;
const COMMITMENT_TAG: u8 = 0x43;

/// A salt: of an event (random, from which those of its parts follow) or of one part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl std::fmt::Debug for Salt {
    /// A salt is what an erasure destroys; it has no business in a log line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Salt(…)")
    }
}

/// The salts of the first `count` parts (at most 255 are given).
#[must_use]
pub fn part_salts(salt: &Salt, count: usize) -> Vec<Salt> {
    PartSalts::new(&salt.0).take(count.min(PARTS_MAX)).map(Salt).collect()
}

/// `digest_i`: SHA-256(0x50 ‖ salt_i ‖ part_i).
#[must_use]
pub fn digest(salt: &Salt, part: &[u8]) -> [u8; 32] {
    part_digest(&mut BlockHash::new(), &salt.0, part)
}

/// The commitment to a payload whose parts have these digests.
#[must_use]
pub fn commitment_of(digests: &[[u8; 32]]) -> [u8; 32] {
    let mut hash = begin_commitment(digests.len());
    for digest in digests {
        hash.write(digest);
    }
    hash.finish()
}

/// The commitment to a payload given as its parts, shown in full.
///
/// # Panics
/// If there are not 3 to 255 parts.
#[must_use]
pub fn commit_parts(salt: &[u8; 16], parts: &[&[u8]]) -> [u8; 32] {
    commit_all(salt, parts.len(), parts.iter().copied())
}

/// The commitment to an event or record: envelope (`facts`, `people`) and raw, cut as
/// [`crate::cut::cut`] says.
///
/// # Panics
/// If `cuts` do not add up to `raw`, or are not 1 to 253: that would sign what nobody can verify.
#[must_use]
pub fn commit(salt: &[u8; 16], facts: &[u8], people: &[u8], raw: &[u8], cuts: &[u32]) -> [u8; 32] {
    let total: u64 = cuts.iter().map(|length| u64::from(*length)).sum();
    assert!(total == raw.len() as u64, "the cuts add up to {total} bytes, raw has {}", raw.len());
    let mut rest = raw;
    let raw_parts = cuts.iter().map(|length| {
        // Never short: the lengths were just added up.
        let (part, after) = rest.split_at_checked(*length as usize).unwrap_or((rest, &[]));
        rest = after;
        part
    });
    commit_all(salt, cuts.len() + 2, [facts, people].into_iter().chain(raw_parts))
}

#[inline]
fn commit_all<'a>(salt: &[u8; 16], count: usize, parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    assert!((PARTS_MIN..=PARTS_MAX).contains(&count), "a payload has 3 to 255 parts, not {count}");
    let mut commitment = begin_commitment(count);
    // One hash for all parts: its 1 KiB of blocks is cleared once.
    let mut scratch = BlockHash::new();
    for (part, part_salt) in parts.zip(PartSalts::new(salt)) {
        scratch.reset();
        commitment.write(&part_digest(&mut scratch, &part_salt, part));
    }
    commitment.finish()
}

#[inline]
fn part_digest(hash: &mut BlockHash, salt: &[u8; 16], part: &[u8]) -> [u8; 32] {
    let mut head = [PART_TAG; 17];
    let (_, rest) = head.split_at_mut(1);
    rest.copy_from_slice(salt);
    hash.write(&head);
    hash.write(part);
    hash.finish()
}

fn begin_commitment(count: usize) -> BlockHash {
    // A count that does not fit cannot be reached: payloads have at most 255 parts.
    let [high, low] = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
    let mut hash = BlockHash::new();
    hash.write(&[COMMITMENT_TAG, high, low]);
    hash
}

/// `salt_0`, `salt_1`, …: two to a hash.
struct PartSalts {
    /// `0x53 ‖ salt ‖ j`, 19 bytes, padded to the one block they fill.
    block: [u8; 64],
    j: u16,
    odd: Option<[u8; 16]>,
}

impl PartSalts {
    fn new(salt: &[u8; 16]) -> Self {
        let mut block = [0; 64];
        let [tag, rest @ ..] = &mut block;
        *tag = SALT_TAG;
        let (salt_bytes, rest) = rest.split_at_mut(16);
        salt_bytes.copy_from_slice(salt);
        if let [_, _, end, .., bits] = rest {
            *end = 0x80;
            *bits = 19 * 8;
        }
        PartSalts { block, j: 0, odd: None }
    }
}

impl Iterator for PartSalts {
    type Item = [u8; 16];

    #[inline]
    fn next(&mut self) -> Option<[u8; 16]> {
        if let Some(odd) = self.odd.take() {
            return Some(odd);
        }
        let (_, rest) = self.block.split_at_mut(17);
        if let [high, low, ..] = rest {
            [*high, *low] = self.j.to_be_bytes();
        }
        self.j = self.j.checked_add(1)?;
        let pair = hash_of_block(&self.block);
        let (even, odd) = pair.split_at(16);
        self.odd = odd.try_into().ok();
        even.try_into().ok()
    }
}
