//! The log: one sequencer owns the trail; everybody else sends to it and reads what it published.
//!
//! `batch` (sender's thread) → `draft` → `core::plan` (pure) → `Store::append` durable → sign →
//! `shared::publish` → answer. Recovery replays stored chunks through the same `core`.

pub mod batch;
pub mod chunk;
pub mod core;
pub mod cursors;
pub mod draft;
pub mod entry;
pub mod genesis;
pub mod intent;
pub mod metrics;
mod pace;
pub mod planted;
pub mod records;
pub mod sequencer;
pub mod shared;
pub mod signer;
pub mod store;
pub mod tail;
pub mod window;

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};
use evidence::leaf::Kind;
use tokio::sync::{oneshot, watch};

use crate::clock::{Clock, NoRandomness, random};
use crate::log::batch::{BatchBuilder, HeadedBlock, NewEntry};
use crate::log::core::Core;
use crate::log::cursors::Cursor;
use crate::log::draft::Draft;
use crate::log::intent::{ActError, Intent};
use crate::log::sequencer::{ActRequest, Acted, AppendError, Committed, Control, Sequencer, Submission, Wholeness};
use crate::log::shared::{Shared, View};
use crate::log::signer::Signer;
use crate::log::store::Store;
use crate::log::tail::Tail;

/// Requests that may wait: with 64 KB each they fill the queue's byte bound.
const QUEUE_REQUESTS_MAX: usize = 4096;
/// Acts that may wait; administrators and the sealer are few.
const CONTROLS_MAX: usize = 256;

/// A recovered (or new) log, ready to run.
pub struct Start {
    /// Trail name.
    pub trail: String,
    /// State after all chunks.
    pub core: Core,
    /// Tail after all chunks.
    pub tail: Tail,
    /// Signed note for the core's size; empty for a log without entries.
    pub note: String,
    /// Key for checkpoints to come.
    pub signer: Signer,
    /// Where chunks go.
    pub store: Box<dyn Store>,
    /// Wall clock.
    pub clock: Clock,
}

/// A handle on a running log.
#[derive(Clone, Debug)]
pub struct Log {
    shared: Arc<Shared>,
    appends: Sender<Submission>,
    controls: Sender<Control>,
}

impl Log {
    /// Starts the sequencer on a thread of its own.
    ///
    /// # Errors
    /// [`NoRandomness`] when no writer nonce can be drawn; the thread's own failure to start is
    /// reported through the same error, since neither can be mended here.
    pub fn start(start: Start) -> Result<(Self, JoinHandle<()>), NoRandomness> {
        let (appends_in, appends) = bounded(QUEUE_REQUESTS_MAX);
        let (controls_in, controls) = bounded(CONTROLS_MAX);
        let mut writer = [0; 16];
        random(&mut writer)?;
        let (size, root) = (start.core.size(), start.core.frontier.root());
        let view = View::new(start.note, size, root, start.core.received_at, &start.core);
        let shared = Arc::new(Shared::new(&start.trail, view, start.tail));
        let sequencer = Sequencer {
            draft: Draft::new(size, start.core.state.segment_leaves),
            core: start.core,
            signer: start.signer,
            store: start.store,
            clock: start.clock,
            shared: Arc::clone(&shared),
            writer,
            stopped: None,
            clock_behind: false,
            appends,
            controls,
        };
        let thread = std::thread::Builder::new().name("sequencer".into()).spawn(move || sequencer.run()).map_err(|_| NoRandomness)?;
        Ok((Self { shared, appends: appends_in, controls: controls_in }, thread))
    }

