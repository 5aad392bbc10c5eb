//! Somebody makes the index hide an event, checksums and all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::search::{Indexer, Order, Recheck};
use proptest::test_runner::TestRunner;

use crate::log::Log;

/// The folder of the largest index there is: it has the most to hide.
fn largest(derived: &Path) -> PathBuf {
    let folders = std::fs::read_dir(derived.join("index")).unwrap().map(|entry| entry.unwrap().path());
    let bytes =
        |folder: &PathBuf| -> u64 { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum() };
    folders.max_by_key(bytes).unwrap()
}

/// Changes a byte of the lists of entries and writes the checksum that goes with it.
fn alter(folder: &Path) {
    let path =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|e| e == "idx"));
    let path = path.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let about = folder.join("about.json");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&about).unwrap()).unwrap();
    json["sums"][path.file_name().unwrap().to_str().unwrap()] = crc32c::crc32c(&bytes).into();
    std::fs::write(about, json.to_string()).unwrap();
}

#[test]
fn an_index_is_derived_again_byte_for_byte_and_an_altered_one_is_found() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    let recheck = || -> Vec<Recheck> {
        let state = Arc::clone(&log.trail.view().state);
        state.payload_files.values().map(|file| index.recheck(&log.trail, file, &|| false).unwrap()).collect()
    };
    assert!(recheck().iter().all(|found| *found == Recheck::NotMade));
    log.make_all(&index);
    assert!(recheck().iter().all(|found| *found == Recheck::Same), "{:?}", recheck());
    let derived = log.dir.path().join("derived");
    assert!(!derived.join("again").exists());
    alter(&largest(&derived));
    assert_eq!(recheck().iter().filter(|found| **found == Recheck::Differs).count(), 1);
}

#[test]
fn the_sampler_finds_an_altered_index_says_so_in_the_log_and_makes_it_again() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = Arc::new(log.index());
    log.make_all(&index);
    alter(&largest(&log.dir.path().join("derived")));
    let index = Arc::new(log.index());
    let indexer = Indexer::start_sampling(&log.trail, &index, Duration::ZERO).unwrap();
    let end = Instant::now() + Duration::from_secs(300); // the sampler yields to whatever else runs
    while index.health().differences.get() == 0 {
        assert!(Instant::now() < end, "{:?}", index.health());
        std::thread::sleep(Duration::from_millis(20));
    }
    indexer.stop();
    assert_eq!(log.all(&log.index(), "entry:record raw.record:index.differs", Order::Newest, 10).0.len(), 1);
    let state = Arc::clone(&log.trail.view().state);
    let again = log.index();
    for file in state.payload_files.values().filter(|file| again.is_made(file, &state)) {
        assert_eq!(again.recheck(&log.trail, file, &|| false).unwrap(), Recheck::Same, "{}", file.name());
    }
    // The record itself is behind what is indexed.
    assert!(index.behind(&log.trail) > 0);
}
