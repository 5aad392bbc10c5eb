//! Reading a log from end to end without changing anything: the first half of opening it, and all
//! of verifying it.

use std::sync::Arc;

use super::block::{self, Block, Seal};
use super::error::{Damage, DamageKind, WalError};
use super::file::{Header, LogFile};
use super::folder::{Name, refused};
use super::reader::{LiveFiles, WalReader};
use super::{BLOCK_BYTES, FILE_BYTES_MAX, FILE_BYTES_MIN, FrameAt, TornTail};
use crate::store::media::{self, Media};

/// What a log's directory holds.
pub struct Scan {
    /// The log's files, oldest first.
    pub files: Vec<ScannedFile>,
    /// All whole frames, in order; of a damaged file those before the damage.
    pub frames: Vec<FrameAt>,
    /// The unfinished frame at the end.
    pub torn: Option<TornTail>,
    /// Everything that is neither whole nor an unfinished end, in order of the files.
    pub damage: Vec<Damage>,
    /// Files that are not part of the log.
    pub leftovers: Vec<Leftover>,
    /// The numbers of zeroed files kept for use again, with their lengths in bytes.
    pub(super) free: Vec<(u64, u64)>,
    pub(super) live: Arc<LiveFiles>,
}

impl Scan {
    /// Reads the frames that were found.
    pub fn reader(&self) -> WalReader {
        WalReader::new(Arc::clone(&self.live))
    }
}

/// One file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedFile {
    /// Sequence number, by its name.
    pub sequence: u64,
    /// Path relative to the medium's root.
    pub path: String,
    /// Length on the medium.
    pub bytes: u64,
    /// Whether nothing but zeros follows the header.
    pub is_empty: bool,
    /// The block after the last whole frame.
    pub end: u32,
    pub(super) header: Option<Header>,
}

/// A file that is not part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Path relative to the medium's root.
    pub path: String,
    /// What it is.
    pub kind: LeftoverKind,
    pub(super) name: Option<Name>,
}

/// What a leftover is, and so what becomes of it when the log is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A file that was being made; removed.
    Temporary,
    /// A released file, not yet zeroed; recycled.
    Stale,
    /// A free file that does not hold zeros only; zeroed again.
    FreeNotZero,
    /// A free file as long as no file of the log; zeroed again or removed.
    FreeLength,
    /// None of the log's names; left alone.
    Unknown,
}

/// Reads everything in the log's directory and changes nothing. `Err` only if the medium cannot be
/// read; whatever is wrong with what was read is in the [`Scan`].
pub fn scan(media: &dyn Media, dir: &str) -> Result<Scan, WalError> {
    let mut scan = Scan {
        files: Vec::new(),
        frames: Vec::new(),
        torn: None,
        damage: Vec::new(),
        leftovers: Vec::new(),
        free: Vec::new(),
        live: Arc::default(),
    };
    let mut torn = Vec::new();
    // Sorted names: ten digits put the log's files in the order of their numbers.
    for text in media.list(dir).map_err(|e| refused("list", dir, e))? {
        let path = media::join(dir, &text);
        let name = Name::parse(&text);
        let kind = match name {
            Some(Name::Log(sequence)) => {
                torn.extend(scan.log_file(media, sequence, path)?);
                continue;
            }
            Some(Name::Free(number)) => {
                let content = media.read(&path).map_err(|e| refused("read", &path, e))?;
                if block::is_zero(&content) {
                    scan.free.push((number, content.len() as u64));
                    continue;
                }
                LeftoverKind::FreeNotZero
            }
            Some(Name::Temporary(_)) => LeftoverKind::Temporary,
            Some(Name::Stale(_)) => LeftoverKind::Stale,
            None => LeftoverKind::Unknown,
        };
        scan.leftovers.push(Leftover { path, kind, name });
    }
    scan.settle_torn(torn);
    scan.find_gaps(dir);
    scan.misfit_free_files(dir);
    scan.damage.sort_by_key(|damage| (damage.file, damage.block));
    Ok(scan)
}

