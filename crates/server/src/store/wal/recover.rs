//! Opening a log: look at everything, then make good what a crash left.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::{Damage, WalError};
use super::file::LogFile;
use super::folder::{Folder, Name, refused};
use super::scan::{Leftover, LeftoverKind, Scan, ScannedFile, scan};
use super::spares::{Shelf, Spares, write_durably};
use super::{BLOCK_BYTES, FrameAt, Recovered, TornTail, Wal, WalLimits, WalReader};
use crate::log::planted::{Bug, planted};
use crate::store::media::Media;

/// A log that was read and found undamaged, and not changed yet. Look at [`Examined::torn`] and
/// compare the frames with the newest checkpoint known before [`Examined::accept`] drops anything.
pub struct Examined {
    media: Arc<dyn Media>,
    dir: String,
    limits: WalLimits,
    scan: Scan,
}

impl Examined {
    pub(super) fn read(media: Arc<dyn Media>, dir: &str, limits: WalLimits) -> Result<Examined, WalError> {
        limits.check()?;
        let scan = scan(&*media, dir)?;
        match scan.damage.first() {
            Some(damage) => Err(WalError::Damaged(Damage::clone(damage))),
            None => Ok(Examined { media, dir: dir.to_owned(), limits, scan }),
        }
    }

    /// All whole frames, in the order they were appended.
    pub fn frames(&self) -> &[FrameAt] {
        &self.scan.frames
    }

    /// The unfinished frame that [`Examined::accept`] will drop.
    pub fn torn(&self) -> Option<&TornTail> {
        self.scan.torn.as_ref()
    }

    /// Reads the frames.
    pub fn reader(&self) -> WalReader {
        self.scan.reader()
    }

    /// Makes the log ready for appending. May be cut short at any point and begun again.
    pub fn accept(self) -> Result<(Wal, Recovered), WalError> {
        let Examined { media, dir, limits, mut scan } = self;
        let folder = Arc::new(Folder::new(media, &dir));
        let last = scan.files.iter().rposition(|file| !file.is_empty);
        let empties = scan.files.split_off(last.map_or(0, |last| last.saturating_add(1)));
        let spares = Spares::new(Arc::clone(&folder), limits, shelf(&scan, &empties, limits));

        for leftover in &scan.leftovers {
            clear(leftover, &folder, &spares)?;
        }
        for (number, _) in scan.free.iter().filter(|(_, bytes)| *bytes != limits.file_bytes) {
            spares.set_aside(Name::Free(*number))?;
        }
        // An empty file is not trusted either: the sync of its name may be what failed. The newest
        // goes first, so that a crash leaves no gap.
        for file in empties.iter().rev() {
            scan.live.remove(file.sequence);
            spares.set_aside(Name::Log(file.sequence))?;
        }
        let (active, next_block) = match scan.files.last() {
            Some(file) => (rewrite(&folder, file)?, file.end),
            None => {
                // First what is there, so that a full disk does not keep an empty log from opening.
                spares.recycle()?;
                spares.prepare_next()?;
                (spares.take_prepared().ok_or(WalError::Stopped)?, 1)
            }
        };
        scan.live.insert(Arc::clone(&active));
        let unknown = scan.leftovers.into_iter().filter(|leftover| leftover.kind == LeftoverKind::Unknown);
        let recovered = Recovered { frames: scan.frames, torn: scan.torn, unknown: unknown.map(|leftover| leftover.path).collect() };
        let wal = Wal { folder, live: scan.live, spares, active, next_block, buffer: Vec::new() };
        Ok((wal, recovered))
    }
}

/// Where everything is that lies ready. Numbers are never used twice, whatever they stood for.
fn shelf(scan: &Scan, empties: &[ScannedFile], limits: WalLimits) -> Shelf {
    let named = scan.leftovers.iter().filter_map(|leftover| Some(leftover.name?.number()));
    let free = scan.free.iter().map(|(number, _)| *number);
    let log = scan.files.iter().chain(empties).map(|file| file.sequence);
    let highest = named.chain(free).chain(log).max().unwrap_or(0);
    let next_number = highest.saturating_add(1);
    let usable = scan.free.iter().filter(|(_, bytes)| *bytes == limits.file_bytes);
    Shelf {
        prepared: None,
        next_sequence: scan.files.last().map_or(next_number, |file| file.sequence.saturating_add(1)),
        next_number,
        free: usable.map(|(number, _)| *number).collect(),
        stale: VecDeque::new(),
    }
}

fn clear(leftover: &Leftover, folder: &Folder, spares: &Spares) -> Result<(), WalError> {
    match leftover.name {
        Some(name @ Name::Temporary(_)) => folder.remove(name),
        // Also a stale file gets a new name: if the sync of its renaming failed, the medium still
        // has it in the log, and once a newer file were released a crash would show a gap.
        Some(name @ (Name::Free(_) | Name::Stale(_))) => spares.set_aside(name),
        Some(Name::Log(_)) | None => Ok(()),
    }
}

/// Writes the whole file again, in place: its frames as they are and zeros behind them. A sync that
/// failed may have left pages that look clean and are not on the medium; only writing makes the
/// next sync write them. Nothing is lost if this is cut short: every sector holds what it held, or
/// zeros where an unfinished frame was.
fn rewrite(folder: &Folder, file: &ScannedFile) -> Result<Arc<LogFile>, WalError> {
    let path = folder.path(Name::Log(file.sequence));
    let failed = |e| refused("rewrite", &path, e);
    let Some(header) = file.header else {
        return Err(WalError::Stopped);
    }; // damage, refused before
    let handle = folder.media().open(&path).map_err(failed)?;
    let mut content = folder.media().read(&path).map_err(failed)?;
    let end = usize::try_from(file.end).unwrap_or(usize::MAX).saturating_mul(BLOCK_BYTES);
    if let Some(behind) = content.get_mut(end..).filter(|_| !planted(Bug::KeepTornTail)) {
        behind.fill(0);
    }
    if planted(Bug::SkipRewrite) {
        return Ok(LogFile::new(header, path, handle));
    }
    let mut pieces = content.chunks(super::spares::ZEROS_BYTES);
    write_durably(&*handle, file.bytes, &mut |piece, _| {
        piece.iter_mut().zip(pieces.next().unwrap_or_default()).for_each(|(to, from)| *to = *from);
        Ok(())
    })
    .map_err(failed)?;
    Ok(LogFile::new(header, path, handle))
}
