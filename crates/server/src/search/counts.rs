//! Counts what a search line describes: by the values of fields, and over time.
//!
//! Where the index of a payload file, or what is known of the newest entries, says exactly what matches, that is counted and
//! nothing is read; elsewhere each candidate is confirmed on the payload first, as a search does it.
//!
//! INVARIANT: a count is what comparing every entry with the line would give, but for what is listed as
//! unreadable or left out for want of time; and the answer says how much that is.

mod histogram;
mod values;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use evidence::act::PayloadFile;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use tlog::Hash;

use crate::search::Index;
use crate::search::ask::{SearchError, Unreadable};
use crate::search::cursor::Order;
use crate::search::document::Document;
use crate::search::field::Name;
use crate::search::matcher::Matcher;
use crate::search::ordinals::Ordinals;
use crate::search::query::Query;
use crate::search::rows::Rows;
use crate::search::scan::{Scan, Stretch, Within, stretches};
use crate::search::tail::{self, Ahead, Tail};
use crate::search::term_index::{Counted, First, MINUTE_MS};
use crate::source::directory::Directory;
use crate::store::read::StoredEntry;
use crate::store::trail::Trail;

pub use crate::search::term_index::COUNTED;
pub use histogram::{Histogram, INTERVAL_MS_MIN};
pub use values::Values;

/// Threads for counts alone: one that walks a file which no index covers takes up nothing else for seconds, and a
/// search would wait for it.
static THREADS: LazyLock<Result<ThreadPool, ThreadPoolBuildError>> =
    LazyLock::new(|| ThreadPoolBuilder::new().thread_name(|nth| format!("count-{nth}")).build());

/// What is to be counted.
#[derive(Clone, Debug)]
pub struct CountAsk {
    /// Of which entries.
    pub query: Query,
    /// Of the tree of this size; all there is, when none is said.
    pub size: Option<u64>,
    /// From when times back from now count, ms.
    pub now_ms: u64,
    /// By the first value of these fields, each among [`COUNTED`] or [`Name::Source`].
    pub facets: Vec<Name>,
    /// Over time.
    pub histogram: bool,
    /// How long it may take.
    pub time: Duration,
}

/// What was counted.
#[derive(Debug)]
pub struct Counts {
    /// Size of the tree that it covers.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// Entries that match.
    pub matches: u64,
    /// By the values of fields, in the order asked for.
    pub facets: Vec<(Name, Values)>,
    /// Over time, if asked for.
    pub histogram: Option<Histogram>,
    /// Entries that were read to be compared.
    pub read: u64,
    /// Entries that were not looked at because there was no time.
    pub left_out: u64,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
}

/// A part of the counts.
#[derive(Default)]
struct Tally {
    matches: u64,
    facets: Vec<Values>,
    /// By the numbers of values, while it is not sure that this part counts.
    numbered: Vec<Vec<(u32, u64)>>,
    histogram: Histogram,
    read: u64,
    left_out: u64,
    unreadable: Vec<Unreadable>,
}

impl Tally {
    /// Of nothing yet, by so many fields.
    fn by(fields: usize) -> Self {
        Self { facets: vec![Values::default(); fields], numbered: vec![Vec::new(); fields], ..Self::default() }
    }

    fn add(mut self, other: Self) -> Self {
        self.matches += other.matches;
        if self.facets.is_empty() {
            self.facets = other.facets;
        } else {
            self.facets.iter_mut().zip(other.facets).for_each(|(values, more)| values.merge(more));
        }
        self.histogram.merge(other.histogram);
        self.read += other.read;
        self.left_out += other.left_out;
        self.unreadable.extend(other.unreadable);
        self
    }
}

