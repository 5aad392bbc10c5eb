//! Published vectors: the proof cases of transparency-dev/merkle and a small log of Tessera.
//!
//! They lie outside the repository: `INDELIBLE_SHARED` names the directory that has `vectors/`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tlog::tile::{TileKind, decode_bundle, decode_hashes, encode_bundle, encode_hashes, partial_width};
use tlog::{
    ConsistencyClaim, Frontier, Hash, InclusionClaim, LeafIndex, TileId, TlogProof, TreeSize, VerifierKey, canonical, open_checkpoint,
    prove, sha256,
};

const TESSERA_VKEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

/// The directory of vectors, or `None` after saying that the test was not run.
fn vectors(name: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        println!("not run: INDELIBLE_SHARED is not set");
        return None;
    };
    Some(Path::new(&shared).join("vectors").join(name))
}

/// Every JSON file below a directory, with its path for messages.
fn cases<T: DeserializeOwned>(directory: &Path) -> Vec<(PathBuf, T)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(cases(&path));
        } else {
            let case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            found.push((path, case));
        }
    }
    found
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InclusionCase {
    leaf_idx: u64,
    tree_size: u64,
    root: Option<String>,
    leaf_hash: Option<String>,
    proof: Option<Vec<String>>,
    #[serde(rename = "desc")]
    _desc: String,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ConsistencyCase {
    size1: u64,
    size2: u64,
    root1: Option<String>,
    root2: Option<String>,
    proof: Option<Vec<String>>,
    #[serde(rename = "desc")]
    _desc: String,
    want_err: bool,
}

/// A value of a case as a hash. Some cases say "dont care 1" where the library they were made for
/// compares any bytes: those stand for a hash, the same for the same bytes. Nothing at all, and what
/// is not base64, is no hash: our parsers refuse it before any proof is looked at.
fn hash(base64: Option<&str>) -> Option<Hash> {
    let bytes = canonical::from_base64(base64?).ok()?;
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(hash) => Some(Hash(hash)),
        Err(_) if bytes.is_empty() => None,
        Err(_) => Some(Hash(sha256(&[&bytes]))),
    }
}

/// The hashes of a proof; here only 32 bytes are a hash.
fn proof(lines: Option<&Vec<String>>) -> Option<Vec<Hash>> {
    lines.into_iter().flatten().map(|line| line.parse().ok()).collect()
}

fn inclusion_holds(case: &InclusionCase) -> Option<bool> {
    let claim = InclusionClaim {
        index: LeafIndex(case.leaf_idx),
        size: TreeSize(case.tree_size),
        leaf: hash(case.leaf_hash.as_deref())?,
        root: hash(case.root.as_deref())?,
    };
    Some(claim.verify(&proof(case.proof.as_ref())?).is_ok())
}

fn consistency_holds(case: &ConsistencyCase) -> Option<bool> {
    let claim = ConsistencyClaim {
        old: TreeSize(case.size1),
        new: TreeSize(case.size2),
        old_root: hash(case.root1.as_deref())?,
        new_root: hash(case.root2.as_deref())?,
    };
    Some(claim.verify(&proof(case.proof.as_ref())?).is_ok())
}

#[test]
fn every_published_inclusion_case_gets_its_published_answer() {
    let Some(directory) = vectors("rfc6962-inclusion") else {
        return;
    };
    let cases = cases::<InclusionCase>(&directory);
    assert!(cases.len() >= 90, "only {} cases", cases.len());
    for (path, case) in &cases {
        let holds = inclusion_holds(case).unwrap_or(false);
        assert_eq!(holds, !case.want_err, "{}", path.display());
    }
}

#[test]
fn every_published_consistency_case_gets_its_published_answer() {
    let Some(directory) = vectors("rfc6962-consistency") else {
        return;
    };
    let cases = cases::<ConsistencyCase>(&directory);
    assert!(cases.len() >= 90, "only {} cases", cases.len());
    for (path, case) in &cases {
        let holds = consistency_holds(case).unwrap_or(false);
        assert_eq!(holds, !case.want_err, "{}", path.display());
    }
}

/// The one convention in which libraries differ, `sizes-are-equal-zero-and-proof-is-empty`: the
/// published answer is an error whatever the roots. We answer the same for the roots it gives, which
/// no empty tree has, but hold that the empty tree extends itself when its root is the one it has.
#[test]
fn the_empty_tree_extends_itself_only_with_the_root_it_has() {
    let Some(directory) = vectors("rfc6962-consistency") else {
        return;
    };
    let path = directory.join("additional/sizes-are-equal-zero-and-proof-is-empty.json");
    let case: ConsistencyCase = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert!(case.want_err);
    assert_eq!(consistency_holds(&case), Some(false));
    let empty = Some(Hash::empty_root().to_string());
    let genuine = ConsistencyCase { root1: empty.clone(), root2: empty, ..case };
    assert_eq!(consistency_holds(&genuine), Some(true));
}

/// Reads a file of the log.
fn read(log: &Path, name: &str) -> Vec<u8> {
    fs::read(log.join(name)).unwrap()
}

