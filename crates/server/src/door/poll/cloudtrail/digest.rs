//! CloudTrail's digest files: each hour's names the SHA-256 of every log file of that hour, is
//! signed by AWS, and holds the hash and signature of the digest before it. Checking them tells
//! whether somebody with access to the bucket changed, removed or added a log file.
//!
//! ```text
//! signed = digestEndTime LF bucket/object LF hex(SHA-256(digest, decompressed)) LF previousDigestSignature or "null"
//! ```
//! RSA PKCS#1 v1.5 with SHA-256; the signature is the object's metadata `signature`, in hexadecimal.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html>

use std::collections::BTreeMap;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::door::poll::{Trouble, hex};

/// Public keys by fingerprint: RSA keys, PKCS#1 DER.
pub type PublicKeys = BTreeMap<String, Vec<u8>>;

/// What a digest says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Digest {
    digest_end_time: String,
    digest_s3_bucket: String,
    digest_s3_object: String,
    digest_public_key_fingerprint: String,
    digest_signature_algorithm: String,
    #[serde(default)]
    previous_digest_s3_object: Option<String>,
    #[serde(default)]
    previous_digest_hash_value: Option<String>,
    #[serde(default)]
    previous_digest_signature: Option<String>,
    /// Files of the hour.
    #[serde(default)]
    pub log_files: Vec<LogFile>,
}

/// A log file and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LogFile {
    /// Name in the bucket.
    #[serde(rename = "s3Object")]
    pub key: String,
    /// SHA-256 of the decompressed file, hexadecimal.
    #[serde(rename = "hashValue")]
    pub sha256: String,
}

/// The last digest of a chain, as the cursor keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its name in the bucket.
    #[serde(rename = "k")]
    pub key: String,
    /// First 16 bytes of the SHA-256 of the decompressed file, hexadecimal.
    #[serde(rename = "h")]
    sha256: String,
    /// First 16 bytes of the SHA-256 of its signature's hexadecimal text, in the same.
    #[serde(rename = "s")]
    signature: String,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It says that it stands elsewhere: it was moved or copied.
    #[error("the digest says that it stands at another place")]
    Place,
    /// No signature beside it.
    #[error("the digest has no signature in its metadata")]
    NoSignature,
    /// Another algorithm.
    #[error("the digest is signed with an algorithm other than SHA256withRSA")]
    Algorithm,
    /// A key that is not known.
    #[error("the digest is signed with a key that is not among AWS's public keys")]
    UnknownKey,
    /// The signature is another's.
    #[error("the digest's signature does not match: it was altered")]
    Signature,
    /// The digest before it is not the one it names.
    #[error("the digest before this one was altered: its hash or signature is not what this one names")]
    Previous,
}

/// How a digest follows the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The first one seen, or right behind the last one seen.
    Chain,
    /// Digests between are not there.
    Gap {
        /// The one it names.
        previous: String,
    },
    /// It names none although there was one.
    Anew,
}

/// Reads a decompressed digest.
///
/// # Errors
/// [`Trouble::Shape`].
pub fn read(plain: &[u8]) -> Result<Digest, Trouble> {
    serde_json::from_slice(plain).map_err(|why| Trouble::Shape("CloudTrail", format!("not a digest file ({why})")))
}

impl Digest {
    /// Fingerprint of the key that signed it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.digest_public_key_fingerprint
    }

    /// Checks place and signature, `plain` being the decompressed file at `key` of `bucket`.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn verify(&self, plain: &[u8], bucket: &str, key: &str, signature: Option<&str>, keys: &PublicKeys) -> Result<(), Fault> {
        if self.digest_s3_bucket != bucket || self.digest_s3_object != key {
            return Err(Fault::Place);
        }
        if self.digest_signature_algorithm != "SHA256withRSA" {
            return Err(Fault::Algorithm);
        }
        let signature = signature.and_then(unhex).ok_or(Fault::NoSignature)?;
        let public = keys.get(&self.digest_public_key_fingerprint).ok_or(Fault::UnknownKey)?;
        let hash = hex(sha256(plain).as_slice());
        // AWS's own writer prints a missing signature as Java does.
        let previous = self.previous_digest_signature.as_deref().unwrap_or("null");
        let signed = format!("{}\n{bucket}/{key}\n{hash}\n{previous}", self.digest_end_time);
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public).verify(signed.as_bytes(), &signature).map_err(|_| Fault::Signature)
    }

    /// Checks the chain behind `last`, the newest digest seen before.
    ///
    /// # Errors
    /// [`Fault::Previous`].
    pub fn follows(&self, last: Option<&Link>) -> Result<Followed, Fault> {
        let Some(last) = last else {
            return Ok(Followed::Chain);
        };
        let Some(previous) = &self.previous_digest_s3_object else {
            return Ok(Followed::Anew);
        };
        if *previous != last.key {
            return Ok(Followed::Gap { previous: previous.clone() });
        }
        let hash = self.previous_digest_hash_value.as_deref().unwrap_or_default().to_ascii_lowercase();
        let signature = self.previous_digest_signature.as_deref().unwrap_or_default();
        if hash.get(..32) == Some(last.sha256.as_str()) && short_hash(signature) == last.signature {
            Ok(Followed::Chain)
        } else {
            Err(Fault::Previous)
        }
    }
}

impl Link {
    /// The link that the next digest must follow.
    #[must_use]
    pub fn of(key: &str, plain: &[u8], signature: &str) -> Self {
        let mut sha256 = hex(sha256(plain).as_slice());
        sha256.truncate(32);
        Self { key: key.to_owned(), sha256, signature: short_hash(signature) }
    }
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    tlog::sha256(&[bytes])
}

fn short_hash(text: &str) -> String {
    let mut hash = hex(sha256(text.to_ascii_lowercase().as_bytes()).as_slice());
    hash.truncate(32);
    hash
}

/// Bytes of hexadecimal text; `None` for anything else.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyList {
    #[serde(default)]
    public_key_list: Vec<ListedKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedKey {
    value: String,
    fingerprint: String,
}

/// Reads the answer of CloudTrail's `ListPublicKeys`.
///
/// # Errors
/// [`Trouble::Shape`].
pub fn public_keys(body: &[u8]) -> Result<PublicKeys, Trouble> {
    let list: KeyList = serde_json::from_slice(body).map_err(|why| Trouble::Shape("CloudTrail", format!("no public keys ({why})")))?;
    let keys = list.public_key_list.into_iter().filter_map(|key| Some((key.fingerprint, STANDARD.decode(key.value).ok()?)));
    Ok(keys.collect())
}

/// Reads a configured key: `fingerprint:base64 of PKCS#1 DER`, as `aws cloudtrail list-public-keys` shows them.
#[must_use]
pub fn configured_key(text: &str) -> Option<(String, Vec<u8>)> {
    let (fingerprint, value) = text.split_once(':')?;
    let fits = !fingerprint.is_empty() && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| STANDARD.decode(value).ok()).flatten().map(|der| (fingerprint.to_owned(), der))
}
