//! One segment: its leaves, its tile and its payload files against each other. Which of them is
//! right when they differ is not decided here but where the signed root is known (`tree`).

use std::collections::BTreeMap;

use evidence::leaf::{Kind, LEAF_BYTES, Leaf};
use tlog::tile::{decode_hashes, subtree_root};
use tlog::{Frontier, Hash};

use super::Run;
use super::acts::Folded;
use super::payload::{self, Checked, Expected, Leaves};
use super::report::Verdict;
use super::rows;
use crate::store::leaves_file::BUNDLE_LEAVES;

/// Bytes of an entry in a leaves file: its length and the leaf.
const ENTRY_BYTES: usize = 2 + LEAF_BYTES;

/// A file and the SHA-256 that an act recorded for it; none where acts are missing.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub path: String,
    pub sha256: Option<[u8; 32]>,
}

/// What a segment must consist of.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub segment: u64,
    /// First index.
    pub start: u64,
    /// The index behind the last leaf in the leaves file.
    pub end: u64,
    /// The leaves file; none when all leaves of the segment are in chunks.
    pub leaves: Option<Recorded>,
    pub tile: Option<Recorded>,
    pub files: Vec<Expected>,
    /// Indexes below this stand in payload files.
    pub covered_to: u64,
    /// Leaves behind those in the leaves file, from chunks.
    pub more: Vec<[u8; LEAF_BYTES]>,
    /// Indexes of the acts in the segment.
    pub acts: Vec<u64>,
    /// Tree sizes whose roots are wanted.
    pub sizes: Vec<u64>,
}

/// What a file of the tree turned out to be.
#[derive(Default)]
pub(super) struct TreeFile {
    /// Gone, unreadable, not the recorded one, or malformed.
    pub problem: Option<(Verdict, String)>,
    /// Index at which its form is wrong.
    pub malformed_at: Option<u64>,
}

/// The same leaves, as a tree: complete subtrees for each wanted size, largest first.
pub(super) type Subtrees = BTreeMap<u64, Vec<Hash>>;

/// Everything that reading the segment brought to light.
pub(super) struct Outcome {
    pub plan: Plan,
    pub leaves_file: TreeFile,
    pub tile_file: TreeFile,
    pub files: Vec<Checked>,
    /// By the leaves file; none when it is gone or has another number of leaves.
    pub by_leaves: Option<Subtrees>,
    /// By the leaves file with the commitments that differing rows hash to.
    pub by_rows: Option<Subtrees>,
    /// By the tile: only the segment's root.
    pub by_tile: Option<Subtrees>,
    /// Bundles in which leaves and tile differ.
    pub bundles_differ: Vec<u64>,
    /// First leaf that no honest log would have: a rule and an index.
    pub odd_leaf: Option<(u64, String)>,
    /// Receive times of the first and last leaf.
    pub times: Option<(u64, u64)>,
    /// Receive time of the leaf behind each wanted size.
    pub time_behind: BTreeMap<u64, u64>,
    /// Indexes below `covered_to` without a row, by class.
    pub without_row: BTreeMap<u16, Vec<u64>>,
}

pub(super) fn check(run: &Run<'_>, folded: &Folded, plan: Plan) -> Outcome {
    let state = folded.state.as_ref();
    let (leaves_file, mut leaves) = read_leaves(run, &plan);
    let in_file = leaves.all.len();
    let expected = plan.end.saturating_sub(plan.start);
    let by_leaves = (in_file as u64 == expected).then(|| grow(plan.start, &leaves.all, &plan.sizes));
    let (tile_file, tile) = read_tile(run, &plan);
    if by_leaves.is_some() {
        leaves.all.extend_from_slice(&plan.more);
    }
    let mut seen = vec![false; leaves.all.len()];
    let files = plan.files.iter().map(|file| payload::check(run, state, file.clone(), folded.files.get(&file.path), &leaves, &mut seen));
    let files: Vec<Checked> = files.collect();
    let by_rows = by_leaves.as_ref().and_then(|_| repaired(&plan, &leaves, in_file, &files));
    let (odd_leaf, times) = examine(&plan, &leaves);
    let time_behind = plan.sizes.iter().filter_map(|size| Some((*size, time_of(&leaves, *size)?))).collect();
    let bundles_differ = match (&by_leaves, &tile) {
        (Some((_, bundles)), Some(tile)) => {
            (0..).zip(bundles.iter().zip(tile)).filter_map(|(number, (ours, theirs))| (ours != theirs).then_some(number)).collect()
        }
        _ => Vec::new(),
    };
    let by_tile = tile.and_then(|tile| Some(Subtrees::from([(plan.end, vec![subtree_root(&tile).ok()?])])));
    let without_row = without_row(&plan, &leaves, &seen, &files);
    Outcome {
        leaves_file,
        tile_file,
        files,
        by_leaves: by_leaves.map(|(subtrees, _)| subtrees),
        by_rows,
        by_tile,
        bundles_differ,
        odd_leaf,
        times,
        time_behind,
        without_row,
        plan,
    }
}