/// The leaf hashes of the log's first `width` entries, from the bundle of that width.
fn leaves_from_bundle(log: &Path, width: u16) -> Vec<Hash> {
    let id = TileId { kind: TileKind::Entries, n: 0, width };
    let bytes = read(log, &format!("tile/{id}"));
    let entries = decode_bundle(&bytes, width).unwrap();
    assert_eq!(encode_bundle(entries.iter().copied()).unwrap(), bytes, "bundle of {width}");
    entries.into_iter().map(Hash::leaf).collect()
}

#[test]
fn the_tessera_log_is_ours_to_the_byte_at_every_size() {
    let Some(log) = vectors("tessera-log") else {
        return;
    };
    let key: VerifierKey = TESSERA_VKEY.parse().unwrap();
    for size in 0..=15_u16 {
        let note = String::from_utf8(read(&log, &format!("checkpoint.{size}"))).unwrap();
        let opened = open_checkpoint(&note, std::slice::from_ref(&key)).unwrap();
        assert_eq!(opened.checkpoint.size, TreeSize(size.into()));
        assert_eq!(note.split_once("\n\n").unwrap().0.to_owned() + "\n", opened.checkpoint.body());

        let width = partial_width(opened.checkpoint.size, 0);
        assert_eq!(width, size);
        let leaves = if width == 0 { Vec::new() } else { leaves_from_bundle(&log, width) };
        let mut tree = Frontier::new();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        assert_eq!(tree.size(), opened.checkpoint.size);
        assert_eq!(tree.root(), opened.checkpoint.root, "root at size {size}");
        if width > 0 {
            let id = TileId { kind: TileKind::Hashes(0), n: 0, width };
            let tile = read(&log, &format!("tile/{id}"));
            assert_eq!(encode_hashes(&leaves), tile, "tile of width {width}");
            assert_eq!(decode_hashes(&tile).unwrap(), leaves);
        }
    }
    assert_eq!(read(&log, "checkpoint"), read(&log, "checkpoint.15"));
}

#[test]
fn proofs_from_the_tessera_log_lead_to_its_signed_roots() {
    let Some(log) = vectors("tessera-log") else {
        return;
    };
    let key: VerifierKey = TESSERA_VKEY.parse().unwrap();
    let leaves = leaves_from_bundle(&log, 15);
    let nodes = |level: u8, index: u64| -> Result<Hash, Infallible> {
        let start = (index as usize) << level;
        Ok(tlog::tile::subtree_root(&leaves[start..start + (1 << level)]).unwrap())
    };
    let signed_root = |size: u64| {
        let note = String::from_utf8(read(&log, &format!("checkpoint.{size}"))).unwrap();
        open_checkpoint(&note, std::slice::from_ref(&key)).unwrap().checkpoint.root
    };
    for n in 1..=15 {
        let (size, root) = (TreeSize(n), signed_root(n));
        for m in 0..n {
            let index = LeafIndex(m);
            let proof = prove::inclusion(&nodes, index, size).unwrap();
            let claim = InclusionClaim { index, size, leaf: leaves[m as usize], root };
            assert_eq!(claim.verify(&proof), Ok(()), "leaf {m} of {n}");
            let old = TreeSize(m + 1);
            let proof = prove::consistency(&nodes, old, size).unwrap();
            let claim = ConsistencyClaim { old, new: size, old_root: signed_root(m + 1), new_root: root };
            assert_eq!(claim.verify(&proof), Ok(()), "{old} to {n}");
        }
    }
}

#[derive(Deserialize)]
struct EventFileCase {
    name: String,
    vkey: String,
    event: String,
    holds: bool,
}

#[derive(Deserialize)]
struct EventFile {
    leaf: String,
    proof: String,
}

/// The event files come from an implementation that shares no code with this one. Of those that hold
/// and whose checkpoint the pinned key signed, the proof alone must lead from leaf to root.
#[test]
fn the_proof_in_every_event_file_that_holds_leads_to_its_signed_root() {
    let Some(path) = vectors("event-files-v1.json") else {
        return;
    };
    let cases: Vec<EventFileCase> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut led = 0;
    for case in cases.iter().filter(|case| case.holds) {
        let file: EventFile = serde_json::from_str(&case.event).unwrap();
        let proof: TlogProof = file.proof.parse().unwrap();
        assert_eq!(proof.to_string(), file.proof, "{}", case.name);
        let Ok(opened) = open_checkpoint(&proof.checkpoint, &[case.vkey.parse().unwrap()]) else {
            continue; // signed by a later key: what a rotation means is not this crate's to say
        };
        let claim = InclusionClaim {
            index: proof.index,
            size: opened.checkpoint.size,
            leaf: Hash::leaf(&canonical::from_base64(&file.leaf).unwrap()),
            root: opened.checkpoint.root,
        };
        assert_eq!(claim.verify(&proof.hashes), Ok(()), "{}", case.name);
        led += 1;
    }
    assert!(led >= 5, "only {led} files");
}
