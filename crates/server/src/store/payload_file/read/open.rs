//! Opens a payload file: everything but its pages is read and checked.

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader;
use parquet::schema::parser::parse_message_type;

use super::super::bounds::{contained, damaged, structure_fits};
use super::super::{CREATED_BY, PAGE_ROWS_MAX, PayloadMeta, PayloadReadError, SCHEMA};

const MAGIC: [u8; 4] = *b"PAR1";

/// Bytes behind the footer: its length and the magic.
const TRAILER_BYTES: u64 = 8;

/// Most bytes of footer and page indexes together: a segment of 65,536 of the longest events has
/// 4,096 row groups, each 1 KB in the footer and less in the indexes.
const TAIL_BYTES_MAX: u64 = 32 << 20;

/// What is known of a file without its pages.
pub(super) struct Opened {
    pub(super) meta: PayloadMeta,
    pub(super) parquet: ParquetMetaData,
    pub(super) groups: Vec<Group>,
    pub(super) pages_end: u64,
}

/// Where the indexes of one row group lie.
pub(super) struct Group {
    /// Its rows, at least 1.
    pub(super) rows: usize,
    /// The greatest index, by the page index.
    pub(super) last: u64,
    pages: Vec<IndexPage>,
}

/// One page of column `index`.
pub(super) struct IndexPage {
    /// Rows within the group.
    pub(super) rows: Range<usize>,
    first: u64,
    last: u64,
}

impl IndexPage {
    /// Where in a page that holds every index of its range this one stands; nothing for other pages.
    pub(super) fn place_in_full(&self, index: u64) -> Option<usize> {
        let is_full = self.last - self.first == self.rows.len() as u64 - 1;
        is_full.then(|| usize::try_from(index - self.first).ok()).flatten()
    }
}

impl Group {
    /// The page that holds `index`, if any does.
    pub(super) fn page_of(&self, index: u64) -> Option<&IndexPage> {
        let page = self.pages.get(self.pages.partition_point(|page| page.last < index))?;
        (page.first <= index).then_some(page)
    }

    /// The first page with an index of at least `index`.
    pub(super) fn page_from(&self, index: u64) -> Option<&IndexPage> {
        self.pages.get(self.pages.partition_point(|page| page.last < index))
    }
}

impl Opened {
    pub(super) fn read<R: ChunkReader>(file: &R) -> Result<Opened, PayloadReadError> {
        let (footer, footer_start) = footer(file)?;
        let parquet = contained(|| ParquetMetaDataReader::decode_metadata(&footer))?;
        let meta = identity(&parquet)?;
        let pages_end = check_chunks(&parquet, footer_start)?;
        let parquet = with_page_indexes(file, parquet, pages_end, footer_start)?;
        let mut groups = Vec::with_capacity(parquet.num_row_groups());
        let mut least = meta.first;
        for number in 0..parquet.num_row_groups() {
            let group = group(&parquet, number, least).ok_or_else(|| damaged("its page index contradicts itself"))?;
            least = group.last.saturating_add(1);
            groups.push(group);
        }
        if groups.last().is_some_and(|group| Some(group.last) >= meta.end()) {
            return Err(damaged("its page index leaves its range"));
        }
        Ok(Opened { meta, parquet, groups, pages_end })
    }
}

fn read_at<R: ChunkReader>(file: &R, start: u64, length: u64) -> Result<Bytes, PayloadReadError> {
    let length = usize::try_from(length).map_err(|_| damaged("a length is impossible"))?;
    let bytes = contained(|| file.get_bytes(start, length))?;
    if bytes.len() == length { Ok(bytes) } else { Err(damaged("it ends too early")) }
}

