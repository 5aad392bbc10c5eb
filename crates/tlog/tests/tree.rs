//! The tree against the definitions of RFC 6962: growing it, proving from it, refusing what is false.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

#[path = "tree/naive.rs"]
mod naive;

use std::convert::Infallible;

use proptest::prelude::*;
use tlog::prove::{self, Nodes, ProveError};
use tlog::tile::subtree_root;
use tlog::tree::{Misaligned, TREE_SIZE_MAX};
use tlog::verify::VerifyError;
use tlog::{ConsistencyClaim, Frontier, Hash, InclusionClaim, LeafIndex, TreeSize};

/// Every size up to here is tried with every index and every older size: past two full bytes of
/// size bits and on both sides of 2^7.
const EXHAUSTIVE_SIZE: usize = 130;

fn leaves(count: usize) -> Vec<Hash> {
    (0..count as u64).map(|i| Hash::leaf(&i.to_be_bytes())).collect()
}

fn frontier(leaves: &[Hash]) -> Frontier {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    frontier
}

fn size(n: usize) -> TreeSize {
    TreeSize(n as u64)
}

/// Complete subtrees out of a slice of leaf hashes.
struct Slice<'a>(&'a [Hash]);

impl Nodes for Slice<'_> {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let start = (index as usize) << level;
        Ok(subtree_root(&self.0[start..start + (1 << level)]).unwrap())
    }
}

/// Every way to spoil a proof a little: each hash altered, left out or doubled; two swapped.
fn spoiled(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for i in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[i].0[i % 32] ^= 0x10;
        let mut without = proof.to_vec();
        without.remove(i);
        let mut doubled = proof.to_vec();
        doubled.insert(i, proof[i]);
        all.extend([flipped, without, doubled]);
        if i > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(i - 1, i);
            all.push(swapped);
        }
    }
    let mut longer = proof.to_vec();
    longer.push(Hash([0; 32]));
    all.push(longer);
    all
}

#[test]
fn growing_leaf_by_leaf_gives_the_naive_root_at_every_size() {
    let leaves = leaves(1025);
    let mut grown = Frontier::new();
    assert_eq!(grown.root(), Hash::empty_root());
    for (i, leaf) in leaves.iter().enumerate() {
        grown.push(*leaf);
        let so_far = &leaves[..=i];
        assert_eq!(grown.size(), size(i + 1));
        assert_eq!(grown.root(), naive::root(so_far));
        assert_eq!(grown.hashes().len(), (i + 1).count_ones() as usize);
        assert_eq!(prove::root_at(&Slice(&leaves), size(i + 1)), Ok(grown.root()));
        assert_eq!(Frontier::from_parts(grown.size(), grown.hashes().to_vec()), Ok(grown.clone()));
    }
}

#[test]
fn every_inclusion_proof_is_the_naive_one_and_holds_and_no_spoiled_one_does() {
    let all = leaves(EXHAUSTIVE_SIZE);
    for n in 1..=EXHAUSTIVE_SIZE {
        let (tree, root) = (&all[..n], naive::root(&all[..n]));
        for m in 0..n {
            let index = LeafIndex(m as u64);
            let proof = prove::inclusion(&Slice(&all), index, size(n)).unwrap();
            assert_eq!(proof, naive::path(m, tree), "leaf {m} of {n}");
            let claim = InclusionClaim { index, size: size(n), leaf: all[m], root };
            assert_eq!(claim.verify(&proof), Ok(()), "leaf {m} of {n}");
            for false_proof in spoiled(&proof) {
                assert!(claim.verify(&false_proof).is_err(), "leaf {m} of {n}");
            }
            let elsewhere = InclusionClaim { index: LeafIndex((m as u64) ^ 1), ..claim };
            assert!(n == 1 || elsewhere.verify(&proof).is_err(), "leaf {m} of {n}");
        }
    }
}

