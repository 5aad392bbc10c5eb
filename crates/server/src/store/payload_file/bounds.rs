//! Bounds on what altered bytes can make the Parquet library do.
//!
//! The library allocates by lengths it reads (a list of row groups, a page's unpacked size, a count
//! of packed values) and in places asserts what a file says. So every structure is first walked
//! here, where a length is held against the bytes at hand, and the library runs inside
//! [`contained`].

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::ParquetError;

use super::{PAGE_BYTES_MAX, PAGE_ROWS_MAX, PayloadReadError};

/// Most elements of a list: the rows of a segment, each in a page and a row group of its own.
const LIST_MAX: u64 = 65_536;

/// Structures nest five deep in a footer.
const DEPTH_MAX: u8 = 8;

/// Most values in a block of packed integers; the writer uses 128 and 256.
const BLOCK_MAX: u64 = 1024;

/// Runs a step of the Parquet library on bytes that nobody vouched for.
///
/// The one place that stops a panic. The library's decoders slice and assert on what they read, and
/// a file somebody altered must be reported like any other damage. Nothing is shared across the
/// boundary but values that are dropped after an error, so they may be left in any state.
pub(super) fn contained<T>(step: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, PayloadReadError> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(done) => done.map_err(|why| PayloadReadError::Damaged(why.to_string())),
        Err(_) => Err(PayloadReadError::Damaged("its encoding is broken".to_owned())),
    }
}

/// Shorthand for damage found here.
pub(super) fn damaged(what: &str) -> PayloadReadError {
    PayloadReadError::Damaged(what.to_owned())
}

/// Whether `bytes` begin with a structure (Thrift, compact protocol) every length in which fits.
pub(super) fn structure_fits(bytes: &[u8]) -> bool {
    Walk { rest: bytes, unpacked_bytes: 0 }.structure(0).is_some()
}

/// Whether `page` begins with a page header that fits and claims a bounded unpacked size.
pub(super) fn page_fits(page: &[u8]) -> bool {
    let mut walk = Walk { rest: page, unpacked_bytes: 0 };
    walk.structure(0).is_some() && walk.unpacked_bytes <= PAGE_BYTES_MAX as u64
}

/// Whether `values`, packed by DELTA_BINARY_PACKED, claim at most `most` integers.
pub(super) fn packed_fits(values: &[u8], most: usize) -> bool {
    let mut walk = Walk { rest: values, unpacked_bytes: 0 };
    let mut header = || Some((walk.varint()?, walk.varint()?, walk.varint()?));
    header().is_some_and(|(block, miniblocks, count)| {
        (1..=BLOCK_MAX).contains(&block) && (1..=block).contains(&miniblocks) && count <= most.min(PAGE_ROWS_MAX) as u64
    })
}

/// A walk over the compact protocol: the field types and nothing of their meaning, but for one.
struct Walk<'a> {
    rest: &'a [u8],
    /// Field 2 of the outermost structure, a page header's unpacked size.
    unpacked_bytes: u64,
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn structure(&mut self, depth: u8) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut field = 0_u64;
        loop {
            let header = self.byte()?;
            if header == 0 {
                return Some(());
            }
            field = match header >> 4 {
                0 => self.varint()? >> 1,
                step => field.checked_add(u64::from(step))?,
            };
            let kind = header & 0x0f;
            if depth == 0 && field == 2 && kind == 5 {
                // Zigzag: an odd number is negative and comes out huge.
                let value = self.varint()?;
                self.unpacked_bytes = if value & 1 == 0 { value >> 1 } else { u64::MAX };
            } else {
                self.field(kind, depth)?;
            }
        }
    }

    fn field(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            1 | 2 => Some(()),
            _ => self.element(kind, depth),
        }
    }

    fn element(&mut self, kind: u8, depth: u8) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => self.varint().and_then(|length| self.skip(length)),
            9 => self.list(depth),
            12 => self.structure(depth + 1),
            _ => None,
        }
    }

    fn list(&mut self, depth: u8) -> Option<()> {
        let header = self.byte()?;
        let size = match header >> 4 {
            15 => self.varint()?,
            size => u64::from(size),
        };
        if size > LIST_MAX || size > self.rest.len() as u64 || depth >= DEPTH_MAX {
            return None;
        }
        (0..size).try_for_each(|_| self.element(header & 0x0f, depth + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_bytes_is_refused() {
        // Field 1, binary, 3 bytes, then the end.
        assert!(structure_fits(&[0x18, 3, b'a', b'b', b'c', 0]));
        assert!(!structure_fits(&[0x18, 4, b'a', b'b', b'c', 0]));
        assert!(!structure_fits(&[0x18, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]));
        // Field 1, a list of structures: two, then two thousand million.
        assert!(structure_fits(&[0x19, 0x2c, 0, 0, 0]));
        assert!(!structure_fits(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0]));
    }

    #[test]
    fn a_page_that_claims_to_unpack_to_gigabytes_is_refused() {
        assert!(page_fits(&[0x15, 0, 0x15, 0x80, 0x02, 0x15, 0x10, 0]));
        assert!(!page_fits(&[0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 0x10, 0]));
        assert!(!page_fits(&[0x15, 0, 0x15, 0x01, 0x15, 0x10, 0]), "a negative size");
    }

    #[test]
    fn structures_that_nest_without_end_are_refused() {
        assert!(!structure_fits(&[0x1c; 100_000]));
        assert!(!structure_fits(&[0x19; 100_000]));
    }

    #[test]
    fn a_count_of_packed_values_beyond_the_page_is_refused() {
        assert!(packed_fits(&[0x80, 0x01, 4, 3, 0], 3));
        assert!(!packed_fits(&[0x80, 0x01, 4, 4, 0], 3));
        assert!(!packed_fits(&[0x80, 0x01, 4, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], usize::MAX));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_walked_without_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = (structure_fits(&bytes), page_fits(&bytes), packed_fits(&bytes, 100));
        }
    }
}
