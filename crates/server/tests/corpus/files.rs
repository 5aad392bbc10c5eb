//! Files of a fuzz corpus, and small changes to them.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes that tell JSON, text and compressed bodies what they are.
pub const TELLING: &[u8] = b"{}[],:\"\\ \n\r\t0123456789-.eu\0\xef\xbb\xbf\x1f\x8b\x28\xb5\x2f\xfd";

/// Every file of the target's corpus, in the order of their names.
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(directory).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 7, "the corpus of {target} is missing");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Any file of the corpus with a few bytes replaced, cut out or put in, mostly of those in `telling`.
pub fn changed(target: &'static str, telling: &[u8]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(telling.to_vec())];
    let change = (any::<Index>(), 0_usize..4, prop::collection::vec(byte, 0..4));
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
