//! Vendors' webhooks: `POST /v1/hooks/{connection}`.
//!
//! A webhook has no API key. Its connection (an act of kind `hook.<scheme>`) says which proof of
//! origin its vendor sends and which source the events are; the secret is found where the act's
//! reference says. A request that does not prove its origin is counted and never kept.
//!
//! A vendor's handshake is answered and is no event: Okta's challenge, Slack's `url_verification`,
//! GitHub's `ping`, Google's `sync`.

pub mod scheme;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use evidence::act::ConnectionAct;
use serde_json::json;

use self::scheme::{Hook, Scheme};
use crate::access::KeyId;
use crate::access::jws::JwsError;
use crate::access::origin::{Proof, ProofError, Shown};
use crate::api::answer::{bytes, json as json_answer};
use crate::api::caller::{check_beside, rate_of};
use crate::api::deliver::{Delivery, Sent, deliver};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::receive::{Received, events_body};
use crate::api::state::Api;
use crate::door::{By, UNKNOWN_KIND};
use crate::intake::limits::RECORD_ID_BYTES_MAX;
use crate::intake::pubsub::PushError;
use crate::intake::wrapper::{text_at, unwrap};
use crate::intake::{Gathered, Media, SourceName, decode, pubsub};
use crate::log::sequencer::Outcome;

/// Characters of a challenge that is sent back. Okta's has some 40.
const CHALLENGE_CHARS_MAX: usize = 1_024;

/// A connection in use, with the name of its source.
pub struct Connection {
    /// What its act says.
    pub act: ConnectionAct,
    /// Its source.
    pub source: SourceName,
}

impl Connection {
    /// The connection called `name` whose kind begins with `kind`.
    ///
    /// # Errors
    /// 404 when there is none, or it is not in use.
    pub fn find(api: &Api, name: &str, is: impl Fn(&str) -> bool) -> Result<Self, ApiError> {
        let view = api.trail.view();
        let entry = view.state.connections.get(name).filter(|entry| entry.act.enabled && is(&entry.act.kind));
        let found = entry.and_then(|entry| Some((entry, view.state.sources.get(&entry.act.source)?.name.parse().ok()?)));
        let (entry, source) = found.ok_or_else(|| {
            ApiError::not_found("no_such_connection", "there is no connection of this name in use: an administrator sets one first")
        })?;
        Ok(Self { act: entry.act.clone(), source })
    }

    /// What its rate is counted under.
    pub fn rate(&self) -> KeyId {
        rate_of("connection", &self.act.name)
    }

    /// On whose behalf its events come.
    pub fn by(&self) -> By {
        By::Connection(self.act.name.clone())
    }
}

/// `GET /v1/hooks/{connection}`: Okta asks once whether the address is ours.
///
/// # Errors
/// No such connection, or no challenge.
pub async fn challenge(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let name = asked.path_part().await?;
    Connection::find(api, &name, |kind| kind == "hook.okta")?;
    let challenge = header(&asked.parts.headers, "x-okta-verification-challenge").and_then(|value| std::str::from_utf8(value).ok());
    match challenge.filter(|challenge| (1..=CHALLENGE_CHARS_MAX).contains(&challenge.len())) {
        Some(challenge) => Ok(json_answer(StatusCode::OK, &json!({ "verification": challenge }))),
        None => Err(ApiError::bad_request("challenge_missing", "the header `X-Okta-Verification-Challenge` is missing or too long")),
    }
}

/// `POST /v1/hooks/{connection}`.
///
/// # Errors
/// When nothing is kept; counted for the connection's source.
pub async fn receive(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let name = asked.path_part().await?;
    let is_hook = |kind: &str| kind.starts_with("hook.") && kind != "hook.ssf";
    let connection = Connection::find(api, &name, is_hook).inspect_err(|why| api.count_refused(None, why.code, 1))?;
    let answer = keep(api, &connection, asked).await;
    answer.inspect_err(|why| api.count_refused(Some(&connection.source), why.code, 1))
}

async fn keep(api: &Arc<Api>, connection: &Connection, asked: Asked) -> Result<Response, ApiError> {
    let Asked { parts, body, peer } = asked;
    check_beside(&connection.act, &peer)?;
    let hook = Hook::of(&connection.act, api.secrets.as_ref()).map_err(|why| why.refuse(&connection.act.name))?;
    let received = prove(api, &connection.act.name, &hook, &parts, body).await?;
    if let Some(answer) = handshake(&hook.scheme, &parts.headers, &received.bytes) {
        return Ok(answer);
    }
    let (gathered, id) = open(&hook.scheme, &parts.headers, &received.bytes)?;
    let sent = sent(&hook.scheme, &connection.source, &gathered, id);
    let too_deep = gathered.decoded.refused.len();
    let delivery = Delivery { door: hook.door, kind: UNKNOWN_KIND, peer, by: connection.by(), rate: connection.rate(), gathered, sent };
    let outcomes = deliver(api, delivery).await?;
    api.count_refused(Some(&connection.source), "too_deep", too_deep as u64);
    if outcomes.is_empty() && too_deep > 0 {
        return Err(ApiError::bad_request("too_deep", "every event of the request is nested deeper than 64 levels"));
    }
    Ok(answer(&hook.scheme, &outcomes))
}