/// Reads the leaves file, taking from a damaged one what can be taken.
fn read_leaves(run: &Run<'_>, plan: &Plan) -> (TreeFile, Leaves) {
    let mut file = TreeFile::default();
    let mut leaves = Leaves { first: plan.start, all: Vec::new() };
    let Some(recorded) = &plan.leaves else { return (file, leaves) };
    let bytes = match read_recorded(run, recorded, &mut file) {
        Some(bytes) => bytes,
        None => return (file, leaves),
    };
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    for (index, [high, low, leaf @ ..]) in (plan.start..).zip(entries) {
        if usize::from(u16::from_be_bytes([*high, *low])) != LEAF_BYTES {
            file.malformed_at.get_or_insert(index);
        }
        leaves.all.push(*leaf);
    }
    let expected = plan.end.saturating_sub(plan.start);
    if !rest.is_empty() || entries.len() as u64 != expected {
        file.malformed_at.get_or_insert(plan.start.saturating_add(expected.min(entries.len() as u64)));
        let text = format!("it holds {} leaves where {expected} belong", entries.len());
        file.problem.get_or_insert((Verdict::Tampered, text));
    } else if file.malformed_at.is_some() {
        file.problem.get_or_insert((Verdict::Tampered, "an entry in it is not 48 bytes long".into()));
    }
    (file, leaves)
}

fn read_tile(run: &Run<'_>, plan: &Plan) -> (TreeFile, Option<Vec<Hash>>) {
    let mut file = TreeFile::default();
    let Some(recorded) = &plan.tile else { return (file, None) };
    let Some(bytes) = read_recorded(run, recorded, &mut file) else { return (file, None) };
    let expected = plan.end.saturating_sub(plan.start) / BUNDLE_LEAVES as u64;
    let hashes = decode_hashes(&bytes).ok().filter(|hashes| hashes.len() as u64 == expected);
    if hashes.is_none() {
        file.problem.get_or_insert((Verdict::Tampered, format!("it does not hold {expected} hashes")));
    }
    (file, hashes)
}

fn read_recorded(run: &Run<'_>, recorded: &Recorded, file: &mut TreeFile) -> Option<Vec<u8>> {
    match run.read(&recorded.path) {
        Ok(bytes) => {
            let differs = recorded.sha256.is_some_and(|sha256| tlog::sha256(&[&bytes]) != sha256);
            if run.options.check_file_hashes && differs {
                file.problem = Some((Verdict::Tampered, "its SHA-256 is not the recorded one".into()));
            }
            Some(bytes)
        }
        Err(problem) => {
            file.problem = Some(problem);
            None
        }
    }
}

