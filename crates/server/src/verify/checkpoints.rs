//! Signed tree heads outside the chunks: kept ones, the one beside the log, the one the caller
//! holds; and all of them against the tree.

use std::collections::{BTreeMap, BTreeSet};

use evidence::act::KeptCheckpoint;
use evidence::fold::TrailState;
use tlog::Hash;

use super::Run;
use super::chain::Chain;
use super::keys::{HeadSource, Keys, SignedHeads, parse};
use super::report::{Finding, Verdict};
use super::snapshot::Snapshot;
use super::tree::Tree;
use crate::store::layout;

/// How far the checkpoint beside the log may lie behind the newest entry, in ms of receive time. It
/// is written every second while entries come in; ten forgive a slow disk.
const BESIDE_BEHIND_MAX_MS: u64 = 10_000;

/// Size and hash in the name of a kept checkpoint.
fn parse_name(path: &str) -> Option<KeptCheckpoint> {
    let (size, hash) = path.strip_prefix("checkpoints/")?.split_once('/')?;
    let sha256 = tlog::canonical::from_hex_exact(hash).ok()?;
    let kept = KeptCheckpoint { size: tlog::canonical::from_decimal(size).ok()?, sha256 };
    (kept.name() == path).then_some(kept)
}

/// Size of the kept checkpoint with this path, if it is the path of one.
pub(super) fn kept_size(path: &str) -> Option<u64> {
    Some(parse_name(path)?.size)
}

/// Opens every kept checkpoint; says which should be there and are not.
pub(super) fn kept(
    run: &Run<'_>,
    snapshot: &Snapshot,
    state: Option<&TrailState>,
    keys: &Keys,
    heads: &mut SignedHeads,
    findings: &mut Vec<Finding>,
) {
    let mut found = BTreeSet::new();
    for path in snapshot.files.iter().filter(|path| path.starts_with("checkpoints/")) {
        let Some(name) = parse_name(path) else { continue };
        match open_kept(run, keys, &name, path) {
            Ok(Some(signed)) => {
                found.insert(name.size);
                heads.add(signed, HeadSource::File(path.clone()));
            }
            Ok(None) => {
                found.insert(name.size);
            }
            Err((verdict, why)) => {
                found.insert(name.size);
                findings.push(Finding::new(verdict, why).in_file(path));
            }
        }
    }
    let Some(state) = state else { return };
    for seal in &state.seals {
        let path = seal.checkpoint.name();
        if !snapshot.files.contains(&path) {
            let text = "the checkpoint that was kept when the segment was sealed is gone";
            findings.push(Finding::new(Verdict::Missing, text).in_file(path).in_segment(seal.segment));
        }
    }
    for rotation in &state.rotations {
        let size = rotation.index.saturating_add(1);
        if !found.contains(&size) {
            let text = "the last checkpoint that the old key signed before a rotation is gone";
            let path = format!("{}/{size}", layout::CHECKPOINTS);
            findings.push(Finding::new(Verdict::Missing, text).in_file(path));
        }
    }
}

type Problem = (Verdict, String);

