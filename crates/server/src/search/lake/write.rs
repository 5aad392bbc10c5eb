//! Writes the lake file of a payload file, entry by entry.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, Int64Builder, StringBuilder, TimestampMillisecondBuilder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::about::{About, Origin};
use super::column::{COLUMNS, Fact, From, Kind, ZONE, schema};
use super::row::Values;
use crate::search::document::Document;
use crate::search::field::{Field, Name};

/// Rows laid out before they are encoded.
const BATCH_ROWS: usize = 1024;
/// Rows of a row group: a payload file has no more, and engines share work by row groups and files.
const GROUP_ROWS: usize = 65_536;
/// Bytes of a page.
const PAGE_BYTES: usize = 256 << 10;
/// How hard zstd tries.
const LEVEL: i32 = 3;
/// And with the OCSF forms, which are three quarters of a full lake: a sixth less of it than level 3 leaves, at 50,000
/// events a second and core.
const OCSF_LEVEL: i32 = 6;
/// Bytes of a page of them: zstd finds in it what events have in common.
const OCSF_PAGE_BYTES: usize = 1 << 20;
/// How often a Bloom filter says in vain that a file may have a value.
const BLOOM_WRONG: f64 = 0.01;
/// First and last moment that engines can show: the years 1 to 9999.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// The values of a column that wait to be encoded.
enum Waiting {
    Index(UInt64Builder),
    Enumerated(Int32Builder),
    Number(Int64Builder),
    Time(TimestampMillisecondBuilder),
    Text(StringBuilder),
}

impl Waiting {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Index => Self::Index(UInt64Builder::new()),
            Kind::Enumerated => Self::Enumerated(Int32Builder::new()),
            Kind::Number => Self::Number(Int64Builder::new()),
            Kind::Time => Self::Time(TimestampMillisecondBuilder::new().with_timezone(ZONE)),
            Kind::Text => Self::Text(StringBuilder::new()),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Index(values) => Arc::new(values.finish()),
            Self::Enumerated(values) => Arc::new(values.finish()),
            Self::Number(values) => Arc::new(values.finish()),
            Self::Time(values) => Arc::new(values.finish()),
            Self::Text(values) => Arc::new(values.finish()),
        }
    }
}

/// A Parquet file that grows under a name of its own.
struct Growing {
    arrow: ArrowWriter<File>,
    schema: Arc<Schema>,
    waiting: Vec<Waiting>,
    rows: usize,
    full: bool,
}

/// Writes one lake file. What goes wrong on the way is said at the end: an index that is made in the same pass
/// need not fail with it.
pub struct Writer {
    growing: io::Result<Growing>,
    temporary: PathBuf,
    parquet: PathBuf,
    about: PathBuf,
    origin: Origin,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("temporary", &self.temporary).finish_non_exhaustive()
    }
}

/// What Parquet says, as what the system says.
fn failed(why: ParquetError) -> io::Error {
    match why {
        ParquetError::External(why) => match why.downcast::<io::Error>() {
            Ok(why) => *why,
            Err(why) => io::Error::other(why),
        },
        other => io::Error::other(other),
    }
}

fn laid_out(why: ArrowError) -> io::Error {
    io::Error::other(why)
}

impl Writer {
    /// Begins a file that is to stand at the first of the paths, described by the second.
    pub(super) fn begin([parquet, about]: [PathBuf; 2], origin: Origin) -> Self {
        let temporary = about.with_extension("parquet.tmp");
        Self { growing: Growing::new(&temporary, &origin), temporary, parquet, about, origin }
    }

    /// Where the file is to stand.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.parquet
    }

    /// Takes in the next entry.
    pub fn add(&mut self, document: &Document<'_>) {
        if let Ok(growing) = &mut self.growing
            && let Err(why) = growing.add(document)
        {
            self.growing = Err(why);
        }
    }

    /// Completes the file and puts it in its place. What stood there is gone before, so that whatever happens in
    /// between leaves a file that does not count as made.
    ///
    /// # Errors
    /// What the system said first.
    pub fn finish(self) -> io::Result<()> {
        let file = self.growing?.finish()?;
        let about = About::of(&file, self.origin)?;
        // Pages have no checksum that engines look at: after a power cut a file is whole or not there.
        file.sync_all()?;
        match fs::remove_file(&self.about) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        fs::rename(&self.temporary, &self.parquet)?;
        about.write(&self.about)
    }
}

