//! Acknowledgement ids: which were given out on which channel.
//!
//! An id is given out in the answer that says the events are kept, so every id that was given is
//! true. All there is to remember is how many a channel has had. After a restart, and of a channel
//! that was forgotten, ids are unknown and answered `false`: the sender sends again, which loses nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::access::KeyId;

/// Channels remembered. A sender opens one for each of its connections; 200 bytes each.
pub const CHANNELS_MAX: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Acks {
    channels: Mutex<Channels>,
    most: usize,
}

#[derive(Debug, Default)]
struct Channels {
    /// Next id, and when the channel was used last.
    used: HashMap<(KeyId, Box<str>), (u64, u64)>,
    now: u64,
}

impl Default for Acks {
    fn default() -> Self {
        Self::new(CHANNELS_MAX)
    }
}

impl Acks {
    /// Remembers at most `most` channels; of more, those unused for longest are forgotten.
    pub fn new(most: usize) -> Self {
        Self { channels: Mutex::default(), most }
    }

    /// The next id of a channel.
    pub fn give(&self, key: KeyId, channel: &str) -> u64 {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.now += 1;
        let now = channels.now;
        let (next, used) = channels.used.entry((key, channel.into())).or_insert((0, now));
        let id = *next;
        (*next, *used) = (id + 1, now);
        if channels.used.len() > self.most {
            channels.forget_half();
        }
        id
    }

    /// Whether an id was given out on a channel.
    pub fn was_given(&self, key: KeyId, channel: &str, id: u64) -> bool {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        channels.used.get(&(key, channel.into())).is_some_and(|(next, _)| id < *next)
    }
}

impl Channels {
    /// Half at once, so that a flood of new channels does not look through all of them each time.
    fn forget_half(&mut self) {
        let mut times: Vec<u64> = self.used.values().map(|(_, used)| *used).collect();
        times.sort_unstable();
        if let Some(middle) = times.get(times.len() / 2).copied() {
            self.used.retain(|_, (_, used)| *used >= middle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_on_each_channel_of_each_key() {
        let acks = Acks::default();
        let given = [(1, "a"), (1, "a"), (1, "b"), (2, "a")].map(|(key, channel)| acks.give(KeyId(key), channel));
        assert_eq!(given, [0, 1, 0, 0]);
        assert!(acks.was_given(KeyId(1), "a", 1) && !acks.was_given(KeyId(1), "a", 2) && !acks.was_given(KeyId(2), "b", 0));
    }

    #[test]
    fn channels_past_the_limit_are_forgotten_the_unused_first() {
        let acks = Acks::new(10);
        for n in 0..100 {
            acks.give(KeyId(1), "busy");
            acks.give(KeyId(1), &format!("c{n}"));
        }
        assert!(acks.was_given(KeyId(1), "busy", 99) && acks.was_given(KeyId(1), "c99", 0) && !acks.was_given(KeyId(1), "c0", 0));
        assert!(acks.channels.lock().is_ok_and(|channels| channels.used.len() <= 10));
    }
}