impl Scan {
    /// Adds a file of the log; answers with the unfinished frame it ends in.
    fn log_file(&mut self, media: &dyn Media, sequence: u64, path: String) -> Result<Option<TornTail>, WalError> {
        let unread = |e| refused("read", &path, e);
        let file = media.open_read(&path).map_err(unread)?;
        let bytes = file.len().map_err(unread)?;
        let mut found = ScannedFile { sequence, path: path.clone(), bytes, is_empty: false, end: 1, header: None };
        let mut damage = None;
        let mut torn = None;
        match read_header(&*file, bytes, sequence).map_err(unread)? {
            Err(kind) => damage = Some((0, kind)),
            Ok(header) => {
                let mut content = vec![0; usize::try_from(bytes).unwrap_or(0)];
                file.read_at(&mut content, 0).map_err(unread)?;
                let walk = Walk::new(Seal::new(&header.nonce), content.as_chunks::<BLOCK_BYTES>().0);
                let frames = walk.frames.iter().map(|(block, bytes)| FrameAt { file: sequence, block: *block, bytes: *bytes });
                self.frames.extend(frames);
                found.end = walk.end;
                found.is_empty = walk.end == 1 && walk.tail == Tail::Clean;
                found.header = Some(header);
                match walk.tail {
                    Tail::Clean => {}
                    Tail::Damaged(block, kind) => damage = Some((block, kind)),
                    Tail::Torn { end } => torn = Some(torn_tail(sequence, walk.end, end, &content)),
                }
                self.live.insert(LogFile::new(header, path.clone(), file));
            }
        }
        if let Some((block, kind)) = damage {
            self.damage.push(Damage { path, file: sequence, block, kind });
        }
        self.files.push(found);
        Ok(torn)
    }

    /// Only the last file that holds anything may end in an unfinished frame.
    fn settle_torn(&mut self, torn: Vec<TornTail>) {
        let last = self.files.iter().rev().find(|file| !file.is_empty).map(|file| file.sequence);
        for tail in torn {
            if Some(tail.file) == last {
                self.torn = Some(tail);
                continue;
            }
            let path = self.files.iter().find(|file| file.sequence == tail.file).map(|file| file.path.clone());
            let (path, block) = (path.unwrap_or_default(), tail.first_block);
            self.damage.push(Damage { path, file: tail.file, block, kind: DamageKind::Unfinished });
        }
    }

    fn find_gaps(&mut self, dir: &str) {
        for pair in self.files.windows(2) {
            let [older, newer] = pair else { continue };
            let missing = older.sequence.saturating_add(1);
            if newer.sequence != missing {
                let path = media::join(dir, &Name::Log(missing).to_string());
                self.damage.push(Damage { path, file: missing, block: 0, kind: DamageKind::Missing });
            }
        }
    }

    /// A free file is a former file of the log. Limits changed lately are the innocent reason for
    /// one of another length.
    fn misfit_free_files(&mut self, dir: &str) {
        let lengths: Vec<u64> = self.files.iter().filter_map(|file| Some(file.header?.file_bytes)).collect();
        for (number, bytes) in &self.free {
            if !lengths.contains(bytes) {
                let name = Name::Free(*number);
                let path = media::join(dir, &name.to_string());
                self.leftovers.push(Leftover { path, kind: LeftoverKind::FreeLength, name: Some(name) });
            }
        }
        let misfits = &self.leftovers;
        self.free.retain(|(number, _)| !misfits.iter().any(|leftover| leftover.name == Some(Name::Free(*number))));
    }
}

