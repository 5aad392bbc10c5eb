//! The tree that the files make, put together segment by segment, and who is right when they differ.
//!
//! A segment can be read in up to three ways: by its leaves file, by that file with the commitments
//! of rows that differ from it, and by its tile. The one that reproduces the signed root is how the
//! segment was; the others were altered. So one changed file is one finding, and the tree goes on.

use std::collections::BTreeMap;

use tlog::{Frontier, Hash};

use super::keys::SignedHeads;
use super::payload::Checked;
use super::report::{Finding, Verdict};
use super::segment::{Outcome, Subtrees};
use crate::store::leaves_file::BUNDLE_LEAVES;

/// Which reading of a segment is how it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// The leaves file.
    Leaves,
    /// The rows, where they differ from the leaves file.
    Rows,
    /// The tile.
    Tile,
    /// None reproduces what was signed.
    None,
}

/// The tree so far.
#[derive(Default)]
pub(super) struct Tree {
    /// None once something could not be made good.
    frontier: Option<Frontier>,
    /// Frontiers at the wanted sizes.
    at: BTreeMap<u64, Frontier>,
    /// Receive time of the newest leaf.
    newest: u64,
    /// Receive time of the leaf behind a wanted size.
    pub time_behind: BTreeMap<u64, u64>,
}

impl Tree {
    pub fn new() -> Self {
        Self { frontier: Some(Frontier::new()), at: BTreeMap::from([(0, Frontier::new())]), ..Self::default() }
    }

    pub fn at(&self, size: u64) -> Option<&Frontier> {
        self.at.get(&size)
    }

    pub const fn newest(&self) -> u64 {
        self.newest
    }

    pub fn roots(&self) -> impl Iterator<Item = (u64, Hash)> {
        self.at.iter().map(|(size, frontier)| (*size, frontier.root()))
    }

    /// Adds a segment and says what is wrong with it.
    pub fn add(&mut self, outcome: &Outcome, signed: &SignedHeads, findings: &mut Vec<Finding>) {
        let right = self.choose(outcome, signed);
        let chosen = match right {
            Right::Leaves | Right::None => outcome.by_leaves.as_ref(),
            Right::Rows => outcome.by_rows.as_ref(),
            Right::Tile => outcome.by_tile.as_ref(),
        };
        let before = self.frontier.take();
        if let (Some(before), Some(chosen), false) = (before, chosen, right == Right::None) {
            for (size, subtrees) in chosen {
                if let Some(grown) = join(&before, outcome.plan.start, *size, subtrees) {
                    self.at.insert(*size, grown);
                }
            }
            self.frontier = self.at.get(&outcome.plan.end).cloned();
        }
        if let Some((first, last)) = outcome.times {
            if first < self.newest && right == Right::Leaves && outcome.odd_leaf.is_none() {
                let text = "the segment's first leaf was received before the last one below it";
                let start = outcome.plan.start;
                findings
                    .push(Finding::new(Verdict::Tampered, text).in_segment(outcome.plan.segment).at(start, Some(start.saturating_add(1))));
            }
            self.newest = self.newest.max(last);
        }
        self.time_behind.extend(&outcome.time_behind);
        describe(outcome, right, findings);
    }

