//! The chunks that are still needed, one after the other: each continues the tree below it, carries
//! the checkpoint of that tree, and lies within one segment.

use std::collections::BTreeMap;

use evidence::parse_part2;
use tlog::{Frontier, Hash};

use super::chunks::ReadChunk;
use super::keys::{HeadSource, Keys, SignedHeads};
use super::report::{Finding, Verdict};
use super::tree::Tree;
use super::{Run, keys};
use crate::log::cursors::{Cursors, lets_chunks_go};
use crate::store::layout;
use crate::store::media::join;
use crate::store::wal::Scan;

/// Signatures of the checkpoints that chunks carry; bad ones are found here.
pub(super) fn signed_heads(run: &Run<'_>, keys: &Keys, chunks: &[ReadChunk], heads: &mut SignedHeads, findings: &mut Vec<Finding>) {
    if keys.is_empty() {
        return;
    }
    // A signature takes as long as hashing 50 KB.
    let weight = (chunks.len() as u64).saturating_mul(50_000);
    let opened = run.map(weight, chunks, |chunk| {
        let header = chunk.header.as_ref()?;
        let note = &header.previous_checkpoint;
        if header.first == 0 {
            return (!note.is_empty()).then(|| Err("the first chunk carries a checkpoint".to_owned()));
        }
        Some(keys.open(note.as_bytes()).and_then(|signed| {
            if signed.size == header.first {
                return Ok(signed);
            }
            Err(format!("it is of {} entries, the chunk begins at {}", signed.size, header.first))
        }))
    });
    for (chunk, opened) in chunks.iter().zip(opened) {
        match opened {
            None => {}
            Some(Ok(signed)) => heads.add(signed, HeadSource::Chunk(chunk.path.clone())),
            Some(Err(why)) => {
                let text = format!("the checkpoint that a chunk carries does not hold: {why}");
                let finding = Finding::new(Verdict::Tampered, text).in_file(&chunk.path);
                let range = chunk.range().unwrap_or(0..0);
                findings.push(finding.at(range.start, Some(range.end)));
            }
        }
    }
}

/// Where the chunks lead.
pub(super) struct Chain {
    /// Entries in the tree.
    pub size: u64,
    /// The tree at its end, where it could be computed.
    pub frontier: Option<Frontier>,
    /// Roots at the ends of chunks.
    pub roots: BTreeMap<u64, Hash>,
    /// Receive time of the newest chunk.
    pub newest: u64,
    /// First index and receive time of each chunk.
    pub times: BTreeMap<u64, u64>,
}

/// What the chain is held against.
pub(super) struct Below<'a> {
    pub tree: &'a Tree,
    /// Indexes below this stand in files.
    pub stands_to: u64,
    /// Leaves in files end here; 0 when they are not known.
    pub files_end: u64,
    pub segment_leaves: u64,
    pub scan: &'a Scan,
}

struct Walk<'a> {
    below: &'a Below<'a>,
    chain: Chain,
    expected: Option<u64>,
    /// Sequence number of the file that the chunk before was in.
    file_before: Option<u64>,
    /// Cursors as the chunks so far leave them.
    cursors: Cursors,
    findings: Vec<Finding>,
}

/// Follows the chunks from the tree that the files make.
pub(super) fn follow(chunks: &[ReadChunk], below: &Below<'_>, findings: &mut Vec<Finding>) -> Chain {
    let mut walk = Walk {
        below,
        chain: Chain { size: below.files_end, frontier: None, roots: BTreeMap::new(), newest: below.tree.newest(), times: BTreeMap::new() },
        expected: None,
        file_before: None,
        cursors: Cursors::default(),
        findings: Vec::new(),
    };
    for chunk in chunks {
        walk.take(chunk);
    }
    walk.damage(chunks);
    if chunks.is_empty() && below.stands_to > 0 && below.scan.damage.is_empty() {
        let text = "no chunk is left, although the newest acts must be in one";
        let finding = Finding::new(Verdict::Missing, text).in_file(layout::WAL);
        walk.findings.push(finding.at(below.stands_to, None));
    }
    findings.append(&mut walk.findings);
    walk.chain
}

