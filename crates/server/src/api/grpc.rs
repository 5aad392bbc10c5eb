//! OTLP/gRPC: `opentelemetry.proto.collector.logs.v1.LogsService/Export`, on the same port.
//!
//! One unary method over HTTP/2: a length-prefixed message each way and a status in the trailers. A
//! framework for that would bring a second stack of routes, limits and credentials; this is the frame.
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use crate::api::caller::Caller;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::otlp::{Export, status_code, success_protobuf};
use crate::api::receive::{events_body, message};
use crate::api::state::Api;
use crate::intake::Encoding;
use crate::intake::otlp::decode_protobuf;

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Flag and length before each message.
const PREFIX_BYTES: usize = 5;

/// `POST /opentelemetry.proto.collector.logs.v1.LogsService/Export`.
///
/// # Errors
/// When nothing of the request is kept; counted.
pub async fn export(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    let Asked { parts, body, peer } = asked;
    let mut export = Export::open(api, caller, &parts, peer)?;
    let answer = async {
        check_form(parts.version, &parts.headers)?;
        let received = events_body(body, &parts.headers, &api.limits, &api.memory).await?;
        let decoded = unframe(api, &parts.headers, &received.bytes)?;
        export.keep(decode_protobuf(&decoded)?, "otlp-grpc").await
    };
    let refused = answer.await.inspect_err(|why| api.count_refused(None, why.code, 1))?;
    Ok(success(&success_protobuf(refused)))
}

fn check_form(version: Version, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_grpc = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
    if version == Version::HTTP_2 && is_grpc {
        return Ok(());
    }
    let message = "this path speaks gRPC: HTTP/2 with `Content-Type: application/grpc`; OTLP over HTTP is at /v1/logs";
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_grpc", message))
}

/// The one message of a unary call, decompressed.
fn unframe(api: &Api, headers: &HeaderMap, body: &Bytes) -> Result<Bytes, ApiError> {
    let malformed = || ApiError::bad_request("grpc_malformed", "the body is not one gRPC message, or it was cut short");
    let (prefix, rest) = body.split_first_chunk::<PREFIX_BYTES>().ok_or_else(malformed)?;
    let [flag, length @ ..] = *prefix;
    if u32::from_be_bytes(length) as usize != rest.len() {
        return Err(malformed());
    }
    let framed = body.slice(PREFIX_BYTES..);
    match flag {
        0 => Ok(framed),
        1 => {
            let encoding = headers.get("grpc-encoding").ok_or_else(malformed)?.to_str().unwrap_or("?");
            Ok(message(framed, Encoding::from_header(Some(encoding))?, &api.limits)?)
        }
        _ => Err(malformed()),
    }
}

fn success(message: &[u8]) -> Response {
    let mut framed = vec![0];
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
    framed.extend_from_slice(message);
    let trailers = async { Some(Ok(status(0, ""))) };
    let mut response = Response::new(Body::new(Full::new(Bytes::from(framed)).with_trailers(trailers)));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// An error: trailers alone, which stand in the head.
pub fn refuse(why: &ApiError) -> Response {
    let mut response = Response::new(Body::empty());
    response.headers_mut().extend(status(status_code(why), &why.message));
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

fn status(code: u8, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message))
        && !message.is_empty()
    {
        trailers.insert("grpc-message", message);
    }
    trailers
}

/// As gRPC wants a message: visible ASCII and spaces as they are, all other bytes and `%` in hexadecimal.
fn percent_encoded(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_in_visible_ascii() {
        assert_eq!(percent_encoded("100 % of é\n"), "100 %25 of %C3%A9%0A");
        let why = ApiError::later("busy", "one\u{1f600}", 1);
        let refused = refuse(&why);
        assert_eq!(refused.headers().get("grpc-status").map(HeaderValue::as_bytes), Some(b"14".as_slice()));
        assert_eq!(refused.headers().get("grpc-message").map(HeaderValue::as_bytes), Some(b"one%F0%9F%98%80".as_slice()));
    }
}
