//! One log file: its header, and its frames on the medium.

use std::sync::Arc;

use super::block::{self, BODY_BYTES, Block, Seal};
use super::error::{Damage, DamageKind, WalError};
use super::folder::Folder;
use super::{BLOCK_BYTES, FILE_BYTES_MAX, FILE_BYTES_MIN, FrameAt};
use crate::log::planted::{Bug, planted};
use crate::store::media::MediaFile;

const MAGIC: [u8; 8] = *b"indelwal";
const VERSION: u32 = 1;

/// What the first block of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequence: u64,
    /// Random, new each time the file is used: blocks of an earlier use do not fit this one.
    pub(super) nonce: [u8; 16],
    pub(super) file_bytes: u64,
}

impl Header {
    pub(super) fn encode(&self) -> Block {
        let mut block = [0; BLOCK_BYTES];
        let fields: [&[u8]; 6] = [
            &[0; 4], // the checksum's place
            &MAGIC,
            &VERSION.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.nonce,
            &self.file_bytes.to_be_bytes(),
        ];
        block.iter_mut().zip(fields.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        Seal::new(&self.nonce).close(&mut block, 0, 0);
        block
    }

    pub(super) fn decode(block: &Block) -> Result<Header, DamageKind> {
        fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], DamageKind> {
            let (field, left) = rest.split_first_chunk().ok_or(DamageKind::Header)?;
            *rest = left;
            Ok(field)
        }
        let mut rest: &[u8] = block;
        let _checksum: &[u8; 4] = take(&mut rest)?;
        let magic: &[u8; 8] = take(&mut rest)?;
        let version = u32::from_be_bytes(*take(&mut rest)?);
        let sequence = u64::from_be_bytes(*take(&mut rest)?);
        let nonce: [u8; 16] = *take(&mut rest)?;
        let file_bytes = u64::from_be_bytes(*take(&mut rest)?);
        if *magic != MAGIC || Seal::new(&nonce).open(block, 0, 0).is_none() {
            return Err(DamageKind::Header);
        }
        if version != VERSION {
            return Err(DamageKind::Version(version));
        }
        let whole = file_bytes.is_multiple_of(BLOCK_BYTES as u64);
        if !whole || !(FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&file_bytes) || !block::is_zero(rest) {
            return Err(DamageKind::Header);
        }
        Ok(Header { sequence, nonce, file_bytes })
    }
}

/// An open log file.
pub(super) struct LogFile {
    header: Header,
    path: String,
    seal: Seal,
    file: Box<dyn MediaFile>,
}

impl LogFile {
    pub(super) fn new(header: Header, path: String, file: Box<dyn MediaFile>) -> Arc<LogFile> {
        Arc::new(LogFile { header, path, seal: Seal::new(&header.nonce), file })
    }

    pub(super) fn sequence(&self) -> u64 {
        self.header.sequence
    }

    fn blocks(&self) -> u32 {
        block::count_of(self.header.file_bytes)
    }

    /// Whether a frame of so many payload bytes that begins at `block` ends within the file.
    pub(super) fn holds(&self, block: u32, bytes: usize) -> bool {
        let end = u32::try_from(block::frame_blocks(bytes)).ok().and_then(|blocks| blocks.checked_add(block));
        end.is_some_and(|end| end <= self.blocks())
    }

    /// Lays a frame out in `buffer`; returns its blocks and its length as written.
    pub(super) fn encode(&self, buffer: &mut Vec<u8>, block: u32, bytes: usize, parts: &[&[u8]]) -> Result<(u32, u32), WalError> {
        let limit = block::frame_bytes_max(self.blocks());
        self.seal.encode(buffer, block, bytes, parts).ok_or(WalError::FrameTooLarge { bytes, limit })
    }

