//! Reads entries, leaves, tree nodes and proofs, wherever they lie: in chunks, in payload files,
//! in sealed segments.

mod decoded;

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use evidence::act::PayloadFile as PayloadRef;
use evidence::commitment::commit;
use evidence::leaf::{Kind, LEAF_BYTES, Leaf};
use lru::LruCache;
use tlog::{Hash, LeafIndex, TreeSize};

use crate::log::Log;
use crate::log::chunk::Chunk;
use crate::log::core::payload_file_of;
use crate::log::entry::{Entries, part_lengths};
use crate::log::shared::View;
use crate::log::tail::ChunkRef;
use crate::store::layout;
use crate::store::leaves_file::BUNDLE_LEAVES;
use crate::store::media::Media;
use crate::store::media_reader::MediaReader;
use crate::store::nodes::{TailView, TreeNodes, sealed_bundle};
use crate::store::payload_file::{IsWanted, OwnedRow, PayloadFile, Picked, Picker, Telling};
use crate::store::read::decoded::Decoded;
use crate::store::wal::{FrameAt, WalReader};

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

/// Where bytes are cut into parts: worked out when somebody asks, for most who read an entry do not.
#[derive(Clone, Debug)]
pub struct Cuts {
    /// As stored, when it is not by the rule.
    map: Option<Bytes>,
    lengths: OnceLock<Vec<u32>>,
}

impl From<Vec<u32>> for Cuts {
    /// At these lengths.
    fn from(lengths: Vec<u32>) -> Self {
        Self { map: None, lengths: lengths.into() }
    }
}

/// An entry as stored, with its leaf.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    /// Index in the log.
    pub index: u64,
    /// Its leaf.
    pub leaf: Leaf,
    /// Event salt.
    pub salt: [u8; 16],
    /// Part 0.
    pub facts: Bytes,
    /// Part 1.
    pub people: Bytes,
    /// Parts 2…, concatenated.
    pub raw: Bytes,
    /// Where it is cut into parts 2….
    pub cuts: Cuts,
}

impl StoredEntry {
    /// Lengths of parts 2….
    #[must_use]
    pub fn lengths(&self) -> &[u32] {
        self.cuts.lengths.get_or_init(|| lengths_of(&self.raw, self.cuts.map.as_deref()))
    }

    /// What was sent; of an act, part 2: what it does.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        // Where an event is cut is not asked, for that has to be worked out.
        if self.leaf.kind != Kind::Act {
            return &self.raw;
        }
        self.lengths().first().map_or(&self.raw, |length| self.raw.get(..*length as usize).unwrap_or_default())
    }

    /// Whether its bytes are what its leaf commits to.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        commit(&self.salt, &self.facts, &self.people, &self.raw, self.lengths()) == self.leaf.commitment
    }

    /// All parts in order.
    #[must_use]
    pub fn parts(&self) -> Vec<&[u8]> {
        let mut parts: Vec<&[u8]> = vec![&self.facts, &self.people];
        let mut rest: &[u8] = &self.raw;
        for length in self.lengths() {
            let (part, after) = rest.split_at(rest.len().min(*length as usize));
            parts.push(part);
            rest = after;
        }
        parts
    }
}

/// Rows read ahead at a time: at 1 KB a row a few MiB.
const RUN_ROWS_MAX: u64 = 4096;

/// Where a reader of a range is: one run of rows for each class, and one bundle of leaves.
#[derive(Default)]
struct Runs {
    leaves: Option<(u64, Vec<[u8; LEAF_BYTES]>)>,
    rows: BTreeMap<u16, (String, VecDeque<OwnedRow>)>,
}

fn entry_of(row: OwnedRow, leaf: Leaf, file: &str) -> Result<StoredEntry, ReadError> {
    let index = row.index;
    let salt = row.salts.as_ref().try_into().map_err(|_| damaged(file, format!("entry {index} has no whole salt")))?;
    let cuts = Cuts { map: row.parts, lengths: OnceLock::new() };
    Ok(StoredEntry { index, leaf, salt, facts: row.facts, people: row.people, raw: row.raw, cuts })
}

