//! Sources: listed and described.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::query::{NoQuery, query};
use crate::api::state::Api;
use crate::door::why;
use crate::log::intent::Intent;

#[derive(Serialize)]
struct Listed<'a> {
    number: u32,
    name: &'a str,
    kind: &'a str,
    heartbeat_s: Option<u32>,
    created: u64,
}

#[derive(Serialize)]
struct List<'a> {
    sources: Vec<Listed<'a>>,
}

/// `GET /v1/sources`: all sources with the index of the act that made each.
pub fn list(api: &Api) -> Response {
    let view = api.trail.view();
    let listed = view.state.sources.iter().map(|(number, source)| Listed {
        number: *number,
        name: &source.name,
        kind: &source.kind,
        heartbeat_s: source.heartbeat_s,
        created: source.index,
    });
    let sources = listed.collect();
    json(StatusCode::OK, &List { sources })
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
