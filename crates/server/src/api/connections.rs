//! Connections: how events of a source are fetched or received. Each change is an act; secrets never
//! pass through here, only where the server finds them.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use evidence::act::{ConnectionAct, SecretReference, Setting, settings_value};
use evidence::canonical_json::{self, Value, to_bytes};
use evidence::fold::{ConnectionEntry, TrailState};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::caller;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::hook::scheme::{Hook, Misconfigured};
use crate::api::query::{NoQuery, query};
use crate::api::ssf;
use crate::api::state::Api;
use crate::door::poll;
use crate::door::poll::status::PollStatus;
use crate::door::{source_kind, why};
use crate::intake::InvalidSourceName;
use crate::log::intent::Intent;

/// What `PUT` takes. The name is the path's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetConnection {
    kind: String,
    source: String,
    /// The kind of the source, should this make it.
    source_kind: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, canonical_json::Value>,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    #[serde(default = "yes")]
    enabled: bool,
    why: Option<String>,
}

const fn yes() -> bool {
    true
}

#[derive(Serialize)]
struct ConnectionJson<'a> {
    name: &'a str,
    kind: &'a str,
    source: &'a str,
    settings: Box<RawValue>,
    secrets: BTreeMap<&'a str, String>,
    enabled: bool,
    /// Index of the act that made it so.
    set: u64,
    /// How it fares, if this process polls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<PollStatus>,
}

impl<'a> ConnectionJson<'a> {
    fn new(api: &Api, state: &'a TrailState, entry: &'a ConnectionEntry) -> Result<Self, ApiError> {
        let act = &entry.act;
        let settings = String::from_utf8(to_bytes(&settings_value(&act.settings))).map_err(|_| ApiError::lost_task())?;
        Ok(Self {
            name: &act.name,
            kind: &act.kind,
            source: state.sources.get(&act.source).map_or("", |source| &source.name),
            settings: RawValue::from_string(settings).map_err(|_| ApiError::lost_task())?,
            secrets: act.secrets.iter().map(|(name, reference)| (name.as_str(), reference.to_string())).collect(),
            enabled: act.enabled,
            set: entry.index,
            status: api.admission.metrics().polls.get(&act.name),
        })
    }
}

fn unknown(name: &str) -> ApiError {
    let message = format!("there is no connection {name:?}: list them with GET /v1/connections");
    ApiError::not_found("unknown", message)
}

#[derive(Serialize)]
struct List<'a> {
    connections: Vec<ConnectionJson<'a>>,
}

/// `GET /v1/connections`: all, by name.
pub fn list(api: &Api) -> Result<Response, ApiError> {
    let view = api.trail.view();
    let connections =
        view.state.connections.values().map(|entry| ConnectionJson::new(api, &view.state, entry)).collect::<Result<_, _>>()?;
    Ok(json(StatusCode::OK, &List { connections }))
}

/// `GET /v1/connections/{name}`.
pub async fn get(api: &Api, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let view = api.trail.view();
    let entry = view.state.connections.get(&name).ok_or_else(|| unknown(&name))?;
    Ok(json(StatusCode::OK, &ConnectionJson::new(api, &view.state, entry)?))
}

#[derive(Serialize)]
struct Acted<'a> {
    /// Null when it held already.
    index: Option<u64>,
    checkpoint: &'a str,
}

/// `PUT /v1/connections/{name}`: makes or replaces it. A source that is not there is made first.
pub async fn set(api: &Api, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let body: SetConnection = asked.setting(api).await?;
    let by = caller.key_id().to_string();
    let invalid = |message: String| ApiError::bad_request("setting_invalid", message);
    let settings = body.settings.into_iter().map(|(name, value)| setting(value).map(|value| (name, value)).map_err(&invalid));
    let settings = settings.collect::<Result<BTreeMap<_, _>, _>>()?;
    let secrets = body.secrets.into_iter().map(|(name, text)| match text.parse::<SecretReference>() {
        Ok(reference) => Ok((name, reference)),
        Err(why) => Err(invalid(why.to_string())),
    });
    let secrets = secrets.collect::<Result<BTreeMap<_, _>, _>>()?;
    let mut connection = ConnectionAct { name, kind: body.kind, source: 0, settings, secrets, enabled: body.enabled };
    // Before anything is made for it.
    check_connection(&connection, &body.source).map_err(invalid)?;
    let kind = body.source_kind.as_deref();
    if kind.is_some_and(|kind| api.admission.catalog().kind(kind).is_none()) {
        return Err(ApiError::bad_request("kind_unknown", "there is no such kind of source: see `indelible source list`"));
    }
    connection.source = source_number(api, &body.source, kind.unwrap_or(source_kind(&connection.kind)), &by).await?;
    let acted = api.trail.log().act(Intent::SetConnection(connection), why(&by, None, body.why)).await?;
    Ok(json(StatusCode::OK, &Acted { index: acted.indexes.first().copied(), checkpoint: &acted.view.note }))
}

/// Whether a connection that is about to be set, for the source of this name, has what its kind needs.
///
/// # Errors
/// What is wrong, and what to do.
pub fn check_connection(connection: &ConnectionAct, source: &str) -> Result<(), String> {
    check(connection, source).map_err(|why| why.to_string())?;
    poll::settings::check(connection).map_err(|why| why.to_string())
}

/// What requests are judged by is judged itself when it is set: one that comes later could only be told to come
/// again.
fn check(connection: &ConnectionAct, source: &str) -> Result<(), Misconfigured> {
    match connection.kind.as_str() {
        caller::KIND => {
            caller::check(connection, &source.parse().map_err(|why: InvalidSourceName| Misconfigured(format!("its source is {why}")))?)
        }
        "hook.ssf" => ssf::check(connection),
        kind if kind.starts_with("hook.") => Hook::check(connection),
        _ => Ok(()),
    }
}

fn setting(value: Value) -> Result<Setting, String> {
    Setting::of(value).ok_or_else(|| "a setting is a string, an integer, a boolean or a list of strings".to_owned())
}

async fn source_number(api: &Api, source: &str, kind: &str, by: &str) -> Result<u32, ApiError> {
    let number = |state: &TrailState| state.source_number(source);
    if let Some(number) = number(&api.trail.view().state) {
        return Ok(number);
    }
    let intent = Intent::CreateSource { name: source.to_owned(), kind: kind.to_owned() };
    let acted = api.trail.log().act(intent, why(by, None, None)).await?;
    number(&acted.view.state).ok_or_else(ApiError::lost_task)
}

/// `DELETE /v1/connections/{name}`: its cursors go with it.
pub async fn remove(api: &Api, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let why = why(&caller.key_id().to_string(), None, None);
    let acted = api.trail.log().act(Intent::RemoveConnection { name }, why).await?;
    Ok(json(StatusCode::OK, &Acted { index: acted.indexes.first().copied(), checkpoint: &acted.view.note }))
}
