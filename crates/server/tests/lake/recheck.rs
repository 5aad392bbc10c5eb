//! Somebody makes the lake tell of something else, checksums and all.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::config::LakeContent;
use indelible::search::{Held, Index, Indexer};

use crate::forged::forge_largest;
use crate::log::Log;

/// How the lake files of a log's payload files stand to the log.
fn recheck(log: &Log, index: &Index) -> Vec<Held> {
    let state = Arc::clone(&log.trail.view().state);
    state
        .payload_files
        .values()
        .map(|file| {
            let found = index.recheck(&log.trail, file, &|| false).unwrap();
            assert_eq!(found.index, Held::Same, "{}", file.name());
            found.lake
        })
        .collect()
}

#[test]
fn a_lake_is_derived_again_byte_for_byte_and_an_altered_one_is_found() {
    let log = Log::synthetic(700);
    for content in [LakeContent::Columns, LakeContent::Full] {
        log.make_all(&log.index(content));
        // Whoever asks need not know what was wanted of the lake.
        let index = log.index(LakeContent::Off);
        assert!(recheck(&log, &index).iter().all(|held| *held == Held::Same), "{content:?}");
        assert!(!log.lake_dir().with_file_name("again").exists());
        forge_largest(&log.lake_dir());
        assert_eq!(recheck(&log, &index).iter().filter(|held| **held == Held::Differs).count(), 1);
    }
    // Clumsy: nothing is said of the file, or another footer is.
    log.make_all(&log.index(LakeContent::Full));
    let path = forge_largest(&log.lake_dir());
    let about = log.lake_dir().join(format!("_{}.about.json", path.file_stem().unwrap().to_str().unwrap()));
    let said = fs::read_to_string(&about).unwrap();
    let index = log.index(LakeContent::Full);
    for clumsy in ["", &said.replace("\"footer\":", "\"footer\":1")] {
        fs::write(&about, clumsy).unwrap();
        assert_eq!(recheck(&log, &index).iter().filter(|held| **held == Held::Unmarked).count(), 1, "{clumsy}");
        let state = Arc::clone(&log.trail.view().state);
        assert_eq!(index.derived(&state).waiting, 1, "a server that looked makes it again");
    }
    fs::remove_dir_all(log.lake_dir()).unwrap();
    assert!(recheck(&log, &log.index(LakeContent::Off)).iter().all(|held| *held == Held::NotMade));
}

#[test]
fn what_engines_would_read_and_is_of_no_payload_file_is_named() {
    let log = Log::synthetic(700);
    let index = log.index(LakeContent::Columns);
    assert_eq!(index.lake_strangers(&log.trail), [""; 0], "no lake, no strangers");
    log.make_all(&index);
    assert_eq!(index.lake_strangers(&log.trail), [""; 0]);
    for name in ["_x.parquet", "invented.parquet", "_00000000000000000000-9-c1-g0.about.parquet.tmp"] {
        fs::write(log.lake_dir().join(name), "x").unwrap();
    }
    fs::write(log.lake_dir().join("x.tmp"), "x").unwrap();
    assert_eq!(index.lake_strangers(&log.trail), ["_x.parquet", "invented.parquet", "x.tmp"]);
}

#[test]
fn the_sampler_finds_an_altered_lake_says_so_in_the_log_and_makes_it_again() {
    let log = Log::synthetic(700);
    log.make_all(&log.index(LakeContent::Columns));
    let made = log.lake();
    forge_largest(&log.lake_dir());
    let index = Arc::new(log.index(LakeContent::Columns));
    let indexer = Indexer::start_sampling(&log.trail, &index, Duration::ZERO).unwrap();
    let end = Instant::now() + Duration::from_secs(300); // the sampler yields to whatever else runs
    while index.health().lake_differences.get() == 0 || log.lake() != made {
        assert!(Instant::now() < end, "{:?}", index.health());
        // Comes while the server runs.
        fs::write(log.lake_dir().join("invented.parquet"), "x").unwrap();
        std::thread::sleep(Duration::from_millis(20));
        until_removed(&log, end);
    }
    indexer.stop();
    assert_eq!(index.health().differences.get(), 0);
    log.to_files();
    let says_so = |record: &[u8]| String::from_utf8_lossy(record).contains("\"lake.differs\"");
    assert_eq!(log.entries().iter().filter(|entry| says_so(&entry.raw)).count(), 1);
}

fn until_removed(log: &Log, end: Instant) {
    while log.lake_dir().join("invented.parquet").exists() {
        assert!(Instant::now() < end, "what is of no payload file is removed");
        std::thread::sleep(Duration::from_millis(5));
    }
}