    /// The newest published view.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.shared.view()
    }

    /// What readers share with the sequencer.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Follows the published size.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.shared.follow()
    }

    /// Requests waiting for the sequencer.
    #[must_use]
    pub fn queue_depth(&self) -> usize {
        self.appends.len()
    }

    /// Keeps blocks of entries: durable and inside a signed checkpoint when this returns `Ok`.
    ///
    /// # Errors
    /// [`AppendError`] says whether to retry.
    pub async fn append(&self, blocks: Vec<HeadedBlock>) -> Result<Committed, AppendError> {
        self.append_moving(blocks, Vec::new()).await
    }

    /// [`Log::append`] that moves cursors: after a crash the last of the events and the cursors are
    /// both there or both not. When every event was known already, the cursors go into the next
    /// chunk, whatever that holds.
    ///
    /// # Errors
    /// [`AppendError`] says whether to retry.
    pub async fn append_moving(&self, blocks: Vec<HeadedBlock>, cursors: Vec<Cursor>) -> Result<Committed, AppendError> {
        self.append_as(blocks, cursors, Wholeness::InParts).await
    }

    /// [`Log::append_moving`] that says whether the events may be kept in parts.
    ///
    /// # Errors
    /// [`AppendError`] says whether to retry; [`AppendError::Split`] with how much.
    pub async fn append_as(&self, blocks: Vec<HeadedBlock>, cursors: Vec<Cursor>, wholeness: Wholeness) -> Result<Committed, AppendError> {
        let reply = self.submit(blocks, cursors, wholeness)?;
        reply.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// [`Log::append`] for threads that may block.
    ///
    /// # Errors
    /// [`AppendError`] says whether to retry.
    pub fn append_blocking(&self, blocks: Vec<HeadedBlock>) -> Result<Committed, AppendError> {
        self.append_moving_blocking(blocks, Vec::new())
    }

    /// [`Log::append_moving`] for threads that may block.
    ///
    /// # Errors
    /// [`AppendError`] says whether to retry.
    pub fn append_moving_blocking(&self, blocks: Vec<HeadedBlock>, cursors: Vec<Cursor>) -> Result<Committed, AppendError> {
        self.append_as_blocking(blocks, cursors, Wholeness::InParts)
    }

    /// [`Log::append_as`] for threads that may block.
    ///
    /// # Errors
    /// As [`Log::append_as`].
    pub fn append_as_blocking(
        &self,
        blocks: Vec<HeadedBlock>,
        cursors: Vec<Cursor>,
        wholeness: Wholeness,
    ) -> Result<Committed, AppendError> {
        let reply = self.submit(blocks, cursors, wholeness)?;
        reply.blocking_recv().unwrap_or_else(|_| Err(self.gone()))
    }

    /// A cursor as it was committed.
    #[must_use]
    pub fn cursor(&self, name: &str) -> Option<Vec<u8>> {
        self.view().cursors.get(name).map(<[u8]>::to_vec)
    }

    fn submit(
        &self,
        blocks: Vec<HeadedBlock>,
        cursors: Vec<Cursor>,
        wholeness: Wholeness,
    ) -> Result<oneshot::Receiver<Result<Committed, AppendError>>, AppendError> {
        if self.shared.stopped().is_some() {
            return Err(self.gone());
        }
        let (reply, answer) = oneshot::channel();
        let submission = Submission { blocks, cursors, wholeness, reply };
        let bytes = submission.bytes();
        if !self.shared.enter_queue(bytes) {
            return Err(AppendError::Busy);
        }
        self.appends.try_send(submission).map_err(|why| {
            self.shared.leave_queue(bytes);
            match why {
                TrySendError::Full(_) => AppendError::Busy,
                TrySendError::Disconnected(_) => self.gone(),
            }
        })?;
        Ok(answer)
    }

    fn gone(&self) -> AppendError {
        let why = self.shared.stopped().map_or_else(|| "it was shut down".to_owned(), |why| why.to_string());
        AppendError::Stopped(why)
    }

    /// Changes the trail's configuration: the act is durable before it takes effect.
    ///
    /// # Errors
    /// [`ActError`] when what holds does not allow it, or the log cannot keep it.
    pub async fn act(&self, intent: Intent, why: Vec<u8>) -> Result<Acted, ActError> {
        let answer = self.control(Control::Act, intent, why)?;
        answer.await.unwrap_or_else(|_| Err(ActError::Append(self.gone())))
    }

    /// [`Log::act`] for threads that may block.
    ///
    /// # Errors
    /// As [`Log::act`].
    pub fn act_blocking(&self, intent: Intent, why: Vec<u8>) -> Result<Acted, ActError> {
        let answer = self.control(Control::Act, intent, why)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(ActError::Append(self.gone())))
    }

    /// Replaces the signing key by `next`, whose seed is already durable.
    ///
    /// # Errors
    /// As [`Log::act`].
    pub fn rotate_blocking(&self, next: Signer, why: Vec<u8>) -> Result<Acted, ActError> {
        let answer = self.control(|request| Control::Rotate(Box::new(next), request), Intent::Nothing, why)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(ActError::Append(self.gone())))
    }

    fn control(
        &self,
        wrap: impl FnOnce(ActRequest) -> Control,
        intent: Intent,
        why: Vec<u8>,
    ) -> Result<oneshot::Receiver<Result<Acted, ActError>>, ActError> {
        let (reply, answer) = oneshot::channel();
        match self.controls.try_send(wrap(ActRequest { intent, why, reply })) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(ActError::Append(AppendError::Busy)),
            Err(TrySendError::Disconnected(_)) => Err(ActError::Append(self.gone())),
        }
    }

    /// Keeps one record of the log's own.
    ///
    /// # Errors
    /// [`AppendError`] as for events.
    pub fn record_blocking(&self, raw: &[u8]) -> Result<Committed, AppendError> {
        let blocks = own_record(raw).map_err(|why| AppendError::Stopped(why.to_string()))?;
        self.append_blocking(blocks)
    }

    /// Keeps records of the log's own, in order; a crash may keep the first of them alone.
    ///
    /// # Errors
    /// [`AppendError`] as for events.
    pub fn records_blocking(&self, raw: &[Vec<u8>]) -> Result<Committed, AppendError> {
        let blocks = own_records(raw).map_err(|why| AppendError::Stopped(why.to_string()))?;
        self.append_blocking(blocks)
    }

    /// [`Log::record_blocking`] for async callers.
    ///
    /// # Errors
    /// [`AppendError`] as for events.
    pub async fn record(&self, raw: &[u8]) -> Result<Committed, AppendError> {
        let blocks = own_record(raw).map_err(|why| AppendError::Stopped(why.to_string()))?;
        self.append(blocks).await
    }

    /// Asks the sequencer to answer what waits and stop; join its thread to wait for it.
    pub fn stop(&self) {
        // A disconnected queue has stopped already.
        let _ = self.controls.send(Control::Stop);
    }
}

fn own_record(raw: &[u8]) -> Result<Vec<HeadedBlock>, NoRandomness> {
    own_records(&[raw])
}

fn own_records<R: AsRef<[u8]>>(all: &[R]) -> Result<Vec<HeadedBlock>, NoRandomness> {
    let bytes = all.iter().map(|raw| raw.as_ref().len()).sum();
    let mut batch = BatchBuilder::with_capacity(all.len(), bytes);
    for raw in all {
        batch.push(&NewEntry {
            kind: Kind::Record,
            source: 0,
            class: 1,
            facts: records::own_facts().into(),
            people: b"{}".as_slice().into(),
            raw: raw.as_ref(),
            id: None,
        })?;
    }
    Ok(batch.finish())
}
