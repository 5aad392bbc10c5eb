//! Moves entries from chunks to the files they stay in: payload files, leaves, tiles, ids.
//!
//! Everything is recomputed from the bytes that the disk gives back, never from memory: a bit that
//! flipped before signing is found here, while the chunk still exists. Files are published before
//! the act that names them; a crash between the two leaves files nobody recorded, which a restart
//! removes. The chunks go only after the act is durable.

mod gather;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use evidence::act::{Act, KeptCheckpoint, LeavesPrefix, PayloadAct, SealAct, leaves_prefix_name, seal_file_names};
use evidence::leaf::{Kind, LEAF_BYTES};
use tracing::{error, info};

use crate::clock::Clock;
use crate::log::Log;
use crate::log::core::stands_in_files_to;
use crate::log::intent::{ActError, Intent};
use crate::log::sequencer::AppendError;
use crate::log::shared::View;
use crate::store::leaves_file;
use crate::store::media::{Media, is_full, parent};
use crate::store::wal::WalReader;
use gather::Gathered;

/// When entries leave the chunks.
#[derive(Clone, Copy, Debug)]
pub struct SealPolicy {
    /// Bytes of chunks after which a payload file is written before the segment is full: 64 MiB
    /// of compressed chunks are what a restart replays in a second or two.
    pub flush_bytes: u64,
    /// Age in ms after which entries move to payload files however few they are: a small tenant's
    /// day ends in Parquet too.
    pub flush_age_ms: u64,
    /// How often the sealer looks for old entries, in ms.
    pub look_ms: u64,
}

impl Default for SealPolicy {
    fn default() -> Self {
        Self { flush_bytes: 64 << 20, flush_age_ms: 60 * 60 * 1000, look_ms: 1000 }
    }
}

/// Why a range was not moved. The chunks stay; nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Stored bytes do not hash to the signed leaves: memory or disk altered them.
    #[error("entry {index} read back from its chunk does not hash to the leaf that was signed; nothing was sealed: verify the directory")]
    Altered {
        /// First index that differs.
        index: u64,
    },
    /// A chunk cannot be read back.
    #[error("a chunk of the range from index {from} cannot be read back: {why}")]
    Unreadable {
        /// First index of the range.
        from: u64,
        /// What is wrong.
        why: String,
    },
    /// A file could not be written.
    #[error("{path} could not be written: {error}")]
    Write {
        /// Which file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The act was not kept.
    #[error("the act that records the files was not kept: {0}")]
    Act(ActError),
}

impl SealError {
    /// What senders are told while this keeps the oldest segments from being sealed.
    fn answer(&self) -> AppendError {
        match self {
            Self::Write { error, .. } if is_full(error) => AppendError::NoSpace,
            Self::Act(ActError::Append(AppendError::NoSpace)) => AppendError::NoSpace,
            _ => AppendError::Busy,
        }
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Finish the oldest open segment.
    Seal { from: u64, end: u64 },
    /// Move `[from, to)`, a prefix of what the open segment holds in chunks.
    Flush { from: u64, to: u64 },
}

/// The sealing thread's state: everything else is in the fold of acts.
pub struct Sealer {
    /// Files go here.
    pub media: Arc<dyn Media>,
    /// Chunks are read back from here.
    pub wal: WalReader,
    /// The log.
    pub log: Log,
    /// When to act.
    pub policy: SealPolicy,
    /// For ages.
    pub clock: Clock,
    /// Held while entries move: the sealing thread and whoever asks for a flush take turns.
    pub turn: Arc<Mutex<()>>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealer").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Works until the log stops or `stop` is closed.
    pub fn run(self, stop: &Receiver<()>) {
        let mut follow = self.log.follow();
        loop {
            let wait = match self.work_once() {
                Ok(true) => Duration::ZERO,
                Ok(false) => Duration::from_millis(self.policy.look_ms),
                Err(why) => {
                    error!(%why, "sealing failed; it is tried again");
                    Duration::from_secs(5)
                }
            };
            // Wake early when a segment may have become full.
            let step = wait.min(Duration::from_millis(20));
            let mut waited = Duration::ZERO;
            loop {
                match stop.recv_timeout(step) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                waited += step;
                let full = follow.has_changed().unwrap_or(false) && {
                    follow.mark_unchanged();
                    self.log.shared().with_tail(|tail| tail.end_checkpoint().is_some())
                };
                if waited >= wait || full {
                    break;
                }
            }
        }
    }

    /// Does what is due; true when there was something.
    ///
    /// # Errors
    /// [`SealError`]; the same work is due again afterwards.
    pub fn work_once(&self) -> Result<bool, SealError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.log.view();
        let done = match self.due(&view) {
            None => Ok(false),
            Some(work) => self.carry_out(&view, work).map(|()| true),
        };
        self.log.shared().sealing_failed(done.as_ref().err().map(SealError::answer));
        done
    }

    /// Moves everything that can be moved now, whatever its age.
    ///
    /// # Errors
    /// As [`Sealer::work_once`].
    pub fn flush(&self) -> Result<(), SealError> {
        while self.work_once()? {}
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.log.view();
        let from = stands_in_files_to(&view.state);
        if self.holds_more_than_acts(from, view.size) {
            self.carry_out(&view, Work::Flush { from, to: view.size })?;
        }
        Ok(())
    }

