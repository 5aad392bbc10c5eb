//! Evidence for one entry, made from an open trail: receipts and event files.

use evidence::commitment::{Salt, digest, part_salts};
use evidence::envelope::Facts;
use evidence::event_file::{EventFile, Part};
use evidence::leaf::Kind;
use evidence::receipt::{Receipt, SenderData};
use tlog::{LeafIndex, TlogProof, TreeSize};

use crate::log::shared::View;
use crate::store::layout;
use crate::store::nodes::TreeNodes;
use crate::store::read::{ReadError, StoredEntry, damaged};
use crate::store::trail::Trail;

/// The receipt of the entry at `index`, against the newest checkpoint.
///
/// # Errors
/// [`ReadError`].
pub fn receipt(trail: &Trail, index: u64) -> Result<Receipt, ReadError> {
    let entry = trail.reader().entry(index)?;
    let view = trail.view();
    receipt_of(&entry, &trail.reader().nodes(), &view)
}

/// Receipts of many entries in the text that a sender keeps, all against the tree of `view`.
///
/// # Errors
/// [`ReadError`].
pub fn receipts(trail: &Trail, indexes: &[u64], view: &View) -> Result<Vec<String>, ReadError> {
    let (reader, nodes) = (trail.reader(), trail.reader().nodes());
    let receipt = |index: &u64| Ok(receipt_of(&reader.entry(*index)?, &nodes, view)?.to_string());
    indexes.iter().map(receipt).collect()
}

fn receipt_of(entry: &StoredEntry, nodes: &TreeNodes<'_>, view: &View) -> Result<Receipt, ReadError> {
    let proof = proof(nodes, entry.index, view.size, &view.note)?;
    Ok(Receipt { leaf: entry.leaf, sender: sender_data(entry), index: proof.index, hashes: proof.hashes, checkpoint: proof.checkpoint })
}

/// What leads a sender from his bytes to the leaf. He does not have the bytes of an act, and of a
/// truncated event he has others than the log.
fn sender_data(entry: &StoredEntry) -> Option<SenderData> {
    let truncated = Facts::parse(&entry.facts).map_or(true, |facts| facts.truncated.is_some());
    if entry.leaf.kind == Kind::Act || truncated {
        return None;
    }
    let salt = Salt(entry.salt);
    let [first, second] = part_salts(&salt, 2).try_into().ok()?;
    Some(SenderData { salt, envelope: [digest(&first, &entry.facts), digest(&second, &entry.people)] })
}

/// The event file of the entry at `index`, against the newest checkpoint, with every rotation of
/// the signing key there ever was, so that whoever pinned any of the keys can verify it.
///
/// # Errors
/// [`ReadError`].
pub fn event_file(trail: &Trail, index: u64) -> Result<EventFile, ReadError> {
    let entry = trail.reader().entry(index)?;
    let view = trail.view();
    Ok(EventFile { keys: rotation_files(trail, &view)?, ..entry_file(trail, &entry, &view)? })
}

/// The event file of `entry` against the tree of `view`, without rotations.
///
/// # Errors
/// [`ReadError`].
pub fn entry_file(trail: &Trail, entry: &StoredEntry, view: &View) -> Result<EventFile, ReadError> {
    let proof = proof(&trail.reader().nodes(), entry.index, view.size, &view.note)?;
    Ok(EventFile { leaf: entry.leaf, parts: shown_parts(entry), proof, keys: Vec::new() })
}

/// The event files of all rotations of the signing key, in order.
///
/// # Errors
/// [`ReadError`].
pub fn rotation_files(trail: &Trail, view: &View) -> Result<Vec<EventFile>, ReadError> {
    let nodes = trail.reader().nodes();
    view.state.rotations.iter().map(|rotation| rotation_file(trail, &nodes, rotation.index)).collect()
}

/// A rotation act's own file rests on the old key's last checkpoint, which ends with the act.
fn rotation_file(trail: &Trail, nodes: &TreeNodes<'_>, index: u64) -> Result<EventFile, ReadError> {
    let entry = trail.reader().entry(index)?;
    let size = index + 1;
    let kept = trail.kept_checkpoint(size).map_err(|why| damaged(layout::CHECKPOINTS, why))?;
    let note = kept.ok_or_else(|| damaged(layout::CHECKPOINTS, format!("the checkpoint of size {size}, kept for a rotation, is gone")))?;
    let proof = proof(nodes, index, size, &note)?;
    Ok(EventFile { leaf: entry.leaf, parts: shown_parts(&entry), proof, keys: Vec::new() })
}

fn proof(nodes: &TreeNodes<'_>, index: u64, size: u64, note: &str) -> Result<TlogProof, ReadError> {
    let hashes =
        tlog::prove::inclusion(nodes, LeafIndex(index), TreeSize(size)).map_err(|why| crate::store::read::prove_error(why, index, size))?;
    Ok(TlogProof { extra: None, index: LeafIndex(index), hashes, checkpoint: note.to_owned() })
}

fn shown_parts(entry: &StoredEntry) -> Vec<Part> {
    let parts = entry.parts();
    let salts = part_salts(&Salt(entry.salt), parts.len());
    let shown = parts.into_iter().zip(salts).map(|(bytes, salt)| Part::Shown { salt, bytes: bytes.to_vec() });
    shown.collect()
}
