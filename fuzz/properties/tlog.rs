//! What holds for any bytes given to the parsers of `tlog`. The fuzz targets call these, and so does
//! `crates/tlog/tests/corpus.rs` with the checked-in corpus.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

use tlog::cosignature::{CosignerKey, open_cosignatures};
use tlog::tile::{decode_bundle, decode_hashes, encode_bundle, encode_hashes};
use tlog::{Checkpoint, ConsistencyClaim, Hash, InclusionClaim, SignedNote, TileId, TlogProof, TreeSize, VerifierKey, open_checkpoint};

/// The keys that signed `fuzz/corpus/tlog_note/cosigned`.
pub const LOG: &str = "example.com/log+9be5d3c6+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
pub const WITNESS: &str = "witness.example/w1+df1c0a35+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU";

/// A note is read or refused; what is read is written back as it was; nothing unsigned opens.
pub fn note(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        assert!(SignedNote::from_bytes(bytes).is_err());
        return;
    };
    let keys: Vec<VerifierKey> = LOG.parse().into_iter().collect();
    let witnesses: Vec<CosignerKey> = WITNESS.parse().into_iter().collect();
    let _ = open_cosignatures(text, &witnesses);
    if let Ok(opened) = open_checkpoint(text, &keys) {
        assert!(text.starts_with(&(opened.checkpoint.body() + "\n")));
    }
    if let Ok(note) = SignedNote::from_bytes(bytes) {
        assert_eq!(note.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse_body(text) {
        assert_eq!(checkpoint.body(), text);
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<CosignerKey>() {
        assert_eq!(key.to_string(), text);
    }
}

/// A proof file is read or refused; what is read is written back as it was, and verifying it ends.
pub fn proof(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(proof) = text.parse::<TlogProof>() else {
        return;
    };
    assert_eq!(proof.to_string(), text);
    let (leaf, root) = (Hash::leaf(text.as_bytes()), Hash::empty_root());
    for size in [0, 1, proof.index.0, u64::MAX].map(TreeSize) {
        let claim = InclusionClaim { index: proof.index, size, leaf, root };
        assert!(claim.verify(&proof.hashes).is_err());
        let old = TreeSize(proof.index.0);
        let claim = ConsistencyClaim { old, new: size, old_root: leaf, new_root: root };
        assert!(claim.verify(&proof.hashes).is_err());
    }
}

/// A tile's path or bytes are read or refused; what is read is written back as it was.
pub fn tile(bytes: &[u8]) {
    if let Some(id) = std::str::from_utf8(bytes).ok().and_then(|path| path.parse::<TileId>().ok()) {
        assert_eq!(id.to_string().as_bytes(), bytes);
        let _ = id.is_in(TreeSize(u64::MAX));
    }
    if let Ok(hashes) = decode_hashes(bytes) {
        assert_eq!(encode_hashes(&hashes), bytes);
    }
    // Two bytes of width, then a bundle.
    if let Some((width, bundle)) = bytes.split_first_chunk::<2>()
        && let Ok(entries) = decode_bundle(bundle, u16::from_be_bytes(*width))
    {
        assert_eq!(encode_bundle(entries), Ok(bundle.to_vec()));
    }
}
