//! The walk over the log: from candidate to candidate through payload files, then what is not in files yet,
//! or the other way round.
//!
//! INVARIANT: every entry of the range that was walked is compared, or ruled out by what is derived of its
//! file, or listed as unreadable.

mod newest;
mod reading;
mod stretch;
mod within;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use evidence::act::PayloadFile;
use rayon::prelude::*;

use crate::search::ask::{Stopped, Unreadable};
use crate::search::cursor::Order;
use crate::store::read::StoredEntry;
use reading::{Compared, Gaps, Looking, Part, Verdict};
pub use stretch::{Stretch, stretches};
pub use within::Within;

/// Candidates that one thread goes through, of one step: at least, and at most.
const SHARE_MIN: usize = 32;
/// Where two shares of neighbours meet a page is unpacked for both.
const SHARE_MAX: usize = 2048;
/// Shares of a step, about: the last ones leave cores idle.
const SHARES: usize = 16;
/// Candidates of a step.
const STEP: usize = SHARES * SHARE_MAX;
/// Candidates of the first step, of which perhaps one is wanted; each step after it has twice as many, up to
/// [`STEP`].
const FIRST_STEP: usize = 8;
/// Stretches whose files are asked at once, of which perhaps the first has all that is wanted; each time twice as
/// many, up to [`AHEAD`].
const FIRST_AHEAD: usize = 2;
/// Some 8 KB each.
const AHEAD: usize = 64;

/// How far a walk came.
#[derive(Debug)]
pub struct Seen {
    /// The indexes that it covers.
    pub range: Range<u64>,
    /// Where it would go on: the index before which, or at which.
    pub at: u64,
    /// Entries that were read and compared.
    pub read: u64,
    /// Entries that were ruled out unread.
    pub ruled_out: u64,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
    /// Why it ended before its end.
    pub stopped: Option<Stopped>,
}

/// Takes a match, and says whether that is enough.
pub type Take<'t> = dyn FnMut(StoredEntry) -> Option<Stopped> + 't;

/// A walk under way.
pub struct Scan<'a, 't> {
    within: &'a Within<'a>,
    order: Order,
    deadline: Option<Instant>,
    entries_max: u64,
    /// Candidates of the next step.
    width: usize,
    /// What is known of the files ahead, by their SHA-256.
    known: HashMap<[u8; 32], Part>,
    /// As in [`Seen`].
    at: u64,
    read: u64,
    unreadable: Gaps,
    stopped: Option<Stopped>,
    take: &'a mut Take<'t>,
}

impl<'a, 't> Scan<'a, 't> {
    /// A walk over `due` that gives `take` each match.
    pub fn new(within: &'a Within<'a>, order: Order, due: &Range<u64>, take: &'a mut Take<'t>) -> Self {
        let at = if order == Order::Newest { due.end } else { due.start };
        let (known, unreadable) = (HashMap::new(), Gaps::default());
        Self {
            within,
            order,
            deadline: None,
            entries_max: u64::MAX,
            width: FIRST_STEP,
            known,
            at,
            read: 0,
            unreadable,
            stopped: None,
            take,
        }
    }

    /// Ends the walk at a time, or after so many entries were read.
    pub fn stop_at(&mut self, deadline: Instant, entries_max: u64) {
        (self.deadline, self.entries_max) = (Some(deadline), entries_max);
    }

    /// Whether it came to the end of `due`.
    pub fn is_at_end(&self, due: &Range<u64>) -> bool {
        self.left(due).is_empty()
    }

    /// How far it came.
    pub fn seen(&mut self, due: &Range<u64>) -> Seen {
        let range = match self.order {
            Order::Newest => self.at..due.end,
            Order::Oldest => due.start..self.at,
        };
        let unreadable = std::mem::take(&mut self.unreadable).within(&range).list();
        let unread = unreadable.iter().map(|gap| gap.end - gap.first).sum();
        Seen {
            ruled_out: (range.end - range.start).saturating_sub(self.read).saturating_sub(unread),
            range,
            at: self.at,
            read: self.read,
            unreadable,
            stopped: self.stopped,
        }
    }

    /// Walks, until the end or until it is enough.
    pub fn run(&mut self, due: &Range<u64>) {
        let mut stretches = stretches(&self.within.state, due);
        if self.order == Order::Newest {
            stretches.reverse();
        }
        let (mut stretches, mut ahead) = (stretches.into_iter(), FIRST_AHEAD);
        loop {
            let some: Vec<_> = stretches.by_ref().take(ahead).collect();
            if some.is_empty() || !self.walk(&some) {
                return;
            }
            ahead = (ahead * 2).min(AHEAD);
        }
    }