/// The footer and where it begins.
fn footer<R: ChunkReader>(file: &R) -> Result<(Bytes, u64), PayloadReadError> {
    let foreign = |what: &str| PayloadReadError::Foreign(what.to_owned());
    let behind_footer = file.len().checked_sub(TRAILER_BYTES).filter(|rest| *rest >= 4);
    let behind_footer = behind_footer.ok_or_else(|| foreign("it is shorter than the least Parquet file"))?;
    let trailer = read_at(file, behind_footer, TRAILER_BYTES)?;
    let head = read_at(file, 0, 4)?;
    let Some((length, magic)) = trailer.split_first_chunk::<4>() else {
        return Err(damaged("it ends too early"));
    };
    if head[..] != MAGIC || magic != MAGIC {
        return Err(foreign("it does not begin and end as a Parquet file does"));
    }
    let length = u64::from(u32::from_le_bytes(*length));
    let start = behind_footer.checked_sub(length).filter(|start| *start >= 4 && length <= TAIL_BYTES_MAX);
    let start = start.ok_or_else(|| damaged("its footer is longer than the file, or than any footer"))?;
    let bytes = read_at(file, start, length)?;
    if structure_fits(&bytes) { Ok((bytes, start)) } else { Err(damaged("its footer is cut or garbled")) }
}

/// What the file says of itself, when it is a payload file at all.
fn identity(parquet: &ParquetMetaData) -> Result<PayloadMeta, PayloadReadError> {
    let foreign = |what: &str| PayloadReadError::Foreign(what.to_owned());
    let file = parquet.file_metadata();
    let schema = contained(|| parse_message_type(SCHEMA))?;
    if file.version() != 1 || file.created_by() != Some(CREATED_BY) {
        return Err(foreign("another program wrote it"));
    }
    if *file.schema() != schema {
        return Err(foreign("it has other columns"));
    }
    let pairs = file.key_value_metadata().map_or(&[][..], Vec::as_slice);
    let meta = PayloadMeta::from_key_values(pairs).ok_or_else(|| foreign("its metadata names another format, or an impossible range"))?;
    let rows = parquet.row_groups().iter().try_fold(0_u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    match rows {
        Some(rows) if i64::try_from(rows) == Ok(file.num_rows()) && rows <= meta.count => Ok(meta),
        _ => Err(damaged("its numbers of rows contradict each other")),
    }
}

/// Column chunks lie end to end from the magic on; gives where they end.
fn check_chunks(parquet: &ParquetMetaData, footer: u64) -> Result<u64, PayloadReadError> {
    let mut at = MAGIC.len() as u64;
    for group in parquet.row_groups() {
        for (number, column) in group.columns().iter().enumerate() {
            at = chunk_end(group, number, column, at)
                .filter(|end| *end <= footer)
                .ok_or_else(|| damaged("a column is not where or what it must be"))?;
        }
    }
    Ok(at)
}

fn chunk_end(group: &RowGroupMetaData, number: usize, column: &ColumnChunkMetaData, start: u64) -> Option<u64> {
    let packed = match column.compression() {
        Compression::ZSTD(_) => number != 1,
        Compression::UNCOMPRESSED => number == 1,
        _ => false,
    };
    let own = if number == 0 { Encoding::DELTA_BINARY_PACKED } else { Encoding::DELTA_LENGTH_BYTE_ARRAY };
    let encoded = column.encodings().all(|encoding| encoding == own || encoding == Encoding::RLE);
    let single_file = column.file_path().is_none() && column.bloom_filter_offset().is_none();
    let plain = column.dictionary_page_offset().is_none() && column.index_page_offset().is_none();
    let placed = u64::try_from(column.data_page_offset()) == Ok(start) && column.num_values() == group.num_rows();
    if !(packed && encoded && single_file && plain && placed) {
        return None;
    }
    start.checked_add(u64::try_from(column.compressed_size()).ok()?)
}

/// Reads the page indexes, which lie between the pages and the footer.
fn with_page_indexes<R: ChunkReader>(
    file: &R,
    parquet: ParquetMetaData,
    start: u64,
    footer: u64,
) -> Result<ParquetMetaData, PayloadReadError> {
    if footer - start > TAIL_BYTES_MAX {
        return Err(damaged("its page indexes are longer than any"));
    }
    // To the end of the file: the library takes the bytes for the file's tail.
    let tail = read_at(file, start, file.len() - start)?;
    for column in parquet.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let offsets = (column.offset_index_offset(), column.offset_index_length());
        let bounds = (column.column_index_offset(), column.column_index_length());
        if offsets.0.is_none() || offsets.1.is_none() {
            return Err(damaged("a column has no page index"));
        }
        for place in [offsets, bounds] {
            let (Some(at), Some(length)) = place else {
                continue;
            };
            let index = || {
                let at = usize::try_from(u64::try_from(at).ok()?.checked_sub(start)?).ok()?;
                tail.get(at..at.checked_add(usize::try_from(length).ok()?)?)
            };
            if !index().is_some_and(structure_fits) {
                return Err(damaged("a page index is misplaced, cut or garbled"));
            }
        }
    }
    contained(|| {
        let mut reader = ParquetMetaDataReader::new_with_metadata(parquet)
            .with_offset_index_policy(PageIndexPolicy::Required)
            .with_column_index_policy(PageIndexPolicy::Optional);
        reader.read_page_indexes_sized(&tail, file.len())?;
        reader.finish()
    })
}

