//! Signed tokens: a compact JWS, checked against the keys its issuer publishes.
//!
//! Only signatures with public keys are taken. `none` has no place in the list of algorithms, and
//! neither has HMAC: with it, whoever knows the public key could sign. A key is used for the
//! algorithms of its own type only, and only for the one it names if it names one.
//!
//! Claims are judged here as well, with a time that is passed in.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

/// Bytes of a token. A SET has some 2 KB; a header of certificates a few more.
pub const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Bytes of a set of keys. Google's has 2 KB, Entra's 20 KB.
pub const KEYS_BYTES_MAX: usize = 256 << 10;

/// Keys in a set. Each may be tried when a token names none.
pub const KEYS_MAX: usize = 64;

/// Seconds by which an issuer's clock may be ahead.
pub const CLOCK_SKEW_S: u64 = 60;

/// The algorithms taken unless a connection names fewer.
pub const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three parts of base64url, or no JSON in them.
    #[error("not a signed token: expected three parts of base64url joined by dots")]
    Malformed,
    /// `none`, an HMAC, or one the connection does not allow.
    #[error("the token is signed with an algorithm that is not accepted here")]
    Algorithm,
    /// No key of the set is meant for it. The set may be out of date.
    #[error("no key of the issuer's key set is the one that the token names")]
    UnknownKey,
    /// The signature is not by the key.
    #[error("the token's signature does not verify: it was changed, or signed with another key")]
    Signature,
    /// `iss` is another.
    #[error("the token is from another issuer than this connection expects")]
    Issuer,
    /// `aud` names others.
    #[error("the token is meant for another audience than this connection")]
    Audience,
    /// `exp` has passed, or `nbf` has not come.
    #[error("the token has expired or is not valid yet: check the clocks; a copy of an old request is refused")]
    Expired,
}

impl JwsError {
    /// The reason's name in answers, records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_key_unknown",
            Self::Signature => "token_signature",
            Self::Issuer => "token_issuer",
            Self::Audience => "token_audience",
            Self::Expired => "token_expired",
        }
    }
}

/// A set of keys is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// Not `{"keys":[…]}`.
    #[error("not a JSON Web Key Set: expected {{\"keys\":[…]}}")]
    Malformed,
    /// Too many, or too large.
    #[error("a key set of more than {KEYS_MAX} keys or {KEYS_BYTES_MAX} bytes: no issuer has that many")]
    TooLarge,
    /// None that can sign.
    #[error("the key set has no public key that can verify a signature")]
    NoKey,
}

/// The public keys of one issuer.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<IssuerKey>);

#[derive(Clone, Debug)]
struct IssuerKey {
    id: Option<String>,
    only: Option<Algorithm>,
    family: AlgorithmFamily,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys that cannot verify a signature (for encryption, symmetric, of a
    /// type nobody here knows) are skipped: they are for somebody else.
    ///
    /// # Errors
    /// [`InvalidKeySet`].
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeySet> {
        if json.len() > KEYS_BYTES_MAX {
            return Err(InvalidKeySet::TooLarge);
        }
        // One by one: a key of a type from the future must not spoil the others.
        let set: Value = serde_json::from_slice(json).map_err(|_| InvalidKeySet::Malformed)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(InvalidKeySet::Malformed)?;
        if keys.len() > KEYS_MAX {
            return Err(InvalidKeySet::TooLarge);
        }
        let keys: Vec<_> = keys.iter().filter_map(|key| issuer_key(&serde_json::from_value(key.clone()).ok()?)).collect();
        if keys.is_empty() { Err(InvalidKeySet::NoKey) } else { Ok(Self(keys)) }
    }

    /// Verifies a token's signature and gives its header's `typ` and its claims, not yet judged.
    ///
    /// # Errors
    /// [`JwsError`] up to `Signature`.
    pub fn verify(&self, token: &str, allowed: &[Algorithm]) -> Result<Verified, JwsError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(JwsError::Malformed);
        }
        let header = decode_header(token).map_err(|why| match why.kind() {
            // An algorithm nobody here knows; `none` among them.
            ErrorKind::Json(_) => JwsError::Algorithm,
            _ => JwsError::Malformed,
        })?;
        if !allowed.contains(&header.alg) || header.alg.family() == AlgorithmFamily::Hmac {
            return Err(JwsError::Algorithm);
        }
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let mut answer = Err(JwsError::UnknownKey);
        for key in self.0.iter().filter(|key| key.may_be(&header)) {
            match decode::<Map<String, Value>>(token, &key.key, &validation) {
                Ok(data) => return Ok(Verified { typ: data.header.typ, claims: data.claims }),
                Err(why) if matches!(why.kind(), ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_)) => {
                    return Err(JwsError::Malformed);
                }
                // Another key of the set may be the one.
                Err(_) => answer = Err(JwsError::Signature),
            }
        }
        answer
    }
}

