//! Checkpoints: what a log signs. <https://c2sp.org/tlog-checkpoint>
//!
//! ```text
//! <origin>
//! <number of leaves>
//! <base64 of the root>
//! ```
//!
//! Extension lines are refused: they would be signed, and this log has nothing to say in them.

use std::fmt::Write;

use crate::canonical;
use crate::hash::Hash;
use crate::note::{NoteError, NoteSignature, SignatureError, SignedNote, VerifierKey};
use crate::position::TreeSize;

/// The state of a log: which log, how many leaves, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Identity of the log; also the name of the key that signs for it.
    pub origin: String,
    /// Number of leaves.
    pub size: TreeSize,
    /// Root of the tree of that size.
    pub root: Hash,
}

/// A checkpoint that came out of a note with a good signature by a trusted key of its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The trusted key whose line came first.
    pub key: VerifierKey,
}

/// Why a text is not the body of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not exactly three lines, each ended by a newline.
    #[error("not a checkpoint: exactly three lines are needed, origin, size and root")]
    Lines,
    /// The origin is empty or contains a control character.
    #[error("not a checkpoint: its first line is not an origin")]
    Origin,
    /// The size is not a canonical decimal number.
    #[error("not a checkpoint: its second line is not a size without leading zeros")]
    Size,
    /// The root is not canonical base64 of 32 bytes, or not the one root the empty tree has.
    #[error("not a checkpoint: its third line is not the base64 of a root hash for its size")]
    Root,
}

/// Why a note was not accepted as a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A signed note that is not a checkpoint.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Not signed by a trusted key, or altered.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Signed by a trusted key, but of another log.
    #[error("the checkpoint is of {origin}, but the known key that signed it is of {key}")]
    Origin {
        /// Origin the checkpoint names.
        origin: String,
        /// Name of the key.
        key: String,
    },
}

impl Checkpoint {
    /// The signed text: three lines, final newline included.
    #[must_use]
    pub fn body(&self) -> String {
        let mut body = String::with_capacity(self.origin.len() + 67);
        // Writing to a string cannot fail.
        let _ = write!(body, "{}\n{}\n{}\n", self.origin, self.size, self.root);
        body
    }

    /// Reads a body, accepting exactly what [`body`](Self::body) writes.
    ///
    /// # Errors
    /// [`BodyError`] says which line is wrong.
    pub fn parse_body(body: &str) -> Result<Checkpoint, BodyError> {
        let lines = body.strip_suffix('\n').ok_or(BodyError::Lines)?;
        let mut lines = lines.split('\n');
        let mut line = || lines.next().ok_or(BodyError::Lines);
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.next().is_some() {
            return Err(BodyError::Lines);
        }
        if origin.is_empty() || origin.contains(|c: char| c < ' ') {
            return Err(BodyError::Origin);
        }
        let size = canonical::from_decimal(size).map_err(|_| BodyError::Size)?;
        let root: Hash = root.parse().map_err(|_| BodyError::Root)?;
        if size == 0 && root != Hash::empty_root() {
            return Err(BodyError::Root);
        }
        Ok(Checkpoint { origin: origin.to_owned(), size: TreeSize(size), root })
    }

    /// The checkpoint as a note, signed by `signer`, which gets the body and returns its Ed25519
    /// signature. `key` names the signer; a checkpoint under a key of another name than its origin
    /// is refused by everyone, [`open_checkpoint`] included.
    ///
    /// ```
    /// use ed25519_dalek::{Signer, SigningKey};
    /// use tlog::{Checkpoint, Frontier, VerifierKey, open_checkpoint};
    ///
    /// let secret = SigningKey::from_bytes(&[7; 32]);
    /// let key = VerifierKey::new("example.com/log", secret.verifying_key().to_bytes())?;
    ///
    /// let tree = Frontier::new();
    /// let checkpoint = Checkpoint { origin: key.name.clone(), size: tree.size(), root: tree.root() };
    /// let note = checkpoint.sign(&key, |body| secret.sign(body).to_bytes());
    ///
    /// assert_eq!(open_checkpoint(&note, &[key])?.checkpoint, checkpoint);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn sign(&self, key: &VerifierKey, signer: impl FnOnce(&[u8]) -> [u8; 64]) -> String {
        let text = self.body();
        let signature = signer(text.as_bytes()).to_vec();
        let line = NoteSignature { name: key.name.clone(), id: key.id, signature };
        SignedNote { text, signatures: vec![line] }.to_string()
    }
}

/// Opens a checkpoint: a well-formed note, every signature by a key in `keys` good, at least one of
/// those keys named like the origin, and the body a checkpoint.
///
/// # Errors
/// [`CheckpointError`] by cause: malformed, altered, signed by strangers, or of another log.
pub fn open_checkpoint(note: &str, keys: &[VerifierKey]) -> Result<VerifiedCheckpoint, CheckpointError> {
    let note: SignedNote = note.parse()?;
    let signers = note.verify(keys)?;
    let checkpoint = Checkpoint::parse_body(&note.text)?;
    if let Some(key) = signers.iter().find(|key| key.name == checkpoint.origin) {
        return Ok(VerifiedCheckpoint { checkpoint, key: (*key).clone() });
    }
    let key = signers.first().map(|key| key.name.clone()).unwrap_or_default();
    Err(CheckpointError::Origin { origin: checkpoint.origin, key })
}
