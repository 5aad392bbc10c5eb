//! How far a bucket has been read: the cursor of a CloudTrail connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::door::poll::cloudtrail::digest::Link;
use crate::door::poll::cloudtrail::key::Stream;

const MINUTE_MS: u64 = 60_000;

/// Kept as JSON. A stream takes about 25 bytes and a chain of digests about 230, so the 64 KiB of a
/// cursor hold some hundred accounts and regions; more are split over connections by account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    v: u8,
    /// By account and region: minutes since 1970 of the newest file taken.
    #[serde(default)]
    streams: BTreeMap<String, BTreeMap<String, u64>>,
    /// By chain: the newest digest checked.
    #[serde(default)]
    digests: BTreeMap<String, Link>,
}

impl Place {
    /// The place a cursor tells; the beginning if it tells none.
    #[must_use]
    pub fn of(cursor: Option<&str>) -> Self {
        let kept = cursor.and_then(|cursor| serde_json::from_str::<Self>(cursor).ok()).filter(|place| place.v == 1);
        kept.unwrap_or(Self { v: 1, ..Self::default() })
    }

    /// The cursor for this place.
    #[must_use]
    pub fn cursor(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    /// When the newest file taken of a stream was delivered, ms.
    #[must_use]
    pub fn of_stream(&self, stream: &Stream) -> Option<u64> {
        Some(self.streams.get(&stream.account)?.get(&stream.region)?.saturating_mul(MINUTE_MS))
    }

    /// A file delivered at `ms` was taken; false when that changes nothing.
    pub fn took(&mut self, stream: &Stream, ms: u64) -> bool {
        let regions = self.streams.entry(stream.account.clone()).or_default();
        let at = regions.entry(stream.region.clone()).or_default();
        let moved = ms / MINUTE_MS > *at;
        *at = (*at).max(ms / MINUTE_MS);
        moved
    }

    /// The newest digest of a chain.
    #[must_use]
    pub fn link(&self, chain: &str) -> Option<&Link> {
        self.digests.get(chain)
    }

    /// A digest was checked.
    pub fn linked(&mut self, chain: &str, link: Link) {
        self.digests.insert(chain.to_owned(), link);
    }
}
