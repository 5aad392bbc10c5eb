//! Does what is derived of the log still say what the log says? A payload file is read once more, everything is derived of
//! it again, and the two are compared byte for byte.
//!
//! Checksums find what a disk did. This finds what somebody did who could write the checksums too, and what a
//! mistake in this program did: an index that hides an event, a lake that tells of another.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::act::PayloadFile;
use evidence::fold::TrailState;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use tracing::{error, warn};

use crate::clock::random;
use crate::log::records;
use crate::search::lake::{Lake, Standing};
use crate::search::same_bytes::{is_same, is_same_dir};
use crate::search::{Index, IndexError, LAKE};
use crate::store::trail::Trail;

/// How often the sampler looks at one payload file. A file of 65,536 entries takes about two seconds of the
/// time that nobody else wants; all of a log of twenty million is looked at in five hours.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(60);

/// Below the directory of what is derived: what is derived again, to be compared and removed.
pub(super) const AGAIN: &str = "again";

/// What came of looking at what is derived of a payload file once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recheck {
    /// What search asks.
    pub index: Held,
    /// What engines read.
    pub lake: Held,
}

/// How what was derived stands to what would be derived now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It says what the log says.
    Same,
    /// Nothing is there that would be used.
    NotMade,
    /// Something is there without what it was written with: damaged, altered, or half made. It is not used, but engines
    /// read what stands in a directory.
    Unmarked,
    /// It says something else.
    Differs,
}

impl Held {
    const fn compared(same: bool) -> Self {
        if same { Self::Same } else { Self::Differs }
    }
}

impl Index {
    /// Compares what is derived of a payload file with the file.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn recheck(&self, trail: &Trail, file: &PayloadFile, stopped: &dyn Fn() -> bool) -> Result<Recheck, IndexError> {
        let mut found = Recheck { index: Held::NotMade, lake: Held::NotMade };
        let state: &TrailState = &trail.view().state;
        let (Some(dir), Some(places)) = (&self.dir, self.paths(file)) else { return Ok(found) };
        self.forget(file);
        // What was seen of it before says nothing of what it is now.
        self.lake.iter().for_each(|lake| lake.forget(file));
        let lake = match Lake::standing(dir.join(LAKE), file, &self.maps) {
            Standing::Made(lake) => Some(lake),
            Standing::Unmarked => {
                found.lake = Held::Unmarked;
                None
            }
            Standing::Nothing => None,
        };
        let is_known = self.known(file, state).is_some();
        if !is_known && lake.is_none() {
            return Ok(found);
        }
        let again = dir.join(AGAIN);
        let compared = self.derive_again(trail, file, &again, lake.as_ref(), stopped).and_then(|()| {
            let failed = |why| IndexError::Write { path: again.clone(), why };
            if is_known {
                let (sidecar, terms) = &places;
                let same = is_same(sidecar, &again.join("search")).and_then(|same| Ok(same && is_same_dir(terms, &again.join("index"))?));
                found.index = Held::compared(same.map_err(failed)?);
            }
            if let Some(lake) = &lake {
                found.lake = Held::compared(lake.is_same(&again, file).map_err(failed)?);
            }
            Ok(found)
        });
        // Derived for the moment: whoever cannot remove it writes over it the next time.
        let _ = fs::remove_dir_all(&again);
        compared
    }

    /// Derives everything of a payload file in a directory that is removed afterwards.
    fn derive_again(
        &self,
        trail: &Trail,
        file: &PayloadFile,
        again: &Path,
        lake: Option<&Lake>,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), IndexError> {
        let failed = |why| IndexError::Write { path: again.to_owned(), why };
        fs::create_dir_all(again).map_err(failed)?;
        let mut writer = lake.map(|lake| lake.moved_to(again).begin(file, &self.maps));
        self.derive(trail, file, &(again.join("search"), again.join("index")), writer.as_mut(), stopped)?;
        writer.map_or(Ok(()), |writer| writer.finish().map_err(failed))
    }
}

/// Looks at one payload file after the other, in an order that nobody can foretell.
#[derive(Debug)]
pub(super) struct Sampler {
    next: Instant,
    every: Duration,
    dice: ChaCha8Rng,
    /// Files of this round that are still to be looked at.
    left: Vec<PayloadFile>,
}

impl Sampler {
    pub(super) fn new(every: Duration) -> Self {
        Self { next: Instant::now() + every, every, dice: ChaCha8Rng::from_seed(seed()), left: Vec::new() }
    }

    /// Looks at the next file if it is time, and says aloud, in the log and in the metrics when what was
    /// derived of it says something else. Then it is made again. What is of no payload file is removed.
    pub(super) fn look(&mut self, trail: &Trail, index: &Index, stopped: &dyn Fn() -> bool) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.every;
        // What is to take the place of something that is removed stands there before.
        if index.due(&trail.view().state).next().is_none() {
            index.remove_orphans(trail);
        }
        let state = Arc::clone(&trail.view().state);
        if self.left.is_empty() {
            self.left = state.payload_files.values().cloned().collect();
        }
        if self.left.is_empty() {
            return;
        }
        let at = usize::try_from(self.dice.next_u32()).unwrap_or_default() % self.left.len();
        let file = self.left.swap_remove(at);
        // Erased or merged since the round began.
        if !state.payload_files.values().any(|known| *known == file) {
            return;
        }
        match index.recheck(trail, &file, stopped) {
            Ok(found) => say(index, &file, found),
            Err(IndexError::Stopped) => {}
            Err(why) => warn!(%why, file = file.name(), "what is derived of a payload file could not be compared with it"),
        }
    }
}

/// Says what was found, and has what says something else made again. Full of records of searches, the index cannot
/// take one more: it is said again when the file is looked at the next time.
fn say(index: &Index, file: &PayloadFile, found: Recheck) {
    if found.index != Held::NotMade {
        index.health.rechecked.inc();
    }
    if found.index == Held::Differs {
        index.health.differences.inc();
        error!(
            file = file.name(),
            "the index of this payload file does not say what the log says: answers may have missed entries of it; it is made again"
        );
        if index.note(records::index_differs(&file.name(), file.first, file.end())) {
            index.discard(file);
        }
    }
    if found.lake == Held::Unmarked {
        warn!(file = file.name(), "the lake file of this payload file is not as it was written; it is made again");
    }
    if found.lake == Held::Differs {
        index.health.lake_differences.inc();
        error!(
            file = file.name(),
            "the lake file of this payload file does not say what the log says: what engines answered of it may be wrong; it is made again"
        );
        if index.note(records::lake_differs(&file.name(), file.first, file.end()))
            && let Some(lake) = &index.lake
        {
            lake.discard(file);
        }
    }
}

/// A number that nobody knows beforehand.
fn seed() -> [u8; 32] {
    // Without one the order is always the same, which is still an order.
    let mut seed = [0; 32];
    let _ = random(&mut seed);
    seed
}
