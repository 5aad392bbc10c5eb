//! Reads some rows, by their indexes.

use std::ops::Range;

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::reader::ChunkReader;

use super::super::bounds::{contained, damaged};
use super::super::{OwnedRow, PayloadReadError, PayloadRow};
use super::{IndexesOfPage, PayloadFile};

/// Where columns of bytes stand in the schema.
const SALTS: usize = 1;
const FACTS: usize = 2;
const PEOPLE: usize = 3;
const RAW: usize = 4;
const PARTS: usize = 5;

/// Which columns tell whether a row is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// `raw` alone.
    Raw,
    /// `raw` and `people`.
    RawAndPeople,
}

impl Telling {
    /// The columns that tell, and the others.
    const fn columns(self) -> (&'static [usize], &'static [usize]) {
        match self {
            Self::Raw => (&[RAW], &[SALTS, FACTS, PEOPLE, PARTS]),
            Self::RawAndPeople => (&[RAW, PEOPLE], &[SALTS, FACTS, PARTS]),
        }
    }
}

/// Says whether the row of an entry is wanted, by its columns `raw` and `people`; of the latter only if it tells, else
/// empty.
pub type IsWanted<'w> = dyn FnMut(u64, &[u8], &[u8]) -> bool + 'w;

/// Reads rows of one file. While what it is asked for ascends, no page is unpacked twice.
pub struct Picker<'f, R: ChunkReader> {
    file: &'f PayloadFile<R>,
    telling: Telling,
    indexes: Option<IndexesOfPage>,
    open: Option<Open>,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Picked {
    /// The rows that were wanted.
    pub rows: Vec<OwnedRow>,
    /// How many of the entries asked for the file has.
    pub met: usize,
}

/// The columns of a row group. Most records are settled by their bytes: the other columns follow where they are
/// wanted.
struct Open {
    group: usize,
    /// The row before which `index` and what tells stand.
    at: usize,
    index: ColumnReaderImpl<Int64Type>,
    telling: Vec<ColumnReaderImpl<ByteArrayType>>,
    others_at: usize,
    others: Vec<ColumnReaderImpl<ByteArrayType>>,
}

impl<R: ChunkReader> std::fmt::Debug for Picker<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picker").field("file", self.file).finish_non_exhaustive()
    }
}

impl<'f, R: ChunkReader + 'static> Picker<'f, R> {
    pub(super) const fn new(file: &'f PayloadFile<R>, telling: Telling) -> Self {
        Self { file, telling, indexes: None, open: None }
    }

    /// Of the rows of these entries, which must ascend, those that are wanted.
    ///
    /// # Errors
    /// [`PayloadReadError::Damaged`].
    pub fn pick(&mut self, indexes: &[u64], is_wanted: &mut IsWanted<'_>) -> Result<Picked, PayloadReadError> {
        let mut places = Vec::with_capacity(indexes.len());
        for index in indexes {
            places.extend(self.file.find(*index, &mut self.indexes)?.map(|(group, at)| (group, at, *index)));
        }
        let mut picked = Picked { rows: Vec::new(), met: places.len() };
        for run in places.chunk_by(|(group, at, _), (next_group, next_at, _)| group == next_group && at + 1 == *next_at) {
            let Some((group, first, _)) = run.first().copied() else { continue };
            let mut open = self.open(group, first)?;
            let (found, telling) = open.telling(first, run.len())?;
            if !run.iter().map(|(_, _, index)| *index).eq(found.iter().map(|found| found.cast_unsigned())) {
                return Err(damaged("an index is not where its page index says"));
            }
            let of_row = |nth: usize| telling.iter().filter_map(move |column| column.get(nth)).map(ByteArray::data);
            let told = run.iter().enumerate().filter_map(|(nth, (_, at, index))| {
                let mut told = of_row(nth);
                Some(Told { at: *at, index: *index, raw: told.next()?, people: told.next() })
            });
            let wanted: Vec<_> = told.filter(|row| is_wanted(row.index, row.raw, row.people.unwrap_or_default())).collect();
            for neighbours in wanted.chunk_by(|row, next| row.at + 1 == next.at) {
                open.add_rows(neighbours, &mut picked.rows)?;
            }
            // Not after an error: some columns have gone on then, and others have not.
            self.open = Some(open);
        }
        Ok(picked)
    }

    /// The columns of a row group, which stand before row `at` or further up.
    fn open(&mut self, group: usize, at: usize) -> Result<Open, PayloadReadError> {
        let file = self.file;
        let fits = |open: &Open| open.group == group && open.at <= at && open.others_at <= at;
        match self.open.take().filter(fits) {
            Some(open) => Ok(open),
            None => contained(|| {
                let (telling, others) = self.telling.columns();
                let all = |columns: &[usize]| columns.iter().map(|column| file.column(group, *column)).collect::<Result<_, _>>();
                let (telling, others) = (all(telling)?, all(others)?);
                Ok(Open { group, at: 0, index: file.column(group, 0)?, telling, others_at: 0, others })
            }),
        }
    }
}