fn read_header(file: &dyn media::MediaFile, bytes: u64, sequence: u64) -> std::io::Result<Result<Header, DamageKind>> {
    if !(FILE_BYTES_MIN..=FILE_BYTES_MAX).contains(&bytes) {
        return Ok(Err(DamageKind::Length { expected: FILE_BYTES_MIN, found: bytes }));
    }
    let mut block: Block = [0; BLOCK_BYTES];
    file.read_at(&mut block, 0)?;
    Ok(Header::decode(&block).and_then(|header| {
        if header.sequence != sequence {
            return Err(DamageKind::Header);
        }
        if header.file_bytes != bytes {
            return Err(DamageKind::Length { expected: header.file_bytes, found: bytes });
        }
        Ok(header)
    }))
}

fn torn_tail(file: u64, first: u32, end: u32, content: &[u8]) -> TornTail {
    let offset = |block: u32| usize::try_from(block).unwrap_or(usize::MAX).saturating_mul(BLOCK_BYTES);
    let left = content.get(offset(first)..offset(end)).unwrap_or_default();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, left);
    let sha256 = digest.as_ref().try_into().unwrap_or_default();
    TornTail { file, first_block: first, bytes: left.len() as u64, sha256 }
}

/// How a file's blocks end.
#[derive(Debug, PartialEq, Eq)]
enum Tail {
    /// Zeros, or nothing.
    Clean,
    /// An unfinished frame; `end` is the block after the last that is not zero.
    Torn { end: u32 },
    /// The first block that should not be.
    Damaged(u32, DamageKind),
}

/// The frames of one file, as they follow each other.
struct Walk {
    /// First block and payload bytes of each whole frame.
    frames: Vec<(u32, u32)>,
    /// The block after the last of them.
    end: u32,
    tail: Tail,
}

/// One frame on the way.
enum Step {
    Whole { end: u32, bytes: u32 },
    End(Tail),
}

impl Walk {
    fn new(seal: Seal, blocks: &[Block]) -> Walk {
        let mut walk = Walk { frames: Vec::new(), end: 1, tail: Tail::Clean };
        loop {
            match step(seal, blocks, walk.end) {
                Step::Whole { end, bytes } => {
                    walk.frames.push((walk.end, bytes));
                    walk.end = end;
                }
                Step::End(tail) => {
                    walk.tail = tail;
                    return walk;
                }
            }
        }
    }
}

fn get(blocks: &[Block], from: u32) -> &[Block] {
    usize::try_from(from).ok().and_then(|from| blocks.get(from..)).unwrap_or_default()
}

fn step(seal: Seal, blocks: &[Block], at: u32) -> Step {
    let rest = get(blocks, at);
    let Some(first) = rest.first() else {
        return Step::End(Tail::Clean);
    };
    let Some(body) = seal.open(first, at, 0) else {
        return Step::End(without_beginning(seal, rest, at));
    };
    let wrong = Step::End(Tail::Damaged(at, DamageKind::FrameStart));
    let Some(bytes) = block::frame_length(body) else {
        return wrong;
    };
    let count = usize::try_from(bytes).map_or(usize::MAX, block::frame_blocks);
    let Some((frame, behind)) = rest.split_at_checked(count) else {
        return wrong;
    };
    let mut unfinished = None;
    let mut last = at;
    for (within, block) in (0_u32..).zip(frame) {
        let place = at.saturating_add(within);
        match seal.open(block, place, within) {
            // Looked at before zeros are: a valid block may happen to be all zero.
            Some(body) if block::is_zero(block::split_body(body, within, bytes).1) => last = place,
            Some(_) => return Step::End(Tail::Damaged(place, DamageKind::Padding)),
            None if block::is_zero(block) => unfinished = Some(place),
            None => return Step::End(Tail::Damaged(place, DamageKind::Block)),
        }
    }
    let end = at.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    if unfinished.is_none() {
        return Step::Whole { end, bytes };
    }
    match (end..).zip(behind).find(|(_, block)| !block::is_zero(*block)) {
        Some((place, _)) => Step::End(Tail::Damaged(place, DamageKind::BehindTheEnd)),
        None => Step::End(Tail::Torn { end: last.saturating_add(1) }),
    }
}

