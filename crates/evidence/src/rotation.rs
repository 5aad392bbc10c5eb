//! Rotation of the signing key: what both keys sign, and which key had to sign a tree of some size.
//!
//! The old key signs checkpoints through size index + 1, the new key only larger ones, index being
//! the rotation act's own. The act's event file carries the old key's checkpoint of just that size.

use tlog::checkpoint::CheckpointError;
use tlog::note::SignatureError;
use tlog::{VerifiedCheckpoint, VerifierKey, open_checkpoint};

use crate::act::{Act, RotateAct, parse_part2};
use crate::event_file::{EventFile, Part};
use crate::fold::Rotation;
use crate::leaf::Kind;
use crate::verdict::Wrong;

/// Most rotations that are looked at: one a week for nineteen years. Each costs three signatures to
/// check, and whoever sends a file decides how many are in it.
pub const ROTATIONS_MAX: usize = 1_000;

/// The text that the old and the new key both sign for the rotation that stands at `index`.
#[must_use]
pub fn rotation_text(origin: &str, old: &VerifierKey, new: &VerifierKey, index: u64) -> String {
    format!("indelible-rotate/v1\n{origin}\n{old}\n{new}\n{index}\n")
}

/// Whether both keys signed the rotation at this index; else whose signature does not verify.
pub(crate) fn verify_signatures(origin: &str, index: u64, act: &RotateAct) -> Result<(), &'static str> {
    let text = rotation_text(origin, &act.old, &act.new, index);
    if !act.old.verify(text.as_bytes(), &act.sig_old) {
        return Err("old");
    }
    if !act.new.verify(text.as_bytes(), &act.sig_new) {
        return Err("new");
    }
    Ok(())
}

/// The keys of a log that a pinned one vouches for: those it handed over to, and those that handed
/// over to it.
///
/// INVARIANT: each rotation was verified by its own event file and by both signatures; each one's new
/// key is the next one's old key; no key occurs twice; the pinned key is one of them.
///
/// Who pins an old key and is shown no rotation cannot know of one: whoever stole that key could
/// still sign for him.
#[derive(Clone, Debug)]
pub struct KeyChain {
    pinned: VerifierKey,
    rotations: Vec<Rotation>,
}

impl KeyChain {
    /// Works out the keys from the pinned one and the event files of rotation acts, in any order.
    /// The files' own keys are looked at too. The same rotation may come twice.
    ///
    /// # Errors
    /// A file that is no rotation or does not hold, or rotations that do not join up with each other
    /// and the pinned key.
    pub fn build<'a>(pinned: &VerifierKey, files: impl IntoIterator<Item = &'a EventFile>) -> Result<Self, Wrong> {
        let mut waiting: Vec<&EventFile> = files.into_iter().collect();
        let mut distinct: Vec<&EventFile> = Vec::new();
        while let Some(file) = waiting.pop() {
            let known = distinct.iter().any(|other| (&other.leaf, &other.parts, &other.proof) == (&file.leaf, &file.parts, &file.proof));
            if !known {
                distinct.push(file);
            }
            waiting.extend(&file.keys);
            if distinct.len() > ROTATIONS_MAX {
                return Err(Wrong::TooManyRotations(distinct.len() + waiting.len()));
            }
        }
        let mut rotations = Vec::with_capacity(distinct.len());
        for file in distinct {
            let index = file.proof.index.0;
            let rotation = open_rotation(file, &pinned.name).map_err(|why| Wrong::Rotation { index, why: Box::new(why) })?;
            if !rotations.contains(&rotation) {
                rotations.push(rotation);
            }
        }
        rotations.sort_by_key(|rotation| rotation.index);
        check_links(pinned, &rotations)?;
        Ok(KeyChain { pinned: pinned.clone(), rotations })
    }

    /// The rotations, oldest first.
    #[must_use]
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// The key that had to sign a tree of that size.
    #[must_use]
    pub fn in_charge(&self, size: u64) -> &VerifierKey {
        let next = self.rotations.iter().find(|rotation| size <= rotation.index.saturating_add(1));
        match (next, self.rotations.last()) {
            (Some(rotation), _) => &rotation.old,
            (None, Some(last)) => &last.new,
            (None, None) => &self.pinned,
        }
    }

    /// Opens a checkpoint that was signed by the key in charge of its size.
    ///
    /// # Errors
    /// No signature by a key of the chain, a false one, or one by a key that was not in charge.
    pub fn open(&self, note: &str) -> Result<VerifiedCheckpoint, Wrong> {
        let keys: Vec<VerifierKey> = match self.rotations.first() {
            Some(first) => std::iter::once(&first.old).chain(self.rotations.iter().map(|r| &r.new)).cloned().collect(),
            None => vec![self.pinned.clone()],
        };
        // All known keys first: a false signature of any of them is refused.
        let opened = open_checkpoint(note, &keys)?;
        let size = opened.checkpoint.size.0;
        let in_charge = self.in_charge(size);
        match open_checkpoint(note, std::slice::from_ref(in_charge)) {
            Err(CheckpointError::Signature(SignatureError::UnknownKeys)) => {
                Err(Wrong::KeyNotInCharge { size, in_charge: in_charge.to_string() })
            }
            other => Ok(other?),
        }
    }
}

/// What an event file of a rotation act says, verified by its own checkpoint and both signatures.
fn open_rotation(file: &EventFile, origin: &str) -> Result<Rotation, Wrong> {
    let part2 = file.parts.get(2).and_then(Part::bytes).filter(|_| file.leaf.kind == Kind::Act);
    let Act::Rotate(act) = parse_part2(part2.ok_or(Wrong::NotARotation)?)?.1 else {
        return Err(Wrong::NotARotation);
    };
    for key in [&act.old, &act.new] {
        if key.name != origin {
            return Err(Wrong::RotationOrigin(key.to_string()));
        }
    }
    let rotation = Rotation { index: file.proof.index.0, old: act.old.clone(), new: act.new.clone() };
    verify_signatures(origin, rotation.index, &act).map_err(Wrong::RotationSignature)?;
    // The old key's own window ends at index + 1, and a tree that has the act is no smaller.
    let old_key_alone = KeyChain { pinned: act.old.clone(), rotations: vec![rotation.clone()] };
    file.verify_in(&old_key_alone)?;
    let size = old_key_alone.open(&file.proof.checkpoint)?.checkpoint.size.0;
    if size != rotation.index.saturating_add(1) {
        return Err(Wrong::KeyNotInCharge { size, in_charge: act.old.to_string() });
    }
    Ok(rotation)
}

fn check_links(pinned: &VerifierKey, rotations: &[Rotation]) -> Result<(), Wrong> {
    for pair in rotations.windows(2) {
        if let [before, after] = pair
            && (before.new != after.old || before.index >= after.index)
        {
            return Err(Wrong::RotationGap { before: before.index, after: after.index });
        }
    }
    // A key that came back could sign for two times.
    for (at, later) in rotations.iter().enumerate() {
        if let Some(earlier) = rotations.iter().take(at + 1).find(|earlier| earlier.old == later.new) {
            return Err(Wrong::RotationGap { before: earlier.index, after: later.index });
        }
    }
    let linked = rotations.is_empty() || rotations.iter().any(|r| r.old == *pinned || r.new == *pinned);
    if linked { Ok(()) } else { Err(Wrong::RotationsElsewhere) }
}
