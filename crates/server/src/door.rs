//! What every door shares: from decoded events to kept ones, and the counts of what was not kept.
//!
//! ```text
//! a door ── bytes ──► intake ──► Decoded ── Admission::admit ──► source, blocks, one append, counts
//! ```
//!
//! A door (HTTP, syslog, a webhook, a poller, a file) knows its protocol and who sends. Everything
//! behind that is here, once: the source is looked up or made, events are cut, hashed and compressed
//! on the sender's own thread, appended with the cursors that move over them, and counted.
//!
//! INVARIANT: an event that a door took is either in the log when `admit` returns `Ok`, or counted by
//! reason and source, and the counts reach the log as records, one for each minute at most.
//!
//! Absent on purpose: protocols (they are the doors'), and whether a key may send from a source
//! (`access` and the door that saw the key).

mod batch;
mod by;
mod counts;
pub mod directory;
pub mod files;
mod metrics;
pub mod open;
mod peer;
pub mod poll;
pub mod secret;
pub mod socket;
mod sources;
mod stop;
mod tally;
pub mod tls;
mod understanding;

use std::borrow::Cow;
use std::sync::Arc;

use evidence::canonical_json::Value;

use crate::clock::{Clock, NoRandomness};
use crate::door::counts::Counts;
use crate::door::directory::Identities;
use crate::door::sources::Sources;
use crate::intake::{Decoded, SourceName};
use crate::log::batch::HeadedBlock;
use crate::log::intent::{ActError, Intent};
use crate::log::records;
use crate::log::sequencer::{AppendError, Committed};
use crate::source::Catalog;
use crate::store::trail::Trail;

pub use batch::{Batch, Told};
pub use by::{By, why};
pub use metrics::{DoorMetrics, RefusedCounter};
pub use peer::Peer;
pub use sources::Source;
pub use tally::{CONFLICT, Tally};

/// Kind of a source that nobody described yet.
pub const UNKNOWN_KIND: &str = "unknown";

/// The kind of source that somebody most likely means who connects to a new one: `poll.okta` is
/// about one of the kind `okta`; of kinds that name no vendor, such as `syslog`, nothing is known.
#[must_use]
pub fn source_kind(connection_kind: &str) -> &str {
    match connection_kind.split_once('.').map(|(_, vendor)| vendor) {
        Some("github") => "github_audit",
        Some("google") => "google_workspace",
        Some("entra") => "entra_id",
        Some("cloudtrail") => "aws_cloudtrail",
        // Ways that anybody's events may come.
        None | Some("hmac" | "bearer" | "pubsub" | "kafka" | "certificate") => UNKNOWN_KIND,
        Some(vendor) => vendor,
    }
}

/// Bodies up to this size are hashed and compressed where they arrive; larger ones on a thread
/// that may block, so that they do not hold up the other connections: 16 KiB take about 0.1 ms.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// Where events come from and how.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Name of the source; it is made when there is none.
    pub source: SourceName,
    /// Its kind, should it be made: [`UNKNOWN_KIND`] when the door cannot know.
    pub kind: Cow<'static, str>,
    /// The door's name in envelopes: `http`, `hec`, `syslog`, `poll`, …
    pub door: &'static str,
}

/// What was admitted.
#[derive(Debug)]
pub struct Admitted {
    /// What was sent, given back.
    pub decoded: Decoded,
    /// What became of each event, in order, and the checkpoint that covers them.
    pub committed: Committed,
    /// How many of what.
    pub tally: Tally,
}

/// Why nothing (or not all) was kept. The same events with the same ids may be sent again.
#[derive(Debug, thiserror::Error)]
pub enum AdmitError {
    /// The source could not be made.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The log did not keep the events.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// No salt could be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A task of ours ended without an answer.
    #[error("the server could not finish this request; send it again with the same ids, and report it if it happens again")]
    LostTask,
}

/// The way in that all doors share: one for each process.
#[derive(Debug)]
pub struct Admission {
    trail: Arc<Trail>,
    clock: Clock,
    sources: Sources,
    counts: Counts,
    metrics: DoorMetrics,
    catalog: Arc<Catalog>,
    identities: Identities,
}

impl Admission {
    /// The way into `trail`.
    #[must_use]
    pub fn new(trail: Arc<Trail>, clock: Clock) -> Self {
        Self::knowing(trail, clock, Arc::new(Catalog::built_in()))
    }

