//! Asks the index of a payload file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use evidence::act::PayloadFile;
use tantivy::columnar::Column;
use tantivy::directory::MmapDirectory;
use tantivy::postings::SegmentPostings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet as _, Index, SegmentReader, TERMINATED, Term};

use super::{
    ABOUT, ABOUT_BYTES_MAX, About, CUT, ENTRY, Fields, ID, INDEX, RECEIVED, SOURCE, TERM_BYTES_MAX, TIME, VERSION, first_of, id_hash, term,
};
use crate::search::compare::Ready;
use crate::search::field::Name;
use crate::search::ordinals::{NO_NUMBER, Ordinals};
use crate::search::rows::Rows;

/// Documents counted at a time.
const BLOCK: usize = 1024;

/// An index that was opened: its files were read once and are what was written.
pub struct TermIndex {
    about: About,
    range: Range<u64>,
    reader: SegmentReader,
    index: Column<u64>,
    time: Column<i64>,
    received: Column<i64>,
    entry: Column<u64>,
    source: Column<u64>,
    id: Column<u64>,
    present: OnceLock<Rows>,
    /// Of fields that were counted.
    first_values: Mutex<HashMap<Name, Arc<FirstValues>>>,
}

/// The first values of a field by their place in this index.
#[derive(Debug)]
struct FirstValues {
    /// The number of each, as [`Ordinals`] has it.
    numbers: Vec<u32>,
    /// How often each stands in all of the index, once somebody counted that.
    totals: OnceLock<Vec<u64>>,
}

impl std::fmt::Debug for TermIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TermIndex").field("range", &self.range).finish_non_exhaustive()
    }
}

/// Some entries of a payload file, to be counted.
#[derive(Debug)]
pub struct Counted<'a> {
    index: &'a TermIndex,
    documents: Vec<u32>,
}

/// A first value.
#[derive(Clone, Copy, Debug)]
pub enum First<'a> {
    /// The one with this number.
    Number(u32),
    /// One without a number.
    Text(&'a str),
}

/// Runs tantivy, which takes its files for whole and stops the thread when they are not.
fn contained<T>(run: impl FnOnce() -> tantivy::Result<T>) -> io::Result<T> {
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
                present: OnceLock::new(),
                first_values: Mutex::default(),
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

    /// The entries that the file has: all of its range, or those of its class.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn present(&self) -> io::Result<Rows> {
        if u64::from(self.reader.max_doc()) == self.range.end - self.range.start {
            return Ok(Rows::all(self.range.clone()));
        }
        if let Some(known) = self.present.get() {
            return Ok(known.clone());
        }
        let rows = self.where_number(&self.entry, &|_| true)?;
        Ok(self.present.get_or_init(|| rows).clone())
    }

    /// Adds the entries where a field is `value`. Long texts may be more than those.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn add_is(&self, name: Name, folded: &str, rows: &mut Rows) -> io::Result<()> {
        contained(|| {
            let field = self.reader.schema().get_field(name.word())?;
            let inverted = self.reader.inverted_index(field)?;
            let found = inverted.get_term_info(&Term::from_field_text(field, &term(folded)))?;
            if let Some(found) = found {
                self.add(&mut inverted.read_postings_from_terminfo(&found, IndexRecordOption::Basic)?, rows);
            }
            Ok(())
        })
    }

    /// Adds the entries where a value of a field passes; false if it may be more than those.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn add_passing(&self, name: Name, ready: &Ready, rows: &mut Rows) -> io::Result<bool> {
        contained(|| {
            let inverted = self.reader.inverted_index(self.reader.schema().get_field(name.word())?)?;
            let mut exact = !self.about.respelled;
            let mut terms = inverted.terms().stream()?;
            while terms.advance() {
                let value = String::from_utf8_lossy(terms.key());
                let cut = value.contains(CUT);
                if cut || ready.value(&value) {
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
            if let Some(index) = self.index.first(document) {
                rows.insert(index);
            }
            document = postings.advance();
        }
    }

    /// The entries whose number in a column passes.
    fn where_number<T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static>(
        &self,
        column: &Column<T>,
        passes: &dyn Fn(T) -> bool,
    ) -> io::Result<Rows> {
        contained(|| {
            let mut rows = Rows::none(self.range.clone());
            for document in 0..self.reader.max_doc() {
                if let Some(index) = self.index.first(document).filter(|_| column.first(document).is_some_and(passes)) {
                    rows.insert(index);
                }
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

    /// The events, acts and records: entries whose kind's byte passes.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn where_entry(&self, passes: &dyn Fn(u64) -> bool) -> io::Result<Rows> {
        self.where_number(&self.entry, passes)
    }

    /// Of these entries the ones that may have this id.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn with_id(&self, folded: &str, of: &Rows) -> io::Result<Rows> {
        let wanted = id_hash(folded);
        contained(|| {
            let mut rows = Rows::none(self.range.clone());
            if of.is_empty() {
                return Ok(rows);
            }
            for document in 0..self.reader.max_doc() {
                let is_in = self.index.first(document).filter(|index| of.contains(*index));
                if let Some(index) = is_in.filter(|_| self.id.values_for_doc(document).any(|id| id == wanted)) {
                    rows.insert(index);
                }
            }
            Ok(rows)
        })
    }

    /// The first values of a field, with their numbers; nothing if no entry has one.
    fn first_values(&self, name: Name, ordinals: &Ordinals) -> io::Result<Option<Arc<FirstValues>>> {
        if let Some(known) = self.first_values.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Ok(Some(Arc::clone(known)));
        }
        let made = contained(|| {
            let Some(column) = self.reader.fast_fields().str(&first_of(name))? else { return Ok(None) };
            let numbers = ordinals.number(name, |see| {
                let mut terms = column.dictionary().stream()?;
                while terms.advance() {
                    see(&String::from_utf8_lossy(terms.key()));
                }
                tantivy::Result::Ok(())
            })?;
            Ok(Some(Arc::new(FirstValues { numbers, totals: OnceLock::new() })))
        })?;
        if let Some(made) = &made {
            self.first_values.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::clone(made));
        }
        Ok(made)
    }

    /// Gives the first values of these fields their numbers.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn number(&self, names: &[Name], ordinals: &Ordinals) -> io::Result<()> {
        names.iter().try_for_each(|name| self.first_values(*name, ordinals).map(|_| ()))
    }

    /// The documents of some entries.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn counted(&self, rows: &Rows) -> io::Result<Counted<'_>> {
        let documents = contained(|| {
            if rows.len() == u64::from(self.reader.max_doc()) {
                return Ok((0..self.reader.max_doc()).collect());
            }
            let is_in = |document: &u32| self.index.first(*document).is_some_and(|index| rows.contains(index));
            Ok((0..self.reader.max_doc()).filter(is_in).collect())
        })?;
        Ok(Counted { index: self, documents })
    }
}

