//! A chunk: one group commit, what one fsync made durable.
//!
//! ```text
//! chunk  = "IDLC" | version u16 = 1 | trail len u8, name | first u64 | count u32
//!        | received_at u64 | previous root [32] | new root [32]
//!        | previous checkpoint len u32, note | writer nonce [16]
//!        | cursors u16, cursor… | blocks u32 | block… | SHA-256 of all before it [32]
//! cursor = name len u8, name | value len u32, value
//! block  = count u32 | raw_len u32 | stored_len u32 | codec u8 (0 none, 1 zstd) | stored bytes
//! ```
//! Integers are big-endian. A chunk never crosses a segment boundary. Chunk k + 1 carries
//! checkpoint k, so a chunk vouches for all that was promised before it.

use std::borrow::Cow;

use tlog::Hash;

use crate::log::cursors::Cursors;

/// Most bytes of one chunk's blocks: one fsync at 200 MB/s stays under 50 ms.
pub const CHUNK_BYTES_MAX: usize = 8 << 20;
/// Most decoded bytes of one block. A block is what one sender's batch becomes; a request larger
/// than this is cut into several blocks between events. An event has at most 1 MiB, so a block
/// closed after the event that fills it stays below this.
pub const BLOCK_BYTES_MAX: usize = 4 << 20;
/// Blocks shorter than this are stored as they are: zstd gains nothing on a lone event.
const COMPRESS_BYTES_MIN: usize = 4 << 10;
/// zstd 1: 0.5 µs an event, a fifth of the bytes to fsync.
const ZSTD_LEVEL: i32 = 1;

const MAGIC: [u8; 4] = *b"IDLC";
const VERSION: u16 = 1;

/// Entries encoded one after another, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Entries in it.
    pub count: u32,
    /// Bytes when decoded.
    pub raw_len: u32,
    codec: u8,
    stored: Vec<u8>,
}

impl Block {
    /// Stores `entries`, `count` of them encoded one after another, compressed when it pays.
    #[must_use]
    pub fn new(count: u32, entries: Vec<u8>) -> Self {
        let raw_len = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        if entries.len() >= COMPRESS_BYTES_MIN
            && let Ok(stored) = zstd::bulk::compress(&entries, ZSTD_LEVEL)
            && stored.len() < entries.len()
        {
            return Self { count, raw_len, codec: 1, stored };
        }
        Self { count, raw_len, codec: 0, stored: entries }
    }

    /// Bytes this block takes in a chunk.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        13 + self.stored.len()
    }

    /// The entries' bytes.
    ///
    /// # Errors
    /// When the stored bytes do not decode to the stated length.
    pub fn decode(&self) -> Result<Cow<'_, [u8]>, ChunkError> {
        match self.codec {
            0 => Ok(Cow::Borrowed(&self.stored)),
            _ => match zstd::bulk::decompress(&self.stored, self.raw_len as usize) {
                Ok(bytes) if bytes.len() == self.raw_len as usize => Ok(Cow::Owned(bytes)),
                _ => Err(ChunkError::Block),
            },
        }
    }
}

/// All of a chunk but its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// Trail name.
    pub trail: String,
    /// Index of the first entry.
    pub first: u64,
    /// Entries in the chunk, at least 1.
    pub count: u32,
    /// Receive time of all entries in it, ms since 1970 UTC.
    pub received_at: u64,
    /// Root of the tree of `first` leaves.
    pub previous_root: Hash,
    /// Root of the tree of `first + count` leaves.
    pub new_root: Hash,
    /// Signed note for size `first`; empty in the first chunk of a trail.
    pub previous_checkpoint: String,
    /// Drawn at random by each start of a writer: two writers can be told apart.
    pub writer: [u8; 16],
    /// All cursors, or none when the chunk says nothing of them.
    pub cursors: Cursors,
}

