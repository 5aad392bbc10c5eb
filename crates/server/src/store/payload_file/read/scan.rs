//! Walks the rows in order.

use std::ops::Range;

use parquet::file::reader::ChunkReader;

use super::super::bounds::damaged;
use super::super::{OwnedRow, PayloadReadError, PayloadRow};
use super::{BATCH_ROWS, Batch, Columns, PayloadFile};

pub(super) fn for_each<R: ChunkReader + 'static>(
    file: &PayloadFile<R>,
    visit: &mut dyn FnMut(PayloadRow<'_>),
) -> Result<(), PayloadReadError> {
    let mut batches = Batches::new(file, 0, 0);
    let mut batch = Batch::default();
    while batches.next(&mut batch)? {
        batch.rows().for_each(&mut *visit);
    }
    Ok(())
}

/// The rows of a range, ascending; made by [`PayloadFile::rows`].
pub struct Rows<'f, R: ChunkReader> {
    batches: Result<Batches<'f, R>, Option<PayloadReadError>>,
    range: Range<u64>,
    batch: Batch,
    ready: std::vec::IntoIter<OwnedRow>,
}

impl<'f, R: ChunkReader + 'static> Rows<'f, R> {
    pub(super) fn new(file: &'f PayloadFile<R>, range: Range<u64>) -> Rows<'f, R> {
        let batches = file.first_from(range.start).map(|(group, at)| Batches::new(file, group, at)).map_err(Some);
        Rows { batches, range, batch: Batch::default(), ready: Vec::new().into_iter() }
    }

    /// Fills `ready`; leaves it empty at the end.
    fn advance(&mut self) -> Result<(), PayloadReadError> {
        let batches = match &mut self.batches {
            Ok(batches) => batches,
            Err(why) => return why.take().map_or(Ok(()), Err),
        };
        while self.ready.as_slice().is_empty() && batches.next(&mut self.batch)? {
            let rows = self.batch.rows().filter(|row| self.range.contains(&row.index));
            self.ready = rows.map(|row| row.to_owned_row()).collect::<Vec<_>>().into_iter();
            if self.batch.indexes.last().is_none_or(|last| last.cast_unsigned() >= self.range.end) {
                self.batches = Err(None);
                return Ok(());
            }
        }
        Ok(())
    }
}

impl<R: ChunkReader + 'static> Iterator for Rows<'_, R> {
    type Item = Result<OwnedRow, PayloadReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.as_slice().is_empty()
            && let Err(why) = self.advance()
        {
            self.batches = Err(None);
            return Some(Err(why));
        }
        self.ready.next().map(Ok)
    }
}

impl<R: ChunkReader> std::fmt::Debug for Rows<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("range", &self.range).finish_non_exhaustive()
    }
}

/// Batches of rows, each checked for its order.
struct Batches<'f, R: ChunkReader> {
    file: &'f PayloadFile<R>,
    group: usize,
    /// The next row within the group.
    at: usize,
    columns: Option<Columns>,
    /// Least index the next row may have.
    least: u64,
}

impl<'f, R: ChunkReader + 'static> Batches<'f, R> {
    fn new(file: &'f PayloadFile<R>, group: usize, at: usize) -> Batches<'f, R> {
        Batches { file, group, at, columns: None, least: file.meta.first }
    }

    /// Replaces `batch` by the next rows; false at the end.
    fn next(&mut self, batch: &mut Batch) -> Result<bool, PayloadReadError> {
        let Some(group) = self.file.groups.get(self.group) else {
            return Ok(false);
        };
        let columns = match &mut self.columns {
            Some(columns) => columns,
            none => none.insert(self.file.columns(self.group, self.at)?),
        };
        let count = (group.rows - self.at).min(BATCH_ROWS);
        columns.read(count, batch)?;
        self.at += count;
        if self.at == group.rows {
            (self.group, self.at, self.columns) = (self.group + 1, 0, None);
        }
        let end = self.file.meta.end().unwrap_or(0);
        for index in batch.indexes.iter().map(|index| index.cast_unsigned()) {
            if !(self.least..end).contains(&index) {
                return Err(damaged("its indexes are out of order or outside its range"));
            }
            self.least = index + 1;
        }
        Ok(true)
    }
}
