//! The fuzz corpus of the door's parsers as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "corpus/files.rs"]
mod files;
#[path = "../../../fuzz/properties/intake.rs"]
mod properties;

use proptest::prelude::*;

use crate::files::{TELLING, changed, corpus};

#[test]
fn the_whole_corpus_keeps_the_properties() {
    corpus("intake_shape").iter().for_each(|file| properties::shape(file));
    corpus("intake_body").iter().for_each(|file| properties::body(file));
    corpus("intake_record_id").iter().for_each(|file| properties::id(file));
    corpus("intake_hec").iter().for_each(|file| properties::hec_events(file));
    corpus("intake_bulk").iter().for_each(|file| properties::bulk_items(file));
    corpus("intake_otlp").iter().for_each(|file| properties::otlp_logs(file));
    corpus("intake_wrapped").iter().for_each(|file| properties::wrapped(file));
    corpus("intake_frames").iter().for_each(|file| properties::frames(file));
    corpus("intake_syslog_header").iter().for_each(|file| properties::syslog_header(file));
    corpus("intake_file_places").iter().for_each(|file| properties::file_places(file));
    corpus("intake_certificate").iter().for_each(|file| properties::certificate(file));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_small_change_to_a_body_of_events_keeps_the_properties(file in changed("intake_shape", TELLING)) {
        properties::shape(&file);
    }

    #[test]
    fn any_small_change_to_a_compressed_body_keeps_the_properties(file in changed("intake_body", TELLING)) {
        properties::body(&file);
    }

    #[test]
    fn any_small_change_to_a_record_keeps_the_properties(file in changed("intake_record_id", TELLING)) {
        properties::id(&file);
    }

    #[test]
    fn any_small_change_to_a_body_of_splunk_events_keeps_the_properties(file in changed("intake_hec", TELLING)) {
        properties::hec_events(&file);
    }

    #[test]
    fn any_small_change_to_a_bulk_body_keeps_the_properties(file in changed("intake_bulk", TELLING)) {
        properties::bulk_items(&file);
    }

    #[test]
    fn any_small_change_to_an_export_request_keeps_the_properties(file in changed("intake_otlp", TELLING)) {
        properties::otlp_logs(&file);
    }

    #[test]
    fn any_small_change_to_a_wrapper_keeps_the_properties(file in changed("intake_wrapped", TELLING)) {
        properties::wrapped(&file);
    }

    #[test]
    fn any_small_change_to_a_stream_keeps_the_properties(file in changed("intake_frames", TELLING)) {
        properties::frames(&file);
    }

    #[test]
    fn any_small_change_to_a_syslog_head_keeps_the_properties(file in changed("intake_syslog_header", TELLING)) {
        properties::syslog_header(&file);
    }

    #[test]
    fn any_small_change_to_a_certificate_keeps_the_properties(file in changed("intake_certificate", TELLING)) {
        properties::certificate(&file);
    }

    #[test]
    fn any_small_change_to_places_keeps_the_properties(file in changed("intake_file_places", TELLING)) {
        properties::file_places(&file);
    }
}
