//! Who brings events: the holder of an API key, or of a client certificate that a connection knows.
//!
//! A connection of the kind `client.certificate` says which certificates speak for its source:
//!
//! - setting `certificate`: patterns of names, one of which one of the certificate's must fit;
//! - setting `sender`: the range of addresses it must come from;
//! - setting `required`: whether a key alone no longer does for that source.
//!
//! A certificate is then good for what a key bound to those sources is: to send from them, never to
//! read or to change anything. Who shows a key is judged by the key, whatever certificate he has.

use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use evidence::act::{ConnectionAct, Setting};
use evidence::fold::TrailState;

use crate::access::{Credential, HeaderError, KeyId, Scope};
use crate::api::auth::authorize;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::hook::scheme::{Misconfigured, check_names, text, texts};
use crate::api::route::Needs;
use crate::api::state::Api;
use crate::door::{By, Peer};
use crate::intake::{SourceName, SourceRule, Wildcard};

/// The kind of a connection that knows client certificates.
pub const KIND: &str = "client.certificate";

#[derive(Debug)]
enum Shown {
    Key(Credential),
    Certificate(String),
}

/// Somebody who may bring events. Made from what a request shows.
#[derive(Debug)]
pub struct Caller {
    shown: Shown,
    /// The sources he may send events from; empty: all.
    sources: Vec<String>,
    /// Sources that need a certificate which he does not have.
    closed: Vec<String>,
}

impl Caller {
    /// Who sends this request.
    ///
    /// # Errors
    /// 401 for nobody that is known, 403 for a key that may not send; counted.
    pub fn of(api: &Api, asked: &Asked) -> Result<Self, ApiError> {
        let view = api.trail.view();
        let known = Known::by(&view.state, &asked.peer);
        match asked.peer.names.first() {
            Some(name) if !asked.parts.headers.contains_key(AUTHORIZATION) => {
                if known.sources.is_empty() {
                    api.count_refused(None, "certificate_unknown", 1);
                    return Err(unknown(name));
                }
                Ok(Self { shown: Shown::Certificate(name.clone()), sources: known.sources, closed: known.closed })
            }
            _ => {
                let key = authorize(api, Needs::Key(Scope::Ingest), &asked.parts.headers)?.ok_or(HeaderError::Missing)?;
                Ok(Self::with_key(key, known.closed))
            }
        }
    }

    fn with_key(key: Credential, closed: Vec<String>) -> Self {
        Self { sources: key.sources().to_vec(), shown: Shown::Key(key), closed }
    }

    /// The holder of a key where no source needs a certificate.
    #[cfg(test)]
    pub fn holding(key: Credential) -> Self {
        Self::with_key(key, Vec::new())
    }

    /// Sources that he is bound to; empty: all.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Whether he may send events from `source`.
    ///
    /// # Errors
    /// 403, which says what is missing.
    pub fn check(&self, source: &SourceName) -> Result<(), ApiError> {
        let named = source.as_str();
        let (code, message) = match &self.shown {
            _ if self.closed.iter().any(|closed| closed == named) => (
                "certificate_required",
                format!("events of the source `{source}` need a client certificate that its connection of the kind {KIND} names"),
            ),
            Shown::Key(key) if key.may_ingest(named) => return Ok(()),
            Shown::Key(_) => (
                "source_not_allowed",
                format!("this key may not send events of the source `{source}`: use a key with the scope `ingest` for it"),
            ),
            Shown::Certificate(_) if self.sources.iter().any(|allowed| allowed == named) => return Ok(()),
            Shown::Certificate(_) => (
                "source_not_allowed",
                format!("this client certificate may not send events of the source `{source}`: set a connection of the kind {KIND} for it"),
            ),
        };
        Err(ApiError::new(StatusCode::FORBIDDEN, code, message))
    }

    /// On whose behalf his events come.
    pub fn by(&self) -> By {
        match &self.shown {
            Shown::Key(key) => By::Key(key.key_id()),
            Shown::Certificate(name) => By::Certificate(name.clone()),
        }
    }

