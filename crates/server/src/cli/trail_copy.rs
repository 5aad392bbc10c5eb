//! Copies a trail's files, while a server may be writing them.
//!
//! No lock and no help from the server is needed, because of what the files are:
//! - The checkpoint is read first: whatever is copied afterwards holds at least as much.
//! - The write-ahead log only grows at its end. It is read backwards, block by block: when a block is
//!   there, everything written before it is there too, so the copy ends in at most one unfinished
//!   frame, like after a power cut. A file of it that was released meanwhile has lost its name
//!   (names go before bytes), and the copy is begun again.
//! - All other files never change, and are durable before an act names them. They are copied last, so
//!   every act in the copied log finds its file, or the copy is begun again.
//!
//! Afterwards the unfinished frame is dropped and unnamed files are removed, as a restart would.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indicatif::ProgressBar;

use crate::cli::data_dir::trail_path;
use crate::cli::failure::Failure;
use crate::store::layout::{CHECKPOINT, CHECKPOINTS, DIRECTORIES, IDS, KEYS, PAYLOAD, SEGMENTS, WAL};
use crate::store::leftover;
use crate::store::media::{Disk, Media, TEMPORARY_SUFFIX};
use crate::store::recover::recover;
use crate::store::wal::{Wal, WalLimits};

/// Times a copy is begun again because the server moved entries from one file to another meanwhile.
const ATTEMPTS_MAX: u32 = 10;
/// Bytes of a block of the write-ahead log.
const BLOCK_BYTES: usize = 512;

/// Why a copy did not come about.
enum CopyError {
    /// A file went away under it.
    Changed,
    /// It cannot be made.
    Failed(Failure),
}

impl From<Failure> for CopyError {
    fn from(why: Failure) -> Self {
        Self::Failed(why)
    }
}

/// A file that is gone has been replaced by others, so the copy is begun again.
fn reading(path: &Path) -> impl FnOnce(io::Error) -> CopyError + '_ {
    move |error| match error.kind() {
        io::ErrorKind::NotFound => CopyError::Changed,
        _ => CopyError::Failed(Failure::new(format!("{}: {error}", path.display()))),
    }
}

fn writing(path: &Path) -> impl FnOnce(io::Error) -> CopyError + '_ {
    move |error| CopyError::Failed(Failure::new(format!("{}: {error}", path.display())))
}

/// Copies the trail of the data directory `from` to the new data directory `to`. The copy is whole,
/// durable and as a restart would leave it, or there is an error and whatever is at `to` is unfit.
///
/// # Errors
/// A file cannot be read or written, the trail is damaged, or it changed too fast.
pub fn copy_trail(from: &Path, to: &Path, bar: &ProgressBar) -> Result<(), Failure> {
    let (source, target) = (trail_path(from), trail_path(to));
    for dir in DIRECTORIES {
        DirBuilder::new().recursive(true).mode(0o700).create(target.join(dir)).map_err(Failure::at(target.join(dir).display()))?;
    }
    for _ in 0..ATTEMPTS_MAX {
        match copy_once(&source, &target, bar) {
            Ok(()) => return sync_tree(to),
            Err(CopyError::Changed) => {}
            Err(CopyError::Failed(why)) => return Err(why),
        }
    }
    Err(Failure::new(format!("{} changed {ATTEMPTS_MAX} times while it was copied; try again when less is written", from.display())))
}

fn copy_once(source: &Path, target: &Path, bar: &ProgressBar) -> Result<(), CopyError> {
    let checkpoint = source.join(CHECKPOINT);
    match fs::read(&checkpoint) {
        Ok(note) => write_file(&target.join(CHECKPOINT), &note)?,
        // A trail of the first second has none yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(reading(&checkpoint)(error)),
    }
    let keys = read_keys(source)?;
    copy_log(&source.join(WAL), &target.join(WAL), bar)?;
    for dir in [SEGMENTS, PAYLOAD, IDS] {
        copy_new_files(&source.join(dir), &target.join(dir), bar)?;
    }
    for size in names(&source.join(CHECKPOINTS))? {
        let dir = target.join(CHECKPOINTS).join(&size);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(writing(&dir))?;
        copy_new_files(&source.join(CHECKPOINTS).join(&size), &dir, bar)?;
    }
    if read_keys(source)? != keys {
        // The signing key was rotated: key and log must be of one time.
        return Err(CopyError::Changed);
    }
    for (name, bytes) in keys {
        write_file(&target.join(KEYS).join(name), &bytes)?;
    }
    settle(target)
}

