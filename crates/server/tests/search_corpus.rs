//! The fuzz corpus of the search line as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "corpus/files.rs"]
mod files;
#[path = "../../../fuzz/properties/search.rs"]
mod properties;

use proptest::prelude::*;

use crate::files::{TELLING, changed, corpus};

/// Bytes with a meaning in a search line, beside those that tell in other inputs.
const OPERATORS: &[u8] = b"()[]{}\"\\:*?<>=- TOANDR\xc3\x9f";

#[test]
fn the_whole_corpus_keeps_the_properties() {
    corpus("search_line").iter().for_each(|line| properties::line(line));
    let reads = |line: &Vec<u8>| indelible::search::parse(std::str::from_utf8(line).unwrap()).is_ok();
    assert_eq!(corpus("search_line").iter().filter(|line| reads(line)).count(), 7);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_change_to_a_line_keeps_the_properties(line in changed("search_line", &[OPERATORS, TELLING].concat())) {
        properties::line(&line);
    }
}
