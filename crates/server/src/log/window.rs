//! The id window: which ids the log has seen lately, so that a retry gets the same answer and one
//! entry results.
//!
//! An id is kept as a keyed hash, and so is the raw event behind it: the window outlives an erased
//! payload without holding anything of it. The window covers the last 24 h or 5 M ids, whichever
//! is less. It has one owner, the sequencer.
//!
//! Shape: a ring of 28-byte marks in log order and an open-addressed table of positions in it.
//! 5 M ids take 140 MB of ring and 64 MB of table at most; small trails take what they use.

use std::collections::VecDeque;

use aws_lc_rs::hmac;

/// Most ids kept. `5 M × 28 B` is what the memory budget of 400 MB at 10 M events leaves room for.
pub const WINDOW_IDS_MAX: usize = 5_000_000;
/// Longest an id is kept, in milliseconds: senders retry for hours, not days.
pub const WINDOW_AGE_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// Keyed hashes of an id and of the raw bytes it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMark {
    /// First 12 bytes of HMAC-SHA-256(namespace, source, id; each length-prefixed).
    pub id_mac: [u8; 12],
    /// First 8 bytes of HMAC-SHA-256(raw).
    pub raw_mac: [u8; 8],
}

/// Where an id came from: an `Idempotency-Key` answers 409 to other bytes, an id read from the
/// record never does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdOrigin {
    /// The sender's `Idempotency-Key` (and, in a batch, the position).
    Explicit,
    /// Read from the record; anybody may have written it.
    Record,
}

/// The key that turns ids into marks. Made once for each trail, kept in `keys/ids.key`.
#[derive(Clone)]
pub struct IdKey(hmac::Key);

impl std::fmt::Debug for IdKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdKey(…)")
    }
}

impl IdKey {
    /// Key from 32 secret bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The mark for an id and its raw bytes.
    #[must_use]
    pub fn mark(&self, origin: IdOrigin, source: u32, id: &[u8], raw: &[u8]) -> IdMark {
        let namespace: &[u8] = match origin {
            IdOrigin::Explicit => b"idempotency-key",
            IdOrigin::Record => b"record-id",
        };
        let mut context = hmac::Context::with_key(&self.0);
        for part in [namespace, &source.to_be_bytes(), id] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let id_mac = first_bytes(context.sign().as_ref());
        let raw_mac = first_bytes(hmac::sign(&self.0, raw).as_ref());
        IdMark { id_mac, raw_mac }
    }
}

fn first_bytes<const N: usize>(tag: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(tag) {
        *to = *from;
    }
    out
}

/// What the window says of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not in the window.
    Never,
    /// Kept with the same bytes at this index.
    Same(u64),
    /// Kept with other bytes; the earliest index in the window.
    Other(u64),
}

/// 28 bytes: the index is kept as bytes so that the ring has no padding.
#[derive(Clone, Copy)]
struct Mark {
    id: IdMark,
    index: [u8; 8],
}

impl Mark {
    fn index(&self) -> u64 {
        u64::from_be_bytes(self.index)
    }
}

/// The window itself.
pub struct IdWindow {
    ring: VecDeque<Mark>,
    /// Marks evicted since the numbering began: ring position = number of the mark − evicted.
    evicted: u64,
    /// Number of a mark + 1, truncated to 32 bits; 0 is empty. Open addressing, power of two.
    table: Vec<u32>,
    /// (index, received_at) marks, one a minute at most, to turn age into an index.
    times: VecDeque<(u64, u64)>,
}

impl std::fmt::Debug for IdWindow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdWindow").field("ids", &self.ring.len()).finish()
    }
}

impl Default for IdWindow {
    fn default() -> Self {
        Self { ring: VecDeque::new(), evicted: 0, table: vec![0; 1024], times: VecDeque::new() }
    }
}

impl IdWindow {
    /// Ids in the window.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    /// True when no id is in the window.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Index of the oldest id that the window still answers for.
    #[must_use]
    pub fn oldest_index(&self) -> Option<u64> {
        self.ring.front().map(Mark::index)
    }

    /// Looks an id up.
    #[must_use]
    pub fn seen(&self, id: &IdMark) -> Seen {
        let mut other: Option<u64> = None;
        for mark in self.probe(id) {
            if mark.id.raw_mac == id.raw_mac {
                return Seen::Same(mark.index());
            }
            other = Some(other.map_or(mark.index(), |earliest| earliest.min(mark.index())));
        }
        other.map_or(Seen::Never, Seen::Other)
    }

