//! What a process takes, from `/proc`: anonymous resident memory and CPU seconds.

use crate::failure::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often memory is looked at: often enough to see a batch of sealing, at no cost to speak of.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// Resident anonymous memory of process `pid` now, in bytes (`RssAnon`); none when it is gone.
#[must_use]
pub fn rss_anon_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// CPU seconds of process `pid` itself, user and system; none when it is gone.
#[must_use]
pub fn cpu_seconds(pid: u32) -> Option<f64> {
    Stat::read(pid).map(|stat| stat.own_ticks as f64 / ticks_per_second())
}

/// CPU seconds of `pid`, of its children that ended, and of those that run: a database of many
/// processes counts as one.
#[must_use]
pub fn family_cpu_seconds(pid: u32) -> Option<f64> {
    let parent = Stat::read(pid)?;
    let mut ticks = parent.own_ticks + parent.ended_children_ticks;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let child = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Stat::read);
        if let Some(child) = child.filter(|child| child.parent == pid) {
            ticks += child.own_ticks;
        }
    }
    Some(ticks as f64 / ticks_per_second())
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

struct Stat {
    parent: u32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold spaces and brackets: fields count from the last `)`.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
        // proc(5): utime, stime, cutime and cstime are fields 14 to 17; `fields` begins at 3.
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own_ticks: ticks(11)? + ticks(12)?,
            ended_children_ticks: ticks(13)? + ticks(14)?,
        })
    }
}

/// Looks at a process's memory until asked for the peak.
pub struct MemoryWatch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl MemoryWatch {
    /// Starts to watch `pid`.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(pid: u32) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let watch = move || {
            let mut peak = 0;
            while !seen.load(Ordering::Relaxed) {
                peak = peak.max(rss_anon_bytes(pid).unwrap_or(0));
                std::thread::sleep(SAMPLE_EVERY);
            }
            peak
        };
        let thread = std::thread::Builder::new().name("memory".to_owned()).spawn(watch).map_err(Failure::io("start a thread"))?;
        Ok(Self { stop, thread })
    }

    /// The most that was seen, in bytes.
    #[must_use]
    pub fn peak_bytes(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_has_used_time() {
        let pid = std::process::id();
        assert!(rss_anon_bytes(pid).unwrap() > 0);
        let watch = MemoryWatch::start(pid).unwrap();
        let kept = std::hint::black_box(vec![1u8; 32 << 20]);
        std::thread::sleep(SAMPLE_EVERY * 3);
        assert!(watch.peak_bytes() >= kept.len() as u64);
        drop(std::hint::black_box(kept));
        // In this order: time goes on between the two.
        let own = cpu_seconds(pid).unwrap();
        assert!(family_cpu_seconds(pid).unwrap() >= own);
    }
}
