//! What all requests share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::access::{KeyId, RateLimit, RetryAfter};
use crate::api::error::ApiError;
use crate::api::hec::Acks;
use crate::api::issuer_keys::IssuerKeys;
use crate::api::limits::{ApiLimits, EXPORTS_MAX, READS_MAX, SEARCHES_MAX};
use crate::api::metrics::ApiMetrics;
use crate::api::tail::Tails;
use crate::clock::Clock;
use crate::door::Admission;
use crate::door::secret::Secrets;
use crate::forward::Forwards;
use crate::forward::status::ForwardCollector;
use crate::intake::SourceName;
use crate::search::{Index, Saved};
use crate::store::trail::Trail;
use crate::watch::Watch;

/// The API's state: one for each process, cheap to clone.
#[derive(Clone, Debug)]
pub struct ApiState(pub(crate) Arc<Api>);

impl ApiState {
    /// The API of `trail`, whose webhooks have no secrets.
    #[must_use]
    pub fn new(trail: Arc<Trail>, limits: ApiLimits, clock: Clock) -> Self {
        Self::of(Arc::new(Admission::new(trail, clock)), limits)
    }

    /// The API beside other doors: all of them share one way in. Its webhooks have no secrets.
    #[must_use]
    pub fn of(admission: Arc<Admission>, limits: ApiLimits) -> Self {
        Self::with_secrets(admission, limits, None)
    }

    /// As [`ApiState::of`], with the secrets that webhooks are proven by.
    #[must_use]
    pub fn with_secrets(admission: Arc<Admission>, limits: ApiLimits, secrets: Option<Secrets>) -> Self {
        let (trail, clock) = (Arc::clone(admission.trail()), admission.clock().clone());
        let rates = RateLimit::new(limits.events_per_second, limits.events_burst, limits.keys_tracked);
        let forwards = Arc::new(Forwards::default());
        let sent_on = ForwardCollector { statuses: forwards.statuses.clone(), trail: Arc::clone(&trail) };
        let metrics = ApiMetrics::new(trail.log(), admission.metrics(), sent_on);
        Self(Arc::new(Api {
            metrics,
            admission,
            watch: OnceLock::new(),
            index: OnceLock::new(),
            rates: Mutex::new(rates),
            hec_acks: Acks::default(),
            issuer_keys: IssuerKeys::default(),
            secrets,
            memory: Arc::new(Memory { used: AtomicUsize::new(0), limit: limits.bodies_bytes }),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            searches: Arc::new(Semaphore::new(SEARCHES_MAX)),
            draining: watch::Sender::new(false),
            tails: Tails::new(limits.tails),
            saved: Saved::default(),
            forwards,
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            clock,
            limits,
            trail,
        }))
    }

    /// The API shows what `watch` knows of the sources.
    #[must_use]
    pub fn watched_by(self, watch: Arc<Watch>) -> Self {
        let _ = self.0.watch.set(watch);
        self
    }

    /// What is sent on, for whoever runs it.
    #[must_use]
    pub fn forwards(&self) -> Arc<Forwards> {
        Arc::clone(&self.0.forwards)
    }

    /// Search reads only the files that `index` does not rule out.
    #[must_use]
    pub fn indexed_by(self, index: Arc<Index>) -> Self {
        let _ = self.0.index.set(index);
        self
    }

    /// The way in that the API shares with other doors.
    #[must_use]
    pub fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    /// The trail behind the API.
    #[must_use]
    pub fn trail(&self) -> &Arc<Trail> {
        &self.0.trail
    }
}

/// See [`ApiState`].
#[derive(Debug)]
pub(crate) struct Api {
    pub trail: Arc<Trail>,
    pub limits: ApiLimits,
    pub clock: Clock,
    pub metrics: ApiMetrics,
    pub admission: Arc<Admission>,
    pub hec_acks: Acks,
    /// Keys of those who sign tokens.
    pub issuer_keys: IssuerKeys,
    /// Where webhooks find their secrets.
    pub secrets: Option<Secrets>,
    /// Who follows the sources; none in a process that does not.
    pub watch: OnceLock<Arc<Watch>>,
    /// What search need not read; none in a process that makes no index.
    index: OnceLock<Arc<Index>>,
    pub memory: Arc<Memory>,
    /// A shutdown began: finish, take nothing new.
    pub draining: watch::Sender<bool>,
    /// Who follows the log.
    pub tails: Tails,
    /// Search lines under a name.
    pub saved: Saved,
    /// What is sent on.
    pub forwards: Arc<Forwards>,
    /// Places of those who export all of it.
    pub exports: Arc<Semaphore>,
    rates: Mutex<RateLimit>,
    reads: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

impl Api {
    /// Spends `cost` of the key's rate.
    ///
    /// # Errors
    /// [`RetryAfter`].
    pub fn spend(&self, key: KeyId, cost: u32) -> Result<(), RetryAfter> {
        let now = self.clock.now_ms();
        self.rates.lock().unwrap_or_else(PoisonError::into_inner).take(key, cost, now)
    }

    /// Runs `work` on a thread that may block; a few at once.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Trail) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.block(&self.reads, work).await
    }

    /// As [`Self::read`], for what may take seconds: it never stands in the way of the rest.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn search<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Trail) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.block(&self.searches, work).await
    }

    /// As [`Self::read`], with a bound of the caller's own.
    ///
    /// # Errors
    /// What `work` says.
    pub async fn block<T: Send + 'static>(
        self: &Arc<Self>,
        at_once: &Arc<Semaphore>,
        work: impl FnOnce(&Trail) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        // The semaphore is never closed.
        let permit = Arc::clone(at_once).acquire_owned().await.map_err(|_| ApiError::lost_task())?;
        let api = Arc::clone(self);
        let work = move || {
            // Held for as long as the work takes, also when nobody waits for its answer any more.
            let _permit = permit;
            work(&api.trail)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::lost_task())?
    }

    /// What search need not read.
    pub fn index(&self) -> Arc<Index> {
        Arc::clone(self.index.get_or_init(|| Arc::new(Index::none(Arc::clone(self.admission.catalog())))))
    }

    /// Counts `times` refusals.
    pub fn count_refused(&self, source: Option<&SourceName>, reason: &'static str, times: u64) {
        self.admission.count_refused(source, reason, times);
    }

    /// Whether a shutdown began.
    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }
}

/// Memory that all bodies share.
#[derive(Debug)]
pub(crate) struct Memory {
    used: AtomicUsize,
    limit: usize,
}

impl Memory {
    /// Nothing held yet.
    pub fn hold(self: &Arc<Self>) -> Held {
        Held { memory: Arc::clone(self), bytes: 0 }
    }
}

/// A body's share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Held {
    /// Makes the share `bytes` large; false when there is no room, and nothing has changed.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let grown = self
            .memory
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| used.checked_add(more).filter(|total| *total <= self.memory.limit));
        if grown.is_ok() {
            self.bytes += more;
        }
        grown.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_and_never_overdrawn() {
        let memory = Arc::new(Memory { used: AtomicUsize::new(0), limit: 10 });
        let (mut one, mut other) = (memory.hold(), memory.hold());
        assert!(one.grow_to(6) && one.grow_to(4));
        assert!(!other.grow_to(5) && other.grow_to(4));
        drop(one);
        assert!(other.grow_to(10) && !other.grow_to(11));
    }
}