/// Checks the page indexes of one row group.
fn group(parquet: &ParquetMetaData, number: usize, least: u64) -> Option<Group> {
    let chunks = parquet.row_groups().get(number)?;
    let rows = usize::try_from(chunks.num_rows()).ok().filter(|rows| *rows > 0)?;
    let offsets = parquet.offset_index()?.get(number)?;
    if offsets.len() != chunks.columns().len() {
        return None;
    }
    for (column, offsets) in chunks.columns().iter().zip(offsets) {
        pages_fill(column, offsets.page_locations(), rows)?;
    }
    let ColumnIndexMetaData::INT64(bounds) = parquet.column_index()?.get(number)?.first()? else {
        return None;
    };
    let places = offsets.first()?.page_locations();
    if bounds.num_pages() != places.len() as u64 {
        return None;
    }
    let mut pages = Vec::with_capacity(places.len());
    let mut least = least;
    for (at, place) in places.iter().enumerate() {
        let next = places.get(at + 1).map_or(Some(rows), |next| usize::try_from(next.first_row_index).ok())?;
        let rows = usize::try_from(place.first_row_index).ok()?..next;
        let (first, last) = (bounds.min_value(at)?.cast_unsigned(), bounds.max_value(at)?.cast_unsigned());
        // Distinct indexes: a page cannot span fewer of them than it has rows.
        if first < least || last < first || last - first < rows.len() as u64 - 1 {
            return None;
        }
        least = last.checked_add(1)?;
        pages.push(IndexPage { rows, first, last });
    }
    Some(Group { rows, last: pages.last()?.last, pages })
}

/// The pages of a column lie end to end over its whole chunk, and their rows over its group.
fn pages_fill(column: &ColumnChunkMetaData, pages: &[PageLocation], rows: usize) -> Option<()> {
    let mut at = column.data_page_offset();
    let end = at.checked_add(column.compressed_size())?;
    let mut before: Option<i64> = None;
    for page in pages {
        let first = page.first_row_index;
        let ascends = before.map_or(first == 0, |before| first > before);
        let full = before.map_or(0, |before| first.saturating_sub(before));
        if page.offset != at || page.compressed_page_size <= 0 || !ascends || full > PAGE_ROWS_MAX as i64 {
            return None;
        }
        at = at.checked_add(page.compressed_page_size.into())?;
        before = Some(first);
    }
    let last = i64::try_from(rows).ok()?.checked_sub(before?)?;
    (at == end && (1..=PAGE_ROWS_MAX as i64).contains(&last)).then_some(())
}
