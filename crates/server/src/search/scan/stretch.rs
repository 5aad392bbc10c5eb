//! The log cut where payload files begin and end.

use std::collections::BTreeSet;
use std::ops::Range;

use evidence::act::PayloadFile;
use evidence::fold::TrailState;

use crate::log::core::stands_in_files_to;

/// A stretch of the log that the same payload files cover.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Its indexes.
    pub range: Range<u64>,
    /// The files; none of what is not in files yet.
    pub files: Option<Vec<PayloadFile>>,
}

/// The stretches of `due`, in ascending order.
pub fn stretches(state: &TrailState, due: &Range<u64>) -> Vec<Stretch> {
    let in_files = stands_in_files_to(state).clamp(due.start, due.end);
    let files: Vec<_> = state.payload_files.values().filter(|file| file.first < in_files && file.end() > due.start).collect();
    let mut edges: BTreeSet<u64> = files.iter().flat_map(|file| [file.first, file.end()]).collect();
    edges.extend([due.start, in_files]);
    let edges: Vec<u64> = edges.into_iter().filter(|edge| (due.start..=in_files).contains(edge)).collect();
    let mut by_start: Vec<_> = files;
    by_start.sort_unstable_by_key(|file| file.first);
    let mut stretches = Vec::new();
    let (mut open, mut next): (Vec<&PayloadFile>, usize) = (Vec::new(), 0);
    for (from, to) in edges.iter().zip(edges.iter().skip(1)).map(|(from, to)| (*from, *to)) {
        while let Some(file) = by_start.get(next).filter(|file| file.first <= from) {
            open.push(file);
            next += 1;
        }
        open.retain(|file| file.end() > from);
        let covering = open.iter().map(|file| (*file).clone()).collect();
        stretches.push(Stretch { range: from..to, files: Some(covering) });
    }
    if in_files < due.end {
        stretches.push(Stretch { range: in_files..due.end, files: None });
    }
    stretches
}
