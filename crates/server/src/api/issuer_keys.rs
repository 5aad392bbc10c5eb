//! The public keys of those who sign tokens: given with a connection, or fetched and kept for a while.
//!
//! A fetch that fails is tried again later and later, and meanwhile the keys known stay in use. A
//! token that names an unknown key brings a fetch forward (an issuer changes its keys), but not more
//! often than each minute: a stranger's tokens must not make us knock at the issuer's door.

mod fetch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use evidence::act::ConnectionAct;
use jsonwebtoken::Algorithm;

use crate::access::jws::{JwsError, KeySet, Verified};
use crate::api::error::ApiError;
use crate::api::hook::scheme::text;
use crate::api::state::Api;
use crate::door::secret::Secrets;

/// How long keys are used before they are fetched again.
const FRESH_MS: u64 = 60 * 60 * 1_000;
/// How long they may be used while they cannot be fetched: longer than an issuer's bad day, shorter
/// than a stolen key should be believed.
const STALE_MS: u64 = 24 * 60 * 60 * 1_000;
/// Least time between fetches that an unknown key caused.
const UNKNOWN_KEY_MS: u64 = 60 * 1_000;
/// First and longest pause after a fetch that failed; it doubles from one to the other.
const PAUSE_MS: (u64, u64) = (1_000, 5 * 60 * 1_000);
/// Addresses remembered: one for each connection at most.
const ADDRESSES_MAX: usize = 1_000;

/// Where a connection's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// The set itself: the setting or the secret `jwks`.
    Given(String),
    /// The setting `jwks_url`.
    Url(String),
}

impl KeySource {
    /// What the settings say; `None` if nothing. A set too long for a setting may stand in a file, as
    /// the secret `jwks`.
    pub fn of(act: &ConnectionAct, secrets: Option<&Secrets>) -> Option<Self> {
        let given = text(act, "jwks").map(|set| Self::Given(set.to_owned()));
        let in_file = || Some(Self::Given(secrets?.resolve(act.secrets.get("jwks")?).ok()?.reveal().to_owned()));
        given.or_else(in_file).or_else(|| text(act, "jwks_url").map(|url| Self::Url(url.to_owned())))
    }
}

/// Keys fetched so far, by address.
#[derive(Debug, Default)]
pub struct IssuerKeys(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Kept>>>>);

/// What is known of one address.
#[derive(Debug, Default)]
struct Kept {
    keys: Option<Arc<KeySet>>,
    fetched_at: u64,
    /// Not before.
    next_try: u64,
    failures: u32,
}

impl Kept {
    /// Whether to fetch now; `unknown`: a token named a key that is not there.
    fn is_due(&self, now: u64, unknown: bool) -> bool {
        let age = now.saturating_sub(self.fetched_at);
        let wanted = self.keys.is_none() || age >= FRESH_MS || (unknown && age >= UNKNOWN_KEY_MS);
        wanted && now >= self.next_try
    }

    fn succeeded(&mut self, keys: KeySet, now: u64) {
        *self = Self { keys: Some(Arc::new(keys)), fetched_at: now, next_try: now, failures: 0 };
    }

    fn failed(&mut self, now: u64) {
        let pause = PAUSE_MS.0.saturating_mul(1 << self.failures.min(20)).min(PAUSE_MS.1);
        self.failures = self.failures.saturating_add(1);
        self.next_try = now.saturating_add(pause);
        if now.saturating_sub(self.fetched_at) >= STALE_MS {
            self.keys = None;
        }
    }
}

impl IssuerKeys {
    fn of(&self, url: &str) -> Option<Arc<tokio::sync::Mutex<Kept>>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ADDRESSES_MAX && !known.contains_key(url) {
            // Addresses change with connections; what is not in use is fetched again when it is.
            known.clear();
        }
        Some(Arc::clone(known.entry(url.to_owned()).or_default()))
    }
}

/// Verifies a token's signature with the keys of `source`.
///
/// # Errors
/// The token is not signed by them, or 503 while there are none.
pub async fn verify(
    api: &Arc<Api>,
    connection: &str,
    source: &KeySource,
    token: &str,
    allowed: &[Algorithm],
) -> Result<Verified, ApiError> {
    let url = match source {
        KeySource::Given(set) => {
            let keys = KeySet::parse(set.as_bytes()).map_err(|why| {
                tracing::warn!(connection, %why, "the setting `jwks` of a connection is not usable");
                no_keys()
            })?;
            return Ok(keys.verify(token, allowed)?);
        }
        KeySource::Url(url) => url,
    };
    let keys = keys(api, url, false).await?;
    match keys.verify(token, allowed) {
        Err(JwsError::UnknownKey) => Ok(self::keys(api, url, true).await?.verify(token, allowed)?),
        verified => Ok(verified?),
    }
}

async fn keys(api: &Arc<Api>, url: &str, unknown: bool) -> Result<Arc<KeySet>, ApiError> {
    let kept = api.issuer_keys.of(url).ok_or_else(no_keys)?;
    // Held while one request fetches: the others wait for its answer instead of asking as well.
    let mut kept = kept.lock().await;
    let now = api.clock.now_ms();
    if kept.is_due(now, unknown) {
        let address = url.to_owned();
        let fetched = tokio::task::spawn_blocking(move || fetch::fetch(&address)).await.map_err(|_| ApiError::lost_task())?;
        match fetched.and_then(|bytes| KeySet::parse(&bytes).map_err(|why| why.to_string())) {
            Ok(keys) => kept.succeeded(keys, now),
            Err(why) => {
                tracing::warn!(url, why, "an issuer's keys could not be fetched");
                kept.failed(now);
            }
        }
    }
    kept.keys.clone().ok_or_else(no_keys)
}

fn no_keys() -> ApiError {
    let message = "the keys that sign these tokens are not known here at the moment: send this again later";
    let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "issuer_keys_unknown", message);
    ApiError { retry_after: Some(30), ..error }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn set() -> KeySet {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        KeySet::parse(format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"a","x":"{x}"}}]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn keys_are_fetched_when_there_are_none_when_old_and_for_an_unknown_key_each_minute() {
        let mut kept = Kept::default();
        assert!(kept.is_due(5, false));
        kept.succeeded(set(), 1_000);
        assert!(!kept.is_due(2_000, false) && !kept.is_due(1_000 + UNKNOWN_KEY_MS - 1, true));
        assert!(kept.is_due(1_000 + UNKNOWN_KEY_MS, true) && kept.is_due(1_000 + FRESH_MS, false));
    }

    #[test]
    fn a_fetch_that_fails_is_tried_later_and_later_with_the_keys_known_until_they_are_a_day_old() {
        let mut kept = Kept::default();
        kept.succeeded(set(), 0);
        let mut now = FRESH_MS;
        let mut pauses = Vec::new();
        while kept.keys.is_some() {
            assert!(kept.is_due(now, false));
            kept.failed(now);
            pauses.push(kept.next_try - now);
            assert!(!kept.is_due(kept.next_try - 1, true));
            now = kept.next_try;
        }
        assert_eq!(pauses.get(..3), Some([1_000, 2_000, 4_000].as_slice()));
        assert_eq!(pauses.last(), Some(&PAUSE_MS.1));
        assert!((STALE_MS..STALE_MS + 2 * PAUSE_MS.1).contains(&now));
    }
}
