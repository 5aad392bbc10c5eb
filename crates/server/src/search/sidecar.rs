//! What is known of a payload file without reading it: a small derived file beside the trail.
//!
//! ```text
//! "indelible-search" | length u32 LE | header, JSON | CRC-32C u32 LE | zeros to 4096
//! page = 127 blocks of 32 bytes | stamp u64 LE | 20 zeros | CRC-32C u32 LE     as many as the header says
//! ```
//! The pages are a split-block Bloom filter of the hashes of all values and words in the file, as
//! Parquet has it: one block a question, one page read a question, whatever the size.
//!
//! INVARIANT: it only ever rules out. A hit is confirmed on the payload, and a file that is missing,
//! of another payload file, of other maps or damaged rules nothing out and is made again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use evidence::act::PayloadFile;
use serde::{Deserialize, Serialize};

use crate::search::compare::{address, fold, words};
use crate::search::document::Document;
use crate::search::field::{Field, Name};

const MAGIC: &[u8; 16] = b"indelible-search";
/// Version of what is put in: goes up when a field gets other values.
const VERSION: u32 = 1;
const PAGE_BYTES: usize = 4096;
const BLOCK_BYTES: usize = 32;
const PAGE_BLOCKS: u64 = 127;
const STAMP_AT: usize = PAGE_BLOCKS as usize * BLOCK_BYTES;
const CRC_AT: usize = PAGE_BYTES - 4;
/// Bits a value: about one file in a hundred is read for nothing.
const BITS_A_KEY: usize = 12;
/// Distinct values and words remembered while a file is made: 32 MB. Beyond, the filter says of everything
/// that it may be there.
const KEYS_MAX: usize = 4_000_000;
/// Bytes of a header: sources and kinds of one segment.
const HEADER_BYTES_MAX: usize = 4 << 20;
/// As Parquet's split-block Bloom filter: one bit in each word of a block.
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

/// The hash of a whole value.
#[must_use]
pub fn value_key(value: &str) -> u64 {
    // One address has many spellings.
    match address(value) {
        Some(address) => hash(1, &address.to_string()),
        None => hash(1, &fold(value)),
    }
}

/// The hash of a word in lower case.
#[must_use]
pub fn word_key(word: &str) -> u64 {
    hash(2, word)
}

fn hash(seed: u64, text: &str) -> u64 {
    twox_hash::XxHash64::oneshot(seed, text.as_bytes())
}

/// Gathers what a payload file holds.
#[derive(Debug, Default)]
pub struct Gathered {
    header: Header,
    keys: HashSet<u64>,
    too_many: bool,
}

impl Gathered {
    /// Takes in one entry.
    pub fn add(&mut self, document: &Document<'_>, source: u32, kind: &str) {
        let widened = |span: Option<(i64, i64)>, ms: i64| Some(span.map_or((ms, ms), |(from, to)| (from.min(ms), to.max(ms))));
        self.header.times = widened(self.header.times, document.time_ms());
        self.header.received = widened(self.header.received, document.received_ms());
        self.header.entries.insert(document.kind().byte());
        self.header.sources.entry(source).or_insert_with(|| kind.to_owned());
        if self.too_many {
            return;
        }
        let keys = &mut self.keys;
        document.texts(&mut |value| {
            keys.insert(value_key(value));
            keys.extend(words(&fold(value)).map(word_key));
            false
        });
        document.ocsf_values(&mut |value| {
            keys.insert(value_key(value));
            false
        });
        for name in Name::ALL.iter().filter(|name| !matches!(name, Name::Index | Name::Source | Name::Entry)) {
            document.values(&Field::Named(*name), &mut |value| {
                keys.insert(value_key(value));
                if name.is_prose() {
                    keys.extend(words(&fold(value)).map(word_key));
                }
                false
            });
        }
        if self.keys.len() > KEYS_MAX {
            self.too_many = true;
            self.keys = HashSet::new();
        }
    }

