//! Events made before the clock starts, whose ids are written over in place before each use: what
//! the generator does per event while it measures is to write 72 characters.

use crate::cloudtrail::{CloudTrail, Ids};
use std::ops::Range;

/// The numbers that unique ids are made from: never the same twice in one run.
#[derive(Debug, Default)]
pub struct Serials(u64);

impl Serials {
    /// Serials from `lane`'s own range, for generators that run beside each other.
    #[must_use]
    pub const fn of_lane(lane: u16) -> Self {
        Self((lane as u64) << 48)
    }

    const fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Events, one a line, behind room for a request's head.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    events: Vec<(Range<usize>, Ids)>,
}

impl Batch {
    /// Makes `count` events; `head` writes what stands before a body of the given length (the head
    /// of an HTTP request, or nothing).
    pub fn make(stream: &mut CloudTrail, count: usize, head: impl FnOnce(usize) -> String) -> Self {
        let mut body = Vec::with_capacity(count * 1100);
        let mut spans = Vec::with_capacity(count);
        for _ in 0..count {
            let start = body.len();
            let ids = stream.next_event(&mut body);
            spans.push((start..body.len(), ids));
            body.push(b'\n');
        }
        let mut bytes = head(body.len()).into_bytes();
        let shift = bytes.len();
        bytes.append(&mut body);
        let events = spans.into_iter().map(|(span, ids)| (span.start + shift..span.end + shift, ids)).collect();
        Self { bytes, events }
    }

    /// Gives every event ids that no event had before.
    pub fn renew(&mut self, serials: &mut Serials) {
        for (span, ids) in &self.events {
            if let Some(event) = self.bytes.get_mut(span.clone()) {
                ids.event.renew(event, serials.next());
                ids.request.renew(event, serials.next());
            }
        }
    }

    /// Head and body as they go over the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The events without their LF.
    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        self.events.iter().filter_map(|(span, _)| self.bytes.get(span.clone()))
    }

    /// How many events there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of the events alone, without LF: the raw bytes that the log keeps.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.events.iter().map(|(span, _)| span.len() as u64).sum()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn renewing_keeps_lengths_and_repeats_no_event() {
        let mut batch = Batch::make(&mut CloudTrail::new(7), 50, |length| format!("head of {length}\n"));
        let length = batch.bytes().len();
        let mut serials = Serials::default();
        let mut seen = HashSet::new();
        for _ in 0..20 {
            batch.renew(&mut serials);
            assert_eq!(batch.bytes().len(), length);
            for event in batch.events() {
                assert!(seen.insert(event.to_vec()));
                serde_json::from_slice::<serde_json::Value>(event).unwrap();
            }
        }
        assert_eq!(seen.len(), 1000);
        assert_eq!(batch.raw_bytes() + 50 + "head of 00000\n".len() as u64, length as u64);
    }
}
