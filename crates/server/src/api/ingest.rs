//! `POST /v1/events`: bytes in, kept and proven events out.
//!
//! The way of a request: who may → decode while it arrives → find the events → cut, hash and
//! compress them on this request's own thread → one append → an answer in input order. Nothing
//! here makes a document of an event, and the answer is written by hand: at 100,000 events a second
//! an allocation an event is one too many.

mod results;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use crate::api::answer::bytes;
use crate::api::caller::Caller;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::ingest::results::Results;
use crate::api::limits::RECEIPTS_MAX;
use crate::api::query::{Switch, query};
use crate::api::receive::{Received, events_body};
use crate::api::state::Api;
use crate::door::{Admitted, Batch, Origin, UNKNOWN_KIND};
use crate::intake::{Decoded, IdempotencyKey, Media, SourceName, decode};
use crate::log::sequencer::Committed;
use crate::store::proofs;

/// This door in envelopes.
const DOOR: &str = "http";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    source: Option<String>,
    /// The kind of the source, should this request make it.
    kind: Option<String>,
    #[serde(default)]
    receipt: Switch,
}

/// Keeps the events of a request.
///
/// # Errors
/// When none of them is kept; counted, with the source if this key may send from it.
pub async fn append(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    let mut counted_for = None;
    let answer = append_counted(api, caller, asked, &mut counted_for).await;
    if let Err(why) = &answer {
        api.count_refused(counted_for.as_ref(), why.code, 1);
    }
    answer
}

async fn append_counted(api: &Arc<Api>, caller: &Caller, asked: Asked, counted_for: &mut Option<SourceName>) -> Result<Response, ApiError> {
    let Asked { parts, body, peer } = asked;
    let query: Query = query(&parts.uri)?;
    let name = source_name(query.source.as_deref())?;
    caller.check(&name)?;
    *counted_for = Some(name.clone());
    let key = idempotency_key(&parts.headers)?;
    let (received, decoded) = receive(api, &parts, body).await?;
    check_amount(api, caller, &decoded, query.receipt)?;
    let batch = Batch { key, ..Batch::sent(caller.by(), &peer) };
    let origin = Origin { source: name, kind: kind(api, query.kind)?, door: DOOR };
    let admitted = api.admission.admit(&origin, batch, received, decoded).await?;
    answer(api, admitted, query.receipt).await
}

fn source_name(text: Option<&str>) -> Result<SourceName, ApiError> {
    let text = text.ok_or_else(|| ApiError::bad_request("source_missing", "no source: add `?source=NAME`, such as `okta-prod`"))?;
    text.parse().map_err(|why: crate::intake::InvalidSourceName| ApiError::bad_request("source_invalid", why.to_string()))
}

fn kind(api: &Api, named: Option<String>) -> Result<Cow<'static, str>, ApiError> {
    match named {
        None => Ok(UNKNOWN_KIND.into()),
        Some(kind) if api.admission.catalog().kind(&kind).is_some() => Ok(kind.into()),
        Some(_) => Err(ApiError::bad_request("kind_unknown", "there is no such kind of source: see `indelible source list`")),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ApiError> {
    let value = headers.get("idempotency-key").map(|value| IdempotencyKey::from_header(value.as_bytes()));
    value.transpose().map_err(|why| ApiError::bad_request("idempotency_key_invalid", why.to_string()))
}

async fn receive(api: &Api, parts: &Parts, body: Body) -> Result<(Received, Decoded), ApiError> {
    let received = events_body(body, &parts.headers, &api.limits, &api.memory).await?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let decoded = decode(&received.bytes, Media::from_content_type(content_type))?;
    Ok((received, decoded))
}

fn check_amount(api: &Api, caller: &Caller, decoded: &Decoded, receipt: Switch) -> Result<(), ApiError> {
    let events = decoded.events.len();
    if receipt.is_on() && events > RECEIPTS_MAX {
        let message = format!("{events} events in a request for receipts: send at most {RECEIPTS_MAX} at a time with `receipt=1`");
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_receipts", message));
    }
    Ok(api.spend(caller.rate(), u32::try_from(events).unwrap_or(u32::MAX).max(1))?)
}

async fn answer(api: &Arc<Api>, admitted: Admitted, receipt: Switch) -> Result<Response, ApiError> {
    let Admitted { decoded, committed: Committed { outcomes, view }, .. } = admitted;
    let receipts = if receipt.is_on() {
        let (indexes, view) = (results::indexes(&outcomes), Arc::clone(&view));
        api.read(move |trail| Ok(proofs::receipts(trail, &indexes, &view)?)).await?
    } else {
        Vec::new()
    };
    let (body, status) = Results { decoded: &decoded, outcomes: &outcomes, receipts: &receipts, note: &view.note }.write();
    // Nothing in it came from outside: numbers, base64 and our own words.
    Ok(bytes(status, "application/json", body))
}
