//! Reading frames from any thread while the log is appended to.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::FrameAt;
use super::error::WalError;
use super::file::LogFile;

/// The files of the log, shared by its owner and its readers.
#[derive(Default)]
pub(super) struct LiveFiles {
    files: RwLock<BTreeMap<u64, Arc<LogFile>>>,
}

impl LiveFiles {
    pub(super) fn insert(&self, file: Arc<LogFile>) {
        self.files.write().unwrap_or_else(PoisonError::into_inner).insert(file.sequence(), file);
    }

    pub(super) fn remove(&self, sequence: u64) -> Option<Arc<LogFile>> {
        self.files.write().unwrap_or_else(PoisonError::into_inner).remove(&sequence)
    }

    fn get(&self, sequence: u64) -> Option<Arc<LogFile>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(&sequence).cloned()
    }

    /// Sequence numbers below `end`, smallest first.
    pub(super) fn before(&self, end: u64) -> Vec<u64> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).range(..end).map(|(sequence, _)| *sequence).collect()
    }
}

/// Reads frames. Clones read the same log.
#[derive(Clone)]
pub struct WalReader {
    live: Arc<LiveFiles>,
}

impl WalReader {
    pub(super) fn new(live: Arc<LiveFiles>) -> WalReader {
        WalReader { live }
    }

    /// The payload of a frame, every block of it checked. `Released` if the log no longer holds it.
    pub fn read(&self, at: FrameAt) -> Result<Vec<u8>, WalError> {
        let released = WalError::Released { file: at.file };
        let Some(file) = self.live.get(at.file) else {
            return Err(released);
        };
        let read = file.read_frame(at);
        // A file is out of the log before it is zeroed: what was read while that happened says
        // nothing about the medium.
        if read.is_err() && self.live.get(at.file).is_none() {
            return Err(released);
        }
        read
    }
}
