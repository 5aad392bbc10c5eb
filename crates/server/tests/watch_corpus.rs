//! The fuzz corpus of the readers of `watch` as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../../fuzz/properties/watch.rs"]
mod properties;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 7, "the corpus of {target} is missing");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Any file of the corpus with a few bytes replaced, cut out or put in.
fn changed(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let telling =
        prop_oneof![any::<u8>(), prop::sample::select(b"{}[],:\"\\ \n\r\t0123456789-.eu\0\xef\xbb\xbf\x1f\x8b\x28\xb5\x2f\xfd".to_vec()),];
    let change = (any::<Index>(), 0_usize..4, prop::collection::vec(telling, 0..4));
    let changes = prop::collection::vec(change, 1..4);
    (prop::sample::select(corpus(target)), changes).prop_map(|(mut file, changes)| {
        for (at, removed, inserted) in changes {
            let at = at.index(file.len() + 1);
            let end = (at + removed).min(file.len());
            file.splice(at..end, inserted);
        }
        file
    })
}

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
    fn any_small_change_to_a_record_keeps_the_properties(file in changed("watch_record")) {
        properties::record(&file);
    }

    #[test]
    fn any_small_change_to_what_was_learned_keeps_the_properties(file in changed("watch_learned")) {
        properties::learned(&file);
    }
}
