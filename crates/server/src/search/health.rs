//! How the index fares, for the metrics page.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is counted of the index.
#[derive(Debug)]
pub struct Health {
    /// All of it, to be shown.
    pub registry: Registry,
    /// Payload files whose index was compared with them.
    pub rechecked: Counter,
    /// Of these, the ones whose index said something else: look at this one.
    pub differences: Counter,
    /// And the ones whose lake file did.
    pub lake_differences: Counter,
    /// Entries that no index covers yet.
    pub behind: Gauge,
}

impl Default for Health {
    fn default() -> Self {
        let (mut registry, behind) = (Registry::default(), Gauge::default());
        let [rechecked, differences, lake_differences] = [(); 3].map(|()| Counter::default());
        registry.register("indelible_search_behind_entries", "Entries that no index covers yet: searches read them", behind.clone());
        registry.register("indelible_search_rechecked_files", "Payload files whose index was compared with them", rechecked.clone());
        registry.register(
            "indelible_search_index_differences",
            "Indexes that did not say what the log says; each is in the log as a record index.differs",
            differences.clone(),
        );
        registry.register(
            "indelible_search_lake_differences",
            "Lake files that did not say what the log says; each is in the log as a record lake.differs",
            lake_differences.clone(),
        );
        Self { registry, rechecked, differences, lake_differences, behind }
    }
}
