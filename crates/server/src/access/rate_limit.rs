//! How fast one key may ask: a token bucket for each key, filled by the time that is passed in.
//!
//! The number of tracked keys is bounded. A bucket that is full again is the same as none, so it is
//! forgotten when room is needed; keys that find no room share one bucket, which slows strangers
//! down rather than letting them past.

use std::collections::HashMap;

use super::token::KeyId;

/// A bucket counts thousandths, so that one millisecond at one token a second adds one whole unit.
const UNITS: u64 = 1_000;
/// Looking for full buckets visits all of them, so it is done at most this often.
const SWEEP_EVERY_MS: u64 = 1_000;

/// Limits the rate at which each key spends (requests, events or bytes: the caller decides).
#[derive(Debug)]
pub struct RateLimit {
    per_second: u64,
    burst: u64,
    keys_max: usize,
    buckets: HashMap<KeyId, Bucket>,
    shared: Bucket,
    swept_at_ms: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    units: u64,
    filled_at_ms: u64,
}

/// The key has to wait; answered with 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this key sends faster than its limit: try again in {ms} ms")]
pub struct RetryAfter {
    /// Time after which the same request would pass, if nothing else is spent.
    pub ms: u64,
}

impl RetryAfter {
    /// Whole seconds for the `Retry-After` header, rounded up, at least 1.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.ms.div_ceil(1_000).max(1)
    }
}

impl RateLimit {
    /// `per_second` tokens flow in, at most `burst` are kept, for at most `keys_max` keys apart.
    /// A zero is taken as one: a limit that nothing passes is not a rate.
    #[must_use]
    pub fn new(per_second: u32, burst: u32, keys_max: usize) -> Self {
        let burst = u64::from(burst.max(1)) * UNITS;
        Self {
            per_second: u64::from(per_second.max(1)),
            burst,
            keys_max,
            buckets: HashMap::new(),
            shared: Bucket { units: burst, filled_at_ms: 0 },
            swept_at_ms: 0,
        }
    }

    /// Spends `cost` tokens of `key`'s bucket. A cost above the burst needs a full bucket and
    /// empties it: it would otherwise never pass.
    ///
    /// # Errors
    /// [`RetryAfter`] when the bucket holds less; nothing is spent then.
    pub fn take(&mut self, key: KeyId, cost: u32, now_ms: u64) -> Result<(), RetryAfter> {
        let (per_second, burst) = (self.per_second, self.burst);
        let price = (u64::from(cost) * UNITS).min(burst);
        let bucket = self.bucket(key, now_ms);
        bucket.fill(per_second, burst, now_ms);
        match bucket.units.checked_sub(price) {
            Some(left) => {
                bucket.units = left;
                Ok(())
            }
            None => Err(RetryAfter { ms: (price - bucket.units).div_ceil(per_second) }),
        }
    }

    /// How many keys have a bucket of their own now.
    #[must_use]
    pub fn tracked(&self) -> usize {
        self.buckets.len()
    }

    fn bucket(&mut self, key: KeyId, now_ms: u64) -> &mut Bucket {
        if self.buckets.len() >= self.keys_max && !self.buckets.contains_key(&key) {
            self.sweep(now_ms);
            if self.buckets.len() >= self.keys_max {
                return &mut self.shared;
            }
        }
        let full = Bucket { units: self.burst, filled_at_ms: now_ms };
        self.buckets.entry(key).or_insert(full)
    }

    fn sweep(&mut self, now_ms: u64) {
        if now_ms < self.swept_at_ms.saturating_add(SWEEP_EVERY_MS) {
            return;
        }
        self.swept_at_ms = now_ms;
        let (per_second, burst) = (self.per_second, self.burst);
        self.buckets.retain(|_, bucket| {
            bucket.fill(per_second, burst, now_ms);
            bucket.units < burst
        });
    }
}

impl Bucket {
    fn fill(&mut self, per_second: u64, burst: u64, now_ms: u64) {
        // A clock that steps back adds nothing, and the time it repeats is not paid twice.
        let elapsed_ms = now_ms.saturating_sub(self.filled_at_ms);
        self.units = self.units.saturating_add(elapsed_ms.saturating_mul(per_second)).min(burst);
        self.filled_at_ms = self.filled_at_ms.max(now_ms);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: KeyId = KeyId(1);
    const B: KeyId = KeyId(2);
    const C: KeyId = KeyId(3);

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut limit = RateLimit::new(10, 3, 8);
        for _ in 0..3 {
            limit.take(A, 1, 5_000).unwrap();
        }
        let wait = limit.take(A, 1, 5_000).unwrap_err();
        assert_eq!((wait.ms, wait.seconds()), (100, 1));
        limit.take(A, 1, 5_099).unwrap_err();
        limit.take(A, 1, 5_100).unwrap();
    }

    #[test]
    fn one_key_does_not_slow_another() {
        let mut limit = RateLimit::new(1, 1, 8);
        limit.take(A, 1, 0).unwrap();
        limit.take(A, 1, 0).unwrap_err();
        limit.take(B, 1, 0).unwrap();
    }

    #[test]
    fn a_cost_above_the_burst_passes_from_a_full_bucket() {
        let mut limit = RateLimit::new(1, 5, 8);
        limit.take(A, 1_000_000, 0).unwrap();
        assert_eq!(limit.take(A, 1_000_000, 0), Err(RetryAfter { ms: 5_000 }));
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut limit = RateLimit::new(1, 1, 8);
        limit.take(A, 1, 10_000).unwrap();
        limit.take(A, 1, 9_000).unwrap_err();
        limit.take(A, 1, 10_000).unwrap_err();
        limit.take(A, 1, 11_000).unwrap();
    }

    #[test]
    fn tracked_keys_are_bounded_and_the_rest_share_a_bucket() {
        let mut limit = RateLimit::new(1, 1, 1);
        limit.take(A, 1, 2_000).unwrap();
        limit.take(B, 1, 2_000).unwrap();
        limit.take(C, 1, 2_000).unwrap_err();
        assert_eq!(limit.tracked(), 1);
        // A's bucket is full again by now: it makes room.
        limit.take(C, 1, 3_000).unwrap();
        assert_eq!(limit.tracked(), 1);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate_allow(
            asks in proptest::collection::vec((0u64..3, 1u32..5, 0u64..400), 1..200)
        ) {
            let mut limit = RateLimit::new(7, 11, 2);
            let (mut now_ms, mut passed) = (0, [0u64; 3]);
            for (key, cost, wait_ms) in asks {
                now_ms += wait_ms;
                if limit.take(KeyId(key), cost, now_ms).is_ok()
                    && let Some(sum) = passed.get_mut(usize::try_from(key).unwrap())
                {
                    *sum += u64::from(cost);
                }
                prop_assert!(limit.tracked() <= 2);
            }
            // A key may have used the shared bucket as well as its own.
            let allowed = 2 * (11 + now_ms * 7 / 1_000 + 1);
            prop_assert!(passed.into_iter().all(|sum| sum <= allowed), "{passed:?} > {allowed}");
        }
    }
}
