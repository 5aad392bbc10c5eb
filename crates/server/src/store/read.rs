//! Reads entries, leaves, tree nodes and proofs, wherever they lie: in chunks, in payload files,
//! in sealed segments.

mod decoded;
mod entry;
mod open_file;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use evidence::act::PayloadFile as PayloadRef;
use evidence::leaf::{LEAF_BYTES, Leaf};
use lru::LruCache;
use tlog::{Hash, LeafIndex, TreeSize};

use crate::log::Log;
use crate::log::chunk::Chunk;
use crate::log::core::payload_file_of;
use crate::log::shared::View;
use crate::log::tail::ChunkRef;
use crate::store::layout;
use crate::store::leaves_file::BUNDLE_LEAVES;
use crate::store::media::{Media, Touched};
use crate::store::media_reader::MediaReader;
use crate::store::nodes::{TailView, TreeNodes, sealed_bundle};
use crate::store::payload_file::{OwnedRow, PayloadFile};
use crate::store::wal::{FrameAt, WalReader};
use decoded::Decoded;
pub use entry::{Cuts, StoredEntry, lengths_of};
use entry::{entry_of, stored_entries};
pub use open_file::{FileEntries, OpenFile};

/// Payload files kept open, each with a descriptor and some 100 KB of what it says of itself: the files of 30 million
/// entries.
const OPEN_FILES_MAX: NonZeroUsize = NonZeroUsize::new(512).unwrap();

/// Why something cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such index yet.
    #[error("there is no entry {index}: the log holds {size}")]
    Beyond {
        /// What was asked for.
        index: u64,
        /// Size of the log.
        size: u64,
    },
    /// A file is missing, unreadable or not what it should be.
    #[error("{path} cannot be read: {why}; run `indelible verify` on the data directory")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// Rows read ahead at a time: at 1 KB a row a few MiB.
const RUN_ROWS_MAX: u64 = 4096;

/// Where a reader of a range is: one run of rows for each class, and one bundle of leaves.
#[derive(Default)]
struct Runs {
    leaves: Option<(u64, Vec<[u8; LEAF_BYTES]>)>,
    rows: BTreeMap<u16, (String, VecDeque<OwnedRow>)>,
}

/// A payload file that stays open, and when it was last touched by then, where that is known.
struct KeptOpen {
    touched: Option<Touched>,
    file: Arc<PayloadFile<MediaReader>>,
}

impl KeptOpen {
    /// Whether the file of that name is still this one, as far as is known: one that was put right may be another.
    fn is_still(&self, there: Option<Touched>) -> bool {
        there.is_none_or(|there| self.touched == Some(there))
    }
}

/// Reads one trail.
pub struct Reader {
    media: Arc<dyn Media>,
    wal: WalReader,
    log: Log,
    open: Mutex<LruCache<String, KeptOpen>>,
    chunks: Mutex<Decoded>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("trail", &self.log.shared().trail).finish_non_exhaustive()
    }
}

pub(crate) fn damaged(path: &str, why: impl std::fmt::Display) -> ReadError {
    ReadError::Damaged { path: path.to_owned(), why: why.to_string() }
}

/// What is said of bytes that another leaf than theirs commits to.
pub(crate) fn altered(path: &str) -> ReadError {
    damaged(path, "its bytes are not what its leaf commits to: they were altered")
}

impl Reader {
    /// A reader beside a running log.
    #[must_use]
    pub fn new(media: Arc<dyn Media>, wal: WalReader, log: Log) -> Self {
        Self { media, wal, log, open: Mutex::new(LruCache::new(OPEN_FILES_MAX)), chunks: Mutex::default() }
    }

