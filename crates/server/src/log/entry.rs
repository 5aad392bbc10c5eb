//! One entry as it lies in a chunk: everything behind a leaf, before it moves to a payload file.
//!
//! ```text
//! entry = kind u8 | source u32 | class u16 | salt [16] | flags u8
//!       | facts_len u32 | people_len u32 | raw_len u32
//!       | (flags & 1) map_len u32              part lengths are explicit: acts
//!       | (flags & 2) id_mac [12] raw_mac [8]  the entry holds a place in the id window
//!       | facts | people | raw | map
//! ```
//! Integers are big-endian. Without a map, the parts of `raw` are those that `cut: 1` gives. The
//! leaf is not stored: it is recomputed from these bytes and the chunk's receive time, so that a
//! flipped bit can never be vouched for by a copy of its own hash.

use evidence::commitment;
use evidence::cut::cut;
use evidence::leaf::{Kind, Leaf};

use crate::log::window::IdMark;

const FLAG_MAP: u8 = 1;
const FLAG_ID: u8 = 2;
/// Bytes before the variable fields.
const HEAD_BYTES: usize = 1 + 4 + 2 + 16 + 1 + 4 + 4 + 4;

/// What goes into the log for one entry, borrowed from wherever it was made.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Event, act or record.
    pub kind: Kind,
    /// Source number; 0 is the trail's own.
    pub source: u32,
    /// Retention class; 0 is the trail's own.
    pub class: u16,
    /// Event salt, random, dies with the payload.
    pub salt: [u8; 16],
    /// Part 0: plain facts, RFC 8785 JSON.
    pub facts: &'a [u8],
    /// Part 1: facts about people, RFC 8785 JSON.
    pub people: &'a [u8],
    /// Parts 2…, concatenated.
    pub raw: &'a [u8],
    /// Part map: LEB128 lengths of parts 2…; `None` when `cut: 1` gives them.
    pub map: Option<&'a [u8]>,
    /// The entry's place in the id window.
    pub id: Option<IdMark>,
}

/// The bytes are not an entry of version 1. A chunk with a valid checksum never yields this.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("entry is malformed at byte {at} of its block")]
pub struct MalformedEntry {
    /// Offset in the block.
    pub at: usize,
}

impl Entry<'_> {
    /// Appends the encoded entry to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let flags = u8::from(self.map.is_some()) * FLAG_MAP + u8::from(self.id.is_some()) * FLAG_ID;
        out.push(self.kind as u8);
        out.extend_from_slice(&self.source.to_be_bytes());
        out.extend_from_slice(&self.class.to_be_bytes());
        out.extend_from_slice(&self.salt);
        out.push(flags);
        for part in [self.facts, self.people, self.raw] {
            out.extend_from_slice(&length(part).to_be_bytes());
        }
        if let Some(map) = self.map {
            out.extend_from_slice(&length(map).to_be_bytes());
        }
        if let Some(id) = &self.id {
            out.extend_from_slice(&id.id_mac);
            out.extend_from_slice(&id.raw_mac);
        }
        out.extend_from_slice(self.facts);
        out.extend_from_slice(self.people);
        out.extend_from_slice(self.raw);
        out.extend_from_slice(self.map.unwrap_or_default());
    }

    /// Commitment over all parts (blueprint: *Commitment*). `cuts` is scratch space.
    #[must_use]
    pub fn commitment(&self, cuts: &mut Vec<u32>) -> [u8; 32] {
        match self.map {
            None => cut(self.raw, cuts),
            Some(map) => part_lengths(map, cuts),
        }
        commitment::commit(&self.salt, self.facts, self.people, self.raw, cuts)
    }

    /// The leaf for this entry, given its commitment and the chunk's receive time in ms.
    #[must_use]
    pub fn leaf(&self, commitment: [u8; 32], received_at: u64) -> Leaf {
        Leaf { kind: self.kind, source: self.source, class: self.class, received_at, commitment }
    }
}

/// Decodes a LEB128 part map into lengths; stops at the first malformed number.
pub fn part_lengths(map: &[u8], out: &mut Vec<u32>) {
    out.clear();
    let (mut value, mut shift) = (0_u32, 0_u32);
    for byte in map {
        value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            out.push(value);
            (value, shift) = (0, 0);
        } else {
            shift += 7;
        }
    }
}

/// Whether a part map names 1 to 253 parts that are together as long as the raw bytes.
#[must_use]
pub fn is_map_of(map: &[u8], raw_len: usize) -> bool {
    let mut lengths = Vec::new();
    part_lengths(map, &mut lengths);
    let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
    (1..=253).contains(&lengths.len()) && total == raw_len as u64 && map.last().is_some_and(|byte| byte & 0x80 == 0)
}

