//! SHA-256 over blocks assembled on the stack.
//!
//! A commitment hashes some thirty short messages. The streaming interface of `sha2` spends as long
//! on its buffers as on the compression function; here a message is laid down whole, padding
//! included, and compressed in one call.

use sha2::block_api::compress256;

/// FIPS 180-4 §5.3.3.
const INITIAL: [u32; 8] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Blocks kept before they are compressed: a message of up to 1,015 bytes takes one call.
const BLOCKS: usize = 16;
const BUFFER_BYTES: usize = BLOCKS * 64;

/// A running SHA-256. `finish` leaves it spent; `reset` makes it new without clearing the buffer.
pub(crate) struct BlockHash {
    state: [u32; 8],
    blocks: [[u8; 64]; BLOCKS],
    /// Bytes of `blocks` in use; less than `BUFFER_BYTES` between calls.
    used: usize,
    /// Bytes already compressed.
    compressed: u64,
}

impl BlockHash {
    #[inline]
    pub(crate) fn new() -> Self {
        BlockHash { state: INITIAL, blocks: [[0; 64]; BLOCKS], used: 0, compressed: 0 }
    }

    #[inline]
    pub(crate) fn reset(&mut self) {
        self.state = INITIAL;
        self.used = 0;
        self.compressed = 0;
    }

    #[inline]
    pub(crate) fn write(&mut self, mut bytes: &[u8]) {
        loop {
            let free = self.blocks.as_flattened_mut().get_mut(self.used..).unwrap_or_default();
            if let Some(place) = free.get_mut(..bytes.len())
                && bytes.len() < BUFFER_BYTES - self.used
            {
                place.copy_from_slice(bytes);
                self.used += bytes.len();
                return;
            }
            let (now, later) = bytes.split_at_checked(free.len()).unwrap_or((bytes, &[]));
            free.copy_from_slice(now);
            bytes = later;
            compress256(&mut self.state, &self.blocks);
            self.compressed += BUFFER_BYTES as u64;
            self.used = 0;
        }
    }

    #[inline]
    pub(crate) fn finish(&mut self) -> [u8; 32] {
        let bits = (self.compressed + self.used as u64) * 8;
        // 0x80, zeros, and the length in bits as the last eight bytes of a block.
        let count = (self.used + 9).div_ceil(64);
        if let Some(rest) = self.blocks.as_flattened_mut().get_mut(self.used..) {
            pad(rest, count * 64 - self.used, bits);
        }
        match self.blocks.get(..count) {
            Some(blocks) => compress256(&mut self.state, blocks),
            None => {
                // The length did not fit behind a nearly full buffer: one block more.
                compress256(&mut self.state, &self.blocks);
                let mut last = [0; 64];
                if self.used == BUFFER_BYTES {
                    last[0] = 0x80;
                }
                put_length(&mut last, bits);
                compress256(&mut self.state, &[last]);
            }
        }
        digest_of(&self.state)
    }
}

/// Writes the padding to the first `length` bytes of `rest`, or as much as there is room for.
#[inline]
fn pad(rest: &mut [u8], length: usize, bits: u64) {
    let fits = length <= rest.len();
    let padding = if fits { rest.split_at_mut(length).0 } else { rest };
    padding.fill(0);
    if let [first, ..] = padding {
        *first = 0x80;
    }
    if fits {
        put_length(padding, bits);
    }
}

#[inline]
fn put_length(padded: &mut [u8], bits: u64) {
    if let Some(end) = padded.last_chunk_mut() {
        *end = bits.to_be_bytes();
    }
}

/// The hash of a message that was padded to one block by its writer.
#[inline]
pub(crate) fn hash_of_block(block: &[u8; 64]) -> [u8; 32] {
    let mut state = INITIAL;
    compress256(&mut state, std::slice::from_ref(block));
    digest_of(&state)
}

#[inline]
fn digest_of(state: &[u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_length_hashes_as_sha256_does_whole_and_in_two_writes() {
        let message: Vec<u8> = (0..2_300u32).map(|i| (i * 7 + i / 256) as u8).collect();
        let mut hash = BlockHash::new();
        for length in 0..message.len() {
            let expected: [u8; 32] = Sha256::digest(&message[..length]).into();
            hash.reset();
            hash.write(&message[..length]);
            assert_eq!(hash.finish(), expected, "{length} bytes at once");
            hash.reset();
            hash.write(&message[..length / 3]);
            hash.write(&message[length / 3..length]);
            assert_eq!(hash.finish(), expected, "{length} bytes in two");
        }
    }
}
