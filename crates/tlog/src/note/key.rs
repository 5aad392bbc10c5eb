//! Who signs: key names, key ids, and Ed25519 verifier keys in their text form, the *vkey*.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::canonical;
use crate::hash::sha256;

/// Signature type of an Ed25519 signature over the note's text.
const ED25519: u8 = 0x01;

/// An Ed25519 public key with the name it signs under: what a verifier pins.
///
/// Its text is the vkey, `name+<8 hex digits of the id>+base64(0x01 ‖ public key)`:
///
/// ```
/// use tlog::VerifierKey;
///
/// let vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
/// let key: VerifierKey = vkey.parse()?;
/// assert_eq!(key.name, "example.com/log/testdata");
/// assert_eq!(key.id, [0x33, 0xd7, 0xb4, 0x96]);
/// assert_eq!(key.to_string(), vkey);
/// # Ok::<(), tlog::note::KeyError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct VerifierKey {
    /// The name in signature lines; for a log's key, its origin.
    pub name: String,
    /// First 4 bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public)`.
    pub id: [u8; 4],
    /// The Ed25519 public key. RFC 8032.
    pub public: [u8; 32],
}

/// Why something is not a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not three fields with `+` between them.
    #[error("not a verifier key: name+id+key is needed, with the id as 8 lower-case hex digits")]
    Format,
    /// Empty, or with a space, a plus or a control character.
    #[error("not a key name: it must not be empty or contain spaces, plus or control characters")]
    Name,
    /// The key field is not canonical base64 of the type byte and 32 bytes.
    #[error("not a verifier key of this kind: base64 of type byte {kind:#04x} and 32 bytes is needed")]
    Kind {
        /// The type byte that was expected: 1 for Ed25519, 4 for a cosigner.
        kind: u8,
    },
    /// The id is not the one of name and key: a copying error, or somebody made up a look-alike.
    #[error("the verifier key's id does not belong to its name and key: copy it again")]
    Id,
    /// Not a point on the curve, or one of the few under which anybody can sign.
    #[error("not a usable ed25519 public key")]
    Point,
}

impl VerifierKey {
    /// The verifier key of a name and an Ed25519 public key.
    ///
    /// # Errors
    /// [`KeyError::Name`] or [`KeyError::Point`].
    pub fn new(name: impl Into<String>, public: [u8; 32]) -> Result<VerifierKey, KeyError> {
        let name = name.into();
        check_key_name(&name)?;
        check_point(&public)?;
        Ok(VerifierKey { id: key_id(&name, ED25519, &public), name, public })
    }

    /// Whether `signature` is this key's over `message`.
    ///
    /// Strict in the sense of RFC 8032 §5.1.7 and beyond: one signature has one encoding, and points
    /// of small order are refused.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        verify_ed25519(&self.public, message, signature)
    }

    /// As [`verify`](Self::verify); a signature of another length is false.
    pub(super) fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| self.verify(message, signature))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(vkey: &str) -> Result<Self, Self::Err> {
        let (name, id, public) = parse_vkey(vkey, ED25519)?;
        Ok(VerifierKey { name, id, public })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, &self.name, ED25519, &self.public)
    }
}

/// Refuses what cannot be a key name: empty, or with Unicode white space, `+` or a control character
/// (none may stand in a note).
///
/// # Errors
/// [`KeyError::Name`].
pub fn check_key_name(name: &str) -> Result<(), KeyError> {
    let bad = |c: char| c.is_whitespace() || c == '+' || c < ' ';
    if name.is_empty() || name.contains(bad) {
        return Err(KeyError::Name);
    }
    Ok(())
}

/// Key id: the first 4 bytes of `SHA-256(name ‖ 0x0A ‖ kind ‖ public)`.
#[must_use]
pub fn key_id(name: &str, kind: u8, public: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[name.as_bytes(), b"\n", &[kind], public]);
    [a, b, c, d]
}

/// Whether `signature` over `message` is by the owner of `public`.
pub(crate) fn verify_ed25519(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
}

/// Refuses what is not a point, and the points of small order.
pub(crate) fn check_point(public: &[u8; 32]) -> Result<(), KeyError> {
    match VerifyingKey::from_bytes(public) {
        Ok(key) if !key.is_weak() => Ok(()),
        _ => Err(KeyError::Point),
    }
}

/// Name, id and public key of a vkey whose key field begins with the type byte `kind`.
pub(crate) fn parse_vkey(vkey: &str, kind: u8) -> Result<(String, [u8; 4], [u8; 32]), KeyError> {
    // The key's base64 may itself contain `+`, name and id may not.
    let (name, rest) = vkey.split_once('+').ok_or(KeyError::Format)?;
    let (id, key) = rest.split_once('+').ok_or(KeyError::Format)?;
    check_key_name(name)?;
    let id = canonical::from_hex_exact::<4>(id).map_err(|_| KeyError::Format)?;
    let typed = canonical::from_base64_exact::<33>(key).map_err(|_| KeyError::Kind { kind })?;
    let [found, public @ ..] = typed;
    if found != kind {
        return Err(KeyError::Kind { kind });
    }
    if id != key_id(name, kind, &public) {
        return Err(KeyError::Id);
    }
    check_point(&public)?;
    Ok((name.to_owned(), id, public))
}

/// The inverse of [`parse_vkey`].
pub(crate) fn write_vkey(f: &mut fmt::Formatter<'_>, name: &str, kind: u8, public: &[u8; 32]) -> fmt::Result {
    let typed = [[kind].as_slice(), public].concat();
    write!(f, "{name}+{}+{}", canonical::hex(&key_id(name, kind, public)), canonical::base64(&typed))
}
