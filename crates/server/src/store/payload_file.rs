//! Payload files: Parquet with what lies behind the leaves of one retention class in a range of one
//! segment.
//!
//! | column | type | holds |
//! |---|---|---|
//! | `index` | UINT64 | index in the log, strictly ascending |
//! | `salts` | BINARY | the event salt, 16 bytes; when a part was erased, for each part `00 ‖ salt_i [16]` or `01 ‖ digest_i [32]` |
//! | `facts` | BINARY | part 0 |
//! | `people` | BINARY | part 1 |
//! | `raw` | BINARY | parts 2… end to end |
//! | `parts` | BINARY, optional | null: parts 2… are as `cut: 1` cuts `raw`; else their lengths, each a LEB128 varint |
//!
//! Plain types only, so that any engine reads the file where it lies. The format is frozen as
//! `payload/v1`: this schema, the key-value metadata of [`PayloadMeta`] in the order written here,
//! DELTA_BINARY_PACKED indexes and DELTA_LENGTH_BYTE_ARRAY bytes (lengths pack to almost nothing and
//! the bytes lie end to end), zstd except for salts (random bytes do not shrink), no dictionaries
//! (zstd finds a repeated envelope as well, and one page then is all that a row needs of a column),
//! data pages without statistics, an offset index for every column and a column index for `index`.
//!
//! INVARIANT: the same rows give the same bytes, so a file written twice after a crash is one file.
//! INVARIANT: indexes ascend strictly and lie in `[first, first + count)`. Asserted on push, checked
//! on every read.
//! INVARIANT: a reader of altered bytes answers with an error or with rows (which the tree then
//! refuses); it never panics, and allocates no more than [`PAGE_BYTES_MAX`] for a page.
//!
//! The file's SHA-256 in its recording act is what makes it authentic; nothing here is.

mod bounds;
mod checked_pages;
mod read;
mod write;

use bytes::Bytes;
use evidence::act::payload_file_name;
use parquet::file::metadata::KeyValue;
use thiserror::Error;

pub use read::{IsWanted, PayloadFile, Picked, Picker, Rows, Telling};
pub use write::PayloadWriter;

/// Value of `indelible.format`.
pub const FORMAT: &str = "payload/v1";

/// Fixed, so that the bytes of a file depend on its rows alone.
pub const CREATED_BY: &str = "indelible payload/v1";

/// The columns as Parquet names them; their order is the format's.
const SCHEMA: &str = "message arrow_schema {
    REQUIRED INT64 index (INTEGER(64,false));
    REQUIRED BINARY salts;
    REQUIRED BINARY facts;
    REQUIRED BINARY people;
    REQUIRED BINARY raw;
    OPTIONAL BINARY parts;
}";

/// Most bytes one value may have: an event is at most 1 MiB, and its envelope far less.
pub const VALUE_BYTES_MAX: usize = 4 << 20;

/// Most bytes a page may claim to unpack to: a page closes at 64 KiB, so it is at most that, once
/// more as much written between two looks at its size, its lengths, and one last value.
pub const PAGE_BYTES_MAX: usize = VALUE_BYTES_MAX + (1 << 20);

/// Rows after which a page closes; salts reach 64 KiB with as many.
const PAGE_ROWS: usize = 4096;

/// Most rows laid out before they are encoded.
const BATCH_ROWS: usize = 1024;

/// Most rows of a page: the writer looks at its size between batches.
const PAGE_ROWS_MAX: usize = PAGE_ROWS + BATCH_ROWS;

/// What a payload file says of itself, in its key-value metadata `indelible.*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PayloadMeta {
    /// The log's origin.
    pub origin: String,
    /// Number of the segment the range lies in.
    pub segment: u64,
    /// Retention class of every entry in the file.
    pub class: u16,
    /// 0, and one more for each rewriting by an erasure.
    pub generation: u32,
    /// First index of the range.
    pub first: u64,
    /// Indexes in the range, those of other classes included; at least 1.
    pub count: u64,
}

/// The numbers in a payload file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadName {
    /// First index of the range.
    pub first: u64,
    /// Indexes in the range.
    pub count: u64,
    /// Retention class.
    pub class: u16,
    /// Generation.
    pub generation: u32,
}

/// One entry on its way into a file or out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadRow<'a> {
    /// Index in the log.
    pub index: u64,
    /// Column `salts`.
    pub salts: &'a [u8],
    /// Part 0.
    pub facts: &'a [u8],
    /// Part 1.
    pub people: &'a [u8],
    /// Parts 2… end to end.
    pub raw: &'a [u8],
    /// The part map; `None` when `cut: 1` gives it.
    pub parts: Option<&'a [u8]>,
}

/// One entry with bytes of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnedRow {
    /// Index in the log.
    pub index: u64,
    /// Column `salts`.
    pub salts: Bytes,
    /// Part 0.
    pub facts: Bytes,
    /// Part 1.
    pub people: Bytes,
    /// Parts 2… end to end.
    pub raw: Bytes,
    /// The part map; `None` when `cut: 1` gives it.
    pub parts: Option<Bytes>,
}

impl OwnedRow {
    /// The row, borrowed.
    #[must_use]
    pub fn as_row(&self) -> PayloadRow<'_> {
        PayloadRow {
            index: self.index,
            salts: &self.salts,
            facts: &self.facts,
            people: &self.people,
            raw: &self.raw,
            parts: self.parts.as_deref(),
        }
    }
}

