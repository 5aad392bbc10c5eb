//! Entries that were found lately, and what they mean. Whoever shows what it found, turns the page or narrows a question
//! down comes to the same entries again: they need neither be unpacked nor understood anew.
//!
//! INVARIANT: nothing comes from here that reading would not give. An entry of a payload file is as it was read only
//! while nobody has touched the file since, and what an entry means is what was made of these very bytes. An entry of a file
//! that is no more (expired, or written anew by an erasure) is never given, and goes when others come.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use evidence::leaf::Leaf;
use lru::LruCache;

use crate::search::document::{Document, Meaning};
use crate::store::media::Touched;
use crate::store::read::StoredEntry;

/// Bytes of all that is kept: some three thousand events of 1 KB.
const BYTES_MAX: usize = 32 << 20;
/// What keeping one takes beside its bytes.
const OVERHEAD_BYTES: usize = 512;

/// An entry that was found.
#[derive(Debug)]
struct Known {
    entry: StoredEntry,
    /// When its payload file was last touched; nothing when that is not known, or when it was in no file.
    touched: Option<Touched>,
    /// The kind that its source had.
    kind: Option<String>,
    meaning: Option<Arc<Meaning>>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    entries: LruCache<u64, Known>,
    bytes: usize,
}

impl Kept {
    /// Takes out the oldest until the others fit.
    fn make_room(&mut self) -> Vec<Known> {
        let mut dropped = Vec::new();
        while self.bytes > BYTES_MAX
            && let Some((_, oldest)) = self.entries.pop_lru()
        {
            self.bytes -= oldest.bytes;
            dropped.push(oldest);
        }
        dropped
    }
}

/// The entries that were found lately.
#[derive(Debug)]
pub struct Recent {
    kept: Mutex<Kept>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { entries: LruCache::unbounded(), bytes: 0 }) }
    }
}

impl Recent {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out of `due` the entries that were found in a payload file that nobody has touched since they were read.
    pub(super) fn take(&self, due: &mut Vec<(u64, Leaf)>, touched: Option<Touched>) -> Vec<StoredEntry> {
        let mut taken = Vec::new();
        if touched.is_none() {
            return taken;
        }
        let mut kept = self.kept();
        due.retain(|(index, leaf)| {
            let known = kept.entries.get(index).filter(|known| known.touched == touched && known.entry.leaf == *leaf);
            taken.extend(known.map(|known| known.entry.clone()));
            known.is_none()
        });
        taken
    }

    /// What these bytes mean as an event of a source of this kind.
    pub(super) fn meaning(&self, entry: &StoredEntry, kind: Option<&str>) -> Option<Arc<Meaning>> {
        let (meaning, raw) = {
            let mut kept = self.kept();
            let known = kept.entries.get(&entry.index)?;
            let may_be = known.entry.leaf == entry.leaf && known.kind.as_deref() == kind;
            (known.meaning.clone().filter(|_| may_be)?, known.entry.raw.clone())
        };
        (raw == entry.raw).then_some(meaning)
    }

    /// Adds what an entry that is kept was found out to mean.
    pub(super) fn understand(&self, entry: &StoredEntry, kind: Option<&str>, meaning: &Arc<Meaning>) {
        let mut kept = self.kept();
        let Some(known) = kept.entries.peek_mut(&entry.index) else { return };
        if known.meaning.is_some() || known.entry.leaf != entry.leaf || known.kind.as_deref() != kind || known.entry.raw != entry.raw {
            return;
        }
        known.meaning = Some(Arc::clone(meaning));
        known.bytes += meaning.bytes();
        kept.bytes += meaning.bytes();
        let _dropped = kept.make_room();
    }

