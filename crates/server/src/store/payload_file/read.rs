//! Reads a payload file: one row through the page index, a range, or all of it.

mod open;
mod pick;
mod scan;

use std::ops::Range;
use std::sync::Arc;

use parquet::basic::Encoding;
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use super::bounds::{contained, damaged};
use super::checked_pages::{CheckedPages, PageBytes};
use super::{OwnedRow, PayloadMeta, PayloadReadError, PayloadRow};
use open::{Group, IndexPage, Opened};
pub use pick::{IsWanted, Picked, Picker, Telling};
pub use scan::Rows;

/// Rows decoded at a time. Pages are held as long as a row of theirs is, so this bounds a batch of
/// the longest events at 64 MiB and costs short ones nothing measurable.
const BATCH_ROWS: usize = 64;
/// Columns of bytes, in the schema's order behind `index`.
const BYTE_COLUMNS: usize = 5;

/// A payload file whose frame was checked: schema, metadata, and the place of every page. Cheap to
/// keep open; shared between threads if the reader may be (not `std::fs::File`, whose clones share
/// one position).
pub struct PayloadFile<R: ChunkReader> {
    meta: PayloadMeta,
    file: Arc<PageBytes<R>>,
    parquet: ParquetMetaData,
    groups: Vec<Group>,
}

impl<R: ChunkReader> std::fmt::Debug for PayloadFile<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadFile").field("meta", &self.meta).field("rows", &self.len()).finish_non_exhaustive()
    }
}

impl<R: ChunkReader + 'static> PayloadFile<R> {
    /// Opens a file and checks everything but its pages.
    ///
    /// # Errors
    /// [`PayloadReadError::Foreign`] for another format or version, [`PayloadReadError::Damaged`]
    /// for bytes that contradict themselves.
    pub fn open(reader: R) -> Result<Self, PayloadReadError> {
        let Opened { meta, parquet, groups, pages_end } = Opened::read(&reader)?;
        let file = Arc::new(PageBytes { file: reader, end: pages_end });
        Ok(PayloadFile { meta, file, parquet, groups })
    }

    /// The row of entry `index`; `None` when the file has none.
    ///
    /// # Errors
    /// [`PayloadReadError::Damaged`].
    pub fn row(&self, index: u64) -> Result<Option<OwnedRow>, PayloadReadError> {
        Ok(self.rows_at(&[index])?.pop())
    }

    /// The rows of these entries, which must ascend; those that the file has none for are left out.
    ///
    /// # Errors
    /// [`PayloadReadError::Damaged`].
    pub fn rows_at(&self, indexes: &[u64]) -> Result<Vec<OwnedRow>, PayloadReadError> {
        Ok(self.picker(Telling::Raw).pick(indexes, &mut |_, _, _| true)?.rows)
    }

    /// Reads rows of some entries, one call after another.
    #[must_use]
    pub const fn picker(&self, telling: Telling) -> Picker<'_, R> {
        Picker::new(self, telling)
    }

    /// The row group that holds an entry, if any does. Records of one come to 16 MiB, or to one more than that.
    #[must_use]
    pub fn group_of(&self, index: u64) -> usize {
        self.groups.partition_point(|group| group.last < index)
    }

    /// The rows of the entries in `range`, ascending. After an error the iterator ends.
    pub fn rows(&self, range: Range<u64>) -> Rows<'_, R> {
        Rows::new(self, range)
    }

    /// Calls `visit` with every row, ascending. The slices lie in the unpacked pages.
    ///
    /// # Errors
    /// [`PayloadReadError::Damaged`]; rows before the damage were visited.
    pub fn for_each(&self, visit: &mut dyn FnMut(PayloadRow<'_>)) -> Result<(), PayloadReadError> {
        scan::for_each(self, visit)
    }

    /// Row group and row within it. Reads one page of indexes, unless it holds all of its range or was the last one
    /// read.
    fn find(&self, index: u64, read: &mut Option<IndexesOfPage>) -> Result<Option<(usize, usize)>, PayloadReadError> {
        let group = self.groups.partition_point(|group| group.last < index);
        let Some(page) = self.groups.get(group).and_then(|found| found.page_of(index)) else {
            return Ok(None);
        };
        if let Some(at) = page.place_in_full(index) {
            return Ok(Some((group, page.rows.start + at)));
        }
        let place = (group, page.rows.start);
        let known = match read.take().filter(|known| known.place == place) {
            Some(known) => known,
            None => IndexesOfPage { place, indexes: self.indexes_of(group, page)? },
        };
        let position = read.insert(known).indexes.binary_search_by_key(&index, |found| found.cast_unsigned());
        Ok(position.ok().map(|at| (group, page.rows.start + at)))
    }

    /// Row group and row within it of the first entry at `index` or behind it. Reads one page of indexes.
    fn first_from(&self, index: u64) -> Result<(usize, usize), PayloadReadError> {
        let group = self.groups.partition_point(|group| group.last < index);
        let Some(page) = self.groups.get(group).and_then(|found| found.page_from(index)) else {
            return Ok((group, 0));
        };
        let before = self.indexes_of(group, page)?.partition_point(|found| found.cast_unsigned() < index);
        Ok((group, page.rows.start + before))
    }

    fn indexes_of(&self, group: usize, page: &IndexPage) -> Result<Vec<i64>, PayloadReadError> {
        let mut indexes = Vec::new();
        contained(|| {
            let mut column = self.column::<Int64Type>(group, 0)?;
            column.skip_records(page.rows.start)?;
            column.read_records(page.rows.len(), None, None, &mut indexes)
        })?;
        Ok(indexes)
    }

    fn column<T: DataType>(&self, group: usize, column: usize) -> parquet::errors::Result<ColumnReaderImpl<T>> {
        let missing = || parquet::errors::ParquetError::General("a column is missing".to_owned());
        let chunks = self.parquet.row_groups().get(group).ok_or_else(missing)?;
        let chunk = chunks.columns().get(column).ok_or_else(missing)?;
        let offsets = self.parquet.offset_index().and_then(|all| all.get(group)?.get(column)).ok_or_else(missing)?;
        let encoding = if column == 0 { Encoding::DELTA_BINARY_PACKED } else { Encoding::DELTA_LENGTH_BYTE_ARRAY };
        let rows = usize::try_from(chunks.num_rows()).map_err(|_| missing())?;
        let pages = CheckedPages::new(&self.file, chunk, rows, offsets.page_locations(), encoding)?;
        let reader = get_column_reader(chunk.column_descr_ptr(), Box::new(pages));
        Ok(get_typed_column_reader::<T>(reader))
    }

    /// All columns of a row group, standing before row `at`.
    fn columns(&self, group: usize, at: usize) -> Result<Columns, PayloadReadError> {
        contained(|| {
            let mut columns = Columns {
                index: self.column(group, 0)?,
                bytes: [
                    self.column(group, 1)?,
                    self.column(group, 2)?,
                    self.column(group, 3)?,
                    self.column(group, 4)?,
                    self.column(group, 5)?,
                ],
            };
            columns.index.skip_records(at)?;
            for column in &mut columns.bytes {
                column.skip_records(at)?;
            }
            Ok(columns)
        })
    }
}

