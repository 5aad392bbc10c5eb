//! Splunk's HTTP event collector, as its senders know it.
//!
//! `POST /services/collector/event` (and `/services/collector`) takes event objects, `/raw` lines;
//! each with `/1.0` too. `/health` needs no token. `Authorization: Splunk <API key>` (or Bearer, or
//! Basic with the key as the password). A token in the query is refused as Splunk does by default:
//! addresses end up in the logs of every proxy.
//!
//! A 200 means kept, so an acknowledgement is true the moment its id was given out.

mod acks;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::api::answer::json as json_answer;
use crate::api::caller::Caller;
use crate::api::deliver::{Delivery, Sent, deliver};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::protocol::refusal;
use crate::api::receive::{events_body, written_anew};
use crate::api::sender::{Parameters, Sender};
use crate::api::state::Api;
use crate::door::{Peer, UNKNOWN_KIND};
use crate::intake::hec::{Events, Mistake, decode};
use crate::intake::{Gathered, Media};

pub use acks::Acks;

/// The door in envelopes.
const DOOR: &str = "hec";

/// Splunk's answers by their code.
const SUCCESS: Said = Said { status: StatusCode::OK, text: "Success", code: 0 };
const TOKEN_REQUIRED: Said = Said { status: StatusCode::UNAUTHORIZED, text: "Token is required", code: 2 };
const INVALID_AUTHORIZATION: Said = Said { status: StatusCode::UNAUTHORIZED, text: "Invalid authorization", code: 3 };
const INVALID_TOKEN: Said = Said { status: StatusCode::FORBIDDEN, text: "Invalid token", code: 4 };
const NO_DATA: Said = Said { status: StatusCode::BAD_REQUEST, text: "No data", code: 5 };
const INVALID_FORMAT: Said = Said { status: StatusCode::BAD_REQUEST, text: "Invalid data format", code: 6 };
const INCORRECT_INDEX: Said = Said { status: StatusCode::BAD_REQUEST, text: "Incorrect index", code: 7 };
const INTERNAL: Said = Said { status: StatusCode::INTERNAL_SERVER_ERROR, text: "Internal server error", code: 8 };
const BUSY: Said = Said { status: StatusCode::SERVICE_UNAVAILABLE, text: "Server is busy", code: 9 };
const CHANNEL_MISSING: Said = Said { status: StatusCode::BAD_REQUEST, text: "Data channel is missing", code: 10 };
const CHANNEL_INVALID: Said = Said { status: StatusCode::BAD_REQUEST, text: "Invalid data channel", code: 11 };
const EVENT_REQUIRED: Said = Said { status: StatusCode::BAD_REQUEST, text: "Event field is required", code: 12 };
const EVENT_BLANK: Said = Said { status: StatusCode::BAD_REQUEST, text: "Event field cannot be blank", code: 13 };
const FIELDS_WRONG: Said = Said { status: StatusCode::BAD_REQUEST, text: "Error in handling indexed fields", code: 15 };
const QUERY_TOKEN: Said = Said { status: StatusCode::BAD_REQUEST, text: "Query string authorization is not enabled", code: 16 };
const HEALTHY: Said = Said { status: StatusCode::OK, text: "HEC is healthy", code: 17 };
const UNHEALTHY: Said = Said { status: StatusCode::SERVICE_UNAVAILABLE, text: "HEC is unhealthy, queues are full", code: 18 };
const TOO_LARGE: Said = Said { status: StatusCode::PAYLOAD_TOO_LARGE, text: "Request entity too large", code: 27 };

/// Characters of a channel: a GUID by Splunk's rule, a little more for those who do not read it.
const CHANNEL_CHARS_MAX: usize = 128;

#[derive(Clone, Copy, Debug)]
struct Said {
    status: StatusCode,
    text: &'static str,
    code: u16,
}

#[derive(Serialize)]
struct Body<'a> {
    text: &'a str,
    code: u16,
    #[serde(rename = "invalid-event-number", skip_serializing_if = "Option::is_none")]
    invalid_event_number: Option<usize>,
    #[serde(rename = "ackId", skip_serializing_if = "Option::is_none")]
    ack_id: Option<u64>,
    /// What Splunk has no words for.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl Said {
    fn body(self) -> Body<'static> {
        Body { text: self.text, code: self.code, invalid_event_number: None, ack_id: None, detail: None }
    }

    fn answer(self) -> Response {
        json_answer(self.status, &self.body())
    }
}

