//! The write-ahead log: what one fsync made durable, in files that are written over and over.
//!
//! Overwriting blocks that were written before costs no journal commit: half the time of appending.
//! So every file is filled with real zeros ahead of need, holds frames, is emptied when what it
//! holds stands elsewhere, and comes back.
//!
//! # Format, version 1 (integers big-endian)
//!
//! A directory holds the log, `NNNNNNNNNN.wal`, ten digits of a sequence number that has no gaps
//! (a log that holds no frame may begin again at any number).
//! A file is a header block and blocks of frames, each 512 bytes, and exactly as long as it says.
//!
//! ```text
//! block    0        4                                                                512
//!          ┌────────┬─────────────────────────────────────────────────────────────────┐
//!          │ crc    │ body, 508 bytes                                                 │
//!          └────────┴─────────────────────────────────────────────────────────────────┘
//!          crc: CRC-32C of nonce[16] ‖ block u32 ‖ block within the frame u32 ‖ body[508]
//!
//! header   0        4            12        16           24            40           48       512
//! (block 0)┌────────┬────────────┬─────────┬────────────┬─────────────┬────────────┬────────┐
//!          │ crc    │ "indelwal" │ version │ sequence   │ nonce[16]   │ file bytes │ zeros  │
//!          └────────┴────────────┴─────────┴────────────┴─────────────┴────────────┴────────┘
//!                                  u32 = 1   u64          random        u64
//!
//! frame    0        4          8          12                                         512
//! (first   ┌────────┬──────────┬──────────┬──────────────────────────────────────────┐
//!  block)  │ crc    │ "frm1"   │ length   │ payload, its first 500 bytes             │
//!          ├────────┼──────────┴──────────┴──────────────────────────────────────────┤
//! (others) │ crc    │ payload, the next 508 bytes                                    │
//!          ├────────┼───────────────────────────────────────┬────────────────────────┤
//! (last)   │ crc    │ payload, the rest                     │ zeros                  │
//!          └────────┴───────────────────────────────────────┴────────────────────────┘
//!                     length u32: bytes of payload
//! ```
//!
//! A block's checksum binds it to the generation of its file, to its place in the file and to the
//! place where its frame begins, so a block left behind, moved, or of another frame is never taken
//! for one that belongs.
//!
//! # Invariants
//!
//! - INVARIANT: frames follow each other from block 1 without gaps, and never span files. After the
//!   last one everything is zero.
//! - INVARIANT: of all files only the last that is not empty may end *torn*: a last frame of whose
//!   blocks each is valid or all zero, at least one of each, and nothing but zeros behind it. Where
//!   the first block is missing, every block left must belong to a frame that began there. Whatever
//!   else is found is damage, and [`Wal::open`] refuses.
//! - INVARIANT: a frame is written by one write and answered for after one sync; a later frame is
//!   never written before, so only the last frame can be torn.
//! - INVARIANT: a file bears its log name only while header, zeros and name are durable.
//! - INVARIANT: one change of a name is durable before the next is begun, so a crash leaves no gap.
//! - INVARIANT: a log that failed to write or sync never writes again. Whether the last frame is
//!   there is found out when it is next opened; a sync is never repeated in hope.
//!
//! # Other files in the directory
//!
//! | name | what it is | who clears it |
//! |---|---|---|
//! | `NNNNNNNNNN.wal.tmp` | the next file while it is made | `open` removes it |
//! | `stale-N.wal` | a file released, not yet zeroed | `recycle` |
//! | `free-N.wal` | zeros, ready to become the next file | it becomes a log file |
//!
//! # Assumptions about the media
//!
//! Those of [`super::media`]; besides, rewriting a sector with the bytes it holds cannot harm it.

mod block;
mod error;
mod file;
mod folder;
mod reader;
mod recover;
mod scan;
mod spares;

use std::sync::Arc;

pub use error::{Damage, DamageKind, WalError};
pub use reader::WalReader;
pub use recover::Examined;
pub use scan::{Leftover, LeftoverKind, Scan, ScannedFile, scan};
pub use spares::Spares;

use super::media::Media;
use file::LogFile;
use folder::Folder;
use reader::LiveFiles;

/// Bytes of one block, the unit a disk writes whole or not at all.
pub const BLOCK_BYTES: usize = 512;

/// Smallest file: a header and three blocks.
pub const FILE_BYTES_MIN: u64 = 4 * BLOCK_BYTES as u64;

/// Largest file. It is read whole when the log is opened, and its length must bound a frame's u32.
pub const FILE_BYTES_MAX: u64 = 256 << 20;

/// How large the log's files are and how many are kept for use again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalLimits {
    /// Bytes of each file made from now on, a multiple of 512; files that exist keep their length.
    pub file_bytes: u64,
    /// Zeroed files kept ready; released files beyond these are deleted.
    pub spare_files: usize,
}

impl Default for WalLimits {
    fn default() -> Self {
        // 16 MiB: two chunks of the largest size fit, and zeroing one takes a disk about 0.1 s.
        // Four spares are 64 MiB, about one segment of 1 KB events between two sealings.
        WalLimits { file_bytes: 16 << 20, spare_files: 4 }
    }
}

impl WalLimits {
    /// Payload bytes of the largest frame that fits a file.
    pub fn frame_bytes_max(&self) -> usize {
        block::frame_bytes_max(block::count_of(self.file_bytes))
    }

