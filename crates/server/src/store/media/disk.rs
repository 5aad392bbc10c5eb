//! A directory on a local disk.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt as _, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{Media, MediaFile, Stamp, Touched};

/// Two writes within a tick of the system's clock leave the same time of change; some file systems count whole seconds.
const SETTLED_SECS: u64 = 2;

/// A directory as a [`Media`]. Files are made readable by their owner only: they hold people's
/// sign-ins. Symbolic links are not followed where a file is expected.
#[derive(Debug, Clone)]
pub struct Disk {
    root: PathBuf,
}

impl Disk {
    /// The medium whose root is `root`, which must be a directory.
    pub fn new(root: impl AsRef<Path>) -> io::Result<Disk> {
        let root = root.as_ref().canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, format!("{} is not a directory", root.display())));
        }
        Ok(Disk { root })
    }

    fn at(&self, path: &str) -> io::Result<PathBuf> {
        let leaves_root = |part: &str| part.is_empty() || part == "." || part == ".." || part.contains('\0');
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        if path.split('/').any(leaves_root) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{path:?} is not a path below the root of the medium")));
        }
        Ok(self.root.join(path))
    }

    fn open_with(&self, options: &mut OpenOptions, path: &str) -> io::Result<Box<dyn MediaFile>> {
        let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
        let file = options.mode(0o600).custom_flags(no_follow).open(self.at(path)?)?;
        Ok(Box::new(DiskFile(file)))
    }
}

impl Media for Disk {
    fn create(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        self.open_with(OpenOptions::new().read(true).write(true).create_new(true), path)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        self.open_with(OpenOptions::new().read(true).write(true), path)
    }

    fn open_read(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        self.open_with(OpenOptions::new().read(true), path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(self.at(path)?)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        std::fs::remove_dir(self.at(path)?)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.at(path)?.try_exists()
    }

    fn length(&self, path: &str) -> io::Result<u64> {
        Ok(std::fs::metadata(self.at(path)?)?.len())
    }

    fn stamp(&self, path: &str) -> io::Result<Stamp> {
        let metadata = std::fs::metadata(self.at(path)?)?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let touched = Touched { device: metadata.dev(), inode: metadata.ino(), changed };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let is_settled = u64::try_from(changed.0).is_ok_and(|changed| changed + SETTLED_SECS <= now);
        Ok(Stamp { bytes: metadata.len(), touched: is_settled.then_some(touched) })
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.at(dir)?)? {
            // A name that is not UTF-8 is none of ours; shown lossily it is reported as such.
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.at(from)?, self.at(to)?)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.at(from)?, self.at(to)?);
        match renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
            // Some network and overlay file systems cannot: a link refuses a taken name as well.
            Err(Errno::INVAL | Errno::NOSYS) => {
                std::fs::hard_link(&from, &to)?;
                std::fs::remove_file(&from)
            }
            other => Ok(other?),
        }
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(self.at(path)?)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.at(dir)?)?.sync_all()
    }
}

struct DiskFile(File);

impl MediaFile for DiskFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
