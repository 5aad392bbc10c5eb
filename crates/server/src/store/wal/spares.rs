//! Files on their way round: released, zeroed, ready, prepared to be the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::WalLimits;
use super::error::WalError;
use super::file::{Header, LogFile};
use super::folder::{Folder, Name, lock, refused};
use crate::log::planted::{Bug, planted};
use crate::store::media::MediaFile;

/// Zeros are written so many bytes at a time: large enough for a disk's full speed, small enough
/// that a commit waiting behind one of these writes does not notice.
pub(super) const ZEROS_BYTES: usize = 256 << 10;

/// Rest between two pieces of a file that is zeroed for later use: a commit that syncs meanwhile
/// waits for one piece, not for the file. At 4 ms three files a second are still emptied, twice
/// what a full intake fills.
const REZERO_REST: Duration = Duration::from_millis(4);

/// Prepares and recycles files. Clones share the same files; any thread may use one, and none of
/// the work holds up an append that has room.
#[derive(Clone)]
pub struct Spares {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Arc<Folder>,
    limits: WalLimits,
    /// Held while a file is prepared, so that no two threads make the same one.
    preparing: Mutex<()>,
    /// Held while a file is zeroed, so that no more are kept than the limits say.
    recycling: Mutex<()>,
    shelf: Mutex<Shelf>,
}

/// Which file is where. Never locked during input or output.
pub(super) struct Shelf {
    pub(super) prepared: Option<Arc<LogFile>>,
    /// Sequence number of the next file to be prepared.
    pub(super) next_sequence: u64,
    /// Greater than every number any file in the directory ever bore.
    pub(super) next_number: u64,
    /// Zeroed and durable, each of the length the limits say.
    pub(super) free: Vec<u64>,
    pub(super) stale: VecDeque<u64>,
}

impl Spares {
    pub(super) fn new(folder: Arc<Folder>, limits: WalLimits, shelf: Shelf) -> Spares {
        let shared = Shared { folder, limits, preparing: Mutex::new(()), recycling: Mutex::new(()), shelf: Mutex::new(shelf) };
        Spares { shared: Arc::new(shared) }
    }

    pub(super) fn frame_bytes_max(&self) -> usize {
        self.shared.limits.frame_bytes_max()
    }

    /// Makes the file that follows the newest, unless that was done: from a zeroed one if there is
    /// one, else by writing zeros. Call it when nothing else is to do; [`super::Wal::ensure_room`]
    /// calls it when it was not called in time. May be tried again after `NoSpace` and `Io`.
    pub fn prepare_next(&self) -> Result<(), WalError> {
        let _preparing = lock(&self.shared.preparing);
        self.shared.folder.check_running()?;
        let sequence = {
            let shelf = lock(&self.shared.shelf);
            if shelf.prepared.is_some() {
                return Ok(());
            }
            shelf.next_sequence
        };
        let file = self.prepare(sequence).inspect_err(|_| self.discard(Name::Temporary(sequence)))?;
        let mut shelf = lock(&self.shared.shelf);
        shelf.prepared = Some(file);
        shelf.next_sequence = sequence.saturating_add(1);
        shelf.next_number = shelf.next_number.max(shelf.next_sequence);
        Ok(())
    }

    /// Empties all released files: they are kept as zeros, or deleted if enough are kept. Call it
    /// from a thread in the background after [`super::Wal::open`] and whenever files were released.
    pub fn recycle(&self) -> Result<(), WalError> {
        while self.recycle_one()? {}
        Ok(())
    }

    pub(super) fn take_prepared(&self) -> Option<Arc<LogFile>> {
        lock(&self.shared.shelf).prepared.take()
    }

    /// Takes a file of the log out of it.
    pub(super) fn retire(&self, sequence: u64) -> Result<(), WalError> {
        self.set_aside(Name::Log(sequence))
    }

    /// Renames a file so that it is recycled.
    pub(super) fn set_aside(&self, name: Name) -> Result<(), WalError> {
        let number = {
            let mut shelf = lock(&self.shared.shelf);
            let number = shelf.next_number;
            shelf.next_number = number.saturating_add(1);
            number
        };
        self.shared.folder.rename(name, Name::Stale(number))?;
        lock(&self.shared.shelf).stale.push_back(number);
        Ok(())
    }