impl Walk<'_> {
    fn take(&mut self, chunk: &ReadChunk) {
        let (Some(header), Some(range)) = (&chunk.header, chunk.range()) else {
            let (_, why) = chunk.wrong.clone().unwrap_or_default();
            let text = format!("a frame is whole, yet no chunk: {why}");
            let first = self.expected.unwrap_or(self.below.stands_to);
            self.push(Finding::new(Verdict::Tampered, text).in_file(&chunk.path).at(first, None));
            self.expected = None;
            self.chain.frontier = None;
            return;
        };
        self.place(chunk, range.start);
        self.file_before = Some(chunk.frame.file);
        let leaves = self.below.segment_leaves.max(1);
        if range.start / leaves != range.end.saturating_sub(1) / leaves {
            self.wrong(chunk, "a chunk reaches from one segment into the next".into());
        }
        if header.received_at < self.chain.newest && range.end > self.below.files_end {
            self.wrong(chunk, "a chunk was received before the one below it".into());
        }
        if range.end > self.below.files_end {
            self.chain.newest = self.chain.newest.max(header.received_at);
        }
        self.chain.times.insert(range.start, header.received_at);
        self.chain.size = self.chain.size.max(range.end);
        self.expected = Some(range.end);
        if let Some((at, why)) = &chunk.wrong {
            let finding = Finding::new(Verdict::Tampered, format!("a chunk does not hold: {why}"));
            self.push(finding.in_file(&chunk.path).within(range.start, range.end, at.or(Some(range.start))));
            self.chain.frontier = None;
            return;
        }
        self.follow_cursors(chunk, &header.cursors);
        self.grow(chunk, header.previous_root, header.new_root, range.end);
    }

    fn grow(&mut self, chunk: &ReadChunk, previous: Hash, new: Hash, end: u64) {
        let Some(mut frontier) = self.chain.frontier.take() else { return };
        if frontier.root() != previous {
            self.wrong(chunk, "the chunk states another root for the tree below it than that tree has".into());
            return;
        }
        for hash in &chunk.hashes {
            frontier.push(*hash);
        }
        let root = frontier.root();
        if root != new {
            self.wrong(chunk, "the entries of the chunk do not hash to the root it states".into());
            return;
        }
        if self.below.tree.at(end).is_some_and(|files| files.root() != root) {
            self.wrong(chunk, "the chunk holds other entries than the files they were moved to".into());
            return;
        }
        self.chain.roots.insert(end, root);
        self.chain.frontier = Some(frontier);
    }

    /// A chunk whose act lets older ones go carries all cursors, or the pollers would begin again
    /// somewhere in the past.
    fn follow_cursors(&mut self, chunk: &ReadChunk, carried: &Cursors) {
        let acts: Vec<_> = chunk.acts.iter().filter_map(|(_, part_2)| parse_part2(part_2).ok()).map(|(_, act)| act).collect();
        self.cursors = self.cursors.after(&acts, carried);
        if carried.is_empty() && !self.cursors.is_empty() && acts.iter().any(lets_chunks_go) {
            self.wrong(chunk, "the chunk lets older ones go and does not carry the pollers' cursors".into());
        }
    }

    /// Whether the chunk begins where the one before it ends, or where the files do at the latest.
    fn place(&mut self, chunk: &ReadChunk, first: u64) {
        match self.expected {
            Some(expected) if expected == first => {}
            Some(expected) => {
                self.gap(chunk, expected, first);
                self.chain.frontier = self.below.tree.at(first).cloned();
            }
            None => {
                let reached = self.chain.times.last_key_value().map_or(self.below.stands_to, |_| self.chain.size);
                if first > reached {
                    self.gap(chunk, reached, first);
                }
                self.chain.frontier = self.below.tree.at(first).cloned();
            }
        }
    }

    fn gap(&mut self, chunk: &ReadChunk, expected: u64, first: u64) {
        // Damage between the two explains the gap and is reported with its range.
        if self.below.scan.damage.iter().any(|damage| damage.file <= chunk.frame.file) {
            return;
        }
        if first < expected {
            self.wrong(chunk, format!("a chunk begins at {first}, below the end of the one before it, {expected}"));
            return;
        }
        let text = format!("entries {expected} to {} stand in no chunk and in no file", first.saturating_sub(1));
        let finding = Finding::new(Verdict::Missing, text).at(expected, Some(first));
        // They stood in the same file, or at the end of the one before, which was cut or is gone.
        let file = chunk.frame.file;
        let file = if self.file_before == Some(file) { file } else { file.saturating_sub(1) };
        self.push(finding.in_file(join(layout::WAL, &format!("{file:010}.wal"))));
    }

    fn wrong(&mut self, chunk: &ReadChunk, text: String) {
        let range = chunk.range().unwrap_or(0..0);
        let finding = Finding::new(Verdict::Tampered, text).in_file(&chunk.path);
        self.push(finding.at(range.start, Some(range.end)));
    }

    fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Damaged files, with the indexes that lie between the whole chunks around the damage.
    fn damage(&mut self, chunks: &[ReadChunk]) {
        for damage in &self.below.scan.damage {
            let place = (damage.file, damage.block);
            let before = chunks.iter().rev().find(|chunk| (chunk.frame.file, chunk.frame.block) < place);
            let after = chunks.iter().find(|chunk| (chunk.frame.file, chunk.frame.block) > place);
            let first = before.and_then(ReadChunk::range).map_or(self.below.stands_to, |range| range.end);
            let end = after.and_then(ReadChunk::range).map(|range| range.start);
            let finding = Finding::new(Verdict::Tampered, damage.to_string()).in_file(&damage.path);
            self.push(match end {
                // Superseded chunks: their entries stand in files.
                Some(end) if end <= first => finding,
                end => finding.at(first, end),
            });
        }
        if let Some(torn) = &self.below.scan.torn {
            let path = self.below.scan.files.iter().find(|file| file.sequence == torn.file);
            let text = format!(
                "the last write did not finish: {} bytes, SHA-256 {}; a restart drops and records them",
                torn.bytes,
                tlog::canonical::hex(&torn.sha256)
            );
            let finding = Finding::new(Verdict::TailUnfinished, text);
            let finding = finding.in_file(path.map(|file| file.path.clone()).unwrap_or_default());
            self.push(finding.at(self.chain.size, None));
        }
    }
}

/// The size that a checkpoint speaks of, if it is one.
pub(super) fn size_of(note: &[u8]) -> Option<u64> {
    keys::parse(note).ok().map(|(_, checkpoint)| checkpoint.size.0)
}
