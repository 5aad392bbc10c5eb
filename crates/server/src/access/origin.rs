//! Proof of origin: whether a webhook's request really comes from who shares a secret with us.
//!
//! Two forms cover the vendors: the secret itself in a header, or an HMAC over the body's bytes as
//! they arrived. With a timestamp under the HMAC, a request heard on the way cannot be sent again
//! once its window has passed. Signed tokens (Pub/Sub, SSF) are in `jws.rs`.
//!
//! Comparisons take the same time wherever two values differ. Time is passed in.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of a header that may hold a proof. The longest is 128 hex digits with a prefix; a static
/// secret is what somebody chose.
const PROOF_BYTES_MAX: usize = 1 << 10;

/// A value shared with a vendor. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedSecret(Vec<u8>);

impl SharedSecret {
    /// Takes the secret; `None` if it is empty: an empty secret would let anybody in.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self(bytes.to_vec()))
    }

    fn is(&self, shown: &[u8]) -> bool {
        // Of the hashes, so that not even the length can be measured.
        let hash = |bytes: &[u8]| digest::digest(&digest::SHA256, bytes);
        constant_time::verify_slices_are_equal(hash(&self.0).as_ref(), hash(shown).as_ref()).is_ok()
    }
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret(hidden)")
    }
}

/// Why a request does not prove where it comes from. Answered with 401, which says no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The header with the proof is not there.
    #[error("the request carries no proof of its origin: check that the vendor's secret is set")]
    Missing,
    /// The header is not in the form that the scheme has.
    #[error("the proof of origin is not in the form this hook expects: check the hook's kind and settings")]
    Malformed,
    /// The proof is not what our secret gives.
    #[error("the proof of origin does not match: the secret here and at the vendor differ, or the body was changed on the way")]
    Wrong,
    /// The timestamp is outside the window.
    #[error("the request was signed too long ago, or in the future: check the clocks; a copy of an old request is refused")]
    OutsideWindow,
}

impl ProofError {
    /// The reason's name in answers, records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "proof_missing",
            Self::Malformed => "proof_malformed",
            Self::Wrong => "proof_wrong",
            Self::OutsideWindow => "proof_outside_window",
        }
    }
}

/// A request as far as a proof needs it.
pub struct Shown<'a, 'b> {
    /// The value of a header, if there is exactly one of that name.
    pub header: &'b dyn Fn(&str) -> Option<&'a [u8]>,
    /// The body, after what HTTP itself did to it (`Content-Encoding`) and before anything else.
    pub body: &'b [u8],
    /// Milliseconds since 1970 UTC.
    pub now_ms: u64,
}

/// The form of a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The secret in a header, alone or after `Bearer `.
    Static {
        /// The header's name.
        header: String,
    },
    /// An HMAC over the body.
    Hmac(HmacProof),
}

/// An HMAC in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HmacProof {
    /// The header with the HMAC.
    pub header: String,
    /// What stands before it in the header, such as `sha256=`.
    pub prefix: String,
    /// The hash under it.
    pub hash: HmacHash,
    /// How it is written.
    pub encoding: HmacEncoding,
    /// The header with the time of signing, if there is one under the HMAC.
    pub timestamp: Option<Timestamp>,
}

/// A time under the HMAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// The header with it, in seconds since 1970 UTC.
    pub header: String,
    /// How far it may be from now, either way.
    pub window_s: u64,
    /// What is signed before the time, such as `v0:`.
    pub before: String,
    /// What is signed between the time and the body, such as `:`.
    pub between: String,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacHash {
    /// For vendors that have nothing better: as an HMAC, SHA-1 is not broken.
    Sha1,
    /// The usual one.
    Sha256,
    /// The long one.
    Sha512,
}

/// How an HMAC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HmacEncoding {
    /// Hexadecimal, of either case.
    Hex,
    /// Standard base64.
    Base64,
}

