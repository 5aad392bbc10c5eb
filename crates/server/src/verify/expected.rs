//! The order of a verification: what must be there follows from the acts, and each thing that is
//! there is held against it.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use evidence::act::{SEGMENT_LEAVES, seal_file_names};
use evidence::fold::TrailState;
use evidence::leaf::LEAF_BYTES;

use super::acts::{self, Folded};
use super::chain::{self, Below};
use super::checkpoints;
use super::chunks::{self, ReadChunk};
use super::keys::{Keys, SignedHeads};
use super::payload::Expected;
use super::report::{Finding, Report, Trust, Verdict};
use super::segment::{self, Plan, Recorded};
use super::snapshot::Snapshot;
use super::tree::Tree;
use super::under_way;
use super::{Run, ids};
use crate::log::core::stands_in_files_to;
use crate::store::leaves_file::{SegmentFile, parse_name};
use crate::store::leftover;
use crate::store::payload_file::parse_payload_name;
use crate::store::wal::{self, LeftoverKind, ScannedFile};

/// What there must be.
struct Shape<'a> {
    snapshot: &'a Snapshot,
    folded: &'a Folded,
    segment_leaves: u64,
    /// Sealed segments.
    sealed: u64,
    /// Indexes below this stand in payload files and leaves files.
    stands_to: u64,
    /// Leaves in files end here.
    files_end: u64,
}

pub(super) fn verify(run: &Run<'_>, snapshot: &Snapshot) -> Report {
    let mut findings = Vec::new();
    let all_chunks = chunks::read(run, &snapshot.scan);
    let folded = acts::fold(run, snapshot, &all_chunks, &mut findings);
    let state = folded.state.as_ref();
    let shape = Shape::new(run, snapshot, &folded);
    let chunks = shape.needed(run, &all_chunks, &mut findings);

    let keys = Keys::new(state, run.options.pinned.as_ref());
    let mut heads = SignedHeads::default();
    check_pinned(run, &keys, &mut findings);
    checkpoints::kept(run, snapshot, state, &keys, &mut heads, &mut findings);
    checkpoints::beside_and_given(run, snapshot, &keys, &mut heads, &mut findings);
    chain::signed_heads(run, &keys, chunks, &mut heads, &mut findings);

    let plans = shape.plans(run, chunks);
    let entries: u64 = plans.iter().map(|plan| plan.covered_to.saturating_sub(plan.start)).sum();
    run.entries_expected(entries);
    // About 500 bytes are hashed for the smallest of entries.
    let outcomes = run.map(entries.saturating_mul(512), &plans, |plan| segment::check(run, &folded, plan.clone()));
    let mut tree = Tree::new();
    for outcome in &outcomes {
        tree.add(outcome, &heads, &mut findings);
    }
    let below = Below {
        tree: &tree,
        stands_to: shape.stands_to,
        files_end: shape.files_end,
        segment_leaves: shape.segment_leaves,
        scan: &snapshot.scan,
    };
    let chain = chain::follow(chunks, &below, &mut findings);
    run.entries_done(chain.size.saturating_sub(shape.stands_to));

    let (good, note) = checkpoints::compare(&heads, &tree, &chain, &mut findings);
    findings.extend(checkpoints::stale_beside(&heads, &tree, &chain));
    let ids_files = state.map(|state| state.ids_files.as_slice()).unwrap_or_default();
    findings.extend(ids_files.iter().filter_map(|file| ids::check(run, file)));
    shape.leftovers(run, &mut findings);
    settle(&mut findings, &good);
    Report {
        holds: findings.is_empty(),
        size: chain.size,
        root: chain.frontier.or_else(|| tree.at(chain.size).cloned()).map(|tree| tree.root()),
        checkpoint: note,
        key: keys.current().map(ToString::to_string),
        trust: if run.options.pinned.is_some() { Trust::Pinned } else { Trust::FirstAct },
        entries_checked: run.done.load(Ordering::Relaxed),
        bytes_checked: run.bytes.load(Ordering::Relaxed),
        segments: shape.sealed,
        findings,
    }
}

