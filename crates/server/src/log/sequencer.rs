//! The one owner of a trail: takes requests from bounded queues, makes chunks of them, and answers
//! when a chunk is durable and its checkpoint signed.
//!
//! INVARIANT: a checkpoint is signed only for a tree whose every chunk is durable. An append that
//! fails stops the sequencer for good: whether its bytes reached the disk is unknown, and only a
//! restart, which reads them back, can tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, select};
use evidence::act::{Act, RotateAct};
use evidence::rotation::rotation_text;
use tokio::sync::oneshot;
use tracing::{error, warn};

use crate::clock::{Clock, random};
use crate::log::batch::HeadedBlock;
use crate::log::chunk::CHUNK_BYTES_MAX;
use crate::log::core::{Core, header, plan, stands_in_files_to};
use crate::log::cursors::{Cursor, CursorError, Cursors};
use crate::log::draft::Draft;
use crate::log::intent::{ActError, Intent, decide};
use crate::log::pace::Pace;
use crate::log::planted::{Bug, planted};
use crate::log::records;
use crate::log::shared::{Shared, View};
use crate::log::signer::Signer;
use crate::log::store::{Store, StoreError};
use crate::log::tail::ChunkRef;

/// How often a sequencer that waits for sealing looks again.
const BACKLOG_LOOK_MS: u64 = 5;

/// What became of one entry, in the order of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Kept at this index.
    Kept(u64),
    /// The same id and bytes stand at this index already.
    Duplicate(u64),
    /// Kept at `index`; the same record id stands at `earlier` with other bytes.
    KeptBeside {
        /// Where this entry stands.
        index: u64,
        /// The earlier entry with this record id.
        earlier: u64,
    },
    /// Not kept: the idempotency key stands at this index with other bytes.
    Conflict(u64),
}

/// A request answered: everything in it stands below `view`.
#[derive(Clone, Debug)]
pub struct Committed {
    /// One for each entry, in order.
    pub outcomes: Vec<Outcome>,
    /// What was published after the last of them.
    pub view: Arc<View>,
}

/// Why a request was not (wholly) kept.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The queue is full: try again after a moment.
    #[error("the log is busy: its queue is full; retry after a second")]
    Busy,
    /// The disk is full: nothing was written, accepting resumes when there is room.
    #[error("the disk is full: free space in the data directory, then retry with the same idempotency key")]
    NoSpace,
    /// A cursor cannot be kept as it is, and so neither can the events beside it.
    #[error("the poller's position cannot be kept: {0}")]
    Cursor(#[from] CursorError),
    /// What was to be kept whole does not fit into one chunk: nothing is kept.
    #[error("only {room} of these events fit before the end of the segment; send so many of them, then the others")]
    Split {
        /// How many fit, at least 1.
        room: usize,
    },
    /// The log has stopped: what was asked may or may not be kept; retry with the same id after a restart.
    #[error("the log has stopped: {0}; restart it, then retry with the same idempotency key")]
    Stopped(String),
}

/// Whether a request's events may be kept in parts. Each part is a chunk's, so after a crash or on a
/// full disk the first may stand alone: fine for events whose ids tell on a retry which are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wholeness {
    /// They may.
    #[default]
    InParts,
    /// All stand in one chunk, with the cursors, or none does.
    Whole,
}

/// Events or records to keep.
#[derive(Debug)]
pub struct Submission {
    /// Blocks in order.
    pub blocks: Vec<HeadedBlock>,
    /// Cursors that move with them, in the chunk of the last of them.
    pub cursors: Vec<Cursor>,
    /// Whether they may be kept in parts.
    pub wholeness: Wholeness,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Committed, AppendError>>,
}

impl Submission {
    /// Bytes it takes of the queue.
    pub(crate) fn bytes(&self) -> u64 {
        let blocks = self.blocks.iter().map(|block| block.block.stored_bytes() as u64);
        let cursors = self.cursors.iter().map(|cursor| cursor.value.len() as u64);
        blocks.chain(cursors).sum()
    }
}

/// A change of configuration to keep.
#[derive(Debug)]
pub struct ActRequest {
    /// What is wanted.
    pub intent: Intent,
    /// Part 3: who and why; canonical JSON.
    pub why: Vec<u8>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Acted, ActError>>,
}

/// An act request answered.
#[derive(Clone, Debug)]
pub struct Acted {
    /// Indexes of the acts made; empty when what was wanted held already.
    pub indexes: Vec<u64>,
    /// What was published after the last of them.
    pub view: Arc<View>,
}