    fn due(&self, view: &View) -> Option<Work> {
        let segment_leaves = view.state.segment_leaves;
        let from = stands_in_files_to(&view.state);
        let end = (view.state.seals.len() as u64 + 1) * segment_leaves;
        if view.size >= end {
            return Some(Work::Seal { from, end });
        }
        let chunks = self.log.shared().with_tail(|tail| tail.chunks(from, view.size));
        let bytes: u64 = chunks.iter().map(|chunk| u64::from(chunk.at.bytes)).sum();
        let old = |chunk_at: u64| self.clock.now_ms().saturating_sub(chunk_at) >= self.policy.flush_age_ms;
        let is_due = bytes >= self.policy.flush_bytes || chunks.first().is_some_and(|chunk| old(chunk.received_at));
        (is_due && self.holds_more_than_acts(from, view.size)).then_some(Work::Flush { from, to: view.size })
    }

    /// Recording acts alone are no reason to write files, or a quiet trail would never rest.
    fn holds_more_than_acts(&self, from: u64, to: u64) -> bool {
        self.log
            .shared()
            .with_tail(|tail| tail.leaves(from, to).is_some_and(|leaves| leaves.iter().any(|leaf| leaf.get(1) != Some(&(Kind::Act as u8)))))
    }

    fn carry_out(&self, view: &View, work: Work) -> Result<(), SealError> {
        let (from, to) = match work {
            Work::Seal { from, end } => (from, end),
            Work::Flush { from, to } => (from, to),
        };
        let gathered = self.gather(view, from, to)?;
        let segment = from / view.state.segment_leaves;
        let acts = match work {
            Work::Seal { end, .. } => self.seal_acts(view, segment, end, gathered)?,
            Work::Flush { to, .. } => vec![self.flush_act(view, segment, to, gathered)?],
        };
        let replaced = view.state.leaves_prefix.as_ref().map(LeavesPrefix::name);
        self.log.act_blocking(Intent::Recording(acts), b"{}".to_vec()).map_err(SealError::Act)?;
        if let Some(replaced) = replaced {
            // No act names it any longer; if this fails a restart removes it.
            let _ = self.media.remove(&replaced);
        }
        info!(segment, from, to, sealed = matches!(work, Work::Seal { .. }), "entries moved to payload files");
        Ok(())
    }

    /// Publishes a file and gives its SHA-256.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<[u8; 32], SealError> {
        self.media.put(path, bytes).map_err(|error| SealError::Write { path: path.to_owned(), error })?;
        Ok(tlog::sha256(&[bytes]))
    }

    /// Leaves of the segment from its start to `from`, which stand in the prefix file.
    fn leaves_before(&self, view: &View, segment: u64, from: u64) -> Result<Vec<[u8; LEAF_BYTES]>, SealError> {
        let start = segment * view.state.segment_leaves;
        let leaves = self.log.shared().with_tail(|tail| tail.leaves(start, from));
        leaves.ok_or_else(|| SealError::Unreadable { from: start, why: "its leaves are not in one open segment".into() })
    }

    fn seal_acts(&self, view: &View, segment: u64, end: u64, gathered: Gathered) -> Result<Vec<Act>, SealError> {
        let mut leaves = self.leaves_before(view, segment, end - gathered.leaves.len() as u64)?;
        leaves.extend_from_slice(&gathered.leaves);
        let file = leaves_file::encode(&leaves);
        let tile = leaves_file::level1_tile(&leaves);
        let [leaves_name, tile_name] = seal_file_names(segment);
        let leaves_sha = self.put(&leaves_name, &file)?;
        let tile_sha = self.put(&tile_name, &tile)?;
        let note = self.log.shared().with_tail(|tail| tail.end_checkpoint().map(str::to_owned));
        let note = note.ok_or_else(|| SealError::Unreadable { from: end, why: "the segment's checkpoint is gone".into() })?;
        let checkpoint = KeptCheckpoint { size: end, sha256: tlog::sha256(&[note.as_bytes()]) };
        let dir = parent(&checkpoint.name()).to_owned();
        self.media.create_dir_all(&dir).map_err(|error| SealError::Write { path: dir, error })?;
        self.put(&checkpoint.name(), note.as_bytes())?;
        let last_act = last_act_below(&leaves, segment * view.state.segment_leaves);
        let last_act = last_act.or_else(|| view.state.seals.last().and_then(|seal| seal.last_act));
        let seal = Act::Seal(SealAct { segment, leaves: leaves_sha, tile: tile_sha, checkpoint, last_act });
        if gathered.files.is_empty() {
            return Ok(vec![seal]);
        }
        Ok(vec![Act::Payload(PayloadAct { files: gathered.files, leaves: None, ids: gathered.ids }), seal])
    }

    fn flush_act(&self, view: &View, segment: u64, to: u64, gathered: Gathered) -> Result<Act, SealError> {
        let start = segment * view.state.segment_leaves;
        let mut leaves = self.leaves_before(view, segment, to - gathered.leaves.len() as u64)?;
        leaves.extend_from_slice(&gathered.leaves);
        let sha256 = self.put(&leaves_prefix_name(segment, to - start), &leaves_file::encode(&leaves))?;
        let prefix = LeavesPrefix { segment, count: to - start, sha256 };
        Ok(Act::Payload(PayloadAct { files: gathered.files, leaves: Some(prefix), ids: gathered.ids }))
    }
}

fn last_act_below(leaves: &[[u8; LEAF_BYTES]], first: u64) -> Option<u64> {
    let position = leaves.iter().rposition(|leaf| leaf.get(1) == Some(&(Kind::Act as u8)))?;
    Some(first + position as u64)
}