/// Reads the body and checks that it is from the vendor. Where the proof does not depend on the body, a
/// stranger's is not even read.
async fn prove(api: &Arc<Api>, name: &str, hook: &Hook, parts: &Parts, body: Body) -> Result<Received, ApiError> {
    let header = |name: &str| header(&parts.headers, name);
    let check = |body: &[u8]| hook.proof.check(&hook.secrets, &Shown { header: &header, body, now_ms: api.clock.now_ms() });
    match (&hook.scheme, &hook.proof) {
        (Scheme::PubSub(push), _) => push.prove(api, name, header("authorization")).await?,
        (_, Proof::Static { .. }) => check(b"")?,
        (_, Proof::Hmac(_)) => {
            let received = events_body(body, &parts.headers, &api.limits, &api.memory).await?;
            check(&received.bytes)?;
            return Ok(received);
        }
    }
    events_body(body, &parts.headers, &api.limits, &api.memory).await
}

/// The value of a header that stands there once.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let (first, None) = (values.next()?, values.next()) else {
        return None;
    };
    Some(first.as_bytes())
}

fn handshake(scheme: &Scheme, headers: &HeaderMap, body: &[u8]) -> Option<Response> {
    let done = || json_answer(StatusCode::OK, &json!({ "kept": 0 }));
    match scheme {
        Scheme::Slack if text_at(body, &["type"]).as_deref() == Some("url_verification") => {
            let challenge = text_at(body, &["challenge"]).filter(|challenge| challenge.len() <= CHALLENGE_CHARS_MAX)?;
            Some(json_answer(StatusCode::OK, &json!({ "challenge": challenge })))
        }
        Scheme::GitHub if header(headers, "x-github-event") == Some(b"ping") => Some(done()),
        Scheme::Google if header(headers, "x-goog-resource-state") == Some(b"sync") => Some(done()),
        _ => None,
    }
}

/// The events in a body, and an id for the request if its vendor gives one.
fn open(scheme: &Scheme, headers: &HeaderMap, body: &bytes::Bytes) -> Result<(Gathered, Option<Box<str>>), ApiError> {
    let path: &[&str] = match scheme {
        Scheme::Okta => &["data", "events"],
        Scheme::Slack => &["entries"],
        Scheme::PubSub(_) => {
            let pushed = pubsub::decode(body)?;
            return Ok((pushed.gathered, pushed.id));
        }
        Scheme::Plain { unwrap: Some(member), .. } => &[member.as_str()],
        _ => &[],
    };
    let unwrapped = if path.is_empty() { None } else { unwrap(body, path)? };
    let gathered = match unwrapped {
        Some(gathered) => gathered,
        None if matches!(scheme, Scheme::GitHub) => single(body)?,
        None => Gathered { bytes: body.clone(), decoded: decode(body, Media::Any)? },
    };
    let name = match scheme {
        Scheme::GitHub => Some("x-github-delivery"),
        Scheme::Plain { id_header, .. } => id_header.as_deref(),
        _ => None,
    };
    let id = name.and_then(|name| std::str::from_utf8(header(headers, name)?).ok()).map(Into::into);
    Ok((gathered, id))
}

/// The whole body as one event, whatever is in it: GitHub signs it as it is.
fn single(body: &bytes::Bytes) -> Result<Gathered, ApiError> {
    let (gathered, _) = crate::intake::bulk::document(body)?;
    Ok(gathered)
}

fn sent(scheme: &Scheme, source: &SourceName, gathered: &Gathered, id: Option<Box<str>>) -> Vec<Sent> {
    let fits = |id: &str| (1..=RECORD_ID_BYTES_MAX).contains(&id.len());
    let id = id.filter(|id| fits(id));
    let own = |raw: &[u8]| scheme.id_members().iter().find_map(|member| text_at(raw, &[member]).filter(|id| fits(id)).map(Cow::into_owned));
    let events = gathered.decoded.events.iter();
    // An id of the request is that of its only event; with several, each has its own.
    let alone = gathered.decoded.events.len() == 1;
    let id_of = |raw: &[u8]| match &id {
        Some(id) if alone => Some(id.to_string()),
        _ => own(raw),
    };
    events.map(|event| Sent { source: source.clone(), id: id_of(event.raw(&gathered.bytes)) }).collect()
}

fn answer(scheme: &Scheme, outcomes: &[Outcome]) -> Response {
    if matches!(scheme, Scheme::Okta) {
        // Okta wants no body.
        return bytes(StatusCode::NO_CONTENT, "application/json", "");
    }
    let duplicates = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Duplicate(_))).count();
    json_answer(StatusCode::OK, &json!({ "kept": outcomes.len() - duplicates, "duplicates": duplicates }))
}

impl From<ProofError> for ApiError {
    fn from(why: ProofError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, why.code(), why.to_string())
    }
}

impl From<JwsError> for ApiError {
    fn from(why: JwsError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, why.code(), why.to_string())
    }
}

impl From<PushError> for ApiError {
    fn from(why: PushError) -> Self {
        match why {
            PushError::Shape(why) => why.into(),
            why => Self::bad_request(why.code(), why.to_string()),
        }
    }
}
