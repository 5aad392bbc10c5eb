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
/// Bytes of one of them.
const BLOCK: usize = 4096;
/// The most that is appended in one measurement.
const APPEND_MAX: u64 = 8 << 30;

/// Overwrites 4 KiB blocks of a written file in turn, each with fdatasync, for `duration`.
///
/// # Errors
/// When the disk cannot be written.
pub fn overwrite_4k(dir: &Path, duration: Duration) -> Result<Latencies, Failure> {
    let scratch = Scratch::filled(dir, "overwrite")?;
    let mut latencies = Latencies::default();
    let block = [0x5au8; BLOCK];
    let end = Instant::now() + duration;
    for number in 0.. {
        let start = Instant::now();
        if start >= end {
            break;
        }
        scratch.overwrite(&block, number)?;
        latencies.push(start.elapsed());
    }
    Ok(latencies)
}

/// What an open loop finds when nothing but the disk takes time: pieces of `piece_bytes` fall due on
/// a fixed schedule, and all that are due are overwritten and synced together. Latencies count from
/// when a piece was due, so a stall of the disk shows in each one that it delayed.
///
/// # Errors
/// When the disk cannot be written.
pub fn open_loop(dir: &Path, piece_bytes: usize, per_second: u32, duration: Duration) -> Result<Latencies, Failure> {
    let scratch = Scratch::filled(dir, "open-loop")?;
    let mut latencies = Latencies::default();
    let begin = Instant::now();
    let due = |number: u32| begin + Duration::from_secs(1) * number / per_second;
    let all = per_second.saturating_mul(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
    let (mut first, mut block) = (0, 0);
    while first < all {
        std::thread::sleep(due(first).saturating_duration_since(Instant::now()));
        let now = Instant::now();
        // No more at a time than a write-ahead log puts into one frame.
        let group = (first..all.min(first + 1000)).take_while(|number| due(*number) <= now).count().max(1);
        let bytes = vec![0x5a; piece_bytes * group];
        let blocks = bytes.len().div_ceil(BLOCK) as u64;
        if block + blocks > OVERWRITE_BLOCKS {
            block = 0;
        }
        scratch.overwrite(&bytes, block)?;
        block += blocks;
        let next = first + u32::try_from(group).unwrap_or(1);
        let end = Instant::now();
        (first..next).for_each(|number| latencies.push(end - due(number)));
        first = next;
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

    /// One with real zeros in every block that is going to be overwritten.
    fn filled(dir: &Path, name: &str) -> Result<Self, Failure> {
        let scratch = Self::create(dir, name)?;
        let zeros = vec![0u8; 1 << 20];
        for _ in 0..OVERWRITE_BLOCKS * BLOCK as u64 / zeros.len() as u64 {
            (&scratch.file).write_all(&zeros).map_err(Failure::io("fill the file to overwrite"))?;
        }
        scratch.file.sync_all().map_err(Failure::io("sync the file to overwrite"))?;
        Ok(scratch)
    }

    /// Overwrites from a block on and syncs; blocks are counted round the file.
    fn overwrite(&self, bytes: &[u8], block: u64) -> Result<(), Failure> {
        let offset = block % OVERWRITE_BLOCKS * BLOCK as u64;
        self.file.write_all_at(bytes, offset).map_err(Failure::io("overwrite blocks"))?;
        self.file.sync_data().map_err(Failure::io("fdatasync"))
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
        let mut open = open_loop(dir.path(), 1000, 500, Duration::from_secs(1)).unwrap();
        assert_eq!(open.count(), 500);
        assert!(open.per_mille_ms(990) > 0.0);
        let piece = vec![7u8; 1000];
        assert!(append(dir.path(), &[&piece], 10, Duration::from_millis(50)).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        std::fs::write(dir.path().join("a"), vec![0; 3_000_000]).unwrap();
        assert_eq!(read_through(dir.path()).unwrap().0, 3_000_000);
    }
}
