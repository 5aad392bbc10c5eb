//! Work in the background that keeps a trail's directory in order: the newest checkpoint beside the
//! log, write-ahead files ready and clean.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, select};
use tracing::warn;

use crate::log::Log;
use crate::log::shared::View;
use crate::store::layout;
use crate::store::media::Media;
use crate::store::wal::Spares;

/// How often the newest checkpoint is written beside the log: what a rollback can hide from this
/// directory alone is at most this much.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(1000);

/// What a medium writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Writes the newest checkpoint beside the log. A note of the same length lies in one sector and is
/// overwritten in place: a sector is written whole or not at all, and nothing but data is synced, so
/// no commit waits behind the file system's journal.
pub fn write_checkpoint(media: &dyn Media, view: &View) -> std::io::Result<()> {
    let note = view.note.as_bytes();
    if note.len() <= SECTOR_BYTES
        && let Ok(file) = media.open(layout::CHECKPOINT)
        && file.len()? == note.len() as u64
    {
        file.write_at(note, 0)?;
        return file.sync_data();
    }
    media.replace(layout::CHECKPOINT, note)
}

/// Syncs the newest checkpoint every second.
pub struct Keeper {
    /// Where the checkpoint goes.
    pub media: Arc<dyn Media>,
    /// Whose it is.
    pub log: Log,
}

impl Keeper {
    /// Works until `stop` is closed.
    pub fn run(self, stop: &Receiver<()>) {
        let mut written = 0;
        let mut due = Instant::now();
        loop {
            let view = self.log.view();
            if Instant::now() >= due && view.size != written {
                match write_checkpoint(self.media.as_ref(), &view) {
                    Ok(()) => written = view.size,
                    Err(why) => warn!(%why, "the newest checkpoint could not be written beside the log; it is tried again"),
                }
                due = Instant::now() + CHECKPOINT_EVERY;
            }
            match stop.recv_timeout(CHECKPOINT_EVERY / 4) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// Keeps write-ahead files ready and clean: the next one first, then what was released.
pub fn keep_files_ready(wal: &Spares, woken: &Receiver<()>, stop: &Receiver<()>) {
    loop {
        if let Err(why) = wal.prepare_next().and_then(|()| wal.recycle()) {
            warn!(%why, "write-ahead files could not be readied; it is tried again");
        }
        select! {
            recv(stop) -> _ => return,
            recv(woken) -> _ => {}
            default(CHECKPOINT_EVERY / 4) => {}
        }
    }
}
