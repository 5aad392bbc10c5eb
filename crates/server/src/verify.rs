//! The offline verifier: reads a trail's directory from end to end, recomputes everything from the
//! stored bytes and public keys alone, and says what is wrong and where.
//!
//! `snapshot` (what lies there) → `chunks` (hashed again) → `acts` (what holds, so which files there
//! must be) → `keys`, `checkpoints` (what was signed) → `segment`, `payload`, `rows` (files against
//! their leaves, segments side by side on all cores) → `tree` (who is right) → `chain` (chunks on top
//! of the files) → every signed head against the tree → leftovers.
//!
//! Nothing is ever changed, and it works beside a running server: what is found counts only when the
//! directory still looks the same afterwards.
//!
//! What rests on what: payloads, leaves, tiles and acts on the signed root; a payload file's
//! SHA-256 in its act is one more check of the same rows, and the only one of what is no row. Files
//! of the id window rest on their recorded SHA-256 alone: no leaf covers them. Spare write-ahead
//! files hold zeros and nothing rests on them.

mod acts;
mod chain;
mod checkpoints;
mod chunks;
mod expected;
mod ids;
mod keys;
mod payload;
pub mod report;
mod rows;
mod segment;
mod snapshot;
mod tree;
mod under_way;

use std::io::ErrorKind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::ThreadPool;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tlog::VerifierKey;

use crate::store::media::Media;
use crate::store::wal::WalError;

pub use report::{Finding, IndexRange, Report, Trust, Verdict};

/// What to verify against, and how.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// A signed note that the tree must extend: what the caller trusts the log to have held.
    pub from_checkpoint: Option<String>,
    /// The key that trust begins with; without it the directory's first act says.
    pub pinned: Option<VerifierKey>,
    /// A server holds the directory: what it has made and not yet recorded is not leftover.
    pub is_served: bool,
    /// Compare payload, leaves and tile files with their recorded SHA-256. Without, the tree alone
    /// must find every change to a row; only tests do without.
    pub check_file_hashes: bool,
    /// Most threads, and so segments, at work at once.
    pub threads: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { from_checkpoint: None, pinned: None, is_served: false, check_file_hashes: true, threads }
    }
}

/// How far the verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries whose payloads were checked.
    pub done_entries: u64,
    /// Entries to check.
    pub total_entries: u64,
}

/// Why a directory could not be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The medium failed.
    #[error("{path} cannot be read: {error}")]
    Io {
        /// Which file or directory.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The write-ahead log cannot be read.
    #[error("the write-ahead log cannot be read: {0}")]
    Wal(WalError),
    /// There is no trail.
    #[error("there is no trail here: no directory wal/; name the data directory that holds trails/main")]
    NoTrail,
    /// The given checkpoint is not one.
    #[error("the given checkpoint cannot be read: {0}; give a file that holds one signed note")]
    Checkpoint(String),
}

/// Looks again so often when the directory changes meanwhile: a chunk that was released between
/// being listed and being read is found where it went by the next look.
const LOOKS_MAX: usize = 5;

/// Verifies the trail below `media`. `progress` is called from many threads.
///
/// # Errors
/// [`VerifyError`] when it could not run; everything that is wrong with the trail is in the report.
pub fn verify_directory(media: &dyn Media, options: &VerifyOptions, progress: &(dyn Fn(Progress) + Sync)) -> Result<Report, VerifyError> {
    if let Some(note) = &options.from_checkpoint {
        keys::parse(note.as_bytes()).map_err(VerifyError::Checkpoint)?;
    }
    let mut look = 1;
    let mut seen = snapshot::Snapshot::take(media)?;
    loop {
        let run = Run::new(media, options, progress);
        let report = expected::verify(&run, &seen);
        if report.holds || look == LOOKS_MAX {
            return Ok(report);
        }
        // A server may be at work: a chunk released, a file not yet recorded.
        let now = snapshot::Snapshot::take(media)?;
        if now.is_same_as(&seen) {
            return Ok(report);
        }
        (seen, look) = (now, look.saturating_add(1));
    }
}

/// Below so many bytes to hash, starting threads takes longer than they save.
const PARALLEL_BYTES_MIN: u64 = 4 << 20;

/// One verification on its way: what is read, how far it is.
struct Run<'a> {
    media: &'a dyn Media,
    options: &'a VerifyOptions,
    progress: &'a (dyn Fn(Progress) + Sync),
    pool: OnceLock<Option<ThreadPool>>,
    done: AtomicU64,
    total: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Run<'a> {
    fn new(media: &'a dyn Media, options: &'a VerifyOptions, progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self {
            media,
            options,
            progress,
            pool: OnceLock::new(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// A whole file, or what is wrong with it.
    fn read(&self, path: &str) -> Result<Vec<u8>, (Verdict, String)> {
        let bytes = self.media.read(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => (Verdict::Missing, "the file is gone".to_owned()),
            _ => (Verdict::Tampered, format!("the file cannot be read: {error}")),
        })?;
        self.bytes_read(bytes.len() as u64);
        Ok(bytes)
    }

    fn bytes_read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn entries_expected(&self, entries: u64) {
        self.total.fetch_add(entries, Ordering::Relaxed);
    }

    fn entries_done(&self, entries: u64) {
        let done = self.done.fetch_add(entries, Ordering::Relaxed).saturating_add(entries);
        (self.progress)(Progress { done_entries: done, total_entries: self.total.load(Ordering::Relaxed).max(done) });
    }

    /// `f` of every item, in order; on all cores when `weight`, about the bytes to hash, is worth it.
    fn map<T: Sync, R: Send>(&self, weight: u64, items: &[T], f: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
        if weight < PARALLEL_BYTES_MIN || items.len() < 2 || self.options.threads < 2 {
            return items.iter().map(f).collect();
        }
        let make = || rayon::ThreadPoolBuilder::new().num_threads(self.options.threads).build().ok();
        match self.pool.get_or_init(make) {
            Some(pool) => pool.install(|| items.par_iter().map(f).collect()),
            None => items.iter().map(f).collect(),
        }
    }
}