/// What reaches the sequencer beside events.
#[derive(Debug)]
pub enum Control {
    /// Make acts.
    Act(ActRequest),
    /// Replace the signing key; the new one is already durable.
    Rotate(Box<Signer>, ActRequest),
    /// Answer everything that waits, then stop.
    Stop,
}

/// Everything a sequencer owns.
pub struct Sequencer {
    pub(crate) core: Core,
    pub(crate) signer: Signer,
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: [u8; 16],
    pub(crate) draft: Draft,
    pub(crate) stopped: Option<String>,
    pub(crate) clock_behind: bool,
    pub(crate) appends: Receiver<Submission>,
    pub(crate) controls: Receiver<Control>,
}

impl std::fmt::Debug for Sequencer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequencer").field("size", &self.core.size()).finish_non_exhaustive()
    }
}

enum Request {
    Append(Submission),
    Control(Control),
    Look,
}

impl Sequencer {
    /// Runs until told to stop or until every handle is gone.
    pub fn run(mut self) {
        let mut running = true;
        let mut pace = Pace::default();
        while running && let Some(request) = self.next() {
            running = self.take(request);
            std::thread::sleep(pace.due_in(self.draft.stored_bytes()));
            // Everything that already waits goes into the same chunk: one fsync for all of it.
            while running && self.draft.stored_bytes() < CHUNK_BYTES_MAX / 2 {
                let Some(request) = self.next_waiting() else { break };
                running = self.take(request);
            }
            pace.commits(self.draft.requests());
            // A failed commit has answered its senders; nobody is left to tell.
            let _ = self.commit();
        }
        self.shared.mark_stopped(self.stopped.as_deref().unwrap_or("it was shut down"));
    }

    fn next(&mut self) -> Option<Request> {
        if self.shared.is_backlogged() {
            // Only sealing makes room; its acts come through the control queue.
            return match self.controls.recv_timeout(Duration::from_millis(BACKLOG_LOOK_MS)) {
                Ok(control) => Some(Request::Control(control)),
                Err(crossbeam_channel::RecvTimeoutError::Timeout) => {
                    self.refuse_what_waits();
                    Some(Request::Look)
                }
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => None,
            };
        }
        select! {
            recv(self.controls) -> control => control.ok().map(Request::Control),
            recv(self.appends) -> submission => submission.ok().map(Request::Append),
        }
    }

    /// While sealing fails nobody knows how long events would wait: a full disk may stay full for days.
    fn refuse_what_waits(&self) {
        let Some(why) = self.shared.refuses() else { return };
        while let Ok(submission) = self.appends.try_recv() {
            self.shared.leave_queue(submission.bytes());
            // A sender that is gone needs no answer.
            let _ = submission.reply.send(Err(AppendError::clone(&why)));
        }
    }

