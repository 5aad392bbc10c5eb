//! A payload file that is open, of which some entries are read.

use std::sync::Arc;

use evidence::leaf::Leaf;

use super::entry::{StoredEntry, entry_of};
use super::{ReadError, damaged};
use crate::store::media_reader::MediaReader;
use crate::store::payload_file::{IsWanted, OwnedRow, PayloadFile, Picked, Picker, Telling};

/// A payload file that is open.
pub struct OpenFile {
    pub(super) name: String,
    pub(super) rows: Arc<PayloadFile<MediaReader>>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OpenFile {
    /// Reads some of its entries, one call after another; what tells which of them are wanted is read first.
    #[must_use]
    pub fn entries(&self, telling: Telling) -> FileEntries<'_> {
        FileEntries { name: &self.name, picker: self.rows.picker(telling) }
    }

    /// The row group of an entry: what of one is read at a time comes to 16 MiB, or to one record more.
    #[must_use]
    pub fn group_of(&self, index: u64) -> usize {
        self.rows.group_of(index)
    }
}

/// Reads entries of one payload file. While what it is asked for ascends, nothing is unpacked twice.
#[derive(Debug)]
pub struct FileEntries<'f> {
    name: &'f str,
    picker: Picker<'f, MediaReader>,
}

impl FileEntries<'_> {
    /// Of the entries of these indexes, which must ascend and have these leaves, those that are wanted;
    /// and how many of all the file has.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn pick(&mut self, due: &[(u64, Leaf)], is_wanted: &mut IsWanted<'_>) -> Result<(Vec<StoredEntry>, usize), ReadError> {
        let indexes: Vec<u64> = due.iter().map(|(index, _)| *index).collect();
        let Picked { rows, met } = self.picker.pick(&indexes, is_wanted).map_err(|why| damaged(self.name, why))?;
        let leaf_of = |index: u64| due.binary_search_by_key(&index, |(known, _)| *known).ok().and_then(|at| due.get(at));
        let entry = |row: OwnedRow| {
            let (_, leaf) = leaf_of(row.index).ok_or_else(|| damaged(self.name, "a row is of another entry"))?;
            entry_of(row, *leaf, self.name)
        };
        Ok((rows.into_iter().map(entry).collect::<Result<_, _>>()?, met))
    }
}
