//! Lines as bytes: NDJSON, CSV or Parquet.

use std::fmt;
use std::str::FromStr;

use crate::export::line::{Columns, Line};
use crate::export::spreadsheet::safe_cell;
use crate::export::table::Table;

/// How entries are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A JSON object a line, with all that proves it.
    #[default]
    Ndjson,
    /// A table, its cells safe for spreadsheets.
    Csv,
    /// A table with typed columns.
    Parquet,
}

/// Not the name of an encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the format is one of ndjson, csv and parquet")]
pub struct NotAnEncoding;

impl Encoding {
    /// In one word, as it is asked for.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// Its MIME type.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Encoding {
    type Err = NotAnEncoding;

    fn from_str(text: &str) -> Result<Self, NotAnEncoding> {
        [Self::Ndjson, Self::Csv, Self::Parquet].into_iter().find(|encoding| encoding.word() == text).ok_or(NotAnEncoding)
    }
}

/// A line could not be written as it was to be: only memory can be wanting.
#[derive(Debug, thiserror::Error)]
#[error("the export cannot be encoded: {0}")]
pub struct EncodeError(String);

impl EncodeError {
    pub(super) fn of(why: impl fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// Writes lines, page by page.
#[derive(Debug)]
pub enum Encoder {
    /// See [`Encoding::Ndjson`].
    Ndjson,
    /// See [`Encoding::Csv`]; whether the names of the columns stand there.
    Csv(bool),
    /// See [`Encoding::Parquet`].
    Parquet(Box<Table>),
}

/// Names of a table's columns before and behind those of the fields.
pub(super) const BEFORE: [&str; 6] = ["index", "time", "received", "entry", "source", "kind"];
pub(super) const BEHIND: [&str; 4] = ["raw", "raw_is", "ocsf", "leaf"];

impl Encoder {
    /// At the beginning of a file.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn begin(encoding: Encoding) -> Result<Self, EncodeError> {
        Ok(match encoding {
            Encoding::Ndjson => Self::Ndjson,
            Encoding::Csv => Self::Csv(false),
            Encoding::Parquet => Self::Parquet(Box::new(Table::begin()?)),
        })
    }

    /// In a file that has lines already; a Parquet file cannot be added to.
    #[must_use]
    pub const fn go_on(encoding: Encoding) -> Option<Self> {
        match encoding {
            Encoding::Ndjson => Some(Self::Ndjson),
            Encoding::Csv => Some(Self::Csv(true)),
            Encoding::Parquet => None,
        }
    }

    /// The bytes that these lines add.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn write(&mut self, lines: &[Line]) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Ndjson => {
                let mut out = Vec::new();
                for line in lines {
                    serde_json::to_writer(&mut out, line).map_err(EncodeError::of)?;
                    out.push(b'\n');
                }
                Ok(out)
            }
            Self::Csv(begun) => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                if !std::mem::replace(begun, true) {
                    writer.write_record(BEFORE.iter().chain(Columns::NAMES).chain(&BEHIND)).map_err(EncodeError::of)?;
                }
                for line in lines {
                    write_row(line, &mut writer).map_err(EncodeError::of)?;
                }
                writer.into_inner().map_err(EncodeError::of)
            }
            Self::Parquet(table) => table.write(lines),
        }
    }

    /// The bytes that end the file.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn end(self) -> Result<Vec<u8>, EncodeError> {
        match self {
            // Without a single line the names of the columns still stand there.
            Self::Csv(false) => Self::Csv(false).write(&[]),
            Self::Ndjson | Self::Csv(true) => Ok(Vec::new()),
            Self::Parquet(table) => table.end(),
        }
    }
}

fn write_row(line: &Line, writer: &mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error> {
    let index = line.index.to_string();
    let before = [index.as_str(), &line.time, &line.received, &line.entry, &line.source, &line.kind];
    let raw = line.raw_text();
    let behind = [raw.as_str(), line.raw_is.map_or("", |is| is.word()), line.ocsf.get(), line.evidence.leaf()];
    let fields = line.fields.values();
    let cells = before.into_iter().chain(fields.iter().map(|cell| cell.unwrap_or_default())).chain(behind);
    for cell in cells {
        writer.write_field(safe_cell(cell).as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)
}