    /// One write and one sync. A failure of either stops the log: what is on the medium then is
    /// found out by opening it again, never by syncing again.
    pub(super) fn write_durably(&self, folder: &Folder, block: u32, bytes: &[u8]) -> Result<(), WalError> {
        folder.check_running()?;
        let offset = u64::from(block).saturating_mul(BLOCK_BYTES as u64);
        let synced = || if planted(Bug::AnswerBeforeSync) { Ok(()) } else { self.file.sync_data() };
        match self.file.write_at(bytes, offset).and_then(|()| synced()) {
            Err(_) if planted(Bug::IgnoreSyncError) => Ok(()),
            Err(e) => {
                folder.stop();
                Err(WalError::io("write", &self.path, e))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Reads a frame back and checks every block of it.
    pub(super) fn read_frame(&self, at: FrameAt) -> Result<Vec<u8>, WalError> {
        let damaged = |block, kind| WalError::Damaged(Damage { path: self.path.clone(), file: at.file, block, kind });
        let bytes = usize::try_from(at.bytes).map_err(|_| damaged(at.block, DamageKind::FrameStart))?;
        if at.block == 0 || !self.holds(at.block, bytes) {
            return Err(damaged(at.block, DamageKind::FrameStart));
        }
        let mut stored = vec![0; block::frame_blocks(bytes).saturating_mul(BLOCK_BYTES)];
        let offset = u64::from(at.block).saturating_mul(BLOCK_BYTES as u64);
        self.file.read_at(&mut stored, offset).map_err(|e| WalError::io("read", &self.path, e))?;
        let mut payload = Vec::with_capacity(bytes);
        for (within, block) in (0_u32..).zip(stored.as_chunks::<BLOCK_BYTES>().0) {
            let place = at.block.saturating_add(within);
            let body: &[u8; BODY_BYTES] = self.seal.open(block, place, within).ok_or_else(|| damaged(place, DamageKind::Block))?;
            if within == 0 && block::frame_length(body) != Some(at.bytes) {
                return Err(damaged(place, DamageKind::FrameStart));
            }
            let (content, padding) = block::split_body(body, within, at.bytes);
            if !block::is_zero(padding) {
                return Err(damaged(place, DamageKind::Padding));
            }
            payload.extend_from_slice(content);
        }
        Ok(payload)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    const NONCE: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The bytes were computed by a second implementation, bit by bit, from the format's description.
    #[test]
    fn the_header_is_these_bytes() {
        let header = Header { sequence: 7, nonce: NONCE, file_bytes: 2048 };
        let block = header.encode();
        assert_eq!(
            hex(&block[..52]),
            "f27d565d696e64656c77616c000000010000000000000007000102030405060708090a0b0c0d0e0f000000000000080000000000"
        );
        assert!(block::is_zero(&block[48..]));
        assert_eq!(Header::decode(&block), Ok(header));
    }

    #[test]
    fn a_frame_is_these_bytes() {
        let payload: Vec<u8> = (0..600_u32).map(|n| (n % 251) as u8).collect();
        let mut bytes = Vec::new();
        let sizes = Seal::new(&NONCE).encode(&mut bytes, 1, 600, &[&payload[..7], &payload[7..]]).unwrap();
        assert_eq!(sizes, (2, 600));
        assert_eq!(hex(&bytes[..16]), "1405642266726d310000025800010203");
        assert_eq!(hex(&bytes[512..520]), "636712bef9fa0001");
        assert_eq!(bytes[12..512], payload[..500]);
        assert_eq!(bytes[516..616], payload[500..]);
        assert!(block::is_zero(&bytes[616..]));
    }

    #[test]
    fn a_header_of_another_version_is_named_and_a_changed_one_refused() {
        let seal = Seal::new(&NONCE);
        let good = Header { sequence: 7, nonce: NONCE, file_bytes: 2048 }.encode();
        let mut later = good;
        later[15] = 2;
        seal.close(&mut later, 0, 0);
        assert_eq!(Header::decode(&later), Err(DamageKind::Version(2)));
        for at in 0..BLOCK_BYTES {
            let mut changed = good;
            changed[at] ^= 4;
            assert_eq!(Header::decode(&changed), Err(DamageKind::Header), "byte {at}");
        }
        for (at, value) in [(46, 9), (47, 1), (500, 1)] {
            let mut sealed = good;
            sealed[at] = value;
            seal.close(&mut sealed, 0, 0);
            assert_eq!(Header::decode(&sealed), Err(DamageKind::Header), "byte {at}");
        }
    }
}