fn check_pinned(run: &Run<'_>, keys: &Keys, findings: &mut Vec<Finding>) {
    if let Some(pinned) = run.options.pinned.as_ref().filter(|pinned| !keys.contains(pinned)) {
        let found = keys.current().map(ToString::to_string).unwrap_or_default();
        let text = format!("the acts of this directory do not lead from the pinned key {pinned}; its key is {found}");
        findings.push(Finding::new(Verdict::Tampered, text).within(0, u64::MAX, Some(0)));
    }
}

/// Orders the findings, says the same thing once, and adds the last good checkpoint to each.
fn settle(findings: &mut Vec<Finding>, good: &BTreeSet<u64>) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.first_bad.unwrap_or(u64::MAX), finding.verdict, finding.file.clone());
        key(a).cmp(&key(b))
    });
    findings.dedup();
    for finding in findings {
        let first = finding.first_bad.or_else(|| finding.range.map(|range| range.first));
        finding.last_good_checkpoint = first.and_then(|first| good.range(..=first).next_back().copied());
    }
}

impl<'a> Shape<'a> {
    fn new(run: &Run<'_>, snapshot: &'a Snapshot, folded: &'a Folded) -> Self {
        let state = folded.state.as_ref();
        let segment_leaves = state.map_or_else(|| guess_segment_leaves(run), |state| state.segment_leaves);
        let mut shape = Self { snapshot, folded, segment_leaves, sealed: 0, stands_to: 0, files_end: 0 };
        shape.sealed = state.map_or(0, |state| state.seals.len() as u64);
        if !folded.is_complete {
            shape.sealed = shape.sealed.max(shape.sealed_by_name());
        }
        let prefix = shape.prefix().map_or(0, |(count, _)| count);
        shape.files_end = shape.sealed.saturating_mul(segment_leaves).saturating_add(prefix);
        shape.stands_to = match state {
            Some(state) if folded.is_complete => stands_in_files_to(state),
            _ => shape.files_end,
        };
        shape
    }

    fn segment_files(&self) -> impl Iterator<Item = (SegmentFile, &'a String)> {
        let names = self.snapshot.files.iter();
        names.filter_map(|path| Some((parse_name(path.strip_prefix("segments/")?)?, path)))
    }

    fn sealed_by_name(&self) -> u64 {
        let sealed = self.segment_files().filter_map(|(file, _)| match file {
            SegmentFile::Leaves(segment) | SegmentFile::Tile(segment) => Some(segment.saturating_add(1)),
            SegmentFile::Prefix { .. } => None,
        });
        // A name alone must not make anyone read a million files that are not there.
        sealed.filter(|count| *count <= self.snapshot.files.len() as u64).max().unwrap_or(0)
    }

    /// Leaves in the unsealed prefix, and the file.
    fn prefix(&self) -> Option<(u64, Recorded)> {
        if let Some(state) = self.folded.state.as_ref().filter(|_| self.folded.is_complete) {
            let prefix = state.leaves_prefix.as_ref()?;
            return Some((prefix.count, Recorded { path: prefix.name(), sha256: Some(prefix.sha256) }));
        }
        let prefixes = self.segment_files().filter_map(|(file, path)| match file {
            SegmentFile::Prefix { segment, count } if segment == self.sealed && count < self.segment_leaves => {
                Some((count, Recorded { path: path.clone(), sha256: None }))
            }
            _ => None,
        });
        prefixes.max_by_key(|(count, _)| *count)
    }