/// Encodes part lengths as LEB128.
#[must_use]
pub fn part_map(parts: &[&[u8]]) -> Vec<u8> {
    let mut map = Vec::with_capacity(parts.len() * 2);
    for part in parts {
        let mut value = length(part);
        while value >= 0x80 {
            map.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        map.push((value & 0x7f) as u8);
    }
    map
}

/// Length of a part. Parts are bounded by the body limit, far below 4 GiB.
fn length(part: &[u8]) -> u32 {
    u32::try_from(part.len()).unwrap_or(u32::MAX)
}

/// Walks the entries of one decoded block.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Entries<'a> {
    /// Entries of `block`, which is the whole decoded block.
    #[must_use]
    pub fn new(block: &'a [u8]) -> Self {
        Self { block, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], MalformedEntry> {
        let end = self.at.checked_add(count).ok_or(MalformedEntry { at: self.at })?;
        let bytes = self.block.get(self.at..end).ok_or(MalformedEntry { at: self.at })?;
        self.at = end;
        Ok(bytes)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], MalformedEntry> {
        let at = self.at;
        self.take(N)?.try_into().map_err(|_| MalformedEntry { at })
    }

    fn take_length(&mut self) -> Result<usize, MalformedEntry> {
        Ok(u32::from_be_bytes(self.take_array()?) as usize)
    }

    fn decode(&mut self) -> Result<Entry<'a>, MalformedEntry> {
        let start = self.at;
        let [kind] = self.take_array()?;
        let kind = Kind::try_from(kind).map_err(|_| MalformedEntry { at: start })?;
        let source = u32::from_be_bytes(self.take_array()?);
        let class = u16::from_be_bytes(self.take_array()?);
        let salt = self.take_array()?;
        let [flags] = self.take_array()?;
        if flags & !(FLAG_MAP | FLAG_ID) != 0 {
            return Err(MalformedEntry { at: start });
        }
        let (facts, people, raw) = (self.take_length()?, self.take_length()?, self.take_length()?);
        let map = if flags & FLAG_MAP != 0 { Some(self.take_length()?) } else { None };
        let id = if flags & FLAG_ID != 0 { Some(IdMark { id_mac: self.take_array()?, raw_mac: self.take_array()? }) } else { None };
        let (facts, people, raw) = (self.take(facts)?, self.take(people)?, self.take(raw)?);
        let map = map.map(|count| self.take(count)).transpose()?;
        // Checksums need no key: a crafted map must be refused here, before anything is hashed by it.
        if map.is_some_and(|map| !is_map_of(map, raw.len())) {
            return Err(MalformedEntry { at: start });
        }
        Ok(Entry { kind, source, class, salt, facts, people, raw, map, id })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, MalformedEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.block.len() {
            return None;
        }
        let entry = self.decode();
        if entry.is_err() {
            self.at = self.block.len();
        }
        Some(entry)
    }
}

/// Encoded size of an entry with these variable parts, to reserve space.
#[must_use]
pub fn encoded_bytes(facts: usize, people: usize, raw: usize) -> usize {
    HEAD_BYTES + 20 + facts + people + raw
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_comes_back_as_it_went_in() {
        let raw = [7; 302];
        let map = part_map(&[&raw[..2], &raw[2..]]);
        let entry = Entry {
            kind: Kind::Act,
            source: 7,
            class: 1,
            salt: [9; 16],
            facts: b"{}",
            people: b"{\"id\":1}",
            raw: &raw,
            map: Some(&map),
            id: Some(IdMark { id_mac: [1; 12], raw_mac: [2; 8] }),
        };
        let mut block = Vec::new();
        entry.encode(&mut block);
        entry.encode(&mut block);
        let read: Vec<_> = Entries::new(&block).map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[1].kind, read[1].source, read[1].class), (Kind::Act, 7, 1));
        assert_eq!((read[1].people, read[1].raw, read[1].map), (entry.people, entry.raw, entry.map));
        assert_eq!(read[1].id, entry.id);
        let mut lengths = Vec::new();
        part_lengths(&map, &mut lengths);
        assert_eq!(lengths, [2, 300]);
    }

    #[test]
    fn a_part_map_that_does_not_add_up_is_refused() {
        for (map, fits) in [(&[2, 3][..], true), (&[2, 4], false), (&[], false), (&[0x85], false), (&[5, 0], true)] {
            let entry = Entry {
                kind: Kind::Act,
                source: 0,
                class: 0,
                salt: [0; 16],
                facts: b"{}",
                people: b"{}",
                raw: b"abcde",
                map: Some(map),
                id: None,
            };
            let mut block = Vec::new();
            entry.encode(&mut block);
            assert_eq!(Entries::new(&block).all(|entry| entry.is_ok()), fits, "{map:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let count = Entries::new(&bytes).count();
            prop_assert!(count <= bytes.len());
        }
    }
}
