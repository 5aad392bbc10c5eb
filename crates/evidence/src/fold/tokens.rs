//! API keys in the fold, and who a token belongs to.

use std::collections::BTreeSet;

use super::{FoldError, TrailState};
use crate::act::{KeyAct, Scope};

/// An API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// SHA-256 of its token.
    pub hash: [u8; 32],
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// Names of the sources it is for; empty: all.
    pub sources: BTreeSet<String>,
    /// When it lapses: milliseconds since 1970, UTC.
    pub expires_at: Option<u64>,
    /// Made on the machine itself because the admin key was lost.
    pub reset: bool,
    /// Index of the act that made it.
    pub index: u64,
    /// Index of the act that revoked it.
    pub revoked: Option<u64>,
}

impl KeyEntry {
    /// Whether the key is in force at a time (milliseconds since 1970, UTC). It lapses *at*
    /// `expires_at`.
    #[must_use]
    pub fn in_force(&self, now_ms: u64) -> bool {
        self.revoked.is_none() && self.expires_at.is_none_or(|end| now_ms < end)
    }

    /// Whether the key may do this somewhere; `admin` may do everything.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether the key may do this with the source of that name.
    #[must_use]
    pub fn allows(&self, scope: Scope, source: &str) -> bool {
        self.has(scope) && (self.sources.is_empty() || self.sources.contains(source))
    }
}

/// What stands in an act for a token. A token has 256 random bits, so a plain hash hides it.
#[must_use]
pub fn hash_of_token(token: &str) -> [u8; 32] {
    tlog::sha256(&[token.as_bytes()])
}

impl TrailState {
    /// Id and entry of the key whose token has this hash, in force or not.
    ///
    /// Comparing hashes takes time that depends on them only; to exploit that one would have to
    /// choose tokens by their SHA-256.
    #[must_use]
    pub fn key_by_hash(&self, hash: &[u8; 32]) -> Option<(&str, &KeyEntry)> {
        self.keys.iter().find(|(_, key)| key.hash == *hash).map(|(id, key)| (id.as_str(), key))
    }

    /// Id and entry of the key that a token opens at that time.
    #[must_use]
    pub fn key_of_token(&self, token: &str, now_ms: u64) -> Option<(&str, &KeyEntry)> {
        self.key_by_hash(&hash_of_token(token)).filter(|(_, key)| key.in_force(now_ms))
    }

    pub(super) fn key(&mut self, index: u64, key: &KeyAct) -> Result<(), FoldError> {
        // The hash too: a revoked token must not come back under another id.
        if self.keys.contains_key(&key.id) || self.key_by_hash(&key.hash).is_some() {
            return Err(FoldError::Reused("key", key.id.clone()));
        }
        let entry = KeyEntry {
            hash: key.hash,
            scopes: key.scopes.clone(),
            sources: key.sources.clone(),
            expires_at: key.expires_at,
            reset: key.reset,
            index,
            revoked: None,
        };
        self.keys.insert(key.id.clone(), entry);
        Ok(())
    }

    pub(super) fn key_revoked(&mut self, index: u64, id: &str) -> Result<(), FoldError> {
        match self.keys.get_mut(id).filter(|key| key.revoked.is_none()) {
            Some(key) => {
                key.revoked = Some(index);
                Ok(())
            }
            None => Err(FoldError::Missing("key", id.to_owned())),
        }
    }
}
