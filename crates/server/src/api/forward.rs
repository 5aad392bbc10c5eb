//! Forwards: what is sent on to other systems. Each change is a record; secrets never pass through here, only
//! where the server finds them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::query::{NoQuery, query};
use crate::api::saved::{self, within};
use crate::api::state::Api;
use crate::forward::ForwardError;
use crate::forward::setting::{Destination, Forward};
use crate::forward::status::Status;

/// What `PUT` takes. The name is the path's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetForward {
    #[serde(default)]
    line: String,
    to: Destination,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Index of the first entry; one that is there goes on where it is, a new one begins at the end.
    from: Option<u64>,
}

#[derive(Serialize)]
struct ForwardJson<'a> {
    name: &'a str,
    line: &'a str,
    to: &'a Destination,
    secrets: &'a BTreeMap<String, String>,
    by: &'a str,
    /// Index of the record that says so.
    set: u64,
    /// Size of the log, to which `status.at` is on its way.
    size: u64,
    /// How it fares, if this process runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct List<'a> {
    forwards: Vec<ForwardJson<'a>>,
}

#[derive(Serialize)]
struct Changed {
    changed: bool,
}

impl From<ForwardError> for ApiError {
    fn from(why: ForwardError) -> Self {
        let message = why.to_string();
        match why {
            ForwardError::Name(_) => Self::bad_request("name_invalid", message),
            ForwardError::Unknown(_) => Self::not_found("unknown", message),
            ForwardError::Setting(_) => Self::bad_request("setting_invalid", message),
            ForwardError::TooMany => Self::bad_request("too_many", message),
            ForwardError::Named(why) => why.into(),
        }
    }
}

/// `GET /v1/forwards`: all, by name.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    asked.nothing()?;
    let forwards = within(api, |api, within| api.forwards.in_force(within)).await?;
    let size = api.trail.view().size;
    let shown = forwards.iter().map(|(name, kept)| ForwardJson {
        name,
        line: &kept.value.line,
        to: &kept.value.to,
        secrets: &kept.value.secrets,
        by: &kept.by,
        set: kept.index,
        size,
        status: api.forwards.statuses.get(name),
    });
    Ok(json(StatusCode::OK, &List { forwards: shown.collect() }))
}

/// `PUT /v1/forwards/{name}`: makes or replaces it.
pub async fn set(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let SetForward { line, to, secrets, from } = asked.setting(api).await?;
    // As it is now: what a saved search becomes later changes no forward.
    let line = saved::line(api, &line).await?.to_string();
    let (forward, by) = (Forward { line, to, secrets, from: 0, began: 0 }, caller.key_id().to_string());
    within(api, move |api, within| api.forwards.set(within, &name, forward, from, &by)).await?;
    Ok(json(StatusCode::OK, &Changed { changed: true }))
}

/// `DELETE /v1/forwards/{name}`.
pub async fn remove(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let by = caller.key_id().to_string();
    within(api, move |api, within| api.forwards.remove(within, &name, &by)).await?;
    Ok(json(StatusCode::OK, &Changed { changed: true }))
}
