//! Checking digests one after another: signature, chain, and the hash of every file each names.
//! What comes out is a record `cloudtrail.digest`: `ok`, `failed`, `missing` or `unchecked`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::door::poll::cloudtrail::digest::{Digest, Fault, Followed, Link, PublicKeys};
use crate::door::poll::cloudtrail::queue;
use crate::door::poll::{Ask, Note, Scope, hex, origin::Origin};

/// A key that is not known is asked for again after this: an hour of digests waits for no new key.
const KEYS_EVERY_MS: u64 = 3_600_000;
/// Most names in one record; how many there are it says as well.
const NAMES_MAX: usize = 20;

/// Keys, and the digest under way.
#[derive(Clone, Debug)]
pub struct Checks {
    keys: PublicKeys,
    /// Where AWS's keys are asked for; `None` uses each region's own address.
    endpoint: Option<Origin>,
    /// Keys may be asked for at all.
    ask: bool,
    asked: BTreeMap<String, u64>,
    refused: bool,
    open: Option<Open>,
}

/// A digest file as it was fetched.
#[derive(Clone, Copy, Debug)]
pub struct DigestFile<'a> {
    /// Bucket.
    pub bucket: &'a str,
    /// Name.
    pub key: &'a str,
    /// Chain.
    pub chain: &'a str,
    /// Decompressed bytes.
    pub plain: &'a [u8],
    /// Metadata `signature`.
    pub signature: Option<&'a str>,
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Chain.
    pub chain: String,
    /// What the next digest must follow.
    pub link: Link,
    /// The record.
    pub note: Note,
}

#[derive(Clone, Debug)]
struct Open {
    key: String,
    chain: String,
    link: Link,
    files: usize,
    /// Expected hashes of files not read yet.
    waiting: BTreeMap<String, String>,
    faults: Vec<String>,
    /// Kept back from `faults` when a key could not be had: nobody altered anything.
    unchecked: bool,
    altered: Vec<String>,
    missing: Vec<String>,
}

impl Checks {
    /// Checks with `keys`. When `ask` is set, keys that are not among them are asked for, at
    /// `endpoint` or the region's own.
    #[must_use]
    pub fn new(keys: PublicKeys, ask: bool, endpoint: Option<Origin>) -> Self {
        Self { keys, endpoint, ask, asked: BTreeMap::new(), refused: false, open: None }
    }

    /// Whether keys of a region should be asked for before a digest signed by `fingerprint`.
    pub fn wants_keys(&mut self, region: &str, fingerprint: &str, now_ms: u64) -> bool {
        let due = self.asked.get(region).is_none_or(|asked| now_ms >= asked.saturating_add(KEYS_EVERY_MS));
        let wanted = self.ask && due && !self.keys.contains_key(fingerprint);
        if wanted {
            self.asked.insert(region.to_owned(), now_ms);
        }
        wanted
    }

    /// Asks for the keys in use since `since_ms`.
    #[must_use]
    pub fn ask_keys(&self, region: &str, since_ms: u64) -> Ask {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let own = || format!("https://cloudtrail.{region}.{domain}/");
        let url = self.endpoint.as_ref().map_or_else(own, |endpoint| endpoint.below("/"));
        let scope = Scope { service: "cloudtrail", region: region.to_owned() };
        let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.ListPublicKeys";
        // A day earlier: a digest names the key of the hour before.
        let start = (since_ms / 1_000).saturating_sub(86_400);
        queue::post(url, scope, target, "application/x-amz-json-1.1", &json!({ "StartTime": start }))
    }

    /// More keys.
    pub fn add_keys(&mut self, keys: PublicKeys) {
        self.refused = false;
        self.keys.extend(keys);
    }

    /// Keys were refused: digests are not checked, and their records say so.
    pub fn keys_refused(&mut self) {
        self.refused = true;
    }