    fn check(&self) -> Result<(), WalError> {
        let whole = self.file_bytes.is_multiple_of(BLOCK_BYTES as u64);
        if whole && (FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&self.file_bytes) {
            return Ok(());
        }
        Err(WalError::Limits { file_bytes: self.file_bytes })
    }
}

/// Where a frame lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameAt {
    /// Sequence number of the file.
    pub file: u64,
    /// Its first block; block 0 is the file's header.
    pub block: u32,
    /// Bytes of payload.
    pub bytes: u32,
}

/// What a write that never finished left at the end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// Sequence number of the file.
    pub file: u64,
    /// The block at which the unfinished frame began.
    pub first_block: u32,
    /// Bytes on the medium from there through the last block that is not zero.
    pub bytes: u64,
    /// SHA-256 of these bytes.
    pub sha256: [u8; 32],
}

/// What opening the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// All frames, in the order they were appended.
    pub frames: Vec<FrameAt>,
    /// The unfinished frame that was dropped, if there was one.
    pub torn: Option<TornTail>,
    /// Names in the directory that are none of the log's; left alone.
    pub unknown: Vec<String>,
}

/// The log, open for appending. One owner; others hold a [`WalReader`] or [`Spares`].
pub struct Wal {
    folder: Arc<Folder>,
    live: Arc<LiveFiles>,
    spares: Spares,
    active: Arc<LogFile>,
    /// The block of `active` at which the next frame begins.
    next_block: u32,
    /// The frame being written, kept so that nothing is allocated for each.
    buffer: Vec<u8>,
}

impl Wal {
    /// Opens the log in `dir`, which exists; an empty directory becomes an empty log. Drops an
    /// unfinished last frame and writes the last file out again before it returns: a sync that
    /// failed earlier may have left pages that look clean and are not on the medium.
    ///
    /// To look before anything is dropped, use [`Wal::examine`].
    pub fn open(media: Arc<dyn Media>, dir: &str, limits: WalLimits) -> Result<(Wal, Recovered), WalError> {
        Wal::examine(media, dir, limits)?.accept()
    }

    /// Reads the log in `dir` and changes nothing. Refuses damage.
    pub fn examine(media: Arc<dyn Media>, dir: &str, limits: WalLimits) -> Result<Examined, WalError> {
        Examined::read(media, dir, limits)
    }

    /// Makes sure that a frame of `frame_bytes` can be appended without a new file. `NoSpace` says
    /// so before anything is written; after an error nothing has changed, and it may be tried again.
    pub fn ensure_room(&mut self, frame_bytes: usize) -> Result<(), WalError> {
        self.folder.check_running()?;
        if self.active.holds(self.next_block, frame_bytes) {
            return Ok(());
        }
        let limit = self.spares.frame_bytes_max();
        if frame_bytes > limit {
            return Err(WalError::FrameTooLarge { bytes: frame_bytes, limit });
        }
        self.spares.prepare_next()?;
        let next = self.spares.take_prepared().ok_or(WalError::Stopped)?;
        self.live.insert(Arc::clone(&next));
        self.active = next;
        self.next_block = 1;
        Ok(())
    }

    /// Appends a frame whose payload is `parts` end to end, with one write and one sync; durable on
    /// return. After an `Io` error it is unknown whether the frame is there, and every later append
    /// answers `Stopped` until the log is opened again.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<FrameAt, WalError> {
        let bytes = parts.iter().map(|part| part.len()).sum();
        self.ensure_room(bytes)?;
        let block = self.next_block;
        let (blocks, length) = self.active.encode(&mut self.buffer, block, bytes, parts)?;
        self.active.write_durably(&self.folder, block, &self.buffer)?;
        // From here on the frame is durable and will be there whatever happens.
        self.next_block = block.saturating_add(blocks);
        Ok(FrameAt { file: self.active.sequence(), block, bytes: length })
    }

    /// A handle to read frames with, for any thread.
    pub fn reader(&self) -> WalReader {
        WalReader::new(Arc::clone(&self.live))
    }

    /// A handle to prepare and recycle files with, for a thread in the background.
    pub fn spares(&self) -> Spares {
        self.spares.clone()
    }

    /// Sequence number of the file that the last frame went to, or the next will go to.
    pub fn active_file(&self) -> u64 {
        self.active.sequence()
    }

    /// Releases all files with a smaller sequence number than `file`, except the one being written.
    /// They leave the log at once and durably; [`Spares::recycle`] empties them later. A frame in a
    /// released file can no longer be read.
    pub fn release_before(&mut self, file: u64) -> Result<(), WalError> {
        let end = file.min(self.active.sequence());
        // Oldest first, each durable before the next: a crash must not leave a gap.
        for sequence in self.live.before(end) {
            // Readers lose it first: once it is retired another thread may zero it.
            let Some(log_file) = self.live.remove(sequence) else {
                continue;
            };
            self.spares.retire(sequence).inspect_err(|_| self.live.insert(log_file))?;
        }
        Ok(())
    }

    /// [`Spares::prepare_next`].
    pub fn prepare_next(&self) -> Result<(), WalError> {
        self.spares.prepare_next()
    }

    /// [`Spares::recycle`].
    pub fn recycle(&self) -> Result<(), WalError> {
        self.spares.recycle()
    }
}
