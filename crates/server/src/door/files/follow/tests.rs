//! Every operation of the log's disk fails once in every way while files are followed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::io::ErrorKind;

use evidence::leaf::Kind;

use super::*;
use crate::clock::Clock;
use crate::door::UNKNOWN_KIND;
use crate::door::files::watch::fake::{Fake, gzip};
use crate::store::media::SimMedia;
use crate::store::media::sim::{Fault, Survivors};
use crate::store::seal::SealPolicy;
use crate::store::trail::{Trail, TrailOptions};
use crate::store::wal::WalLimits;

const FAULTS: [Fault; 6] = [
    Fault::PowerCut(Survivors::Nothing),
    Fault::PowerCut(Survivors::Everything),
    Fault::PowerCut(Survivors::Random(1)),
    Fault::Refused(ErrorKind::Other),
    Fault::Refused(ErrorKind::StorageFull),
    Fault::KeptButReportedLost,
];
const ROUNDS: usize = 12;

fn options() -> TrailOptions {
    TrailOptions {
        segment_leaves: 256,
        wal: WalLimits { file_bytes: 16 << 10, spare_files: 1 },
        seal: SealPolicy { flush_bytes: 24 << 10, flush_age_ms: u64::MAX, look_ms: 10 },
        threads: false,
        ..TrailOptions::main("/sim")
    }
}

/// A machine: files, the log's disk, and the process while it lives.
struct Machine {
    fake: Fake,
    media: SimMedia,
    process: Option<(Arc<Trail>, Follower<Fake>)>,
    written: Vec<String>,
}

impl Machine {
    fn new(media: SimMedia) -> Self {
        let fake = Fake::default();
        fake.wait(1_000_000);
        Self { fake, media, process: None, written: Vec::new() }
    }

    /// Starts the process, at the second try if the fault falls into the first.
    fn start(&mut self) {
        for _ in 0..3 {
            self.media.restart();
            let Ok(trail) = Trail::open(Arc::new(self.media.clone()), &options()) else { continue };
            let fake = self.fake.clone();
            let admission = Admission::new(Arc::clone(&trail), Clock::from_fn(move || fake.now_ms()));
            let origin = Origin { source: "files".parse().unwrap(), kind: UNKNOWN_KIND.into(), door: "files" };
            let rules = WatchRules::default();
            let follower = Follower::new(Arc::new(admission), origin, "files/test".into(), self.fake.clone(), rules).unwrap();
            self.process = Some((trail, follower));
            return;
        }
        panic!("the process does not start");
    }

    fn live(&mut self) {
        if self.process.is_none() {
            self.start();
        }
        let Some((trail, follower)) = &mut self.process else { return };
        let goes_on = follower.look_and_keep(&Stop::default()) && trail.seal_due().is_ok() && trail.keep_files().is_ok();
        if !goes_on || self.media.is_off() || trail.log().shared().stopped().is_some() {
            self.process = None;
        }
    }

    fn write(&mut self, count: usize) {
        for _ in 0..count {
            let line = format!("line {} {}", self.written.len(), "x".repeat(self.written.len() * 31 % 120));
            self.fake.append("a.log", format!("{line}\n"));
            self.written.push(line);
        }
    }

    fn rotate(&self, round: usize) {
        let old = format!("a.log.{round}");
        match round % 3 {
            0 => self.fake.rename("a.log", &old),
            1 => {
                self.fake.append(&old, self.fake.content("a.log"));
                self.fake.truncate("a.log");
            }
            _ => {
                self.fake.append(&format!("{old}.gz"), gzip(&self.fake.content("a.log")));
                self.fake.delete("a.log");
            }
        }
    }

    fn run(&mut self) {
        for round in 0..ROUNDS {
            self.write(20 + round % 7);
            self.fake.wait(1_000);
            if round % 4 == 3 {
                self.rotate(round);
            }
            self.live();
        }
        for _ in 0..4 {
            self.fake.wait(20_000);
            self.live();
        }
    }

    fn kept(&mut self) -> Vec<String> {
        if self.process.is_none() {
            self.start();
        }
        let Some((trail, _)) = &self.process else { return Vec::new() };
        let entries = (0..trail.view().size).map(|index| trail.reader().entry(index).unwrap());
        entries.filter(|entry| entry.leaf.kind == Kind::Event).map(|entry| String::from_utf8(entry.raw.to_vec()).unwrap()).collect()
    }
}

fn check(op: Option<(u64, Fault)>) -> u64 {
    let media = SimMedia::new(7);
    if let Some((op, fault)) = op {
        media.inject(op, fault);
    }
    let mut machine = Machine::new(media);
    machine.run();
    let operations = machine.media.ops();
    let (mut kept, mut written) = (machine.kept(), machine.written);
    kept.sort();
    written.sort();
    assert!(kept == written, "{} kept, {} written with {op:?}", kept.len(), written.len());
    operations
}

#[test]
fn every_line_is_in_the_log_once_whatever_operation_of_its_disk_fails_and_however() {
    let operations = check(None);
    assert!(operations > 80, "{operations} operations");
    for op in 0..operations {
        check(Some((op, FAULTS[op as usize % FAULTS.len()])));
    }
}