/// The tail of a file from a block on that begins no frame: zeros, or what is left of one frame
/// that would have begun there.
fn without_beginning(seal: Seal, rest: &[Block], at: u32) -> Tail {
    let mut end = None;
    for (within, block) in (0_u32..).zip(rest) {
        let place = at.saturating_add(within);
        if block::is_zero(block) {
            continue;
        }
        if within == 0 {
            return Tail::Damaged(place, DamageKind::Block);
        }
        if seal.open(block, place, within).is_none() {
            return Tail::Damaged(place, DamageKind::BehindTheEnd);
        }
        end = Some(place.saturating_add(1));
    }
    end.map_or(Tail::Clean, |end| Tail::Torn { end })
}

/// What nobody can write without the nonce and an intent, checked all the same.
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    const SEAL: [u8; 16] = [7; 16];

    /// Eight blocks: a header's place, a frame of two blocks, zeros.
    fn file_with_frame() -> Vec<Block> {
        let mut frame = Vec::new();
        Seal::new(&SEAL).encode(&mut frame, 1, 600, &[&[0xaa; 600]]).unwrap();
        let mut blocks = vec![[0; BLOCK_BYTES]; 8];
        blocks[1..3].copy_from_slice(frame.as_chunks().0);
        blocks
    }

    /// Changes a block and gives it a checksum that holds.
    fn forge(blocks: &mut [Block], at: u32, within: u32, change: impl FnOnce(&mut Block)) {
        let block = &mut blocks[at as usize];
        change(block);
        Seal::new(&SEAL).close(block, at, within);
    }

    fn tail(blocks: &[Block]) -> Tail {
        Walk::new(Seal::new(&SEAL), blocks).tail
    }

    #[test]
    fn forged_blocks_whose_checksums_hold_are_damage() {
        let whole = Walk::new(Seal::new(&SEAL), &file_with_frame());
        assert_eq!((whole.frames, whole.end, whole.tail), (vec![(1, 600)], 3, Tail::Clean));

        let mut padded = file_with_frame();
        forge(&mut padded, 2, 1, |block| block[511] = 1);
        assert_eq!(tail(&padded), Tail::Damaged(2, DamageKind::Padding));

        let mut nameless = file_with_frame();
        forge(&mut nameless, 1, 0, |block| block[4] = b'x');
        assert_eq!(tail(&nameless), Tail::Damaged(1, DamageKind::FrameStart));

        for length in [8 * 508, u32::MAX] {
            let mut endless = file_with_frame();
            forge(&mut endless, 1, 0, |block| block[8..12].copy_from_slice(&length.to_be_bytes()));
            assert_eq!(tail(&endless), Tail::Damaged(1, DamageKind::FrameStart), "{length}");
        }
    }

    #[test]
    fn a_frame_behind_an_unfinished_one_or_behind_zeros_is_damage() {
        let mut later = Vec::new();
        Seal::new(&SEAL).encode(&mut later, 3, 100, &[&[0xbb; 100]]).unwrap();
        let later: Block = later.try_into().unwrap();
        for missing in [1, 2] {
            let mut blocks = file_with_frame();
            blocks[3] = later;
            blocks[missing] = [0; BLOCK_BYTES];
            assert_eq!(tail(&blocks), Tail::Damaged(3, DamageKind::BehindTheEnd), "block {missing} missing");
            blocks[3] = [0; BLOCK_BYTES];
            assert_eq!(tail(&blocks), Tail::Torn { end: if missing == 1 { 3 } else { 2 } });
        }
        let mut blocks = vec![[0; BLOCK_BYTES]; 8];
        blocks[3] = later;
        assert_eq!(tail(&blocks), Tail::Damaged(3, DamageKind::BehindTheEnd));
    }
}