    /// Walks stretches, which lie in the order of the walk; false when it is over.
    pub fn walk(&mut self, mut stretches: &[Stretch]) -> bool {
        self.look_ahead(stretches);
        while let Some((first, behind)) = stretches.split_first() {
            if first.files.is_none() {
                if !self.in_tail(&first.range) || self.is_over() {
                    return false;
                }
                stretches = behind;
                continue;
            }
            let portions = self.portions(stretches);
            let ended = match self.in_files(&portions) {
                Next::On => portions.iter().filter(|portion| portion.is_last).count(),
                Next::Again => stretches.iter().take_while(|stretch| self.left(&stretch.range).is_empty()).count(),
                Next::Over => return false,
            };
            stretches = stretches.get(ended..).unwrap_or_default();
        }
        true
    }

    /// Learns what may match in the files of these stretches, on all cores.
    fn look_ahead(&mut self, stretches: &[Stretch]) {
        let files = stretches.iter().filter_map(|stretch| stretch.files.as_ref()).flatten();
        let mut met = HashSet::new();
        let unknown: Vec<_> = files.filter(|file| !self.known.contains_key(&file.sha256) && met.insert(file.sha256)).collect();
        let within = self.within;
        self.known.par_extend(unknown.into_par_iter().map(|file| (file.sha256, within.part(file.clone()))));
    }

    /// What is left of a range when everything up to `self.at` is done.
    fn left(&self, range: &Range<u64>) -> Range<u64> {
        match self.order {
            Order::Newest => range.start..range.end.min(self.at),
            Order::Oldest => range.start.max(self.at)..range.end,
        }
    }

    /// What of a range is done.
    fn done(&self, range: &Range<u64>) -> Range<u64> {
        match self.order {
            Order::Newest => range.start.max(self.at)..range.end,
            Order::Oldest => range.start..range.end.min(self.at),
        }
    }

    /// Everything of this range is done.
    fn pass(&mut self, range: &Range<u64>) {
        self.at = if self.order == Order::Newest { range.start } else { range.end };
    }

    /// The next step: candidates of the stretches that come first, and how far they take the walk. Stretches with few
    /// are read together, on all cores.
    fn portions(&mut self, stretches: &[Stretch]) -> Vec<Portion> {
        let (mut portions, mut room) = (Vec::new(), self.width);
        for stretch in stretches {
            let Some(files) = &stretch.files else { break };
            let parts: Vec<_> = files.iter().map(|file| self.part(file)).collect();
            let left = self.left(&stretch.range);
            let wanted = self.candidates(&left, &parts, room);
            room -= wanted.len();
            let is_last = room > 0;
            let due = match (wanted.first(), wanted.last()) {
                (Some(first), _) if !is_last && self.order == Order::Newest => *first..left.end,
                (_, Some(last)) if !is_last => left.start..last + 1,
                _ => stretch.range.clone(),
            };
            portions.push(Portion { wanted, parts, due, is_last });
            if !is_last {
                break;
            }
        }
        self.width = (self.width * 2).min(STEP);
        portions
    }

    /// Takes a step.
    fn in_files(&mut self, portions: &[Portion]) -> Next {
        for (portion, (compared, gaps)) in portions.iter().zip(self.read_and_compare(portions)) {
            let mut next = self.look_at(compared);
            if next == Next::On {
                self.pass(&portion.due);
                if self.is_over() {
                    next = Next::Over;
                }
            }
            // What lies beyond is for whoever comes to it.
            self.unreadable.merge(gaps.within(&self.done(&portion.due)));
            if next != Next::On {
                return next;
            }
        }
        Next::On
    }

