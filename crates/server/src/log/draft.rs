//! The chunk being put together: entries with their indexes, and who waits for an answer.

use std::collections::HashMap;
use std::sync::Arc;

use crate::log::records::{facts_beside, own_facts};
use evidence::act::Act;
use evidence::commitment::commit;
use evidence::fold::TrailState;
use evidence::leaf::Kind;
use tokio::sync::oneshot;

use crate::log::batch::{Head, HeadedBlock};
use crate::log::chunk::{Block, CHUNK_BYTES_MAX, ChunkError};
use crate::log::cursors::{Cursors, lets_chunks_go};
use crate::log::entry::{Entries, Entry, MalformedEntry, part_map};
use crate::log::intent::ActError;
use crate::log::sequencer::{Acted, AppendError, Committed, Outcome};
use crate::log::shared::{Shared, View};
use crate::log::window::{IdMark, IdOrigin, IdWindow, Seen};

/// A block that this process made does not decode: memory is not what it was.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The block.
    #[error(transparent)]
    Block(#[from] ChunkError),
    /// An entry in it.
    #[error(transparent)]
    Entry(#[from] MalformedEntry),
}

enum Waiting {
    Events { outcomes: Vec<Outcome>, reply: oneshot::Sender<Result<Committed, AppendError>>, bytes: u64 },
    Act { indexes: Vec<u64>, reply: oneshot::Sender<Result<Acted, ActError>> },
}

/// The draft. INVARIANT: `heads.len()` is the sum of the blocks' counts, and no entry of it lies
/// beyond the segment in which it begins.
pub struct Draft {
    first: u64,
    segment_leaves: u64,
    heads: Vec<Head>,
    blocks: Vec<Block>,
    stored_bytes: usize,
    /// Ids given an index but not yet durable.
    ids: HashMap<[u8; 12], Vec<([u8; 8], u64)>>,
    acts: Vec<Act>,
    state_before: Option<Arc<TrailState>>,
    /// All cursors as they will be, when this chunk changes them. Those of a request whose events
    /// were all known already wait here for the next chunk: should none come, the poller reads the
    /// same page again and enters nothing twice.
    cursors: Option<Arc<Cursors>>,
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    KeepBeside(u64),
    Drop,
}

impl Draft {
    /// An empty draft that begins at `first`.
    #[must_use]
    pub fn new(first: u64, segment_leaves: u64) -> Self {
        Self {
            first,
            segment_leaves,
            heads: Vec::new(),
            blocks: Vec::new(),
            stored_bytes: 0,
            ids: HashMap::new(),
            acts: Vec::new(),
            state_before: None,
            cursors: None,
            waiting: Vec::new(),
        }
    }

    /// Index the next entry gets.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.first + self.heads.len() as u64
    }

    /// Bytes of the blocks so far.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.stored_bytes
    }

    /// Requests that wait for its answer.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.waiting.len()
    }

    /// No entry is in it (senders may still wait: for duplicates).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// Heads of all entries, in order.
    #[must_use]
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// Blocks, in order.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Entries that still go into this segment.
    #[must_use]
    pub fn room_in_segment(&self) -> u64 {
        let end = (self.first / self.segment_leaves + 1) * self.segment_leaves;
        end - self.next_index()
    }

    /// No further entry fits into this chunk: a chunk never crosses a segment boundary.
    #[must_use]
    pub fn segment_is_full(&self) -> bool {
        self.room_in_segment() == 0
    }

    /// The block, or the part of it up to the segment's end, may still go into this chunk.
    #[must_use]
    pub fn fits(&self, block: &HeadedBlock) -> bool {
        self.is_empty() || (!self.segment_is_full() && self.stored_bytes + block.block.stored_bytes() <= CHUNK_BYTES_MAX)
    }

    /// All of `blocks` may still go into this chunk.
    #[must_use]
    pub fn fits_all(&self, blocks: &[HeadedBlock]) -> bool {
        let entries: u64 = blocks.iter().map(|block| block.heads.len() as u64).sum();
        let bytes: usize = blocks.iter().map(|block| block.block.stored_bytes()).sum();
        entries <= self.room_in_segment() && self.stored_bytes + bytes <= CHUNK_BYTES_MAX
    }

    /// Adds what fits before the segment's end and gives back the rest.
    ///
    /// # Errors
    /// [`DraftError`] when the block cannot be split.
    pub fn push_up_to_segment_end(&mut self, block: HeadedBlock) -> Result<Option<HeadedBlock>, DraftError> {
        let room = self.room_in_segment();
        if block.heads.len() as u64 <= room {
            self.push(block);
            return Ok(None);
        }
        let (fits, rest) = split(&block, room as usize)?;
        self.push(fits);
        Ok(Some(rest))
    }

    fn push(&mut self, block: HeadedBlock) {
        self.stored_bytes += block.block.stored_bytes();
        self.heads.extend(block.heads);
        self.blocks.push(block.block);
    }

    /// Decides for every entry with an id whether it is new, and drops those that are not.
    ///
    /// # Errors
    /// [`DraftError`] when the block cannot be written again without them.
    pub fn settle_ids(&mut self, block: HeadedBlock, window: &IdWindow, outcomes: &mut Vec<Outcome>) -> Result<HeadedBlock, DraftError> {
        let mut next = self.next_index();
        let mut verdicts = Vec::with_capacity(block.heads.len());
        outcomes.reserve(block.heads.len());
        for head in &block.heads {
            let (verdict, outcome) = self.settle_id(head, window, next);
            outcomes.push(outcome);
            verdicts.push(verdict);
            next += u64::from(verdict != Verdict::Drop);
        }
        if verdicts.iter().all(|verdict| *verdict == Verdict::Keep) {
            return Ok(block);
        }
        rewrite(&block, &verdicts)
    }

    fn settle_id(&mut self, head: &Head, window: &IdWindow, next: u64) -> (Verdict, Outcome) {
        let Some((origin, mark)) = &head.id else { return (Verdict::Keep, Outcome::Kept(next)) };
        let seen = match self.seen_in_draft(mark) {
            same @ Seen::Same(_) => same,
            in_draft => match (window.seen(mark), in_draft) {
                (Seen::Never, in_draft) => in_draft,
                (in_window, _) => in_window,
            },
        };
        let settled = match (seen, origin) {
            (Seen::Same(index), _) => (Verdict::Drop, Outcome::Duplicate(index)),
            (Seen::Other(index), IdOrigin::Explicit) => (Verdict::Drop, Outcome::Conflict(index)),
            (Seen::Other(earlier), IdOrigin::Record) => (Verdict::KeepBeside(earlier), Outcome::KeptBeside { index: next, earlier }),
            (Seen::Never, _) => (Verdict::Keep, Outcome::Kept(next)),
        };
        if settled.0 != Verdict::Drop {
            self.ids.entry(mark.id_mac).or_default().push((mark.raw_mac, next));
        }
        settled
    }

    fn seen_in_draft(&self, mark: &IdMark) -> Seen {
        let Some(known) = self.ids.get(&mark.id_mac) else { return Seen::Never };
        match known.iter().find(|(raw_mac, _)| *raw_mac == mark.raw_mac) {
            Some((_, index)) => Seen::Same(*index),
            None => known.first().map_or(Seen::Never, |(_, index)| Seen::Other(*index)),
        }
    }

    /// Adds an act's entry: class 0, source 0, an empty part 1 unless someone is named in part 3.
    pub fn push_act(&mut self, part_2: &[u8], part_3: &[u8], salt: [u8; 16], act: Act) {
        let raw = [part_2, part_3].concat();
        let map = part_map(&[part_2, part_3]);
        let entry =
            Entry { kind: Kind::Act, source: 0, class: 0, salt, facts: &own_facts(), people: b"{}", raw: &raw, map: Some(&map), id: None };
        self.push_entry(&entry);
        self.acts.push(act);
    }

    /// Adds a record of the log's own, in the default class.
    pub fn push_record(&mut self, raw: &[u8], salt: [u8; 16]) {
        let facts = own_facts();
        let entry = Entry { kind: Kind::Record, source: 0, class: 1, salt, facts: &facts, people: b"{}", raw, map: None, id: None };
        self.push_entry(&entry);
    }

    fn push_entry(&mut self, entry: &Entry<'_>) {
        let commitment = entry.commitment(&mut Vec::new());
        let head = Head { kind: entry.kind, source: entry.source, class: entry.class, commitment, id: None };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        self.push(HeadedBlock { heads: vec![head], block: Block::new(1, bytes) });
    }

    /// Keeps the fold as it was before the first act of this draft.
    pub fn remember_state(&mut self, state: &Arc<TrailState>) {
        self.state_before.get_or_insert_with(|| Arc::clone(state));
    }

    /// The fold as it was before the first act of this draft, if it has one.
    pub fn remembered_state(&mut self) -> Option<Arc<TrailState>> {
        self.state_before.take()
    }

    /// All cursors as this chunk leaves them, if it changes them.
    #[must_use]
    pub fn cursors(&self) -> Option<&Arc<Cursors>> {
        self.cursors.as_ref()
    }

    /// From this chunk on these are all cursors.
    pub fn set_cursors(&mut self, cursors: Cursors) {
        self.cursors = Some(Arc::new(cursors));
    }

    /// Whether an act in the draft lets older chunks go, and with them the cursors they carry.
    #[must_use]
    pub fn lets_chunks_go(&self) -> bool {
        self.acts.iter().any(lets_chunks_go)
    }

    /// Acts in the draft; they are taken once it is durable.
    pub fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// Someone waits for the outcomes; `bytes` leave the queue with the answer.
    pub fn answer_events(&mut self, outcomes: Vec<Outcome>, reply: oneshot::Sender<Result<Committed, AppendError>>, bytes: u64) {
        self.waiting.push(Waiting::Events { outcomes, reply, bytes });
    }

    /// Someone waits for acts.
    pub fn answer_act(&mut self, indexes: Vec<u64>, reply: oneshot::Sender<Result<Acted, ActError>>) {
        self.waiting.push(Waiting::Act { indexes, reply });
    }

    /// Answers everybody: what they asked stands below `view`. Who has gone away misses nothing.
    pub fn answer(&mut self, view: &Arc<View>, shared: &Shared) {
        for waiting in self.waiting.drain(..) {
            match waiting {
                Waiting::Events { outcomes, reply, bytes } => {
                    shared.leave_queue(bytes);
                    let _ = reply.send(Ok(Committed { outcomes, view: Arc::clone(view) }));
                }
                Waiting::Act { indexes, reply } => {
                    let _ = reply.send(Ok(Acted { indexes, view: Arc::clone(view) }));
                }
            }
        }
    }

    /// Tells everybody that nothing of this draft is kept (or that it is not known), and empties it.
    pub fn fail(&mut self, why: &AppendError, shared: &Shared) {
        for waiting in self.waiting.drain(..) {
            match waiting {
                Waiting::Events { reply, bytes, .. } => {
                    shared.leave_queue(bytes);
                    let _ = reply.send(Err(why.clone()));
                }
                Waiting::Act { reply, .. } => {
                    let _ = reply.send(Err(ActError::Append(why.clone())));
                }
            }
        }
        self.ids.clear();
        self.restart(self.first);
    }

    /// Begins the next draft at `first`.
    pub fn restart(&mut self, first: u64) {
        self.first = first;
        self.heads.clear();
        self.blocks.clear();
        self.stored_bytes = 0;
        self.acts.clear();
        self.state_before = None;
        self.cursors = None;
        // Ids of a block that goes on in the next chunk are not durable yet.
        self.ids.retain(|_, known| {
            known.retain(|(_, index)| *index >= first);
            !known.is_empty()
        });
    }
}

