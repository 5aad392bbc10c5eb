//! Signed notes: a text, a blank line, and signature lines. <https://c2sp.org/signed-note>
//!
//! ```text
//! text, any number of lines, the last newline included
//!
//! — <key name> <base64(key id[4] ‖ signature)>
//! — …
//! ```
//!
//! A note proves nothing until one of its lines verified under a key the reader already trusted:
//! [`SignedNote::verify`], or [`crate::checkpoint::open_checkpoint`] for checkpoints.

pub(crate) mod key;
mod known;

use std::fmt;
use std::str::FromStr;

pub use key::{KeyError, VerifierKey, check_key_name, key_id};
pub(crate) use known::{Identity, known_lines};

use crate::canonical;

/// Longest note. A checkpoint is under 1 KiB; 64 post-quantum signatures of 5 KiB are a third of it.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// Most signature lines. The specification asks for at least 16; each line of a known key costs one
/// signature check, so 64 bounds the work a stranger's note can cause to about 2 ms.
pub const SIGNATURES_MAX: usize = 64;

/// Em dash and space: how a signature line begins.
const LINE_START: &str = "\u{2014} ";

/// A note taken apart. Nothing in it is authenticated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    /// The signed text, its final newline included.
    pub text: String,
    /// The signature lines in their order, those of unknown keys included.
    pub signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key that is said to have signed.
    pub name: String,
    /// Key id: with the name it says which key, and which kind of signature.
    pub id: [u8; 4],
    /// What follows the id: 64 bytes for Ed25519, 72 for a cosignature, anything for others.
    pub signature: Vec<u8>,
}

/// Why a text is not a signed note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes, more than the 1 MiB allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A control character other than newline.
    #[error("the note contains the control character U+{:04X}: only newline is allowed", *found as u32)]
    ControlCharacter {
        /// The first one found.
        found: char,
    },
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// No blank line, no text before it or no lines after it.
    #[error("the note has no signatures: text, a blank line and at least one signature line are needed")]
    NoSignatures,
    /// More than [`SIGNATURES_MAX`] lines.
    #[error("the note has more than 64 signature lines")]
    TooManySignatures,
    /// A line behind the blank line that is not a signature line.
    #[error("signature line {line} is malformed: — name base64(key id, signature) and a newline are needed")]
    Line {
        /// Its number, counted from 1 behind the blank line.
        line: usize,
    },
}

/// Why a well-formed note is not accepted under the given keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No line is by a key that the reader trusts. Most likely the wrong verifier key was given.
    #[error("no signature by a known key: check that the verifier key is the one of this log")]
    UnknownKeys,
    /// A line names a known key but its signature is false: text or signature was altered.
    #[error("the signature of {name} does not verify: the text or the signature was altered")]
    False {
        /// Name of the key.
        name: String,
    },
    /// A known key stands in two lines. An honest signer signs once.
    #[error("{name} signed twice with the same key: one signature line a key is allowed")]
    Twice {
        /// Name of the key.
        name: String,
    },
    /// Two different known keys share name and id, so a line does not say which one it means.
    #[error("two different keys are both named {name} and share an id: remove one of them")]
    Ambiguous {
        /// The shared name.
        name: String,
    },
}

impl SignedNote {
    /// Takes apart a note that arrived as bytes.
    ///
    /// # Errors
    /// [`NoteError`] as for parsing text, and [`NoteError::NotUtf8`].
    pub fn from_bytes(bytes: &[u8]) -> Result<SignedNote, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?.parse()
    }

    /// Checks the signatures of all lines whose key is in `keys`, and returns those keys in the
    /// order of the lines: at least one. Lines by other keys are ignored, as the specification asks.
    ///
    /// # Errors
    /// [`SignatureError`] when no line is by a known key, or any line of a known key is false.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, SignatureError> {
        let lines = known_lines(&self.signatures, keys)?;
        for (key, line) in &lines {
            if !key.verify_bytes(self.text.as_bytes(), &line.signature) {
                return Err(SignatureError::False { name: key.name.clone() });
            }
        }
        Ok(lines.into_iter().map(|(key, _)| key).collect())
    }
}

impl FromStr for SignedNote {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, Self::Err> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::TooLong { bytes: note.len() });
        }
        if let Some(found) = note.chars().find(|c| *c < ' ' && *c != '\n') {
            return Err(NoteError::ControlCharacter { found });
        }
        // The text may contain blank lines; the last one ends it.
        let (text, lines) = note.rfind("\n\n").and_then(|end| note.split_at_checked(end + 1)).ok_or(NoteError::NoSignatures)?;
        let lines = lines.strip_prefix('\n').filter(|lines| !lines.is_empty());
        let lines = lines.ok_or(NoteError::NoSignatures)?;
        let mut signatures = Vec::new();
        for (number, line) in (1..).zip(lines.split_inclusive('\n')) {
            if number > SIGNATURES_MAX {
                return Err(NoteError::TooManySignatures);
            }
            let line = line.strip_suffix('\n').ok_or(NoteError::Line { line: number })?;
            signatures.push(NoteSignature::parse(line).ok_or(NoteError::Line { line: number })?);
        }
        Ok(SignedNote { text: text.to_owned(), signatures })
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str("\n")?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<NoteSignature> {
        let (name, base64) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        check_key_name(name).ok()?;
        let bytes = canonical::from_base64(base64).ok()?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        if signature.is_empty() {
            return None;
        }
        Some(NoteSignature { name: name.to_owned(), id: *id, signature: signature.to_vec() })
    }
}

/// The line as it stands in a note, newline included.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let payload = [self.id.as_slice(), &self.signature].concat();
        writeln!(f, "{LINE_START}{} {}", self.name, canonical::base64(&payload))
    }
}
