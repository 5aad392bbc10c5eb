//! A disk in memory that forgets: deterministic, seeded, for tests of whatever writes.
//!
//! The model is a disk behind a volatile cache:
//! - Every write goes to the cache. [`MediaFile::sync_data`] moves a file's dirty sectors and its
//!   length to the platter, [`Media::sync_dir`] the names in one directory.
//! - A crash keeps of everything unsynced whatever [`Survivors`] says: of each 512-byte sector any
//!   version written since the last sync or none (so writes are lost, torn and reordered), of each
//!   length likewise, of the operations on names a prefix or any subset. An operation on a name is
//!   atomic, and a file has one name at a time.
//! - A sync that fails behaves as on Linux: some of the sectors reached the platter, all are marked
//!   clean, reads go on showing the new content, and the next sync has nothing left to do.
//!
//! Every operation that changes or syncs something has a number, counted from 0 by [`SimMedia::ops`]
//! through all restarts. [`SimMedia::inject`] breaks the operation of a given number, so a test runs
//! a scenario once to count and then once more for each number and fault. Reads are not counted.
//!
//! ```
//! use indelible::store::media::{Media, SimMedia, sim::{Fault, Survivors}};
//!
//! let media = SimMedia::new(1);
//! media.inject(3, Fault::PowerCut(Survivors::Random(7))); // 0 create, 1 write, 2 sync, 3 rename
//! assert!(media.replace("checkpoint", b"first").is_err());
//! media.restart();
//! assert!(!media.exists("checkpoint").unwrap());
//! ```

mod inode;
mod state;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Media, MediaFile};
use state::State;

/// The unit that is written whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// What a crash keeps of everything that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survivors {
    /// Nothing: exactly what was synced is left.
    Nothing,
    /// Everything: the power failed an instant after the cache was written out.
    Everything,
    /// Any part of it, chosen by this seed.
    Random(u64),
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power fails before the operation; everything fails until [`SimMedia::restart`].
    PowerCut(Survivors),
    /// The operation is refused with this error (`StorageFull` is ENOSPC, `Other` stands for EIO)
    /// and has no effect, except that part of a write may be in the cache, and that a sync has lost
    /// part of what it was to write.
    Refused(io::ErrorKind),
    /// The operation takes effect, yet an error is reported.
    KeptButReportedLost,
}

/// The simulated disk. Clones are the same disk; [`SimMedia::fork`] makes another.
#[derive(Clone)]
pub struct SimMedia {
    state: Arc<Mutex<State>>,
}

impl SimMedia {
    /// An empty disk. `seed` decides what failing writes and syncs leave behind.
    pub fn new(seed: u64) -> SimMedia {
        SimMedia { state: Arc::new(Mutex::new(State::new(seed))) }
    }

    /// An independent copy of the disk as it is now, cache, pending faults and all. Files opened on
    /// this one stay with this one.
    pub fn fork(&self) -> SimMedia {
        SimMedia { state: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// How many operations were attempted so far, which is the number of the next one.
    pub fn ops(&self) -> u64 {
        self.lock().ops()
    }

    /// Breaks operation number `op`. A fault for a number already past never happens.
    pub fn inject(&self, op: u64, fault: Fault) {
        self.lock().inject(op, fault);
    }

    /// Bounds the sum of the lengths of all files; growing past it is refused with `StorageFull`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.lock().set_capacity(bytes);
    }

    /// Cuts the power now; every operation fails until [`SimMedia::restart`].
    pub fn crash(&self, survivors: Survivors) {
        self.lock().crash(survivors);
    }

    /// Whether the power is off.
    pub fn is_off(&self) -> bool {
        !self.lock().is_powered()
    }

    /// Power back on. Files opened before a crash stay dead. Without a crash nothing changes: that
    /// is a process killed and started again, which finds the cache as it was.
    pub fn restart(&self) {
        self.lock().restart();
    }

    /// The paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        self.lock().files()
    }

    /// Changes a file behind everyone's back, durably: bit rot, or somebody with the disk in hand.
    /// Creates the file if there is none. Not counted as an operation.
    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.lock().tamper(path, change);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        let state = self.lock();
        let inode = state.file(path)?;
        Ok(Box::new(SimFile { media: self.clone(), inode, boot: state.boot() }))
    }
}

impl Media for SimMedia {
    fn create(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        self.lock().create(path)?;
        self.handle(path)
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        self.handle(path)
    }

    fn open_read(&self, path: &str) -> io::Result<Box<dyn MediaFile>> {
        self.handle(path)
    }

    fn create_dir(&self, path: &str) -> io::Result<()> {
        self.lock().create_dir(path)
    }

    fn remove_dir(&self, path: &str) -> io::Result<()> {
        self.lock().remove_dir(path)
    }

    fn exists(&self, path: &str) -> io::Result<bool> {
        self.lock().exists(path)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<String>> {
        self.lock().list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.lock().rename(from, to, true)
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        self.lock().rename(from, to, false)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.lock().remove(path)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.lock().sync_dir(dir)
    }
}

struct SimFile {
    media: SimMedia,
    inode: usize,
    boot: u64,
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.media.lock();
        if state.boot() == self.boot { Ok(state) } else { Err(io::Error::other("the file was opened before the power failed")) }
    }
}