    /// Payload files whose range begins in `[start, end)`.
    fn payload_files(&self, start: u64, end: u64) -> Vec<Expected> {
        let recorded = self.folded.state.iter().flat_map(|state| state.payload_files.values()).map(Expected::of_act);
        let mut files: Vec<Expected> = recorded.filter(|file| (start..end).contains(&file.first)).collect();
        if self.folded.is_complete {
            return files;
        }
        let named = self.snapshot.files.iter().filter_map(|path| {
            let name = parse_payload_name(path.strip_prefix("payload/")?)?;
            let is_here = (start..end).contains(&name.first);
            is_here.then(|| Expected {
                path: path.clone(),
                first: name.first,
                count: name.count,
                class: name.class,
                generation: name.generation,
                recorded: None,
            })
        });
        for file in named {
            if !files.iter().any(|known| known.path == file.path) {
                files.push(file);
            }
        }
        files
    }

    /// The chunks that are still needed. Files before them, all of whose chunks stand in files,
    /// came back.
    fn needed<'c>(&self, run: &Run<'_>, chunks: &'c [ReadChunk], findings: &mut Vec<Finding>) -> &'c [ReadChunk] {
        if !self.folded.is_complete {
            return chunks;
        }
        let is_needed = |chunk: &ReadChunk| chunk.range().is_none_or(|range| range.end > self.stands_to);
        let Some(oldest) = chunks.iter().find(|chunk| is_needed(chunk)).map(|chunk| chunk.frame.file) else {
            return chunks;
        };
        // A running server releases them one after the other; one that came back alone leaves a gap.
        let came_back = |file: &&ScannedFile| file.sequence < oldest && !run.options.is_served;
        for file in self.snapshot.scan.files.iter().filter(came_back) {
            let text = "all its chunks stand in files: it came back after it was released";
            findings.push(Finding::new(Verdict::Leftover, text).in_file(&file.path));
        }
        let first = chunks.partition_point(|chunk| chunk.frame.file < oldest);
        chunks.get(first..).unwrap_or_default()
    }

    /// Everything in files, segment by segment.
    fn plans(&self, run: &Run<'_>, chunks: &[ReadChunk]) -> Vec<Plan> {
        let sizes = self.wanted_sizes(run, chunks);
        let mut plans: Vec<Plan> = (0..self.sealed).map(|segment| self.sealed_plan(segment, &sizes)).collect();
        let (start, end) = (self.sealed.saturating_mul(self.segment_leaves), self.segment_end(self.sealed));
        let files = self.payload_files(start, end);
        let prefix = self.prefix();
        if prefix.is_some() || !files.is_empty() {
            let leaves_end = start.saturating_add(prefix.as_ref().map_or(0, |(count, _)| *count));
            let covered_to = files.iter().map(Expected::end).max().unwrap_or(start);
            plans.push(Plan {
                segment: self.sealed,
                start,
                end: leaves_end,
                leaves: prefix.map(|(_, file)| file),
                tile: None,
                acts: self.acts(start, leaves_end.max(covered_to)),
                sizes: wanted(&sizes, start, leaves_end),
                more: leaves_between(chunks, leaves_end, covered_to),
                files,
                covered_to,
            });
        }
        plans
    }

    fn segment_end(&self, segment: u64) -> u64 {
        segment.saturating_add(1).saturating_mul(self.segment_leaves)
    }

    fn sealed_plan(&self, segment: u64, sizes: &BTreeSet<u64>) -> Plan {
        let (start, end) = (segment.saturating_mul(self.segment_leaves), self.segment_end(segment));
        let seals = self.folded.state.as_ref().map(|state| state.seals.as_slice()).unwrap_or_default();
        let seal = usize::try_from(segment).ok().and_then(|at| seals.get(at));
        let [leaves, tile] = seal_file_names(segment);
        Plan {
            segment,
            start,
            end,
            leaves: Some(Recorded { path: leaves, sha256: seal.map(|seal| seal.leaves) }),
            tile: Some(Recorded { path: tile, sha256: seal.map(|seal| seal.tile) }),
            files: self.payload_files(start, end),
            covered_to: end,
            more: Vec::new(),
            acts: self.acts(start, end),
            sizes: wanted(sizes, start, end),
        }
    }