impl Counted<'_> {
    /// Gives each first value of a field, and how often it stands in them. An entry without one counts nowhere.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn values(&self, name: Name, ordinals: &Ordinals, add: &mut dyn FnMut(First<'_>, u64)) -> io::Result<()> {
        let Some(values) = self.index.first_values(name, ordinals)? else { return Ok(()) };
        contained(|| {
            let Some(column) = self.index.reader.fast_fields().str(&first_of(name))? else { return Ok(()) };
            let count = || self.count(column.ords(), values.numbers.len());
            let all = self.documents.len() as u64 == u64::from(self.index.reader.max_doc());
            let counted = if all { Cow::Borrowed(values.totals.get_or_init(count)) } else { Cow::Owned(count()) };
            let mut text = String::new();
            for (ordinal, count) in counted.iter().enumerate().filter(|(_, count)| **count > 0) {
                match values.numbers.get(ordinal).copied() {
                    Some(NO_NUMBER) | None if column.ord_to_str(ordinal as u64, &mut text)? => add(First::Text(&text), *count),
                    Some(number) if number != NO_NUMBER => add(First::Number(number), *count),
                    _ => {}
                }
            }
            Ok(())
        })
    }

    /// How often each of `ordinals` stands in these entries.
    fn count(&self, column: &Column<u64>, ordinals: usize) -> Vec<u64> {
        let mut counts = vec![0_u64; ordinals];
        let mut values = [None; BLOCK];
        for block in self.documents.chunks(BLOCK) {
            let Some(values) = values.get_mut(..block.len()) else { continue };
            values.fill(None);
            column.first_vals(block, values);
            for ordinal in values.iter().flatten() {
                if let Some(count) = counts.get_mut(*ordinal as usize) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// Gives each source's number, and how many of them are of it.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn sources(&self, add: &mut dyn FnMut(u64, u64)) -> io::Result<()> {
        self.runs(&self.index.source, |number| number, add)
    }

    /// Gives the numbers of intervals of `interval_ms` since 1970 and how many of them happened there; the
    /// same interval may come several times.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn times(&self, interval_ms: i64, add: &mut dyn FnMut(i64, u64)) -> io::Result<()> {
        self.runs(&self.index.time, |ms: i64| ms.div_euclid(interval_ms), add)
    }

    /// Gives what a column's numbers are made to, each with the length of its run: neighbours are mostly the
    /// same.
    fn runs<T, K>(&self, column: &Column<T>, made: impl Fn(T) -> K, add: &mut dyn FnMut(K, u64)) -> io::Result<()>
    where
        T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
        K: PartialEq,
    {
        contained(|| {
            let mut run: Option<(K, u64)> = None;
            let mut values = [None; BLOCK];
            for block in self.documents.chunks(BLOCK) {
                let Some(values) = values.get_mut(..block.len()) else { continue };
                values.fill(None);
                column.first_vals(block, values);
                for key in values.iter().flatten().map(|value| made(*value)) {
                    match &mut run {
                        Some((same, count)) if *same == key => *count += 1,
                        other => {
                            if let Some((before, count)) = other.replace((key, 1)) {
                                add(before, count);
                            }
                        }
                    }
                }
            }
            if let Some((last, count)) = run {
                add(last, count);
            }
            Ok(())
        })
    }
}
