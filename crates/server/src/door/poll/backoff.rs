//! How long to wait after a failure: exponential with full jitter, so that many connections that
//! failed together do not come back together.

/// Longest wait after the first failure.
const FIRST_MS: u64 = 1_000;
/// Longest wait at all: a vendor that is back is noticed within five minutes.
pub const WAIT_MS_MAX: u64 = 300_000;

/// Failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// One more failure; gives the wait in ms, drawn from `[1, limit]` by `random`.
    pub fn failed(&mut self, random: u64) -> u64 {
        let limit = FIRST_MS.saturating_mul(1 << self.failures.min(16)).min(WAIT_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        random % limit + 1
    }

    /// It worked: the next failure is a first one again.
    pub fn worked(&mut self) {
        self.failures = 0;
    }

    /// Failures since it last worked.
    #[must_use]
    pub fn failures(self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_limit_doubles_up_to_five_minutes_and_begins_anew_after_success() {
        let mut backoff = Backoff::default();
        let limits: Vec<u64> = (0..12).map(|_| backoff.failed(u64::MAX - 1)).collect();
        assert!(limits.iter().all(|wait| *wait <= WAIT_MS_MAX));
        let mut backoff = Backoff::default();
        let longest = |backoff: &mut Backoff| {
            let limit = FIRST_MS.saturating_mul(1 << backoff.failures().min(16)).min(WAIT_MS_MAX);
            backoff.failed(limit - 1)
        };
        let waits: Vec<u64> = (0..11).map(|_| longest(&mut backoff)).collect();
        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
        backoff.worked();
        assert_eq!(longest(&mut backoff), 1_000);
    }

    proptest! {
        #[test]
        fn every_draw_lies_within_the_limit(failures in 0u32..100, random: u64) {
            let mut backoff = Backoff { failures };
            let wait = backoff.failed(random);
            prop_assert!((1..=WAIT_MS_MAX).contains(&wait));
        }
    }
}
