//! The thread of a watched directory: looks, reads, and keeps lines and cursor in one chunk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tracing::{error, warn};

use crate::door::files::folder::Folder;
use crate::door::files::watch::{Portion, Watch, WatchRules};
use crate::door::stop::Stop;
use crate::door::{Admission, AdmitError, Batch, By, Origin};
use crate::intake::{InvalidPlaces, Places, SourceName};
use crate::log::cursors::Cursor;
use crate::log::intent::ActError;
use crate::log::sequencer::{AppendError, Wholeness};

/// How often a directory is looked at. Nobody waits for a file's lines within less, and a look
/// costs one system call a file.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// The name of a directory's cursor: it stays with the source and the path.
#[must_use]
pub fn cursor_name(source: &SourceName, directory: &Path) -> String {
    let hash = digest(&SHA256, directory.as_os_str().as_encoded_bytes());
    let short: [u8; 8] = std::array::from_fn(|nth| hash.as_ref().get(nth).copied().unwrap_or_default());
    format!("files/{source}/{}", tlog::canonical::hex(&short))
}

/// A watched directory on its way into the log.
pub struct Follower<F> {
    admission: Arc<Admission>,
    origin: Origin,
    cursor: String,
    watch: Watch<F>,
    unreadable: bool,
}

/// What becomes of a portion.
enum Kept {
    Yes,
    /// Only so many events fit before the end of a segment.
    Split(usize),
    Never,
}

impl<F: Folder> Follower<F> {
    /// Goes on where the log's cursor says. A cursor that cannot be read is an error for whoever
    /// starts the server: to begin anew would enter everything twice.
    ///
    /// # Errors
    /// The cursor is not in a form that this version reads.
    pub fn new(admission: Arc<Admission>, origin: Origin, cursor: String, folder: F, rules: WatchRules) -> Result<Self, InvalidPlaces> {
        let places = admission.trail().log().cursor(&cursor);
        let places = places.map(|value| Places::decode(&value)).transpose()?.unwrap_or_default();
        Ok(Self { admission, origin, cursor, watch: Watch::new(folder, rules, places), unreadable: false })
    }

    /// Follows until a shutdown, or until the log is closed.
    pub fn run(mut self, stop: &Stop) {
        while !stop.is_asked() && self.look_and_keep(stop) {
            stop.wait(LOOK_EVERY);
        }
    }

    /// Looks once and keeps what there is. False: there is nothing more to be done.
    fn look_and_keep(&mut self, stop: &Stop) -> bool {
        self.look();
        while !stop.is_asked()
            && let Some(portion) = self.watch.next(self.now_ms(), usize::MAX)
        {
            if !self.keep(portion, stop) {
                return false;
            }
            self.report();
        }
        self.report();
        true
    }

    fn now_ms(&self) -> u64 {
        self.admission.clock().now_ms()
    }

    fn look(&mut self) {
        let looked = self.watch.look(self.now_ms());
        if let Err(why) = &looked
            && !self.unreadable
        {
            warn!(%why, source = %self.origin.source, "a watched directory cannot be read");
            self.lost("directory_unreadable");
        }
        self.unreadable = looked.is_err();
    }

    fn report(&mut self) {
        for reason in self.watch.take_troubles() {
            warn!(reason, source = %self.origin.source, "a watched file is not read");
            self.lost(reason);
        }
    }

    fn lost(&self, reason: &'static str) {
        self.admission.count_lost(self.origin.door, Some(&self.origin.source), reason, 1);
    }

    /// Keeps a portion, however often it must be tried. False: there is nothing more to be done.
    fn keep(&mut self, mut portion: Portion, stop: &Stop) -> bool {
        let mut pause = RETRY_FIRST;
        loop {
            match self.try_keep(&portion) {
                Ok(Kept::Yes) => {
                    self.watch.kept(portion);
                    return true;
                }
                Ok(Kept::Split(room)) => {
                    self.watch.not_kept(&portion);
                    // Another file may come first now, or the file may have gone.
                    match self.watch.next(self.now_ms(), room) {
                        Some(smaller) => portion = smaller,
                        None => return true,
                    }
                }
                Ok(Kept::Never) => return false,
                Err(_) => {
                    stop.wait(pause);
                    if stop.is_asked() {
                        // Nothing is lost: it is read again after the restart.
                        return false;
                    }
                    pause = (pause * 2).min(RETRY_MAX);
                }
            }
        }
    }

    /// # Errors
    /// What may be tried again.
    fn try_keep(&self, portion: &Portion) -> Result<Kept, AdmitError> {
        let gathered = &portion.gathered;
        let mut batch = Batch::new(By::Local, None);
        batch.cursors = vec![Cursor { name: self.cursor.clone(), value: portion.cursor.clone() }];
        batch.wholeness = Wholeness::Whole;
        match self.admission.admit_blocking(&self.origin, batch, &gathered.body, gathered.decoded.clone()) {
            Ok(_) => {
                self.admission.count_refused(Some(&self.origin.source), "too_deep", gathered.too_deep);
                Ok(Kept::Yes)
            }
            Err(AdmitError::Append(AppendError::Split { room })) => Ok(Kept::Split(room)),
            Err(AdmitError::Append(why @ (AppendError::Stopped(_) | AppendError::Cursor(_)))) => {
                error!(%why, source = %self.origin.source, "a watched directory is not read any more");
                self.lost("log_refused");
                Ok(Kept::Never)
            }
            Err(AdmitError::Act(why)) if !matches!(why, ActError::Append(AppendError::Busy | AppendError::NoSpace)) => {
                error!(%why, source = %self.origin.source, "a watched directory is not read any more");
                self.lost("log_refused");
                Ok(Kept::Never)
            }
            Err(why) => Err(why),
        }
    }
}

#[cfg(test)]
mod tests;