/// A payload file that is open.
pub struct OpenFile {
    name: String,
    rows: Arc<PayloadFile<MediaReader>>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OpenFile {
    /// Reads some of its entries, one call after another; what tells which of them are wanted is read first.
    #[must_use]
    pub fn entries(&self, telling: Telling) -> FileEntries<'_> {
        FileEntries { name: &self.name, picker: self.rows.picker(telling) }
    }

    /// The row group of an entry: what of one is read at a time comes to 16 MiB, or to one record more.
    #[must_use]
    pub fn group_of(&self, index: u64) -> usize {
        self.rows.group_of(index)
    }
}

/// Reads entries of one payload file. While what it is asked for ascends, nothing is unpacked twice.
#[derive(Debug)]
pub struct FileEntries<'f> {
    name: &'f str,
    picker: Picker<'f, MediaReader>,
}

impl FileEntries<'_> {
    /// Of the entries of these indexes, which must ascend and have these leaves, those that are wanted;
    /// and how many of all the file has.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn pick(&mut self, due: &[(u64, Leaf)], is_wanted: &mut IsWanted<'_>) -> Result<(Vec<StoredEntry>, usize), ReadError> {
        let indexes: Vec<u64> = due.iter().map(|(index, _)| *index).collect();
        let Picked { rows, met } = self.picker.pick(&indexes, is_wanted).map_err(|why| damaged(self.name, why))?;
        let leaf_of = |index: u64| due.binary_search_by_key(&index, |(known, _)| *known).ok().and_then(|at| due.get(at));
        let entry = |row: OwnedRow| {
            let (_, leaf) = leaf_of(row.index).ok_or_else(|| damaged(self.name, "a row is of another entry"))?;
            entry_of(row, *leaf, self.name)
        };
        Ok((rows.into_iter().map(entry).collect::<Result<_, _>>()?, met))
    }
}

/// Reads one trail.
pub struct Reader {
    media: Arc<dyn Media>,
    wal: WalReader,
    log: Log,
    open: Mutex<LruCache<String, Arc<PayloadFile<MediaReader>>>>,
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
        if let Some(known) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(known));
        }
        let reader = MediaReader::open(self.media.as_ref(), name).map_err(|why| damaged(name, why))?;
        let file = Arc::new(PayloadFile::open(reader).map_err(|why| damaged(name, why))?);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).put(name.to_owned(), Arc::clone(&file));
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

/// Lengths of parts 2… of an entry.
#[must_use]
pub fn lengths_of(raw: &[u8], map: Option<&[u8]>) -> Vec<u32> {
    let mut lengths = Vec::new();
    match map {
        Some(map) => part_lengths(map, &mut lengths),
        None => evidence::cut::cut(raw, &mut lengths),
    }
    lengths
}

/// All entries of a chunk with their leaves.
fn stored_entries(chunk: &Chunk) -> Result<Vec<StoredEntry>, ReadError> {
    let mut cuts = Vec::new();
    let mut entries = Vec::with_capacity(chunk.header.count as usize);
    for block in &chunk.blocks {
        let decoded = Bytes::from(block.decode().map_err(|why| damaged(layout::WAL, why))?.into_owned());
        for entry in Entries::new(&decoded) {
            let entry = entry.map_err(|why| damaged(layout::WAL, why))?;
            let leaf = entry.leaf(entry.commitment(&mut cuts), chunk.header.received_at);
            entries.push(StoredEntry {
                index: chunk.header.first + entries.len() as u64,
                leaf,
                salt: entry.salt,
                facts: decoded.slice_ref(entry.facts),
                people: decoded.slice_ref(entry.people),
                raw: decoded.slice_ref(entry.raw),
                cuts: cuts.clone().into(),
            });
        }
    }
    Ok(entries)
}
