//! One page of an export: a stretch of the log, the entries in it that match, and the hashes of the rest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evidence::event_file::EventFile;
use evidence::export::{EXPORT_FORMAT, gap};
use tlog::Nodes as _;

use crate::export::encode::Encoding;
use crate::export::line::Line;
use crate::export::manifest::{Covered, Manifest, Tree, Unreadable};
use crate::search::{Ask, Budget, Cursor, Index, Order, Query, SearchError, instant, search};
use crate::source::directory::Directory;
use crate::store::nodes::TreeNodes;
use crate::store::read::ReadError;
use crate::store::trail::Trail;

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub enum From {
    /// At the first entry, now (ms).
    Start(u64),
    /// Where the page before stopped, and the last entry that was exported, if there is one.
    Cursor(Cursor, Option<u64>),
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// The entries.
    pub lines: Vec<Line>,
    /// What they cover.
    pub manifest: Manifest,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The search says no.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The tree cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The cursor goes down.
    #[error("an export goes from the oldest entry to the newest: use `next` of the page before, unchanged")]
    Downwards,
    /// The last entry is not below the cursor.
    #[error("`behind` is the last entry that was exported: it is below the cursor, as in `last` of the pages before")]
    Behind,
}

/// The next page.
///
/// # Errors
/// [`ExportError`]; entries that cannot be read are no error but part of the manifest.
pub fn page(
    trail: &Trail,
    index: &Index,
    directory: &Directory,
    query: &Query,
    from: From,
    budget: Budget,
    encoding: Encoding,
) -> Result<Page, ExportError> {
    let view = trail.view();
    let (start, last) = match from {
        From::Start(now_ms) => (Cursor::rising(query, 0, view.size, now_ms), None),
        From::Cursor(cursor, last) => (cursor, last),
    };
    if start.order != Order::Oldest {
        return Err(ExportError::Downwards);
    }
    if last.is_some_and(|last| last >= start.at) {
        return Err(ExportError::Behind);
    }
    let ask = Ask { query: query.clone(), order: Order::Oldest, cursor: Some(start), now_ms: start.now_ms, budget };
    let found = search(trail, index, directory, &ask)?;
    let knowing = index.knowing(directory, &view.state);
    let nodes = trail.reader().nodes();
    let mut behind = last.map_or(0, |last| last + 1);
    let mut lines = Vec::with_capacity(found.hits.len());
    for entry in &found.hits {
        let mut line = Line::new(entry, knowing);
        line.evidence.before = hashes(&nodes, behind, entry.index)?;
        behind = entry.index + 1;
        lines.push(line);
    }
    let after = if found.next.is_none() { hashes(&nodes, behind, start.size)? } else { Vec::new() };
    let unreadable = found.unreadable.into_iter();
    let unreadable: Vec<_> = unreadable.map(|gap| Unreadable { first: gap.first, last: gap.end.saturating_sub(1), why: gap.why }).collect();
    let first = matches!(from, From::Start(_));
    let manifest = Manifest {
        format: EXPORT_FORMAT.to_owned(),
        encoding: encoding.word().to_owned(),
        query: query.to_string(),
        asked_at: instant::format(i64::try_from(start.now_ms).unwrap_or(i64::MAX)),
        tree: Tree { size: start.size, root: found.root.to_string() },
        checkpoint: first.then(|| view.note.to_string()),
        covered: Covered {
            from: found.range.start,
            to: found.range.end,
            read: found.read,
            ruled_out: found.ruled_out,
            complete: unreadable.is_empty(),
            unreadable,
        },
        count: lines.len() as u64,
        last: lines.last().map(|line| line.index),
        after,
        next: found.next.map(|cursor| cursor.to_string()),
        files: Vec::new(),
        keys: if first { Manifest::keys_of(&rotations(trail)?) } else { Vec::new() },
    };
    Ok(Page { lines, manifest })
}

/// Event files of all rotations, so that whoever pinned any of the keys can verify.
fn rotations(trail: &Trail) -> Result<Vec<EventFile>, ReadError> {
    crate::store::proofs::rotation_files(trail, &trail.view())
}

fn hashes(nodes: &TreeNodes<'_>, from: u64, to: u64) -> Result<Vec<String>, ReadError> {
    gap(from, to).map(|(level, index)| Ok(STANDARD.encode(nodes.node(level, index)?.0))).collect()
}