/// Drops the unfinished frame and unnamed files, and finds out whether a named one is missing.
fn settle(target: &Path) -> Result<(), CopyError> {
    let medium: Arc<dyn Media> = Arc::new(Disk::new(target).map_err(writing(target))?);
    let failed = |why: &dyn std::fmt::Display| CopyError::Failed(Failure::new(format!("the trail does not hold together: {why}")));
    let examined = Wal::examine(Arc::clone(&medium), WAL, WalLimits::default()).map_err(|why| failed(&why))?;
    let recovered = match recover(medium.as_ref(), &examined) {
        Ok(Some(recovered)) => recovered,
        Ok(None) => return Err(CopyError::Failed(Failure::new("there is no entry in this trail"))),
        Err(why) => {
            // Released chunks or replaced files: another try sees them at their new place.
            tracing::debug!(%why, "the copy does not recover yet");
            return Err(CopyError::Changed);
        }
    };
    let state = &recovered.core.state;
    if leftover::accounted(state).iter().any(|path| !target.join(path).exists()) {
        return Err(CopyError::Changed);
    }
    examined.accept().map_err(|why| failed(&why))?;
    // Files set aside for use again hold nothing.
    for spare in names(&target.join(WAL))?.iter().filter(|name| !is_log(name)) {
        fs::remove_file(target.join(WAL).join(spare)).map_err(writing(target))?;
    }
    leftover::remove(medium.as_ref(), state).map_err(|(path, why)| failed(&format!("{path}: {why}")))?;
    Ok(())
}

fn names(dir: &Path) -> Result<Vec<String>, CopyError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(reading(dir))? {
        let name = entry.map_err(reading(dir))?.file_name();
        names.extend(name.into_string().ok().filter(|name| !name.ends_with(TEMPORARY_SUFFIX)));
    }
    names.sort();
    Ok(names)
}

fn read_keys(source: &Path) -> Result<Vec<(String, Vec<u8>)>, CopyError> {
    let dir = source.join(KEYS);
    let read = |name: String| fs::read(dir.join(&name)).map_err(reading(&dir)).map(|bytes| (name, bytes));
    names(&dir)?.into_iter().map(read).collect()
}

/// Whether a file of the write-ahead log's directory is part of the log, by its name.
fn is_log(name: &str) -> bool {
    name.strip_suffix(".wal").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The write-ahead log, newest file and newest block first.
fn copy_log(source: &Path, target: &Path, bar: &ProgressBar) -> Result<(), CopyError> {
    for old in names(target)? {
        fs::remove_file(target.join(&old)).map_err(writing(target))?;
    }
    for name in names(source)?.into_iter().filter(|name| is_log(name)).rev() {
        let path = source.join(&name);
        let bytes = read_backwards(&path).map_err(reading(&path))?;
        write_file(&target.join(&name), &bytes)?;
        bar.inc(bytes.len() as u64);
    }
    Ok(())
}

/// Reads a file from its last block to its first. `NotFound` if it lost its name meanwhile: then its
/// bytes may have been zeroed under us.
fn read_backwards(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let opened = file.metadata()?;
    let mut bytes = vec![0; usize::try_from(opened.len()).map_err(|_| io::ErrorKind::FileTooLarge)?];
    for (number, block) in bytes.chunks_mut(BLOCK_BYTES).enumerate().rev() {
        file.read_exact_at(block, (number * BLOCK_BYTES) as u64)?;
    }
    let named = fs::metadata(path)?;
    if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) { Ok(bytes) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Files that never change: one that was copied before has its full length already.
fn copy_new_files(source: &Path, target: &Path, bar: &ProgressBar) -> Result<(), CopyError> {
    for name in names(source)? {
        let (from, to) = (source.join(&name), target.join(&name));
        let mut file = File::open(&from).map_err(reading(&from))?;
        let bytes = file.metadata().map_err(reading(&from))?.len();
        if fs::metadata(&to).is_ok_and(|copied| copied.len() == bytes) {
            continue;
        }
        let mut copy = new_file(&to).map_err(writing(&to))?;
        io::copy(&mut file, &mut copy).map_err(writing(&to))?;
        bar.inc(bytes);
    }
    Ok(())
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CopyError> {
    new_file(path).and_then(|mut file| file.write_all(bytes)).map_err(writing(path))
}

/// Makes every file and every name below `dir`, and its own name, durable.
fn sync_tree(dir: &Path) -> Result<(), Failure> {
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        let opened = File::open(&path).map_err(Failure::at(path.display()))?;
        opened.sync_all().map_err(Failure::at(path.display()))?;
        if opened.metadata()?.is_dir() {
            for entry in fs::read_dir(&path)? {
                waiting.push(entry?.path());
            }
        }
    }
    sync_parent(dir)
}

/// Makes the name of `path` durable.
pub fn sync_parent(path: &Path) -> Result<(), Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(Failure::at(parent.display()))
}

/// Refuses a target that is there and not empty.
///
/// # Errors
/// What is in the way.
pub fn check_vacant(target: &Path) -> Result<(), Failure> {
    match fs::read_dir(target) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Failure::new(format!(
                "{} is not empty, and nothing was changed: name a directory that does not exist yet",
                target.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(format!("{}: {error}", target.display()))),
    }
}

/// Where a copy is made before it gets its name: whatever has the name is whole.
pub fn partial_path(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    target.with_file_name(name)
}

/// Bytes of all files below `dir`, for a progress bar.
pub fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

/// A bar of bytes, hidden when nobody watches.
pub fn bytes_bar(bytes: u64, doing: &'static str) -> ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left");
    let bar = ProgressBar::new(bytes).with_message(doing);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
