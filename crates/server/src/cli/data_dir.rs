//! A data directory, held by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::store::layout::{SIGNING_KEY, trail_dir};
use crate::store::media::{Disk, Media};
use crate::store::trail::TrailOptions;

/// The only trail there is until tenants have their own.
pub const TRAIL: &str = "main";
const LOCK: &str = "lock";
const FORWARD: &str = "forward";
/// How often, and with which pause, a lock that someone holds is tried again.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A directory that this process alone may write. Dropping it lets go.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    // Held open: closing the file releases the lock.
    _lock: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// The system refused something.
    #[error("{path}: {error}")]
    Io {
        /// To what it happened.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process has it.
    #[error(
        "{path} is in use by process {holder}: only one process may write a trail; \
         stop that one, or give --url to go through it"
    )]
    InUse {
        /// Which directory.
        path: PathBuf,
        /// What its lock file says.
        holder: String,
    },
    /// There is no trail.
    #[error("{path} holds no trail; make one with `indelible init --data {path}`, or give the right directory with --data")]
    Empty {
        /// Which directory.
        path: PathBuf,
    },
}

impl DataDir {
    /// Takes hold of `path`, making the directory first when it is missing.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn create(path: &Path) -> Result<Self, DataDirError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))?;
        Self::hold(path)
    }

    /// Takes hold of `path`, which must hold a trail.
    ///
    /// # Errors
    /// [`DataDirError`].
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        if !holds_trail(path) {
            return Err(DataDirError::Empty { path: path.to_owned() });
        }
        Self::hold(path)
    }

    fn hold(path: &Path) -> Result<Self, DataDirError> {
        // Canonical: the signing key is bound to it, by whatever name the directory is called.
        let root = path.canonicalize().map_err(at(path))?;
        let lock_path = root.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&lock_path).map_err(at(&lock_path))?;
        match try_lock_for_a_while(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse { holder: holder(&mut lock), path: root }),
            Err(TryLockError::Error(error)) => return Err(DataDirError::Io { path: lock_path, error }),
        }
        // The number is for people; the lock itself is the kernel's and dies with the process.
        lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(at(&lock_path))?;
        Ok(Self { root, _lock: lock })
    }

    /// Whether a trail was made here already.
    pub fn holds_trail(&self) -> bool {
        holds_trail(&self.root)
    }

    /// The canonical path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where the directory of identities is kept for the next start. Derived from the trail and beside
    /// it, so that no check of the trail meets it and no backup holds it.
    pub fn directory_file(&self) -> PathBuf {
        self.derived_dir().join("identities.json")
    }

    /// Where what is derived of payload files is kept; as [`DataDir::directory_file`], beside the trail.
    pub fn derived_dir(&self) -> PathBuf {
        derived_path(&self.root)
    }

    /// Where forwards note how far they came, and where those to files write.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn forward_media(&self) -> Result<Arc<dyn Media>, DataDirError> {
        let path = self.root.join(FORWARD);
        DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(at(&path))?;
        Ok(Arc::new(Disk::new(&path).map_err(at(&path))?))
    }

    /// The medium that the trail lies on.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub fn media(&self) -> Result<Arc<dyn Media>, DataDirError> {
        let dir = trail_path(&self.root);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(at(&dir))?;
        // The names on the way to the trail must outlive a power cut as much as the trail itself.
        for made in [self.root.join("trails"), self.root.clone()] {
            File::open(&made).and_then(|made| made.sync_all()).map_err(at(&made))?;
        }
        Ok(Arc::new(Disk::new(&dir).map_err(at(&dir))?))
    }

    /// Options for its trail.
    pub fn options(&self) -> TrailOptions {
        TrailOptions::main(&self.root.to_string_lossy())
    }
}

/// Where what is derived of a data directory's trail lies.
#[must_use]
pub fn derived_path(root: &Path) -> PathBuf {
    root.join("derived").join(TRAIL)
}

/// Where the trail of a data directory lies.
#[must_use]
pub fn trail_path(root: &Path) -> PathBuf {
    root.join(trail_dir(TRAIL))
}

/// Opens the trail of `root` for reading alone, without taking hold of it: a server may be running.
///
/// # Errors
/// [`DataDirError`].
pub fn media_to_read(root: &Path) -> Result<Arc<dyn Media>, DataDirError> {
    if !holds_trail(root) {
        return Err(DataDirError::Empty { path: root.to_owned() });
    }
    let dir = trail_path(root);
    Ok(Arc::new(Disk::new(&dir).map_err(at(&dir))?))
}

fn holds_trail(root: &Path) -> bool {
    let dir = trail_path(root);
    let has_chunks = || fs::read_dir(dir.join(crate::store::layout::WAL)).is_ok_and(|mut files| files.next().is_some());
    dir.join(SIGNING_KEY).exists() || has_chunks()
}

/// Tries again for a moment: [`is_held`] takes the lock for as long as it takes to look.
fn try_lock_for_a_while(lock: &File) -> Result<(), TryLockError> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            other => return other,
        }
    }
    lock.try_lock()
}

/// Whether a process holds `root` now, so that a verifier knows that files may be on their way.
pub fn is_held(root: &Path) -> bool {
    let lock = File::open(root.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn holder(lock: &mut File) -> String {
    let mut text = String::new();
    // A lock taken a moment ago may have no number yet.
    let _ = lock.read_to_string(&mut text);
    let digits: String = text.chars().take_while(char::is_ascii_digit).take(20).collect();
    if digits.is_empty() { "(unknown)".into() } else { digits }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |error| DataDirError::Io { path, error }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_held_once_and_free_again_after() {
        let dir = tempfile::tempdir().unwrap();
        let held = DataDir::create(dir.path()).unwrap();
        let refused = DataDir::create(dir.path()).unwrap_err().to_string();
        assert!(refused.contains(&std::process::id().to_string()), "{refused}");
        assert!(is_held(dir.path()));
        drop(held);
        assert!(!is_held(dir.path()));
        assert!(DataDir::create(dir.path()).is_ok());
    }

    #[test]
    fn a_directory_without_a_trail_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(DataDir::open(dir.path()), Err(DataDirError::Empty { .. })));
        assert!(!dir.path().join(LOCK).exists(), "nothing was made");
    }
}