/// Counts.
///
/// # Errors
/// [`SearchError`]; entries that cannot be read are no error but part of the answer.
pub fn count(trail: &Trail, index: &Index, directory: &Directory, ask: &CountAsk) -> Result<Counts, SearchError> {
    let view = trail.view();
    let size = ask.size.unwrap_or(view.size).min(view.size);
    let root = if size == view.size { view.root } else { trail.reader().root_at(size)? };
    let matcher = Matcher::new(&ask.query, i64::try_from(ask.now_ms).unwrap_or(i64::MAX));
    let within = Within::new(trail, index, directory, Arc::clone(&view.state), &matcher);
    let fields: Vec<Name> = ask.facets.iter().copied().filter(|name| *name != Name::Source).collect();
    index.number(&fields, &view.state);
    let sums = |name: &Name| std::iter::repeat_with(AtomicU64::default).take(index.ordinals.len(*name)).collect();
    let sums = ask.facets.iter().map(sums).collect();
    let counter = Counter { within: &within, ask, deadline: Instant::now() + ask.time, sums };
    let due = stretches(&within.state, &(0..size));
    let all = || due.into_par_iter().map(|stretch| counter.stretch(stretch)).reduce(Tally::default, Tally::add);
    let mut tally = match &*THREADS {
        Ok(threads) => threads.install(all),
        // The system gives no more threads: then on those of all searches.
        Err(_) => all(),
    };
    tally.facets.resize_with(ask.facets.len(), Values::default);
    for ((name, values), sums) in ask.facets.iter().zip(&mut tally.facets).zip(counter.sums) {
        let counted = sums.into_iter().map(AtomicU64::into_inner).enumerate().filter(|(_, count)| *count > 0);
        index.ordinals.each(*name, counted, &mut |value, count| values.add(value, count));
    }
    tally.unreadable.sort_by_key(|gap| gap.first);
    let facets = ask.facets.iter().copied().zip(tally.facets);
    let facets = facets
        .map(|(name, values)| (name, if is_person(name) { values.renamed(|value| directory.resolve(&value).to_owned()) } else { values }));
    Ok(Counts {
        size,
        root,
        matches: tally.matches,
        facets: facets.collect(),
        histogram: ask.histogram.then_some(tally.histogram),
        read: tally.read,
        left_out: tally.left_out,
        unreadable: tally.unreadable,
    })
}

const fn is_person(name: Name) -> bool {
    matches!(name, Name::Actor | Name::Target)
}

struct Counter<'a> {
    within: &'a Within<'a>,
    ask: &'a CountAsk,
    deadline: Instant,
    /// For each facet, how often the value of each number stands in what the columns gave.
    sums: Vec<Vec<AtomicU64>>,
}

