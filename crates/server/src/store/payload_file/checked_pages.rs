//! Pages of a column, each held against its bounds before it is unpacked and again before the Parquet
//! library decodes it.
//!
//! They are unpacked here: the library makes a packer and an unpacker for each column that is opened, which takes
//! longer than to unpack the one page that a row is in.

use std::cell::RefCell;
use std::io::Empty;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::bounds::{packed_fits, page_fits};
use super::{PAGE_BYTES_MAX, PAGE_ROWS_MAX};

fn refused(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

/// Reads whole pages of a file and nothing else.
pub(super) struct PageBytes<R> {
    pub(super) file: R,
    /// Where the pages end and the indexes begin.
    pub(super) end: u64,
}

impl<R: ChunkReader> Length for PageBytes<R> {
    fn len(&self) -> u64 {
        self.end
    }
}

impl<R: ChunkReader> ChunkReader for PageBytes<R> {
    type T = Empty;

    fn get_read(&self, _start: u64) -> Result<Empty> {
        Err(refused("pages are read by their place in the offset index only"))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let inside = start.checked_add(length as u64).is_some_and(|end| end <= self.end);
        // A page that does not shrink is a little longer packed than unpacked.
        if !inside || length > 2 * PAGE_BYTES_MAX {
            return Err(refused("a page lies outside the file"));
        }
        let page = self.file.get_bytes(start, length)?;
        if page.len() != length || !page_fits(&page) {
            return Err(refused("a page header claims what does not fit"));
        }
        Ok(page)
    }
}

/// The pages of one column of one row group.
pub(super) struct CheckedPages<R: ChunkReader> {
    pages: SerializedPageReader<PageBytes<R>>,
    packed: bool,
    encoding: Encoding,
    optional: bool,
}

impl<R: ChunkReader + 'static> CheckedPages<R> {
    pub(super) fn new(
        file: &Arc<PageBytes<R>>,
        column: &ColumnChunkMetaData,
        rows: usize,
        locations: &[PageLocation],
        encoding: Encoding,
    ) -> Result<Self> {
        let packed = column.compression() != Compression::UNCOMPRESSED;
        let as_they_are = column.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let pages = SerializedPageReader::new(Arc::clone(file), &as_they_are, rows, Some(locations.to_vec()))?;
        Ok(CheckedPages { pages, packed, encoding, optional: column.column_descr().max_def_level() > 0 })
    }

    fn check(&self, page: &mut Page) -> Result<()> {
        let Page::DataPage { buf, num_values, encoding, .. } = page else {
            return Err(refused("a page is no data page of version 1"));
        };
        if self.packed {
            *buf = unpacked(buf)?;
        }
        let rows = *num_values as usize;
        if *encoding != self.encoding || rows == 0 || rows > PAGE_ROWS_MAX {
            return Err(refused("a page has another encoding, or too many values"));
        }
        let values = if self.optional { behind_levels(buf) } else { Some(&buf[..]) };
        match values {
            Some(values) if packed_fits(values, rows) => Ok(()),
            _ => Err(refused("a page claims more values than rows")),
        }
    }
}

thread_local! {
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What a packed page holds.
fn unpacked(packed: &[u8]) -> Result<Bytes> {
    let claimed = get_frame_content_size(packed).ok().flatten().and_then(|bytes| usize::try_from(bytes).ok());
    let bytes =
        claimed.filter(|bytes| *bytes <= PAGE_BYTES_MAX).ok_or_else(|| refused("a page does not say how long it is, or is too long"))?;
    UNPACKER.with_borrow_mut(|unpacker| {
        let mut own = match unpacker.take() {
            Some(own) => own,
            None => Decompressor::new()?,
        };
        let page = own.decompress(packed, bytes)?;
        *unpacker = Some(own);
        Ok(page.into())
    })
}

/// What follows the levels that say which rows are null: they come after their length.
fn behind_levels(page: &[u8]) -> Option<&[u8]> {
    let (length, rest) = page.split_first_chunk::<4>()?;
    rest.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
}

impl<R: ChunkReader + 'static> PageReader for CheckedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let mut page = self.pages.get_next_page()?;
        page.iter_mut().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

impl<R: ChunkReader + 'static> Iterator for CheckedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Result<Page>> {
        self.get_next_page().transpose()
    }
}
