//! Reads some rows, by their indexes.

use std::ops::Range;

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::reader::ChunkReader;

use super::super::bounds::{contained, damaged};
use super::super::{OwnedRow, PayloadReadError, PayloadRow};
use super::{IndexesOfPage, PayloadFile};

/// Where columns of bytes stand in the schema: what tells whether a row is wanted, and the others.
const TELLING: [usize; 2] = [PEOPLE, RAW];
const OTHERS: [usize; 3] = [SALTS, FACTS, PARTS];
const SALTS: usize = 1;
const FACTS: usize = 2;
const PEOPLE: usize = 3;
const RAW: usize = 4;
const PARTS: usize = 5;

/// Says whether the row of an entry is wanted, by its columns `people` and `raw`.
pub type IsWanted<'w> = dyn FnMut(u64, &[u8], &[u8]) -> bool + 'w;

/// Reads rows of one file. While what it is asked for ascends, no page is unpacked twice.
pub struct Picker<'f, R: ChunkReader> {
    file: &'f PayloadFile<R>,
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
    telling: [ColumnReaderImpl<ByteArrayType>; TELLING.len()],
    others_at: usize,
    others: [ColumnReaderImpl<ByteArrayType>; OTHERS.len()],
}

impl<R: ChunkReader> std::fmt::Debug for Picker<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picker").field("file", self.file).finish_non_exhaustive()
    }
}

impl<'f, R: ChunkReader + 'static> Picker<'f, R> {
    pub(super) const fn new(file: &'f PayloadFile<R>) -> Self {
        Self { file, indexes: None, open: None }
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
            let (found, [people, raws]) = open.telling(first, run.len())?;
            if !run.iter().map(|(_, _, index)| *index).eq(found.iter().map(|found| found.cast_unsigned())) {
                return Err(damaged("an index is not where its page index says"));
            }
            let told = run.iter().zip(people.iter().zip(&raws)).map(|((_, at, index), (people, raw))| Told {
                at: *at,
                index: *index,
                people,
                raw,
            });
            let wanted: Vec<_> = told.filter(|row| is_wanted(row.index, row.people.data(), row.raw.data())).collect();
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
                let [people, raw] = TELLING.map(|column| file.column(group, column));
                let [salts, facts, parts] = OTHERS.map(|column| file.column(group, column));
                let (telling, others) = ([people?, raw?], [salts?, facts?, parts?]);
                Ok(Open { group, at: 0, index: file.column(group, 0)?, telling, others_at: 0, others })
            }),
        }
    }
}

/// A row, as far as was read to say whether it is wanted.
struct Told<'r> {
    at: usize,
    index: u64,
    people: &'r ByteArray,
    raw: &'r ByteArray,
}

impl Open {
    /// The indexes of `count` rows from `first` on, and what tells whether they are wanted.
    fn telling(&mut self, first: usize, count: usize) -> Result<(Vec<i64>, [Vec<ByteArray>; TELLING.len()]), PayloadReadError> {
        let (mut indexes, mut values) = (Vec::with_capacity(count), TELLING.map(|_| Vec::with_capacity(count)));
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
        let ([salts, facts, parts], present) = self.others(*at..at + told.len())?;
        let mut parts = parts.iter();
        let others = salts.iter().zip(&facts).zip(&present);
        rows.extend(told.iter().zip(others).map(|(told, ((salts, facts), present))| {
            let parts = if *present == 1 { parts.next().map(ByteArray::data) } else { None };
            let (salts, facts, people, raw) = (salts.data(), facts.data(), told.people.data(), told.raw.data());
            PayloadRow { index: told.index, salts, facts, people, raw, parts }.to_owned_row()
        }));
        Ok(())
    }

    /// The other columns of these rows, and for each row 1 where `parts` has a value.
    fn others(&mut self, wanted: Range<usize>) -> Result<([Vec<ByteArray>; OTHERS.len()], Vec<i16>), PayloadReadError> {
        let (mut values, mut present): ([Vec<ByteArray>; OTHERS.len()], _) = (Default::default(), Vec::new());
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
        let [required @ .., parts] = &values;
        let of_parts = present.iter().filter(|level| **level == 1).count();
        let whole = required.iter().all(|column| column.len() == count) && present.len() == count && parts.len() == of_parts;
        if whole { Ok((values, present)) } else { Err(ends_early()) }
    }
}

fn ends_early() -> PayloadReadError {
    damaged("a column ends before its rows do")
}
