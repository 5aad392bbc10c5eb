//! Chunks of the write-ahead log, read and hashed again one by one; how they follow each other is
//! checked in `chain`.

use std::ops::Range;

use evidence::leaf::{Kind, LEAF_BYTES, Leaf};
use tlog::Hash;

use super::Run;
use super::rows::{self, Envelopes, Stored};
use crate::log::chunk::{Chunk, ChunkHeader};
use crate::log::entry::{Entries, Entry};
use crate::store::wal::{FrameAt, Scan, WalReader};

/// A chunk and what its entries hash to.
pub(super) struct ReadChunk {
    pub frame: FrameAt,
    /// Path of its file.
    pub path: String,
    /// None when the frame does not hold a chunk.
    pub header: Option<ChunkHeader>,
    /// Leaves as recomputed from the entries, up to the first that could not be read.
    pub leaves: Vec<[u8; LEAF_BYTES]>,
    /// Their hashes.
    pub hashes: Vec<Hash>,
    /// Part 2 of each act, by index.
    pub acts: Vec<(u64, Vec<u8>)>,
    /// What is wrong with it, and with which entry.
    pub wrong: Option<(Option<u64>, String)>,
}

impl ReadChunk {
    /// Its indexes, by its header.
    pub fn range(&self) -> Option<Range<u64>> {
        let header = self.header.as_ref()?;
        Some(header.first..header.first.checked_add(u64::from(header.count))?)
    }
}

/// Reads all frames, on all cores when they are many.
pub(super) fn read(run: &Run<'_>, scan: &Scan) -> Vec<ReadChunk> {
    let reader = scan.reader();
    let bytes: u64 = scan.frames.iter().map(|frame| u64::from(frame.bytes)).sum();
    run.bytes_read(bytes);
    run.map(bytes, &scan.frames, |frame| read_chunk(&reader, *frame, path_of(scan, *frame)))
}

fn path_of(scan: &Scan, frame: FrameAt) -> String {
    let file = scan.files.iter().find(|file| file.sequence == frame.file);
    file.map(|file| file.path.clone()).unwrap_or_default()
}

fn read_chunk(reader: &WalReader, frame: FrameAt, path: String) -> ReadChunk {
    let mut read = ReadChunk { frame, path, header: None, leaves: Vec::new(), hashes: Vec::new(), acts: Vec::new(), wrong: None };
    let chunk = reader.read(frame).map_err(|why| why.to_string());
    let chunk = chunk.and_then(|bytes| Chunk::decode(&bytes).map_err(|why| why.to_string()));
    match chunk {
        Err(why) => read.wrong = Some((None, why)),
        Ok(chunk) => {
            read.header = Some(chunk.header.clone());
            if let Err(why) = read.hash(&chunk) {
                let at = chunk.header.first.saturating_add(read.leaves.len() as u64);
                read.wrong = Some((Some(at), why));
            }
            read.hashes = read.leaves.iter().map(|leaf| Hash::leaf(leaf)).collect();
        }
    }
    read
}

impl ReadChunk {
    /// Recomputes the leaves; stops at the first entry that cannot be read.
    fn hash(&mut self, chunk: &Chunk) -> Result<(), String> {
        let (mut cuts, mut envelopes) = (Vec::new(), Envelopes::new(None));
        for block in &chunk.blocks {
            let bytes = block.decode().map_err(|why| why.to_string())?;
            let before = self.leaves.len();
            for entry in Entries::new(&bytes) {
                let entry = entry.map_err(|why| why.to_string())?;
                let index = chunk.header.first.saturating_add(self.leaves.len() as u64);
                let leaf =
                    leaf_of(&entry, chunk.header.received_at, &mut cuts, &mut envelopes).map_err(|why| format!("entry {index}: {why}"))?;
                if let (Kind::Act, Some(map)) = (entry.kind, entry.map) {
                    let part_2 = rows::act_parts(entry.raw, map).and_then(|parts| parts.first().copied());
                    self.acts.push((index, part_2.unwrap_or_default().to_vec()));
                }
                self.leaves.push(leaf.encode());
            }
            if self.leaves.len().saturating_sub(before) != block.count as usize {
                return Err("a block does not hold as many entries as it says".into());
            }
        }
        Ok(())
    }
}

fn leaf_of(entry: &Entry<'_>, received_at: u64, cuts: &mut Vec<u32>, envelopes: &mut Envelopes<'_>) -> Result<Leaf, String> {
    let stored = Stored { salt: &entry.salt, facts: entry.facts, people: entry.people, raw: entry.raw, map: entry.map };
    let commitment = rows::commitment(&stored, entry.kind, cuts)?;
    let leaf = entry.leaf(commitment, received_at);
    rows::check_leaf(&leaf)?;
    envelopes.check(entry.facts, entry.source)?;
    Ok(leaf)
}
