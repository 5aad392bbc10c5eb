//! The log's directory: the names in it, and the one switch that stops all writing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::WalError;
use crate::store::media::{self, Media};

/// A name in the directory, by what it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// `NNNNNNNNNN.wal`: a file of the log, by its sequence number.
    Log(u64),
    /// `NNNNNNNNNN.wal.tmp`: the next file while it is made.
    Temporary(u64),
    /// `stale-N.wal`: released, not yet zeroed.
    Stale(u64),
    /// `free-N.wal`: zeros.
    Free(u64),
}

impl Name {
    /// `None` for a name that is none of the log's.
    pub(super) fn parse(text: &str) -> Option<Name> {
        let name = if let Some(sequence) = text.strip_suffix(".wal.tmp") {
            Name::Temporary(sequence.parse().ok()?)
        } else {
            let stem = text.strip_suffix(".wal")?;
            match stem.split_once('-') {
                Some(("free", n)) => Name::Free(n.parse().ok()?),
                Some(("stale", n)) => Name::Stale(n.parse().ok()?),
                Some(_) => return None,
                None => Name::Log(stem.parse().ok()?),
            }
        };
        // Only the one way to write it: no signs, no missing or further zeros.
        (name.to_string() == text).then_some(name)
    }

    pub(super) fn number(self) -> u64 {
        match self {
            Name::Log(n) | Name::Temporary(n) | Name::Stale(n) | Name::Free(n) => n,
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Log(n) => write!(f, "{n:010}.wal"),
            Name::Temporary(n) => write!(f, "{n:010}.wal{}", media::TEMPORARY_SUFFIX),
            Name::Stale(n) => write!(f, "stale-{n}.wal"),
            Name::Free(n) => write!(f, "free-{n}.wal"),
        }
    }
}

/// The directory of a log that is open for writing.
pub(super) struct Folder {
    media: Arc<dyn Media>,
    dir: String,
    /// Held through every change of a name and its sync. A sync of the directory that fails may
    /// have dropped another thread's change as well, whose own sync would then succeed.
    names: Mutex<()>,
    stopped: AtomicBool,
}

impl Folder {
    pub(super) fn new(media: Arc<dyn Media>, dir: &str) -> Folder {
        Folder { media, dir: dir.to_owned(), names: Mutex::new(()), stopped: AtomicBool::new(false) }
    }

    pub(super) fn media(&self) -> &dyn Media {
        &*self.media
    }

    pub(super) fn path(&self, name: Name) -> String {
        media::join(&self.dir, &name.to_string())
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(super) fn check_running(&self) -> Result<(), WalError> {
        if self.stopped.load(Ordering::SeqCst) { Err(WalError::Stopped) } else { Ok(()) }
    }

    /// Renames a file to a name not in use; durable on return. After an error the file bears its old
    /// name, or the log has stopped.
    pub(super) fn rename(&self, from: Name, to: Name) -> Result<(), WalError> {
        let _names = lock(&self.names);
        self.check_running()?;
        let (old, new) = (self.path(from), self.path(to));
        // Names are never used twice and the directory has one owner, so this only catches a
        // mistake; `Media::rename_new` is avoided because where it must link and unlink, a crash
        // leaves one file under two names, and a live file must never be stale as well.
        if self.media.exists(&new).map_err(|e| refused("look for", &new, e))? {
            return Err(refused("rename a file to", &new, std::io::ErrorKind::AlreadyExists.into()));
        }
        if let Err(e) = self.media.rename(&old, &new) {
            match (self.media.exists(&old), self.media.exists(&new)) {
                (Ok(false), Ok(true)) => {} // carried out, whatever was reported
                (Ok(true), Ok(false)) => return Err(refused("rename", &old, e)),
                _ => {
                    self.stop();
                    return Err(WalError::io("rename", &old, e));
                }
            }
        }
        self.sync()
    }

    /// Removes a file, if it is there; durable on return.
    pub(super) fn remove(&self, name: Name) -> Result<(), WalError> {
        let _names = lock(&self.names);
        self.check_running()?;
        let path = self.path(name);
        match self.media.remove(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(refused("remove", &path, e)),
            _ => self.sync(),
        }
    }

    fn sync(&self) -> Result<(), WalError> {
        self.media.sync_dir(&self.dir).map_err(|e| {
            self.stop();
            WalError::io("sync the directory", &self.dir, e)
        })
    }
}

/// The error for something that did not happen.
pub(super) fn refused(action: &'static str, path: &str, source: std::io::Error) -> WalError {
    if media::is_full(&source) {
        return WalError::NoSpace { path: path.to_owned(), source };
    }
    WalError::io(action, path, source)
}

/// Locks what stays whole whenever a thread dies.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
