//! Which file is which: places and the files that are there, brought together.

use std::collections::{HashMap, HashSet};
use std::io;

use super::{IDLE_OPEN_MAX, Rest, Tracked, Watch, mark};
use crate::door::files::content::{is_gzip, is_other_compression};
use crate::door::files::folder::{Folder, Seen};
use crate::door::files::reader::Lines;
use crate::door::files::rotated::{may_be_compressed, may_be_rotated};
use crate::intake::FileId;
use crate::intake::file_places::{Done, PLACES_BYTES_MAX, PRINT_BYTES_MAX, Place};

impl<F: Folder> Watch<F> {
    /// Finds out which files are there.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn look(&mut self, now_ms: u64) -> io::Result<()> {
        let mut seen = self.folder.list()?;
        seen.sort_by(|a, b| (a.modified_ms, &a.path).cmp(&(b.modified_ms, &b.path)));
        self.note_changes(&seen, now_ms);
        self.forget_done(&seen);
        let unread = self.find_known(&mut seen, now_ms);
        for seen in seen {
            self.find_place(seen, now_ms);
        }
        self.count_unread(&unread);
        self.close_idle();
        let gone_ms = self.rules.gone_ms;
        self.tracked.retain(|tracked| {
            let waits = tracked.place.is_begun() && now_ms.saturating_sub(tracked.place.seen_ms) <= gone_ms;
            tracked.live.is_some() || tracked.lines.is_some() || waits
        });
        Ok(())
    }

    /// Closes files of which nothing is left, those that were quiet longest, past a few.
    fn close_idle(&mut self) {
        let idle = |tracked: &&mut Tracked| tracked.lines.is_some() && tracked.rest == Rest::Nothing && tracked.live.is_some();
        let mut open: Vec<&mut Tracked> = self.tracked.iter_mut().filter(idle).collect();
        open.sort_by_key(|tracked| std::cmp::Reverse(tracked.live.as_ref().map_or(0, |seen| seen.modified_ms)));
        open.into_iter().skip(IDLE_OPEN_MAX).for_each(|tracked| tracked.lines = None);
    }

    fn note_changes(&mut self, seen: &[Seen], now_ms: u64) {
        let before = std::mem::take(&mut self.since);
        for file in seen {
            let since = match before.get(&file.id) {
                Some((size, modified, since)) if (*size, *modified) == (file.size, file.modified_ms) => *since,
                Some(_) => now_ms,
                None => file.modified_ms.min(now_ms),
            };
            self.since.insert(file.id, (file.size, file.modified_ms, since));
        }
        self.waiting.retain(|id, _| self.since.contains_key(id));
        self.troubled.retain(|id, _| self.since.contains_key(id));
    }

    fn forget_done(&mut self, seen: &[Seen]) {
        if !self.done.is_empty() {
            let there: HashSet<Done> = seen.iter().map(mark).collect();
            self.done.retain(|done| there.contains(done));
        }
    }

    /// Gives known files to their places and leaves the others in `seen`. Returns places whose file
    /// is no longer there though something of it was unread at the last look.
    fn find_known(&mut self, seen: &mut Vec<Seen>, now_ms: u64) -> Vec<usize> {
        // Hard links are one file: the first name by age and alphabet is as good as another.
        let mut there: HashMap<FileId, Seen> = seen.iter().rev().map(|seen| (seen.id, seen.clone())).collect();
        let mut unread = Vec::new();
        // The newest place first: an inode's present content is what was read of it last.
        for nth in (0..self.tracked.len()).rev() {
            let Some(id) = self.tracked.get(nth).map(|tracked| tracked.place.id) else { continue };
            let found = there.get(&id).cloned().filter(|seen| self.is_still(nth, seen));
            if found.is_some() {
                there.remove(&id);
            }
            if let Some(tracked) = self.tracked.get_mut(nth) {
                let replaced = found.is_none() && self.since.contains_key(&id);
                if tracked.settle(found, replaced, now_ms) {
                    unread.push(nth);
                }
            }
        }
        let mut names = HashSet::new();
        seen.retain(|seen| there.contains_key(&seen.id) && names.insert(seen.id));
        unread
    }

    /// Whether `seen` still is the file of a place, judged by its content if it changed.
    fn is_still(&self, nth: usize, seen: &Seen) -> bool {
        let Some(tracked) = self.tracked.get(nth) else { return false };
        if tracked.live.as_ref().is_some_and(|live| mark(live) == mark(seen)) {
            return true;
        }
        // What is read as a whole is compared when it is read.
        tracked.place.events > 0 || self.fits(seen, &tracked.place)
    }

    /// Whether the content of a file is what was read up to `place`.
    fn fits(&self, seen: &Seen, place: &Place) -> bool {
        let gzip = is_gzip(seen.file_name());
        if !gzip && seen.size < place.offset {
            return false;
        }
        let Ok(file) = self.folder.open(&seen.path) else { return false };
        file.id().is_ok_and(|id| id == seen.id) && Lines::open(file, gzip, place).is_ok_and(|fits| fits.is_some())
    }

    fn is_wanted(&self, seen: &Seen) -> bool {
        let name = seen.file_name();
        let patterns = &self.rules.patterns;
        if patterns.is_empty() { !name.starts_with(b".") } else { patterns.iter().any(|pattern| pattern.fits(name)) }
    }

    /// A place for a file that has none: that of what it was made of, a new one, or none yet.
    fn find_place(&mut self, seen: Seen, now_ms: u64) {
        if seen.size == 0 || self.done.contains(&mark(&seen)) {
            return;
        }
        let name = seen.name();
        let orphans: Vec<usize> = (0..self.tracked.len()).filter(|nth| self.lost_file_to(*nth, &name)).collect();
        for nth in orphans {
            if self.tracked.get(nth).is_some_and(|tracked| tracked.lines.is_some()) {
                // Still being read although its name is gone: where it ends is not known yet.
                return;
            }
            if self.continues(nth, seen.clone(), now_ms) {
                return;
            }
        }
        if !self.is_wanted(&seen) {
            return;
        }
        if is_other_compression(seen.file_name()) {
            return self.trouble(&seen, "compression_unknown");
        }
        if self.may_be_copy(&seen, &name) {
            let since = *self.waiting.entry(seen.id).or_insert(now_ms);
            let compressing = is_gzip(seen.file_name()) && self.unchanged_ms(seen.id, now_ms) < self.rules.copy_wait_ms;
            if compressing || now_ms.saturating_sub(since) < self.rules.copy_wait_ms {
                return;
            }
        }
        self.begin(seen, name, now_ms);
    }

    /// Whether a place has lost its file in a way that may have made `name` of it: its inode shows
    /// other content, so it was truncated and copied before; or it is gone, so it was compressed, or
    /// moved here by copying, which only more than a banner in common shows.
    fn lost_file_to(&self, nth: usize, name: &str) -> bool {
        self.tracked.get(nth).is_some_and(|tracked| {
            let place = &tracked.place;
            let lost = tracked.live.is_none() && (place.offset > 0 || tracked.lines.is_some());
            let copied = self.since.contains_key(&place.id) || usize::from(place.head.bytes) == PRINT_BYTES_MAX;
            lost && (may_be_compressed(&place.name, name) || (copied && may_be_rotated(&place.name, name)))
        })
    }

    fn continues(&mut self, nth: usize, seen: Seen, now_ms: u64) -> bool {
        let Some(place) = self.tracked.get(nth).map(|tracked| tracked.place.clone()) else { return false };
        if self.fits(&seen, &place) {
            if let Some(tracked) = self.tracked.get_mut(nth) {
                tracked.adopt(seen, now_ms);
            }
            return true;
        }
        // The copy ends before the place: more was read before the original was truncated.
        let full = usize::from(place.head.bytes) == PRINT_BYTES_MAX;
        if full && !is_gzip(seen.file_name()) && seen.size < place.offset && self.begins_like(&seen, &place) {
            self.done.push(mark(&seen));
            return true;
        }
        false
    }

    /// Whether a file equals, as far as it goes, the beginning of one that is still there, or is
    /// being made of one by compression.
    fn may_be_copy(&self, seen: &Seen, name: &str) -> bool {
        self.tracked.iter().any(|tracked| {
            let place = &tracked.place;
            if tracked.live.as_ref().is_none_or(|live| is_gzip(live.file_name())) {
                return false;
            }
            // As long as a file is being compressed it has its own name and this one.
            let compressed = name.strip_suffix(".gz").is_some_and(|plain| plain == place.name);
            let copied = place.offset > 0 && !is_gzip(seen.file_name()) && may_be_rotated(&place.name, name);
            compressed || (copied && (seen.size < u64::from(place.head.bytes) || self.begins_like(seen, place)))
        })
    }

    fn begins_like(&self, seen: &Seen, place: &Place) -> bool {
        let head = place.head;
        self.fits(seen, &Place { head, tail: head, offset: u64::from(head.bytes), ..Place::default() })
    }

    fn begin(&mut self, seen: Seen, name: String, now_ms: u64) {
        let place = Place { id: seen.id, name, seen_ms: now_ms, ..Place::default() };
        let places: usize = self.tracked.iter().map(|tracked| tracked.place.encoded_bytes()).sum();
        if places + self.done.len() * 8 + place.encoded_bytes() > PLACES_BYTES_MAX {
            return self.trouble(&seen, "too_many_files");
        }
        self.waiting.remove(&seen.id);
        self.tracked.push(Tracked { live: Some(seen), ..Tracked::new(place) });
    }

    /// Counts files of which something went unread, unless another file turned out to hold it.
    fn count_unread(&mut self, unread: &[usize]) {
        let lost = unread.iter().filter(|nth| self.tracked.get(**nth).is_some_and(|tracked| tracked.live.is_none())).count();
        self.troubles.extend(std::iter::repeat_n("file_gone_unread", lost));
    }
}