    /// Begins with a digest; gives the files that must be read before it is settled. `known` tells
    /// the hash of a file that was read.
    pub fn begin(
        &mut self,
        file: &DigestFile<'_>,
        read: Option<Digest>,
        last: Option<&Link>,
        known: impl Fn(&str) -> Option<[u8; 32]>,
    ) -> Vec<String> {
        let mut open = Open {
            key: file.key.to_owned(),
            chain: file.chain.to_owned(),
            link: Link::of(file.key, file.plain, file.signature.unwrap_or_default()),
            files: 0,
            waiting: BTreeMap::new(),
            faults: Vec::new(),
            unchecked: false,
            altered: Vec::new(),
            missing: Vec::new(),
        };
        match read {
            None => open.faults.push("not a digest file".to_owned()),
            Some(digest) => {
                match digest.verify(file.plain, file.bucket, file.key, file.signature, &self.keys) {
                    Ok(()) => open.expect(&digest, known),
                    Err(Fault::UnknownKey) if self.refused => open.unchecked = true,
                    Err(fault) => open.faults.push(fault.to_string()),
                }
                match digest.follows(last) {
                    Ok(Followed::Chain) => {}
                    Ok(Followed::Gap { previous }) => open.missing.push(previous),
                    Ok(Followed::Anew) => {
                        open.missing.push("the chain begins anew: logging was stopped, or digests were removed".to_owned())
                    }
                    Err(fault) => open.faults.push(fault.to_string()),
                }
            }
        }
        let unread = open.waiting.keys().cloned().collect();
        self.open = Some(open);
        unread
    }

    /// A file was read (its hash), or is not there (`None`). Gives the outcome when it was the last
    /// that the digest under way waits for.
    pub fn settle(&mut self, key: &str, sha256: Option<[u8; 32]>) -> Option<Checked> {
        let open = self.open.as_mut()?;
        if let Some(expected) = open.waiting.remove(key) {
            match sha256 {
                Some(hash) => open.compare(key, &expected, hash),
                None => open.missing.push(key.to_owned()),
            }
        }
        if open.waiting.is_empty() { self.open.take().map(Open::conclude) } else { None }
    }
}

impl Open {
    fn expect(&mut self, digest: &Digest, known: impl Fn(&str) -> Option<[u8; 32]>) {
        self.files = digest.log_files.len();
        for file in &digest.log_files {
            match known(&file.key) {
                Some(hash) => self.compare(&file.key, &file.sha256, hash),
                // A name that is no log file's cannot be fetched: somebody else's list.
                None if super::key::parse(&file.key).is_none() => self.altered.push(file.key.clone()),
                None => {
                    self.waiting.insert(file.key.clone(), file.sha256.clone());
                }
            }
        }
    }

    fn compare(&mut self, key: &str, expected: &str, hash: [u8; 32]) {
        if !hex(&hash).eq_ignore_ascii_case(expected) {
            self.altered.push(key.to_owned());
        }
    }

    fn conclude(self) -> Checked {
        let result = if !self.faults.is_empty() || !self.altered.is_empty() {
            "failed"
        } else if !self.missing.is_empty() {
            "missing"
        } else if self.unchecked {
            "unchecked"
        } else {
            "ok"
        };
        let mut members = vec![("digest", self.key), ("result", result.to_owned()), ("files", self.files.to_string())];
        if !self.faults.is_empty() {
            members.push(("why", self.faults.join("; ")));
        }
        if self.unchecked {
            members
                .push(("why_unchecked", "AWS's public keys were refused: allow cloudtrail:ListPublicKeys or set `public_keys`".to_owned()));
        }
        for (name, files) in [("altered", self.altered), ("missing", self.missing)] {
            if !files.is_empty() {
                let shown = files.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
                let more = files.len().saturating_sub(NAMES_MAX);
                members.push((name, if more == 0 { shown } else { format!("{shown} and {more} more") }));
            }
        }
        Checked { chain: self.chain, link: self.link, note: Note { record: "cloudtrail.digest", members } }
    }
}
