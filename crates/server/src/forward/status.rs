//! How each forward fares, for people and for metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use serde::Serialize;

use crate::store::trail::Trail;

/// What a forward is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Not begun.
    #[default]
    Starting,
    /// Sends what there is.
    Sending,
    /// Everything is with the receiver, or waits for an object to fill.
    Waiting,
    /// The last try failed: tries again.
    Failing,
}

/// One forward. Times are ms since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// What it is doing.
    pub doing: Doing,
    /// Entries below are with the receiver.
    pub at: u64,
    /// Entries sent since the process began.
    pub sent: u64,
    /// Tries that failed.
    pub failures: u64,
    /// Failures since it last worked.
    pub failures_in_a_row: u32,
    /// Last time that the receiver took something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<u64>,
    /// The last failure, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// And its time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error_at: Option<u64>,
}

/// All forwards, by name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Statuses(Arc<Mutex<BTreeMap<String, Status>>>);

impl Statuses {
    /// Changes one.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Status)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    }

    /// Forgets one.
    pub fn forget(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// One of them, if it runs.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn all(&self) -> Vec<(String, Status)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(name, status)| (name.clone(), status.clone())).collect()
    }
}

/// Reads the statuses when the page of metrics is asked for: one series for each forward, of which there are
/// a bounded number.
#[derive(Debug)]
pub struct ForwardCollector {
    /// Of whom.
    pub statuses: Statuses,
    /// For the lag.
    pub trail: Arc<Trail>,
}

impl Collector for ForwardCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (all, size) = (self.statuses.all(), self.trail.view().size);
        type Gauge = fn(&Status, u64) -> u64;
        let gauges: [(&str, &str, Gauge); 2] = [
            ("indelible_forward_lag_entries", "Entries of the log that are not dealt with yet", |status, size| {
                size.saturating_sub(status.at)
            }),
            ("indelible_forward_failing", "1 when the last try failed", |status, _| u64::from(status.doing == Doing::Failing)),
        ];
        for (name, help, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (forward, status) in &all {
                let value = i64::try_from(value(status, size)).unwrap_or(i64::MAX);
                ConstGauge::new(value).encode(family.encode_family(&[("forward", forward.as_str())])?)?;
            }
        }
        type Count = fn(&Status) -> u64;
        let counters: [(&str, &str, Count); 2] = [
            ("indelible_forward_events", "Entries that receivers took", |status| status.sent),
            ("indelible_forward_failures", "Tries that failed", |status| status.failures),
        ];
        for (name, help, value) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (forward, status) in &all {
                ConstCounter::new(value(status)).encode(family.encode_family(&[("forward", forward.as_str())])?)?;
            }
        }
        Ok(())
    }
}