    /// The entry at `index`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entry(&self, index: u64) -> Result<StoredEntry, ReadError> {
        let view = self.log.view();
        if index >= view.size {
            return Err(ReadError::Beyond { index, size: view.size });
        }
        if let Some(chunk) = self.log.shared().with_tail(|tail| tail.chunk(index))
            && let Ok(entries) = self.chunk(chunk)
            && let Some(entry) = entries.get((index - chunk.first) as usize)
        {
            return Ok(entry.clone());
        }
        // Not in a chunk, or the chunk was released a moment ago: then a file has it.
        self.entry_in_file(index)
    }

    /// The entry at `index`, if its bytes are what its leaf commits to: for whoever shows it.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Damaged`] of one that was altered.
    pub fn committed(&self, index: u64) -> Result<StoredEntry, ReadError> {
        let entry = self.entry(index)?;
        if entry.is_committed() { Ok(entry) } else { Err(altered(&format!("entry {index}"))) }
    }

    /// Entries from `from` on, at most `limit`, in order. Files are read as runs of rows, not row
    /// by row.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn entries(&self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, ReadError> {
        let to = self.log.view().size.min(from.saturating_add(limit as u64));
        let mut runs = Runs::default();
        let mut entries = Vec::new();
        for index in from..to {
            let in_chunk = self.log.shared().with_tail(|tail| tail.chunk(index));
            let from_chunk = in_chunk.and_then(|chunk| self.chunk(chunk).ok()?.get((index - chunk.first) as usize).cloned());
            entries.push(match from_chunk {
                Some(entry) => entry,
                None => self.next_in_run(&mut runs, index, to)?,
            });
        }
        Ok(entries)
    }

    /// The entry at `index` from the run of rows it belongs to, beginning a run where there is none.
    fn next_in_run(&self, runs: &mut Runs, index: u64, to: u64) -> Result<StoredEntry, ReadError> {
        let bundle = index / BUNDLE_LEAVES as u64;
        if runs.leaves.as_ref().is_none_or(|(number, _)| *number != bundle) {
            runs.leaves = Some((bundle, self.bundle_leaves(bundle, self.log.view().size)?));
        }
        let position = (index % BUNDLE_LEAVES as u64) as usize;
        let leaf = runs
            .leaves
            .as_ref()
            .and_then(|(_, leaves)| leaves.get(position))
            .ok_or_else(|| damaged(layout::SEGMENTS, "a bundle is short"))?;
        let leaf = Leaf::decode(leaf).map_err(|why| damaged(layout::SEGMENTS, why))?;
        let (name, rows) = runs.rows.entry(leaf.class).or_default();
        if rows.front().is_none_or(|row: &OwnedRow| row.index != index) {
            let state = Arc::clone(&self.log.view().state);
            let file = payload_file_of(&state, index, leaf.class);
            let file = file.ok_or_else(|| damaged(layout::PAYLOAD, format!("no file holds entry {index}")))?;
            *name = file.name();
            let opened = self.payload_file(name)?;
            let run = index..file.end().min(to).min(index + RUN_ROWS_MAX);
            *rows = opened.rows(run).collect::<Result<_, _>>().map_err(|why| damaged(name, why))?;
        }
        let row = rows.pop_front().filter(|row| row.index == index);
        entry_of(row.ok_or_else(|| damaged(name, format!("it has no row for entry {index}")))?, leaf, name)
    }

    fn chunk(&self, place: ChunkRef) -> Result<Arc<Vec<StoredEntry>>, ReadError> {
        if let Some(entries) = self.chunks.lock().unwrap_or_else(PoisonError::into_inner).get(place.first) {
            return Ok(entries);
        }
        let at = FrameAt { file: place.at.file, block: place.at.block, bytes: place.at.bytes };
        let bytes = self.wal.read(at).map_err(|why| damaged(layout::WAL, why))?;
        let chunk = Chunk::decode(&bytes).map_err(|why| damaged(layout::WAL, why))?;
        if chunk.header.first != place.first {
            return Err(damaged(layout::WAL, "another chunk stands in its place"));
        }
        let entries = Arc::new(stored_entries(&chunk)?);
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner).keep(place.first, Arc::clone(&entries));
        Ok(entries)
    }

    fn entry_in_file(&self, index: u64) -> Result<StoredEntry, ReadError> {
        let leaf = self.leaf(index)?;
        let state = Arc::clone(&self.log.view().state);
        let name = payload_file_of(&state, index, leaf.class).map(PayloadRef::name);
        let name = name.ok_or_else(|| damaged(layout::PAYLOAD, format!("no file holds entry {index}")))?;
        let row = self.payload_file(&name)?.row(index).map_err(|why| damaged(&name, why))?;
        entry_of(row.ok_or_else(|| damaged(&name, format!("it has no row for entry {index}")))?, leaf, &name)
    }

    fn payload_file(&self, name: &str) -> Result<Arc<PayloadFile<MediaReader>>, ReadError> {
        // Of one that is gone, what is open can still be read.
        let touched = self.media.stamp(name).ok().and_then(|stamp| stamp.touched);
        if let Some(known) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(name).filter(|known| known.is_still(touched)) {
            return Ok(Arc::clone(&known.file));
        }
        let reader = MediaReader::open(self.media.as_ref(), name).map_err(|why| damaged(name, why))?;
        let file = Arc::new(PayloadFile::open(reader).map_err(|why| damaged(name, why))?);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).put(name.to_owned(), KeptOpen { touched, file: Arc::clone(&file) });
        Ok(file)
    }

    /// The leaves of a range, which lies below the log's size.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn leaves(&self, range: Range<u64>) -> Result<Vec<Leaf>, ReadError> {
        let (size, bundle) = (self.log.view().size, BUNDLE_LEAVES as u64);
        let mut leaves = Vec::new();
        for number in range.start / bundle..range.end.div_ceil(bundle) {
            for (index, leaf) in (number * bundle..).zip(self.bundle_leaves(number, size)?) {
                if range.contains(&index) {
                    leaves.push(Leaf::decode(&leaf).map_err(|why| damaged(layout::SEGMENTS, why))?);
                }
            }
        }
        if leaves.len() as u64 == range.end.saturating_sub(range.start) {
            Ok(leaves)
        } else {
            Err(damaged(layout::SEGMENTS, "a bundle is short"))
        }
    }

    /// The leaves of these entries, which must ascend and lie below the log's size. Each bundle is read once.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn leaves_at(&self, indexes: &[u64]) -> Result<Vec<Leaf>, ReadError> {
        let (size, mut known) = (self.log.view().size, None);
        let leaf = |index: &u64| {
            let number = index / BUNDLE_LEAVES as u64;
            let bundle = match known.take() {
                Some((same, bundle)) if same == number => bundle,
                _ => self.bundle_leaves(number, size)?,
            };
            let leaf = bundle.get((index % BUNDLE_LEAVES as u64) as usize).map(|leaf| Leaf::decode(leaf));
            known = Some((number, bundle));
            leaf.ok_or_else(|| damaged(layout::SEGMENTS, "a bundle is short"))?.map_err(|why| damaged(layout::SEGMENTS, why))
        };
        indexes.iter().map(leaf).collect()
    }

    /// Opens a payload file to read some of its entries.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(&self, file: &PayloadRef) -> Result<OpenFile, ReadError> {
        let name = file.name();
        Ok(OpenFile { rows: self.payload_file(&name)?, name })
    }

    /// Visits all entries of a payload file in order, until `visit` says that it is enough.
    ///
    /// # Errors
    /// [`ReadError`]; entries before the damage were visited.
    pub fn each_in_file(&self, file: &PayloadRef, visit: &mut dyn FnMut(StoredEntry) -> bool) -> Result<(), ReadError> {
        let name = file.name();
        let leaves = self.leaves(file.first..file.end())?;
        for row in self.payload_file(&name)?.rows(file.first..file.end()) {
            let row = row.map_err(|why| damaged(&name, why))?;
            let leaf = row.index.checked_sub(file.first).and_then(|at| leaves.get(usize::try_from(at).ok()?));
            let leaf = leaf.filter(|leaf| leaf.class == file.class).cloned();
            if !visit(entry_of(row, leaf.ok_or_else(|| damaged(&name, "a row is of another class"))?, &name)?) {
                break;
            }
        }
        Ok(())
    }

    /// The leaf at `index`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn leaf(&self, index: u64) -> Result<Leaf, ReadError> {
        let path = layout::SEGMENTS;
        let bytes = self.leaf_bytes(index)?;
        Leaf::decode(&bytes).map_err(|why| damaged(path, why))
    }

    /// The 48 bytes of the leaf at `index`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn leaf_bytes(&self, index: u64) -> Result<[u8; LEAF_BYTES], ReadError> {
        let (leaf, size) = self.log.shared().with_tail(|tail| (tail.leaf(index), tail.size()));
        if let Some(leaf) = leaf {
            return Ok(leaf);
        }
        if index >= size {
            return Err(ReadError::Beyond { index, size });
        }
        let bundle = self.sealed_bundle(index / BUNDLE_LEAVES as u64)?;
        let leaf = bundle.get((index % BUNDLE_LEAVES as u64) as usize).copied();
        leaf.ok_or_else(|| damaged(layout::SEGMENTS, "a bundle is short"))
    }

    /// Leaves of entry bundle `n` as far as the tree of `size` leaves goes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn bundle_leaves(&self, n: u64, size: u64) -> Result<Vec<[u8; LEAF_BYTES]>, ReadError> {
        let first = n * BUNDLE_LEAVES as u64;
        let end = (first + BUNDLE_LEAVES as u64).min(size);
        let in_tail = self.log.shared().with_tail(|tail| tail.leaves(first, end));
        match in_tail {
            Some(leaves) => Ok(leaves),
            None => self.sealed_bundle(n),
        }
    }

    fn sealed_bundle(&self, n: u64) -> Result<Vec<[u8; LEAF_BYTES]>, ReadError> {
        sealed_bundle(self.media.as_ref(), self.log.view().state.segment_leaves, n)
    }

    /// Tree nodes as of now; reads each bundle and tile once.
    #[must_use]
    pub fn nodes(&self) -> TreeNodes<'_> {
        let segment_leaves = self.log.view().state.segment_leaves;
        TreeNodes::new(self.media.as_ref(), TailView::Shared(self.log.shared()), segment_leaves)
    }

    /// Inclusion proof of `index` in the tree of `size` leaves (RFC 6962 §2.1.1).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        tlog::prove::inclusion(&self.nodes(), LeafIndex(index), TreeSize(size)).map_err(|why| prove_error(why, index, size))
    }

    /// Consistency proof between two sizes (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        tlog::prove::consistency(&self.nodes(), TreeSize(old), TreeSize(new)).map_err(|why| prove_error(why, old, new))
    }

    /// Root of the tree of `size` leaves.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn root_at(&self, size: u64) -> Result<Hash, ReadError> {
        tlog::prove::root_at(&self.nodes(), TreeSize(size)).map_err(|why| prove_error(why, size, size))
    }

    /// The newest published view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.log.view()
    }
}

pub(crate) fn prove_error(why: tlog::prove::ProveError<ReadError>, index: u64, size: u64) -> ReadError {
    match why {
        tlog::prove::ProveError::Node(why) => why,
        _ => ReadError::Beyond { index, size },
    }
}