/// The complete subtrees over the leaves at each of `sizes`, and the roots of their bundles.
fn grow(start: u64, leaves: &[[u8; LEAF_BYTES]], sizes: &[u64]) -> (Subtrees, Vec<Hash>) {
    let (mut tree, mut subtrees, mut bundles) = (Frontier::new(), Subtrees::new(), Vec::new());
    let mut wanted = sizes.iter().copied().filter(|size| *size > start).peekable();
    let mut hashes = Vec::with_capacity(BUNDLE_LEAVES);
    for bundle in leaves.chunks(BUNDLE_LEAVES) {
        hashes.clear();
        hashes.extend(bundle.iter().map(|leaf| Hash::leaf(leaf)));
        let before = start.saturating_add(tree.size().0);
        let end = before.saturating_add(hashes.len() as u64);
        while let Some(size) = wanted.next_if(|size| *size < end) {
            let mut inside = tree.clone();
            let count = usize::try_from(size.saturating_sub(before)).unwrap_or(0);
            hashes.iter().take(count).for_each(|hash| inside.push(*hash));
            subtrees.insert(size, inside.hashes().to_vec());
        }
        match subtree_root(&hashes) {
            Ok(root) if hashes.len() == BUNDLE_LEAVES && tree.push_subtree(8, root).is_ok() => bundles.push(root),
            _ => hashes.iter().for_each(|hash| tree.push(*hash)),
        }
        if wanted.next_if(|size| *size == end).is_some() {
            subtrees.insert(end, tree.hashes().to_vec());
        }
    }
    (subtrees, bundles)
}

/// The leaves as the rows would have them, where rows and leaves differ.
fn repaired(plan: &Plan, leaves: &Leaves, in_file: usize, files: &[Checked]) -> Option<Subtrees> {
    let mut all = leaves.all.get(..in_file)?.to_vec();
    let mut changed = false;
    for disagreement in files.iter().flat_map(|file| &file.disagreements) {
        let at = usize::try_from(disagreement.index.checked_sub(plan.start)?).ok()?;
        if let (Some(leaf), Some(commitment)) = (all.get_mut(at), disagreement.commitment) {
            leaf.split_at_mut(LEAF_BYTES - 32).1.copy_from_slice(&commitment);
            changed = true;
        }
    }
    changed.then(|| grow(plan.start, &all, &plan.sizes).0)
}

fn time_of(leaves: &Leaves, index: u64) -> Option<u64> {
    let at = usize::try_from(index.checked_sub(leaves.first)?).ok()?;
    Some(Leaf::decode(leaves.all.get(at)?).ok()?.received_at)
}

type OddLeaf = Option<(u64, String)>;

/// Looks for leaves that no honest log has: unreadable, of an impossible class, received before the
/// one below, or acts where no act was found (and the reverse).
fn examine(plan: &Plan, leaves: &Leaves) -> (OddLeaf, Option<(u64, u64)>) {
    let mut odd: OddLeaf = None;
    let mut times: Option<(u64, u64)> = None;
    let mut acts = plan.acts.iter().copied().peekable();
    for (index, bytes) in (leaves.first..).zip(&leaves.all) {
        let is_act = acts.next_if(|act| *act == index).is_some();
        let leaf = match Leaf::decode(bytes) {
            Ok(leaf) => leaf,
            Err(why) => {
                odd.get_or_insert((index, why.to_string()));
                continue;
            }
        };
        let (first, last) = times.unwrap_or((leaf.received_at, leaf.received_at));
        if leaf.received_at < last {
            odd.get_or_insert((index, "the leaf was received before the one below it".into()));
        } else if let Err(why) = rows::check_leaf(&leaf) {
            odd.get_or_insert((index, format!("the leaf is impossible: {why}")));
        } else if is_act != (leaf.kind == Kind::Act) {
            odd.get_or_insert((index, "the leaf and the acts disagree whether an act stands here".into()));
        }
        times = Some((first, leaf.received_at.max(last)));
    }
    (odd, times)
}

/// Indexes that stand in no row, though they should; files that could not be read excuse theirs.
fn without_row(plan: &Plan, leaves: &Leaves, seen: &[bool], files: &[Checked]) -> BTreeMap<u16, Vec<u64>> {
    let mut missing: BTreeMap<u16, Vec<u64>> = BTreeMap::new();
    for ((index, leaf), seen) in (leaves.first..plan.covered_to).zip(&leaves.all).zip(seen) {
        if *seen {
            continue;
        }
        let class = Leaf::decode(leaf).map_or(0, |leaf| leaf.class);
        let excused = files.iter().any(|checked| {
            let file = &checked.file;
            !checked.is_whole && file.class == class && (file.first..file.end()).contains(&index)
        });
        if !excused {
            missing.entry(class).or_default().push(index);
        }
    }
    missing
}
