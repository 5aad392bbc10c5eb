//! The secrets of a trail on disk: the signing key, bound to one origin and one directory, and the
//! key of the id window.
//!
//! A signing key that is used in two places grows two trees under one name, and nobody can say
//! which is true. So its file names the directory it was made for, and another directory refuses it.

use std::io;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};
use tlog::VerifierKey;

use crate::clock::{NoRandomness, random};
use crate::log::signer::{Signer, SignerError};
use crate::store::layout::{IDS_KEY, NEXT_SIGNING_KEY, SIGNING_KEY};
use crate::store::media::Media;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    v: u32,
    origin: String,
    directory: String,
    vkey: String,
    seed: String,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The file is not a key file of version 1.
    #[error("{path} is not a key file of version 1: {why}; restore it from a backup of the keys")]
    Malformed {
        /// Which file.
        path: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The key was made for another directory.
    #[error(
        "the signing key was made for {made_for}, and this is {here}: a key in two places grows two histories; \
         if the directory was moved (not copied), run `indelible key rebind` on it"
    )]
    OtherDirectory {
        /// Directory in the key file.
        made_for: String,
        /// Directory that was opened.
        here: String,
    },
    /// No secret can be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The seed or origin is unfit.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// A signing key with what its file says.
pub struct StoredKey {
    /// Origin it is bound to.
    pub origin: String,
    /// The key.
    pub signer: Signer,
    seed: [u8; 32],
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl StoredKey {
    /// Draws a key. Without an origin it gets the default one, which holds 8 hex digits of its own
    /// public key's hash, so that two installations never share one.
    ///
    /// # Errors
    /// [`KeyError`] when no secret can be drawn or the origin is unfit.
    pub fn draw(origin: Option<&str>, trail: &str) -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        random(&mut seed)?;
        let origin = match origin {
            Some(origin) => origin.to_owned(),
            None => {
                let probe = Signer::new("probe", &seed)?;
                let [a, b, c, d, ..] = tlog::sha256(&[&probe.key().public]);
                format!("indelible.local/{a:02x}{b:02x}{c:02x}{d:02x}/{trail}")
            }
        };
        let signer = Signer::new(&origin, &seed)?;
        Ok(Self { origin, signer, seed })
    }

    /// Writes the key for `directory`, durable when this returns.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn write(&self, media: &dyn Media, path: &'static str, directory: &str) -> Result<(), KeyError> {
        let file = KeyFile {
            v: 1,
            origin: self.origin.clone(),
            directory: directory.to_owned(),
            vkey: self.signer.key().to_string(),
            seed: BASE64_STANDARD.encode(self.seed),
        };
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        media.replace(path, text.as_bytes()).map_err(|error| KeyError::Io { path, error })
    }

    /// Reads a key that must have been made for `directory`; `None` when there is no such file.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(media: &dyn Media, path: &'static str, directory: &str) -> Result<Option<Self>, KeyError> {
        let Some((key, made_for)) = Self::read_anywhere(media, path)? else { return Ok(None) };
        if made_for != directory {
            return Err(KeyError::OtherDirectory { made_for, here: directory.to_owned() });
        }
        Ok(Some(key))
    }

    /// Reads a key and the directory it was made for, whichever that is.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read_anywhere(media: &dyn Media, path: &'static str) -> Result<Option<(Self, String)>, KeyError> {
        let bytes = match media.read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KeyError::Io { path, error }),
        };
        let malformed = |why: String| KeyError::Malformed { path, why };
        let file: KeyFile = serde_json::from_slice(&bytes).map_err(|why| malformed(why.to_string()))?;
        let seed = BASE64_STANDARD.decode(&file.seed).ok().and_then(|seed| <[u8; 32]>::try_from(seed).ok());
        let seed = seed.ok_or_else(|| malformed("the seed is not 32 bytes of base64".into()))?;
        let signer = Signer::new(&file.origin, &seed)?;
        if file.v != 1 || signer.key().to_string() != file.vkey {
            return Err(malformed("its version is unknown or its vkey is not that of its seed".into()));
        }
        Ok(Some((Self { origin: file.origin, signer, seed }, file.directory)))
    }
}

/// The key in force is the one whose vkey the fold of acts names; the other one, if any, is the
/// next key of a rotation that was not committed, or the old key of one that was.
#[derive(Debug)]
pub struct KeyPairOnDisk {
    /// `keys/signing.key`.
    pub current: Option<StoredKey>,
    /// `keys/signing.next.key`.
    pub next: Option<StoredKey>,
}

impl KeyPairOnDisk {
    /// Reads both.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(media: &dyn Media, directory: &str) -> Result<Self, KeyError> {
        Ok(Self { current: StoredKey::read(media, SIGNING_KEY, directory)?, next: StoredKey::read(media, NEXT_SIGNING_KEY, directory)? })
    }
}

/// Makes the next key the key in force: its act is durable and the old key's last checkpoint kept.
///
/// # Errors
/// [`KeyError::Io`].
pub fn promote_next(media: &dyn Media) -> Result<(), KeyError> {
    media
        .rename(NEXT_SIGNING_KEY, SIGNING_KEY)
        .and_then(|()| media.sync_dir(crate::store::layout::KEYS))
        .map_err(|error| KeyError::Io { path: NEXT_SIGNING_KEY, error })
}

/// Binds both key files to another directory: the operator says that it was moved, not copied.
///
/// # Errors
/// [`KeyError`].
pub fn rebind(media: &dyn Media, directory: &str) -> Result<Option<VerifierKey>, KeyError> {
    let mut bound = None;
    for path in [NEXT_SIGNING_KEY, SIGNING_KEY] {
        if let Some((key, _)) = StoredKey::read_anywhere(media, path)? {
            key.write(media, path, directory)?;
            bound = Some(key.signer.key().clone());
        }
    }
    Ok(bound)
}

/// Reads the id window's key, drawing one when there is none.
///
/// # Errors
/// [`KeyError`].
pub fn read_or_draw_ids_key(media: &dyn Media) -> Result<[u8; 32], KeyError> {
    let malformed = || KeyError::Malformed { path: IDS_KEY, why: "it is not 32 bytes".into() };
    match media.read(IDS_KEY) {
        Ok(bytes) => bytes.try_into().map_err(|_| malformed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut secret = [0; 32];
            random(&mut secret)?;
            media.put(IDS_KEY, &secret).map_err(|error| KeyError::Io { path: IDS_KEY, error })?;
            Ok(secret)
        }
        Err(error) => Err(KeyError::Io { path: IDS_KEY, error }),
    }
}
