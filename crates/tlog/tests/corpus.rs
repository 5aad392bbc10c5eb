//! The fuzz corpus as an ordinary test: every file as it is, and thousands of small changes to it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "../../../fuzz/properties/tlog.rs"]
mod properties;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use tlog::cosignature::open_cosignatures;
use tlog::open_checkpoint;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 7, "the corpus of {target} is missing");
    files.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn the_whole_corpus_keeps_the_properties() {
    corpus("tlog_note").iter().for_each(|file| properties::note(file));
    corpus("tlog_proof").iter().for_each(|file| properties::proof(file));
    corpus("tlog_tile").iter().for_each(|file| properties::tile(file));
}

#[test]
fn the_keys_of_the_properties_are_those_of_the_corpus() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/tlog_note");
    let note = fs::read_to_string(directory.join("cosigned")).unwrap();
    assert!(open_checkpoint(&note, &[properties::LOG.parse().unwrap()]).is_ok());
    assert!(open_cosignatures(&note, &[properties::WITNESS.parse().unwrap()]).is_ok());
}

/// One small change to a file: some bytes replaced, cut out or put in.
#[derive(Debug, Clone)]
struct Change {
    at: Index,
    removed: usize,
    inserted: Vec<u8>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let telling = prop_oneof![any::<u8>(), prop::sample::select(b"\n \r\t0123456789=+/-.xp\0\xe2\x80\x94\xff".to_vec()),];
    let change = (any::<Index>(), 0_usize..4, prop::collection::vec(telling, 0..4)).prop_map(|(at, removed, inserted)| Change {
        at,
        removed,
        inserted,
    });
    prop::collection::vec(change, 1..4)
}

fn changed(file: &[u8], changes: Vec<Change>) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for change in changes {
        let start = change.at.index(bytes.len() + 1);
        let end = (start + change.removed).min(bytes.len());
        bytes.splice(start..end, change.inserted);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_note_keeps_the_properties(file: Index, changes in changes()) {
        let corpus = corpus("tlog_note");
        properties::note(&changed(&corpus[file.index(corpus.len())], changes));
    }

    #[test]
    fn a_changed_proof_keeps_the_properties(file: Index, changes in changes()) {
        let corpus = corpus("tlog_proof");
        properties::proof(&changed(&corpus[file.index(corpus.len())], changes));
    }

    #[test]
    fn a_changed_tile_keeps_the_properties(file: Index, changes in changes()) {
        let corpus = corpus("tlog_tile");
        properties::tile(&changed(&corpus[file.index(corpus.len())], changes));
    }

    #[test]
    fn any_bytes_keep_the_properties(bytes: Vec<u8>, text: String) {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            properties::note(bytes);
            properties::proof(bytes);
            properties::tile(bytes);
        }
    }
}
