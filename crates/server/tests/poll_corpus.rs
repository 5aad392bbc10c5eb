//! The fuzz corpus of the pollers' parsers as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "corpus/files.rs"]
mod files;
#[path = "../../../fuzz/properties/poll.rs"]
mod properties;

use proptest::prelude::*;

use crate::files::{TELLING, changed, corpus};

/// Bytes that pages, links and cursors are made of.
fn telling() -> Vec<u8> {
    [TELLING, b"<>;=/@?&%#"].concat()
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
    fn any_small_change_to_a_page_keeps_the_properties(file in changed("poll_page", &telling())) {
        properties::page(&file);
    }

    #[test]
    fn any_small_change_to_a_cursor_keeps_the_properties(file in changed("poll_cursor", &telling())) {
        properties::cursor(&file);
    }

    #[test]
    fn any_small_change_to_what_aws_says_keeps_the_properties(file in changed("poll_aws", &telling())) {
        properties::aws(&file);
    }
}