    /// Adds an id that stands at `index`, received at `received_at` (ms), and evicts what is too
    /// old or too many.
    pub fn insert(&mut self, id: IdMark, index: u64, received_at: u64) {
        if (self.ring.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        if self.times.back().is_none_or(|(_, at)| received_at >= at + 60_000) {
            self.times.push_back((index, received_at));
        }
        let number = self.evicted + self.ring.len() as u64;
        if self.ring.len() == self.ring.capacity() {
            // Grown by hand: doubling would hold room for 8 M ids to keep 5 M.
            self.ring.reserve_exact(self.ring.len().clamp(1024, 1 << 20));
        }
        self.ring.push_back(Mark { id, index: index.to_be_bytes() });
        self.place(&id, number);
        if self.ring.len() > WINDOW_IDS_MAX {
            self.evict();
        }
        self.expire(received_at);
    }

    /// Evicts ids received more than the window's age before `now` (ms).
    pub fn expire(&mut self, now: u64) {
        while let Some(&(_, next_at)) = self.times.get(1) {
            // All ids before the second time mark were received before it.
            if next_at + WINDOW_AGE_MAX_MS > now {
                break;
            }
            let Some(&(boundary, _)) = self.times.get(1) else { break };
            self.times.pop_front();
            while self.ring.front().is_some_and(|mark| mark.index() < boundary) {
                self.evict();
            }
        }
    }

    fn slot(&self, id: &IdMark) -> usize {
        // The MAC is already uniform: its first bytes are the hash.
        let [a, b, c, d, ..] = id.id_mac;
        u32::from_be_bytes([a, b, c, d]) as usize & (self.table.len() - 1)
    }

    fn mark_at(&self, stored: u32) -> Option<&Mark> {
        // Numbers are stored modulo 2^32; the ring is far shorter, so the distance is exact.
        let position = stored.wrapping_sub(1).wrapping_sub(self.evicted as u32);
        self.ring.get(position as usize)
    }

    fn probe<'a>(&'a self, id: &'a IdMark) -> impl Iterator<Item = &'a Mark> {
        let (start, mask) = (self.slot(id), self.table.len() - 1);
        (0..self.table.len())
            .map(move |step| self.table.get((start + step) & mask).copied().unwrap_or(0))
            .take_while(|stored| *stored != 0)
            .filter_map(|stored| self.mark_at(stored))
            .filter(move |mark| mark.id.id_mac == id.id_mac)
    }

    fn place(&mut self, id: &IdMark, number: u64) {
        let (mut at, mask) = (self.slot(id), self.table.len() - 1);
        loop {
            match self.table.get_mut(at) {
                Some(slot) if *slot == 0 => {
                    *slot = stored_number(number);
                    return;
                }
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        self.rebuild(self.table.len() * 2);
    }

    fn rebuild(&mut self, slots: usize) {
        self.table = vec![0; slots];
        self.evicted = 0;
        let marks: Vec<_> = self.ring.iter().map(|mark| mark.id).collect();
        for (number, id) in (self.evicted..).zip(marks) {
            self.place(&id, number);
        }
    }

    /// Removes the oldest mark and closes the gap it leaves (backward-shift deletion).
    fn evict(&mut self) {
        let Some(oldest) = self.ring.front().copied() else { return };
        let mask = self.table.len() - 1;
        let target = stored_number(self.evicted);
        let mut hole = self.slot(&oldest.id);
        while self.table.get(hole).is_some_and(|stored| *stored != target) {
            hole = (hole + 1) & mask;
        }
        let mut next = (hole + 1) & mask;
        while let Some(stored) = self.table.get(next).copied().filter(|stored| *stored != 0) {
            let home = self.mark_at(stored).map_or(next, |mark| self.slot(&mark.id));
            // The entry may move into the hole only when its home does not lie behind the hole.
            if next.wrapping_sub(home) & mask >= next.wrapping_sub(hole) & mask {
                self.set(hole, stored);
                hole = next;
            }
            next = (next + 1) & mask;
        }
        self.set(hole, 0);
        self.ring.pop_front();
        self.evicted += 1;
        if self.evicted == NUMBERS_MAX {
            self.rebuild(self.table.len());
        }
    }

    fn set(&mut self, at: usize, stored: u32) {
        if let Some(slot) = self.table.get_mut(at) {
            *slot = stored;
        }
    }
}

/// Evictions after which marks are numbered anew: numbers + 1 stay inside 32 bits and never are 0.
const NUMBERS_MAX: u64 = 1 << 31;

/// How a mark's number stands in the table, where 0 is an empty slot.
fn stored_number(number: u64) -> u32 {
    (number as u32).wrapping_add(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use proptest::prelude::*;

    fn mark(id: u32, raw: u8) -> IdMark {
        let key = IdKey::new(&[7; 32]);
        key.mark(IdOrigin::Record, 1, &id.to_be_bytes(), &[raw])
    }

    #[test]
    fn the_same_bytes_are_the_same_and_other_bytes_name_the_earliest() {
        let mut window = IdWindow::default();
        window.insert(mark(1, 1), 10, 0);
        window.insert(mark(1, 2), 20, 0);
        assert_eq!(window.seen(&mark(1, 2)), Seen::Same(20));
        assert_eq!(window.seen(&mark(1, 3)), Seen::Other(10));
        assert_eq!(window.seen(&mark(2, 1)), Seen::Never);
    }

    #[test]
    fn an_id_is_forgotten_after_a_day() {
        let mut window = IdWindow::default();
        window.insert(mark(1, 1), 0, 0);
        window.insert(mark(2, 1), 1, 120_000);
        window.insert(mark(3, 1), 2, WINDOW_AGE_MAX_MS + 130_000);
        assert_eq!(window.seen(&mark(1, 1)), Seen::Never);
        assert_eq!(window.seen(&mark(3, 1)), Seen::Same(2));
    }

    #[test]
    fn namespaces_and_sources_do_not_meet() {
        let key = IdKey::new(&[7; 32]);
        let explicit = key.mark(IdOrigin::Explicit, 1, b"a", b"x");
        assert_ne!(explicit, key.mark(IdOrigin::Record, 1, b"a", b"x"));
        assert_ne!(explicit, key.mark(IdOrigin::Explicit, 2, b"a", b"x"));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_list(ids in prop::collection::vec(0_u32..60, 1..400)) {
            let mut window = IdWindow::default();
            let mut list: Vec<(u32, u64)> = Vec::new();
            for (index, id) in ids.iter().enumerate() {
                let expected = list.iter().find(|(known, _)| known == id).map_or(Seen::Never, |(_, at)| Seen::Same(*at));
                prop_assert_eq!(window.seen(&mark(*id, 0)), expected);
                if expected == Seen::Never {
                    window.insert(mark(*id, 0), index as u64, 0);
                    list.push((*id, index as u64));
                }
                if list.len() > 20 {
                    window.evict();
                    list.remove(0);
                }
            }
        }
    }
}
