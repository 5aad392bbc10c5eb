//! Recovery: from what lies on the medium to the log as it was, through the same code that made it.
//!
//! Below the oldest chunk everything stands in files: leaves give the tree, class-0 payload files
//! the acts. From there on chunks are replayed and must hash to the roots they state. Nothing is
//! changed on the medium here; whoever calls decides what to do with a torn tail.

use std::collections::BTreeMap;
use std::sync::Arc;

use evidence::act::seal_file_names;
use evidence::fold::TrailState;
use evidence::leaf::{LEAF_BYTES, Leaf};
use tlog::tile::{decode_hashes, subtree_root};
use tlog::{Frontier, Hash, VerifierKey};

use crate::log::chunk::Chunk;
use crate::log::core::{Core, ReplayError, first_act, stands_in_files_to};
use crate::log::planted::{Bug, planted};
use crate::log::tail::{ChunkAt, ChunkRef, Tail};
use crate::log::window::{IdMark, IdWindow, WINDOW_AGE_MAX_MS, WINDOW_IDS_MAX};
use crate::store::ids_file;
use crate::store::layout;
use crate::store::leaves_file;
use crate::store::media::{Media, join};
use crate::store::media_reader::MediaReader;
use crate::store::payload_file::{PayloadFile, parse_payload_name};
use crate::store::wal::{Examined, FrameAt, TornTail, WalReader};

/// Why a trail cannot be recovered. None of these is mended by trying again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The medium failed.
    #[error("{path}: {error}")]
    Io {
        /// Which file or directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Something is not as it was written, and it is not a torn tail.
    #[error("{path} is damaged: {why}; nothing was changed: run `indelible verify` to see what is lost, and restore from a backup")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// A chunk does not continue the tree.
    #[error("{path} is damaged: {why}; nothing was changed: run `indelible verify` to see what is lost, and restore from a backup")]
    Replay {
        /// Which file.
        path: String,
        /// What is wrong.
        why: ReplayError,
    },
}

fn damaged(path: impl Into<String>, why: impl std::fmt::Display) -> RecoverError {
    RecoverError::Damaged { path: path.into(), why: why.to_string() }
}

fn io(path: &str) -> impl FnOnce(std::io::Error) -> RecoverError + '_ {
    move |error| RecoverError::Io { path: path.to_owned(), error }
}

/// A trail as it lies on the medium.
pub struct Recovered {
    /// State after the last whole chunk.
    pub core: Core,
    /// Tail after the last whole chunk.
    pub tail: Tail,
    /// A last frame that was cut short.
    pub torn: Option<TornTail>,
}

impl std::fmt::Debug for Recovered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovered").field("size", &self.core.size()).finish_non_exhaustive()
    }
}

/// Recovers the trail below `media`; `None` when it has no entry yet.
///
/// # Errors
/// [`RecoverError`].
pub fn recover(media: &dyn Media, examined: &Examined) -> Result<Option<Recovered>, RecoverError> {
    let reader = examined.reader();
    let Some(first) = examined.frames().first() else {
        if newest_class_0_file(media)?.is_some() {
            return Err(damaged(
                layout::WAL,
                "no chunk is left, although payload files exist; at least the newest acts must be in a chunk",
            ));
        }
        return Ok(None);
    };
    let first = read_chunk(&reader, *first)?;
    let mut recovered = base(media, &first)?;
    let dropped = usize::from(planted(Bug::DropLastFrame));
    for frame in examined.frames().iter().rev().skip(dropped).rev() {
        let chunk = read_chunk(&reader, *frame)?;
        replay(&mut recovered, &chunk, *frame)?;
    }
    if stands_in_files_to(&recovered.core.state) < first.header.first {
        let why = "the act that recorded files of released chunks is gone: the log was cut off behind it";
        return Err(damaged(layout::WAL, why));
    }
    settle_seals(&mut recovered)?;
    let Base { mut core, tail } = recovered;
    if planted(Bug::ForgetIds) {
        core.window = IdWindow::default();
    }
    Ok(Some(Recovered { core, tail, torn: examined.torn().cloned() }))
}

struct Base {
    core: Core,
    tail: Tail,
}

fn file_of(frame: FrameAt) -> String {
    format!("{}/{:010}.wal, block {}", layout::WAL, frame.file, frame.block)
}

fn read_chunk(reader: &WalReader, frame: FrameAt) -> Result<Chunk, RecoverError> {
    let bytes = reader.read(frame).map_err(|why| damaged(file_of(frame), why))?;
    Chunk::decode(&bytes).map_err(|why| damaged(file_of(frame), why))
}

