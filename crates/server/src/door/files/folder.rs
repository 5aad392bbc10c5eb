//! The files of a watched directory: on disk, or in a test's memory.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rustix::fs::OFlags;

use crate::intake::FileId;

/// Directories inside each other: CloudTrail's objects lie eight deep.
const DEPTH_MAX: usize = 12;
/// Entries looked at: more in one directory is a mistake in its path, and would make each look slow.
const ENTRIES_MAX: usize = 200_000;

/// A regular file that was there at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its path below the directory.
    pub path: PathBuf,
    /// Which file.
    pub id: FileId,
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed, in ms since 1970 UTC.
    pub modified_ms: u64,
}

impl Seen {
    /// Its path as text.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Its name without the directories.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        self.path.file_name().map(std::ffi::OsStr::as_encoded_bytes).unwrap_or_default()
    }
}

/// A directory that is watched.
pub trait Folder: Send {
    /// All regular files in it, in any order. Symbolic links are not followed: whoever may write
    /// into the directory must not make the server read what lies elsewhere.
    ///
    /// # Errors
    /// The directory cannot be read.
    fn list(&self) -> io::Result<Vec<Seen>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// It is gone, or not to be read.
    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// It is gone, or not to be removed.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// An open file: it stays readable when its name goes.
pub trait OpenFile: Send + Sync {
    /// Which file this is.
    ///
    /// # Errors
    /// As the system says.
    fn id(&self) -> io::Result<FileId>;

    /// Reads from `offset` on; 0 at the end of the file.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

/// A directory on disk.
#[derive(Clone, Debug)]
pub struct DiskFolder {
    /// Its path.
    pub root: PathBuf,
    /// Whether directories inside it are watched too.
    pub recursive: bool,
}

impl DiskFolder {
    fn list_into(&self, below: &Path, depth: usize, found: &mut Vec<Seen>, entries: &mut usize) -> io::Result<()> {
        for entry in std::fs::read_dir(self.root.join(below))? {
            let entry = entry?;
            *entries += 1;
            if *entries > ENTRIES_MAX {
                let why = format!("more than {ENTRIES_MAX} entries: watch a smaller directory");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
            // A file that went between two calls is not an error: it went.
            let Ok(of) = entry.metadata() else { continue };
            let path = below.join(entry.file_name());
            if of.is_file() {
                let modified_ms = u64::try_from(of.mtime()).unwrap_or(0).saturating_mul(1_000);
                let modified_ms = modified_ms.saturating_add(u64::try_from(of.mtime_nsec()).unwrap_or(0) / 1_000_000);
                found.push(Seen { path, id: file_id(&of), size: of.len(), modified_ms });
            } else if of.is_dir() && self.recursive && depth < DEPTH_MAX {
                self.list_into(&path, depth + 1, found, entries)?;
            }
        }
        Ok(())
    }
}

fn file_id(of: &std::fs::Metadata) -> FileId {
    let since = of.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    let born_ns = since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0);
    FileId { dev: of.dev(), inode: of.ino(), born_ns }
}

impl Folder for DiskFolder {
    fn list(&self) -> io::Result<Vec<Seen>> {
        let mut found = Vec::new();
        self.list_into(Path::new(""), 0, &mut found, &mut 0)?;
        Ok(found)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn OpenFile>> {
        // Without blocking: it may have become a pipe since it was seen.
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.root.join(path))?;
        if file.metadata()?.is_file() { Ok(Box::new(file)) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(self.root.join(path))
    }
}

impl OpenFile for File {
    fn id(&self) -> io::Result<FileId> {
        self.metadata().map(|of| file_id(&of))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, offset)
    }
}
