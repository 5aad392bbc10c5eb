//! The log's store on a local disk: chunks are frames of the write-ahead log.

use std::sync::Arc;

use crossbeam_channel::Sender;
use evidence::act::KeptCheckpoint;

use crate::log::store::{Store, StoreError};
use crate::log::tail::ChunkAt;
use crate::store::media::{Media, is_full, parent};
use crate::store::wal::{Wal, WalError};

/// Chunks in recycled files on one medium.
pub struct LocalStore {
    wal: Wal,
    media: Arc<dyn Media>,
    /// Wakes the housekeeper, which zeroes released files and prepares the next one.
    housekeeping: Sender<()>,
}

impl LocalStore {
    /// A store over an opened write-ahead log.
    #[must_use]
    pub fn new(wal: Wal, media: Arc<dyn Media>, housekeeping: Sender<()>) -> Self {
        Self { wal, media, housekeeping }
    }
}

fn stopped(why: impl std::fmt::Display) -> StoreError {
    StoreError::Stopped(why.to_string())
}

impl Store for LocalStore {
    fn ensure_room(&mut self, bytes: usize) -> Result<(), StoreError> {
        self.wal.ensure_room(bytes).map_err(|why| match why {
            WalError::NoSpace { .. } => StoreError::NoSpace,
            why => stopped(why),
        })
    }

    fn append(&mut self, chunk: &[u8]) -> Result<ChunkAt, StoreError> {
        let at = self.wal.append(&[chunk]).map_err(stopped)?;
        Ok(ChunkAt { file: at.file, block: at.block, bytes: at.bytes })
    }

    fn keep_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StoreError> {
        let path = KeptCheckpoint { size, sha256: tlog::sha256(&[note.as_bytes()]) }.name();
        let kept = self.media.create_dir_all(parent(&path)).and_then(|()| self.media.put(&path, note.as_bytes()));
        kept.map_err(|why| if is_full(&why) { StoreError::NoSpace } else { stopped(why) })
    }

    fn release_before(&mut self, oldest: ChunkAt) {
        // Files that could not be renamed away stay: a later release or a restart takes them.
        if self.wal.release_before(oldest.file).is_ok() {
            let _ = self.housekeeping.try_send(());
        }
    }
}
