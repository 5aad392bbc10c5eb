//! Follows the files of a directory: which file is which, and what comes next.
//!
//! [`Watch::look`] finds out what the directory holds, [`Watch::next`] gives the next events with
//! the cursor that says so, [`Watch::kept`] is told when both are in the log. Everything that must
//! outlive a crash is in the cursor; a watch made from it goes on where the log ends.
//!
//! - A renamed file is found by its inode, whatever its new name.
//! - A truncated file (logrotate's `copytruncate`) begins anew; what was unread of it is read from
//!   the copy, which is known by name and content. A copy whose original is not truncated yet waits.
//! - A compressed file is the rest of the one that it replaces, again by name and content.
//! - The last line waits until it is ended, or until nothing can be added to it any more.
//!
//! Not exactly once, and not by anybody: lines written between copy and truncation are lost by
//! `copytruncate` itself.

mod identify;

use std::collections::HashMap;
use std::io;

use crate::door::files::content::is_gzip;
use crate::door::files::folder::{Folder, Seen};
use crate::door::files::reader::{Lines, read_whole, sniff_whole};
use crate::door::files::whole::{Whole, may_be_whole};
use crate::intake::file_places::{Done, Place, Places, Print, done_mark};
use crate::intake::{FileId, StreamBatch, Wildcard};

/// How a directory is watched.
#[derive(Clone, Debug)]
pub struct WatchRules {
    /// Names that are read; none: all that do not begin with a dot.
    pub patterns: Vec<Wildcard>,
    /// A file that must be complete is, once it has not changed for so long.
    pub stable_ms: u64,
    /// A renamed file's last line needs no end, once the file has not changed for so long: the
    /// program that writes it may still have it open.
    pub last_line_ms: u64,
    /// Nor does any other file's, after so long: whoever was to end the line died in the middle.
    pub left_line_ms: u64,
    /// A file that equals another one's beginning may be a copy whose original is about to be
    /// truncated, for so long.
    pub copy_wait_ms: u64,
    /// A place without its file is kept for so long, for its compressed form to appear.
    pub gone_ms: u64,
    /// Remove files of which everything is kept and to which nothing is added.
    pub remove: bool,
}

impl Default for WatchRules {
    fn default() -> Self {
        Self {
            patterns: Vec::new(),
            stable_ms: 5_000,
            last_line_ms: 60_000,
            left_line_ms: 3_600_000,
            copy_wait_ms: 10_000,
            gone_ms: 7 * 86_400_000,
            remove: false,
        }
    }
}

/// Events to keep, and the cursor to keep with them.
#[derive(Debug)]
pub struct Portion {
    /// The events; none if there was only something to refuse.
    pub gathered: StreamBatch,
    /// The cursor's value once they are kept.
    pub cursor: Vec<u8>,
    after: After,
    nth: usize,
}

#[derive(Debug)]
enum After {
    At(Place),
    Done(Done),
}

/// Files kept open at once when nothing is left to be read of them. An open file is read to its end
/// although its name goes; most processes may have 1,024 files open.
const IDLE_OPEN_MAX: usize = 64;

type Read = Option<(StreamBatch, After)>;

struct Tracked {
    place: Place,
    live: Option<Seen>,
    lines: Option<Lines>,
    whole: Option<Whole>,
    rest: Rest,
}

/// What is left of a file that has not changed since it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Perhaps more.
    Unknown,
    /// A line without its end.
    Line,
    /// Nothing.
    Nothing,
}

/// A watched directory.
pub struct Watch<F> {
    folder: F,
    rules: WatchRules,
    tracked: Vec<Tracked>,
    done: Vec<Done>,
    /// Since when each file is as it is.
    since: HashMap<FileId, (u64, u64, u64)>,
    /// Since when a file waits to be told from a copy.
    waiting: HashMap<FileId, u64>,
    /// Files that could not be read as they are, so that each is counted once.
    troubled: HashMap<FileId, Done>,
    troubles: Vec<&'static str>,
    turn: usize,
}

