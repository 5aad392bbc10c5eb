//! Sources: listed and described.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::instant::format_rfc3339;
use crate::api::query::{NoQuery, query};
use crate::api::state::Api;
use crate::door::why;
use crate::log::intent::Intent;
use crate::store::trail::Trail;
use crate::watch::{Lag, Status, Watch};

#[derive(Serialize)]
struct Listed<'a> {
    number: u32,
    name: &'a str,
    kind: &'a str,
    heartbeat_s: Option<u32>,
    created: u64,
    /// Null in a process that does not watch.
    status: Option<StatusJson>,
}

#[derive(Serialize)]
struct List<'a> {
    sources: Vec<Listed<'a>>,
}

/// `GET /v1/sources`: all sources with the index of the act that made each, and what is known of them.
///
/// # Errors
/// A task of ours was lost.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    asked.nothing()?;
    let watch = api.watch.get().cloned();
    api.read(move |trail| Ok(list_of(trail, watch.as_deref()))).await
}

fn list_of(trail: &Trail, watch: Option<&Watch>) -> Response {
    let view = trail.view();
    let known = watch.map(|watch| watch.status(usize::MAX)).unwrap_or_default();
    let known: HashMap<_, _> = known.iter().map(|status| (status.name.as_str(), status)).collect();
    let listed = view.state.sources.iter().map(|(number, source)| Listed {
        number: *number,
        name: &source.name,
        kind: &source.kind,
        heartbeat_s: source.heartbeat_s,
        created: source.index,
        status: known.get(source.name.as_str()).map(|status| StatusJson::new(status)),
    });
    let sources = listed.collect();
    json(StatusCode::OK, &List { sources })
}

/// What the watch knows, with times as the API writes them.
#[derive(Serialize)]
struct StatusJson {
    state: &'static str,
    last_event: Option<String>,
    last_index: Option<u64>,
    /// Events an hour.
    rate: f64,
    usual: Option<f64>,
    expected_within_s: Option<u64>,
    silent_since: Option<String>,
    lag: Option<Lag>,
    numbered: bool,
    missing: u64,
    refused: u64,
    unmapped: Option<f64>,
}

impl StatusJson {
    fn new(status: &Status) -> Self {
        Self {
            state: status.state,
            last_event: status.last_ms.map(format_rfc3339),
            last_index: status.last_index,
            rate: status.rate,
            usual: status.usual,
            expected_within_s: status.expected_within_ms.map(|ms| ms / 1000),
            silent_since: status.silent_since_ms.map(format_rfc3339),
            lag: status.lag,
            numbered: status.numbered,
            missing: status.missing,
            refused: status.refused,
            unmapped: status.unmapped,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetSource {
    kind: String,
    heartbeat_s: Option<u32>,
    why: Option<String>,
}

#[derive(Serialize)]
struct Acted<'a> {
    /// Null when it held already.
    index: Option<u64>,
    checkpoint: &'a str,
}

/// `PUT /v1/sources/{name}`: makes the source or says what holds for it from here on.
pub async fn set(api: &Api, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let SetSource { kind, heartbeat_s, why: reason } = asked.setting(api).await?;
    let intent = Intent::DescribeSource { name, kind, heartbeat_s };
    let acted = api.trail.log().act(intent, why(&caller.key_id().to_string(), None, reason)).await?;
    Ok(json(StatusCode::OK, &Acted { index: acted.indexes.last().copied(), checkpoint: &acted.view.note }))
}
