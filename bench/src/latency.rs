//! Latencies as they were measured: every one is kept, so a percentile is exact and needs no model.

use std::time::Duration;

/// The most latencies kept in one measurement: 30 minutes at 10,000 a second, 144 MB.
const KEPT_MAX: usize = 18_000_000;

/// Latencies of one measurement.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    nanos: Vec<u64>,
    sorted: bool,
}

impl Latencies {
    /// Takes one more. Past the most kept, further ones are dropped: no program here gets there.
    pub fn push(&mut self, latency: Duration) {
        if self.nanos.len() < KEPT_MAX {
            self.nanos.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
            self.sorted = false;
        }
    }

    /// Takes those of another measurement that ran beside this one.
    pub fn append(&mut self, mut other: Self) {
        self.nanos.append(&mut other.nanos);
        self.sorted = false;
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.nanos.len()
    }

    /// The latency that `per_mille` in 1,000 do not exceed, in milliseconds (nearest rank); 0 when
    /// there is none.
    pub fn per_mille_ms(&mut self, per_mille: u64) -> f64 {
        if !self.sorted {
            self.nanos.sort_unstable();
            self.sorted = true;
        }
        let rank = (self.nanos.len() as u64 * per_mille).div_ceil(1000).saturating_sub(1);
        let nanos = usize::try_from(rank).ok().and_then(|rank| self.nanos.get(rank));
        nanos.map_or(0.0, |nanos| *nanos as f64 / 1e6)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "whole milliseconds are exact in an f64")]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut latencies = Latencies::default();
        for ms in (1..=1000).rev() {
            latencies.push(Duration::from_millis(ms));
        }
        assert_eq!(latencies.per_mille_ms(500), 500.0);
        assert_eq!(latencies.per_mille_ms(990), 990.0);
        assert_eq!(latencies.per_mille_ms(999), 999.0);
        assert_eq!(latencies.per_mille_ms(1000), 1000.0);
        assert_eq!(Latencies::default().per_mille_ms(990), 0.0);
    }
}