impl Tracked {
    /// What the last look found of its file. True if it went, and unread bytes with it.
    fn settle(&mut self, found: Option<Seen>, replaced: bool, now_ms: u64) -> bool {
        let same = self.live == found;
        if !same && (self.live.is_some() || found.is_some()) {
            (self.whole, self.rest) = (None, Rest::Unknown);
        }
        // What the open file shows now may not be what was being read, or not as far as it was.
        if replaced || (!same && self.lines.as_ref().is_some_and(|lines| !lines.is_current())) {
            self.lines = None;
        }
        let before = std::mem::replace(&mut self.live, found);
        if let Some(seen) = &self.live {
            let name = seen.name();
            self.place.renamed |= self.place.name != name;
            self.place.name = name;
            self.place.seen_ms = now_ms;
            return false;
        }
        // A file that is gone stays readable while it is open.
        before.is_some_and(|before| self.lines.is_none() && before.size > self.place.offset && !is_gzip(before.file_name()))
    }

    /// Goes on in a copy or a compressed form of its file.
    fn adopt(&mut self, seen: Seen, now_ms: u64) {
        self.place.id = seen.id;
        self.place.name = seen.name();
        self.place.renamed = true;
        self.place.seen_ms = now_ms;
        (self.whole, self.lines, self.rest) = (None, None, Rest::Unknown);
        self.live = Some(seen);
    }
}
