//! Files that no act names: made before a crash that came before their act, or superseded since.
//!
//! Every byte on disk is accounted for by an act, derived from accounted bytes, or leftover. The
//! verifier reports leftovers; a restart removes them.

use std::collections::BTreeSet;
use std::io;

use evidence::act::{IdsFile, LeavesPrefix, PayloadFile, seal_file_names};
use evidence::fold::TrailState;
use tlog::canonical::from_hex_exact;

use crate::store::layout;
use crate::store::media::{Media, join};

/// Paths that the fold accounts for, write-ahead files and keys aside.
#[must_use]
pub fn accounted(state: &TrailState) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    paths.extend(state.payload_files.values().map(PayloadFile::name));
    paths.extend(state.ids_files.iter().map(IdsFile::name));
    paths.extend(state.leaves_prefix.iter().map(LeavesPrefix::name));
    for seal in &state.seals {
        paths.extend(seal_file_names(seal.segment));
        paths.insert(seal.checkpoint.name());
    }
    paths
}

/// Files on the medium that nothing accounts for. A kept checkpoint of a rotation is known by its
/// size: the act cannot name the hash of a note that covers the act itself.
///
/// # Errors
/// What the medium says, and of which directory.
pub fn find(media: &dyn Media, state: &TrailState) -> Result<Vec<String>, (String, io::Error)> {
    let accounted = accounted(state);
    let rotations: BTreeSet<String> = state.rotations.iter().map(|rotation| (rotation.index + 1).to_string()).collect();
    let mut found = Vec::new();
    for dir in [layout::SEGMENTS, layout::PAYLOAD, layout::IDS] {
        for name in list(media, dir)? {
            let path = join(dir, &name);
            if !accounted.contains(&path) {
                found.push(path);
            }
        }
    }
    for size in list(media, layout::CHECKPOINTS)? {
        let dir = join(layout::CHECKPOINTS, &size);
        for name in list(media, &dir)? {
            let path = join(&dir, &name);
            let of_rotation = rotations.contains(&size) && from_hex_exact::<32>(&name).is_ok();
            if !accounted.contains(&path) && !of_rotation {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Removes them and says how many there were.
///
/// # Errors
/// What the medium says, and of which path.
pub fn remove(media: &dyn Media, state: &TrailState) -> Result<u64, (String, io::Error)> {
    let found = find(media, state)?;
    for path in &found {
        media.remove(path).map_err(|error| (path.clone(), error))?;
    }
    Ok(found.len() as u64)
}

fn list(media: &dyn Media, dir: &str) -> Result<Vec<String>, (String, io::Error)> {
    match media.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other.map_err(|error| (dir.to_owned(), error)),
    }
}