impl MediaFile for SimFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.state()?.write(self.inode, bytes, to_usize(offset)?)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.state()?.read(self.inode, buffer, to_usize(offset)?)
    }

    fn len(&self) -> io::Result<u64> {
        self.state()?.len(self.inode)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.state()?.set_len(self.inode, to_usize(bytes)?)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state()?.sync(self.inode)
    }
}

fn to_usize(n: u64) -> io::Result<usize> {
    usize::try_from(n).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_survives_and_the_rest_may_not() {
        let media = SimMedia::new(0);
        let file = media.create("a").unwrap();
        file.write_at(&[1; 1024], 0).unwrap();
        file.sync_data().unwrap();
        media.sync_dir("").unwrap();
        file.write_at(&[2; 512], 0).unwrap();
        media.create("b").unwrap();
        media.crash(Survivors::Nothing);
        assert!(file.write_at(b"x", 0).is_err());
        media.restart();
        assert_eq!(media.read("a").unwrap(), [1; 1024]);
        assert!(!media.exists("b").unwrap());
        assert!(file.write_at(b"x", 0).is_err(), "a handle from before the crash is dead");
    }

    #[test]
    fn a_crash_tears_at_sectors_and_nowhere_else() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let media = SimMedia::new(0);
            let file = media.create("a").unwrap();
            file.write_at(&[1; 1536], 0).unwrap();
            file.sync_data().unwrap();
            media.sync_dir("").unwrap();
            file.write_at(&[2; 1536], 0).unwrap();
            media.crash(Survivors::Random(seed));
            media.restart();
            let content = media.read("a").unwrap();
            assert!(content.chunks(SECTOR).all(|sector| sector.iter().all(|byte| byte == sector.first().unwrap())));
            seen.insert(content.chunks(SECTOR).map(|sector| *sector.first().unwrap()).collect::<Vec<_>>());
        }
        assert_eq!(seen.len(), 8, "every combination of three sectors occurs");
    }

    #[test]
    fn a_failed_sync_shows_what_it_did_not_write() {
        let media = SimMedia::new(3);
        let file = media.create("a").unwrap();
        file.write_at(&[1; 8192], 0).unwrap();
        file.sync_data().unwrap();
        media.sync_dir("").unwrap();
        file.write_at(&[2; 8192], 0).unwrap();
        media.inject(media.ops(), Fault::Refused(io::ErrorKind::Other));
        assert!(file.sync_data().is_err());
        assert!(file.sync_data().is_ok(), "the second try has nothing to do and says so");
        assert_eq!(media.read("a").unwrap(), [2; 8192]);
        media.crash(Survivors::Everything);
        media.restart();
        assert!(media.read("a").unwrap().contains(&1), "part of it never reached the platter");
    }

    #[test]
    fn put_and_replace_survive_a_crash_at_every_step() {
        for seed in 0..40 {
            for op in 0..12 {
                let media = SimMedia::new(seed);
                media.inject(op, Fault::PowerCut(Survivors::Random(seed)));
                let first = media.put("a", b"once");
                let second = media.replace("b", b"old").and_then(|()| media.replace("b", b"new"));
                media.crash(Survivors::Random(seed + 1));
                media.restart();
                let a = media.read("a").ok();
                assert!(a.is_none() || a.as_deref() == Some(b"once"));
                assert!(first.is_err() || a.is_some());
                let b = media.read("b").ok();
                assert!(b.is_none() || b.as_deref() == Some(b"old") || b.as_deref() == Some(b"new"));
                assert!(second.is_err() || b.as_deref() == Some(b"new"));
            }
        }
    }

    #[test]
    fn put_repeated_after_any_single_error_is_durable_once_it_says_so() {
        for fault in [Fault::KeptButReportedLost, Fault::Refused(io::ErrorKind::Other), Fault::Refused(io::ErrorKind::StorageFull)] {
            for op in 0..6 {
                let media = SimMedia::new(op);
                media.inject(op, fault);
                if media.put("a", b"once").is_err() {
                    media.put("a", b"once").unwrap();
                }
                media.crash(Survivors::Nothing);
                media.restart();
                assert_eq!(media.read("a").unwrap(), b"once", "{fault:?} at {op}");
            }
        }
    }

    #[test]
    fn put_never_overwrites_other_content() {
        let media = SimMedia::new(0);
        media.put("a", b"one").unwrap();
        media.put("a", b"one").unwrap();
        assert_eq!(media.put("a", b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(media.read("a").unwrap(), b"one");
        assert_eq!(media.files(), ["a"]);
    }

    #[test]
    fn directories_created_with_their_parents_survive() {
        let media = SimMedia::new(0);
        media.create_dir_all("x/y/z").unwrap();
        media.create_dir_all("x/y/z").unwrap();
        media.put("x/y/z/file", b"content").unwrap();
        media.crash(Survivors::Nothing);
        media.restart();
        assert_eq!(media.list("x/y").unwrap(), ["z"]);
        assert_eq!(media.read("x/y/z/file").unwrap(), b"content");
    }
}