#[test]
fn every_consistency_proof_is_the_naive_one_and_holds_and_no_spoiled_one_does() {
    let all = leaves(EXHAUSTIVE_SIZE);
    let roots: Vec<Hash> = (0..=EXHAUSTIVE_SIZE).map(|n| naive::root(&all[..n])).collect();
    for n in 1..=EXHAUSTIVE_SIZE {
        for m in 1..=n {
            let proof = prove::consistency(&Slice(&all), size(m), size(n)).unwrap();
            assert_eq!(proof, naive::proof(m, &all[..n]), "{m} to {n}");
            let claim = ConsistencyClaim { old: size(m), new: size(n), old_root: roots[m], new_root: roots[n] };
            assert_eq!(claim.verify(&proof), Ok(()), "{m} to {n}");
            for false_proof in spoiled(&proof) {
                assert!(claim.verify(&false_proof).is_err(), "{m} to {n}");
            }
            let rewritten = ConsistencyClaim { old_root: roots[m - 1], ..claim };
            assert!(rewritten.verify(&proof).is_err(), "{m} to {n}");
            let diverged = ConsistencyClaim { new_root: roots[n - 1], ..claim };
            assert!(diverged.verify(&proof).is_err(), "{m} to {n}");
        }
    }
}

#[test]
fn a_proof_of_an_altered_leaf_is_refused() {
    let all = leaves(9);
    let (index, size) = (LeafIndex(4), size(9));
    let proof = prove::inclusion(&Slice(&all), index, size).unwrap();
    let claim = InclusionClaim { index, size, leaf: Hash::leaf(b"other"), root: naive::root(&all) };
    assert_eq!(claim.verify(&proof), Err(VerifyError::Root));
}

#[test]
fn a_leaf_behind_the_end_has_no_proof() {
    let all = leaves(4);
    let (index, size) = (LeafIndex(4), size(4));
    assert_eq!(prove::inclusion(&Slice(&all), index, size), Err(ProveError::NotInTree { index, size }));
    let claim = InclusionClaim { index, size, leaf: all[3], root: naive::root(&all) };
    assert_eq!(claim.verify(&[]), Err(VerifyError::NotInTree { index, size }));
}

#[test]
fn a_tree_that_shrank_is_refused() {
    let all = leaves(5);
    let (old, new) = (size(5), size(4));
    assert_eq!(prove::consistency(&Slice(&all), old, new), Err(ProveError::Shrinks { old, new }));
    let (old_root, new_root) = (naive::root(&all), naive::root(&all[..4]));
    let claim = ConsistencyClaim { old, new, old_root, new_root };
    assert_eq!(claim.verify(&[]), Err(VerifyError::Shrinks { old, new }));
}

#[test]
fn the_empty_tree_is_consistent_only_with_itself() {
    let all = leaves(1);
    let empty = Hash::empty_root();
    assert_eq!(prove::consistency(&Slice(&all), size(0), size(1)), Ok(vec![]));
    let claim = ConsistencyClaim { old: size(0), new: size(0), old_root: empty, new_root: empty };
    assert_eq!(claim.verify(&[]), Ok(()));
    assert_eq!(claim.verify(&[empty]), Err(VerifyError::Length { got: 1 }));
    let first = ConsistencyClaim { new: size(1), new_root: all[0], ..claim };
    assert_eq!(first.verify(&[]), Err(VerifyError::FromEmpty));
    let not_empty = ConsistencyClaim { old_root: all[0], new_root: all[0], ..claim };
    assert_eq!(not_empty.verify(&[]), Err(VerifyError::OldRoot));
}

#[test]
fn an_error_of_the_store_reaches_the_caller() {
    let broken = |_: u8, _: u64| -> Result<Hash, &str> { Err("disk gone") };
    assert_eq!(prove::inclusion(&broken, LeafIndex(0), size(2)), Err(ProveError::Node("disk gone")));
}

#[test]
fn hashes_of_another_size_make_no_frontier() {
    let parts = frontier(&leaves(6)).hashes().to_vec();
    assert!(Frontier::from_parts(size(6), parts.clone()).is_ok());
    assert!(Frontier::from_parts(size(7), parts.clone()).is_err());
    assert!(Frontier::from_parts(TreeSize(u64::MAX), vec![Hash([0; 32]); 64]).is_err());
    assert!(Frontier::from_parts(size(0), parts).is_err());
}

#[test]
fn a_subtree_in_the_wrong_place_is_refused_and_changes_nothing() {
    let mut tree = frontier(&leaves(2));
    let before = tree.clone();
    for level in [2, 3, 63, 64, 255] {
        let refused = tree.push_subtree(level, Hash([0; 32]));
        assert_eq!(refused, Err(Misaligned { size: size(2), level }));
    }
    assert_eq!(tree, before);
    let mut largest = Frontier::from_parts(TREE_SIZE_MAX, vec![Hash([0; 32])]).unwrap();
    assert!(largest.push_subtree(0, Hash([0; 32])).is_err());
}

