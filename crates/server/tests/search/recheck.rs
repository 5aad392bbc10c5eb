//! Somebody makes the index hide an event, checksums and all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::search::{Held, Indexer, Order};
use proptest::test_runner::TestRunner;

use crate::altered::alter_largest;
use crate::log::Log;

#[test]
fn an_index_is_derived_again_byte_for_byte_and_an_altered_one_is_found() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = log.index();
    let recheck = || -> Vec<Held> {
        let state = Arc::clone(&log.trail.view().state);
        state.payload_files.values().map(|file| index.recheck(&log.trail, file, &|| false).unwrap().index).collect()
    };
    assert!(recheck().iter().all(|found| *found == Held::NotMade));
    log.make_all(&index);
    assert!(recheck().iter().all(|found| *found == Held::Same), "{:?}", recheck());
    let derived = log.dir.path().join("derived");
    assert!(!derived.join("again").exists());
    alter_largest(&derived);
    assert_eq!(recheck().iter().filter(|found| **found == Held::Differs).count(), 1);
}

#[test]
fn the_sampler_finds_an_altered_index_says_so_in_the_log_and_makes_it_again() {
    let log = Log::filled(&mut TestRunner::deterministic());
    let index = Arc::new(log.index());
    log.make_all(&index);
    alter_largest(&log.dir.path().join("derived"));
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
        assert_eq!(again.recheck(&log.trail, file, &|| false).unwrap().index, Held::Same, "{}", file.name());
    }
    // The record itself is behind what is indexed.
    assert!(index.behind(&log.trail) > 0);
}
