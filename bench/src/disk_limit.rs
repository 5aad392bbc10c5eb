//! What the disk under the data directory does when nothing else happens: the floor under every
//! durable answer.

use crate::failure::Failure;
use crate::latency::Latencies;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Blocks in the file that is overwritten: 16 MiB, like one write-ahead file.
const OVERWRITE_BLOCKS: u64 = 4096;
/// The most that is appended in one measurement.
const APPEND_MAX: u64 = 8 << 30;

/// Overwrites 4 KiB blocks of a written file in turn, each with fdatasync, for `duration`.
///
/// # Errors
/// When the disk cannot be written.
pub fn overwrite_4k(dir: &Path, duration: Duration) -> Result<Latencies, Failure> {
    let scratch = Scratch::create(dir, "overwrite")?;
    let mut file = &scratch.file;
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..OVERWRITE_BLOCKS * 4096 / zeros.len() as u64 {
        file.write_all(&zeros).map_err(Failure::io("fill the file to overwrite"))?;
    }
    file.sync_all().map_err(Failure::io("sync the file to overwrite"))?;
    let mut latencies = Latencies::default();
    let block = [0x5au8; 4096];
    let end = Instant::now() + duration;
    for number in 0.. {
        let start = Instant::now();
        if start >= end {
            break;
        }
        file.write_all_at(&block, number % OVERWRITE_BLOCKS * 4096).map_err(Failure::io("overwrite a block"))?;
        file.sync_data().map_err(Failure::io("fdatasync"))?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

/// Appends `pieces` in turn, one fdatasync for each `pieces_per_sync`, for `duration`; returns the
/// pieces made durable in a second.
///
/// # Errors
/// When the disk cannot be written.
pub fn append(dir: &Path, pieces: &[&[u8]], pieces_per_sync: usize, duration: Duration) -> Result<f64, Failure> {
    let scratch = Scratch::create(dir, "append")?;
    let mut file = &scratch.file;
    let start = Instant::now();
    let (mut count, mut bytes) = (0u64, 0u64);
    let mut group = Vec::new();
    let mut endless = pieces.iter().cycle();
    while start.elapsed() < duration && bytes < APPEND_MAX {
        group.clear();
        // One write for each sync, as a log with group commit does it.
        for piece in endless.by_ref().take(pieces_per_sync) {
            group.extend_from_slice(piece);
        }
        file.write_all(&group).map_err(Failure::io("append"))?;
        file.sync_data().map_err(Failure::io("fdatasync"))?;
        count += pieces_per_sync as u64;
        bytes += group.len() as u64;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Reads every file below `dir` once, front to back; returns bytes and time.
///
/// # Errors
/// When something cannot be read.
pub fn read_through(dir: &Path) -> Result<(u64, Duration), Failure> {
    let start = Instant::now();
    let mut bytes = 0;
    let mut buffer = vec![0u8; 1 << 20];
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let what = format!("read {}", path.display());
        if path.is_dir() {
            for entry in std::fs::read_dir(&path).map_err(Failure::io(what.clone()))? {
                open.push(entry.map_err(Failure::io(what.clone()))?.path());
            }
            continue;
        }
        let mut file = File::open(&path).map_err(Failure::io(what.clone()))?;
        loop {
            match file.read(&mut buffer).map_err(Failure::io(what.clone()))? {
                0 => break,
                count => bytes += count as u64,
            }
        }
    }
    Ok((bytes, start.elapsed()))
}

/// A file that goes when the measurement is over.
struct Scratch {
    file: File,
    path: std::path::PathBuf,
}

impl Scratch {
    fn create(dir: &Path, name: &str) -> Result<Self, Failure> {
        let path = dir.join(format!("limit-{name}-{}", std::process::id()));
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(Failure::io(format!("create {}", path.display())))?;
        Ok(Self { file, path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind it would only be a scratch file: nothing to report.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn limits_are_measured_and_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut overwrite = overwrite_4k(dir.path(), Duration::from_millis(50)).unwrap();
        assert!(overwrite.per_mille_ms(990) > 0.0);
        let piece = vec![7u8; 1000];
        assert!(append(dir.path(), &[&piece], 10, Duration::from_millis(50)).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("a"), vec![0; 3_000_000]).unwrap();
        assert_eq!(read_through(dir.path()).unwrap().0, 3_000_000);
    }
}
