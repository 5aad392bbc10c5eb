//! Asks a thread to stop, and wakes it when it sleeps.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Shared between a thread and whoever stops it.
#[derive(Debug, Default)]
pub struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks it to stop.
    pub fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether it was asked.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for so long, or until it is asked to stop.
    pub fn wait(&self, at_most: Duration) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was asked is looked at by the caller.
        let _woken = self.changed.wait_timeout_while(asked, at_most, |asked| !*asked);
    }
}
