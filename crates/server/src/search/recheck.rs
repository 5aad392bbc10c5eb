//! Does what search derived of the log still say what the log says? A payload file is read once more,
//! everything is derived of it again, and the two are compared byte for byte.
//!
//! Checksums find what a disk did. This finds what somebody did who could write the checksums too, and what a
//! mistake in this program did: an index that hides an event.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
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
use crate::search::{Index, IndexError};
use crate::store::trail::Trail;

/// How often the sampler looks at one payload file. A file of 65,536 entries takes about two seconds of the
/// time that nobody else wants; all of a log of twenty million is looked at in five hours.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_secs(60);

/// Below the directory of what is derived: what is derived again, to be compared and removed.
pub(super) const AGAIN: &str = "again";

/// What came of looking at a payload file once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recheck {
    /// What was derived is what the log says.
    Same,
    /// Nothing is derived of it that would be used: it is read.
    NotMade,
    /// What was derived says something else.
    Differs,
}

impl Index {
    /// Compares what is derived of a payload file with the file.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn recheck(&self, trail: &Trail, file: &PayloadFile, stopped: &dyn Fn() -> bool) -> Result<Recheck, IndexError> {
        let state: &TrailState = &trail.view().state;
        let (Some(dir), Some((sidecar, terms))) = (&self.dir, self.paths(file)) else { return Ok(Recheck::NotMade) };
        self.forget(file);
        if self.known(file, state).is_none() {
            return Ok(Recheck::NotMade);
        }
        let again = dir.join(AGAIN);
        let compared = self.derive(trail, file, &(again.join("search"), again.join("index")), None, stopped).and_then(|()| {
            let failed = |why| IndexError::Write { path: again.clone(), why };
            let same = fs::read(&sidecar).map_err(failed)? == fs::read(again.join("search")).map_err(failed)?
                && contents(&terms).map_err(failed)? == contents(&again.join("index")).map_err(failed)?;
            Ok(if same { Recheck::Same } else { Recheck::Differs })
        });
        // Derived for the moment: whoever cannot remove it writes over it the next time.
        let _ = fs::remove_dir_all(&again);
        compared
    }
}

/// The files of an index.
fn contents(dir: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    fs::read_dir(dir)?.map(|entry| entry.and_then(|entry| Ok((entry.file_name(), fs::read(entry.path())?)))).collect()
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
    /// derived of it says something else. Then it is made again.
    pub(super) fn look(&mut self, trail: &Trail, index: &Index, stopped: &dyn Fn() -> bool) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.every;
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
            Ok(Recheck::Same) => {
                index.health.rechecked.inc();
            }
            Ok(Recheck::NotMade) | Err(IndexError::Stopped) => {}
            Ok(Recheck::Differs) => {
                index.health.rechecked.inc();
                index.health.differences.inc();
                error!(
                    file = file.name(),
                    "the index of this payload file does not say what the log says: answers may have missed entries of it; it is made again"
                );
                // Full of records of searches: it is said again when the file is looked at the next time.
                if index.note(records::index_differs(&file.name(), file.first, file.end())) {
                    index.discard(&file);
                }
            }
            Err(why) => warn!(%why, file = file.name(), "the index of a payload file could not be compared with it"),
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
