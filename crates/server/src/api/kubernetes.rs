//! The Kubernetes audit webhook: `POST /v1/k8s/{source}`, or `/v1/k8s?source=`.
//!
//! The API server sends `{"kind":"EventList","items":[…]}` and takes any 2xx for kept. It shows its
//! key as a bearer token of the kubeconfig that it was given.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::api::answer::json as json_answer;
use crate::api::caller::Caller;
use crate::api::deliver::{Delivery, Sent, deliver};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::receive::events_body;
use crate::api::sender::Sender;
use crate::api::state::Api;
use crate::intake::SourceName;
use crate::intake::limits::RECORD_ID_BYTES_MAX;
use crate::intake::wrapper::{text_at, unwrap};

/// The door in envelopes.
const DOOR: &str = "kubernetes";

/// See the module.
///
/// # Errors
/// When nothing is kept; counted.
pub async fn receive(api: &Arc<Api>, caller: &Caller, mut asked: Asked) -> Result<Response, ApiError> {
    let mut counted_for = None;
    let answer = async {
        let [name] = asked.path_parts(["source"]).await?;
        let mut sender = match &name {
            Some(name) => Sender::asking(caller, Some(name))?,
            None => Sender::new(caller, &asked.parts)?,
        };
        let source = sender.source([])?;
        counted_for = Some(source.clone());
        keep(api, caller, source, asked).await
    };
    let answer = answer.await;
    answer.inspect_err(|why| api.count_refused(counted_for.as_ref(), why.code, 1))
}

async fn keep(api: &Arc<Api>, caller: &Caller, source: SourceName, asked: Asked) -> Result<Response, ApiError> {
    let Asked { parts, body, peer } = asked;
    let received = events_body(body, &parts.headers, &api.limits, &api.memory).await?;
    let list = text_at(&received.bytes, &["kind"]).as_deref() == Some("EventList");
    let gathered = if list { unwrap(&received.bytes, &["items"])? } else { None };
    let gathered = gathered.ok_or_else(|| {
        ApiError::bad_request("not_an_event_list", "the body is no audit EventList: expected {\"kind\":\"EventList\",\"items\":[…]}")
    })?;
    let too_deep = gathered.decoded.refused.len();
    // A request has one audit id and an event for each of its stages: the pair is what is sent once.
    let sent = gathered.decoded.events.iter().map(|event| {
        let raw = event.raw(&gathered.bytes);
        let pair = text_at(raw, &["auditID"]).zip(text_at(raw, &["stage"])).map(|(id, stage)| format!("{id}/{stage}"));
        Sent { source: source.clone(), id: pair.filter(|id| id.len() <= RECORD_ID_BYTES_MAX) }
    });
    let sent = sent.collect();
    let rate = caller.rate();
    let outcomes = deliver(api, Delivery { door: DOOR, kind: "kubernetes_audit", peer, by: caller.by(), rate, gathered, sent }).await?;
    api.count_refused(Some(&source), "too_deep", too_deep as u64);
    Ok(json_answer(StatusCode::OK, &json!({ "kept": outcomes.len() })))
}
