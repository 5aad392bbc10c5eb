//! OTLP/HTTP logs: `POST /v1/logs`, protobuf or JSON, answered in the same.
//!
//! Partial success as the protocol has it: what is refused is counted in the answer and not sent again.

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use crate::api::answer::bytes;
use crate::api::caller::Caller;
use crate::api::deliver::{Delivery, Sent, deliver};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::inert::inert;
use crate::api::protocol::refusal;
use crate::api::receive::{events_body, written_anew};
use crate::api::sender::Sender;
use crate::api::state::Api;
use crate::door::{Peer, UNKNOWN_KIND};
use crate::intake::otlp::{Logs, OtlpError, decode_json, decode_protobuf};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// What was refused of an export request, in words.
const TOO_DEEP: &str = "records nested deeper than 64 levels were refused: flatten them";

/// Whether a request says that it is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    content_type(headers).eq_ignore_ascii_case(JSON)
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim_ascii()
}

/// `POST /v1/logs`.
///
/// # Errors
/// When nothing of the request is kept; counted.
pub async fn logs(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    let Asked { parts, body, peer } = asked;
    let mut export = Export::open(api, caller, &parts, peer)?;
    let json = is_json(&parts.headers);
    let answer = async {
        if !json && !content_type(&parts.headers).eq_ignore_ascii_case(PROTOBUF) {
            let message = "the Content-Type is neither application/x-protobuf nor application/json";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unknown_media_type", message));
        }
        let received = events_body(body, &parts.headers, &api.limits, &api.memory).await?;
        export.keep(if json { decode_json(&received.bytes)? } else { decode_protobuf(&received.bytes)? }, "otlp").await
    };
    let refused = answer.await.inspect_err(|why| api.count_refused(None, why.code, 1))?;
    Ok(if json { bytes(StatusCode::OK, JSON, success_json(refused)) } else { bytes(StatusCode::OK, PROTOBUF, success_protobuf(refused)) })
}

/// One export request, over HTTP or gRPC.
pub struct Export<'a> {
    api: &'a Arc<Api>,
    caller: &'a Caller,
    sender: Sender<'a>,
    peer: Peer,
}

impl<'a> Export<'a> {
    /// Reads what the request and the key say of the source.
    ///
    /// # Errors
    /// A source that is none or not allowed; counted.
    pub fn open(api: &'a Arc<Api>, caller: &'a Caller, parts: &Parts, peer: Peer) -> Result<Self, ApiError> {
        let sender = Sender::new(caller, parts).inspect_err(|why| api.count_refused(None, why.code, 1))?;
        Ok(Self { api, caller, sender, peer })
    }

    /// Keeps the records and says how many were refused.
    ///
    /// # Errors
    /// When none is kept.
    pub async fn keep(&mut self, logs: Logs, door: &'static str) -> Result<usize, ApiError> {
        let Logs { gathered, services, too_deep } = logs;
        let _held = written_anew(gathered.bytes.len(), &self.api.memory)?;
        let sent = services.iter().map(|service| Ok(Sent { source: self.sender.source([service.as_deref()])?, id: None }));
        let sent = sent.collect::<Result<Vec<_>, ApiError>>()?;
        let rate = self.caller.rate();
        deliver(self.api, Delivery { door, kind: UNKNOWN_KIND, peer: self.peer.clone(), by: self.caller.by(), rate, gathered, sent })
            .await?;
        self.api.count_refused(self.sender.named(), "too_deep", too_deep as u64);
        Ok(too_deep)
    }
}

/// `ExportLogsServiceResponse` in JSON.
fn success_json(refused: usize) -> Vec<u8> {
    let partial = json!({ "partialSuccess": { "rejectedLogRecords": refused.to_string(), "errorMessage": TOO_DEEP } });
    if refused == 0 { b"{}".to_vec() } else { partial.to_string().into_bytes() }
}

/// `ExportLogsServiceResponse` in protobuf: `partial_success` 1 { `rejected_log_records` 1, `error_message` 2 }.
pub fn success_protobuf(refused: usize) -> Vec<u8> {
    if refused == 0 {
        return Vec::new();
    }
    let mut partial = vec![1 << 3];
    varint(refused as u64, &mut partial);
    text(2, TOO_DEEP, &mut partial);
    let mut out = Vec::new();
    field(1, &partial, &mut out);
    out
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    loop {
        let bits = value.to_le_bytes().first().copied().unwrap_or_default() & 0x7f;
        value >>= 7;
        out.push(if value == 0 { bits } else { bits | 0x80 });
        if value == 0 {
            return;
        }
    }
}

fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(number << 3 | 2);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn text(number: u8, text: &str, out: &mut Vec<u8>) {
    field(number, text.as_bytes(), out);
}

/// The status of gRPC that an error is.
pub fn status_code(why: &ApiError) -> u8 {
    match why.status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        // Those that may pass later: UNAVAILABLE, which every exporter sends again.
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::INSUFFICIENT_STORAGE
        | StatusCode::REQUEST_TIMEOUT => 14,
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => 12,
        status if status.is_server_error() => 13,
        _ => 3,
    }
}

/// An error as `google.rpc.Status` { `code` 1, `message` 2 }.
pub fn refuse(why: ApiError, json: bool) -> Response {
    // 507 means nothing to an exporter; 503 is sent again.
    let status = if why.status == StatusCode::INSUFFICIENT_STORAGE { StatusCode::SERVICE_UNAVAILABLE } else { why.status };
    let code = status_code(&why);
    if json {
        let body = json!({ "code": code, "message": why.message }).to_string();
        return refusal(&why, status, JSON, inert(body.into_bytes()));
    }
    let mut body = vec![1 << 3, code];
    text(2, &why.message, &mut body);
    refusal(&why, status, PROTOBUF, body)
}

impl From<OtlpError> for ApiError {
    fn from(why: OtlpError) -> Self {
        let status = if why.is_too_large() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
        Self::new(status, why.code(), why.to_string())
    }
}
