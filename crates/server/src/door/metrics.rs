//! Counters of all doors together, for the metrics page.
//!
//! Labels come from fixed sets in this program, never from what was sent: the number of series is
//! bounded, and counting allocates nothing once a series exists.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::clock::Clock;
use crate::door::Tally;
use crate::door::poll::metrics::PollCollector;
use crate::door::poll::status::Statuses;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Lost {
    door: &'static str,
    reason: &'static str,
}

/// Refusals and losses by reason.
#[derive(Clone, Debug, Default)]
pub struct RefusedCounter {
    refused: Family<Reason, Counter>,
    lost: Family<Lost, Counter>,
}

impl RefusedCounter {
    /// Counts refusals.
    pub fn refused(&self, reason: &'static str, times: u64) {
        self.refused.get_or_create(&Reason { reason }).inc_by(times);
    }

    /// Counts losses.
    pub fn lost(&self, door: &'static str, reason: &'static str, times: u64) {
        self.lost.get_or_create(&Lost { door, reason }).inc_by(times);
    }
}

/// What the doors count.
#[derive(Debug, Default)]
pub struct DoorMetrics {
    /// Refusals and losses by reason.
    pub refused: RefusedCounter,
    /// How pollers fare.
    pub polls: Statuses,
    events: Counter,
    bytes: Counter,
    duplicates: Counter,
}

impl DoorMetrics {
    /// Puts the counters on a page.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(PollCollector { statuses: self.polls.clone(), clock: Clock::system() }));
        registry.register("indelible_refused", "Input and requests refused, by reason", self.refused.refused.clone());
        registry.register("indelible_lost", "Input lost without anybody to tell, by door and reason", self.refused.lost.clone());
        registry.register("indelible_ingest_events", "Events kept", self.events.clone());
        registry.register("indelible_ingest_bytes", "Decoded bytes of bodies whose events were kept", self.bytes.clone());
        registry.register("indelible_ingest_duplicates", "Events sent again and recognised", self.duplicates.clone());
    }

    pub(super) fn kept(&self, tally: Tally, bytes: usize) {
        self.events.inc_by(tally.kept);
        self.duplicates.inc_by(tally.duplicates);
        if tally.standing() > 0 {
            self.bytes.inc_by(bytes as u64);
        }
    }
}
