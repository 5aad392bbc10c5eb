//! The fuzz corpus of the door's parsers as an ordinary test: every file, and small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../../fuzz/properties/intake.rs"]
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
    fn any_small_change_to_a_body_of_events_keeps_the_properties(file in changed("intake_shape")) {
        properties::shape(&file);
    }

    #[test]
    fn any_small_change_to_a_compressed_body_keeps_the_properties(file in changed("intake_body")) {
        properties::body(&file);
    }

    #[test]
    fn any_small_change_to_a_record_keeps_the_properties(file in changed("intake_record_id")) {
        properties::id(&file);
    }

    #[test]
    fn any_small_change_to_a_body_of_splunk_events_keeps_the_properties(file in changed("intake_hec")) {
        properties::hec_events(&file);
    }

    #[test]
    fn any_small_change_to_a_bulk_body_keeps_the_properties(file in changed("intake_bulk")) {
        properties::bulk_items(&file);
    }

    #[test]
    fn any_small_change_to_an_export_request_keeps_the_properties(file in changed("intake_otlp")) {
        properties::otlp_logs(&file);
    }

    #[test]
    fn any_small_change_to_a_wrapper_keeps_the_properties(file in changed("intake_wrapped")) {
        properties::wrapped(&file);
    }

    #[test]
    fn any_small_change_to_a_stream_keeps_the_properties(file in changed("intake_frames")) {
        properties::frames(&file);
    }

    #[test]
    fn any_small_change_to_a_syslog_head_keeps_the_properties(file in changed("intake_syslog_header")) {
        properties::syslog_header(&file);
    }

    #[test]
    fn any_small_change_to_a_certificate_keeps_the_properties(file in changed("intake_certificate")) {
        properties::certificate(&file);
    }

    #[test]
    fn any_small_change_to_places_keeps_the_properties(file in changed("intake_file_places")) {
        properties::file_places(&file);
    }
}
