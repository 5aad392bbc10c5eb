//! What is known of the texts of a payload file without reading it: a small derived file beside the trail.
//!
//! ```text
//! "indelible-search" | length u32 LE | header, JSON | CRC-32C u32 LE | zeros to 4096
//! page = 507 masks u64 LE | zeros | stamp u64 LE | CRC-32C u32 LE     as many as the header says
//! ```
//! The entries are cut into at most 64 blocks of neighbours, and each block has a Bloom filter of the
//! hashes of all its values and words. The filters lie bit by bit side by side: mask `n` holds bit `n` of
//! all of them. So a question reads one page, and the masks of its eight bits, one AND the other, are the
//! blocks that may hold the value.
//!
//! INVARIANT: it only ever rules out. A hit is confirmed on the payload, and a file that is missing,
//! of another payload file, of other maps or damaged rules nothing out and is made again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use evidence::act::PayloadFile;
use serde::{Deserialize, Serialize};

use crate::search::document::Document;
use crate::search::keys::{ByItself, Filing, each_key, is_filed, value_key, word_key};
use crate::search::rows::Rows;
use crate::search::spelling::Spellings;

const MAGIC: &[u8; 16] = b"indelible-search";
/// Version of what is put in: goes up when a field gets other values.
const VERSION: u32 = 2;
const PAGE_BYTES: usize = 4096;
const MASK_BYTES: usize = 8;
const PAGE_MASKS: u64 = 507;
const STAMP_AT: usize = PAGE_BYTES - 12;
const CRC_AT: usize = PAGE_BYTES - 4;
/// Blocks of a file: the bits of a mask.
const BLOCKS_MAX: u64 = 64;
/// Entries of a block at least: what is read for one that is found.
const BLOCK_ENTRIES_MIN: u64 = 16;
/// Masks for each value of the fullest block: of a log of twenty million entries in files of 65,536, about
/// two blocks are read for nothing.
const MASKS_A_KEY: usize = 24;
/// Values and words remembered while a file is made, each once a block: 32 MB, and twice that of the block that is being
/// filled. Beyond, the filter says of everything that it may be anywhere.
const KEYS_MAX: usize = 4_000_000;
/// Bytes of the pages at most, beside half of the payload file: of ordinary events they take a quarter of it. Where one block
/// has words beyond measure, it is said of more words that it may have them.
const PAGES_BYTES_MIN: u64 = 4 << 20;
/// Bytes of a header: sources and kinds of one segment.
const HEADER_BYTES_MAX: usize = 4 << 20;
/// One bit each, as in Parquet's split-block Bloom filter.
const SALTS: [u32; 8] = [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// What a payload file holds, in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    version: u32,
    /// SHA-256 of the payload file, in hex.
    file: String,
    /// Of the maps that gave the values.
    maps: String,
    /// Numbers of the sources in it, with the kinds they had then.
    pub sources: BTreeMap<u32, String>,
    /// Event, act, record: the leaf's bytes.
    pub entries: BTreeSet<u8>,
    /// First and last time of its entries, ms.
    pub times: Option<(i64, i64)>,
    /// First and last time of receipt, ms.
    pub received: Option<(i64, i64)>,
    /// Pages of the filter; none when there were too many values.
    pages: u64,
    /// Hash of the pages, which stands in each: header and pages of two makings never go together.
    stamp: u64,
}

/// The blocks of a range: `width` entries each, the last one fewer.
fn width(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start).div_ceil(BLOCKS_MAX).max(BLOCK_ENTRIES_MIN)
}

/// Hashes, which need not be hashed again.
type Keys = HashSet<u64, ByItself>;

/// Gathers what a payload file holds.
#[derive(Debug)]
pub struct Gathered {
    header: Header,
    first: u64,
    width: u64,
    /// The block that is being filled, and what it holds.
    block: u64,
    keys: Keys,
    filing: Filing,
    /// What the blocks before it hold, one block after another.
    filed: Vec<u64>,
    /// Those blocks, and how much of `filed` each has.
    blocks: Vec<(u8, usize)>,
    fullest: usize,
    too_many: bool,
}