/// A row, as far as was read to say whether it is wanted.
struct Told<'r> {
    at: usize,
    index: u64,
    raw: &'r [u8],
    people: Option<&'r [u8]>,
}

impl Open {
    /// The indexes of `count` rows from `first` on, and what tells whether they are wanted, column by column.
    fn telling(&mut self, first: usize, count: usize) -> Result<(Vec<i64>, Vec<Vec<ByteArray>>), PayloadReadError> {
        let mut values: Vec<_> = self.telling.iter().map(|_| Vec::with_capacity(count)).collect();
        let mut indexes = Vec::with_capacity(count);
        let skipped = first - self.at;
        contained(|| {
            if skipped > 0 {
                self.index.skip_records(skipped)?;
            }
            self.index.read_records(count, None, None, &mut indexes)?;
            for (column, values) in self.telling.iter_mut().zip(&mut values) {
                if skipped > 0 {
                    column.skip_records(skipped)?;
                }
                column.read_records(count, None, None, values)?;
            }
            Ok(())
        })?;
        self.at = first + count;
        let whole = indexes.len() == count && values.iter().all(|values| values.len() == count);
        if whole { Ok((indexes, values)) } else { Err(ends_early()) }
    }

    /// Adds rows that stand side by side, with the other columns.
    fn add_rows(&mut self, told: &[Told<'_>], rows: &mut Vec<OwnedRow>) -> Result<(), PayloadReadError> {
        let Some(Told { at, .. }) = told.first() else { return Ok(()) };
        let (values, present) = self.others(*at..at + told.len())?;
        let [salts, facts, people @ .., parts] = &values[..] else { return Err(ends_early()) };
        let mut parts = parts.iter();
        for (nth, ((told, present), (salts, facts))) in told.iter().zip(&present).zip(salts.iter().zip(facts)).enumerate() {
            let parts = if *present == 1 { parts.next().map(ByteArray::data) } else { None };
            // If they did not tell, they are among the others.
            let others = || people.first().and_then(|people| people.get(nth)).map(ByteArray::data);
            let people = told.people.or_else(others).ok_or_else(ends_early)?;
            let (index, raw) = (told.index, told.raw);
            rows.push(PayloadRow { index, salts: salts.data(), facts: facts.data(), people, raw, parts }.to_owned_row());
        }
        Ok(())
    }

    /// The other columns of these rows, and for each row 1 where `parts` has a value.
    fn others(&mut self, wanted: Range<usize>) -> Result<(Vec<Vec<ByteArray>>, Vec<i16>), PayloadReadError> {
        let (mut values, mut present) = (vec![Vec::new(); self.others.len()], Vec::new());
        let (skipped, count) = (wanted.start - self.others_at, wanted.len());
        contained(|| {
            for (column, values) in self.others.iter_mut().zip(&mut values) {
                if skipped > 0 {
                    column.skip_records(skipped)?;
                }
                // Of columns that always have a value nothing is said in the levels.
                column.read_records(count, Some(&mut present), None, values)?;
            }
            Ok(())
        })?;
        self.others_at = wanted.end;
        let [required @ .., parts] = &values[..] else { return Err(ends_early()) };
        let of_parts = present.iter().filter(|level| **level == 1).count();
        let whole = required.iter().all(|column| column.len() == count) && present.len() == count && parts.len() == of_parts;
        if whole { Ok((values, present)) } else { Err(ends_early()) }
    }
}

fn ends_early() -> PayloadReadError {
    damaged("a column ends before its rows do")
}
