//! What the log asks of whatever keeps it.

use crate::log::tail::ChunkAt;

/// Why a store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum StoreError {
    /// No room; nothing was changed.
    #[error("no space left")]
    NoSpace,
    /// What was asked may or may not have happened: nothing more may be written by this process.
    #[error("{0}")]
    Stopped(String),
}

/// Ordered, exclusive, durable appends. Local disk implements it; an object store will.
pub trait Store: Send {
    /// Makes sure that a chunk of `bytes` bytes can be appended.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] when it cannot; then nothing was changed and it may be asked again.
    fn ensure_room(&mut self, bytes: usize) -> Result<(), StoreError>;

    /// Appends a chunk; it is durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::Stopped`]: the chunk may or may not be kept; append nothing more.
    fn append(&mut self, chunk: &[u8]) -> Result<ChunkAt, StoreError>;

    /// Keeps a signed note under `checkpoints/`, create-only and durable.
    ///
    /// # Errors
    /// When it could not be kept.
    fn keep_checkpoint(&mut self, size: u64, note: &str) -> Result<(), StoreError>;

    /// Chunks before `oldest` are superseded and may go.
    fn release_before(&mut self, oldest: ChunkAt);
}