/// The tree whose leaves are all alike, of any size: a node depends on its level only.
fn uniform() -> Vec<Hash> {
    let mut levels = vec![Hash::leaf(b"same")];
    for level in 0..63 {
        levels.push(Hash::node(&levels[level], &levels[level]));
    }
    levels
}

proptest! {
    #[test]
    fn a_frontier_grown_by_subtrees_equals_one_grown_by_leaves(
        levels in prop::collection::vec(0_u8..7, 0..40)
    ) {
        let all = leaves(40 << 7);
        let mut tree = Frontier::new();
        for level in levels {
            let start = tree.size().0 as usize;
            let root = subtree_root(&all[start..start + (1 << level)]).unwrap();
            let fits = start.is_multiple_of(1 << level);
            prop_assert_eq!(tree.push_subtree(level, root).is_ok(), fits);
        }
        prop_assert_eq!(&tree, &frontier(&all[..tree.size().0 as usize]));
    }

    #[test]
    fn proofs_of_larger_trees_hold(n in 131_usize..3000, at in any::<prop::sample::Index>()) {
        let all = leaves(n);
        let m = at.index(n);
        let root = frontier(&all).root();
        prop_assert_eq!(root, naive::root(&all));
        let (index, new) = (LeafIndex(m as u64), size(n));
        let proof = prove::inclusion(&Slice(&all), index, new).unwrap();
        let claim = InclusionClaim { index, size: new, leaf: all[m], root };
        prop_assert_eq!(claim.verify(&proof), Ok(()));
        let old = size(m + 1);
        let proof = prove::consistency(&Slice(&all), old, new).unwrap();
        let old_root = naive::root(&all[..=m]);
        let claim = ConsistencyClaim { old, new, old_root, new_root: root };
        prop_assert_eq!(claim.verify(&proof), Ok(()));
    }

    #[test]
    fn proofs_hold_in_trees_too_large_to_exist(n in 1..=TREE_SIZE_MAX.0, m: u64) {
        let levels = uniform();
        let nodes = |level: u8, _: u64| Ok::<_, Infallible>(levels[usize::from(level)]);
        let (index, new) = (LeafIndex(m % n), TreeSize(n));
        let root = prove::root_at(&nodes, new).unwrap();
        let proof = prove::inclusion(&nodes, index, new).unwrap();
        prop_assert!(proof.len() <= tlog::proof::PROOF_HASHES_MAX);
        let claim = InclusionClaim { index, size: new, leaf: levels[0], root };
        prop_assert_eq!(claim.verify(&proof), Ok(()));
        let old = TreeSize(m % n + 1);
        let old_root = prove::root_at(&nodes, old).unwrap();
        let proof = prove::consistency(&nodes, old, new).unwrap();
        let claim = ConsistencyClaim { old, new, old_root, new_root: root };
        prop_assert_eq!(claim.verify(&proof), Ok(()));
    }

    #[test]
    fn no_claim_however_wild_makes_the_verifier_panic(
        a in prop_oneof![any::<u64>(), 0..9_u64, u64::MAX - 9..=u64::MAX],
        b in prop_oneof![any::<u64>(), 0..9_u64, u64::MAX - 9..=u64::MAX],
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Hash> = hashes.into_iter().map(Hash).collect();
        let (leaf, root) = (Hash([1; 32]), Hash([2; 32]));
        let claim = InclusionClaim { index: LeafIndex(a), size: TreeSize(b), leaf, root };
        prop_assert!(claim.verify(&proof).is_err());
        let (old, new) = (TreeSize(a), TreeSize(b));
        let claim = ConsistencyClaim { old, new, old_root: leaf, new_root: root };
        prop_assert!(claim.verify(&proof).is_err());
        let nodes = |_: u8, _: u64| Ok::<_, Infallible>(leaf);
        let _ = prove::inclusion(&nodes, LeafIndex(a), TreeSize(b));
        let _ = prove::consistency(&nodes, TreeSize(a), TreeSize(b));
    }
}
