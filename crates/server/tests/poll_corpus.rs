//! The fuzz corpus of the pollers' parsers as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "../../../fuzz/properties/poll.rs"]
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
    let telling = prop_oneof![any::<u8>(), prop::sample::select(b"{}[],:\"\\ \n<>;=/@?&%#.0123456789-eu".to_vec())];
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
    corpus("poll_page").iter().for_each(|file| properties::page(file));
    corpus("poll_cursor").iter().for_each(|file| properties::cursor(file));
    corpus("poll_aws").iter().for_each(|file| properties::aws(file));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_change_to_a_page_keeps_the_properties(file in changed("poll_page")) {
        properties::page(&file);
    }

    #[test]
    fn any_small_change_to_a_cursor_keeps_the_properties(file in changed("poll_cursor")) {
        properties::cursor(&file);
    }

    #[test]
    fn any_small_change_to_what_aws_says_keeps_the_properties(file in changed("poll_aws")) {
        properties::aws(&file);
    }
}
