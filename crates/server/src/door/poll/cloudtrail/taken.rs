//! Files that this process took of a stream lately, with their hashes for the digest to come.

use std::collections::BTreeMap;

/// How long behind the listing window hashes are kept, ms: a digest comes up to an hour after the
/// end of the hour that it names.
pub const KEPT_MS: u64 = 3 * 3_600_000;

/// By name; names sort by time.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    files: BTreeMap<String, [u8; 32]>,
}

/// Most files remembered of a stream: four hours of the busiest, at a file every two seconds. What
/// is forgotten is read again and dropped by its ids.
const FILES_MAX: usize = 8_192;

impl Taken {
    /// SHA-256 of a file's decompressed bytes, if it was taken; zeros when it did not decompress.
    #[must_use]
    pub fn hash(&self, key: &str) -> Option<[u8; 32]> {
        self.files.get(key).copied()
    }

    /// A file was taken.
    pub fn insert(&mut self, key: String, sha256: [u8; 32]) {
        self.files.insert(key, sha256);
        while self.files.len() > FILES_MAX {
            self.files.pop_first();
        }
    }

    /// Forgets files before a name.
    pub fn forget_before(&mut self, key: &str) {
        self.files = self.files.split_off(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_are_forgotten_past_the_limit() {
        let mut taken = Taken::default();
        for number in 0..=FILES_MAX {
            taken.insert(format!("{number:08}"), [1; 32]);
        }
        assert_eq!((taken.hash("00000000"), taken.hash("00000001")), (None, Some([1; 32])));
        taken.forget_before("00000005");
        assert_eq!((taken.hash("00000004"), taken.hash("00000005")), (None, Some([1; 32])));
    }
}
