//! From a connection's settings to how its requests are proven and opened.

use std::sync::Arc;

use axum::http::StatusCode;
use evidence::act::{ConnectionAct, SecretReference, Setting};

use crate::access::jws::{ALGORITHMS, JwsError};
use crate::access::origin::{HmacEncoding, HmacHash, HmacProof, Proof, SharedSecret, Timestamp};
use crate::api::error::ApiError;
use crate::api::issuer_keys::{KeySource, verify};
use crate::api::state::Api;
use crate::door::secret::Secrets;

/// Which vendor's way a hook has.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// `{"data":{"events":[…]}}`, a static Authorization.
    Okta,
    /// `X-Hub-Signature-256`; the body is one event.
    GitHub,
    /// `X-Slack-Signature`; events one by one, or `{"entries":[…]}`.
    Slack,
    /// A static Authorization; lines, an array or one object.
    Auth0,
    /// `X-Goog-Channel-Token`.
    Google,
    /// A token signed by Google.
    PubSub(PubSub),
    /// What the settings say.
    Plain {
        /// Member whose array holds the events.
        unwrap: Option<String>,
        /// Header with an id of the request.
        id_header: Option<String>,
    },
}

impl Scheme {
    /// Members of an event that hold its id, the first there is.
    pub fn id_members(&self) -> &'static [&'static str] {
        match self {
            Self::Okta => &["uuid"],
            Self::Slack => &["event_id", "id"],
            Self::Auth0 => &["log_id"],
            _ => &[],
        }
    }
}

/// A hook ready for its requests.
#[derive(Debug)]
pub struct Hook {
    /// Its door in envelopes.
    pub door: &'static str,
    /// How a body is opened.
    pub scheme: Scheme,
    /// How a request proves its origin; not looked at for Pub/Sub.
    pub proof: Proof,
    /// What it is proven with.
    pub secrets: Vec<SharedSecret>,
}

impl Hook {
    /// Reads a connection's settings and secrets.
    ///
    /// # Errors
    /// 503: the connection is set wrongly here, and its vendor should try again later.
    pub fn of(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Self, ApiError> {
        let fixed = |header: &str| Proof::Static { header: header.to_owned() };
        let in_authorization = || fixed("authorization");
        let (door, scheme, proof) = match act.kind.as_str() {
            "hook.okta" => ("hook.okta", Scheme::Okta, in_authorization()),
            "hook.github" => ("hook.github", Scheme::GitHub, Proof::github()),
            "hook.slack" => ("hook.slack", Scheme::Slack, Proof::slack()),
            "hook.auth0" => ("hook.auth0", Scheme::Auth0, in_authorization()),
            "hook.google" => ("hook.google", Scheme::Google, fixed("x-goog-channel-token")),
            "hook.pubsub" => {
                let scheme = Scheme::PubSub(PubSub::of(act, secrets)?);
                return Ok(Self { door: "hook.pubsub", scheme, proof: in_authorization(), secrets: Vec::new() });
            }
            "hook.keycloak" => ("hook.keycloak", plain(act), fixed(text(act, "header").unwrap_or("authorization"))),
            "hook.bearer" => ("hook.bearer", plain(act), fixed(text(act, "header").unwrap_or("authorization"))),
            "hook.hmac" => ("hook.hmac", plain(act), Proof::Hmac(hmac(act)?)),
            _ => return Err(misconfigured(act, "there is no such kind of hook; see docs/CONNECT.md")),
        };
        Ok(Self { door, scheme, proof, secrets: shared(act, secrets)? })
    }
}

/// The secret now and the one before it, while the vendor changes over.
fn shared(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Vec<SharedSecret>, ApiError> {
    let reference = act.secrets.get("secret").ok_or_else(|| misconfigured(act, "it has no secret called `secret`"))?;
    let mut shared = vec![secret(act, reference, secrets)?];
    if let Some(previous) = act.secrets.get("secret_previous") {
        shared.push(secret(act, previous, secrets)?);
    }
    Ok(shared)
}

/// The secret behind a reference.
///
/// # Errors
/// 503 when it cannot be had.
pub fn secret(act: &ConnectionAct, reference: &SecretReference, secrets: Option<&Secrets>) -> Result<SharedSecret, ApiError> {
    let found = secrets.map(|secrets| secrets.resolve(reference));
    match found {
        Some(Ok(secret)) => SharedSecret::new(secret.reveal().as_bytes()).ok_or_else(|| misconfigured(act, "a secret is empty")),
        Some(Err(why)) => Err(misconfigured(act, &why.to_string())),
        None => Err(misconfigured(act, "this server was started without a place for secrets")),
    }
}

/// 503: what is wrong stands in the log of the server, not in the answer to a stranger.
pub fn misconfigured(act: &ConnectionAct, why: &str) -> ApiError {
    tracing::warn!(connection = act.name, why, "a connection is not usable");
    let message = "this connection is not set up: its administrator finds the reason in the server's log";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "connection_unusable", message)
}

/// A setting that is a text.
pub fn text<'a>(act: &'a ConnectionAct, name: &str) -> Option<&'a str> {
    match act.settings.get(name) {
        Some(Setting::Text(text)) => Some(text),
        _ => None,
    }
}