    fn acts(&self, start: u64, end: u64) -> Vec<u64> {
        let indexes = &self.folded.indexes;
        let from = indexes.partition_point(|index| *index < start);
        let to = indexes.partition_point(|index| *index < end);
        indexes.get(from..to).unwrap_or_default().to_vec()
    }

    /// Tree sizes that something signed, or a chunk, speaks of.
    fn wanted_sizes(&self, run: &Run<'_>, chunks: &[ReadChunk]) -> BTreeSet<u64> {
        let mut sizes: BTreeSet<u64> = self.snapshot.files.iter().filter_map(|path| checkpoints::kept_size(path)).collect();
        sizes.extend(chunks.iter().filter_map(ReadChunk::range).flat_map(|range| [range.start, range.end]));
        let given = run.options.from_checkpoint.as_ref().map(String::as_bytes);
        let notes = given.into_iter().chain(self.snapshot.beside.as_deref());
        sizes.extend(notes.filter_map(chain::size_of));
        sizes
    }

    /// Files that nothing accounts for.
    fn leftovers(&self, run: &Run<'_>, findings: &mut Vec<Finding>) {
        // Files go round in the log while a server runs.
        let goes_round = |leftover: &&wal::Leftover| run.options.is_served && leftover.kind != LeftoverKind::Unknown;
        let leftovers = self.snapshot.scan.leftovers.iter().filter(|leftover| !goes_round(leftover));
        let scan = leftovers.map(|leftover| leftover.path.clone());
        let unknown = scan.chain(self.snapshot.unknown.iter().cloned()).collect();
        let unrecorded = match self.folded.state.as_ref().filter(|_| self.folded.is_complete) {
            Some(state) => unrecorded(self.snapshot, state),
            None => Vec::new(),
        };
        let recorded = under_way::Recorded { sealed: self.sealed, segment_leaves: self.segment_leaves, stands_to: self.stands_to };
        let is_leftover = |path: &String| !(run.options.is_served && recorded.may_be_followed_by(path));
        for path in [unknown, unrecorded].concat().into_iter().filter(is_leftover) {
            findings.push(Finding::new(Verdict::Leftover, "no act accounts for this file; a restart removes it").in_file(path));
        }
    }
}

fn unrecorded(snapshot: &Snapshot, state: &TrailState) -> Vec<String> {
    let accounted = leftover::accounted(state);
    // A rotation act cannot name the hash of a note that covers itself: the size has to do.
    let rotations: BTreeSet<u64> = state.rotations.iter().map(|rotation| rotation.index.saturating_add(1)).collect();
    let is_accounted =
        |path: &String| accounted.contains(path) || checkpoints::kept_size(path).is_some_and(|size| rotations.contains(&size));
    snapshot.files.iter().filter(|path| !is_accounted(path)).cloned().collect()
}

/// The segment size where no act says: from the first sealed leaves file.
fn guess_segment_leaves(run: &Run<'_>) -> u64 {
    let [path, _] = seal_file_names(0);
    let bytes = run.media.open_read(&path).and_then(|file| file.len()).unwrap_or(0);
    let leaves = bytes / (2 + LEAF_BYTES as u64);
    if leaves.is_power_of_two() && leaves >= 256 { leaves } else { SEGMENT_LEAVES }
}

fn wanted(sizes: &BTreeSet<u64>, start: u64, end: u64) -> Vec<u64> {
    let mut inside: Vec<u64> = Vec::new();
    if start < end {
        inside.extend(sizes.range(start.saturating_add(1)..end));
        inside.push(end);
    }
    inside
}

/// Leaves of `[from, to)` from chunks, as far as they follow each other.
fn leaves_between(chunks: &[ReadChunk], from: u64, to: u64) -> Vec<[u8; LEAF_BYTES]> {
    let mut leaves = Vec::new();
    let mut next = from;
    for chunk in chunks {
        let Some(range) = chunk.range() else { continue };
        for (index, leaf) in (range.start..).zip(&chunk.leaves) {
            if index == next && index < to {
                leaves.push(*leaf);
                next = next.saturating_add(1);
            }
        }
    }
    leaves
}