fn open_kept(run: &Run<'_>, keys: &Keys, name: &KeptCheckpoint, path: &str) -> Result<Option<super::keys::Signed>, Problem> {
    let bytes = run.read(path)?;
    let tampered = |why: String| (Verdict::Tampered, why);
    if tlog::sha256(&[&bytes]) != name.sha256 {
        return Err(tampered("its SHA-256 is not the one in its name".into()));
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let signed = keys.open(&bytes).map_err(|why| tampered(format!("the checkpoint does not hold: {why}")))?;
    if signed.size == name.size {
        return Ok(Some(signed));
    }
    Err(tampered(format!("it is of {} entries, its name says {}", signed.size, name.size)))
}

/// The checkpoint beside the log and the one that the caller holds.
pub(super) fn beside_and_given(run: &Run<'_>, snapshot: &Snapshot, keys: &Keys, heads: &mut SignedHeads, findings: &mut Vec<Finding>) {
    if keys.is_empty() {
        return;
    }
    match &snapshot.beside {
        None => {
            let text = "the checkpoint beside the log is gone; a server writes it anew when it starts";
            findings.push(Finding::new(Verdict::Missing, text).in_file(layout::CHECKPOINT));
        }
        Some(bytes) => match keys.open(bytes) {
            Ok(signed) => heads.add(signed, HeadSource::File(layout::CHECKPOINT.into())),
            Err(why) => {
                let text = format!("the checkpoint beside the log does not hold: {why}");
                findings.push(Finding::new(Verdict::Tampered, text).in_file(layout::CHECKPOINT));
            }
        },
    }
    let Some(given) = &run.options.from_checkpoint else { return };
    match keys.open(given.as_bytes()) {
        Ok(signed) => heads.add(signed, HeadSource::Given),
        Err(why) => heads.not_opened = Some((given.clone(), why)),
    }
}

/// Holds every signed tree head against the tree. Gives the sizes of those that are good, with the
/// note of the largest.
pub(super) fn compare(heads: &SignedHeads, tree: &Tree, chain: &Chain, findings: &mut Vec<Finding>) -> (BTreeSet<u64>, Option<String>) {
    let mut roots: BTreeMap<u64, Hash> = tree.roots().collect();
    roots.extend(&chain.roots);
    let (mut good, mut note) = (BTreeSet::new(), None);
    // One wrong root below makes all above it wrong: the first says where.
    let mut is_broken = false;
    for (signed, source) in heads.iter() {
        let last_good = good.last().copied().unwrap_or(0);
        match roots.get(&signed.size) {
            _ if signed.size > chain.size => findings.push(behind(signed.size, chain.size, source)),
            Some(root) if *root == signed.root => {
                good.insert(signed.size);
                note = Some(signed.note.clone());
            }
            Some(_) if !is_broken || *source == HeadSource::Given => {
                is_broken = true;
                findings.push(other_root(signed.size, last_good, source));
            }
            // Not a size at which the tree was computed, or it could not be: that is reported.
            Some(_) => {}
            None if *source == HeadSource::Given && chain.frontier.is_some() => {
                let text = "the given checkpoint is of a size at which this log never signed";
                findings.push(Finding::new(Verdict::Tampered, text).within(last_good, signed.size, None));
            }
            None => {}
        }
    }
    if let Some((given, why)) = &heads.not_opened {
        findings.push(not_opened(given, why, chain.size));
    }
    (good, note)
}

/// A given checkpoint that no key of this directory signed. If it is of this log, the directory may
/// be from before a rotation.
fn not_opened(given: &str, why: &str, size: u64) -> Finding {
    let known = parse(given.as_bytes()).map(|(_, checkpoint)| checkpoint.size.0).unwrap_or(0);
    if known > size {
        let text = format!(
            "the directory holds {size} entries, the given checkpoint has {known}, and no key known here signed it ({why}): \
             the directory was rolled back to before its key was rotated, or is of another log"
        );
        return Finding::new(Verdict::Behind, text).at(size, Some(known));
    }
    let text = format!("the given checkpoint is not one of the log in this directory: {why}");
    Finding::new(Verdict::Tampered, text).within(0, known, None)
}

fn named(finding: Finding, source: &HeadSource) -> Finding {
    match source {
        HeadSource::Given => finding,
        HeadSource::File(path) | HeadSource::Chunk(path) => finding.in_file(path),
    }
}

const fn words(source: &HeadSource) -> &'static str {
    match source {
        HeadSource::Given => "the given checkpoint",
        HeadSource::File(_) => "this checkpoint",
        HeadSource::Chunk(_) => "the checkpoint that a chunk carries",
    }
}

fn behind(known: u64, size: u64, source: &HeadSource) -> Finding {
    let text = format!("the directory holds {size} entries, {} has {known}: it was rolled back or cut", words(source));
    named(Finding::new(Verdict::Behind, text), source).at(size, Some(known))
}

fn other_root(size: u64, last_good: u64, source: &HeadSource) -> Finding {
    let text = format!("the tree of the first {size} entries has another root than {}", words(source));
    // The head itself is signed, so it is not what was altered.
    named(Finding::new(Verdict::Tampered, text), source).within(last_good, size, Some(last_good))
}

/// Whether the checkpoint beside the log is older than it can be: an older copy was put back.
pub(super) fn stale_beside(heads: &SignedHeads, tree: &Tree, chain: &Chain) -> Option<Finding> {
    let beside = heads.iter().find(|(_, source)| *source == HeadSource::File(layout::CHECKPOINT.into()));
    let size = beside?.0.size;
    if size >= chain.size {
        return None;
    }
    let in_chunk = chain.times.range(..=size).next_back().map(|(_, time)| *time);
    let first_uncovered = tree.time_behind.get(&size).copied().or(in_chunk)?;
    let behind_ms = chain.newest.saturating_sub(first_uncovered);
    (behind_ms > BESIDE_BEHIND_MAX_MS).then(|| {
        let text = format!(
            "the checkpoint beside the log has {size} entries, yet entries received {} s before the newest are not in it: \
             an older copy was put back, or the server could not write it",
            behind_ms / 1000
        );
        Finding::new(Verdict::Behind, text).in_file(layout::CHECKPOINT)
    })
}