/// A setting that is one text or several.
pub fn texts(act: &ConnectionAct, name: &str) -> Vec<String> {
    match act.settings.get(name) {
        Some(Setting::Text(text)) => vec![text.clone()],
        Some(Setting::List(texts)) => texts.clone(),
        _ => Vec::new(),
    }
}

fn plain(act: &ConnectionAct) -> Scheme {
    Scheme::Plain { unwrap: text(act, "unwrap").map(Into::into), id_header: text(act, "id_header").map(str::to_ascii_lowercase) }
}

fn hmac(act: &ConnectionAct) -> Result<HmacProof, ApiError> {
    let header = text(act, "header").ok_or_else(|| misconfigured(act, "the setting `header` is missing"))?.to_ascii_lowercase();
    let hash = match text(act, "algorithm").unwrap_or("sha256") {
        "sha1" => HmacHash::Sha1,
        "sha256" => HmacHash::Sha256,
        "sha512" => HmacHash::Sha512,
        _ => return Err(misconfigured(act, "`algorithm` is none of sha1, sha256, sha512")),
    };
    let encoding = match text(act, "encoding").unwrap_or("hex") {
        "hex" => HmacEncoding::Hex,
        "base64" => HmacEncoding::Base64,
        _ => return Err(misconfigured(act, "`encoding` is neither hex nor base64")),
    };
    let timestamp = text(act, "timestamp_header").map(|header| timestamp(act, header)).transpose()?;
    Ok(HmacProof { header, prefix: text(act, "prefix").unwrap_or_default().to_owned(), hash, encoding, timestamp })
}

/// `signed` is what the vendor signs: `{timestamp}.{body}` unless it says otherwise.
fn timestamp(act: &ConnectionAct, header: &str) -> Result<Timestamp, ApiError> {
    let signed = text(act, "signed").unwrap_or("{timestamp}.{body}");
    let parts = signed.strip_suffix("{body}").and_then(|signed| signed.split_once("{timestamp}"));
    let (before, between) = parts.ok_or_else(|| misconfigured(act, "`signed` is not like `{timestamp}.{body}`"))?;
    let window_s = match act.settings.get("window_s") {
        None => 300,
        Some(Setting::Integer(seconds)) => {
            u64::try_from(*seconds).map_err(|_| misconfigured(act, "`window_s` is not a number of seconds"))?
        }
        Some(_) => return Err(misconfigured(act, "`window_s` is not a number of seconds")),
    };
    Ok(Timestamp { header: header.to_ascii_lowercase(), window_s, before: before.to_owned(), between: between.to_owned() })
}

/// Who may push.
#[derive(Clone, Debug)]
pub struct PubSub {
    keys: KeySource,
    issuers: Vec<String>,
    audiences: Vec<String>,
    service_account: String,
}

/// Where Google publishes the keys that sign its tokens.
const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";

impl PubSub {
    fn of(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Self, ApiError> {
        let audiences = texts(act, "audience");
        let account = text(act, "service_account");
        let (false, Some(account)) = (audiences.is_empty(), account) else {
            return Err(misconfigured(act, "it needs the settings `audience` and `service_account`"));
        };
        let issuers = match texts(act, "issuer") {
            given if given.is_empty() => vec!["https://accounts.google.com".into(), "accounts.google.com".into()],
            given => given,
        };
        let keys = KeySource::of(act, secrets).unwrap_or_else(|| KeySource::Url(GOOGLE_KEYS.into()));
        Ok(Self { keys, issuers, audiences, service_account: account.to_owned() })
    }

    /// Whether the token in `Authorization` is Google's, for us, in the name of our service account.
    ///
    /// # Errors
    /// 401, or 503 while the keys cannot be had.
    pub async fn prove(&self, api: &Arc<Api>, connection: &str, authorization: Option<&[u8]>) -> Result<(), ApiError> {
        let value = authorization.and_then(|value| std::str::from_utf8(value).ok()).unwrap_or_default();
        let token =
            value.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer ")).map(|(_, token)| token.trim_ascii());
        let token = token.ok_or(crate::access::origin::ProofError::Missing)?;
        let allowed: Vec<_> = ALGORITHMS.iter().map(|(_, algorithm)| *algorithm).collect();
        let verified = verify(api, connection, &self.keys, token, &allowed).await?;
        verified.check_issuer(&self.issuers)?;
        verified.check_audience(&self.audiences)?;
        verified.check_time(api.clock.now_ms(), true)?;
        let named = verified.text("email") == Some(&self.service_account);
        let sure = verified.claims.get("email_verified").and_then(serde_json::Value::as_bool) == Some(true);
        if named && sure { Ok(()) } else { Err(JwsError::Audience.into()) }
    }
}
