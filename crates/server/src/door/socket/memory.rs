//! Memory that the connections of a door share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Counted in these, so that a few numbers are enough.
const UNIT_BYTES: usize = 4 << 10;

/// All of it.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Semaphore>);

/// One connection's share, given back when dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    held: Option<OwnedSemaphorePermit>,
}

impl Memory {
    /// That many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT_BYTES)))
    }

    /// Nothing of it yet.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { memory: self.clone(), held: None }
    }
}

impl Share {
    fn units(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Makes the share `bytes` large, waiting for others to give back. False: not within `patience`.
    pub async fn resize(&mut self, bytes: usize, patience: Duration) -> bool {
        let wanted = bytes.div_ceil(UNIT_BYTES);
        if wanted <= self.units() {
            if let Some(held) = &mut self.held {
                drop(held.split(held.num_permits() - wanted));
            }
            return true;
        }
        let more = u32::try_from(wanted - self.units()).unwrap_or(u32::MAX);
        let acquired = tokio::time::timeout(patience, Arc::clone(&self.memory.0).acquire_many_owned(more)).await;
        let Ok(Ok(more)) = acquired else { return false };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_waited_for_given_back_and_never_overdrawn() {
        let memory = Memory::new(10 * UNIT_BYTES);
        let (mut one, mut other) = (memory.share(), memory.share());
        assert!(one.resize(6 * UNIT_BYTES, Duration::ZERO).await);
        assert!(!other.resize(5 * UNIT_BYTES, Duration::from_millis(1)).await);
        assert!(one.resize(UNIT_BYTES, Duration::ZERO).await);
        assert!(other.resize(9 * UNIT_BYTES, Duration::ZERO).await);
        drop(other);
        assert!(one.resize(10 * UNIT_BYTES, Duration::ZERO).await);
    }
}
