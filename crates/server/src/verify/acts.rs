//! The acts, folded anew: what holds for the trail, and so which files there must be.
//!
//! Chunks are the better witness of the acts they hold: they are on their way to a root. The others
//! come from the payload files of class 0. Whether these acts are the ones that were signed shows
//! when the same files are hashed against their leaves.

use std::collections::BTreeMap;
use std::ops::Range;

use evidence::act::ActError;
use evidence::fold::TrailState;

use super::Run;
use super::chunks::ReadChunk;
use super::payload::ReadFile;
use super::report::{Finding, Verdict};
use super::rows;
use super::snapshot::Snapshot;
use crate::store::payload_file::parse_payload_name;

/// The fold, as far as it goes.
pub(super) struct Folded {
    /// None when not even the first act is there.
    pub state: Option<TrailState>,
    /// All acts were there and made sense: the state accounts for every file.
    pub is_complete: bool,
    /// Index of each act that was found.
    pub indexes: Vec<u64>,
    /// The files of class 0 by path: few and small, so they are kept to be hashed against their leaves.
    pub files: BTreeMap<String, ReadFile>,
}

/// An act's part 2 and the file it was read from.
type Found = BTreeMap<u64, (Vec<u8>, String)>;

pub(super) fn fold(run: &Run<'_>, snapshot: &Snapshot, chunks: &[ReadChunk], findings: &mut Vec<Finding>) -> Folded {
    let in_chunks: Vec<Range<u64>> = chunks.iter().filter_map(ReadChunk::range).collect();
    let end = in_chunks.last().map_or(u64::MAX, |range| range.end);
    let mut acts = Found::new();
    let (mut all_read, mut files) = (true, BTreeMap::new());
    for path in &snapshot.files {
        if parse_payload_name(path.strip_prefix("payload/").unwrap_or_default()).is_none_or(|name| name.class != 0) {
            continue;
        }
        let wanted = |index| index < end && !holds(&in_chunks, index);
        match ReadFile::read(run, path) {
            Some(file) => {
                all_read &= file.damage.is_none() && collect(&file, path, wanted, &mut acts).is_some();
                files.insert(path.clone(), file);
            }
            None => all_read = false,
        }
    }
    for chunk in chunks {
        acts.extend(chunk.acts.iter().map(|(index, part_2)| (*index, (part_2.clone(), chunk.path.clone()))));
    }
    let mut state = None;
    let indexes = acts.keys().copied().collect();
    for (index, (part_2, path)) in &acts {
        if let Err(why) = apply(&mut state, *index, part_2) {
            // When a file could not be read the break follows from that, and that is reported.
            if all_read {
                let after = state.as_ref().map_or(0, |state| state.last_act.saturating_add(1));
                let text = format!("the act at index {index} does not follow: {why}");
                let finding = Finding::new(Verdict::Tampered, text).in_file(path);
                findings.push(finding.within(after.min(*index), index.saturating_add(1), Some(after.min(*index))));
            }
            return Folded { state, is_complete: false, indexes, files };
        }
    }
    Folded { is_complete: all_read && state.is_some(), state, indexes, files }
}

fn holds(ranges: &[Range<u64>], index: u64) -> bool {
    let after = ranges.partition_point(|range| range.start <= index);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| range.contains(&index))
}

/// Adds the acts of a file; `None` when a row of it is no act.
fn collect(file: &ReadFile, path: &str, wanted: impl Fn(u64) -> bool, acts: &mut Found) -> Option<()> {
    for row in file.rows.iter().filter(|row| wanted(row.index)) {
        let parts = rows::act_parts(&row.raw, row.parts.as_deref()?)?;
        acts.insert(row.index, (parts.first()?.to_vec(), path.to_owned()));
    }
    Some(())
}

fn apply(state: &mut Option<TrailState>, index: u64, part_2: &[u8]) -> Result<(), String> {
    match evidence::act::parse_part2(part_2) {
        Ok((head, act)) => TrailState::fold(state, index, &head, &act).map_err(|why| why.to_string()),
        // A newer program's act: it has its place in the chain and no authority here.
        Err(ActError::Unknown { head, name }) => match state {
            Some(state) => state.pass_over(index, &head).map_err(|why| why.to_string()),
            None => Err(format!("the log begins with the act {name:?}")),
        },
        Err(why) => Err(why.to_string()),
    }
}