impl<F> std::fmt::Debug for Watch<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("tracked", &self.tracked.len()).field("done", &self.done.len()).finish_non_exhaustive()
    }
}

impl<F: Folder> Watch<F> {
    /// Goes on where `places` ends.
    pub fn new(folder: F, rules: WatchRules, places: Places) -> Self {
        let tracked = places.places.into_iter().map(Tracked::new).collect();
        let (since, waiting, troubled) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { folder, rules, tracked, done: places.done, since, waiting, troubled, troubles: Vec::new(), turn: 0 }
    }

    /// What could not be read since the last call: reasons, as they stand in records.
    pub fn take_troubles(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.troubles)
    }

    fn trouble(&mut self, seen: &Seen, reason: &'static str) {
        let as_it_is = mark(seen);
        if self.troubled.insert(seen.id, as_it_is) != Some(as_it_is) {
            self.troubles.push(reason);
        }
    }

    fn unchanged_ms(&self, id: FileId, now_ms: u64) -> u64 {
        self.since.get(&id).map_or(0, |(_, _, since)| now_ms.saturating_sub(*since))
    }

    /// The next events, at most about `events_max`; `None` until something changes.
    pub fn next(&mut self, now_ms: u64, events_max: usize) -> Option<Portion> {
        loop {
            let (nth, gathered, after) = self.order().into_iter().find_map(|nth| {
                let (gathered, after) = self.read(nth, now_ms, events_max)?;
                Some((nth, gathered, after))
            })?;
            self.turn = self.turn.wrapping_add(1);
            let cursor = self.cursor_after(nth, &after);
            let portion = Portion { gathered, cursor, after, nth };
            if !portion.gathered.is_empty() || portion.gathered.too_deep > 0 {
                return Some(portion);
            }
            // There was nothing to keep. After a restart the same is found again.
            self.kept(portion);
        }
    }

    /// First a file that is held in memory as a whole, so that there is one at a time; then old files,
    /// so that what was written before a rotation is kept before what came after it; then each in
    /// turn, so that none waits for another. Complete files have one turn for all of them, and it is
    /// the oldest one's: a source's objects are kept in the order in which it wrote them.
    fn order(&self) -> Vec<usize> {
        let is = |nth: &usize, what: fn(&Tracked) -> bool| self.tracked.get(*nth).is_some_and(what);
        let (mut order, others): (Vec<usize>, Vec<usize>) = (0..self.tracked.len()).partition(|nth| is(nth, |file| file.whole.is_some()));
        let old = |file: &Tracked| file.place.renamed || file.live.is_none();
        let (old, others): (Vec<usize>, Vec<usize>) = others.into_iter().partition(|nth| is(nth, old));
        order.extend(old);
        let (complete, growing): (Vec<usize>, Vec<usize>) = others.into_iter().partition(|nth| is(nth, Tracked::is_complete));
        let turns = growing.len() + usize::from(!complete.is_empty());
        let turn = self.turn.checked_rem(turns).unwrap_or(0);
        let (before, after) = growing.split_at_checked(turn).unwrap_or((&growing, &[]));
        // The last turn is that of the complete ones.
        order.extend(after.iter().chain(&complete).chain(before));
        order
    }

    fn read(&mut self, nth: usize, now_ms: u64, events_max: usize) -> Read {
        let tracked = self.tracked.get(nth)?;
        let wanted = match tracked.rest {
            Rest::Unknown => true,
            Rest::Line => self.takes_last_line(tracked, now_ms),
            Rest::Nothing => false,
        };
        if !wanted {
            return None;
        }
        let seen = tracked.live.clone();
        let read = match &seen {
            Some(seen) if tracked.place.offset == 0 && may_be_whole(seen.file_name()) => self.read_whole(nth, seen, now_ms, events_max),
            _ => self.read_lines(nth, seen.as_ref(), now_ms, events_max),
        };
        read.unwrap_or_else(|why| {
            self.failed(nth, &why);
            None
        })
    }

    /// Whether a line that the file's end cuts short will not go on.
    fn takes_last_line(&self, tracked: &Tracked, now_ms: u64) -> bool {
        let Some(seen) = &tracked.live else { return true };
        let wait_ms = if tracked.place.renamed { self.rules.last_line_ms } else { self.rules.left_line_ms };
        is_gzip(seen.file_name()) || self.unchanged_ms(seen.id, now_ms) >= wait_ms
    }

    fn failed(&mut self, nth: usize, why: &io::Error) {
        let Some(tracked) = self.tracked.get_mut(nth) else { return };
        // Until it changes there is nothing else to be read of it.
        (tracked.lines, tracked.whole, tracked.rest) = (None, None, Rest::Nothing);
        let reason = match why.kind() {
            // Gone or replaced since it was seen: the next look has to tell, even if it looks the same.
            io::ErrorKind::NotFound => {
                if let Some(seen) = &mut tracked.live {
                    seen.modified_ms = u64::MAX;
                }
                return;
            }
            // Compressed, and not whole yet.
            io::ErrorKind::UnexpectedEof => return,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "file_damaged",
            _ => "file_unreadable",
        };
        if let Some(seen) = tracked.live.clone() {
            self.trouble(&seen, reason);
        }
    }

    /// Opens the reader of a place unless it is open.
    fn open_lines(&mut self, nth: usize, seen: &Seen) -> io::Result<()> {
        let Some(tracked) = self.tracked.get_mut(nth).filter(|tracked| tracked.lines.is_none()) else { return Ok(()) };
        let file = self.folder.open(&seen.path)?;
        let is_it = file.id()? == seen.id;
        tracked.lines = Lines::open(file, is_gzip(seen.file_name()), &tracked.place)?.filter(|_| is_it);
        if tracked.lines.is_some() { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn read_lines(&mut self, nth: usize, seen: Option<&Seen>, now_ms: u64, events_max: usize) -> io::Result<Read> {
        if let Some(seen) = seen {
            self.open_lines(nth, seen)?;
        }
        let gzip = seen.is_some_and(|seen| is_gzip(seen.file_name()));
        let last = self.tracked.get(nth).is_some_and(|tracked| self.takes_last_line(tracked, now_ms));
        let Some(tracked) = self.tracked.get_mut(nth) else { return Ok(None) };
        let Some(lines) = &mut tracked.lines else { return Ok(None) };
        let Some(mut filled) = lines.fill(&tracked.place, events_max, last)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if filled.overshot {
            tracked.lines = None;
        } else if filled.at_end {
            tracked.rest = if lines.is_inside() { Rest::Line } else { Rest::Nothing };
            if seen.is_none() {
                tracked.lines = None;
            }
        }
        if seen.is_some() {
            filled.place.seen_ms = now_ms;
        }
        if let Some(seen) = seen.filter(|_| gzip && filled.at_end) {
            return Ok(Some((filled.gathered, After::Done(mark(seen)))));
        }
        let anything = !filled.gathered.is_empty() || filled.gathered.too_deep > 0;
        Ok(anything.then_some((filled.gathered, After::At(filled.place))))
    }

    fn read_whole(&mut self, nth: usize, seen: &Seen, now_ms: u64, events_max: usize) -> io::Result<Read> {
        let gzip = is_gzip(seen.file_name());
        if self.tracked.get(nth).is_some_and(|tracked| tracked.whole.is_none()) {
            let stable = self.unchanged_ms(seen.id, now_ms) >= self.rules.stable_ms;
            match sniff_whole(self.folder.open(&seen.path)?, gzip)? {
                Some(true) | None if !stable => return Ok(None),
                Some(true) => {}
                Some(false) | None => return self.read_lines(nth, Some(seen), now_ms, events_max),
            }
            let Some(whole) = read_whole(self.folder.open(&seen.path)?, gzip)? else {
                return self.read_lines(nth, Some(seen), now_ms, events_max);
            };
            if let Some(tracked) = self.tracked.get_mut(nth) {
                tracked.hold(whole);
            }
        }
        Ok(self.tracked.get(nth).and_then(|tracked| tracked.next_of_whole(seen, now_ms, events_max)))
    }

    fn cursor_after(&self, nth: usize, after: &After) -> Vec<u8> {
        let mut places = Places { places: self.tracked.iter().map(|tracked| tracked.place.clone()).collect(), done: self.done.clone() };
        match after {
            After::At(place) => {
                if let Some(at) = places.places.get_mut(nth) {
                    *at = place.clone();
                }
            }
            After::Done(done) => {
                places.places.remove(nth);
                places.done.push(*done);
            }
        }
        // Nothing of the others is kept yet: after a restart they are found again as what they are.
        places.places.retain(Place::is_begun);
        places.encode()
    }

    /// The events of `portion` and its cursor are in the log.
    pub fn kept(&mut self, portion: Portion) {
        match portion.after {
            After::At(place) => {
                if let Some(tracked) = self.tracked.get_mut(portion.nth) {
                    tracked.place = place;
                }
            }
            After::Done(done) => {
                let tracked = self.tracked.remove(portion.nth);
                self.done.push(done);
                if let Some(seen) = tracked.live.filter(|_| self.rules.remove) {
                    self.remove(&seen);
                }
            }
        }
    }

    /// The log took nothing of `portion`: it will be read again.
    pub fn not_kept(&mut self, portion: &Portion) {
        if let Some(tracked) = self.tracked.get_mut(portion.nth) {
            (tracked.lines, tracked.rest) = (None, Rest::Unknown);
        }
    }

    fn remove(&mut self, seen: &Seen) {
        let same = self.folder.list().is_ok_and(|now| now.iter().any(|now| now == seen));
        if same && self.folder.remove(&seen.path).is_err() {
            self.trouble(seen, "file_not_removed");
        }
    }
}

impl Tracked {
    fn new(place: Place) -> Self {
        Self { place, live: None, lines: None, whole: None, rest: Rest::Unknown }
    }

    /// Whether nothing is added to a file of such a name once it is there.
    fn is_complete(&self) -> bool {
        let begins = self.place.offset == 0;
        self.live.as_ref().is_some_and(|seen| is_gzip(seen.file_name()) || (begins && may_be_whole(seen.file_name())))
    }

    /// Takes a complete file; one that is not what some events were kept of begins anew.
    fn hold(&mut self, whole: Whole) {
        let last = whole.body.len().saturating_sub(crate::intake::file_places::PRINT_BYTES_MAX);
        let (head, tail) = (Print::of(&whole.body), Print::of(whole.body.get(last..).unwrap_or_default()));
        if (self.place.head, self.place.tail) != (head, tail) {
            self.place.events = 0;
        }
        (self.place.head, self.place.tail) = (head, tail);
        (self.whole, self.lines) = (Some(whole), None);
    }

    fn next_of_whole(&self, seen: &Seen, now_ms: u64, events_max: usize) -> Read {
        let whole = self.whole.as_ref()?;
        let (mut gathered, mut place) = (StreamBatch::default(), self.place.clone());
        for event in whole.decoded.events.iter().skip(self.place.events as usize).take(events_max) {
            if gathered.is_full() {
                break;
            }
            gathered.event(&whole.body, event);
            place.events += 1;
        }
        place.seen_ms = now_ms;
        if (place.events as usize) < whole.decoded.events.len() {
            return Some((gathered, After::At(place)));
        }
        gathered.too_deep += whole.decoded.refused.len() as u64;
        Some((gathered, After::Done(mark(seen))))
    }
}

fn mark(seen: &Seen) -> Done {
    done_mark(seen.id, seen.size, seen.modified_ms)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
pub(super) mod fake;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