impl IssuerKey {
    fn may_be(&self, header: &jsonwebtoken::Header) -> bool {
        let named = match (&header.kid, &self.id) {
            (Some(wanted), Some(id)) => wanted == id,
            (Some(_), None) => false,
            (None, _) => true,
        };
        named && self.family == header.alg.family() && self.only.is_none_or(|only| only == header.alg)
    }
}

fn issuer_key(jwk: &Jwk) -> Option<IssuerKey> {
    if jwk.common.public_key_use.as_ref().is_some_and(|meant| *meant != PublicKeyUse::Signature) {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let family = key.family();
    let only = match jwk.common.key_algorithm {
        None => None,
        // One that is not in the list signs nothing that is taken here.
        Some(named) => Some(ALGORITHMS.iter().find(|(name, _)| *name == named.to_string())?.1),
    };
    (family != AlgorithmFamily::Hmac).then(|| IssuerKey { id: jwk.common.key_id.clone(), only, family, key })
}

/// A token whose signature verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The header's `typ`.
    pub typ: Option<String>,
    /// The payload.
    pub claims: Map<String, Value>,
}

impl Verified {
    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    /// Whether `iss` is `issuer`.
    ///
    /// # Errors
    /// [`JwsError::Issuer`].
    pub fn check_issuer(&self, issuers: &[String]) -> Result<(), JwsError> {
        let is = |issuer: &str| issuers.iter().any(|expected| expected == issuer);
        if self.text("iss").is_some_and(is) { Ok(()) } else { Err(JwsError::Issuer) }
    }

    /// Whether `aud`, one text or several, names one of `audiences`.
    ///
    /// # Errors
    /// [`JwsError::Audience`].
    pub fn check_audience(&self, audiences: &[String]) -> Result<(), JwsError> {
        let is = |name: &str| audiences.iter().any(|audience| audience == name);
        let named = match self.claims.get("aud") {
            Some(Value::String(name)) => is(name),
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(is),
            _ => false,
        };
        if named { Ok(()) } else { Err(JwsError::Audience) }
    }

    /// Whether the time is before `exp` and not before `nbf`, where they are; `required`: `exp` must be.
    ///
    /// # Errors
    /// [`JwsError::Expired`].
    pub fn check_time(&self, now_ms: u64, required: bool) -> Result<(), JwsError> {
        let now = now_ms / 1_000;
        // Seconds may have a fraction: RFC 7519 §2.
        let seconds = |name: &str| self.claims.get(name).map(|value| value.as_f64().map_or(i64::MIN, |number| number as i64));
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let skew = i64::try_from(CLOCK_SKEW_S).unwrap_or_default();
        let alive = seconds("exp").map_or(!required, |end| now < end.saturating_add(skew));
        let begun = seconds("nbf").is_none_or(|begin| begin >= 0 && now.saturating_add(skew) >= begin);
        if alive && begun { Ok(()) } else { Err(JwsError::Expired) }
    }
}

#[cfg(test)]
mod tests;