/// An error as Splunk says it. The message that Splunk has no place for stands in `detail`.
pub fn refuse(why: ApiError) -> Response {
    let said = match why.code {
        "key_missing" => TOKEN_REQUIRED,
        "key_malformed" => INVALID_AUTHORIZATION,
        "key_invalid" | "scope_missing" | "certificate_unknown" | "certificate_required" => INVALID_TOKEN,
        "hec_query_token" => QUERY_TOKEN,
        "hec_channel_missing" => CHANNEL_MISSING,
        "hec_channel_invalid" => CHANNEL_INVALID,
        "empty" => NO_DATA,
        "source_missing" | "source_invalid" | "source_not_allowed" => INCORRECT_INDEX,
        "busy" | "rate_limited" | "no_space" | "stopped" => BUSY,
        _ if why.status == StatusCode::PAYLOAD_TOO_LARGE => TOO_LARGE,
        _ if why.status.is_server_error() => INTERNAL,
        _ => Said { status: why.status, ..INVALID_FORMAT },
    };
    let body = Body { detail: Some(&why.message), ..said.body() };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    refusal(&why, said.status, "application/json", crate::api::inert::inert(body))
}

/// `GET /services/collector/health`.
pub fn health(api: &Api) -> Response {
    let well = !api.is_draining() && api.trail.log().shared().stopped().is_none();
    if well { HEALTHY.answer() } else { UNHEALTHY.answer() }
}

/// `POST /services/collector/event`.
///
/// # Errors
/// When nothing is kept; counted.
pub async fn events(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    let mut request = Request::open(api, caller, &asked.parts)?;
    let answer = request.events(asked).await;
    answer.inspect_err(|why| request.count(why.code, 1))
}

/// `POST /services/collector/raw`: each line is an event, or each value of a body that is JSON.
///
/// # Errors
/// When nothing is kept; counted.
pub async fn raw(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    let mut request = Request::open(api, caller, &asked.parts)?;
    let answer = request.raw(asked).await;
    answer.inspect_err(|why| request.count(why.code, 1))
}

/// `POST /services/collector/ack`: which of these ids stand for kept events.
///
/// # Errors
/// No channel, or a body that is not `{"acks":[…]}`.
pub async fn ack(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    api.spend(caller.rate(), 1)?;
    let missing = || ApiError::bad_request("hec_channel_missing", "send the header `X-Splunk-Request-Channel`, or `?channel=`");
    let channel = channel(&asked.parts)?.ok_or_else(missing)?;
    #[derive(serde::Deserialize)]
    struct Wanted {
        acks: Vec<u64>,
    }
    let wanted: Wanted = asked.setting(api).await?;
    let given = |id: &u64| (id.to_string(), Value::from(api.hec_acks.was_given(caller.rate(), &channel, *id)));
    let acks: Map<String, Value> = wanted.acks.iter().map(given).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "acks": acks })))
}

/// What all events of a request share.
struct Request<'a> {
    api: &'a Arc<Api>,
    caller: &'a Caller,
    sender: Sender<'a>,
    channel: Option<String>,
}

impl<'a> Request<'a> {
    fn open(api: &'a Arc<Api>, caller: &'a Caller, parts: &Parts) -> Result<Self, ApiError> {
        let opened = Self::check(api, caller, parts);
        opened.inspect_err(|why| api.count_refused(None, why.code, 1))
    }

    fn check(api: &'a Arc<Api>, caller: &'a Caller, parts: &Parts) -> Result<Self, ApiError> {
        if Parameters::of(&parts.uri).get("token").is_some() {
            let message = "a key does not belong into an address, which every proxy logs: send `Authorization: Splunk <key>`";
            return Err(ApiError::bad_request("hec_query_token", message));
        }
        Ok(Self { api, caller, sender: Sender::by_header(caller, parts)?, channel: channel(parts)? })
    }

    fn count(&self, reason: &'static str, times: u64) {
        self.api.count_refused(self.sender.named(), reason, times);
    }

