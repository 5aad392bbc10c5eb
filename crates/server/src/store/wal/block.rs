//! Blocks and frames as bytes: pure, no medium.

use super::BLOCK_BYTES;

/// Bytes of a block that its checksum covers.
pub(super) const BODY_BYTES: usize = 508;

/// Magic and length before a frame's payload.
const FRAME_HEADER_BYTES: usize = 8;
const FRAME_MAGIC: [u8; 4] = *b"frm1";

pub(super) type Block = [u8; BLOCK_BYTES];

/// How many blocks fit in so many bytes.
pub(super) fn count_of(bytes: u64) -> u32 {
    u32::try_from(bytes / BLOCK_BYTES as u64).unwrap_or(u32::MAX)
}

/// Payload bytes of the largest frame in a file of `blocks`, one of which is the header.
pub(super) fn frame_bytes_max(blocks: u32) -> usize {
    let frame_blocks = usize::try_from(blocks.saturating_sub(1)).unwrap_or(0);
    frame_blocks.saturating_mul(BODY_BYTES).saturating_sub(FRAME_HEADER_BYTES)
}

/// Blocks that a frame of so many payload bytes takes.
pub(super) fn frame_blocks(bytes: usize) -> usize {
    bytes.saturating_add(FRAME_HEADER_BYTES).div_ceil(BODY_BYTES)
}

/// The checksum of a file's generation, from which those of its blocks go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal(u32);

impl Seal {
    pub(super) fn new(nonce: &[u8; 16]) -> Seal {
        Seal(crc32c::crc32c(nonce))
    }

    fn checksum(self, block: u32, within: u32, body: &[u8; BODY_BYTES]) -> [u8; 4] {
        let place = (u64::from(block) << 32 | u64::from(within)).to_be_bytes();
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &place), body).to_be_bytes()
    }

    /// Puts the checksum of a filled block in front of it.
    pub(super) fn close(self, bytes: &mut Block, block: u32, within: u32) {
        let Some((crc, body)) = bytes.split_first_chunk_mut::<4>() else {
            return;
        };
        let Some(body) = body.as_array() else { return };
        *crc = self.checksum(block, within, body);
    }

    /// The body of a block, if it is what was written as block `block` of the file and block
    /// `within` of its frame.
    pub(super) fn open(self, bytes: &Block, block: u32, within: u32) -> Option<&[u8; BODY_BYTES]> {
        let (crc, body) = bytes.split_first_chunk::<4>()?;
        let body = body.as_array()?;
        (*crc == self.checksum(block, within, body)).then_some(body)
    }

    /// Lays out a frame of `bytes` payload bytes, which are `parts` end to end, to begin at `first`.
    /// Returns its blocks and its length as written.
    pub(super) fn encode(self, out: &mut Vec<u8>, first: u32, bytes: usize, parts: &[&[u8]]) -> Option<(u32, u32)> {
        let blocks = u32::try_from(frame_blocks(bytes)).ok()?;
        let length = u32::try_from(bytes).ok()?;
        out.resize(frame_blocks(bytes).checked_mul(BLOCK_BYTES)?, 0); // all of it is written below
        let mut payload = Gather { parts: parts.iter(), part: &[] };
        let (whole, _) = out.as_chunks_mut::<BLOCK_BYTES>();
        for (within, block) in (0_u32..).zip(whole) {
            let (_, mut body) = block.split_first_chunk_mut::<4>()?;
            if within == 0 {
                let (magic, rest) = body.split_first_chunk_mut::<4>()?;
                let (size, rest) = rest.split_first_chunk_mut::<4>()?;
                *magic = FRAME_MAGIC;
                *size = length.to_be_bytes();
                body = rest;
            }
            payload.fill(body);
            self.close(block, first.checked_add(within)?, within);
        }
        Some((blocks, length))
    }
}

/// Payload bytes of the frame that this body begins, if it begins one.
pub(super) fn frame_length(body: &[u8; BODY_BYTES]) -> Option<u32> {
    let (magic, rest) = body.split_first_chunk::<4>()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    (*magic == FRAME_MAGIC).then(|| u32::from_be_bytes(*length))
}

/// Of a frame's bodies, the bytes that hold payload: body `within` of a frame of `length`, split
/// into payload and padding.
pub(super) fn split_body(body: &[u8; BODY_BYTES], within: u32, length: u32) -> (&[u8], &[u8]) {
    let (start, before) = match usize::try_from(within) {
        Ok(0) => (FRAME_HEADER_BYTES, 0),
        Ok(n) => (0, n.saturating_mul(BODY_BYTES).saturating_sub(FRAME_HEADER_BYTES)),
        Err(_) => (0, usize::MAX),
    };
    let left = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(before);
    let room = body.get(start..).unwrap_or_default();
    room.split_at_checked(left).unwrap_or((room, &[]))
}

/// Whether every byte is zero.
pub(super) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<64>();
    words.iter().all(|word| word.iter().fold(0, |all, byte| all | byte) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// Reads parts end to end.
struct Gather<'a> {
    parts: std::slice::Iter<'a, &'a [u8]>,
    part: &'a [u8],
}

impl Gather<'_> {
    /// Fills `target`, with zeros once the parts are used up.
    fn fill(&mut self, mut target: &mut [u8]) {
        while !target.is_empty() {
            while self.part.is_empty() {
                match self.parts.next() {
                    Some(part) => self.part = part,
                    None => return target.fill(0),
                }
            }
            let n = target.len().min(self.part.len());
            let (now, later) = target.split_at_mut(n);
            let (taken, left) = self.part.split_at(n);
            now.copy_from_slice(taken);
            (target, self.part) = (later, left);
        }
    }
}