impl Growing {
    fn new(temporary: &Path, origin: &Origin) -> io::Result<Self> {
        if let Some(dir) = temporary.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(temporary)?;
        let schema = schema();
        let arrow = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties(origin).map_err(failed)?)).map_err(failed)?;
        let waiting = COLUMNS.iter().map(|column| Waiting::new(column.kind)).collect();
        Ok(Self { arrow, schema, waiting, rows: 0, full: origin.full })
    }

    fn add(&mut self, document: &Document<'_>) -> io::Result<()> {
        let ocsf = document.ocsf_form();
        let values = ocsf.map(|(text, tape)| Values::find(text, tape));
        for (nth, (column, waiting)) in COLUMNS.iter().zip(&mut self.waiting).enumerate() {
            match (waiting, column.from) {
                (Waiting::Index(to), _) => to.append_value(document.index()),
                (Waiting::Time(to), from) => to.append_option(moment(document, from)),
                (Waiting::Enumerated(to), _) => {
                    let number = values.as_ref().and_then(|values| values.number(nth));
                    to.append_option(number.and_then(|number| i32::try_from(number).ok()));
                }
                (Waiting::Number(to), _) => to.append_option(values.as_ref().and_then(|values| values.number(nth))),
                (Waiting::Text(to), From::Ocsf(_)) => to.append_option(values.as_ref().and_then(|values| values.text(nth))),
                (Waiting::Text(to), From::Entry(Fact::Ocsf)) => to.append_option(ocsf.map(|(text, _)| text).filter(|_| self.full)),
                (Waiting::Text(to), From::Entry(fact)) => append_first(document, name_of(fact), to),
            }
        }
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.encode() } else { Ok(()) }
    }

    fn encode(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let columns = self.waiting.iter_mut().map(Waiting::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(laid_out)?;
        self.arrow.write(&batch).map_err(failed)
    }

    fn finish(mut self) -> io::Result<File> {
        self.encode()?;
        self.arrow.into_inner().map_err(failed)
    }
}

/// Appends the first value of a field, or none.
fn append_first(document: &Document<'_>, name: Option<Name>, to: &mut StringBuilder) {
    let mut append = |value: &str| {
        to.append_value(value);
        true
    };
    if !name.is_some_and(|name| document.values(&Field::Named(name), &mut append)) {
        to.append_null();
    }
}

/// A time that engines can show.
fn moment(document: &Document<'_>, from: From) -> Option<i64> {
    let ms = if from == From::Entry(Fact::Time) { document.time_ms() } else { document.received_ms() };
    TIMES.contains(&ms).then_some(ms)
}

/// The field of the search line whose first value is the fact.
const fn name_of(fact: Fact) -> Option<Name> {
    match fact {
        Fact::Entry => Some(Name::Entry),
        Fact::Source => Some(Name::Source),
        Fact::Kind => Some(Name::Kind),
        Fact::Id => Some(Name::Id),
        Fact::Action => Some(Name::Action),
        Fact::Actor => Some(Name::Actor),
        Fact::Target => Some(Name::Target),
        Fact::Index | Fact::Time | Fact::Received | Fact::Ocsf => None,
    }
}

fn properties(origin: &Origin) -> Result<WriterProperties, ParquetError> {
    let path = |name: &str| ColumnPath::from(name);
    let format = format!("lake/v{}", origin.version);
    let about = [("indelible.format", &format), ("indelible.payload", &origin.file), ("indelible.maps", &origin.maps)];
    let about = about.map(|(key, value)| KeyValue::new(key.to_owned(), value.clone()));
    let mut properties = WriterProperties::builder()
        .set_key_value_metadata(Some(about.into()))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(LEVEL)?))
        .set_column_compression(path("ocsf"), Compression::ZSTD(ZstdLevel::try_new(OCSF_LEVEL)?))
        .set_column_data_page_size_limit(path("ocsf"), OCSF_PAGE_BYTES)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_write_batch_size(BATCH_ROWS)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_column_dictionary_enabled(path("index"), false)
        .set_column_encoding(path("index"), Encoding::DELTA_BINARY_PACKED);
    for time in ["time", "received"] {
        properties =
            properties.set_column_dictionary_enabled(path(time), false).set_column_encoding(path(time), Encoding::DELTA_BINARY_PACKED);
    }
    // Every value is another: a dictionary would hold them all, and their least and greatest say nothing.
    for unlike in ["id", "ocsf"] {
        properties = properties.set_column_dictionary_enabled(path(unlike), false);
        properties = properties.set_column_statistics_enabled(path(unlike), EnabledStatistics::None);
    }
    for column in COLUMNS.iter().filter(|column| column.bloom) {
        properties = properties.set_column_bloom_filter_fpp(path(column.name), BLOOM_WRONG);
        properties = properties.set_column_bloom_filter_max_ndv(path(column.name), GROUP_ROWS as u64);
    }
    Ok(properties.build())
}