fn replay(base: &mut Base, chunk: &Chunk, frame: FrameAt) -> Result<(), RecoverError> {
    let at = ChunkAt { file: frame.file, block: frame.block, bytes: frame.bytes };
    let header = &chunk.header;
    let plan = base.core.replay(chunk).map_err(|why| RecoverError::Replay { path: file_of(frame), why })?;
    for (leaf, hash) in &plan.leaves {
        base.tail.push_leaf(*leaf, *hash);
    }
    if let Some(note) = Some(&header.previous_checkpoint).filter(|_| header.first.is_multiple_of(base.core.state.segment_leaves)) {
        base.tail.keep_end_checkpoint(header.first, note);
    }
    base.tail.push_chunk(ChunkRef { first: header.first, count: header.count, received_at: header.received_at, at });
    Ok(())
}

/// Segments that the fold calls sealed leave the tail, and so do chunks that stand in files.
fn settle_seals(base: &mut Base) -> Result<(), RecoverError> {
    let sealed = base.core.state.seals.len() as u64 * base.core.state.segment_leaves;
    if base.tail.open_from() > sealed {
        return Err(damaged(layout::SEGMENTS, "chunks of a segment are gone, but no act says that it was sealed"));
    }
    while base.tail.open_from() < sealed {
        base.tail.seal_oldest();
    }
    base.tail.forget_chunks_before(stands_in_files_to(&base.core.state));
    Ok(())
}

/// Everything below the oldest chunk, from files.
fn base(media: &dyn Media, oldest: &Chunk) -> Result<Base, RecoverError> {
    let size = oldest.header.first;
    let mut state = None;
    if size == 0 {
        // The trail's own act stands in this chunk: the fold begins with it.
        let (head, act) = first_act(oldest).map_err(|why| damaged(layout::WAL, why))?;
        TrailState::fold(&mut state, 0, &head, &act).map_err(|why| damaged(layout::WAL, why))?;
    }
    for (index, part_2) in acts_below(media, size)? {
        let (head, act) = evidence::act::parse_part2(&part_2).map_err(|why| damaged(layout::PAYLOAD, format!("act {index}: {why}")))?;
        TrailState::fold(&mut state, index, &head, &act).map_err(|why| damaged(layout::PAYLOAD, format!("act {index}: {why}")))?;
    }
    let state = state.ok_or_else(|| damaged(layout::PAYLOAD, "the trail's first act is gone"))?;
    let segment_leaves = state.segment_leaves;
    let (mut frontier, mut roots) = (Frontier::new(), Vec::new());
    let mut newest_leaf = None;
    for segment in 0..size / segment_leaves {
        let root = segment_root(media, segment)?;
        frontier.push_subtree(segment_leaves.trailing_zeros() as u8, root).map_err(|why| damaged(layout::SEGMENTS, why))?;
        roots.push(root);
    }
    if let Some(last) = (size / segment_leaves).checked_sub(1).filter(|_| size.is_multiple_of(segment_leaves)) {
        newest_leaf = leaves_of(media, last, segment_leaves)?.last().copied();
    }
    let mut tail = Tail::new(segment_leaves, roots);
    for leaf in leaves_of(media, size / segment_leaves, size % segment_leaves)? {
        let hash = Hash::leaf(&leaf);
        frontier.push(hash);
        tail.push_leaf(leaf, hash);
        newest_leaf = Some(leaf);
    }
    let newest_leaf = newest_leaf.map(|leaf| Leaf::decode(&leaf)).transpose().map_err(|why| damaged(layout::SEGMENTS, why))?;
    let received_at = newest_leaf.map_or(0, |leaf| leaf.received_at);
    let mut core = Core::new(frontier, state, received_at);
    fill_window(media, &mut core, size)?;
    Ok(Base { core, tail })
}

fn segment_root(media: &dyn Media, segment: u64) -> Result<Hash, RecoverError> {
    let [_, path] = seal_file_names(segment);
    let bytes = media.read(&path).map_err(io(&path))?;
    let tile = decode_hashes(&bytes).map_err(|why| damaged(&path, why))?;
    subtree_root(&tile).map_err(|why| damaged(&path, why))
}

/// The first `count` leaves of a segment: from its sealed file or the longest prefix of it.
fn leaves_of(media: &dyn Media, segment: u64, count: u64) -> Result<Vec<[u8; LEAF_BYTES]>, RecoverError> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let names = media.list(layout::SEGMENTS).map_err(io(layout::SEGMENTS))?;
    let long_enough = names.iter().find(|name| match leaves_file::parse_name(name) {
        Some(leaves_file::SegmentFile::Leaves(of)) => of == segment,
        Some(leaves_file::SegmentFile::Prefix { segment: of, count: has }) => of == segment && has >= count,
        _ => false,
    });
    let name = long_enough.ok_or_else(|| {
        damaged(layout::SEGMENTS, format!("no file holds the first {count} leaves of segment {segment}, and their chunks are gone"))
    })?;
    let path = join(layout::SEGMENTS, name);
    let bytes = media.read(&path).map_err(io(&path))?;
    let mut leaves = leaves_file::parse(&bytes).map_err(|why| damaged(&path, why))?;
    leaves.truncate(count as usize);
    if leaves.len() as u64 != count {
        return Err(damaged(&path, "it holds fewer leaves than its name says"));
    }
    Ok(leaves)
}