impl Gathered {
    /// Begins with nothing.
    #[must_use]
    pub fn new(of: &PayloadFile) -> Self {
        let width = width(&(of.first..of.end()));
        Self {
            header: Header::default(),
            first: of.first,
            width,
            block: 0,
            keys: Keys::default(),
            filing: Filing::begin(),
            filed: Vec::new(),
            blocks: Vec::new(),
            fullest: 0,
            too_many: false,
        }
    }

    fn end_block(&mut self) {
        self.fullest = self.fullest.max(self.keys.len());
        self.blocks.push((u8::try_from(self.block).unwrap_or(u8::MAX), self.keys.len()));
        self.filed.extend(self.keys.drain());
        self.filing = Filing::begin();
    }

    /// Remembers no more than there is room for.
    fn give_up_beyond_bounds(&mut self) {
        if self.filed.len() + self.keys.len() > KEYS_MAX {
            self.too_many = true;
            (self.filed, self.blocks, self.keys) = (Vec::new(), Vec::new(), Keys::default());
        }
    }

    /// Takes in the next entry.
    pub(super) fn add(&mut self, document: &Document<'_>, kind: &str, spellings: &mut Spellings) {
        let source = document.source();
        let widened = |span: Option<(i64, i64)>, ms: i64| Some(span.map_or((ms, ms), |(from, to)| (from.min(ms), to.max(ms))));
        self.header.times = widened(self.header.times, document.time_ms());
        self.header.received = widened(self.header.received, document.received_ms());
        self.header.entries.insert(document.kind().byte());
        self.header.sources.entry(source).or_insert_with(|| kind.to_owned());
        if self.too_many {
            return;
        }
        let block = document.index().saturating_sub(self.first) / self.width;
        if block != self.block {
            self.end_block();
            self.block = block;
        }
        each_key(document, spellings, self.filing, &mut |key| {
            self.keys.insert(key);
        });
        self.give_up_beyond_bounds();
    }

    /// The file's bytes: what stands before its pages, and the pages.
    fn encode(mut self, of: &PayloadFile, maps: &str) -> io::Result<[Vec<u8>; 2]> {
        self.end_block();
        let masks = if self.too_many { 0 } else { (self.fullest * MASKS_A_KEY).max(1) };
        let count = (masks as u64).div_ceil(PAGE_MASKS).min((of.bytes / 2).max(PAGES_BYTES_MIN) / PAGE_BYTES as u64);
        let mut pages = vec![0; count as usize * PAGE_BYTES];
        let mut filed = self.filed.into_iter();
        for (block, keys) in self.blocks {
            filed.by_ref().take(keys).for_each(|key| file(&mut pages, key, count, block));
        }
        let stamp = twox_hash::XxHash64::oneshot(0, &pages);
        for page in pages.chunks_exact_mut(PAGE_BYTES) {
            let (content, crc) = page.split_at_mut(CRC_AT);
            if let Some(place) = content.get_mut(STAMP_AT..STAMP_AT + 8) {
                place.copy_from_slice(&stamp.to_le_bytes());
            }
            crc.copy_from_slice(&crc32c::crc32c(content).to_le_bytes());
        }
        let file = tlog::canonical::hex(&of.sha256);
        let header = Header { version: VERSION, file, maps: maps.to_owned(), pages: count, stamp, ..self.header };
        let json = serde_json::to_vec(&header)?;
        let length = u32::try_from(json.len()).map_err(|_| io::ErrorKind::FileTooLarge)?.to_le_bytes();
        let mut head = [MAGIC.as_slice(), &length, &json].concat();
        head.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
        head.resize(head.len().next_multiple_of(PAGE_BYTES), 0);
        Ok([head, pages])
    }

