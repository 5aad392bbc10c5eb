//! Writes a payload file.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch, UInt64Array};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use super::{BATCH_ROWS, CREATED_BY, PAGE_ROWS, PayloadMeta, PayloadRow, PayloadWriteError, VALUE_BYTES_MAX};

/// Bytes of rows laid out before they are encoded: they are still in the cache when they are.
const BATCH_BYTES: usize = 256 << 10;

/// Bytes of rows after which a row group closes. Pages wait compressed in memory for the end of
/// their group: this bounds them at 16 MiB even for rows that do not shrink, and costs a segment of
/// 1 KB events only four groups.
const GROUP_BYTES: usize = 16 << 20;

/// Bytes of a data page: one row is read in 0.1 ms from such a page, and not better from a smaller.
const PAGE_BYTES: usize = 64 << 10;

/// Bytes of a page of envelopes, which repeat each other: whole 64 KiB would be unpacked for one.
const ENVELOPE_PAGE_BYTES: usize = 16 << 10;

/// Writes the rows of one payload file, ascending, into any writer.
///
/// Memory is bounded by a batch of rows and the compressed pages of one row group, about 20 MiB,
/// beside what `W` keeps.
pub struct PayloadWriter<W: Write + Send = Vec<u8>> {
    arrow: ArrowWriter<W>,
    schema: Arc<Schema>,
    end: u64,
    least: u64,
    indexes: Vec<u64>,
    /// salts, facts, people, raw, parts
    columns: [Column; 5],
    parts_present: Vec<bool>,
    batch_bytes: usize,
    group_bytes: usize,
}

impl<W: Write + Send> std::fmt::Debug for PayloadWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadWriter").field("next", &self.least).finish_non_exhaustive()
    }
}

/// The values of one byte column, end to end.
struct Column {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Column {
    fn new() -> Column {
        Column { offsets: vec![0], bytes: Vec::with_capacity(BATCH_BYTES) }
    }

    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        // A batch closes at 256 KiB and a value is at most 4 MiB: the sum fits.
        self.offsets.push(i32::try_from(self.bytes.len()).unwrap_or(i32::MAX));
    }

    fn take(&mut self, nulls: Option<NullBuffer>) -> Result<BinaryArray, arrow_schema::ArrowError> {
        let Column { offsets, bytes } = std::mem::replace(self, Column { offsets: vec![0], bytes: Vec::new() });
        BinaryArray::try_new(OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), nulls)
    }
}

impl PayloadWriter {
    /// Begins a file in memory.
    ///
    /// # Errors
    /// [`PayloadWriteError`] when the range of `meta` is impossible.
    pub fn new(meta: PayloadMeta) -> Result<PayloadWriter, PayloadWriteError> {
        PayloadWriter::into_writer(meta, Vec::new())
    }
}

impl<W: Write + Send> PayloadWriter<W> {
    /// Begins a file that streams into `out`, row group by row group.
    ///
    /// # Errors
    /// [`PayloadWriteError`] when the range of `meta` is impossible or `out` fails.
    #[expect(clippy::needless_pass_by_value, reason = "the writer stands for this file from here on")]
    pub fn into_writer(meta: PayloadMeta, out: W) -> Result<PayloadWriter<W>, PayloadWriteError> {
        let range = PayloadWriteError::Range { first: meta.first, count: meta.count };
        let end = meta.end().ok_or(range)?;
        let schema = Arc::new(Schema::new(vec![
            Field::new("index", DataType::UInt64, false),
            Field::new("salts", DataType::Binary, false),
            Field::new("facts", DataType::Binary, false),
            Field::new("people", DataType::Binary, false),
            Field::new("raw", DataType::Binary, false),
            Field::new("parts", DataType::Binary, true),
        ]));
        let options = ArrowWriterOptions::new().with_properties(properties(&meta)?).with_skip_arrow_metadata(true);
        Ok(PayloadWriter {
            arrow: ArrowWriter::try_new_with_options(out, Arc::clone(&schema), options)?,
            schema,
            end,
            least: meta.first,
            indexes: Vec::with_capacity(BATCH_ROWS),
            columns: std::array::from_fn(|_| Column::new()),
            parts_present: Vec::with_capacity(BATCH_ROWS),
            batch_bytes: 0,
            group_bytes: 0,
        })
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// [`PayloadWriteError`]; after one that is not about the row itself, give the file up.
    pub fn push(&mut self, row: &PayloadRow<'_>) -> Result<(), PayloadWriteError> {
        if !(self.least..self.end).contains(&row.index) {
            return Err(PayloadWriteError::Order { index: row.index });
        }
        let values = [row.salts, row.facts, row.people, row.raw, row.parts.unwrap_or_default()];
        if let Some(long) = values.iter().find(|value| value.len() > VALUE_BYTES_MAX) {
            return Err(PayloadWriteError::Value { index: row.index, bytes: long.len() });
        }
        self.least = row.index + 1;
        self.indexes.push(row.index);
        self.parts_present.push(row.parts.is_some());
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
            self.batch_bytes += value.len();
        }
        if self.batch_bytes >= BATCH_BYTES || self.indexes.len() >= BATCH_ROWS {
            self.encode_batch()?;
        }
        Ok(())
    }

    /// Completes the file and gives back what it was written into.
    ///
    /// # Errors
    /// [`PayloadWriteError::Write`] when the rest cannot be encoded or written.
    pub fn finish(mut self) -> Result<W, PayloadWriteError> {
        self.encode_batch()?;
        Ok(self.arrow.into_inner()?)
    }

    fn encode_batch(&mut self) -> Result<(), PayloadWriteError> {
        if self.indexes.is_empty() {
            return Ok(());
        }
        let indexes = std::mem::replace(&mut self.indexes, Vec::with_capacity(BATCH_ROWS));
        let present = std::mem::replace(&mut self.parts_present, Vec::with_capacity(BATCH_ROWS));
        let mut nulls = Some(NullBuffer::from(present));
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(indexes))];
        let [salts, facts, people, raw, parts] = &mut self.columns;
        for column in [salts, facts, people, raw] {
            arrays.push(Arc::new(column.take(None)?));
        }
        arrays.push(Arc::new(parts.take(nulls.take())?));
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)?;
        self.arrow.write(&batch)?;
        self.group_bytes += std::mem::take(&mut self.batch_bytes);
        if self.group_bytes >= GROUP_BYTES {
            self.arrow.flush()?;
            self.group_bytes = 0;
        }
        Ok(())
    }
}

fn properties(meta: &PayloadMeta) -> Result<WriterProperties, PayloadWriteError> {
    let column = |name: &str| ColumnPath::from(name);
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata(Some(meta.to_key_values()))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_column_compression(column("salts"), Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::DELTA_LENGTH_BYTE_ARRAY)
        .set_column_encoding(column("index"), Encoding::DELTA_BINARY_PACKED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(column("index"), EnabledStatistics::Page)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(BATCH_ROWS);
    for envelope in ["facts", "people"] {
        properties = properties.set_column_data_page_size_limit(column(envelope), ENVELOPE_PAGE_BYTES);
    }
    Ok(properties.build())
}