    /// The file's bytes.
    fn encode(self, of: &PayloadFile, maps: &str) -> io::Result<Vec<u8>> {
        let blocks = if self.too_many { 0 } else { (self.keys.len() * BITS_A_KEY).div_ceil(BLOCK_BYTES * 8).max(1) };
        let count = (blocks as u64).div_ceil(PAGE_BLOCKS);
        let mut pages = vec![0; count as usize * PAGE_BYTES];
        for key in self.keys {
            let (page, at) = place(key, count);
            let at = page as usize * PAGE_BYTES + at;
            let Some(block) = pages.get_mut(at..at + BLOCK_BYTES) else { continue };
            for (word, bit) in block.chunks_exact_mut(4).zip(bits(key)) {
                let Ok(held) = <[u8; 4]>::try_from(&*word) else { continue };
                word.copy_from_slice(&(u32::from_le_bytes(held) | bit).to_le_bytes());
            }
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
        let mut bytes = [MAGIC.as_slice(), &length, &json].concat();
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes.resize(bytes.len().next_multiple_of(PAGE_BYTES), 0);
        bytes.extend_from_slice(&pages);
        Ok(bytes)
    }

    /// Writes the file in one step, readable to its owner alone. It is derived, so it need not outlive a
    /// power cut.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(self, path: &Path, of: &PayloadFile, maps: &str) -> io::Result<()> {
        let bytes = self.encode(of, maps)?;
        let temporary = path.with_extension("tmp");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&bytes)?;
        fs::rename(&temporary, path)
    }
}

/// Page, and byte in it where the block of a hash begins.
fn place(key: u64, pages: u64) -> (u64, usize) {
    let high = key >> 32;
    let page = (high * pages) >> 32;
    // Mixed once more, so that the block does not follow from the page or the bits.
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    (page, ((mixed * PAGE_BLOCKS) >> 32) as usize * BLOCK_BYTES)
}

fn bits(key: u64) -> impl Iterator<Item = u32> {
    SALTS.into_iter().map(move |salt| 1_u32 << ((key as u32).wrapping_mul(salt) >> 27))
}

/// A file that was opened.
#[derive(Debug)]
pub struct Sidecar {
    path: PathBuf,
    /// What it says of the whole payload file.
    pub header: Header,
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
        (fits && file.metadata().ok()?.len() == bytes).then(|| Self { path: path.to_owned(), header, start })
    }

    /// Opens the pages for the questions of one search.
    ///
    /// # Errors
    /// What the system says.
    pub fn pages(&self) -> io::Result<Pages<'_>> {
        Ok(Pages { file: File::open(&self.path)?, sidecar: self })
    }
}

/// The filter of a file.
#[derive(Debug)]
pub struct Pages<'a> {
    file: File,
    sidecar: &'a Sidecar,
}

impl Pages<'_> {
    /// Whether the value or word with this hash may be there.
    ///
    /// # Errors
    /// The page cannot be read, or is damaged.
    pub fn may_hold(&self, key: u64) -> io::Result<bool> {
        let pages = self.sidecar.header.pages;
        if pages == 0 {
            return Ok(true);
        }
        let (number, at) = place(key, pages);
        let mut page = [0; PAGE_BYTES];
        self.file.read_exact_at(&mut page, self.sidecar.start + number * PAGE_BYTES as u64)?;
        let (content, crc) = page.split_at(CRC_AT);
        let stamp = content.get(STAMP_AT..STAMP_AT + 8);
        if crc32c::crc32c(content).to_le_bytes() != crc || stamp != Some(self.sidecar.header.stamp.to_le_bytes().as_slice()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let block = content.get(at..at + BLOCK_BYTES).unwrap_or_default();
        let held = block.chunks_exact(4).filter_map(|word| Some(u32::from_le_bytes(word.try_into().ok()?)));
        Ok(held.zip(bits(key)).all(|(word, bit)| word & bit != 0))
    }
}