/// Splits a block after its first `count` entries.
fn split(block: &HeadedBlock, count: usize) -> Result<(HeadedBlock, HeadedBlock), DraftError> {
    let bytes = block.block.decode()?;
    let (mut head, mut rest) = (Vec::new(), Vec::new());
    for (position, entry) in Entries::new(&bytes).enumerate() {
        entry?.encode(if position < count { &mut head } else { &mut rest });
    }
    let (first, second) = block.heads.split_at(count.min(block.heads.len()));
    let part = |heads: &[Head], bytes: Vec<u8>| HeadedBlock {
        heads: heads.to_vec(),
        block: Block::new(u32::try_from(heads.len()).unwrap_or(u32::MAX), bytes),
    };
    Ok((part(first, head), part(second, rest)))
}

/// Writes a block again without dropped entries, and with the earlier index named in the
/// envelope of those that are kept beside another.
fn rewrite(block: &HeadedBlock, verdicts: &[Verdict]) -> Result<HeadedBlock, DraftError> {
    let bytes = block.block.decode()?;
    let (mut heads, mut out, mut cuts) = (Vec::new(), Vec::new(), Vec::new());
    for ((entry, head), verdict) in Entries::new(&bytes).zip(&block.heads).zip(verdicts) {
        let entry = entry?;
        match verdict {
            Verdict::Drop => {}
            Verdict::Keep => {
                entry.encode(&mut out);
                heads.push(*head);
            }
            Verdict::KeepBeside(earlier) => {
                let facts = facts_beside(entry.facts, *earlier);
                let entry = Entry { facts: &facts, ..entry };
                evidence::cut::cut(entry.raw, &mut cuts);
                let commitment = commit(&entry.salt, entry.facts, entry.people, entry.raw, &cuts);
                entry.encode(&mut out);
                heads.push(Head { commitment, ..*head });
            }
        }
    }
    let count = u32::try_from(heads.len()).unwrap_or(u32::MAX);
    Ok(HeadedBlock { heads, block: Block::new(count, out) })
}
