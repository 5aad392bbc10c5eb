//! Security event tokens, pushed: `POST /v1/ssf/{connection}`, RFC 8935.
//!
//! One SET (RFC 8417) a request, as `application/secevent+jwt`: 202 once it is kept, or 400 with
//! `{"err","description"}`. Raw is the compact token exactly, so that its signature can be checked
//! again for as long as the transmitter's key is known. `jti` is its id.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use evidence::act::ConnectionAct;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::access::jws::{ALGORITHMS, JwsError, Verified};
use crate::access::origin::{Proof, Shown};
use crate::api::answer::bytes;
use crate::api::caller::check_beside;
use crate::api::deliver::{Delivery, Sent, deliver};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::hook::Connection;
use crate::api::hook::scheme::{Misconfigured, check_names, secret, texts};
use crate::api::inert::inert;
use crate::api::issuer_keys::{KeySource, verify};
use crate::api::protocol::refusal;
use crate::api::receive::events_body;
use crate::api::state::Api;
use crate::door::secret::Secrets;
use crate::intake::limits::RECORD_ID_BYTES_MAX;
use crate::intake::{Gathered, Media, decode};

/// The kind of a connection that receives SETs, and its door.
const KIND: &str = "hook.ssf";

/// An error of RFC 8935 §2.4. What is ours or for later keeps its own status, so that it is sent again.
pub fn refuse(why: ApiError) -> Response {
    let err = match why.code {
        "token_issuer" => "invalid_issuer",
        "token_audience" => "invalid_audience",
        "token_key_unknown" | "token_signature" | "token_algorithm" => "invalid_key",
        "proof_missing" | "proof_malformed" | "proof_wrong" | "certificate_required" => "authentication_failed",
        "rate_limited" => "access_denied",
        _ => "invalid_request",
    };
    let again = why.status.is_server_error() || why.status == StatusCode::TOO_MANY_REQUESTS || why.status == StatusCode::NOT_FOUND;
    let status = if again { why.status } else { StatusCode::BAD_REQUEST };
    let body = json!({ "err": err, "description": why.message }).to_string();
    let mut response = refusal(&why, status, "application/json", inert(body.into_bytes()));
    response.headers_mut().insert("content-language", axum::http::HeaderValue::from_static("en"));
    response
}

/// Whether a connection that is about to be set has what a receiver of SETs needs.
///
/// # Errors
/// [`Misconfigured`].
pub fn check(act: &ConnectionAct) -> Result<(), Misconfigured> {
    check_names(act, &["issuer", "audience", "jwks", "jwks_url", "algorithms", "certificate"], &["authorization", "jwks"])?;
    // A set in a file may come later, as a secret may.
    if act.secrets.contains_key("jwks") { Ok(()) } else { Receiver::of(act, None).map(drop) }
}

/// `POST /v1/ssf/{connection}`.
///
/// # Errors
/// When the SET is not kept; counted for the connection's source.
pub async fn receive(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let name = asked.path_part().await?;
    let connection = Connection::find(api, &name, |kind| kind == KIND).inspect_err(|why| api.count_refused(None, why.code, 1))?;
    let answer = keep(api, &connection, asked).await;
    answer.inspect_err(|why| api.count_refused(Some(&connection.source), why.code, 1))
}

async fn keep(api: &Arc<Api>, connection: &Connection, asked: Asked) -> Result<Response, ApiError> {
    let Asked { parts, body, peer } = asked;
    check_beside(&connection.act, &peer)?;
    let receiver = Receiver::of(&connection.act, api.secrets.as_ref()).map_err(|why| why.refuse(&connection.act.name))?;
    receiver.authenticate(api, &connection.act, &parts.headers)?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.split(';').next().is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case("application/secevent+jwt")) {
        return Err(ApiError::bad_request("ssf_media_type", "the Content-Type is not application/secevent+jwt"));
    }
    let received = events_body(body, &parts.headers, &api.limits, &api.memory).await?;
    let token = std::str::from_utf8(&received.bytes).map_err(|_| JwsError::Malformed)?.trim_ascii();
    let verified = verify(api, &connection.act.name, &receiver.keys, token, &receiver.algorithms).await?;
    let jti = receiver.judge(&verified)?;
    let decoded = decode(&received.bytes, Media::TextPlain)?;
    let sent = decoded.events.iter().map(|_| Sent { source: connection.source.clone(), id: Some(jti.to_owned()) }).collect();
    let gathered = Gathered { bytes: received.bytes.clone(), decoded };
    deliver(api, Delivery { door: KIND, kind: "ssf", peer, by: connection.by(), rate: connection.rate(), gathered, sent }).await?;
    let mut response = bytes(StatusCode::ACCEPTED, "application/json", "");
    response.headers_mut().remove(CONTENT_TYPE);
    Ok(response)
}

/// What a connection expects of a SET.
struct Receiver {
    keys: KeySource,
    issuers: Vec<String>,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
}

impl Receiver {
    fn of(act: &ConnectionAct, secrets: Option<&Secrets>) -> Result<Self, Misconfigured> {
        let (issuers, audiences, named) = (texts(act, "issuer"), texts(act, "audience"), texts(act, "algorithms"));
        let keys = KeySource::of(act, secrets).ok_or_else(|| Misconfigured("it needs the setting `jwks` or `jwks_url`".into()))?;
        if issuers.is_empty() || audiences.is_empty() {
            return Err(Misconfigured("it needs the settings `issuer` and `audience`".into()));
        }
        let is_named = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
        let algorithms: Vec<_> = ALGORITHMS.iter().filter(|(name, _)| is_named(name)).map(|(_, algorithm)| *algorithm).collect();
        if algorithms.is_empty() {
            return Err(Misconfigured("`algorithms` names none that is accepted".into()));
        }
        Ok(Self { keys, issuers, audiences, algorithms })
    }

    /// The transmitter's own Authorization, if one was agreed on.
    fn authenticate(&self, api: &Api, act: &ConnectionAct, headers: &axum::http::HeaderMap) -> Result<(), ApiError> {
        let Some(reference) = act.secrets.get("authorization") else {
            return Ok(());
        };
        let secret = secret(reference, api.secrets.as_ref()).map_err(|why| why.refuse(&act.name))?;
        let header = |name: &str| headers.get(name).map(|value| value.as_bytes());
        let proof = Proof::Static { header: "authorization".into() };
        Ok(proof.check(&[secret], &Shown { header: &header, body: b"", now_ms: api.clock.now_ms() })?)
    }

    /// Judges the claims and gives the SET's id.
    fn judge<'a>(&self, set: &'a Verified) -> Result<&'a str, ApiError> {
        set.check_issuer(&self.issuers)?;
        set.check_audience(&self.audiences)?;
        let typ = set.typ.as_deref().map(str::to_ascii_lowercase);
        if typ.is_some_and(|typ| typ.strip_prefix("application/").unwrap_or(&typ) != "secevent+jwt") {
            return Err(ApiError::bad_request("ssf_not_a_set", "the token's `typ` is not `secevent+jwt`"));
        }
        // Without it, any token of the issuer would do: an access token is no event.
        if set.claims.get("events").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty) {
            return Err(ApiError::bad_request("ssf_not_a_set", "the token has no claim `events`: it is no security event token"));
        }
        let jti = set.text("jti").filter(|jti| (1..=RECORD_ID_BYTES_MAX).contains(&jti.len()));
        jti.ok_or_else(|| ApiError::bad_request("ssf_no_jti", "the token has no claim `jti` of 1 to 512 bytes"))
    }
}
