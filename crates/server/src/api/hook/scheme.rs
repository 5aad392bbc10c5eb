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

/// A connection's settings or secrets are not what its kind needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; see docs/CONNECT.md")]
pub struct Misconfigured(pub String);

impl Misconfigured {
    /// 503, so that the vendor tries again later. What is wrong stands in the log of the server, not in
    /// the answer to a stranger.
    pub fn refuse(&self, connection: &str) -> ApiError {
        tracing::warn!(connection, why = self.0, "a connection is not usable");
        let message = "this connection is not set up: its administrator finds the reason in the server's log";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "connection_unusable", message)
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Misconfigured> {
    Err(Misconfigured(why.into()))
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
    /// [`Misconfigured`].
    pub fn of(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Self, Misconfigured> {
        let (door, scheme, proof) = form(act, secrets)?;
        let secrets = if matches!(scheme, Scheme::PubSub(_)) { Vec::new() } else { shared(act, secrets)? };
        Ok(Self { door, scheme, proof, secrets })
    }

    /// Whether a connection that is about to be set has what its kind needs. Secrets are not read: they may
    /// come later.
    ///
    /// # Errors
    /// [`Misconfigured`]; for a name nobody reads as well, since a typo there makes a proof a weaker one.
    pub fn check(act: &ConnectionAct) -> Result<(), Misconfigured> {
        let (_, scheme, proof) = form(act, None)?;
        let (settings, secrets): (&[&str], &[&str]) = match (&scheme, &proof) {
            (Scheme::PubSub(_), _) => (&["audience", "service_account", "issuer", "jwks", "jwks_url", "certificate"], &["jwks"]),
            (Scheme::Plain { .. }, Proof::Static { .. }) => (&["header", "unwrap", "id_header", "certificate"], &SECRETS),
            (Scheme::Plain { .. }, Proof::Hmac(_)) => (
                &[
                    "header",
                    "algorithm",
                    "prefix",
                    "encoding",
                    "timestamp_header",
                    "signed",
                    "window_s",
                    "unwrap",
                    "id_header",
                    "certificate",
                ],
                &SECRETS,
            ),
            _ => (&["certificate"], &SECRETS),
        };
        check_names(act, settings, secrets)?;
        let needs_secret = !matches!(scheme, Scheme::PubSub(_));
        if needs_secret && !act.secrets.contains_key("secret") { wrong("it needs the secret `secret`") } else { Ok(()) }
    }
}

/// Names of a shared secret, the one in use and the one before it.
const SECRETS: [&str; 2] = ["secret", "secret_previous"];

/// Whether settings and secrets have no other names.
///
/// # Errors
/// [`Misconfigured`] that names the first.
pub fn check_names(act: &ConnectionAct, settings: &[&str], secrets: &[&str]) -> Result<(), Misconfigured> {
    if let Some(name) = act.settings.keys().find(|name| !settings.contains(&name.as_str())) {
        return wrong(format!("{} has no setting `{name}`, only {settings:?}", act.kind));
    }
    if act.settings.contains_key("certificate") && texts(act, "certificate").is_empty() {
        return wrong("`certificate` is not a pattern of names, or several");
    }
    match act.secrets.keys().find(|name| !secrets.contains(&name.as_str())) {
        Some(name) => wrong(format!("{} has no secret `{name}`, only {secrets:?}", act.kind)),
        None => Ok(()),
    }
}

fn form(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<(&'static str, Scheme, Proof), Misconfigured> {
    let fixed = |header: &str| Proof::Static { header: header.to_ascii_lowercase() };
    let in_authorization = || fixed("authorization");
    let in_any = || fixed(text(act, "header").unwrap_or("authorization"));
    Ok(match act.kind.as_str() {
        "hook.okta" => ("hook.okta", Scheme::Okta, in_authorization()),
        "hook.github" => ("hook.github", Scheme::GitHub, Proof::github()),
        "hook.slack" => ("hook.slack", Scheme::Slack, Proof::slack()),
        "hook.auth0" => ("hook.auth0", Scheme::Auth0, in_authorization()),
        "hook.google" => ("hook.google", Scheme::Google, fixed("x-goog-channel-token")),
        "hook.pubsub" => ("hook.pubsub", Scheme::PubSub(PubSub::of(act, secrets)?), in_authorization()),
        "hook.keycloak" => ("hook.keycloak", plain(act), in_any()),
        "hook.bearer" => ("hook.bearer", plain(act), in_any()),
        "hook.hmac" => ("hook.hmac", plain(act), Proof::Hmac(hmac(act)?)),
        _ => return wrong("there is no such kind of hook"),
    })
}

/// The secret now and the one before it, while the vendor changes over.
fn shared(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Vec<SharedSecret>, Misconfigured> {
    let Some(reference) = act.secrets.get("secret") else {
        return wrong("it has no secret called `secret`");
    };
    let mut shared = vec![secret(reference, secrets)?];
    if let Some(previous) = act.secrets.get("secret_previous") {
        shared.push(secret(previous, secrets)?);
    }
    Ok(shared)
}

/// The secret behind a reference.
///
/// # Errors
/// [`Misconfigured`] when it cannot be had.
pub fn secret(reference: &SecretReference, secrets: Option<&Secrets>) -> Result<SharedSecret, Misconfigured> {
    match secrets.map(|secrets| secrets.resolve(reference)) {
        Some(Ok(secret)) => SharedSecret::new(secret.reveal().as_bytes()).ok_or_else(|| Misconfigured("a secret is empty".into())),
        Some(Err(why)) => wrong(why.to_string()),
        None => wrong("this server was started without a place for secrets"),
    }
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

fn hmac(act: &ConnectionAct) -> Result<HmacProof, Misconfigured> {
    let header = text(act, "header").ok_or_else(|| Misconfigured("the setting `header` is missing".into()))?.to_ascii_lowercase();
    let hash = match text(act, "algorithm").unwrap_or("sha256") {
        "sha1" => HmacHash::Sha1,
        "sha256" => HmacHash::Sha256,
        "sha512" => HmacHash::Sha512,
        _ => return wrong("`algorithm` is none of sha1, sha256, sha512"),
    };
    let encoding = match text(act, "encoding").unwrap_or("hex") {
        "hex" => HmacEncoding::Hex,
        "base64" => HmacEncoding::Base64,
        _ => return wrong("`encoding` is neither hex nor base64"),
    };
    let timestamp = text(act, "timestamp_header").map(|header| timestamp(act, header)).transpose()?;
    Ok(HmacProof { header, prefix: text(act, "prefix").unwrap_or_default().to_owned(), hash, encoding, timestamp })
}

/// `signed` is what the vendor signs: `{timestamp}.{body}` unless it says otherwise.
fn timestamp(act: &ConnectionAct, header: &str) -> Result<Timestamp, Misconfigured> {
    let signed = text(act, "signed").unwrap_or("{timestamp}.{body}");
    let parts = signed.strip_suffix("{body}").and_then(|signed| signed.split_once("{timestamp}"));
    let (before, between) = parts.ok_or_else(|| Misconfigured("`signed` is not like `{timestamp}.{body}`".into()))?;
    let window_s = match act.settings.get("window_s") {
        None => 300,
        Some(Setting::Integer(seconds)) => {
            u64::try_from(*seconds).map_err(|_| Misconfigured("`window_s` is not a number of seconds".into()))?
        }
        Some(_) => return wrong("`window_s` is not a number of seconds"),
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
    fn of(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Self, Misconfigured> {
        let audiences = texts(act, "audience");
        let account = text(act, "service_account");
        let (false, Some(account)) = (audiences.is_empty(), account) else {
            return wrong("it needs the settings `audience` and `service_account`");
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
