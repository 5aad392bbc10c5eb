//! Who tells the watch what an event says of itself: the maps of the sources' kinds.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::source::{Catalog, Scratch};
use crate::watch::Observation;

type See = dyn Fn(&[u8], &str, u64) -> Observation + Send + Sync;

/// Reads raw bytes of a source's kind. Total: any bytes, no panic.
#[derive(Clone)]
pub struct Observe {
    see: Arc<See>,
    /// Whether the records of a kind are numbered by themselves: then each of them is read.
    numbered: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observe")
    }
}

impl Observe {
    /// Observes as `see` does.
    #[must_use]
    pub fn new(see: impl Fn(&[u8], &str) -> Observation + Send + Sync + 'static) -> Self {
        Self { see: Arc::new(move |raw, kind, _| see(raw, kind)), numbered: Arc::new(|_| true) }
    }

    /// Observes by the maps of the kinds.
    #[must_use]
    pub fn by(catalog: Arc<Catalog>) -> Self {
        thread_local! {
            /// Of the one thread that watches: memory that is used again for each record.
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        let kinds = Arc::clone(&catalog);
        Self {
            see: Arc::new(move |raw, kind, received_ms| {
                SCRATCH.with_borrow_mut(|scratch| observation(&catalog, raw, kind, received_ms, scratch))
            }),
            numbered: Arc::new(move |kind| kinds.kind(kind).is_some_and(|kind| !kind.record.sequence.is_empty())),
        }
    }

    /// Whether each record of the kind has to be read: its numbers have no gap only together.
    #[must_use]
    pub fn numbers(&self, kind: &str) -> bool {
        (self.numbered)(kind)
    }

    /// What the event, received then, says of itself.
    #[must_use]
    pub fn see(&self, raw: &[u8], kind: &str, received_ms: u64) -> Observation {
        (self.see)(raw, kind, received_ms)
    }
}

fn observation(catalog: &Catalog, raw: &[u8], kind: &str, received_ms: u64, scratch: &mut Scratch) -> Observation {
    let received_at = i64::try_from(received_ms).unwrap_or(i64::MAX);
    let Some(noticed) = catalog.notice(raw, kind, received_at, scratch) else { return Observation::default() };
    Observation {
        time_ms: noticed.time_ms.and_then(|ms| u64::try_from(ms).ok()),
        sequence: noticed.sequence,
        producer: noticed.sequence_of.as_deref().map_or(0, producer),
        fields: u32::try_from(noticed.values).unwrap_or(u32::MAX),
        unmapped: u32::try_from(noticed.unmapped).unwrap_or(u32::MAX),
    }
}

/// FNV-1a: tells names apart, the same after every restart.
fn producer(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}