impl Proof {
    /// GitHub: `X-Hub-Signature-256: sha256=<hex>` over the body. It has no time: a copy is known by
    /// its delivery id.
    #[must_use]
    pub fn github() -> Self {
        Self::Hmac(HmacProof {
            header: "x-hub-signature-256".into(),
            prefix: "sha256=".into(),
            hash: HmacHash::Sha256,
            encoding: HmacEncoding::Hex,
            timestamp: None,
        })
    }

    /// Slack: `X-Slack-Signature: v0=<hex>` over `v0:<time>:<body>`, five minutes.
    #[must_use]
    pub fn slack() -> Self {
        let timestamp = Timestamp { header: "x-slack-request-timestamp".into(), window_s: 300, before: "v0:".into(), between: ":".into() };
        Self::Hmac(HmacProof {
            header: "x-slack-signature".into(),
            prefix: "v0=".into(),
            hash: HmacHash::Sha256,
            encoding: HmacEncoding::Hex,
            timestamp: Some(timestamp),
        })
    }

    /// Whether the request was made by a holder of one of `secrets`: two while one replaces the other.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, secrets: &[SharedSecret], shown: &Shown<'_, '_>) -> Result<(), ProofError> {
        match self {
            Self::Static { header } => check_static(header, secrets, shown),
            Self::Hmac(proof) => proof.check(secrets, shown),
        }
    }
}

fn header<'a>(name: &str, shown: &Shown<'a, '_>) -> Result<&'a [u8], ProofError> {
    let value = (shown.header)(name).ok_or(ProofError::Missing)?;
    if value.len() > PROOF_BYTES_MAX { Err(ProofError::Malformed) } else { Ok(value.trim_ascii()) }
}

fn check_static(name: &str, secrets: &[SharedSecret], shown: &Shown<'_, '_>) -> Result<(), ProofError> {
    let value = header(name, shown)?;
    let bearer =
        value.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer ")).map(|(_, secret)| secret.trim_ascii());
    // No early end: each secret is compared with each form.
    let matches = secrets.iter().fold(false, |found, secret| found | secret.is(value) | bearer.is_some_and(|bearer| secret.is(bearer)));
    if matches { Ok(()) } else { Err(ProofError::Wrong) }
}

impl HmacProof {
    fn check(&self, secrets: &[SharedSecret], shown: &Shown<'_, '_>) -> Result<(), ProofError> {
        let value = header(&self.header, shown)?;
        let tag = value.strip_prefix(self.prefix.as_bytes()).and_then(|text| self.encoding.decode(text)).ok_or(ProofError::Malformed)?;
        let time = self.timestamp.as_ref().map(|timestamp| Ok((timestamp, header(&timestamp.header, shown)?))).transpose()?;
        let verifies = |secret: &SharedSecret| self.verifies(secret, time, shown.body, &tag);
        if !secrets.iter().fold(false, |found, secret| found | verifies(secret)) {
            return Err(ProofError::Wrong);
        }
        // After the HMAC: a time that nobody signed says nothing.
        time.map_or(Ok(()), |(timestamp, value)| timestamp.check(value, shown.now_ms))
    }

    fn verifies(&self, secret: &SharedSecret, time: Option<(&Timestamp, &[u8])>, body: &[u8], tag: &[u8]) -> bool {
        let key = hmac::Key::new(self.hash.algorithm(), &secret.0);
        let mut context = hmac::Context::with_key(&key);
        if let Some((timestamp, value)) = time {
            context.update(timestamp.before.as_bytes());
            context.update(value);
            context.update(timestamp.between.as_bytes());
        }
        context.update(body);
        constant_time::verify_slices_are_equal(context.sign().as_ref(), tag).is_ok()
    }
}

impl Timestamp {
    fn check(&self, value: &[u8], now_ms: u64) -> Result<(), ProofError> {
        let seconds: u64 = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(ProofError::Malformed)?;
        if (now_ms / 1_000).abs_diff(seconds) > self.window_s { Err(ProofError::OutsideWindow) } else { Ok(()) }
    }
}

impl HmacHash {
    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

impl HmacEncoding {
    fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Hex => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                let (pairs, []) = text.as_chunks::<2>() else {
                    return None;
                };
                pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