    fn next_waiting(&mut self) -> Option<Request> {
        match self.controls.try_recv() {
            Ok(control) => return Some(Request::Control(control)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        if self.shared.is_backlogged() {
            return None;
        }
        self.appends.try_recv().ok().map(Request::Append)
    }

    /// Takes one request into the draft. False: stop.
    fn take(&mut self, request: Request) -> bool {
        match request {
            Request::Look => {}
            Request::Control(Control::Stop) => return false,
            Request::Control(Control::Act(act)) => self.take_act(act),
            Request::Control(Control::Rotate(signer, act)) => self.rotate(*signer, act),
            Request::Append(submission) => self.take_submission(submission),
        }
        true
    }

    fn take_submission(&mut self, submission: Submission) {
        let bytes = submission.bytes();
        let Submission { blocks, cursors, wholeness, reply } = submission;
        let mut outcomes = Vec::new();
        let room = self.check_running().and_then(|()| match wholeness {
            Wholeness::Whole => self.make_room(&blocks),
            Wholeness::InParts => Ok(()),
        });
        let taken = room.and_then(|()| self.take_events(blocks, &cursors, &mut outcomes));
        match taken {
            Ok(()) => self.draft.answer_events(outcomes, reply, bytes),
            Err(why) => {
                self.shared.leave_queue(bytes);
                let _ = reply.send(Err(why));
            }
        }
    }

    /// Makes sure that all of `blocks` go into one chunk.
    fn make_room(&mut self, blocks: &[HeadedBlock]) -> Result<(), AppendError> {
        if self.draft.fits_all(blocks) {
            return Ok(());
        }
        self.commit()?;
        if self.draft.fits_all(blocks) {
            return Ok(());
        }
        // Too many for the segment, or too large for a chunk: then half of them are tried.
        let events: usize = blocks.iter().map(|block| block.heads.len()).sum();
        let in_segment = usize::try_from(self.draft.room_in_segment()).unwrap_or(usize::MAX);
        Err(AppendError::Split { room: if in_segment < events { in_segment } else { events / 2 }.max(1) })
    }

    /// Events, then the cursors that moved over them: the last events and the cursors share a chunk.
    fn take_events(&mut self, blocks: Vec<HeadedBlock>, cursors: &[Cursor], outcomes: &mut Vec<Outcome>) -> Result<(), AppendError> {
        if cursors.is_empty() {
            return blocks.into_iter().try_for_each(|block| self.take_block(block, outcomes));
        }
        // Before anything is placed: what cannot be kept whole is not kept at all.
        self.all_cursors().moved(cursors)?;
        blocks.into_iter().try_for_each(|block| self.take_block(block, outcomes))?;
        let moved = self.all_cursors().moved(cursors)?;
        self.draft.set_cursors(moved);
        Ok(())
    }

    /// All cursors as the draft leaves them.
    fn all_cursors(&self) -> &Cursors {
        self.draft.cursors().unwrap_or(&self.core.cursors)
    }

    /// Places a block in the draft, committing before it when the chunk or the segment is full.
    fn take_block(&mut self, block: HeadedBlock, outcomes: &mut Vec<Outcome>) -> Result<(), AppendError> {
        let block = self.draft.settle_ids(block, &self.core.window, outcomes).map_err(|why| AppendError::Stopped(why.to_string()))?;
        let mut rest = Some(block).filter(|block| !block.heads.is_empty());
        while let Some(block) = rest {
            if !self.draft.fits(&block) {
                self.commit()?;
            }
            rest = self.draft.push_up_to_segment_end(block).map_err(|why| AppendError::Stopped(why.to_string()))?;
        }
        Ok(())
    }

    fn check_running(&self) -> Result<(), AppendError> {
        match &self.stopped {
            Some(why) => Err(AppendError::Stopped(why.clone())),
            None => Ok(()),
        }
    }

    fn take_act(&mut self, request: ActRequest) {
        if let Some(why) = &self.stopped {
            let _ = request.reply.send(Err(ActError::Append(AppendError::Stopped(why.clone()))));
            return;
        }
        let acts = match decide(&self.core.state, request.intent) {
            Ok(acts) => acts,
            Err(why) => {
                let _ = request.reply.send(Err(why));
                return;
            }
        };
        let mut indexes = Vec::new();
        for act in acts {
            match self.place_act(act, &request.why) {
                Ok(index) => indexes.push(index),
                Err(why) => {
                    let _ = request.reply.send(Err(why));
                    return;
                }
            }
        }
        self.draft.answer_act(indexes, request.reply);
    }

    /// Gives an act its index and its place in the chain, and puts it into the draft.
    fn place_act(&mut self, act: Act, why: &[u8]) -> Result<u64, ActError> {
        if self.draft.segment_is_full() {
            self.commit().map_err(ActError::Append)?;
        }
        let index = self.draft.next_index();
        let head = self.core.state.next_head();
        self.draft.remember_state(&self.core.state);
        self.core.apply_act(index, &head, &act)?;
        if let Act::ConnectionRemoved { name } = &act {
            let left = self.all_cursors().without(name);
            self.draft.set_cursors(left);
        }
        let salt = new_salt().map_err(ActError::Append)?;
        self.draft.push_act(&act.to_part2(&head), why, salt, act);
        Ok(index)
    }

    /// Rotation stands last in its chunk: the old key signs through it, the new one from there on.
    fn rotate(&mut self, next: Signer, request: ActRequest) {
        if let Err(why) = self.commit() {
            let _ = request.reply.send(Err(ActError::Append(why)));
            return;
        }
        let index = self.draft.next_index();
        let old = self.signer.key().clone();
        let text = rotation_text(&self.core.state.origin, &old, next.key(), index);
        let (sig_old, sig_new) = (self.signer.sign(text.as_bytes()), next.sign(text.as_bytes()));
        let intent = Intent::Rotation(Box::new(RotateAct { old, new: next.key().clone(), sig_old, sig_new }));
        let reply = request.reply;
        let (inner, mut committed) = oneshot::channel();
        self.take_act(ActRequest { intent, why: request.why, reply: inner });
        let _ = self.commit();
        let result =
            committed.try_recv().unwrap_or_else(|_| Err(ActError::Append(AppendError::Stopped("rotation was not committed".into()))));
        if let Ok(acted) = &result {
            // The point of no return: the old key's last checkpoint is kept before the new signs.
            if let Err(why) = self.store.keep_checkpoint(acted.view.size, &acted.view.note) {
                self.stop(&why.to_string());
            }
            self.signer = next;
        }
        let _ = reply.send(result);
    }

    /// Makes the draft durable, signs, publishes and answers.
    ///
    /// # Errors
    /// What the senders in the draft were told.
    pub(crate) fn commit(&mut self) -> Result<(), AppendError> {
        self.check_running()?;
        if self.draft.is_empty() {
            // Duplicates alone: what they name is below the published checkpoint already.
            self.draft.answer(&self.shared.view(), &self.shared);
            return Ok(());
        }
        let started = Instant::now();
        let received_at = self.receive_time();
        let planned = plan(&self.core.frontier, self.draft.heads(), received_at);
        let previous = self.shared.view().note.to_string();
        let cursors = self.draft.cursors().map_or_else(|| Arc::clone(&self.core.cursors), Arc::clone);
        let mut header = header(&self.core, &planned, &self.shared.trail, received_at, previous, self.writer);
        if self.draft.cursors().is_some() || (self.draft.lets_chunks_go() && !planted(Bug::LetCursorsGo)) {
            header.cursors = Cursors::clone(&cursors);
        }
        let chunk = header.encode(self.draft.blocks());
        if let Err(why) = self.store.ensure_room(chunk.len()) {
            return Err(self.refuse(why));
        }
        if planted(Bug::SignBeforeAppend) {
            let root = planned.root;
            self.shared.release_note(&self.signer.checkpoint(planned.first + planned.leaves.len() as u64, root));
        }
        let at = self.store.append(&chunk).map_err(|why| self.stop(&why.to_string()))?;
        self.core.adopt(&planned, self.draft.heads(), received_at);
        self.core.cursors = cursors;
        let (size, root) = (self.core.size(), planned.root);
        let note = self.signer.checkpoint(size, root);
        let chunk = ChunkRef { first: planned.first, count: planned.leaves.len() as u32, received_at, at };
        let acts = self.draft.take_acts();
        let view = self.shared.publish(View::new(note, size, root, received_at, &self.core), &planned.leaves, chunk);
        self.settle_recorded(&acts);
        self.shared.metrics.committed(planned.leaves.len() as u64, started.elapsed());
        self.draft.answer(&view, &self.shared);
        self.draft.restart(size);
        Ok(())
    }

    /// There is no room for the chunk. Nothing was written: the fold goes back to what it was,
    /// and the senders may retry.
    fn refuse(&mut self, why: StoreError) -> AppendError {
        if let Some(state) = self.draft.remembered_state() {
            self.core.state = state;
        }
        match why {
            StoreError::NoSpace => {
                self.draft.fail(&AppendError::NoSpace, &self.shared);
                AppendError::NoSpace
            }
            StoreError::Stopped(why) => self.stop(&why),
        }
    }

    /// After a seal or payload act is durable: chunks whose entries stand in recorded files go.
    fn settle_recorded(&mut self, acts: &[Act]) {
        let sealed = acts.iter().filter(|act| matches!(act, Act::Seal(_))).count();
        let recorded = acts.iter().any(|act| matches!(act, Act::Payload(_)));
        if sealed == 0 && !recorded {
            return;
        }
        let mut stands_to = stands_in_files_to(&self.core.state);
        if planted(Bug::ReleaseBeforeRecorded) {
            stands_to = self.draft.next_index().saturating_sub(1);
        }
        if let Some(oldest) = self.shared.settle(sealed, stands_to) {
            self.store.release_before(oldest.at);
        }
    }

    fn receive_time(&mut self) -> u64 {
        let now = self.clock.now_ms();
        let behind = now < self.core.received_at;
        if behind && !self.clock_behind {
            warn!(now, last = self.core.received_at, "the clock stepped back; receive times are held until it catches up");
            let record = records::clock_stepped_back(now, self.core.received_at);
            if let Ok(salt) = new_salt()
                && !self.draft.segment_is_full()
            {
                self.draft.push_record(&record, salt);
            }
        }
        self.clock_behind = behind;
        now.max(self.core.received_at)
    }

    fn stop(&mut self, why: &str) -> AppendError {
        error!(why, "the log has stopped");
        self.stopped = Some(why.to_owned());
        self.shared.mark_stopped(why);
        let answer = AppendError::Stopped(why.to_owned());
        self.draft.fail(&answer, &self.shared);
        answer
    }
}

fn new_salt() -> Result<[u8; 16], AppendError> {
    let mut salt = [0; 16];
    random(&mut salt).map_err(|why| AppendError::Stopped(why.to_string()))?;
    Ok(salt)
}
