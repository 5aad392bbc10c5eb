//! The seam beneath everything that writes: a tree of named files on a medium that can fail.
//!
//! Two implementations: [`Disk`], a directory, and [`SimMedia`], a disk in memory that loses, tears
//! and reorders whatever was not synced. The two durable ways to publish a file, [`Media::put`] and
//! [`Media::replace`], are built here from the primitives, so that the simulation can break each of
//! their steps.
//!
//! What is assumed of a medium:
//! - 512 aligned bytes are written whole or not at all, also by a write that fails or is killed half
//!   way; anything larger may be torn in any way.
//! - A write is durable only after [`MediaFile::sync_data`] of that file returned `Ok`, a name only
//!   after [`Media::sync_dir`] of its directory did. A sync that failed may have dropped what it was
//!   to write while reads still show it: it is never simply tried again.
//! - A rename within one directory is atomic: after a crash a file has its old or its new name.
//!
//! Absent on purpose: memory mapping, direct I/O, links, permissions other than the owner's.

pub mod disk;
pub mod sim;

pub use disk::Disk;
pub use sim::SimMedia;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::log::planted::{Bug, planted};

/// What the names of files still being written end in. Whoever owns a directory removes them when
/// it starts: nothing refers to them.
pub const TEMPORARY_SUFFIX: &str = ".tmp";

/// When a file was last touched. While it stays the same, nobody has written to the file, replaced it or renamed it by way
/// of this machine's file system; what another machine or a mapping of the file into memory writes may be seen later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Which file of the system.
    device: u64,
    inode: u64,
    /// Its last change by the system's clock, in seconds and nanoseconds. Nobody sets it but the system.
    changed: (i64, i64),
}

/// What a medium says of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its length.
    pub bytes: u64,
    /// When it was last touched; nothing when the medium cannot tell, or when that was so short a time ago that the next
    /// write may leave it as it is.
    pub touched: Option<Touched>,
}

/// A tree of files. Paths are relative to its root, `/`-separated, without `.` or `..`; the root
/// itself is the empty path.
pub trait Media: Send + Sync + 'static {
    /// Creates an empty file, opened for reading and writing. `AlreadyExists` if the name is taken;
    /// the parent must exist. The name is durable after [`Media::sync_dir`] of the parent.
    fn create(&self, path: &str) -> io::Result<Box<dyn MediaFile>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, path: &str) -> io::Result<Box<dyn MediaFile>>;

    /// Opens an existing file for reading only: the way of whoever must not change anything.
    fn open_read(&self, path: &str) -> io::Result<Box<dyn MediaFile>>;

    /// Creates one directory; `AlreadyExists` if the name is taken.
    fn create_dir(&self, path: &str) -> io::Result<()>;

    /// Removes an empty directory.
    fn remove_dir(&self, path: &str) -> io::Result<()>;

    /// Whether a file or directory of this name exists.
    fn exists(&self, path: &str) -> io::Result<bool>;

    /// The length of a file, in bytes.
    fn length(&self, path: &str) -> io::Result<u64> {
        self.open_read(path)?.len()
    }

    /// The length of a file in bytes, and when it was last touched.
    fn stamp(&self, path: &str) -> io::Result<Stamp> {
        Ok(Stamp { bytes: self.length(path)?, touched: None })
    }

    /// The names (not paths) of the files and directories in `dir`, sorted.
    fn list(&self, dir: &str) -> io::Result<Vec<String>>;

    /// Renames a file, replacing what bears the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Renames a file; `AlreadyExists`, and nothing changed, if the new name is taken.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in `dir` durable: files created, renamed and removed in it before the call.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;

    /// Creates a directory and its missing parents; durable on return. Existing directories are
    /// synced too: the process that made one may have died before it did so.
    fn create_dir_all(&self, path: &str) -> io::Result<()> {
        let ends = path.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([path.len()]) {
            let Some(dir) = path.get(..end).filter(|dir| !dir.is_empty()) else {
                continue;
            };
            match self.create_dir(dir) {
                Ok(()) => self.sync_dir(parent(dir)).inspect_err(|_| {
                    // The next try must make it again: syncing a name once more after that failed
                    // could succeed without writing anything.
                    let _ = self.remove_dir(dir);
                })?,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.sync_dir(parent(dir))?,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The bytes of a whole file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let file = self.open_read(path)?;
        let bytes = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut content = vec![0; bytes];
        file.read_at(&mut content, 0)?;
        Ok(content)
    }

    /// Publishes a file that never changes again; durable on return, and never visible half written.
    /// If the name is taken by the same bytes the answer is `Ok`, by others `AlreadyExists`.
    /// After an error the file may or may not be there; the call may be repeated.
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = write_temporary(self, path, bytes)?;
        let published = match self.rename_new(&temporary, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match self.read(path) {
                // Replaced by its equal rather than left: whoever put it first may have failed to
                // sync the name, and syncing that once more could succeed without writing anything.
                Ok(present) if present == bytes => self.rename(&temporary, path),
                Ok(_) => {
                    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{path} exists with other content and is never overwritten")))
                }
                Err(e) => Err(e),
            },
            other => other,
        };
        finish(self, path, &temporary, published)
    }

    /// Replaces the content of a file, or creates it; durable on return. After a crash the old
    /// content stands or the new, never a mixture.
    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = write_temporary(self, path, bytes)?;
        let published = self.rename(&temporary, path);
        finish(self, path, &temporary, published)
    }
}

/// One open file.
#[expect(clippy::len_without_is_empty, reason = "a length on a medium, which can fail; nothing asks for emptiness")]
pub trait MediaFile: Send + Sync {
    /// Writes all of `bytes` at `offset`, extending the file if need be. After an error any part of
    /// them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Fills `buffer` from `offset`; `UnexpectedEof` if the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Cuts the file or extends it with zeros.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes content and length durable.
    fn sync_data(&self) -> io::Result<()>;
}

/// The directory a path lies in; the root, `""`, for a path without `/`.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(dir, _)| dir)
}

/// `dir/name`, or `name` in the root.
pub fn join(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// Whether the medium says that it is full, which time or an operator may mend.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Writes and syncs `bytes` under a name beside `path` that nobody uses; leaves nothing on error.
fn write_temporary<M: Media + ?Sized>(media: &M, path: &str, bytes: &[u8]) -> io::Result<String> {
    // Two threads may publish the same path, and a dead process may have left its names behind.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (temporary, file) = loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{path}.{n}{TEMPORARY_SUFFIX}");
        match media.create(&name) {
            Ok(file) => break (name, file),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    };
    let synced = || if planted(Bug::SkipPayloadSync) { Ok(()) } else { file.sync_data() };
    match file.write_at(bytes, 0).and_then(|()| synced()) {
        Ok(()) => Ok(temporary),
        Err(e) => {
            let _ = media.remove(&temporary); // the first error is the one to report
            Err(e)
        }
    }
}

/// Ends a publication: the name is synced, or the temporary file goes.
fn finish<M: Media + ?Sized>(media: &M, path: &str, temporary: &str, published: io::Result<()>) -> io::Result<()> {
    match published {
        // A rename alone may roll back in a crash.
        Ok(()) if planted(Bug::SkipDirectorySync) => Ok(()),
        Ok(()) => media.sync_dir(parent(path)),
        Err(e) => {
            let _ = media.remove(temporary); // the first error is the one to report
            Err(e)
        }
    }
}
