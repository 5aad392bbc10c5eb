//! From a socket to the log: batches that are tried again until they are kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::door::{Admission, AdmitError, Batch, By, Origin, Peer, UNKNOWN_KIND};
use crate::intake::{SourceChoice, StreamBatch};
use crate::log::intent::ActError;
use crate::log::sequencer::{AppendError, Wholeness};

const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Nothing more will be kept: the log has stopped, or the time of a shutdown is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// The way of one door into the log.
#[derive(Debug)]
pub struct Inlet {
    /// What all doors share.
    pub admission: Arc<Admission>,
    /// Its name in envelopes and records.
    pub door: &'static str,
    /// Whose messages come.
    pub choice: SourceChoice,
    /// True once a shutdown began.
    pub closing: watch::Receiver<bool>,
    /// How long it may take then.
    pub drain: Duration,
}

impl Inlet {
    /// Keeps a batch of one source and sender, however often it must be tried: nothing is lost while
    /// the log is busy or its disk full, and the sender waits.
    ///
    /// # Errors
    /// [`Closed`]; then the batch is counted as lost.
    pub async fn keep(&self, number: usize, gathered: StreamBatch, peer: &Peer) -> Result<(), Closed> {
        let source = self.choice.name(number);
        self.admission.count_refused(Some(source), "too_deep", gathered.too_deep);
        let mut rest = gathered;
        let mut tries = Tries::new();
        while !rest.is_empty() {
            // What crosses the end of a segment is kept in two parts, each wholly or not at all: so
            // nothing is entered twice when it is tried again.
            let mut part = std::mem::take(&mut rest);
            loop {
                match self.try_keep(number, &part, peer).await {
                    Ok(()) => break,
                    Err(AdmitError::Append(AppendError::Split { room })) => {
                        let first = part.split_off_first(room);
                        rest = part.followed_by(&rest);
                        part = first;
                    }
                    Err(why) => {
                        if let Some(reason) = self.gives_up(&why, &mut tries).await {
                            let lost = part.decoded.events.len() + rest.decoded.events.len();
                            warn!(%why, door = self.door, events = lost, "events were not kept");
                            self.lost(number, reason, lost as u64);
                            return Err(Closed);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Waits before the next try; the reason if there is none.
    async fn gives_up(&self, why: &AdmitError, tries: &mut Tries) -> Option<&'static str> {
        if is_final(why) {
            return Some("log_refused");
        }
        let closing = *self.closing.borrow();
        if closing && Instant::now() >= *tries.deadline.get_or_insert_with(|| Instant::now() + self.drain) {
            return Some("stopped_before_kept");
        }
        sleep(tries.pause).await;
        tries.pause = (tries.pause * 2).min(RETRY_MAX);
        None
    }

    async fn try_keep(&self, number: usize, gathered: &StreamBatch, peer: &Peer) -> Result<(), AdmitError> {
        let origin = Origin { source: self.choice.name(number).clone(), kind: UNKNOWN_KIND.into(), door: self.door };
        let batch = Batch { wholeness: Wholeness::Whole, ..Batch::sent(By::Local, peer) };
        self.admission.admit(&origin, batch, gathered.body.clone(), gathered.decoded.clone()).await.map(|_| ())
    }

    /// Counts what is lost: it becomes a record, at most one a minute for each reason.
    pub fn lost(&self, number: usize, reason: &'static str, times: u64) {
        self.admission.count_lost(self.door, Some(self.choice.name(number)), reason, times);
    }

    /// Resolves when a shutdown begins.
    pub async fn closing(&self) {
        // Without a sender nobody can end it otherwise.
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }
}

/// How often and how long.
struct Tries {
    pause: Duration,
    deadline: Option<Instant>,
}

impl Tries {
    const fn new() -> Self {
        Self { pause: RETRY_FIRST, deadline: None }
    }
}

/// Whether trying again cannot help.
fn is_final(why: &AdmitError) -> bool {
    match why {
        AdmitError::Append(AppendError::Busy | AppendError::NoSpace | AppendError::Split { .. }) => false,
        AdmitError::Append(_) | AdmitError::LostTask => true,
        AdmitError::Act(ActError::Append(AppendError::Busy | AppendError::NoSpace)) => false,
        AdmitError::Act(_) => true,
        AdmitError::Random(_) => false,
    }
}