    fn choose(&self, outcome: &Outcome, signed: &SignedHeads) -> Right {
        let readings =
            [(Right::Leaves, outcome.by_leaves.as_ref()), (Right::Rows, outcome.by_rows.as_ref()), (Right::Tile, outcome.by_tile.as_ref())];
        let readings = readings.into_iter().filter_map(|(right, subtrees)| Some((right, subtrees?)));
        let plan = &outcome.plan;
        let signed: Vec<(u64, Hash)> = signed.roots(plan.start, plan.end).collect();
        if let Some(before) = &self.frontier
            && !signed.is_empty()
        {
            let reproduces = |subtrees: &Subtrees| {
                let mut compared =
                    signed.iter().filter_map(|(size, root)| Some(join(before, plan.start, *size, subtrees.get(size)?)?.root() == *root));
                compared.next().is_some_and(|first| first && compared.all(|same| same))
            };
            let mut right = readings.clone().filter(|(_, subtrees)| reproduces(subtrees));
            return right.next().map_or(Right::None, |(right, _)| right);
        }
        // Nothing signed to go by: whatever an act or another file bears out.
        let end_of = |subtrees: Option<&Subtrees>| subtrees.and_then(|all| all.get(&plan.end).cloned());
        let tile = end_of(outcome.by_tile.as_ref());
        let is_borne_out = |right| match right {
            Right::Leaves => outcome.leaves_file.problem.is_none() || end_of(outcome.by_leaves.as_ref()) == tile,
            Right::Rows => end_of(outcome.by_rows.as_ref()) == tile,
            Right::Tile => outcome.tile_file.problem.is_none(),
            Right::None => false,
        };
        readings.clone().find(|(right, _)| is_borne_out(*right)).map_or(Right::Leaves, |(right, _)| right)
    }
}

/// The tree `before`, which ends at `start`, grown to `size` by complete subtrees.
fn join(before: &Frontier, start: u64, size: u64, subtrees: &[Hash]) -> Option<Frontier> {
    let added = size.checked_sub(start)?;
    let levels = (0..64_u8).rev().filter(|level| added >> level & 1 == 1);
    let mut tree = before.clone();
    let mut subtrees = subtrees.iter();
    for level in levels {
        tree.push_subtree(level, *subtrees.next()?).ok()?;
    }
    subtrees.next().is_none().then_some(tree)
}

fn describe(outcome: &Outcome, right: Right, findings: &mut Vec<Finding>) {
    let before = findings.len();
    leaves(outcome, right, findings);
    tile(outcome, right, findings);
    if outcome.by_leaves.is_some() || outcome.plan.leaves.is_none() {
        for (class, missing) in &outcome.without_row {
            findings.push(without_row(outcome, *class, missing));
        }
    }
    for file in &outcome.files {
        payload(outcome, file, right, findings);
    }
    let plan = &outcome.plan;
    if right == Right::None {
        let text = "nothing that is left of the segment reproduces the root that was signed for it";
        let first = outcome.odd_leaf.as_ref().map_or(plan.start, |(index, _)| *index);
        findings.push(Finding::new(Verdict::Tampered, text).within(plan.start, plan.end, Some(first)));
    } else if let Some((index, why)) = &outcome.odd_leaf
        && findings.len() == before
    {
        // Signed like this: not a change on disk, but never what an honest log signs.
        let finding = Finding::new(Verdict::Tampered, why.clone()).at(*index, Some(index.saturating_add(1)));
        findings.push(finding);
    }
    for finding in findings.iter_mut().skip(before) {
        finding.segment = Some(plan.segment);
    }
}

fn leaves(outcome: &Outcome, right: Right, findings: &mut Vec<Finding>) {
    let (plan, file) = (&outcome.plan, &outcome.leaves_file);
    let Some(recorded) = &plan.leaves else { return };
    let is_wrong = matches!(right, Right::Rows | Right::Tile);
    if !is_wrong && file.problem.is_none() {
        return;
    }
    let (verdict, mut text) = file.problem.clone().unwrap_or((Verdict::Tampered, "its leaves do not give the signed root".into()));
    if is_wrong && verdict == Verdict::Tampered {
        let by = if right == Right::Rows { "the payload rows" } else { "the tile" };
        text = format!("{text}; {by} reproduce the signed root, so the leaves were altered");
    }
    let rows = outcome.files.iter().flat_map(|file| &file.disagreements).map(|row| row.index);
    let bundles = || outcome.bundles_differ.iter().map(|n| bundle_start(plan.start, *n));
    let finding = Finding::new(verdict, text).in_file(&recorded.path);
    let odd = outcome.odd_leaf.as_ref().map(|(index, _)| *index);
    let finding = match (is_wrong, file.malformed_at) {
        (true, malformed) => {
            let exact = rows.clone().chain(odd).chain(malformed).min();
            let first = exact.or_else(|| bundles().min()).unwrap_or(plan.start);
            let last = rows.max().or_else(|| bundles().max().map(|start| start.saturating_add(255)));
            let end =
                last.map_or(plan.end, |last| last.saturating_add(1)).clamp(first.saturating_add(1), plan.end.max(first.saturating_add(1)));
            finding.within(first, end, Some(first))
        }
        (false, Some(index)) => finding.within(index, plan.end.max(index.saturating_add(1)), Some(index)),
        (false, None) => finding.within(plan.start, plan.end, (verdict == Verdict::Missing).then_some(plan.start)),
    };
    findings.push(finding);
}