    /// Writes the file in one step, readable to its owner alone. It is derived, so it need not outlive a
    /// power cut.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(self, path: &Path, of: &PayloadFile, maps: &str) -> io::Result<()> {
        let parts = self.encode(of, maps)?;
        let temporary = path.with_extension("tmp");
        let written = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| parts.iter().try_for_each(|part| file.write_all(part)))
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // Half a file on a full disk helps nobody.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Says in the pages that a block has this hash.
fn file(pages: &mut [u8], key: u64, count: u64, block: u8) {
    let start = page_of(key, count) as usize * PAGE_BYTES;
    for at in places(key) {
        let Some(mask) = pages.get_mut(start + at..start + at + MASK_BYTES) else { continue };
        let Ok(held) = <[u8; MASK_BYTES]>::try_from(&*mask) else { continue };
        mask.copy_from_slice(&(u64::from_le_bytes(held) | 1 << block).to_le_bytes());
    }
}

/// The page of a hash.
fn page_of(key: u64, pages: u64) -> u64 {
    ((key >> 32) * pages) >> 32
}

/// Where on its page the masks of a hash lie, in bytes.
fn places(key: u64) -> impl Iterator<Item = usize> {
    SALTS.into_iter().map(move |salt| {
        let mixed = u64::from((key as u32).wrapping_mul(salt).rotate_left(13).wrapping_mul(0x9e37_79b1));
        ((mixed * PAGE_MASKS) >> 32) as usize * MASK_BYTES
    })
}

/// A file that was opened.
#[derive(Debug)]
pub struct Sidecar {
    file: File,
    /// What it says of the whole payload file.
    pub header: Header,
    range: Range<u64>,
    start: u64,
}

impl Sidecar {
    /// Opens the file at `path` if it is whole so far and of this payload file.
    #[must_use]
    pub fn open(path: &Path, of: &PayloadFile, maps: &str) -> Option<Self> {
        let file = File::open(path).ok()?;
        let mut head = [0; 20];
        file.read_exact_at(&mut head, 0).ok()?;
        let length = head.strip_prefix(MAGIC).and_then(|length| Some(u32::from_le_bytes(length.try_into().ok()?) as usize))?;
        if length > HEADER_BYTES_MAX {
            return None;
        }
        let mut whole = vec![0; head.len() + length + 4];
        file.read_exact_at(&mut whole, 0).ok()?;
        let (content, crc) = whole.split_at_checked(head.len() + length)?;
        if crc32c::crc32c(content).to_le_bytes() != crc {
            return None;
        }
        let header: Header = serde_json::from_slice(content.get(head.len()..)?).ok()?;
        let start = whole.len().next_multiple_of(PAGE_BYTES) as u64;
        let bytes = header.pages.checked_mul(PAGE_BYTES as u64)?.checked_add(start)?;
        let fits = header.version == VERSION && header.file == tlog::canonical::hex(&of.sha256) && header.maps == maps;
        (fits && file.metadata().ok()?.len() == bytes).then_some(Self { file, header, range: of.first..of.end(), start })
    }

