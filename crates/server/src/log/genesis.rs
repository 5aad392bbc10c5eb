//! The first chunk of a trail: the one act that every other rests on.

use std::collections::BTreeMap;

use evidence::act::{Act, ActHead, TrailAct};
use tlog::{Frontier, VerifierKey};

use crate::clock::{NoRandomness, random};
use crate::log::chunk::ChunkHeader;
use crate::log::core::plan;
use crate::log::cursors::Cursors;
use crate::log::draft::Draft;

/// Name of the one retention class a new trail has, number 1.
pub const DEFAULT_CLASS: &str = "default";

/// The chunk that begins a trail signed by `key`, received at `received_at` (ms).
///
/// # Errors
/// [`NoRandomness`] when no salt can be drawn.
pub fn first_chunk(trail: &str, key: &VerifierKey, segment_leaves: u64, received_at: u64) -> Result<Vec<u8>, NoRandomness> {
    let (mut salt, mut writer) = ([0; 16], [0; 16]);
    random(&mut salt)?;
    random(&mut writer)?;
    let classes = BTreeMap::from([(1, DEFAULT_CLASS.to_owned())]);
    let act = Act::Trail(TrailAct { vkey: key.clone(), segment_leaves, classes });
    let head = ActHead { origin: key.name.clone(), prev: None };
    let mut draft = Draft::new(0, segment_leaves);
    draft.push_act(&act.to_part2(&head), b"{}", salt, act);
    let empty = Frontier::new();
    let planned = plan(&empty, draft.heads(), received_at);
    let header = ChunkHeader {
        trail: trail.to_owned(),
        first: 0,
        count: 1,
        received_at,
        previous_root: empty.root(),
        new_root: planned.root,
        previous_checkpoint: String::new(),
        writer,
        cursors: Cursors::default(),
    };
    Ok(header.encode(draft.blocks()))
}
