//! Counters of the API, and the page at `/metrics` (OpenMetrics text).
//!
//! Labels come from fixed sets (routes, statuses, reasons in this program), never from a request:
//! the number of series is bounded, and counting allocates nothing once a series exists.

use std::fmt::Write as _;
use std::sync::atomic::AtomicI64;

use axum::http::StatusCode;
use axum::response::Response;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::answer::bytes;
use crate::api::error::ApiError;
use crate::api::route::{Endpoint, ROUTES};
use crate::api::state::Api;
use crate::door::DoorMetrics;
use crate::forward::status::ForwardCollector;
use crate::log::Log;
use crate::watch::Status;

/// A route in a label; `None` is a request for none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct RouteLabel(Option<Endpoint>);

impl EncodeLabelValue for RouteLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match ROUTES.iter().find(|route| Some(route.endpoint) == self.0) {
            Some(route) => write!(encoder, "{} {}", route.method, route.path),
            None => encoder.write_str("other"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: RouteLabel,
    status: u16,
}

/// Sources that have series of their own: the first ones. Beyond these the page would take longer to
/// fetch than it is worth.
const SOURCES_MAX: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSource {
    source: String,
}

type SourceGauge = Family<OfSource, Gauge<f64, std::sync::atomic::AtomicU64>>;

/// What is known of each source. Names are acts of this trail, and bounded as such.
#[derive(Debug, Default)]
struct SourceGauges {
    since_last: SourceGauge,
    rate: SourceGauge,
    lag: SourceGauge,
    ahead: SourceGauge,
    missing: SourceGauge,
    refused: SourceGauge,
    silent: SourceGauge,
    unmapped: SourceGauge,
}

impl SourceGauges {
    fn register(&self, registry: &mut Registry) {
        let all = [
            ("seconds_since_event", "Time since the source's last event", &self.since_last),
            ("events_per_hour", "Rate of the hour under way", &self.rate),
            ("lag_seconds", "Median delay from event to receipt", &self.lag),
            ("clock_ahead_seconds", "How far the producer's clock is ahead at least", &self.ahead),
            ("missing", "Producer sequence numbers that did not come", &self.missing),
            ("refused_last_day", "Refused or lost in the last 24 hours", &self.refused),
            ("silent", "1 when the source is silent and should not be", &self.silent),
            ("unmapped_share", "Part of the fields that no mapping covers", &self.unmapped),
        ];
        for (name, help, gauge) in all {
            registry.register(format!("indelible_source_{name}"), help, gauge.clone());
        }
    }

    fn show(&self, status: &Status, now_ms: u64) {
        let source = OfSource { source: status.name.clone() };
        let set = |gauge: &SourceGauge, value: f64| {
            gauge.get_or_create(&source).set(value);
        };
        if let Some(last_ms) = status.last_ms {
            set(&self.since_last, now_ms.saturating_sub(last_ms) as f64 / 1000.0);
        }
        if let Some(lag) = status.lag {
            set(&self.lag, lag.median_ms as f64 / 1000.0);
            set(&self.ahead, lag.ahead_ms as f64 / 1000.0);
        }
        if let Some(unmapped) = status.unmapped {
            set(&self.unmapped, unmapped);
        }
        set(&self.rate, status.rate);
        set(&self.missing, status.missing as f64);
        set(&self.refused, status.refused as f64);
        set(&self.silent, f64::from(u8::from(status.silent_since_ms.is_some())));
    }
}

/// What the API counts.
#[derive(Debug)]
pub struct ApiMetrics {
    registry: Registry,
    answered: Family<Answered, Counter>,
    /// Connections open.
    pub connections: Gauge<i64, AtomicI64>,
    /// Connections closed at once because there were too many.
    pub connections_refused: Counter,
    queue_depth: Gauge,
    queued_bytes: Gauge,
    tree_size: Gauge,
    checkpoint_age: Gauge<f64, std::sync::atomic::AtomicU64>,
    stopped: Gauge,
    sources: SourceGauges,
}

impl ApiMetrics {
    /// Metrics of the API, of `log`, of the doors, and of what is sent on.
    pub fn new(log: &Log, doors: &DoorMetrics, sent_on: ForwardCollector) -> Self {
        let mut new = Self {
            registry: Registry::default(),
            answered: Family::default(),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            queue_depth: Gauge::default(),
            queued_bytes: Gauge::default(),
            tree_size: Gauge::default(),
            checkpoint_age: Gauge::default(),
            stopped: Gauge::default(),
            sources: SourceGauges::default(),
        };
        let mut registry = Registry::default();
        log.shared().metrics.register(&mut registry);
        doors.register(&mut registry);
        registry.register_collector(Box::new(sent_on));
        new.register(&mut registry);
        new.registry = registry;
        new
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("indelible_requests", "Requests answered, by route and status", self.answered.clone());
        registry.register("indelible_connections", "Connections open", self.connections.clone());
        registry.register("indelible_connections_refused", "Connections closed at once: too many", self.connections_refused.clone());
        registry.register("indelible_queue_depth", "Requests that wait for the log", self.queue_depth.clone());
        registry.register("indelible_queued_bytes", "Compressed bytes that wait for the log", self.queued_bytes.clone());
        registry.register("indelible_tree_size", "Entries below the newest checkpoint", self.tree_size.clone());
        registry.register("indelible_seconds_since_checkpoint", "Age of the newest checkpoint", self.checkpoint_age.clone());
        registry.register("indelible_stopped", "1 when the log takes nothing more", self.stopped.clone());
        self.sources.register(registry);
    }

    /// Counts an answer.
    pub fn answered(&self, endpoint: Option<Endpoint>, status: StatusCode) {
        self.answered.get_or_create(&Answered { route: RouteLabel(endpoint), status: status.as_u16() }).inc();
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// `GET /metrics`.
pub fn page(api: &Api) -> Result<Response, ApiError> {
    let (metrics, log, view) = (&api.metrics, api.trail.log(), api.trail.view());
    metrics.queue_depth.set(gauge(log.queue_depth() as u64));
    metrics.queued_bytes.set(gauge(log.shared().queued_bytes()));
    metrics.tree_size.set(gauge(view.size));
    metrics.checkpoint_age.set(api.clock.now_ms().saturating_sub(view.received_at) as f64 / 1_000.0);
    metrics.stopped.set(i64::from(log.shared().stopped().is_some()));
    let index = api.index();
    index.health().behind.set(gauge(index.behind(&api.trail)));
    for status in api.watch.get().map(|watch| watch.status(SOURCES_MAX)).unwrap_or_default() {
        metrics.sources.show(&status, api.clock.now_ms());
    }
    let mut page = String::with_capacity(8 << 10);
    let encoded = encode_registry(&mut page, &metrics.registry)
        .and_then(|()| encode_registry(&mut page, &index.health().registry))
        .and_then(|()| encode_eof(&mut page));
    encoded.map_err(|_| ApiError::lost_task())?;
    Ok(bytes(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", page))
}
