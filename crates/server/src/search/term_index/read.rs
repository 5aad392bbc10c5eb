//! Asks the index of a payload file.

use std::fs;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use evidence::act::PayloadFile;
use evidence::leaf::Kind;
use tantivy::columnar::Column;
use tantivy::directory::MmapDirectory;
use tantivy::postings::SegmentPostings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet as _, Index, InvertedIndexReader, SegmentReader, TERMINATED};

use super::count::{BLOCK, Known};
use super::{
    ABOUT, ABOUT_BYTES_MAX, About, CUT, ENTRY, Fields, ID, INDEX, RECEIVED, SOURCE, TERM_BYTES_MAX, TERMS, TIME, VERSION, id_hash, term,
};
use crate::search::field::Name;
use crate::search::rows::Rows;

/// An index that was opened: its files were read once and are what was written.
pub struct TermIndex {
    about: About,
    range: Range<u64>,
    pub(super) reader: SegmentReader,
    index: Column<u64>,
    pub(super) time: Column<i64>,
    received: Column<i64>,
    entry: Column<u64>,
    pub(super) source: Column<u64>,
    id: Column<u64>,
    /// The terms of each field and where they stand, in the order of [`TERMS`], once somebody asked.
    inverted: [OnceLock<Arc<InvertedIndexReader>>; TERMS.len()],
    present: OnceLock<Rows>,
    /// The events, acts and records, once somebody asked: most questions are about events.
    of_kind: [OnceLock<Rows>; 3],
    pub(super) counted: Known,
}

impl std::fmt::Debug for TermIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TermIndex").field("range", &self.range).finish_non_exhaustive()
    }
}

