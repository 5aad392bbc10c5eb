//! `/v1/remap`: what is derived of payload files, how far that has come, and deriving it again.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::instant::parse_rfc3339;
use crate::api::query::{NoQuery, query};
use crate::api::state::Api;
use crate::search::remap::files_since;

#[derive(Serialize)]
struct DerivedJson {
    files: usize,
    waiting: usize,
    failed: usize,
}

/// `GET /v1/remap`.
pub async fn get(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    asked.nothing()?;
    let index = api.index();
    api.read(move |trail| {
        let derived = index.derived(&trail.view().state);
        Ok(json(StatusCode::OK, &DerivedJson { files: derived.files, waiting: derived.waiting, failed: derived.failed }))
    })
    .await
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remap {
    since: Option<String>,
}

#[derive(Serialize)]
struct Told {
    files: usize,
    entries: u64,
}

/// `POST /v1/remap`: the body may be empty.
pub async fn post(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    let NoQuery {} = query(&asked.parts.uri)?;
    let Remap { since } = asked.setting_or_default(api).await?;
    let wrong = |text| ApiError::bad_request("since_invalid", format!("since is {text:?}: write it like 2026-01-31T00:00:00Z"));
    let since = since.map(|text| parse_rfc3339(&text).map_err(|_| wrong(text))).transpose()?;
    let index = api.index();
    api.read(move |trail| {
        let files = files_since(trail, since.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)))?;
        index.remap_later(&files);
        Ok(json(StatusCode::ACCEPTED, &Told { files: files.len(), entries: files.iter().map(|file| file.count).sum() }))
    })
    .await
}
