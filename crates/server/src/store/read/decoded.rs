//! Chunks of the newest entries, decoded: readers of them ask for the same again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::store::read::StoredEntry;

/// Bytes of the records in what is kept.
const BYTES_MAX: usize = 32 << 20;
/// Chunks kept: many are small.
const CHUNKS_MAX: usize = 4096;

/// Decoded chunks by their first index.
#[derive(Debug, Default)]
pub struct Decoded {
    chunks: BTreeMap<u64, Arc<Vec<StoredEntry>>>,
    bytes: usize,
}

fn bytes_of(entries: &[StoredEntry]) -> usize {
    entries.iter().map(|entry| entry.raw.len()).sum()
}

impl Decoded {
    /// The chunk that begins at `first`, if it is kept.
    pub fn get(&self, first: u64) -> Option<Arc<Vec<StoredEntry>>> {
        self.chunks.get(&first).cloned()
    }

    /// Keeps a chunk. Where there is not room for all, the oldest of the others go: files will soon have them. This
    /// one stays, however large and old: whoever walks through it asks for it again at the next step.
    pub fn keep(&mut self, first: u64, entries: Arc<Vec<StoredEntry>>) {
        self.bytes += bytes_of(&entries);
        if let Some(before) = self.chunks.insert(first, entries) {
            self.bytes -= bytes_of(&before);
        }
        while self.chunks.len() > CHUNKS_MAX || (self.bytes > BYTES_MAX && self.chunks.len() > 1) {
            let Some(oldest) = self.chunks.keys().copied().find(|other| *other != first) else { return };
            self.bytes -= self.chunks.remove(&oldest).map_or(0, |entries| bytes_of(&entries));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use bytes::Bytes;
    use evidence::leaf::{Kind, Leaf};

    use super::*;

    fn chunk(raw_bytes: usize) -> Arc<Vec<StoredEntry>> {
        let leaf = Leaf { kind: Kind::Event, source: 1, class: 1, received_at: 0, commitment: [0; 32] };
        let raw = Bytes::from(vec![b'x'; raw_bytes]);
        Arc::new(vec![StoredEntry {
            index: 0,
            leaf,
            salt: [0; 16],
            facts: Bytes::new(),
            people: Bytes::new(),
            raw,
            cuts: Vec::new().into(),
        }])
    }

    #[test]
    fn the_newest_chunks_are_kept_up_to_either_bound() {
        let mut decoded = Decoded::default();
        (0..=CHUNKS_MAX as u64).for_each(|first| decoded.keep(first, chunk(1)));
        assert!(decoded.get(0).is_none() && decoded.get(1).is_some());
        decoded.keep(9_999, chunk(BYTES_MAX - 1));
        assert_eq!((decoded.chunks.len(), decoded.bytes), (2, BYTES_MAX));
        decoded.keep(9_999, chunk(2));
        assert_eq!((decoded.chunks.len(), decoded.bytes), (2, 3), "the same chunk again counts once");
        decoded.keep(10_000, chunk(BYTES_MAX + 1));
        assert_eq!((decoded.chunks.len(), decoded.bytes), (1, BYTES_MAX + 1), "one that is too large stays alone");
    }

    #[test]
    fn an_old_chunk_stays_until_the_walk_has_left_it() {
        let mut decoded = Decoded::default();
        decoded.keep(9, chunk(BYTES_MAX - 1));
        decoded.keep(5, chunk(BYTES_MAX / 2));
        assert!(decoded.get(5).is_some() && decoded.get(9).is_none());
        decoded.keep(4, chunk(BYTES_MAX));
        assert!(decoded.get(4).is_some() && decoded.get(5).is_none());
        assert_eq!((decoded.chunks.len(), decoded.bytes), (1, BYTES_MAX));
    }
}
