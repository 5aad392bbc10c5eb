//! Rows on their way out, in one of the forms they are asked for.

mod table;

use std::io::Write;

use clap::ValueEnum;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::json::writer::{LineDelimited, WriterBuilder};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use indelible::cli::failure::Failure;
use indelible::cli::safe_text::escape;
use indelible::export::safe_cell;

use self::table::Table;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: long values are cut.
    Table,
    /// A JSON object a line.
    Json,
    /// With a header row, its cells safe for spreadsheets.
    Csv,
    /// Arrow's IPC stream.
    Arrow,
}

type Out = Box<dyn Write + Send>;

/// Writes rows.
pub struct Rows {
    form: Form,
    count: u64,
}

enum Form {
    Table(Out, Table),
    Json(Out),
    Csv(Box<csv::Writer<Out>>),
    Arrow(Box<StreamWriter<Out>>),
}

impl Rows {
    /// Begins with what stands before the first row. `explains`: a plan, whose lines are shown as they are.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(format: Format, explains: bool, schema: &Schema, out: Out) -> Result<Self, Failure> {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let form = match format {
            Format::Table => Form::Table(out, Table::new(names(), explains)),
            Format::Json => Form::Json(out),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(names().map(|name| safe(name).into_bytes())).map_err(csv_failure)?;
                Form::Csv(Box::new(writer))
            }
            Format::Arrow => Form::Arrow(Box::new(StreamWriter::try_new(out, schema)?)),
        };
        Ok(Self { form, count: 0 })
    }

    /// Writes some rows; a table keeps them until its end.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match &mut self.form {
            Form::Table(_, table) => each_row(batch, |cells| table.add(cells))?,
            Form::Json(out) => {
                let mut lines = Vec::new();
                let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut lines);
                writer.write(batch)?;
                writer.finish()?;
                out.write_all(escape(&String::from_utf8_lossy(&lines)).as_bytes())?;
            }
            Form::Csv(writer) => {
                // A number is no formula, whatever it begins with.
                let plain: Vec<_> = batch.columns().iter().map(|column| is_plain(column.data_type())).collect();
                let mut wrong = None;
                each_row(batch, |cells| {
                    let cells = cells.into_iter().zip(&plain).map(|(cell, plain)| if *plain { cell } else { safe(&cell) });
                    wrong = wrong.take().or(writer.write_record(cells.map(String::into_bytes)).err());
                })?;
                wrong.map_or(Ok(()), |why| Err(csv_failure(why)))?;
            }
            Form::Arrow(writer) => writer.write(batch)?,
        }
        self.count += batch.num_rows() as u64;
        Ok(())
    }

    /// Writes what is left, and says how many rows there were.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(self) -> Result<u64, Failure> {
        match self.form {
            Form::Table(mut out, table) => {
                table.write(&mut out)?;
                out.flush()?;
            }
            Form::Json(mut out) => out.flush()?,
            Form::Csv(mut writer) => writer.flush()?,
            Form::Arrow(mut writer) => {
                writer.finish()?;
                writer.get_mut().flush()?;
            }
        }
        Ok(self.count)
    }
}

/// Gives the cells of each row as texts.
fn each_row(batch: &RecordBatch, mut take: impl FnMut(Vec<String>)) -> Result<(), Failure> {
    let options = FormatOptions::default();
    let columns: Vec<_> = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options)).collect::<Result<_, _>>()?;
    for row in 0..batch.num_rows() {
        take(columns.iter().map(|column| column.value(row).to_string()).collect());
    }
    Ok(())
}

fn is_plain(kind: &DataType) -> bool {
    kind.is_numeric() || matches!(kind, DataType::Boolean | DataType::Null)
}

fn safe(cell: &str) -> String {
    safe_cell(&escape(cell)).into_owned()
}

fn csv_failure(why: csv::Error) -> Failure {
    match why.into_kind() {
        csv::ErrorKind::Io(why) => Failure::from(why),
        other => Failure::new(format!("the rows cannot be written: {other:?}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};

    /// What was written.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, texts: &[Option<&str>]) -> String {
        let numbers = Int64Array::from((0..texts.len() as i64).map(|n| -n).collect::<Vec<_>>());
        let columns = [("=name", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef), ("n", Arc::new(numbers) as ArrayRef)];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let kept = Kept::default();
        let mut rows = Rows::begin(format, false, &batch.schema(), Box::new(kept.clone())).unwrap();
        rows.write(&batch).unwrap();
        assert_eq!(rows.end().unwrap(), texts.len() as u64);
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn no_text_of_csv_is_a_formula_and_numbers_stay_numbers() {
        let csv = written(Format::Csv, &[Some("ana"), Some("=HYPERLINK(\"x\")"), None, Some("\r=1"), Some("a,\"b\"\nc")]);
        assert_eq!(csv, "'=name,n\nana,0\n\"'=HYPERLINK(\"\"x\"\")\",-1\n,-2\n\\u000d=1,-3\n\"a,\"\"b\"\"\nc\",-4\n");
    }

    #[test]
    fn json_has_an_object_a_line_with_all_columns_and_is_inert() {
        let json = written(Format::Json, &[Some("a\u{202e}\u{1b}b"), None]);
        assert_eq!(json, "{\"=name\":\"a\\u202e\\u001bb\",\"n\":0}\n{\"=name\":null,\"n\":-1}\n");
    }

    #[test]
    fn a_table_is_aligned_and_one_line_a_row() {
        let long = "x".repeat(200);
        let table = written(Format::Table, &[Some("a\nb\u{1b}[2J"), Some(&long), None]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines.iter().all(|line| line.chars().all(|c| !c.is_control())), "{table}");
        assert!(table.contains("a\\nb\\u001b[2J") && table.contains('…'), "{table}");
    }
}
