//! Cosignatures by witnesses: `cosignature/v1`, Ed25519. <https://c2sp.org/tlog-cosignature>
//!
//! A witness says: at this time, this was the largest consistent tree I had seen of this log. Its
//! line stands in the checkpoint's note beside the log's own.
//!
//! ```text
//! line     — <witness> base64(key id[4] ‖ seconds since 1970 u64 ‖ signature[64])
//! signed   cosignature/v1\ntime <seconds>\n<body of the checkpoint>
//! ```
//!
//! ML-DSA-44 cosignatures (type 0x06) are lines of unknown keys here and are ignored.

use std::fmt;
use std::str::FromStr;

use crate::note::{Identity, KeyError, NoteError, NoteSignature, SignatureError, SignedNote, check_key_name, key, key_id, known_lines};

/// Signature type of a timestamped Ed25519 cosignature.
const COSIGNATURE: u8 = 0x04;

/// Latest time a cosignature may carry: times are signed numbers almost everywhere else.
pub const TIME_MAX: u64 = i64::MAX as u64;

/// The key of a witness. Its text is a vkey with the type byte 0x04.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CosignerKey {
    /// The witness's name.
    pub name: String,
    /// First 4 bytes of `SHA-256(name ‖ 0x0A ‖ 0x04 ‖ public)`.
    pub id: [u8; 4],
    /// The Ed25519 public key.
    pub public: [u8; 32],
}

/// A cosignature that verified under a key the reader knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedCosignature {
    /// Who cosigned.
    pub key: CosignerKey,
    /// When, in seconds since 1970 UTC, by the witness's clock.
    pub time_s: u64,
}

/// Why the cosignatures of a note were not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not cosigned by a known witness, or altered.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl CosignerKey {
    /// The cosigner key of a name and an Ed25519 public key.
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::Point`].
    pub fn new(name: impl Into<String>, public: [u8; 32]) -> Result<CosignerKey, KeyError> {
        let name = name.into();
        check_key_name(&name)?;
        key::check_point(&public)?;
        Ok(CosignerKey { id: key_id(&name, COSIGNATURE, &public), name, public })
    }

    /// The time of a cosignature over `body`, in seconds since 1970, if the line is this key's.
    #[must_use]
    pub fn verify(&self, body: &str, line: &NoteSignature) -> Option<u64> {
        if line.name != self.name || line.id != self.id {
            return None;
        }
        let (time, signature) = line.signature.split_first_chunk::<8>()?;
        let time_s = u64::from_be_bytes(*time);
        let signature: &[u8; 64] = signature.try_into().ok()?;
        let message = signed_message(body, time_s)?;
        key::verify_ed25519(&self.public, message.as_bytes(), signature).then_some(time_s)
    }

    /// A cosignature line over `body` at `time_s`; `signer` gets the message and returns its Ed25519
    /// signature. `None` when the time is past [`TIME_MAX`].
    #[must_use]
    pub fn cosign(&self, body: &str, time_s: u64, signer: impl FnOnce(&[u8]) -> [u8; 64]) -> Option<NoteSignature> {
        let signature = signer(signed_message(body, time_s)?.as_bytes());
        let payload = [time_s.to_be_bytes().as_slice(), &signature].concat();
        Some(NoteSignature { name: self.name.clone(), id: self.id, signature: payload })
    }
}

impl Identity for CosignerKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        self.id
    }
}

impl FromStr for CosignerKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, Self::Err> {
        let (name, id, public) = key::parse_vkey(vkey, COSIGNATURE)?;
        Ok(CosignerKey { name, id, public })
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        key::write_vkey(f, &self.name, COSIGNATURE, &self.public)
    }
}

/// The cosignatures in a note by known witnesses, in the order of the lines: at least one, each
/// witness once. The log's own signature is for [`crate::open_checkpoint`].
///
/// # Errors
/// [`CosignatureError`] when no line is by a known witness or any such line is false.
pub fn open_cosignatures(note: &str, witnesses: &[CosignerKey]) -> Result<Vec<VerifiedCosignature>, CosignatureError> {
    let note: SignedNote = note.parse()?;
    let lines = known_lines(&note.signatures, witnesses)?;
    let verified = lines.into_iter().map(|(key, line)| match key.verify(&note.text, line) {
        Some(time_s) => Ok(VerifiedCosignature { key: key.clone(), time_s }),
        None => Err(SignatureError::False { name: key.name.clone() }),
    });
    Ok(verified.collect::<Result<_, _>>()?)
}

fn signed_message(body: &str, time_s: u64) -> Option<String> {
    (time_s <= TIME_MAX).then(|| format!("cosignature/v1\ntime {time_s}\n{body}"))
}
