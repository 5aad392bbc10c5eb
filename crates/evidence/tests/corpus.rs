//! The fuzz corpus as an ordinary test: every file as it is, and thousands of small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../../fuzz/properties/evidence.rs"]
mod properties;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

type Property = fn(&[u8]);

/// Each target with what it tries.
const TARGETS: [(&str, Property); 6] = [
    ("evidence_event_file", properties::event_file),
    ("evidence_file", properties::evidence_file),
    ("evidence_receipt", properties::receipt),
    ("evidence_act", properties::act),
    ("evidence_cut", properties::raw),
    ("evidence_export", properties::export),
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "the corpus of {target} is missing");
    files.into_iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn the_whole_corpus_keeps_the_properties() {
    for (target, property) in TARGETS {
        corpus(target).iter().for_each(|file| property(file));
    }
    let key = properties::LOG.parse().unwrap();
    let whole = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/evidence_event_file/whole"));
    evidence::EventFile::parse(&whole.unwrap()).unwrap().verify(&key, &[]).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_file_keeps_the_properties(target in 0..TARGETS.len(), file: Index, at: Index, removed in 0usize..4,
        inserted in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}[]\",:\\ \n0123nul=+/".to_vec())], 0..4)) {
        let (target, property) = TARGETS[target];
        let files = corpus(target);
        let mut bytes = files[file.index(files.len())].clone();
        let start = at.index(bytes.len() + 1);
        let end = (start + removed).min(bytes.len());
        bytes.splice(start..end, inserted);
        property(&bytes);
    }

    #[test]
    fn any_bytes_keep_the_properties(bytes: Vec<u8>, text: String) {
        for (_, property) in TARGETS {
            property(&bytes);
            property(text.as_bytes());
        }
    }
}
