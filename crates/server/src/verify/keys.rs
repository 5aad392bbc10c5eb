//! Which key signs a tree of which size, and which signed trees there are.

use std::collections::BTreeMap;

use evidence::fold::{Rotation, TrailState};
use tlog::{Checkpoint, Hash, SignedNote, VerifierKey, open_checkpoint};

/// The keys of a trail, in the order in which they signed.
pub(super) struct Keys {
    rotations: Vec<Rotation>,
    current: Option<VerifierKey>,
}

/// A signed tree head.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// Size of the tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The note.
    pub note: String,
}

impl Keys {
    /// The keys that the acts name; when they name none, the pinned one, if there is one.
    pub fn new(state: Option<&TrailState>, pinned: Option<&VerifierKey>) -> Self {
        match state {
            Some(state) => Self { rotations: state.rotations.clone(), current: Some(state.vkey.clone()) },
            None => Self { rotations: Vec::new(), current: pinned.cloned() },
        }
    }

    pub fn current(&self) -> Option<&VerifierKey> {
        self.current.as_ref()
    }

    /// No key is known: nothing that is signed can be checked.
    pub fn is_empty(&self) -> bool {
        self.current.is_none()
    }

    /// Whether the acts lead from (or through) this key to the one that signs now.
    pub fn contains(&self, key: &VerifierKey) -> bool {
        self.current.as_ref() == Some(key) || self.rotations.iter().any(|rotation| rotation.old == *key)
    }

    /// An old key signs trees up to the one that ends in the act which replaced it.
    fn for_size(&self, size: u64) -> Option<&VerifierKey> {
        let old = self.rotations.iter().find(|rotation| size <= rotation.index.saturating_add(1));
        old.map(|rotation| &rotation.old).or(self.current.as_ref())
    }

    /// Opens a checkpoint with the one key that may have signed a tree of its size.
    pub fn open(&self, note: &[u8]) -> Result<Signed, String> {
        let (note, checkpoint) = parse(note)?;
        let size = checkpoint.size.0;
        let key = self.for_size(size).ok_or("no key is known that could have signed it")?;
        let opened = open_checkpoint(&note, std::slice::from_ref(key)).map_err(|why| why.to_string())?;
        Ok(Signed { size, root: opened.checkpoint.root, note })
    }
}

/// What a checkpoint says, whoever signed it.
pub(super) fn parse(note: &[u8]) -> Result<(String, Checkpoint), String> {
    let text = str::from_utf8(note).map_err(|_| "it is not text".to_owned())?;
    let signed: SignedNote = text.parse().map_err(|why: tlog::note::NoteError| why.to_string())?;
    let checkpoint = Checkpoint::parse_body(&signed.text).map_err(|why| why.to_string())?;
    Ok((text.to_owned(), checkpoint))
}

/// All tree heads whose signatures hold, by size, with where they were found.
#[derive(Default)]
pub(super) struct SignedHeads {
    heads: BTreeMap<u64, Vec<(Signed, HeadSource)>>,
    /// The given checkpoint, when no key of the directory signed it, and why it does not open.
    pub not_opened: Option<(String, String)>,
}

/// Where a signed tree head was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HeadSource {
    /// The caller gave it.
    Given,
    /// In this file.
    File(String),
    /// In the chunk that begins at its size, in this file.
    Chunk(String),
}

impl SignedHeads {
    pub fn add(&mut self, signed: Signed, source: HeadSource) {
        self.heads.entry(signed.size).or_default().push((signed, source));
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Signed, HeadSource)> {
        self.heads.values().flatten()
    }

    /// Signed roots of sizes in `(from, to]`.
    pub fn roots(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, Hash)> {
        let range = (from < to).then(|| self.heads.range(from.saturating_add(1)..=to));
        range.into_iter().flatten().flat_map(|(size, heads)| heads.iter().map(|(signed, _)| (*size, signed.root)))
    }
}
