//! The fuzz corpus of the search line as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../../fuzz/properties/search.rs"]
mod properties;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

fn corpus() -> Vec<String> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/search_line")).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 7, "the corpus is missing");
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Any file of the corpus with a few characters replaced, cut out or put in.
fn changed() -> impl Strategy<Value = String> {
    let telling = prop_oneof![any::<char>(), prop::sample::select("()[]{}\"\\:*?<>=- TOANDR".chars().collect::<Vec<_>>())];
    let change = (any::<Index>(), 0_usize..4, prop::collection::vec(telling, 0..4));
    (prop::sample::select(corpus()), prop::collection::vec(change, 1..4)).prop_map(|(line, changes)| {
        let mut line: Vec<char> = line.chars().collect();
        for (at, removed, inserted) in changes {
            let at = at.index(line.len() + 1);
            let end = (at + removed).min(line.len());
            line.splice(at..end, inserted);
        }
        line.into_iter().collect()
    })
}

#[test]
fn the_whole_corpus_keeps_the_properties() {
    corpus().iter().for_each(|line| properties::line(line.as_bytes()));
    assert!(indelible::search::parse(&corpus()[0]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_change_to_a_line_keeps_the_properties(line in changed()) {
        properties::line(line.as_bytes());
    }
}