fn class_0_files(media: &dyn Media) -> Result<Vec<String>, RecoverError> {
    let names = media.list(layout::PAYLOAD).map_err(io(layout::PAYLOAD))?;
    Ok(names.into_iter().filter(|name| parse_payload_name(name).is_some_and(|parsed| parsed.class == 0)).collect())
}

fn newest_class_0_file(media: &dyn Media) -> Result<Option<String>, RecoverError> {
    Ok(class_0_files(media)?.pop())
}

/// Permanent parts of all acts below `size`, by index, from class-0 payload files.
fn acts_below(media: &dyn Media, size: u64) -> Result<BTreeMap<u64, Vec<u8>>, RecoverError> {
    let mut acts = BTreeMap::new();
    for name in class_0_files(media)? {
        if parse_payload_name(&name).is_none_or(|parsed| parsed.first >= size) {
            // Its entries are still in chunks, which are the better witness.
            continue;
        }
        let path = join(layout::PAYLOAD, &name);
        let reader = MediaReader::open(media, &path).map_err(io(&path))?;
        let file = PayloadFile::open(reader).map_err(|why| damaged(&path, why))?;
        file.for_each(&mut |row| {
            if row.index < size {
                acts.insert(row.index, act_part_2(row.raw, row.parts));
            }
        })
        .map_err(|why| damaged(&path, why))?;
    }
    Ok(acts)
}

fn act_part_2(raw: &[u8], parts: Option<&[u8]>) -> Vec<u8> {
    let mut lengths = Vec::new();
    crate::log::entry::part_lengths(parts.unwrap_or_default(), &mut lengths);
    let length = lengths.first().copied().unwrap_or(0) as usize;
    raw.get(..length).unwrap_or_default().to_vec()
}

/// Ids of entries below `size` that the window still covers, from the files that acts name.
fn fill_window(media: &dyn Media, core: &mut Core, size: u64) -> Result<(), RecoverError> {
    let state = Arc::clone(&core.state);
    let mut chosen = Vec::new();
    let mut ids = 0;
    for file in state.ids_files.iter().rev() {
        if ids > WINDOW_IDS_MAX {
            break;
        }
        let received_at = leaf_time(media, &state, file.first + file.count - 1, core)?;
        if received_at + WINDOW_AGE_MAX_MS < core.received_at {
            break;
        }
        let bytes = media.read(&file.name()).map_err(io(&file.name()))?;
        if tlog::sha256(&[&bytes]) != file.sha256 {
            return Err(damaged(file.name(), "its SHA-256 is not the recorded one"));
        }
        let records = ids_file::parse(&bytes).map_err(|why| damaged(file.name(), why))?.records;
        ids += records.len();
        chosen.push((received_at, records));
    }
    for (received_at, records) in chosen.into_iter().rev() {
        for record in records.iter().filter(|record| record.index < size) {
            core.window.insert(IdMark { id_mac: record.id_mac, raw_mac: record.raw_mac }, record.index, received_at);
        }
    }
    Ok(())
}

/// Receive time of the leaf at `index`, which stands in a file.
fn leaf_time(media: &dyn Media, state: &TrailState, index: u64, core: &Core) -> Result<u64, RecoverError> {
    let segment = index / state.segment_leaves;
    if segment >= core.size() / state.segment_leaves {
        // The open segment: recent enough.
        return Ok(core.received_at);
    }
    let [path, _] = seal_file_names(segment);
    let file = media.open_read(&path).map_err(io(&path))?;
    let mut bytes = [0; LEAF_BYTES];
    let at = leaves_file::leaf_offset(index % state.segment_leaves);
    file.read_at(&mut bytes, at).map_err(io(&path))?;
    Leaf::decode(&bytes).map(|leaf| leaf.received_at).map_err(|why| damaged(&path, why))
}

/// The size and root that a signed note states, when it was signed by `key`.
///
/// # Errors
/// In words: what is wrong with the note.
pub fn open_note(note: &str, keys: &[VerifierKey]) -> Result<(u64, Hash), String> {
    let opened = tlog::open_checkpoint(note, keys).map_err(|why| why.to_string())?;
    Ok((opened.checkpoint.size.0, opened.checkpoint.root))
}
