//! How pollers fare, on the metrics page. One series for each connection, of which there are a
//! bounded number.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::clock::Clock;
use crate::door::poll::status::{Doing, PollStatus, Statuses};

/// Reads the statuses when the page is asked for.
#[derive(Debug)]
pub struct PollCollector {
    /// Of whom.
    pub statuses: Statuses,
    /// For the lag.
    pub clock: Clock,
}

impl Collector for PollCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (all, now) = (self.statuses.all(), self.clock.now_ms());
        let seconds = |ms: u64| i64::try_from(ms / 1_000).unwrap_or(i64::MAX);
        type Value = fn(&PollStatus, u64) -> Option<u64>;
        let gauges: [(&str, &str, Value); 3] = [
            ("indelible_poll_lag_seconds", "Now less the time of the newest event polled", |status, now| status.lag_ms(now)),
            ("indelible_poll_seconds_since_caught_up", "Since the vendor last had nothing more", |status, now| {
                Some(now.saturating_sub(status.caught_up_at?))
            }),
            ("indelible_poll_failing", "1 when the last try failed", |status, _| Some(u64::from(status.doing == Doing::Failing) * 1_000)),
        ];
        for (name, help, value) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, prometheus_client::metrics::MetricType::Gauge)?;
            for (connection, status) in &all {
                if let Some(value) = value(status, now) {
                    ConstGauge::new(seconds(value)).encode(family.encode_family(&[("connection", connection.as_str())])?)?;
                }
            }
        }
        type Count = fn(&PollStatus) -> u64;
        let counters: [(&str, &str, Count); 3] = [
            ("indelible_poll_requests", "Requests to the vendor", |status| status.requests),
            ("indelible_poll_events", "Events polled", |status| status.events),
            ("indelible_poll_failures", "Tries that failed", |status| status.failures),
        ];
        for (name, help, value) in counters {
            let mut family = encoder.encode_descriptor(name, help, None, prometheus_client::metrics::MetricType::Counter)?;
            for (connection, status) in &all {
                ConstCounter::new(value(status)).encode(family.encode_family(&[("connection", connection.as_str())])?)?;
            }
        }
        Ok(())
    }
}