/// Why bytes are not a chunk of version 1.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ChunkError {
    /// Too short, too long, or a length that leads outside.
    #[error("chunk is cut off or has a length that leads outside")]
    Length,
    /// Another magic or version.
    #[error("chunk has another format or version than this program reads")]
    Format,
    /// SHA-256 at the end is not that of the bytes before it.
    #[error("chunk checksum does not match its bytes")]
    Checksum,
    /// Cursors that no writer of this format makes.
    #[error("the chunk's cursors are not in order, or more or longer than may be")]
    Cursors,
    /// A block does not decode.
    #[error("a block of the chunk does not decode")]
    Block,
}

/// A chunk as read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Header.
    pub header: ChunkHeader,
    /// Blocks in order.
    pub blocks: Vec<Block>,
}

impl ChunkHeader {
    /// The chunk's bytes, ready for one durable append.
    #[must_use]
    pub fn encode(&self, blocks: &[Block]) -> Vec<u8> {
        let size: usize = blocks.iter().map(Block::stored_bytes).sum();
        let mut out = Vec::with_capacity(size + 512);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        out.push(u8::try_from(self.trail.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.trail.as_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.received_at.to_be_bytes());
        out.extend_from_slice(&self.previous_root.0);
        out.extend_from_slice(&self.new_root.0);
        out.extend_from_slice(&count_u32(self.previous_checkpoint.len()).to_be_bytes());
        out.extend_from_slice(self.previous_checkpoint.as_bytes());
        out.extend_from_slice(&self.writer);
        self.cursors.encode(&mut out);
        out.extend_from_slice(&count_u32(blocks.len()).to_be_bytes());
        for block in blocks {
            out.extend_from_slice(&block.count.to_be_bytes());
            out.extend_from_slice(&block.raw_len.to_be_bytes());
            out.extend_from_slice(&count_u32(block.stored.len()).to_be_bytes());
            out.push(block.codec);
            out.extend_from_slice(&block.stored);
        }
        let checksum = tlog::sha256(&[&out]);
        out.extend_from_slice(&checksum);
        out
    }
}

fn count_u32(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Chunk {
    /// Reads a chunk; every length must fit exactly.
    ///
    /// # Errors
    /// [`ChunkError`]; an honest disk never yields one, frames below it are checksummed.
    pub fn decode(bytes: &[u8]) -> Result<Self, ChunkError> {
        let body_len = bytes.len().checked_sub(32).ok_or(ChunkError::Length)?;
        let (body, checksum) = bytes.split_at_checked(body_len).ok_or(ChunkError::Length)?;
        if tlog::sha256(&[body]) != checksum {
            return Err(ChunkError::Checksum);
        }
        let mut at = Reader(body);
        if at.array()? != MAGIC || u16::from_be_bytes(at.array()?) != VERSION {
            return Err(ChunkError::Format);
        }
        let [name_len] = at.array()?;
        let header = ChunkHeader {
            trail: at.text(name_len as usize)?,
            first: u64::from_be_bytes(at.array()?),
            count: at.u32()?,
            received_at: u64::from_be_bytes(at.array()?),
            previous_root: Hash(at.array()?),
            new_root: Hash(at.array()?),
            previous_checkpoint: {
                let len = at.u32()? as usize;
                at.text(len)?
            },
            writer: at.array()?,
            cursors: Cursors::decode(&mut at)?,
        };
        let count = at.u32()?;
        let mut blocks = Vec::new();
        for _ in 0..count {
            let (count, raw_len, stored_len) = (at.u32()?, at.u32()?, at.u32()?);
            let [codec] = at.array()?;
            // A decoded block is bounded before it is decoded: no length read from disk may
            // make this process allocate more.
            if codec > 1 || raw_len as usize > BLOCK_BYTES_MAX + (2 << 20) {
                return Err(ChunkError::Block);
            }
            let stored = at.bytes(stored_len as usize)?.to_vec();
            blocks.push(Block { count, raw_len, codec, stored });
        }
        let total = blocks.iter().map(|block| u64::from(block.count)).sum::<u64>();
        if !at.0.is_empty() || total != u64::from(header.count) || header.count == 0 {
            return Err(ChunkError::Length);
        }
        Ok(Self { header, blocks })
    }
}

/// What is left to read of a chunk.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8], ChunkError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(ChunkError::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ChunkError> {
        self.bytes(N)?.try_into().map_err(|_| ChunkError::Length)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ChunkError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn text(&mut self, count: usize) -> Result<String, ChunkError> {
        String::from_utf8(self.bytes(count)?.to_vec()).map_err(|_| ChunkError::Format)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::log::cursors::Cursor;
    use proptest::prelude::*;

    fn header() -> ChunkHeader {
        ChunkHeader {
            trail: "main".into(),
            first: 65_536,
            count: 3,
            received_at: 1_700_000_000_000,
            previous_root: Hash([1; 32]),
            new_root: Hash([2; 32]),
            previous_checkpoint: "origin\n1\nroot\n\n— origin sig\n".into(),
            writer: [3; 16],
            cursors: Cursors::default(),
        }
    }

    fn cursor(name: &str, value: &[u8]) -> Cursor {
        Cursor { name: name.into(), value: value.to_vec() }
    }

    fn blocks() -> Vec<Block> {
        vec![Block::new(1, b"short".to_vec()), Block::new(2, vec![b'a'; 10_000])]
    }

    #[test]
    fn a_chunk_comes_back_as_it_was_written() {
        let bytes = header().encode(&blocks());
        let chunk = Chunk::decode(&bytes).unwrap();
        assert_eq!(chunk.header, header());
        assert_eq!(chunk.blocks, blocks());
        assert_eq!(chunk.blocks[1].decode().unwrap().as_ref(), vec![b'a'; 10_000]);
        assert!(chunk.blocks[1].stored_bytes() < 200, "a long block is compressed");
    }

    #[test]
    fn cursors_come_back_and_have_golden_bytes() {
        let cursors = Cursors::default().moved(&[cursor("okta", b"p=2"), cursor("entra/users", b"")]).unwrap();
        let bytes = ChunkHeader { cursors: cursors.clone(), ..header() }.encode(&blocks());
        assert_eq!(Chunk::decode(&bytes).unwrap().header.cursors, cursors);
        let golden = b"\x03\x03\x03\0\x02\x0bentra/users\0\0\0\0\x04okta\0\0\0\x03p=2\0\0\0\x02";
        assert!(bytes.windows(golden.len()).any(|window| window == golden));
    }

    #[test]
    fn cursors_out_of_order_or_without_a_name_are_refused() {
        for cursors in [&b"\0\x02\x01b\0\0\0\0\x01a\0\0\0\0"[..], b"\0\x02\x01a\0\0\0\0\x01a\0\0\0\0", b"\0\x01\0\0\0\0\0"] {
            let mut bytes = ChunkHeader { trail: String::new(), previous_checkpoint: String::new(), ..header() }.encode(&blocks());
            let at = 4 + 2 + 1 + 8 + 4 + 8 + 32 + 32 + 4 + 16;
            bytes.truncate(bytes.len() - 32);
            bytes.splice(at..at + 2, cursors.iter().copied());
            let checksum = tlog::sha256(&[&bytes]);
            bytes.extend_from_slice(&checksum);
            assert_eq!(Chunk::decode(&bytes), Err(ChunkError::Cursors));
        }
    }

    #[test]
    fn a_chunk_with_any_byte_changed_or_cut_is_refused() {
        let bytes = header().encode(&blocks());
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 0x10;
            assert!(Chunk::decode(&altered).is_err(), "byte {at}");
            assert!(Chunk::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_with_a_right_checksum_are_read_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut chunk = MAGIC.to_vec();
            chunk.extend_from_slice(&VERSION.to_be_bytes());
            chunk.append(&mut bytes);
            let checksum = tlog::sha256(&[&chunk]);
            chunk.extend_from_slice(&checksum);
            let _ = Chunk::decode(&chunk);
        }
    }
}