impl Counter<'_> {
    fn ordinals(&self) -> &Ordinals {
        &self.within.index.ordinals
    }

    fn stretch(&self, stretch: Stretch) -> Tally {
        let mut tally = Tally::by(self.ask.facets.len());
        if Instant::now() >= self.deadline {
            tally.left_out = stretch.range.end - stretch.range.start;
            return tally;
        }
        let Some(files) = &stretch.files else { return self.newest(stretch.range) };
        // A file that is not as recorded is walked, and reported.
        if !files.iter().all(|file| self.within.stamp(file).is_some() && self.columns(file, &stretch.range, &mut tally).is_some()) {
            return self.walk(stretch);
        }
        let parts = self.ask.facets.iter().zip(&mut tally.facets).zip(std::mem::take(&mut tally.numbered)).zip(&self.sums);
        for (((name, values), numbered), sums) in parts {
            for (number, count) in numbered {
                match sums.get(number as usize) {
                    Some(sum) => {
                        sum.fetch_add(count, Ordering::Relaxed);
                    }
                    // A value of an index that was opened after the sums were laid out.
                    None => {
                        self.ordinals().each(*name, std::iter::once((number as usize, count)), &mut |value, count| values.add(value, count))
                    }
                }
            }
        }
        tally
    }

    /// Counts the columns of a file, if its index says exactly what matches.
    fn columns(&self, file: &PayloadFile, range: &Range<u64>, tally: &mut Tally) -> Option<()> {
        let Within { index, directory, state, matcher, .. } = self.within;
        let answer = index.ask(file, directory, state, |derived, terms| {
            let mut narrowed = derived.narrow(matcher)?;
            if !narrowed.exact {
                return Ok(None);
            }
            if *range != narrowed.rows.range() {
                let mut due = Rows::none(narrowed.rows.range());
                due.insert_all(range.clone());
                narrowed.rows.intersect(&due);
            }
            if !narrowed.rows.is_empty() {
                self.add(&terms.counted(&narrowed.rows)?, narrowed.rows.len(), tally)?;
            }
            Ok(Some(()))
        });
        answer.flatten()
    }

    fn add(&self, counted: &Counted<'_>, matches: u64, tally: &mut Tally) -> std::io::Result<()> {
        tally.matches += matches;
        for ((name, values), numbered) in self.ask.facets.iter().zip(&mut tally.facets).zip(&mut tally.numbered) {
            match name {
                Name::Source => counted.sources(&mut |number, count| {
                    // The trail itself is no source.
                    if let Some(name) = self.source(number) {
                        values.add(name, count);
                    }
                })?,
                name => counted.values(*name, self.ordinals(), &mut |value, count| match value {
                    First::Number(number) => numbered.push((number, count)),
                    First::Text(value) => values.add(value, count),
                })?,
            }
        }
        if self.ask.histogram {
            counted.minutes(&mut |minute, count| tally.histogram.add(minute.saturating_mul(MINUTE_MS), count))?;
        }
        Ok(())
    }

    fn source(&self, number: u64) -> Option<&str> {
        Some(self.within.state.sources.get(&u32::try_from(number).ok()?)?.name.as_str())
    }

    /// Counts entries that may not stand in files yet: by what is known of them in memory, or entry by entry.
    fn newest(&self, range: Range<u64>) -> Tally {
        let mut tally = Tally::by(self.ask.facets.len());
        let Within { index, matcher, .. } = self.within;
        let (mut left, mut unknown) = (range.clone(), range.start..range.start);
        let mut ahead = Ahead::new(self.within, false, Some(self.deadline));
        while !left.is_empty() {
            ahead.go(&left);
            let step = Tail::step(&left, false);
            left.start = step.end;
            match index.tail.counted(&step, matcher, &self.ask.facets, self.within.knowing()) {
                Some(counted) => {
                    self.add_newest(&counted, &mut tally);
                    tally = tally.add(self.walk_newest(unknown));
                    unknown = step.end..step.end;
                }
                None => unknown.end = step.end,
            }
        }
        tally.add(self.walk_newest(unknown))
    }

    fn add_newest(&self, counted: &tail::Counted, tally: &mut Tally) {
        for (name, values) in self.ask.facets.iter().zip(&mut tally.facets) {
            match name {
                Name::Source => {
                    let names = counted.rows().filter_map(|row| self.source(row.leaf.source.into()));
                    names.for_each(|name| values.add(name, 1));
                }
                name => counted.values(*name, &mut |value, count| values.add(value, count)),
            }
        }
        for row in counted.rows() {
            tally.matches += 1;
            if self.ask.histogram {
                tally.histogram.add(row.time_ms, 1);
            }
        }
    }

    fn walk_newest(&self, range: Range<u64>) -> Tally {
        if range.is_empty() {
            return Tally::default();
        }
        if Instant::now() >= self.deadline {
            return Tally { left_out: range.end - range.start, ..Tally::default() };
        }
        self.walk(Stretch { range, files: None })
    }

    /// Counts a stretch entry by entry.
    fn walk(&self, stretch: Stretch) -> Tally {
        let mut tally = Tally::by(self.ask.facets.len());
        let knowing = self.within.knowing();
        let mut take = |entry: StoredEntry| {
            let document = Document::new(&entry, knowing);
            tally.matches += 1;
            for (name, values) in self.ask.facets.iter().zip(&mut tally.facets) {
                if let Some(value) = document.first(*name) {
                    values.add(&value, 1);
                }
            }
            if self.ask.histogram {
                tally.histogram.add(document.time_ms(), 1);
            }
            None
        };
        let due = stretch.range.clone();
        let mut scan = Scan::new(self.within, Order::Oldest, &due, &mut take);
        scan.stop_at(self.deadline, u64::MAX);
        scan.walk(&[stretch]);
        let seen = scan.seen(&due);
        tally.read = seen.read;
        tally.left_out = due.end - seen.range.end;
        tally.unreadable = seen.unreadable;
        tally
    }
}