    /// Keeps what was found, of a payload file that was touched then.
    pub(super) fn keep(&self, document: &Document<'_>, touched: Option<Touched>) {
        let (mut entry, kind) = (document.entry().clone(), document.source_kind().map(str::to_owned));
        if touched.is_none() {
            // What is in no file yet is a piece of the block that it came in, which would be kept with it.
            for part in [&mut entry.raw, &mut entry.facts, &mut entry.people] {
                *part = Bytes::copy_from_slice(part);
            }
        }
        let meaning = document.known_meaning().or_else(|| self.meaning(&entry, kind.as_deref()));
        let own = entry.raw.len() + entry.facts.len() + entry.people.len();
        let bytes = OVERHEAD_BYTES + own + meaning.as_ref().map_or(0, |meaning| meaning.bytes());
        let known = Known { touched, kind, meaning, bytes, entry };
        let mut kept = self.kept();
        kept.bytes += bytes;
        let before = kept.entries.push(known.entry.index, known);
        kept.bytes -= before.as_ref().map_or(0, |(_, before)| before.bytes);
        let dropped = kept.make_room();
        // What is dropped is freed when others may go on.
        drop(kept);
        drop((before, dropped));
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept().entries.len()
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test that panics has failed")]
mod tests {
    use std::time::Duration;

    use evidence::fold::TrailState;
    use evidence::leaf::Kind;

    use super::*;
    use crate::search::document::Knowing;
    use crate::source::Catalog;
    use crate::source::directory::Directory;
    use crate::store::media::{Disk, Media as _};
    use crate::store::trail::{Trail, TrailOptions};

    fn entry(index: u64, raw: &[u8]) -> StoredEntry {
        let leaf = Leaf { kind: Kind::Event, source: 1, class: 1, received_at: 0, commitment: [0; 32] };
        let raw = Bytes::copy_from_slice(raw);
        StoredEntry { index, leaf, salt: [0; 16], facts: Bytes::new(), people: Bytes::new(), raw, cuts: Vec::new().into() }
    }

    /// What it takes to understand an entry.
    struct World {
        recent: Recent,
        catalog: Catalog,
        directory: Directory,
        state: Arc<TrailState>,
    }

    impl World {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let media = Arc::new(Disk::new(dir.path()).expect("a disk"));
            let trail = Trail::open(media, &TrailOptions { threads: false, ..TrailOptions::main("/recent") }).expect("a trail");
            let state = Arc::clone(&trail.view().state);
            Self { recent: Recent::default(), catalog: Catalog::built_in(), directory: Directory::default(), state }
        }

        fn keep(&self, entry: &StoredEntry, touched: Option<Touched>) {
            let Self { recent, catalog, directory, state } = self;
            let document = Document::new(entry, Knowing { catalog, directory, state, recent: None });
            assert!(document.ocsf_form().is_some());
            recent.keep(&document, touched);
        }
    }

    #[test]
    fn an_entry_is_given_only_while_its_file_is_as_it_was() {
        let dir = tempfile::tempdir().expect("a directory");
        let touched = || Disk::new(dir.path()).and_then(|disk| disk.stamp("file")).expect("a file").touched;
        std::fs::write(dir.path().join("file"), "one").expect("written");
        assert_eq!(touched(), None, "what was written just now may be written again in the same tick");
        std::thread::sleep(Duration::from_millis(3_100));
        let before = touched();
        assert!(before.is_some());

        let (world, found) = (World::new(), entry(7, b"{\"user\":\"a\"}"));
        let recent = &world.recent;
        world.keep(&found, before);
        let given_as = |index, leaf, touched| recent.take(&mut vec![(index, leaf)], touched).pop().map(|entry| entry.raw);
        let given = |touched| given_as(7, found.leaf, touched);
        assert_eq!((given(before), given(None)), (Some(found.raw.clone()), None));
        assert_eq!(given_as(7, Leaf { source: 2, ..found.leaf }, before), None, "another leaf");
        assert_eq!(given_as(8, found.leaf, before), None);
        let mut due = vec![(6, found.leaf), (7, found.leaf)];
        assert_eq!((recent.take(&mut due, before).len(), due), (1, vec![(6, found.leaf)]));

        std::fs::write(dir.path().join("file"), "two").expect("written");
        std::thread::sleep(Duration::from_millis(3_100));
        assert!(touched().is_some() && touched() != before);
        assert_eq!(given(touched()), None, "the file was written to");
    }

    #[test]
    fn a_meaning_is_that_of_the_same_bytes_and_kind() {
        let (world, found) = (World::new(), entry(7, b"{\"user\":\"a\"}"));
        let recent = &world.recent;
        world.keep(&found, None);
        assert!(recent.meaning(&found, None).is_some());
        assert!(recent.meaning(&entry(7, b"{\"user\":\"b\"}"), None).is_none());
        assert!(recent.meaning(&entry(8, b"{\"user\":\"a\"}"), None).is_none());
        assert!(recent.meaning(&found, Some("okta")).is_none());
    }

    #[test]
    fn what_is_understood_later_is_kept_and_what_is_found_again_keeps_its_meaning() {
        let (world, found) = (World::new(), entry(7, b"{\"user\":\"a\"}"));
        let World { recent, catalog, directory, state } = &world;
        let knowing = Knowing { catalog, directory, state, recent: Some(recent) };
        recent.keep(&Document::new(&found, knowing), None);
        assert!(recent.meaning(&found, None).is_none(), "nobody asked what it means");
        assert!(Document::new(&found, knowing).ocsf_form().is_some());
        assert!(recent.meaning(&found, None).is_some());
        recent.keep(&Document::new(&found, knowing), None);
        assert!(recent.meaning(&found, None).is_some());
        let sum: usize = recent.kept().entries.iter().map(|(_, known)| known.bytes).sum();
        assert_eq!(recent.bytes(), sum);
    }

    #[test]
    fn the_latest_are_kept_and_no_more_than_there_is_room_for() {
        let world = World::new();
        let recent = &world.recent;
        let large = format!("{{\"text\":\"{}\"}}", "x".repeat(BYTES_MAX / 16));
        (0..32).for_each(|index| world.keep(&entry(index, large.as_bytes()), None));
        assert!(recent.bytes() <= BYTES_MAX && (1..16).contains(&recent.len()));
        assert!(recent.meaning(&entry(31, large.as_bytes()), None).is_some());
        world.keep(&entry(31, large.as_bytes()), None);
        let sum: usize = recent.kept().entries.iter().map(|(_, known)| known.bytes).sum();
        assert_eq!(recent.bytes(), sum, "the same entry counts once");
        world.keep(&entry(99, format!("{{\"text\":\"{}\"}}", "x".repeat(BYTES_MAX)).as_bytes()), None);
        assert_eq!((recent.bytes(), recent.is_empty()), (0, true), "what is larger than all the room is not kept");
    }
}
