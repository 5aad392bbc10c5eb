//! A Parquet file of exported entries, written as its lines come.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::export::encode::{BEFORE, BEHIND, EncodeError};
use crate::export::line::{Columns, Line};
use crate::search::instant;

/// Bytes of a row group while it waits in memory for its end.
const GROUP_BYTES: usize = 16 << 20;

/// See the module.
pub struct Table {
    writer: ArrowWriter<Vec<u8>>,
    schema: Arc<Schema>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

fn schema() -> Schema {
    let column = |name: &str| match name {
        "index" => Field::new(name, DataType::UInt64, false),
        "time" | "received" => Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())), false),
        "entry" | "source" | "kind" | "raw" | "leaf" => Field::new(name, DataType::Utf8, false),
        _ => Field::new(name, DataType::Utf8, true),
    };
    Schema::new(BEFORE.iter().chain(Columns::NAMES).chain(&BEHIND).map(|name| column(name)).collect::<Vec<_>>())
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn begin() -> Result<Self, EncodeError> {
        let schema = Arc::new(schema());
        let level = ZstdLevel::try_new(3).map_err(EncodeError::of)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties)).map_err(EncodeError::of)?;
        Ok(Self { writer, schema })
    }

    /// The bytes that these lines add; they may come later, when their row group is full.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn write(&mut self, lines: &[Line]) -> Result<Vec<u8>, EncodeError> {
        if !lines.is_empty() {
            let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns(lines)).map_err(EncodeError::of)?;
            self.writer.write(&batch).map_err(EncodeError::of)?;
            if self.writer.in_progress_size() >= GROUP_BYTES {
                self.writer.flush().map_err(EncodeError::of)?;
            }
        }
        // The writer counts what it wrote, so what is taken away changes no offset.
        Ok(std::mem::take(self.writer.inner_mut()))
    }

    /// The last row group and the footer.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn end(self) -> Result<Vec<u8>, EncodeError> {
        self.writer.into_inner().map_err(EncodeError::of)
    }
}

/// What [`instant::format`] was given. Beyond the year 9999 it writes the number.
fn ms_of(text: &str) -> i64 {
    instant::read(text, 0).map(|span| span.from_ms).or_else(|| text.parse().ok()).unwrap_or_default()
}

fn columns(lines: &[Line]) -> Vec<ArrayRef> {
    fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.collect::<StringArray>())
    }
    let times = |of: fn(&Line) -> &str| -> ArrayRef {
        let values = lines.iter().map(|line| ms_of(of(line)));
        Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone("UTC"))
    };
    let raw: Vec<String> = lines.iter().map(Line::raw_text).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(lines.iter().map(|line| line.index))),
        times(|line| &line.time),
        times(|line| &line.received),
        texts(lines.iter().map(|line| Some(line.entry.as_str()))),
        texts(lines.iter().map(|line| Some(line.source.as_str()))),
        texts(lines.iter().map(|line| Some(line.kind.as_str()))),
    ];
    let fields: Vec<_> = lines.iter().map(|line| line.fields.values()).collect();
    for nth in 0..Columns::NAMES.len() {
        columns.push(texts(fields.iter().map(|values| values.get(nth).copied().flatten())));
    }
    columns.push(texts(raw.iter().map(|raw| Some(raw.as_str()))));
    columns.push(texts(lines.iter().map(|line| line.raw_is.map(|is| is.word()))));
    columns.push(texts(lines.iter().map(|line| Some(line.ocsf.get()).filter(|ocsf| *ocsf != "null"))));
    columns.push(texts(lines.iter().map(|line| Some(line.evidence.leaf()))));
    columns
}