    /// The blocks that may hold the value or word with this hash, one bit each.
    fn blocks(&self, key: u64) -> io::Result<u64> {
        let Self { file, header, start, .. } = self;
        if header.pages == 0 {
            return Ok(u64::MAX);
        }
        let mut page = [0; PAGE_BYTES];
        file.read_exact_at(&mut page, start + page_of(key, header.pages) * PAGE_BYTES as u64)?;
        let (content, crc) = page.split_at(CRC_AT);
        if crc32c::crc32c(content).to_le_bytes() != crc || content.get(STAMP_AT..) != Some(header.stamp.to_le_bytes().as_slice()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mask = |at: usize| content.get(at..at + MASK_BYTES).and_then(|mask| Some(u64::from_le_bytes(mask.try_into().ok()?)));
        Ok(places(key).filter_map(mask).fold(u64::MAX, |blocks, mask| blocks & mask))
    }

    /// Adds the entries of whole blocks.
    fn add(&self, mut blocks: u64, rows: &mut Rows) {
        let width = width(&self.range);
        while blocks != 0 {
            let first = self.range.start + u64::from(blocks.trailing_zeros()) * width;
            rows.insert_all(first..first + width);
            blocks &= blocks - 1;
        }
    }

    /// Adds the entries that may hold this value as a whole.
    ///
    /// # Errors
    /// The page cannot be read, or is damaged.
    pub fn add_value(&self, value: &str, rows: &mut Rows) -> io::Result<()> {
        self.add(self.blocks(value_key(value))?, rows);
        Ok(())
    }

    /// The entries that may hold all of these words, in lower case.
    ///
    /// # Errors
    /// A page cannot be read, or is damaged.
    pub fn with_words<S: AsRef<str>>(&self, words: &[S]) -> io::Result<Rows> {
        let mut blocks = u64::MAX;
        for word in words.iter().map(AsRef::as_ref).filter(|word| is_filed(word)) {
            blocks &= self.blocks(word_key(word))?;
            if blocks == 0 {
                break;
            }
        }
        let mut rows = Rows::none(self.range.clone());
        self.add(blocks, &mut rows);
        Ok(rows)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn file(bytes: u64) -> PayloadFile {
        PayloadFile { sha256: [7; 32], bytes, first: 0, count: 64 * BLOCK_ENTRIES_MIN, class: 1, generation: 0 }
    }

    /// Hashes of a block, unlike those of another.
    fn keys(block: u64, count: u64) -> impl Iterator<Item = u64> {
        (0..count).map(move |nth| (block << 32 | nth).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    #[test]
    fn one_block_with_words_beyond_measure_makes_the_filter_no_larger_than_half_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let of = file(16 << 20);
        let mut gathered = Gathered::new(&of);
        for (block, count) in [(0, 100), (1, 200_000), (2, 100)] {
            gathered.block = block;
            gathered.keys.extend(keys(block, count));
            gathered.end_block();
        }
        let path = dir.path().join("x.search");
        gathered.write(&path, &of, "maps").unwrap();
        let pages = fs::metadata(&path).unwrap().len() - PAGE_BYTES as u64;
        assert!(pages <= of.bytes / 2 && pages + PAGE_BYTES as u64 > of.bytes / 2, "{pages}");
        let sidecar = Sidecar::open(&path, &of, "maps").unwrap();
        for (block, count) in [(0, 100), (1, 200_000), (2, 100)] {
            assert!(keys(block, count).all(|key| sidecar.blocks(key).unwrap() >> block & 1 == 1), "what is there is found");
        }
        // What stands in the blocks beside it is still told apart.
        assert!(keys(2, 100).filter(|key| sidecar.blocks(*key).unwrap() & 1 == 1).count() < 5);
    }

    #[test]
    fn beyond_what_is_remembered_nothing_is_ruled_out() {
        let dir = tempfile::tempdir().unwrap();
        let of = file(1 << 20);
        let mut gathered = Gathered::new(&of);
        gathered.keys.extend(keys(0, KEYS_MAX as u64 + 1));
        gathered.give_up_beyond_bounds();
        assert!(gathered.too_many && gathered.keys.is_empty());
        let path = dir.path().join("x.search");
        gathered.write(&path, &of, "maps").unwrap();
        assert_eq!(Sidecar::open(&path, &of, "maps").unwrap().blocks(1).unwrap(), u64::MAX);
    }

    #[test]
    fn what_cannot_be_put_in_its_place_is_not_left_half_written() {
        let dir = tempfile::tempdir().unwrap();
        let of = file(1 << 20);
        let path = dir.path().join("x.search");
        // A directory with something in it stands in its place.
        fs::create_dir_all(path.join("y")).unwrap();
        assert!(Gathered::new(&of).write(&path, &of, "maps").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