    /// The way into `trail`, with these kinds of sources.
    #[must_use]
    pub fn knowing(trail: Arc<Trail>, clock: Clock, catalog: Arc<Catalog>) -> Self {
        let metrics = DoorMetrics::default();
        Self {
            trail,
            clock,
            sources: Sources::default(),
            counts: Counts::new(metrics.refused.clone()),
            metrics,
            catalog,
            identities: Identities::default(),
        }
    }

    /// With this directory of identities.
    #[must_use]
    pub fn joining(self, identities: Identities) -> Self {
        Self { identities, ..self }
    }

    /// Who is the same person.
    #[must_use]
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The kinds of sources.
    #[must_use]
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The trail behind.
    #[must_use]
    pub fn trail(&self) -> &Arc<Trail> {
        &self.trail
    }

    /// Wall clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is counted for the metrics page.
    #[must_use]
    pub fn metrics(&self) -> &DoorMetrics {
        &self.metrics
    }

    /// Keeps the events of `body`. Without events no source is made and nothing is appended, unless
    /// cursors move; what `decoded` refused is counted either way.
    ///
    /// # Errors
    /// [`AdmitError`]; the door says what it counts for that.
    pub async fn admit<B>(self: &Arc<Self>, origin: &Origin, batch: Batch, body: B, decoded: Decoded) -> Result<Admitted, AdmitError>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        match self.unwrapped(origin, body.as_ref(), &decoded) {
            Some((records, decoded)) => self.admit_records(origin, batch.of_records(decoded.events.len()), records, decoded).await,
            None => self.admit_records(origin, batch, body, decoded).await,
        }
    }

    async fn admit_records<B>(self: &Arc<Self>, origin: &Origin, batch: Batch, body: B, decoded: Decoded) -> Result<Admitted, AdmitError>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let (bytes, wholeness) = (body.as_ref().len(), batch.wholeness);
        let origin = &self.with_kind(origin, body.as_ref(), &decoded);
        let (decoded, cursors, blocks) = if decoded.events.is_empty() {
            (decoded, batch.cursors, Vec::new())
        } else {
            let source = self.source(origin, &batch.by).await?;
            self.build(origin, source, batch, body, decoded).await?
        };
        let committed = if blocks.is_empty() && cursors.is_empty() {
            self.nothing_appended()
        } else {
            self.trail.log().append_as(blocks, cursors, wholeness).await?
        };
        Ok(self.counted(origin, bytes, decoded, committed))
    }

    /// [`Admission::admit`] for threads that may block.
    ///
    /// # Errors
    /// As [`Admission::admit`].
    pub fn admit_blocking(&self, origin: &Origin, mut batch: Batch, body: &[u8], decoded: Decoded) -> Result<Admitted, AdmitError> {
        let unwrapped = self.unwrapped(origin, body, &decoded);
        let (body, decoded) = match &unwrapped {
            Some((records, inside)) => {
                batch = batch.of_records(inside.events.len());
                (records.as_ref(), inside.clone())
            }
            None => (body, decoded),
        };
        let origin = &self.with_kind(origin, body, &decoded);
        let blocks = if decoded.events.is_empty() {
            Vec::new()
        } else {
            let source = self.source_blocking(origin, &batch.by)?;
            (batch.told, batch.map) = self.told(origin, body, &decoded, batch.told);
            batch.build(&self.trail, &source, body, &decoded)?
        };
        let committed = if blocks.is_empty() && batch.cursors.is_empty() {
            self.nothing_appended()
        } else {
            self.trail.log().append_as_blocking(blocks, batch.cursors, batch.wholeness)?
        };
        Ok(self.counted(origin, body.len(), decoded, committed))
    }

    fn nothing_appended(&self) -> Committed {
        Committed { outcomes: Vec::new(), view: self.trail.view() }
    }

    async fn build<B>(
        self: &Arc<Self>,
        origin: &Origin,
        source: Arc<Source>,
        mut batch: Batch,
        body: B,
        decoded: Decoded,
    ) -> Result<Built, AdmitError>
    where
        B: AsRef<[u8]> + Send + 'static,
    {
        let small = body.as_ref().len() <= INLINE_BYTES_MAX;
        let (admission, origin) = (Arc::clone(self), origin.clone());
        let work = move || {
            (batch.told, batch.map) = admission.told(&origin, body.as_ref(), &decoded, batch.told);
            let blocks = batch.build(&admission.trail, &source, body.as_ref(), &decoded)?;
            Ok((decoded, batch.cursors, blocks))
        };
        if small { work() } else { tokio::task::spawn_blocking(work).await.map_err(|_| AdmitError::LostTask)? }
    }

    fn counted(&self, origin: &Origin, bytes: usize, decoded: Decoded, committed: Committed) -> Admitted {
        let tally = Tally::of(&committed.outcomes);
        self.metrics.kept(tally, bytes);
        let name = Some(&origin.source);
        self.count_refused(name, CONFLICT, tally.conflicts);
        // Kept, so nothing is lost; counted, so that nobody plays with other people's ids unseen.
        self.count_refused(name, "same_id_other_bytes", tally.beside);
        for refused in &decoded.refused {
            self.count_refused(name, refused.code.code(), 1);
        }
        Admitted { decoded, committed, tally }
    }

    /// The source of that name, made by an act first when there is none. `by` stands in the act.
    ///
    /// # Errors
    /// The act was not kept, or there are too many sources.
    pub async fn source(&self, origin: &Origin, by: &By) -> Result<Arc<Source>, AdmitError> {
        if let Some(source) = self.known_source(origin) {
            return Ok(source);
        }
        self.trail.log().act(create(origin), by.why()).await?;
        self.known_source(origin).ok_or(AdmitError::LostTask)
    }

    /// [`Admission::source`] for threads that may block.
    ///
    /// # Errors
    /// As [`Admission::source`].
    pub fn source_blocking(&self, origin: &Origin, by: &By) -> Result<Arc<Source>, AdmitError> {
        if let Some(source) = self.known_source(origin) {
            return Ok(source);
        }
        self.trail.log().act_blocking(create(origin), by.why())?;
        self.known_source(origin).ok_or(AdmitError::LostTask)
    }

    /// Whoever made a source, it is published before the act is answered.
    fn known_source(&self, origin: &Origin) -> Option<Arc<Source>> {
        self.sources.known(origin).or_else(|| {
            let number = self.trail.view().state.source_number(origin.source.as_str())?;
            Some(self.sources.learn(origin, number))
        })
    }

    /// Counts `times` refusals: input that the sender was told is not kept.
    pub fn count_refused(&self, source: Option<&SourceName>, reason: &'static str, times: u64) {
        self.counts.refused(source, reason, times, self.clock.now_ms());
    }

    /// Counts `times` losses: input that nobody could be told is not kept, such as a datagram.
    pub fn count_lost(&self, door: &'static str, source: Option<&SourceName>, reason: &'static str, times: u64) {
        self.counts.lost(door, source, reason, times, self.clock.now_ms());
    }

    /// Puts counts into the log as records: those of minutes that are over, or `all`. What cannot be
    /// recorded yet is counted on.
    pub async fn record_counts(&self, all: bool) {
        for counted in self.counts.take(all, self.clock.now_ms()) {
            if let Err(why) = self.trail.log().record(&counted.record()).await {
                self.counts.give_back(counted, &why);
            }
        }
    }

    /// [`Admission::record_counts`] for threads that may block.
    pub fn record_counts_blocking(&self, all: bool) {
        for counted in self.counts.take(all, self.clock.now_ms()) {
            if let Err(why) = self.trail.log().record_blocking(&counted.record()) {
                self.counts.give_back(counted, &why);
            }
        }
    }

    /// Keeps a record of a door's own, such as that a poller's token was refused. The name has the
    /// form `door.what_happened`; members are in any order.
    ///
    /// # Errors
    /// The log did not keep it.
    pub async fn record(&self, name: &str, members: Vec<(&str, Value)>) -> Result<Committed, AppendError> {
        self.trail.log().record(&records::record(name, members)).await
    }

    /// [`Admission::record`] for threads that may block.
    ///
    /// # Errors
    /// The log did not keep it.
    pub fn record_blocking(&self, name: &str, members: Vec<(&str, Value)>) -> Result<Committed, AppendError> {
        self.trail.log().record_blocking(&records::record(name, members))
    }
}

type Built = (Decoded, Vec<crate::log::cursors::Cursor>, Vec<HeadedBlock>);

fn create(origin: &Origin) -> Intent {
    Intent::CreateSource { name: origin.source.to_string(), kind: origin.kind.to_string() }
}
