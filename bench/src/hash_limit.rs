//! The hashes alone: what every event costs however it is stored. No log that commits to its
//! events as ours does can be faster than this.

use crate::batch::Batch;
use evidence::commitment::commit;
use evidence::cut::cut;
use evidence::leaf::{Kind, Leaf};
use std::time::{Duration, Instant};
use tlog::Frontier;

/// Part 0 and part 1 as the server writes them for an event that came over HTTP.
const FACTS: &[u8] = br#"{"cut":1,"door":"http","map":0,"source":"aws-prod","v":1}"#;
const PEOPLE: &[u8] = br#"{"key":"k_0123456789abcdef"}"#;
/// Events whose hashes go in one tree before the next begins: a sealed segment.
const SEGMENT_LEAVES: u64 = 65_536;

/// How much is hashed.
#[derive(Clone, Copy, Debug)]
pub enum Amount {
    /// As much as there is time for.
    For(Duration),
    /// So many events.
    Events(u64),
}

/// Cuts, commits and hashes the events of `batches` again and again on `threads` threads; returns
/// events a second over all of them.
///
/// An event costs its cut, its commitment, its leaf hash and its share of the nodes above it.
#[must_use]
pub fn events_per_second(batches: &[&Batch], threads: usize, amount: Amount) -> f64 {
    let events: Vec<&[u8]> = batches.iter().flat_map(|batch| batch.events()).collect();
    if events.is_empty() {
        return 0.0;
    }
    let start = Instant::now();
    let hashed: u64 = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads.max(1))
            .map(|lane| {
                let events = &events;
                let share = match amount {
                    Amount::For(_) => amount,
                    Amount::Events(all) => Amount::Events(all.div_ceil(threads.max(1) as u64)),
                };
                scope.spawn(move || hash_share(events, lane, share, start))
            })
            .collect();
        lanes.into_iter().map(|lane| lane.join().unwrap_or(0)).sum()
    });
    hashed as f64 / start.elapsed().as_secs_f64()
}

fn hash_share(events: &[&[u8]], lane: usize, amount: Amount, start: Instant) -> u64 {
    let mut tree = Frontier::new();
    let mut cuts = Vec::new();
    let mut salt = [0u8; 16];
    let mut done = 0u64;
    // Lanes begin apart, so that they do not share what is in the cache.
    let from = events.len() / 8 * lane % events.len();
    for event in events.iter().cycle().skip(from) {
        let over = match amount {
            Amount::For(duration) => done.is_multiple_of(1024) && start.elapsed() >= duration,
            Amount::Events(all) => done >= all,
        };
        if over {
            break;
        }
        done += 1;
        salt[..8].copy_from_slice(&done.to_be_bytes());
        cut(event, &mut cuts);
        let leaf =
            Leaf { kind: Kind::Event, source: 1, class: 1, received_at: done, commitment: commit(&salt, FACTS, PEOPLE, event, &cuts) };
        tree.push(leaf.hash());
        if done.is_multiple_of(SEGMENT_LEAVES) {
            std::hint::black_box(tree.root());
            tree = Frontier::new();
        }
    }
    std::hint::black_box(tree.root());
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudtrail::CloudTrail;

    #[test]
    fn a_share_is_hashed_by_count_and_by_time() {
        let batch = Batch::make(&mut CloudTrail::new(1), 100, |_| String::new());
        assert!(events_per_second(&[&batch], 2, Amount::Events(1_000)) > 0.0);
        assert!(events_per_second(&[&batch], 2, Amount::For(Duration::from_millis(20))) > 0.0);
    }
}
