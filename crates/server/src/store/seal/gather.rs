//! A range on its way from chunks to payload files, on two threads: one reads chunks back and
//! recomputes every leaf, the other writes rows. Each takes about half the time, and while intake
//! waits for sealing both cores work.

use std::collections::BTreeMap;
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use evidence::act::{IdsFile, PayloadFile, ids_file_name, payload_file_name};
use evidence::leaf::LEAF_BYTES;

use super::{SealError, Sealer};
use crate::log::chunk::Chunk;
use crate::log::entry::Entries;
use crate::log::shared::View;
use crate::log::tail::ChunkRef;
use crate::store::ids_file::{self, IdRecord};
use crate::store::payload_file::{PayloadMeta, PayloadRow, PayloadWriter};
use crate::store::wal::FrameAt;

/// Blocks that are checked and not yet written: enough that neither thread waits for one large one.
const BLOCKS_AHEAD: usize = 8;

/// Entries of a range by retention class, and their leaves.
pub(super) struct Gathered {
    pub leaves: Vec<[u8; LEAF_BYTES]>,
    pub files: Vec<PayloadFile>,
    pub ids: Option<IdsFile>,
}

/// The entries of a block, one after the other; each hashes to the leaf that was signed.
struct CheckedBlock {
    entries: Vec<u8>,
}

/// `[from, to)`, whose entries move.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

impl Span {
    fn unreadable(self, why: impl ToString) -> SealError {
        SealError::Unreadable { from: self.from, why: why.to_string() }
    }
}

impl Sealer {
    /// Reads a range back from its chunks, checks every leaf, and writes its payload and id files.
    pub(super) fn gather(&self, view: &View, from: u64, to: u64) -> Result<Gathered, SealError> {
        let span = Span { from, to };
        let (chunks, signed) = self.log.shared().with_tail(|tail| (tail.chunks(from, to), tail.leaves(from, to)));
        let signed = signed.ok_or_else(|| span.unreadable("its leaves are not in one open segment"))?;
        let (checked, to_write) = bounded(BLOCKS_AHEAD);
        let (check, rows) = thread::scope(|scope| {
            let check = scope.spawn(|| self.check(span, &chunks, &signed, checked));
            let rows = Rows::write(view, span, &to_write);
            // A writer that failed takes no more; the other thread must not wait for it.
            drop(to_write);
            (check.join(), rows)
        });
        check.unwrap_or_else(|_| Err(span.unreadable("checking it failed unexpectedly")))?;
        self.publish(span, rows?, signed)
    }

    /// Recomputes the leaves of all entries from what the disk gives back.
    fn check(&self, span: Span, chunks: &[ChunkRef], signed: &[[u8; LEAF_BYTES]], checked: Sender<CheckedBlock>) -> Result<(), SealError> {
        let mut cuts = Vec::new();
        let mut index = span.from;
        let mut signed = signed.iter();
        for place in chunks {
            let at = FrameAt { file: place.at.file, block: place.at.block, bytes: place.at.bytes };
            let bytes = self.wal.read(at).map_err(|why| span.unreadable(why))?;
            let chunk = Chunk::decode(&bytes).map_err(|why| span.unreadable(why))?;
            for block in &chunk.blocks {
                let entries = block.decode().map_err(|why| span.unreadable(why))?.into_owned();
                for entry in Entries::new(&entries) {
                    let entry = entry.map_err(|why| span.unreadable(why))?;
                    let leaf = entry.leaf(entry.commitment(&mut cuts), chunk.header.received_at).encode();
                    if signed.next() != Some(&leaf) {
                        return Err(SealError::Altered { index });
                    }
                    index += 1;
                }
                if checked.send(CheckedBlock { entries }).is_err() {
                    // The writer failed and says why.
                    return Ok(());
                }
            }
        }
        if signed.next().is_some() { Err(span.unreadable("entries are missing")) } else { Ok(()) }
    }

    fn publish(&self, span: Span, rows: Rows<'_>, leaves: Vec<[u8; LEAF_BYTES]>) -> Result<Gathered, SealError> {
        let Span { from, to } = span;
        let mut gathered = Gathered { leaves, files: Vec::new(), ids: None };
        for (class, writer) in rows.writers {
            let bytes = writer.finish().map_err(|why| span.unreadable(why))?;
            let sha256 = self.put(&payload_file_name(from, to - from, class, 0), &bytes)?;
            gathered.files.push(PayloadFile { sha256, bytes: bytes.len() as u64, first: from, count: to - from, class, generation: 0 });
        }
        if !rows.ids.is_empty() {
            let bytes = ids_file::encode(from, to - from, &rows.ids);
            let sha256 = self.put(&ids_file_name(from, to - from), &bytes)?;
            gathered.ids = Some(IdsFile { sha256, first: from, count: to - from });
        }
        Ok(gathered)
    }
}

/// Rows by retention class, and the ids among them.
struct Rows<'a> {
    view: &'a View,
    span: Span,
    writers: BTreeMap<u16, PayloadWriter>,
    ids: Vec<IdRecord>,
    next: u64,
}

impl<'a> Rows<'a> {
    fn write(view: &'a View, span: Span, blocks: &Receiver<CheckedBlock>) -> Result<Self, SealError> {
        let mut rows = Self { view, span, writers: BTreeMap::new(), ids: Vec::new(), next: span.from };
        for block in blocks {
            rows.push(&block)?;
        }
        Ok(rows)
    }

    fn push(&mut self, block: &CheckedBlock) -> Result<(), SealError> {
        for entry in Entries::new(&block.entries) {
            let entry = entry.map_err(|why| self.span.unreadable(why))?;
            let index = self.next;
            self.next += 1;
            if let Some(id) = entry.id {
                self.ids.push(IdRecord { id_mac: id.id_mac, index, raw_mac: id.raw_mac });
            }
            let row = PayloadRow { index, salts: &entry.salt, facts: entry.facts, people: entry.people, raw: entry.raw, parts: entry.map };
            let span = self.span;
            self.writer(entry.class)?.push(&row).map_err(|why| span.unreadable(why))?;
        }
        Ok(())
    }

    fn writer(&mut self, class: u16) -> Result<&mut PayloadWriter, SealError> {
        use std::collections::btree_map::Entry::{Occupied, Vacant};
        match self.writers.entry(class) {
            Occupied(writer) => Ok(writer.into_mut()),
            Vacant(none) => {
                let meta = payload_meta(self.view, self.span, class);
                Ok(none.insert(PayloadWriter::new(meta).map_err(|why| self.span.unreadable(why))?))
            }
        }
    }
}

fn payload_meta(view: &View, span: Span, class: u16) -> PayloadMeta {
    PayloadMeta {
        origin: view.state.origin.clone(),
        segment: span.from / view.state.segment_leaves,
        class,
        generation: 0,
        first: span.from,
        count: span.to - span.from,
    }
}