    fn prepare(&self, sequence: u64) -> Result<Arc<LogFile>, WalError> {
        let folder = &self.shared.folder;
        let temporary = Name::Temporary(sequence);
        self.discard(temporary); // left by a try that failed
        // Zeroing a released file costs no more than making one, and needs no space.
        if lock(&self.shared.shelf).free.is_empty() {
            self.recycle_one()?;
        }
        let file = self.zeros(temporary)?;
        let mut nonce = [0; 16];
        let path = folder.path(temporary);
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| WalError::io("draw a nonce for", &path, std::io::Error::other("no randomness")))?;
        let header = Header { sequence, nonce, file_bytes: self.shared.limits.file_bytes };
        let written = file.write_at(&header.encode(), 0).and_then(|()| file.sync_data());
        written.map_err(|e| refused("write", &path, e))?;
        folder.rename(temporary, Name::Log(sequence))?;
        Ok(LogFile::new(header, folder.path(Name::Log(sequence)), file))
    }

    /// A file of zeros, durable, under the name given.
    fn zeros(&self, name: Name) -> Result<Box<dyn MediaFile>, WalError> {
        let folder = &self.shared.folder;
        let path = folder.path(name);
        let free = lock(&self.shared.shelf).free.pop();
        if let Some(number) = free {
            // Renamed durably before a header is written to it: a free file holds zeros only.
            if let Err(e) = folder.rename(Name::Free(number), name) {
                lock(&self.shared.shelf).free.push(number);
                return Err(e);
            }
            return folder.media().open(&path).map_err(|e| refused("open", &path, e));
        }
        let file = folder.media().create(&path).map_err(|e| refused("create", &path, e))?;
        self.fill(&*file).map_err(|e| refused("write", &path, e))?;
        Ok(file)
    }

    /// Zeroes a file that nobody waits for, a piece at a time.
    fn fill_gently(&self, file: &dyn MediaFile) -> std::io::Result<()> {
        let bytes = self.shared.limits.file_bytes;
        if planted(Bug::SkipZeroing) && file.len()? == bytes {
            return Ok(());
        }
        write_durably(file, bytes, &mut |zeros, offset| {
            zeros.fill(0);
            if offset > 0 {
                // What was written so far is synced now, so that the last sync is as short as any.
                file.sync_data()?;
                std::thread::sleep(REZERO_REST);
            }
            Ok(())
        })
    }

    fn fill(&self, file: &dyn MediaFile) -> std::io::Result<()> {
        write_durably(file, self.shared.limits.file_bytes, &mut |zeros, _| {
            zeros.fill(0);
            Ok(())
        })
    }

    /// Best effort: what stays is removed by the next try or when the log is opened.
    fn discard(&self, name: Name) {
        let folder = &self.shared.folder;
        if folder.media().exists(&folder.path(name)).unwrap_or(false) {
            let _ = folder.remove(name);
        }
    }

    /// Whether there was one.
    fn recycle_one(&self) -> Result<bool, WalError> {
        let _recycling = lock(&self.shared.recycling);
        let folder = &self.shared.folder;
        folder.check_running()?;
        let (number, wanted) = {
            let mut shelf = lock(&self.shared.shelf);
            let wanted = shelf.free.len() < self.shared.limits.spare_files;
            let Some(number) = shelf.stale.pop_front() else {
                return Ok(false);
            };
            (number, wanted)
        };
        let done = if wanted { self.rezero(number) } else { folder.remove(Name::Stale(number)).map(|()| false) };
        match done {
            Ok(kept) => {
                if kept {
                    lock(&self.shared.shelf).free.push(number);
                }
                Ok(true)
            }
            Err(e) => {
                lock(&self.shared.shelf).stale.push_back(number);
                Err(e)
            }
        }
    }

    /// Makes a stale file a free one, or removes it if its length is not what is used now.
    fn rezero(&self, number: u64) -> Result<bool, WalError> {
        let folder = &self.shared.folder;
        let path = folder.path(Name::Stale(number));
        let file = folder.media().open(&path).map_err(|e| refused("open", &path, e))?;
        if file.len().map_err(|e| refused("measure", &path, e))? != self.shared.limits.file_bytes {
            return folder.remove(Name::Stale(number)).map(|()| false);
        }
        self.fill_gently(&*file).map_err(|e| refused("zero", &path, e))?;
        folder.rename(Name::Stale(number), Name::Free(number))?;
        Ok(true)
    }
}

/// Fills a piece, given the piece and its offset.
pub(super) type Fill<'a> = &'a mut dyn FnMut(&mut [u8], u64) -> std::io::Result<()>;

/// Writes a file from its beginning, a piece at a time as `next` fills it (given the piece and its
/// offset), and syncs it.
pub(super) fn write_durably(file: &dyn MediaFile, bytes: u64, next: Fill<'_>) -> std::io::Result<()> {
    let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES)];
    let mut offset = 0;
    while offset < bytes {
        let left = usize::try_from(bytes.saturating_sub(offset)).unwrap_or(ZEROS_BYTES);
        let Some(piece) = buffer.get_mut(..left.min(ZEROS_BYTES)) else {
            break;
        };
        next(piece, offset)?;
        file.write_at(piece, offset)?;
        offset = offset.saturating_add(piece.len() as u64);
    }
    file.sync_data()
}
