//! The identity directory: imported, listed, and edited. Each change is a record in the log, whose
//! names can be erased.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::limits::LIST_ENTRIES_MAX;
use crate::api::query::{NoQuery, query};
use crate::api::receive::events_body;
use crate::api::state::Api;
use crate::door::directory::ChangeError;
use crate::source::directory::{Directory, parse_csv, parse_scim};

/// Identities in a list when none is said.
const LIST_ENTRIES: usize = 100;

impl From<ChangeError> for ApiError {
    fn from(why: ChangeError) -> Self {
        let message = why.to_string();
        match why {
            ChangeError::Directory(_) => Self::bad_request("directory_invalid", message),
            ChangeError::Unknown(_) => Self::not_found("unknown", message),
            ChangeError::Read(why) => why.into(),
            ChangeError::Append(why) => Self { message, ..why.into() },
        }
    }
}

#[derive(Serialize)]
struct Imported {
    new: usize,
    changed: usize,
    same: usize,
}

/// `PUT /v1/directory`: sets whoever the CSV or SCIM names and leaves everybody else.
pub async fn import(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let NoQuery {} = query(&asked.parts.uri)?;
    let media = asked.parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let parse = match media.as_str() {
        "text/csv" => parse_csv,
        "application/scim+json" => parse_scim,
        _ => {
            let message = "the directory is imported as `content-type: text/csv` or `application/scim+json`";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type_unknown", message));
        }
    };
    let body = events_body(asked.body, &asked.parts.headers, &api.limits, &api.memory).await?;
    let (admission, by) = (Arc::clone(&api.admission), caller.key_id().to_string());
    let imported = api.read(move |trail| {
        let people = parse(&body.bytes).map_err(ChangeError::from)?;
        Ok(admission.identities().import(trail, people, &by)?)
    });
    let imported = imported.await?;
    Ok(json(StatusCode::OK, &Imported { new: imported.new, changed: imported.changed, same: imported.same }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    from: String,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct PersonJson<'a> {
    identity: &'a str,
    names: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'a str>,
}

#[derive(Serialize)]
struct List<'a> {
    identities: Vec<PersonJson<'a>>,
    /// Where the list goes on.
    next: Option<&'a str>,
    total: usize,
}

fn page<'a>(directory: &'a Directory, from: &str, limit: usize) -> List<'a> {
    let mut rest = directory.people().range::<str, _>((std::ops::Bound::Included(from), std::ops::Bound::Unbounded));
    let person = |(identity, person): (&'a String, &'a crate::source::directory::Person)| PersonJson {
        identity,
        names: person.names.iter().map(String::as_str).collect(),
        display: person.display.as_deref(),
    };
    let identities = rest.by_ref().take(limit).map(person).collect();
    List { identities, next: rest.next().map(|(identity, _)| identity.as_str()), total: directory.people().len() }
}

/// `GET /v1/directory?from=&limit=`: who is in it, by identity.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    let ListQuery { from, limit } = query(&asked.parts.uri)?;
    let limit = limit.unwrap_or(LIST_ENTRIES);
    if !(1..=LIST_ENTRIES_MAX).contains(&limit) {
        let message = format!("limit={limit}: use 1 to {LIST_ENTRIES_MAX}, and `next` of each answer as `from` of the next request");
        return Err(ApiError::bad_request("limit_invalid", message));
    }
    let admission = Arc::clone(&api.admission);
    api.read(move |trail| Ok(json(StatusCode::OK, &page(&*admission.identities().in_force(trail)?, &from, limit)))).await
}

#[derive(Serialize)]
struct Removed {
    removed: bool,
}

/// `DELETE /v1/directory/{identity}`.
pub async fn remove(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (identity, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let (admission, by) = (Arc::clone(&api.admission), caller.key_id().to_string());
    api.read(move |trail| Ok(admission.identities().remove(trail, &identity, &by)?)).await?;
    Ok(json(StatusCode::OK, &Removed { removed: true }))
}
