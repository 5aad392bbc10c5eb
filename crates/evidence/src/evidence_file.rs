//! The evidence file, `indelible-evidence/v1`: a case with everything that proves it. It stands inside
//! of a page (see [`crate::page`]) or alone.
//!
//! ```text
//! {"access":[event file…],"case":"…","checkpoint":"…","events":[event file…],"format":"indelible-evidence/v1",
//!  "keys":[event file…],"record":event file,"vkey":"…"}
//! ```
//! `events` are the entries that the case lists, `record` is the log's own record of the case's
//! hash, `access` are the records of searches that the case lists, `keys` are rotations. Every proof
//! but those of `keys` ends in `checkpoint`. `vkey` is the key that signed it, as its maker says: no
//! reader may trust it for that.
//!
//! INVARIANT: a file is read only if it is byte for byte what [`EvidenceFile::to_json`] writes, which
//! is canonical JSON with `\u003c` for `<`. So whatever is changed in one is seen.

mod check;
mod read;
mod unread;

use thiserror::Error;
use tlog::VerifierKey;

use crate::canonical_json::{Value, to_bytes};
use crate::event_file::EventFile;

pub use check::{EvidenceWrong, Fault, Made, Subject, VerifiedEvidence};

/// Value of the member `format`.
pub const EVIDENCE_FORMAT: &str = "indelible-evidence/v1";

/// Longest evidence file that is read: 16 MiB of raw bytes in base64, and as much again for proofs.
pub const EVIDENCE_BYTES_MAX: usize = 64 << 20;

/// An evidence file, read but not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceFile {
    /// The case's text, see [`crate::case`].
    pub case: String,
    /// The note in which the proofs end.
    pub checkpoint: String,
    /// The entries.
    pub events: Vec<EventFile>,
    /// The log's record of the case.
    pub record: EventFile,
    /// Records of searches that concerned the entries.
    pub access: Vec<EventFile>,
    /// Who signed the checkpoint, as the maker of the file says.
    pub vkey: VerifierKey,
    /// Rotations of the log's key.
    pub keys: Vec<EventFile>,
}

/// Why bytes are not an evidence file.
#[derive(Debug, Error)]
pub enum EvidenceFileError {
    /// Longer than [`EVIDENCE_BYTES_MAX`].
    #[error("the file has {0} bytes, more than an evidence file may have ({EVIDENCE_BYTES_MAX})")]
    TooLong(usize),
    /// Not JSON, or not of the shape; says what is wrong and where.
    #[error("not an evidence file: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is one, but these things in it cannot be read. Nothing else was looked at.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Unread(Vec<Fault>),
    /// Another spelling of its content.
    #[error("the evidence is not written as an evidence file is (canonical JSON): it was altered")]
    NotCanonical,
    /// A page without evidence, or with more than one.
    #[error("the page has {0} blocks of evidence, where it must have one")]
    Blocks(usize),
}

impl EvidenceFile {
    /// Reads an evidence file, strictly.
    ///
    /// # Errors
    /// [`EvidenceFileError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, EvidenceFileError> {
        if bytes.len() > EVIDENCE_BYTES_MAX {
            return Err(EvidenceFileError::TooLong(bytes.len()));
        }
        let file: Self = match serde_json::from_slice(bytes) {
            Ok(file) => file,
            // Reading stopped at the first thing that is wrong, and knows its place but not its name.
            Err(why) => return Err(unread::name(bytes).map_or(EvidenceFileError::Json(why), EvidenceFileError::Unread)),
        };
        if file.to_json() == bytes { Ok(file) } else { Err(EvidenceFileError::NotCanonical) }
    }

    /// The file's JSON. It can stand in a page as it is: there is no `<` in it.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let files = |files: &[EventFile]| -> Value { files.iter().map(EventFile::to_value).collect() };
        let members = [
            ("access", files(&self.access)),
            ("case", self.case.as_str().into()),
            ("checkpoint", self.checkpoint.as_str().into()),
            ("events", files(&self.events)),
            ("format", EVIDENCE_FORMAT.into()),
            ("keys", files(&self.keys)),
            ("record", self.record.to_value()),
            ("vkey", self.vkey.to_string().into()),
        ];
        to_safe_bytes(&Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into()))
    }
}

/// Canonical JSON with `\u003c` for `<`.
fn to_safe_bytes(value: &Value) -> Vec<u8> {
    let json = to_bytes(value);
    let mut safe = Vec::with_capacity(json.len());
    for (nth, piece) in json.split(|byte| *byte == b'<').enumerate() {
        if nth > 0 {
            safe.extend_from_slice(b"\\u003c");
        }
        safe.extend_from_slice(piece);
    }
    safe
}