impl PayloadRow<'_> {
    /// The row with bytes of its own, so that it outlives the pages it was read from.
    #[must_use]
    pub fn to_owned_row(&self) -> OwnedRow {
        OwnedRow {
            index: self.index,
            salts: Bytes::copy_from_slice(self.salts),
            facts: Bytes::copy_from_slice(self.facts),
            people: Bytes::copy_from_slice(self.people),
            raw: Bytes::copy_from_slice(self.raw),
            parts: self.parts.map(Bytes::copy_from_slice),
        }
    }
}

/// Why rows cannot become a payload file.
#[derive(Debug, Error)]
pub enum PayloadWriteError {
    /// The range is empty or runs past the last possible index.
    #[error("a payload file cannot cover {count} entries from index {first}")]
    Range {
        /// First index of the range.
        first: u64,
        /// Length of the range.
        count: u64,
    },
    /// The row does not follow the one before, or lies outside the range.
    #[error("entry {index} is out of order in its payload file, or outside the file's range")]
    Order {
        /// The row's index.
        index: u64,
    },
    /// A value is longer than a reader would accept.
    #[error("entry {index} has a value of {bytes} bytes, more than {VALUE_BYTES_MAX}")]
    Value {
        /// The row's index.
        index: u64,
        /// Length of the value.
        bytes: usize,
    },
    /// The file could not be encoded or written out.
    #[error("the payload file could not be written: {0}")]
    Write(#[from] parquet::errors::ParquetError),
    /// The columns do not make a batch. A bug of ours.
    #[error("the rows could not be laid out: {0}")]
    Layout(#[from] arrow_schema::ArrowError),
}

/// Why a payload file, or a row of it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PayloadReadError {
    /// Not a file of this format, or not one of this version.
    #[error("this is no payload file of version 1: {0}")]
    Foreign(String),
    /// A payload file whose bytes were changed, or that could not be read.
    #[error("the payload file is damaged: {0}; restore it from a copy")]
    Damaged(String),
}

const KEYS: [&str; 7] = [
    "indelible.format",
    "indelible.origin",
    "indelible.segment",
    "indelible.class",
    "indelible.generation",
    "indelible.first",
    "indelible.count",
];

impl PayloadMeta {
    fn to_key_values(&self) -> Vec<KeyValue> {
        let values = [
            FORMAT.to_owned(),
            self.origin.clone(),
            self.segment.to_string(),
            self.class.to_string(),
            self.generation.to_string(),
            self.first.to_string(),
            self.count.to_string(),
        ];
        let pairs = KEYS.iter().zip(values);
        pairs.map(|(key, value)| KeyValue::new((*key).to_owned(), value)).collect()
    }

    /// Reads exactly what [`to_key_values`](Self::to_key_values) writes.
    fn from_key_values(pairs: &[KeyValue]) -> Option<PayloadMeta> {
        let [_, origin, segment, class, generation, first, count] = pairs else {
            return None;
        };
        let text = |pair: &KeyValue| pair.value.clone();
        let meta = PayloadMeta {
            origin: text(origin)?,
            segment: text(segment)?.parse().ok()?,
            class: text(class)?.parse().ok()?,
            generation: text(generation)?.parse().ok()?,
            first: text(first)?.parse().ok()?,
            count: text(count)?.parse().ok()?,
        };
        // Written again it must be the same: one spelling, the keys in order, the format ours.
        (meta.end().is_some() && meta.to_key_values() == pairs).then_some(meta)
    }

    /// The index behind the range; `None` when the range is empty or too long.
    fn end(&self) -> Option<u64> {
        self.first.checked_add(self.count).filter(|end| *end > self.first)
    }
}

impl PayloadName {
    /// Path relative to the trail's directory.
    #[must_use]
    pub fn path(&self) -> String {
        payload_file_name(self.first, self.count, self.class, self.generation)
    }
}

/// Reads a name below `payload/`. `None` for anything [`PayloadName::path`] would not have written,
/// so a file has exactly one name.
#[must_use]
pub fn parse_payload_name(name: &str) -> Option<PayloadName> {
    let mut numbers = name.strip_suffix(".parquet")?.split('-');
    let (first, count) = (numbers.next()?, numbers.next()?);
    let class = numbers.next()?.strip_prefix('c')?;
    let generation = numbers.next()?.strip_prefix('g')?;
    let parsed = PayloadName {
        first: first.parse().ok()?,
        count: count.parse().ok().filter(|count| *count > 0)?,
        class: class.parse().ok()?,
        generation: generation.parse().ok()?,
    };
    parsed.first.checked_add(parsed.count)?;
    (parsed.path().strip_prefix("payload/") == Some(name)).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        let name = PayloadName { first: 65_536, count: 1000, class: 1, generation: 2 };
        assert_eq!(name.path(), "payload/00000000000000065536-1000-c1-g2.parquet");
        assert_eq!(parse_payload_name("00000000000000065536-1000-c1-g2.parquet"), Some(name));
        for bad in [
            "",
            "65536-1000-c1-g2.parquet",
            "00000000000000065536-01000-c1-g2.parquet",
            "00000000000000065536-0-c1-g2.parquet",
            "00000000000000065536-1000-c01-g2.parquet",
            "00000000000000065536-1000-c65536-g2.parquet",
            "00000000000000065536-1000-c1-g+2.parquet",
            "00000000000000065536-1000-c1-g2",
            "00000000000000065536-1000-c1-g2-.parquet",
            "00000000000000065536-1000-c1-g2.parquet.tmp",
            "18446744073709551615-2-c1-g2.parquet",
            "payload/00000000000000065536-1000-c1-g2.parquet",
        ] {
            assert_eq!(parse_payload_name(bad), None, "{bad:?}");
        }
    }
}