    /// What his rate is counted under.
    pub fn rate(&self) -> KeyId {
        match &self.shown {
            Shown::Key(key) => key.key_id(),
            Shown::Certificate(name) => rate_of("certificate", name),
        }
    }
}

/// What the rate of somebody without a key is counted under.
pub fn rate_of(kind: &str, name: &str) -> KeyId {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{kind} {name}").as_bytes());
    KeyId(hash.as_ref().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes)))
}

/// What all connections together say of one sender.
#[derive(Default)]
struct Known {
    sources: Vec<String>,
    closed: Vec<String>,
}

impl Known {
    fn by(state: &TrailState, peer: &Peer) -> Self {
        let mut known = Self::default();
        let mut required = Vec::new();
        for act in state.connections.values().map(|entry| &entry.act).filter(|act| act.enabled && act.kind == KIND) {
            let Some(source) = state.sources.get(&act.source).map(|source| source.name.clone()) else { continue };
            // What cannot be read fits nobody, and still requires what it says it does.
            let rules = source.parse().map_err(|_| Misconfigured("its source has no valid name".into())).and_then(|name| rules(act, &name));
            let rules = rules.inspect_err(|why| tracing::warn!(connection = act.name, why = why.0, "a connection is not usable"));
            if rules.unwrap_or_default().iter().any(|rule| rule.fits_sender(peer.sender())) {
                known.sources.push(source.clone());
            }
            if is_required(act) {
                required.push(source);
            }
        }
        known.sources.sort_unstable();
        known.sources.dedup();
        required.retain(|source| !known.sources.contains(source));
        known.closed = required;
        known
    }
}

fn is_required(act: &ConnectionAct) -> bool {
    // A word of another type was refused when it was set; should it be there, it asks for something.
    !matches!(act.settings.get("required"), None | Some(Setting::Switch(false)))
}

/// One rule for each pattern.
fn rules(act: &ConnectionAct, source: &SourceName) -> Result<Vec<SourceRule>, Misconfigured> {
    let sender = text(act, "sender").map(|range| range.parse().map_err(|why| Misconfigured(format!("`sender` is {why}")))).transpose()?;
    let rule =
        |pattern: String| SourceRule { sender, certificate: Some(Wildcard::new(&pattern)), host: None, app: None, source: source.clone() };
    Ok(texts(act, "certificate").into_iter().map(rule).collect())
}

/// Whether a connection that is about to be set says which certificates it knows.
///
/// # Errors
/// [`Misconfigured`].
pub fn check(act: &ConnectionAct, source: &SourceName) -> Result<(), Misconfigured> {
    check_names(act, &["certificate", "sender", "required"], &[])?;
    if !matches!(act.settings.get("required"), None | Some(Setting::Switch(_))) {
        return Err(Misconfigured("`required` is neither true nor false".into()));
    }
    if act.settings.contains_key("sender") && text(act, "sender").is_none() {
        return Err(Misconfigured("`sender` is not one address or range".into()));
    }
    if rules(act, source)?.is_empty() {
        return Err(Misconfigured("it needs the setting `certificate`: a pattern of a name in the certificate, or several".into()));
    }
    Ok(())
}

/// Whether a sender shows a certificate that a webhook's setting `certificate` asks for beside its own proof.
///
/// # Errors
/// 401.
pub fn check_beside(act: &ConnectionAct, peer: &Peer) -> Result<(), ApiError> {
    if !act.settings.contains_key("certificate") {
        return Ok(());
    }
    let patterns: Vec<_> = texts(act, "certificate").iter().map(|pattern| Wildcard::new(pattern)).collect();
    if peer.names.iter().any(|name| patterns.iter().any(|pattern| pattern.fits(name.as_bytes()))) {
        return Ok(());
    }
    let message = "this connection needs a client certificate with a name that its setting `certificate` asks for";
    Err(ApiError::new(StatusCode::UNAUTHORIZED, "certificate_required", message))
}

fn unknown(name: &str) -> ApiError {
    let message = format!(
        "no key was shown, and no connection of the kind {KIND} knows the client certificate {name:?}: set one, or send \
         `Authorization: Bearer <API key>`"
    );
    ApiError::new(StatusCode::UNAUTHORIZED, "certificate_unknown", message)
}