/// Runs tantivy, which takes its files for whole and stops the thread when they are not.
pub(super) fn contained<T>(run: impl FnOnce() -> tantivy::Result<T>) -> io::Result<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(why)) => Err(io::Error::other(why.to_string())),
        Err(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

impl TermIndex {
    /// Opens the index at `path`, if it is whole and of this payload file.
    #[must_use]
    pub fn open(path: &Path, of: &PayloadFile, maps: &str) -> Option<Self> {
        let about = path.join(ABOUT);
        if fs::metadata(&about).ok()?.len() > ABOUT_BYTES_MAX {
            return None;
        }
        let about: About = serde_json::from_slice(&fs::read(about).ok()?).ok()?;
        let fits = about.version == VERSION && about.file == tlog::canonical::hex(&of.sha256) && about.maps == maps;
        let whole = |(name, sum): (&String, &u32)| {
            !name.contains('/') && fs::read(path.join(name)).is_ok_and(|bytes| crc32c::crc32c(&bytes) == *sum)
        };
        if !fits || !about.sums.iter().all(whole) {
            return None;
        }
        let opened = contained(|| {
            let index = Index::open(MmapDirectory::open(path)?)?;
            if index.schema() != Fields::new().schema {
                return Err(tantivy::TantivyError::SchemaError("of another version".into()));
            }
            let segments = index.searchable_segments()?;
            let segment = segments.first().ok_or_else(|| tantivy::TantivyError::InvalidArgument("it has no segment".into()))?;
            let reader = SegmentReader::open(segment)?;
            let columns = reader.fast_fields();
            Ok(Self {
                range: of.first..of.end(),
                index: columns.u64(INDEX)?,
                time: columns.i64(TIME)?,
                received: columns.i64(RECEIVED)?,
                entry: columns.u64(ENTRY)?,
                source: columns.u64(SOURCE)?,
                id: columns.u64(ID)?,
                inverted: Default::default(),
                present: OnceLock::new(),
                of_kind: Default::default(),
                counted: Known::default(),
                reader,
                about,
            })
        });
        opened.ok()
    }

    /// Whether a folded text is a term as a whole, so that what has the term has the text.
    #[must_use]
    pub fn is_whole(folded: &str) -> bool {
        !folded.contains(CUT) && folded.len() <= TERM_BYTES_MAX
    }

    /// Whether the file has all of its range, and not those of one class alone.
    fn is_complete(&self) -> bool {
        u64::from(self.reader.max_doc()) == self.range.end - self.range.start
    }

    /// Which entry a document is.
    fn index_of(&self, document: u32) -> Option<u64> {
        if self.is_complete() { Some(self.range.start + u64::from(document)) } else { self.index.first(document) }
    }

    /// The entries that the file has: all of its range, or those of its class.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn present(&self) -> io::Result<Rows> {
        if self.is_complete() {
            return Ok(Rows::all(self.range.clone()));
        }
        if let Some(known) = self.present.get() {
            return Ok(known.clone());
        }
        let rows = contained(|| {
            let mut rows = Rows::none(self.range.clone());
            (0..self.reader.max_doc()).filter_map(|document| self.index.first(document)).for_each(|index| rows.insert(index));
            Ok(rows)
        })?;
        Ok(self.present.get_or_init(|| rows).clone())
    }

    /// The terms of a field.
    fn inverted(&self, name: Name) -> tantivy::Result<&InvertedIndexReader> {
        let unknown = || tantivy::TantivyError::FieldNotFound(name.word().to_owned());
        let known = TERMS.iter().position(|term| *term == name).and_then(|at| self.inverted.get(at)).ok_or_else(unknown)?;
        if let Some(known) = known.get() {
            return Ok(known);
        }
        let opened = self.reader.inverted_index(self.reader.schema().get_field(name.word())?)?;
        Ok(known.get_or_init(|| opened))
    }

    /// Adds the entries where a field is `value`. Long texts may be more than those.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn add_is(&self, name: Name, folded: &str, rows: &mut Rows) -> io::Result<()> {
        contained(|| {
            let inverted = self.inverted(name)?;
            if let Some(found) = inverted.terms().get(term(folded))? {
                self.add(&mut inverted.read_postings_from_terminfo(&found, IndexRecordOption::Basic)?, rows);
            }
            Ok(())
        })
    }

    /// Adds the entries where a value of a field passes; false if it may be more than those.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn add_passing(&self, name: Name, passes: &dyn Fn(&str) -> bool, rows: &mut Rows) -> io::Result<bool> {
        contained(|| {
            let inverted = self.inverted(name)?;
            let mut exact = !self.about.respelled;
            let mut terms = inverted.terms().stream()?;
            while terms.advance() {
                let value = String::from_utf8_lossy(terms.key());
                let cut = value.contains(CUT);
                if cut || passes(&value) {
                    exact &= !cut;
                    self.add(&mut inverted.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?, rows);
                }
            }
            Ok(exact)
        })
    }

    fn add(&self, postings: &mut SegmentPostings, rows: &mut Rows) {
        let mut document = postings.doc();
        while document != TERMINATED {
            if let Some(index) = self.index_of(document) {
                rows.insert(index);
            }
            document = postings.advance();
        }
    }

    /// The entries whose number in a column passes; every entry has one.
    fn where_number<T: PartialOrd + Copy + Default + std::fmt::Debug + Send + Sync + 'static>(
        &self,
        column: &Column<T>,
        passes: &dyn Fn(T) -> bool,
    ) -> io::Result<Rows> {
        let present = self.present()?;
        contained(|| {
            let mut rows = Rows::none(self.range.clone());
            let (mut indexes, documents) = (present.iter(), self.reader.max_doc() as usize);
            let mut values = [T::default(); BLOCK];
            for first in (0..documents).step_by(BLOCK) {
                let Some(values) = values.get_mut(..BLOCK.min(documents - first)) else { continue };
                column.values.get_range(first as u64, values);
                // Documents are entries in order.
                let passing = values.iter().zip(indexes.by_ref()).filter(|(value, _)| passes(**value));
                passing.for_each(|(_, index)| rows.insert(index));
            }
            Ok(rows)
        })
    }

    /// The entries that happened at a time that passes, ms.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn where_time(&self, passes: &dyn Fn(i64) -> bool) -> io::Result<Rows> {
        self.where_number(&self.time, passes)
    }

    /// The entries that were received at a time that passes, ms.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn where_received(&self, passes: &dyn Fn(i64) -> bool) -> io::Result<Rows> {
        self.where_number(&self.received, passes)
    }

    /// The entries of sources whose number passes.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn where_source(&self, passes: &dyn Fn(u64) -> bool) -> io::Result<Rows> {
        self.where_number(&self.source, passes)
    }

    /// The events, the acts or the records.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn of_kind(&self, kind: Kind) -> io::Result<&Rows> {
        let [events, acts, records] = &self.of_kind;
        let known = match kind {
            Kind::Event => events,
            Kind::Act => acts,
            Kind::Record => records,
        };
        if let Some(known) = known.get() {
            return Ok(known);
        }
        let rows = self.where_number(&self.entry, &|byte| byte == u64::from(kind.byte()))?;
        Ok(known.get_or_init(|| rows))
    }

    /// Of these entries the ones that may have this id.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn with_id(&self, folded: &str, of: &Rows) -> io::Result<Rows> {
        if of.is_empty() {
            return Ok(of.clone());
        }
        let (wanted, present) = (id_hash(folded), self.present()?);
        contained(|| {
            let mut rows = Rows::none(self.range.clone());
            for (index, document) in present.iter().zip(0_u32..).filter(|(index, _)| of.contains(*index)) {
                if self.id.values_for_doc(document).any(|id| id == wanted) {
                    rows.insert(index);
                }
            }
            Ok(rows)
        })
    }
}
