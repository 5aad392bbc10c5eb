//! What lies in the directory at one moment: names, chunks, and the checkpoint beside the log.
//!
//! A running server moves things while a verifier reads. So whatever is found is only believed when
//! the directory still looks the same afterwards; else everything is looked at again.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use super::VerifyError;
use crate::store::layout;
use crate::store::media::{Media, join};
use crate::store::wal::{self, Scan, WalError};

/// What belongs in a trail's directory and is not the verifier's business: secrets, the lock, and
/// what is derived from payloads and can be made again.
const EXEMPT: [&str; 5] = [layout::KEYS, "lock", "index", "lake", "cache"];

/// The log is scanned again so often: a file is renamed a few times a second at the most, and a scan
/// takes a fraction of one.
const SCANS_MAX: u32 = 10;

/// One look at the directory.
pub(super) struct Snapshot {
    /// The checkpoint beside the log, read before the log: it is never ahead of it.
    pub beside: Option<Vec<u8>>,
    /// Paths of all files in the directories that acts account for.
    pub files: BTreeSet<String>,
    /// Paths that nothing in a trail's directory is called.
    pub unknown: Vec<String>,
    /// The write-ahead log.
    pub scan: Scan,
}

impl Snapshot {
    pub fn take(media: &dyn Media) -> Result<Self, VerifyError> {
        let beside = match media.read(layout::CHECKPOINT) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(VerifyError::Io { path: layout::CHECKPOINT.into(), error }),
        };
        let (mut files, mut unknown) = (BTreeSet::new(), Vec::new());
        let mut is_trail = false;
        for name in list(media, "")? {
            match name.as_str() {
                layout::SEGMENTS | layout::PAYLOAD | layout::IDS => {
                    files.extend(list(media, &name)?.iter().map(|file| join(&name, file)));
                }
                layout::CHECKPOINTS => kept_checkpoints(media, &mut files, &mut unknown)?,
                layout::WAL => is_trail = true,
                layout::CHECKPOINT => {}
                other if EXEMPT.contains(&other) => {}
                _ => unknown.push(name),
            }
        }
        if !is_trail {
            return Err(VerifyError::NoTrail);
        }
        Ok(Self { beside, files, unknown, scan: scan_log(media)? })
    }

    /// Whether another look shows the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let logs = |snapshot: &Self| {
            let leftovers = snapshot.scan.leftovers.iter().map(|leftover| leftover.path.clone());
            (leftovers.collect::<Vec<_>>(), snapshot.scan.damage.clone())
        };
        self.beside == other.beside
            && self.files == other.files
            && self.unknown == other.unknown
            && self.scan.frames == other.scan.frames
            && self.scan.torn == other.scan.torn
            && logs(self) == logs(other)
    }
}

/// Scans the write-ahead log; again when a file got another name between being listed and being
/// opened, as they do while a server goes round with them.
fn scan_log(media: &dyn Media) -> Result<Scan, VerifyError> {
    let mut tries = 0;
    loop {
        match wal::scan(media, layout::WAL) {
            Err(WalError::Io { source, .. }) if source.kind() == ErrorKind::NotFound && tries < SCANS_MAX => tries += 1,
            scanned => return scanned.map_err(VerifyError::Wal),
        }
    }
}

fn kept_checkpoints(media: &dyn Media, files: &mut BTreeSet<String>, unknown: &mut Vec<String>) -> Result<(), VerifyError> {
    for size in list(media, layout::CHECKPOINTS)? {
        let dir = join(layout::CHECKPOINTS, &size);
        match media.list(&dir) {
            Ok(names) => files.extend(names.iter().map(|name| join(&dir, name))),
            // A file where only directories belong.
            Err(_) => unknown.push(dir),
        }
    }
    Ok(())
}

fn list(media: &dyn Media, dir: &str) -> Result<Vec<String>, VerifyError> {
    media.list(dir).map_err(|error| match error.kind() {
        ErrorKind::NotFound if dir.is_empty() => VerifyError::NoTrail,
        _ => VerifyError::Io { path: dir.to_owned(), error },
    })
}
