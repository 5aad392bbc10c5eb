//! The key that signs checkpoints, in memory. Where it is kept is the store's business.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tlog::{Checkpoint, Hash, TreeSize, VerifierKey};

/// An Ed25519 signing key bound to one origin.
pub struct Signer {
    pair: Ed25519KeyPair,
    key: VerifierKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.key)
    }
}

/// Why a seed is not a signing key for an origin.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum SignerError {
    /// The seed is not accepted as an Ed25519 seed.
    #[error("the signing key's seed is not an Ed25519 seed")]
    Seed,
    /// The origin cannot be a key name (C2SP signed-note: not empty, no space, no `+`).
    #[error("origin {0:?} cannot name a key: it must not be empty or contain spaces or '+'")]
    Origin(String),
}

impl Signer {
    /// The key with this seed, named `origin`.
    ///
    /// # Errors
    /// [`SignerError`] when the seed or the origin is unfit.
    pub fn new(origin: &str, seed: &[u8; 32]) -> Result<Self, SignerError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SignerError::Seed)?;
        let public: [u8; 32] = pair.public_key().as_ref().try_into().map_err(|_| SignerError::Seed)?;
        let key = VerifierKey::new(origin, public).map_err(|_| SignerError::Origin(origin.to_owned()))?;
        Ok(Self { pair, key })
    }

    /// Its verifier key (vkey).
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Ed25519 signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        for (to, from) in bytes.iter_mut().zip(self.pair.sign(message).as_ref()) {
            *to = *from;
        }
        bytes
    }

    /// Signed note for a tree of `size` leaves with this root (C2SP tlog-checkpoint).
    #[must_use]
    pub fn checkpoint(&self, size: u64, root: Hash) -> String {
        let checkpoint = Checkpoint { origin: self.key.name.clone(), size: TreeSize(size), root };
        checkpoint.sign(&self.key, |message| self.sign(message))
    }
}
