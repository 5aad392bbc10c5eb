//! Which lines of a note are by keys the reader knows: the same rule for logs and for witnesses.

use super::{NoteSignature, SignatureError, VerifierKey};

/// A key a reader may know: name and id say which one, the public key that two are really different.
pub(crate) trait Identity: PartialEq {
    fn name(&self) -> &str;
    fn id(&self) -> [u8; 4];
}

impl Identity for VerifierKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> [u8; 4] {
        self.id
    }
}

/// The lines by keys in `keys`, each with its key; at least one. A line needs both name and id of a
/// key to be its own: one alone may coincide by chance or design.
pub(crate) fn known_lines<'k, 's, K: Identity>(
    signatures: &'s [NoteSignature],
    keys: &'k [K],
) -> Result<Vec<(&'k K, &'s NoteSignature)>, SignatureError> {
    let mut lines: Vec<(&K, &NoteSignature)> = Vec::new();
    for line in signatures {
        let mut matching = keys.iter().filter(|key| key.id() == line.id && key.name() == line.name);
        let Some(key) = matching.next() else { continue };
        let name = || line.name.clone();
        if matching.any(|other| other != key) {
            return Err(SignatureError::Ambiguous { name: name() });
        }
        if lines.iter().any(|(earlier, _)| *earlier == key) {
            return Err(SignatureError::Twice { name: name() });
        }
        lines.push((key, line));
    }
    if lines.is_empty() {
        return Err(SignatureError::UnknownKeys);
    }
    Ok(lines)
}