fn bundle_start(start: u64, number: u64) -> u64 {
    start.saturating_add(number.saturating_mul(BUNDLE_LEAVES as u64))
}

fn tile(outcome: &Outcome, right: Right, findings: &mut Vec<Finding>) {
    let (plan, file) = (&outcome.plan, &outcome.tile_file);
    let Some(recorded) = &plan.tile else { return };
    let differs = right == Right::Leaves && !outcome.bundles_differ.is_empty();
    let by_rows = right == Right::Rows && file.problem.is_some();
    if !differs && !by_rows && file.problem.is_none() {
        return;
    }
    let (verdict, mut text) = file.problem.clone().unwrap_or((Verdict::Tampered, "its hashes are not those of the leaves".into()));
    if differs {
        text = format!("{text}; the leaves reproduce the signed root, so the tile was altered");
    }
    let first = outcome.bundles_differ.first().map_or(plan.start, |n| bundle_start(plan.start, *n));
    let end = outcome.bundles_differ.last().map_or(plan.end, |n| bundle_start(plan.start, n.saturating_add(1)));
    findings.push(Finding::new(verdict, text).in_file(&recorded.path).within(first, end, None));
}

fn payload(outcome: &Outcome, checked: &Checked, right: Right, findings: &mut Vec<Finding>) {
    let file = &checked.file;
    // Where the leaves were altered, or are gone, the rows that differ from them are not to blame.
    let rows_are_wrong = matches!(right, Right::Leaves | Right::None)
        && (outcome.by_leaves.is_some() || outcome.plan.leaves.is_none())
        && !checked.disagreements.is_empty();
    if checked.problem.is_none() && !rows_are_wrong {
        return;
    }
    let (verdict, mut text) = checked.problem.clone().unwrap_or((Verdict::Tampered, "rows were altered".into()));
    let first = checked.disagreements.iter().map(|row| row.index).min().filter(|_| rows_are_wrong);
    if let (Some(first), Some(why)) = (first, &checked.why) {
        let count = checked.disagreements.len();
        text = format!("{text}; rows that their leaves do not bear out: {count}; index {first}: {why}");
    } else if checked.is_whole {
        text = format!("{text}; every row still hashes to its leaf");
    }
    let finding = Finding::new(verdict, text).in_file(&file.path);
    let last = checked.disagreements.iter().map(|row| row.index).max();
    findings.push(match (checked.is_whole, first, last) {
        (true, Some(first), Some(last)) => finding.within(first, last.saturating_add(1), Some(first)),
        (true, ..) => finding,
        (false, ..) => finding.within(file.first, file.end(), first.or(Some(file.first))),
    });
}

fn without_row(outcome: &Outcome, class: u16, missing: &[u64]) -> Finding {
    let first = missing.first().copied().unwrap_or(outcome.plan.start);
    let end = missing.last().map_or(first, |last| last.saturating_add(1));
    let text = format!("{} entries of class {class} stand in no payload file", missing.len());
    let finding = Finding::new(Verdict::Missing, text).within(first, end, Some(first));
    // Files of one flush cover one range: a sibling of another class tells the name.
    let siblings = outcome.files.iter().map(|checked| &checked.file);
    let mut siblings = siblings.filter(|file| file.class != class && (file.first..file.end()).contains(&first));
    match siblings.next() {
        Some(file) => finding.in_file(evidence::act::payload_file_name(file.first, file.count, class, 0)),
        None => finding,
    }
}