impl<R: ChunkReader> PayloadFile<R> {
    /// What the file says of itself. Hold it against the name and the recording act.
    #[must_use]
    pub fn meta(&self) -> &PayloadMeta {
        &self.meta
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.groups.iter().map(|group| group.rows as u64).sum()
    }

    /// Whether the file has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// The indexes in a page.
struct IndexesOfPage {
    /// Row group, and its first row there.
    place: (usize, usize),
    indexes: Vec<i64>,
}

/// Readers of all columns of a row group, side by side.
struct Columns {
    index: ColumnReaderImpl<Int64Type>,
    bytes: [ColumnReaderImpl<ByteArrayType>; BYTE_COLUMNS],
}

/// Some rows, decoded. The values share the unpacked pages.
#[derive(Default)]
struct Batch {
    indexes: Vec<i64>,
    bytes: [Vec<ByteArray>; BYTE_COLUMNS],
    /// For each row 1 where column `parts` has a value, else 0.
    parts_present: Vec<i16>,
}

impl Columns {
    /// Replaces `batch` by the next `count` rows.
    fn read(&mut self, count: usize, batch: &mut Batch) -> Result<(), PayloadReadError> {
        batch.indexes.clear();
        batch.parts_present.clear();
        let read = contained(|| {
            let mut least = self.index.read_records(count, None, None, &mut batch.indexes)?.0;
            for (column, values) in self.bytes.iter_mut().zip(&mut batch.bytes) {
                values.clear();
                let levels = Some(&mut batch.parts_present);
                least = least.min(column.read_records(count, levels, None, values)?.0);
            }
            Ok(least)
        })?;
        let [required @ .., parts] = &batch.bytes;
        let present = batch.parts_present.iter().filter(|level| **level == 1).count();
        let whole = read == count
            && batch.indexes.len() == count
            && required.iter().all(|column| column.len() == count)
            && batch.parts_present.len() == count
            && parts.len() == present;
        if whole { Ok(()) } else { Err(damaged("a column ends before its rows do")) }
    }
}

impl Batch {
    fn rows(&self) -> impl Iterator<Item = PayloadRow<'_>> {
        let [salts, facts, people, raw, parts] = &self.bytes;
        let mut parts = parts.iter();
        let required = salts.iter().zip(facts).zip(people).zip(raw);
        let rows = self.indexes.iter().zip(&self.parts_present).zip(required);
        rows.map(move |((index, present), (((salts, facts), people), raw))| PayloadRow {
            index: index.cast_unsigned(),
            salts: salts.data(),
            facts: facts.data(),
            people: people.data(),
            raw: raw.data(),
            parts: if *present == 1 { parts.next().map(ByteArray::data) } else { None },
        })
    }
}
