//! The trail as a whole: what holds for it, whether its tree is public, its signing key.

use std::collections::BTreeMap;
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
use crate::door;
use crate::log::intent::Intent;
use crate::log::window::{WINDOW_AGE_MAX_MS, WINDOW_IDS_MAX};

#[derive(Serialize)]
struct TrailJson<'a> {
    origin: &'a str,
    vkey: String,
    size: u64,
    root: String,
    checkpoint: &'a str,
    received_at: String,
    public: bool,
    sources: Vec<SourceJson<'a>>,
    classes: BTreeMap<u16, &'a str>,
    segments: Segments,
    payload: Payload,
    ids: Ids,
    rotations: Vec<RotationJson>,
}

#[derive(Serialize)]
struct SourceJson<'a> {
    number: u32,
    name: &'a str,
    kind: &'a str,
}

#[derive(Serialize)]
struct Segments {
    leaves: u64,
    sealed: usize,
}

#[derive(Serialize)]
struct Payload {
    files: usize,
    /// All entries below stand in files; the rest stands in the write-ahead log.
    in_files_below: u64,
}

/// The id window: within it a repeated id is recognised.
#[derive(Serialize)]
struct Ids {
    count: u64,
    from: Option<u64>,
    max_age_seconds: u64,
    max_ids: usize,
}

#[derive(Serialize)]
struct RotationJson {
    index: u64,
    old: String,
    new: String,
}

/// `GET /v1/trails/main`.
pub fn get(api: &Api) -> Response {
    let view = api.trail.view();
    let state = &view.state;
    let rotations = state.rotations.iter().map(|rotation| RotationJson {
        index: rotation.index,
        old: rotation.old.to_string(),
        new: rotation.new.to_string(),
    });
    let sources = state.sources.iter().map(|(number, source)| SourceJson { number: *number, name: &source.name, kind: &source.kind });
    let trail = TrailJson {
        origin: &state.origin,
        vkey: state.vkey.to_string(),
        size: view.size,
        root: view.root.to_string(),
        checkpoint: &view.note,
        received_at: format_rfc3339(view.received_at),
        public: state.public,
        sources: sources.collect(),
        classes: state.classes.iter().map(|(number, name)| (*number, name.as_str())).collect(),
        segments: Segments { leaves: state.segment_leaves, sealed: state.seals.len() },
        payload: Payload { files: state.payload_files.len(), in_files_below: crate::log::core::stands_in_files_to(state) },
        ids: Ids { count: view.window_ids, from: view.window_from, max_age_seconds: WINDOW_AGE_MAX_MS / 1_000, max_ids: WINDOW_IDS_MAX },
        rotations: rotations.collect(),
    };
    json(StatusCode::OK, &trail)
}

/// An act, as the answer to who asked for it. `index` is null when it held already.
#[derive(Serialize)]
struct Acted<'a> {
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vkey: Option<String>,
    checkpoint: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetPublic {
    public: bool,
    why: Option<String>,
}

/// `PUT /v1/trails/main/public`.
pub async fn set_public(api: &Api, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let NoQuery {} = query(&asked.parts.uri)?;
    let SetPublic { public, why } = asked.setting(api).await?;
    let acted = api.trail.log().act(Intent::SetPublic(public), door::why(&caller.key_id().to_string(), None, why)).await?;
    let index = acted.indexes.first().copied();
    Ok(json(StatusCode::OK, &Acted { index, public: Some(public), vkey: None, checkpoint: &acted.view.note }))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    why: Option<String>,
}

/// `POST /v1/trails/main/rotate`: the body may be empty.
pub async fn rotate(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let NoQuery {} = query(&asked.parts.uri)?;
    let Rotate { why } = asked.setting_or_default(api).await?;
    let why = door::why(&caller.key_id().to_string(), None, why);
    api.read(move |trail| {
        let acted = trail.rotate(why)?;
        let answer = Acted {
            index: acted.indexes.first().copied(),
            public: None,
            vkey: Some(acted.view.state.vkey.to_string()),
            checkpoint: &acted.view.note,
        };
        Ok(json(StatusCode::OK, &answer))
    })
    .await
}
