//! Seeded events in the shape of AWS CloudTrail, about 1 KB each: the bytes every figure is
//! measured on.
//!
//! They are meant to compress like the real thing, neither better nor worse: interleaved sessions
//! of a few hundred users over a dozen accounts, with the entropy where CloudTrail has it (event
//! and request ids, session key ids, resource ids, host ids of S3) and the repetition where
//! CloudTrail has it (identities, user agents, cipher suites). A test holds the ratio in the range
//! of the public captures.

mod actions;
mod ids;
mod names;
mod session;
mod writer;

pub use ids::{IdForm, IdSlot, Ids};

use crate::seeded::Seeded;
use actions::{ACTIONS, Action};
use session::Session;
use writer::Writer;

const ACCOUNTS: u64 = 12;
const PEOPLE: u64 = 400;
const ROLES: u64 = 90;
const BUCKETS: u64 = 300;
const FUNCTIONS: u64 = 150;
const FLEET: u64 = 4_000;
const KMS_KEYS: u64 = 80;
/// Sessions alive at once: events of different users lie between one user's own.
const SESSIONS: u64 = 240;
/// How often the next event belongs to the session of the one before.
const SAME_SESSION_PERCENT: u64 = 50;
/// 2026-03-02T08:00:00Z.
const BEGIN_S: u64 = 1_772_438_400;
/// Mean time between events: about 40 a second, a company of a few thousand people.
const STEP_MS: u64 = 50;

/// The stream of events of one seed; it never ends.
pub struct CloudTrail {
    random: Seeded,
    sessions: Vec<Session>,
    slot: usize,
    now_ms: u64,
    weights: u64,
}

impl CloudTrail {
    /// Begins the stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Seeded::new(seed);
        let now_ms = BEGIN_S * 1000;
        let sessions = (0..SESSIONS).map(|_| Session::open(&mut random, now_ms)).collect();
        let weights = ACTIONS.iter().map(|action| u64::from(action.weight)).sum();
        Self { random, sessions, slot: 0, now_ms, weights }
    }

    /// Appends the next event, one line without its LF, to `out`.
    pub fn next_event(&mut self, out: &mut Vec<u8>) -> Ids {
        self.now_ms += self.random.below(2 * STEP_MS);
        // Calls come in bursts: a console page or a plan of Terraform makes dozens at once.
        if !self.random.chance(SAME_SESSION_PERCENT) {
            self.slot = usize::try_from(self.random.zipf(SESSIONS)).unwrap_or(0);
        }
        let slot = self.slot;
        if self.sessions.get(slot).is_none_or(|session| session.events_left == 0) {
            let fresh = Session::open(&mut self.random, self.now_ms);
            if let Some(place) = self.sessions.get_mut(slot) {
                *place = fresh;
            }
        }
        let action = self.action();
        let Self { random, sessions, now_ms, .. } = self;
        let Some(session) = sessions.get_mut(slot) else { unreachable!("the slot is below the number of sessions") };
        session.events_left -= 1;
        Writer { random, session, now_ms: *now_ms, out }.event(action)
    }

    fn action(&mut self) -> &'static Action {
        let mut ticket = self.random.below(self.weights);
        for action in ACTIONS {
            let weight = u64::from(action.weight);
            if ticket < weight {
                return action;
            }
            ticket -= weight;
        }
        unreachable!("the ticket is below the sum of the weights")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn lines(count: usize) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
        let mut stream = CloudTrail::new(1);
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let start = bytes.len();
            stream.next_event(&mut bytes);
            spans.push(start..bytes.len());
            bytes.push(b'\n');
        }
        (bytes, spans)
    }

    #[test]
    fn every_event_is_one_json_object_of_about_nineteen_members() {
        let (bytes, spans) = lines(5_000);
        let (mut members, mut nested) = (0, 0);
        for span in &spans {
            let value: serde_json::Value = serde_json::from_slice(&bytes[span.clone()])
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes[span.clone()])));
            members += value.as_object().unwrap().len();
            nested += usize::from(value["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"].is_string());
        }
        assert!(nested > spans.len() / 6, "{nested} with a session's issuer");
        let mean = members as f64 / spans.len() as f64;
        assert!((17.0..=21.0).contains(&mean), "{mean} members");
    }

    #[test]
    fn the_mean_event_is_a_kilobyte() {
        let (bytes, spans) = lines(64_000);
        let mean = bytes.len() as f64 / spans.len() as f64 - 1.0;
        println!("mean {mean:.0} bytes");
        assert!((900.0..=1_100.0).contains(&mean), "{mean} bytes");
    }

    #[test]
    fn events_compress_like_the_public_captures() {
        let (bytes, _) = lines(64_000);
        let packed: usize = bytes.chunks(65_536).map(|page| zstd::bulk::compress(page, 1).unwrap().len()).sum();
        let ratio = packed as f64 / bytes.len() as f64;
        println!("zstd-1 in 64 KiB pages: {ratio:.3}");
        // The public captures in such pages: 0.114 (816 events of a few users), 0.163 (175 of many
        // rules' tests), 0.205 (30 events).
        assert!((0.11..=0.21).contains(&ratio), "{ratio}");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(lines(500).0, lines(500).0);
    }

    #[test]
    fn renewed_ids_are_unique_and_stand_where_they_stood() {
        let mut stream = CloudTrail::new(3);
        let mut seen = HashSet::new();
        for serial in 0..2_000u64 {
            let mut event = Vec::new();
            let ids = stream.next_event(&mut event);
            ids.event.renew(&mut event, 2 * serial);
            ids.request.renew(&mut event, 2 * serial + 1);
            let value: serde_json::Value = serde_json::from_slice(&event).unwrap();
            assert!(seen.insert(value["eventID"].as_str().unwrap().to_owned()));
            assert!(seen.insert(value["requestID"].as_str().unwrap().to_owned()));
            assert_eq!(value["eventID"].as_str().unwrap().len(), 36);
        }
    }
}