    async fn events(&mut self, asked: Asked) -> Result<Response, ApiError> {
        let received = events_body(asked.body, &asked.parts.headers, &self.api.limits, &self.api.memory).await?;
        let Events { gathered, origins, mistakes } = decode(&received.bytes)?;
        if origins.is_empty() && mistakes.is_empty() {
            return Err(ApiError::bad_request("empty", "the body holds no event"));
        }
        let anew = if gathered.bytes.len() == received.bytes.len() { 0 } else { gathered.bytes.len() };
        let _held = written_anew(anew, &self.api.memory)?;
        let parameters = Parameters::of(&asked.parts.uri);
        let names = origins.iter().map(|origin| {
            let [source, sourcetype, index] = [&origin.source, &origin.sourcetype, &origin.index].map(Option::as_deref);
            self.sender.source([parameters.get("source"), source, sourcetype, index])
        });
        let sent = names.map(|name| Ok(Sent { source: name?, id: None })).collect::<Result<Vec<_>, ApiError>>()?;
        self.keep(gathered, sent, asked.peer).await?;
        for (_, mistake) in &mistakes {
            self.count(mistake.code(), 1);
        }
        match mistakes.first() {
            None => Ok(self.success()),
            Some((number, mistake)) => {
                let said = said_of(*mistake);
                Ok(json_answer(said.status, &Body { invalid_event_number: Some(*number), ..said.body() }))
            }
        }
    }

    async fn raw(&mut self, asked: Asked) -> Result<Response, ApiError> {
        let Asked { parts, body, peer } = asked;
        let received = events_body(body, &parts.headers, &self.api.limits, &self.api.memory).await?;
        let content_type = parts.headers.get("content-type").and_then(|value| value.to_str().ok());
        let decoded = crate::intake::decode(&received.bytes, Media::from_content_type(content_type))?;
        let parameters = Parameters::of(&parts.uri);
        let name = self.sender.source(["source", "sourcetype", "index"].map(|name| parameters.get(name)))?;
        let sent = vec![Sent { source: name.clone(), id: None }; decoded.events.len()];
        let refused = decoded.refused.clone();
        self.keep(Gathered { bytes: received.bytes.clone(), decoded }, sent, peer).await?;
        for refused in &refused {
            self.api.count_refused(Some(&name), refused.code.code(), 1);
        }
        match refused.first() {
            None => Ok(self.success()),
            Some(refused) => {
                let number = usize::try_from(refused.line).unwrap_or(usize::MAX).saturating_sub(1);
                let said = said_of(Mistake::TooDeep);
                Ok(json_answer(said.status, &Body { invalid_event_number: Some(number), ..said.body() }))
            }
        }
    }

    async fn keep(&self, gathered: Gathered, sent: Vec<Sent>, peer: Peer) -> Result<(), ApiError> {
        let rate = self.caller.rate();
        let delivery = Delivery { door: DOOR, kind: UNKNOWN_KIND, peer, by: self.caller.by(), rate, gathered, sent };
        deliver(self.api, delivery).await.map(drop)
    }

    fn success(&self) -> Response {
        let ack_id = self.channel.as_deref().map(|channel| self.api.hec_acks.give(self.caller.rate(), channel));
        json_answer(SUCCESS.status, &Body { ack_id, ..SUCCESS.body() })
    }
}

fn said_of(mistake: Mistake) -> Said {
    match mistake {
        Mistake::NotAnObject | Mistake::TooDeep => INVALID_FORMAT,
        Mistake::NoEvent => EVENT_REQUIRED,
        Mistake::BlankEvent => EVENT_BLANK,
        Mistake::Fields => FIELDS_WRONG,
    }
}

fn channel(parts: &Parts) -> Result<Option<String>, ApiError> {
    let header = parts.headers.get("x-splunk-request-channel").map(|value| value.to_str().unwrap_or_default().to_owned());
    let channel = header.or_else(|| Parameters::of(&parts.uri).get("channel").map(ToOwned::to_owned));
    let fits = |channel: &str| (1..=CHANNEL_CHARS_MAX).contains(&channel.len()) && channel.bytes().all(|byte| byte.is_ascii_graphic());
    match channel {
        Some(channel) if !fits(&channel) => Err(ApiError::bad_request("hec_channel_invalid", "a channel is a GUID")),
        channel => Ok(channel),
    }
}
