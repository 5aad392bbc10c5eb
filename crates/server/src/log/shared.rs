//! What the sequencer publishes and everybody else reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use evidence::fold::TrailState;
use evidence::leaf::LEAF_BYTES;
use tlog::Hash;
use tokio::sync::watch;

use crate::log::core::Core;
use crate::log::cursors::Cursors;
use crate::log::metrics::LogMetrics;
use crate::log::sequencer::AppendError;
use crate::log::tail::{ChunkRef, Tail};

/// Segments that may wait for sealing before new events wait too. All of them are replayed after a
/// crash: eight took 2.8 s, a restart should take less than two.
const OPEN_SEGMENTS_MAX: usize = 4;
/// Bytes of events that may wait at once, compressed: four full chunks. More would be answered so
/// late that senders have given up.
pub const QUEUE_BYTES_MAX: u64 = 64 << 20;

/// The log as of its newest released checkpoint.
#[derive(Clone, Debug)]
pub struct View {
    /// Signed note (C2SP tlog-checkpoint).
    pub note: Arc<str>,
    /// Tree size.
    pub size: u64,
    /// Tree root.
    pub root: Hash,
    /// Receive time of the newest chunk, ms.
    pub received_at: u64,
    /// All cursors, as committed with the entries below `size`.
    pub cursors: Arc<Cursors>,
    /// Fold of all acts below `size`.
    pub state: Arc<TrailState>,
    /// Ids in the id window.
    pub window_ids: u64,
    /// Index of the oldest of them.
    pub window_from: Option<u64>,
}

impl View {
    /// The view after a commit.
    #[must_use]
    pub fn new(note: String, size: u64, root: Hash, received_at: u64, core: &Core) -> Self {
        Self {
            note: note.into(),
            size,
            root,
            received_at,
            cursors: Arc::clone(&core.cursors),
            state: Arc::clone(&core.state),
            window_ids: core.window.len() as u64,
            window_from: core.window.oldest_index(),
        }
    }
}

/// Shared between the sequencer and all readers.
#[derive(Debug)]
pub struct Shared {
    /// Trail name.
    pub trail: String,
    /// Counters and histograms.
    pub metrics: LogMetrics,
    view: ArcSwap<View>,
    tail: RwLock<Tail>,
    committed: watch::Sender<u64>,
    queued_bytes: AtomicU64,
    stopped: ArcSwapOption<String>,
    /// What senders are told when segments wait, if the last try to seal one failed.
    not_sealed: ArcSwapOption<AppendError>,
}

impl Shared {
    /// Shares a recovered log.
    #[must_use]
    pub fn new(trail: &str, view: View, tail: Tail) -> Self {
        let committed = watch::Sender::new(view.size);
        Self {
            trail: trail.to_owned(),
            metrics: LogMetrics::default(),
            view: ArcSwap::from_pointee(view),
            tail: RwLock::new(tail),
            committed,
            queued_bytes: AtomicU64::new(0),
            stopped: ArcSwapOption::empty(),
            not_sealed: ArcSwapOption::empty(),
        }
    }

    /// The newest published view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// Reads the tail under its lock. A reader that panicked leaves it whole: only the sequencer
    /// writes, and it writes by appending.
    pub fn with_tail<T>(&self, read: impl FnOnce(&Tail) -> T) -> T {
        read(&self.tail.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change_tail<T>(&self, change: impl FnOnce(&mut Tail) -> T) -> T {
        change(&mut self.tail.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Publishes a commit: first the tail, then the view, so that whoever sees a size can read it.
    pub fn publish(&self, view: View, leaves: &[([u8; LEAF_BYTES], Hash)], chunk: ChunkRef) -> Arc<View> {
        self.change_tail(|tail| {
            for (leaf, hash) in leaves {
                tail.push_leaf(*leaf, *hash);
            }
            tail.push_chunk(chunk);
            if view.size.is_multiple_of(view.state.segment_leaves) {
                tail.keep_end_checkpoint(view.size, &view.note);
            }
        });
        let view = Arc::new(view);
        self.view.store(Arc::clone(&view));
        self.committed.send_replace(view.size);
        view
    }

    /// Takes `sealed` segments out of the tail and forgets chunks below `stands_to`. Gives the
    /// oldest chunk still needed.
    pub fn settle(&self, sealed: usize, stands_to: u64) -> Option<ChunkRef> {
        self.change_tail(|tail| {
            for _ in 0..sealed {
                tail.seal_oldest();
            }
            tail.forget_chunks_before(stands_to)
        })
    }

    /// Segments not sealed yet.
    #[must_use]
    pub fn open_segments(&self) -> usize {
        self.with_tail(Tail::open_segments)
    }

    /// Whether so many segments wait for sealing that new events wait too.
    #[must_use]
    pub fn is_backlogged(&self) -> bool {
        self.open_segments() > OPEN_SEGMENTS_MAX
    }

    /// The last try to seal failed, and this is what senders are told if they have to wait for it; nothing when it did not.
    pub fn sealing_failed(&self, answer: Option<AppendError>) {
        // Mostly nothing, and nothing before.
        if answer.is_some() || self.not_sealed.load().is_some() {
            self.not_sealed.store(answer.map(Arc::new));
        }
    }

    /// Why events are refused though the log has not stopped: they would wait for segments that cannot be sealed.
    #[must_use]
    pub fn refuses(&self) -> Option<Arc<AppendError>> {
        self.not_sealed.load_full().filter(|_| self.is_backlogged())
    }

    /// Follows the published size.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    /// Takes a place in the queue for `bytes`; false when it is full.
    pub fn enter_queue(&self, bytes: u64) -> bool {
        let entered = self.queued_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |queued| {
            // A lone request larger than the queue still gets its turn.
            (queued == 0 || queued + bytes <= QUEUE_BYTES_MAX).then_some(queued + bytes)
        });
        entered.is_ok()
    }

    /// Gives the place back.
    pub fn leave_queue(&self, bytes: u64) {
        self.queued_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Bytes waiting.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        self.queued_bytes.load(Ordering::Acquire)
    }

    /// The log takes nothing more.
    pub fn mark_stopped(&self, why: &str) {
        self.stopped.store(Some(Arc::new(why.to_owned())));
    }

    /// Why the log takes nothing more, if so.
    #[must_use]
    pub fn stopped(&self) -> Option<Arc<String>> {
        self.stopped.load_full()
    }

    /// Only for a planted bug: lets a checkpoint out before its chunk is durable.
    pub fn release_note(&self, note: &str) {
        let mut view = View::clone(&self.view());
        view.note = note.into();
        self.view.store(Arc::new(view));
    }
}