    /// The next entries that may match, in ascending order. What no file covers is looked at, and reported.
    fn candidates(&self, left: &Range<u64>, parts: &[Part], count: usize) -> Vec<u64> {
        // Nothing is known of any: the next ones, one and all.
        if parts.iter().all(|part| part.rows.is_none()) {
            let count = count as u64;
            return match self.order {
                Order::Newest => (left.start.max(left.end.saturating_sub(count))..left.end).collect(),
                Order::Oldest => (left.start..left.end.min(left.start.saturating_add(count))).collect(),
            };
        }
        let (mut wanted, mut left) = (Vec::new(), left.clone());
        while wanted.len() < count && !left.is_empty() {
            let next = match self.order {
                Order::Newest => parts.iter().filter_map(|part| part.previous(left.end)).max(),
                Order::Oldest => parts.iter().filter_map(|part| part.next(left.start)).min(),
            };
            let Some(next) = next.filter(|next| left.contains(next)) else { break };
            wanted.push(next);
            left = if self.order == Order::Newest { left.start..next } else { next + 1..left.end };
        }
        if self.order == Order::Newest {
            wanted.reverse();
        }
        wanted
    }

    fn is_over(&mut self) -> bool {
        if self.stopped.is_none() && self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.stopped = Some(Stopped::Time);
        }
        self.stopped.is_some() || self.is_enough()
    }

    /// Whether as many entries were read as may be.
    fn is_enough(&mut self) -> bool {
        let is_enough = self.read >= self.entries_max;
        if is_enough {
            self.stopped = Some(Stopped::Entries);
        }
        is_enough
    }

    /// Reads the candidates of a step and compares them, on all cores; gives those of each portion in the order of the
    /// walk, and what could not be read of it.
    fn read_and_compare(&self, portions: &[Portion]) -> Vec<(Vec<Compared>, Gaps)> {
        let (within, order, deadline) = (self.within, self.order, self.deadline);
        let held = AtomicUsize::new(0);
        let looked_at = |(nth, portion, wanted): (usize, &Portion, &[u64])| {
            // Only the first portion is the next in the walk: the others may be left to the page behind this one.
            let looking = Looking::new(within, (order, deadline), &held, nth == 0);
            (nth, looking.in_files(wanted, &portion.parts))
        };
        let count: usize = portions.iter().map(|portion| portion.wanted.len()).sum();
        let share = count.div_ceil(SHARES).clamp(SHARE_MIN, SHARE_MAX);
        // What comes first in the walk is looked at first: it is what counts when time runs out.
        let mut shares = Vec::new();
        for (nth, portion) in portions.iter().enumerate() {
            let own = portion.wanted.chunks(share).map(|wanted| (nth, portion, wanted));
            if order == Order::Newest { shares.extend(own.rev()) } else { shares.extend(own) }
        }
        let done: Vec<_> = match shares.len() {
            // For one alone no other thread need wake.
            0 | 1 => shares.into_iter().map(looked_at).collect(),
            _ => shares.into_par_iter().map(looked_at).collect(),
        };
        let mut of_portions: Vec<_> = portions.iter().map(|_| (Vec::new(), Gaps::default())).collect();
        for (nth, (mut compared, gaps)) in done {
            let Some((all, unreadable)) = of_portions.get_mut(nth) else { continue };
            if order == Order::Newest {
                compared.reverse();
            }
            all.extend(compared);
            unreadable.merge(gaps);
        }
        of_portions
    }

    /// Takes in what was compared, in the order of the walk.
    fn look_at(&mut self, compared: Vec<Compared>) -> Next {
        for (index, verdict) in compared {
            match verdict {
                Verdict::Left => return Next::Again,
                Verdict::Late => {
                    self.stopped = Some(Stopped::Time);
                    return Next::Over;
                }
                Verdict::Matches(_) | Verdict::Differs => {}
            }
            self.read += 1;
            self.at = if self.order == Order::Newest { index } else { index + 1 };
            if let Verdict::Matches(entry) = verdict {
                self.stopped = (self.take)(*entry);
            }
            // What was compared of a portion is taken in whatever the time.
            if self.stopped.is_some() || self.is_enough() {
                return Next::Over;
            }
        }
        Next::On
    }

    /// What is known of a file.
    fn part(&mut self, file: &PayloadFile) -> Part {
        let within = self.within;
        self.known.entry(file.sha256).or_insert_with(|| within.part(file.clone())).clone()
    }
}

/// What a step takes of one stretch.
struct Portion {
    /// Candidates, ascending.
    wanted: Vec<u64>,
    /// What is known of the files that cover it.
    parts: Vec<Part>,
    /// How far it takes the walk.
    due: Range<u64>,
    /// Nothing of the stretch is left behind it.
    is_last: bool,
}

/// How a walk goes on after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// With what comes behind it.
    On,
    /// From where it came to: not all of the step was looked at.
    Again,
    /// Not at all.
    Over,
}
