//! `GET /v1/sources/{name}/completeness`: was a source complete between two times, except for what.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::instant::{format_rfc3339, parse_rfc3339};
use crate::api::query::query;
use crate::api::state::Api;
use crate::watch::{Asked as Question, Completeness, Expected, ReportError, RestsOn, report};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    from: String,
    to: Option<String>,
}

#[derive(Serialize)]
struct CompletenessJson {
    source: String,
    from: String,
    to: String,
    /// Null when nothing could be known.
    complete: Option<bool>,
    /// For people: the same in a sentence.
    summary: String,
    rests_on: &'static str,
    missing: Vec<MissingJson>,
    silences: Vec<SilenceJson>,
    counter_restarts: Vec<u64>,
    refused: BTreeMap<String, u64>,
    watched_to: u64,
}

#[derive(Serialize)]
struct MissingJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    producer: Option<String>,
    first: u64,
    last: u64,
    after_index: u64,
    after: String,
    before: String,
}

#[derive(Serialize)]
struct SilenceJson {
    from: String,
    to: Option<String>,
}

/// What an answer rests on, so that nobody takes "nothing seen" for "nothing missing".
const fn basis(rests_on: RestsOn) -> &'static str {
    match (rests_on.numbered, rests_on.expected) {
        (true, Some(Expected::Heartbeat)) => "producer sequence and heartbeat",
        (true, Some(Expected::Usual)) => "producer sequence and usual rate",
        (true, None) => "producer sequence; the usual rate is still being learned",
        (false, Some(Expected::Heartbeat)) => "no producer sequence: only silence can be seen, by its heartbeat",
        (false, Some(Expected::Usual)) => "no producer sequence: only silence can be seen, by its usual rate",
        (false, None) => "nothing yet: no producer sequence, no heartbeat, and the usual rate is still being learned",
    }
}

fn summary(found: &Completeness) -> String {
    let mut except = Vec::new();
    let missing: u64 = found.missing.iter().map(|missing| (missing.last - missing.first).saturating_add(1)).fold(0, u64::saturating_add);
    if missing > 0 {
        except.push(format!("{missing} events that the producer numbered and that did not come"));
    }
    match found.silences.len() {
        0 => {}
        1 => except.push("1 silence".to_owned()),
        silences => except.push(format!("{silences} silences")),
    }
    let refused = found.refused.values().copied().fold(0, u64::saturating_add);
    if refused > 0 {
        except.push(format!("{refused} refused or lost"));
    }
    match found.complete {
        None => "cannot be said".to_owned(),
        Some(true) => "complete".to_owned(),
        Some(false) => format!("complete except for {}", except.join(", ")),
    }
}

/// Answers.
///
/// # Errors
/// 400 for times that are none, 404 for a source that is none.
pub async fn get(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let (name, Query { from, to }) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let time =
        |member: &str, text: &str| parse_rfc3339(text).map_err(|why| ApiError::bad_request("time_invalid", format!("`{member}` is {why}")));
    let now_ms = api.clock.now_ms();
    let (from_ms, to_ms) = (time("from", &from)?, to.as_deref().map_or(Ok(now_ms), |to| time("to", to))?);
    if from_ms >= to_ms {
        return Err(ApiError::bad_request("time_invalid", "`from` is not before `to`: ask for a time that has a length"));
    }
    let watch = api.watch.get().cloned();
    api.read(move |trail| {
        let unknown = || ApiError::not_found("unknown", format!("there is no source {name:?}: list them with GET /v1/sources"));
        trail.view().state.source_number(&name).ok_or_else(unknown)?;
        let status = watch.as_ref().and_then(|watch| watch.status_of(&name));
        let status = status.as_ref();
        let rests_on =
            RestsOn { numbered: status.is_some_and(|status| status.numbered), expected: status.and_then(|status| status.expected) };
        let silent_since_ms = status.and_then(|status| status.silent_since_ms);
        let watched_to = watch.map_or(0, |watch| watch.position());
        let question = Question { source: &name, from_ms, to_ms, silent_since_ms, rests_on, watched_to };
        let found = report(trail.reader(), &question)?;
        Ok(json(StatusCode::OK, &answer(&name, from_ms, to_ms, found)))
    })
    .await
}

fn answer(name: &str, from_ms: u64, to_ms: u64, found: Completeness) -> CompletenessJson {
    let missing = found.missing.iter().map(|missing| MissingJson {
        producer: (missing.producer != 0).then(|| format!("{:016x}", missing.producer)),
        first: missing.first,
        last: missing.last,
        after_index: missing.after,
        after: format_rfc3339(missing.between_ms.0),
        before: format_rfc3339(missing.between_ms.1),
    });
    let silences =
        found.silences.iter().map(|silence| SilenceJson { from: format_rfc3339(silence.from_ms), to: silence.to_ms.map(format_rfc3339) });
    CompletenessJson {
        source: name.to_owned(),
        from: format_rfc3339(from_ms),
        to: format_rfc3339(to_ms),
        complete: found.complete,
        summary: summary(&found),
        rests_on: basis(found.rests_on),
        missing: missing.collect(),
        silences: silences.collect(),
        counter_restarts: found.restarts,
        refused: found.refused,
        watched_to: found.watched_to,
    }
}

impl From<ReportError> for ApiError {
    fn from(why: ReportError) -> Self {
        let message = why.to_string();
        match why {
            ReportError::Read(why) => why.into(),
            ReportError::TooMuch(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_much", message),
        }
    }
}
