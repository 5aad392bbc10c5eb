//! Saved searches: listed, saved and removed; and search lines that name them. Each change is a record.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::query::{NoQuery, query};
use crate::api::state::Api;
use crate::search::named::{NamedError, Within};
use crate::search::saved::{SavedError, SavedLines, names_saved, parse_among};
use crate::search::{Query, parse};

/// What `PUT` takes. The name is the path's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Save {
    line: String,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    line: &'a str,
    by: &'a str,
    /// Index of the record that says so.
    set: u64,
}

#[derive(Serialize)]
struct List<'a> {
    saved: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Changed {
    /// Whether anything was recorded: false when it stood so already.
    changed: bool,
}

impl From<SavedError> for ApiError {
    fn from(why: SavedError) -> Self {
        let message = why.to_string();
        match why {
            SavedError::Name(_) => Self::bad_request("name_invalid", message),
            SavedError::Unknown(_) => Self::not_found("unknown", message),
            SavedError::Line(_) | SavedError::Empty => Self::bad_request("query_invalid", message),
            SavedError::TooMany => Self::bad_request("too_many", message),
            SavedError::Named(why) => why.into(),
        }
    }
}

impl From<NamedError> for ApiError {
    fn from(why: NamedError) -> Self {
        let message = why.to_string();
        match why {
            NamedError::Search(why) => why.into(),
            NamedError::Line(why) => why.into(),
            NamedError::Append(why) => Self { message, ..why.into() },
        }
    }
}

/// Reads a search line; saved searches are looked up if it names any.
///
/// # Errors
/// What is wrong with it, and where.
pub async fn line(api: &Arc<Api>, text: &str) -> Result<Query, ApiError> {
    if !names_saved(text) {
        return Ok(parse(text)?);
    }
    Ok(parse_among(text, &in_force(api).await?)?)
}

async fn in_force(api: &Arc<Api>) -> Result<SavedLines, ApiError> {
    within(api, |api, within| api.saved.in_force(within)).await
}

/// Runs `work` where the log may be searched.
///
/// # Errors
/// What `work` says.
pub async fn within<T, E>(api: &Arc<Api>, work: impl FnOnce(&Api, Within<'_>) -> Result<T, E> + Send + 'static) -> Result<T, ApiError>
where
    T: Send + 'static,
    ApiError: From<E>,
{
    let (own, index) = (Arc::clone(api), api.index());
    api.search(move |trail| {
        let directory = own.admission.identities().in_force(trail)?;
        Ok(work(&own, Within { trail, index: &index, directory: &directory })?)
    })
    .await
}

/// `GET /v1/saved`: all, by name.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    asked.nothing()?;
    let saved = in_force(api).await?;
    let listed = saved.iter().map(|(name, saved)| Listed { name, line: &saved.value.line, by: &saved.by, set: saved.index });
    Ok(json(StatusCode::OK, &List { saved: listed.collect() }))
}

/// `PUT /v1/saved/{name}`: saves a line, in place of an earlier one of this name.
pub async fn set(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let (Save { line }, by) = (asked.setting(api).await?, caller.key_id().to_string());
    let changed = within(api, move |api, within| api.saved.set(within, &name, &line, &by)).await?;
    Ok(json(StatusCode::OK, &Changed { changed }))
}

/// `DELETE /v1/saved/{name}`.
pub async fn remove(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let by = caller.key_id().to_string();
    within(api, move |api, within| api.saved.remove(within, &name, &by)).await?;
    Ok(json(StatusCode::OK, &Changed { changed: true }))
}
