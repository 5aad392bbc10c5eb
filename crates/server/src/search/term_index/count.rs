//! Counts entries by the columns of an index. What all events of it come to is kept: most counts are of all of
//! a file or of little of it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use evidence::leaf::Kind;
use tantivy::columnar::Column;

use super::first_of;
use super::read::{TermIndex, contained};
use crate::search::field::Name;
use crate::search::ordinals::{NO_NUMBER, Ordinals};
use crate::search::rows::Rows;

/// Documents counted at a time.
pub(super) const BLOCK: usize = 1024;
/// A time is counted by its minute.
pub const MINUTE_MS: i64 = 60_000;
/// Minutes kept at most, 16 bytes each: entries of more are counted again each time.
const MINUTES_MAX: usize = 4096;

/// What was counted of an index.
#[derive(Debug, Default)]
pub(super) struct Known {
    first_values: Mutex<HashMap<Name, Arc<FirstValues>>>,
    /// How many events each source has.
    sources: OnceLock<Vec<(u64, u64)>>,
    /// How many events happened in each minute since 1970; nothing when there are too many minutes.
    minutes: OnceLock<Option<Vec<(i64, u64)>>>,
}

/// The first values of a field by their place in this index.
#[derive(Debug)]
struct FirstValues {
    /// The number of each, as [`Ordinals`] has it.
    numbers: Vec<u32>,
    /// How often each stands in all events of the index.
    totals: OnceLock<Vec<u64>>,
}

/// Some entries of a payload file, to be counted.
#[derive(Debug)]
pub struct Counted<'a> {
    index: &'a TermIndex,
    rows: &'a Rows,
    /// Whether these are the events of the file, all of them and nothing else.
    all_events: bool,
    documents: OnceCell<Vec<u32>>,
}

/// A first value.
#[derive(Clone, Copy, Debug)]
pub enum First<'a> {
    /// The one with this number.
    Number(u32),
    /// One without a number.
    Text(&'a str),
}

impl TermIndex {
    /// The first values of a field, with their numbers; nothing if no entry has one.
    fn first_values(&self, name: Name, ordinals: &Ordinals) -> io::Result<Option<Arc<FirstValues>>> {
        if let Some(known) = self.counted.first_values.lock().unwrap_or_else(PoisonError::into_inner).get(&name) {
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
            self.counted.first_values.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::clone(made));
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

    /// These entries, to be counted.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn counted<'a>(&'a self, rows: &'a Rows) -> io::Result<Counted<'a>> {
        let all_events = rows == self.of_kind(Kind::Event)?;
        Ok(Counted { index: self, rows, all_events, documents: OnceCell::new() })
    }

    /// A time not after the first and one not before the last event, ms; nothing if that is not known, or there is none.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn events_between(&self) -> io::Result<Option<(i64, i64)>> {
        let minutes = self.counted(self.of_kind(Kind::Event)?)?.kept_minutes()?;
        let ends = minutes.and_then(|minutes| Some((minutes.first()?.0, minutes.last()?.0)));
        Ok(ends.map(|(first, last)| (first.saturating_mul(MINUTE_MS), last.saturating_mul(MINUTE_MS).saturating_add(MINUTE_MS - 1))))
    }
}

impl<'a> Counted<'a> {
    fn documents(&self) -> io::Result<&[u32]> {
        if let Some(known) = self.documents.get() {
            return Ok(known);
        }
        let present = self.index.present()?;
        // Documents are entries in order.
        let counted = present.iter().zip(0_u32..).filter(|(index, _)| self.rows.contains(*index));
        Ok(self.documents.get_or_init(|| counted.map(|(_, document)| document).collect()))
    }

    /// Gives each first value of a field, and how often it stands in them. An entry without one counts nowhere.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn values(&self, name: Name, ordinals: &Ordinals, add: &mut dyn FnMut(First<'_>, u64)) -> io::Result<()> {
        let Some(values) = self.index.first_values(name, ordinals)? else { return Ok(()) };
        let known = values.totals.get().filter(|_| self.all_events);
        let documents = if known.is_some() { &[] } else { self.documents()? };
        contained(|| {
            let Some(column) = self.index.reader.fast_fields().str(&first_of(name))? else { return Ok(()) };
            let count = || count(documents, column.ords(), values.numbers.len());
            let counted = if self.all_events { Cow::Borrowed(values.totals.get_or_init(count)) } else { Cow::Owned(count()) };
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

    /// Gives each source's number, and how many of them are of it.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn sources(&self, add: &mut dyn FnMut(u64, u64)) -> io::Result<()> {
        if !self.all_events {
            return self.runs(&self.index.source, |number| number, add);
        }
        let kept = &self.index.counted.sources;
        let sums = match kept.get() {
            Some(sums) => sums,
            None => {
                let sums = self.sums(&self.index.source, |number| number)?;
                kept.get_or_init(|| sums)
            }
        };
        sums.iter().for_each(|(number, count)| add(*number, *count));
        Ok(())
    }

    /// Gives minutes since 1970 and how many of them happened then; the same minute may come several times.
    ///
    /// # Errors
    /// The index is damaged.
    pub fn minutes(&self, add: &mut dyn FnMut(i64, u64)) -> io::Result<()> {
        let kept = if self.all_events { self.kept_minutes()? } else { None };
        match kept {
            Some(minutes) => minutes.iter().for_each(|(minute, count)| add(*minute, *count)),
            None => self.runs(&self.index.time, minute, add)?,
        }
        Ok(())
    }

    /// The minutes of all events, which these must be.
    fn kept_minutes(&self) -> io::Result<Option<&'a [(i64, u64)]>> {
        let kept = &self.index.counted.minutes;
        let minutes = match kept.get() {
            Some(minutes) => minutes,
            None => {
                let minutes = self.sums(&self.index.time, minute)?;
                kept.get_or_init(|| (minutes.len() <= MINUTES_MAX).then_some(minutes))
            }
        };
        Ok(minutes.as_deref())
    }

    /// What a column's numbers are made to, each once, with how many they are, ascending.
    fn sums<T, K>(&self, column: &Column<T>, made: impl Fn(T) -> K) -> io::Result<Vec<(K, u64)>>
    where
        T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
        K: Ord + Copy,
    {
        let mut sums = BTreeMap::<K, u64>::new();
        self.runs(column, made, &mut |key, count| *sums.entry(key).or_default() += count)?;
        Ok(sums.into_iter().collect())
    }

    /// Gives what a column's numbers are made to, each with the length of its run: neighbours are mostly the
    /// same.
    fn runs<T, K>(&self, column: &Column<T>, made: impl Fn(T) -> K, add: &mut dyn FnMut(K, u64)) -> io::Result<()>
    where
        T: PartialOrd + Copy + std::fmt::Debug + Send + Sync + 'static,
        K: PartialEq,
    {
        let documents = self.documents()?;
        contained(|| {
            let mut run: Option<(K, u64)> = None;
            let mut values = [None; BLOCK];
            for block in documents.chunks(BLOCK) {
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

/// The minute of a time.
fn minute(ms: i64) -> i64 {
    ms.div_euclid(MINUTE_MS)
}

/// How often each of so many `ordinals` stands in these documents.
fn count(documents: &[u32], column: &Column<u64>, ordinals: usize) -> Vec<u64> {
    let mut counts = vec![0_u64; ordinals];
    let mut values = [None; BLOCK];
    for block in documents.chunks(BLOCK) {
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
