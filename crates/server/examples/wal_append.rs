//! How fast the write-ahead log makes frames durable, beside the same bytes written over a file of
//! zeros and synced by a bare loop: the limit of the disk.
//!
//! `cargo run --release -p indelible --example wal_append [DIRECTORY]`; the directory must be on the
//! disk to be measured, and is the current one by default. Everything written is removed.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indelible::store::media::{Disk, Media};
use indelible::store::wal::{Wal, WalLimits};

const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(2);

/// What one round took, commit by commit.
struct Round {
    bytes: usize,
    commits: Vec<Duration>,
}

impl Round {
    fn run(bytes: usize, mut commit: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<Round, Box<dyn Error>> {
        let (begin, mut commits) = (Instant::now(), Vec::new());
        while begin.elapsed() < ROUND {
            let start = Instant::now();
            commit()?;
            commits.push(start.elapsed());
        }
        commits.sort_unstable();
        Ok(Round { bytes, commits })
    }

    fn print(&self, what: &str) {
        let seconds: f64 = self.commits.iter().map(Duration::as_secs_f64).sum();
        let rate = self.commits.len() as f64 / seconds;
        let at = |share: usize| self.commits.get(self.commits.len() * share / 1000).map_or(0, Duration::as_micros);
        println!(
            "{what:<4} {:>3} KiB  {rate:>7.0} commits/s  {:>6.1} MB/s  p50 {:>5} µs  p99 {:>6} µs",
            self.bytes >> 10,
            rate * self.bytes as f64 / 1e6,
            at(500),
            at(990),
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let root = tempfile::tempdir_in(Path::new(&directory))?;
    let disk = Arc::new(Disk::new(root.path())?);
    for bytes in [4 << 10, 64 << 10] {
        for _ in 0..ROUNDS {
            raw(&disk, bytes)?.print("raw");
            log(&disk, bytes)?.print("log");
        }
    }
    Ok(())
}

/// The limit: one file of zeros, written over from beginning to end and again.
fn raw(disk: &Disk, bytes: usize) -> Result<Round, Box<dyn Error>> {
    let length = WalLimits::default().file_bytes;
    let frame = vec![0xa5; bytes];
    let file = disk.create("raw")?;
    file.write_at(&vec![0; usize::try_from(length)?], 0)?;
    file.sync_data()?;
    let mut offset = 0;
    let round = Round::run(bytes, || {
        file.write_at(&frame, offset)?;
        file.sync_data()?;
        offset = if offset + 2 * bytes as u64 > length { 0 } else { offset + bytes as u64 };
        Ok(())
    })?;
    disk.remove("raw")?;
    Ok(round)
}

/// The log as the server uses it: files released as they fill, and zeroed in the background.
fn log(disk: &Arc<Disk>, bytes: usize) -> Result<Round, Box<dyn Error>> {
    disk.create_dir_all("wal")?;
    let media: Arc<dyn Media> = Arc::<Disk>::clone(disk);
    let (mut wal, _) = Wal::open(media, "wal", WalLimits::default())?;
    let (spares, stop) = (wal.spares(), Arc::new(AtomicBool::new(false)));
    let background = std::thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            while !stop.load(Ordering::Relaxed) {
                if let Err(e) = spares.prepare_next().and_then(|()| spares.recycle()) {
                    eprintln!("{e}");
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let frame = vec![0xa5; bytes];
    let round = Round::run(bytes, || {
        wal.append(&[&frame])?;
        wal.release_before(wal.active_file())?;
        Ok(())
    });
    stop.store(true, Ordering::Relaxed);
    background.join().map_err(|_| "the background thread died")?;
    round
}
