//! The fuzz corpus of the readers of `watch` as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "corpus/files.rs"]
mod files;
#[path = "../../../fuzz/properties/watch.rs"]
mod properties;

use proptest::prelude::*;

use crate::files::{TELLING, changed, corpus};

#[test]
fn the_whole_corpus_keeps_the_properties() {
    corpus("watch_record").iter().for_each(|file| properties::record(file));
    corpus("watch_learned").iter().for_each(|file| properties::learned(file));
}

#[test]
fn the_corpus_is_what_a_running_watch_writes() {
    let known = |target: &str, read: fn(&[u8]) -> bool| corpus(target).iter().filter(|file| read(file)).count();
    assert_eq!(known("watch_record", |file| indelible::watch::Noted::read(file).is_some()), 8);
    assert_eq!(known("watch_learned", |file| indelible::watch::Gathering::default().take(file).is_some()), 4);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_change_to_a_record_keeps_the_properties(file in changed("watch_record", TELLING)) {
        properties::record(&file);
    }

    #[test]
    fn any_small_change_to_what_was_learned_keeps_the_properties(file in changed("watch_learned", TELLING)) {
        properties::learned(&file);
    }
}
