//! Reads a request's body within its limits of size, memory and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::api::error::ApiError;
use crate::api::limits::{ApiLimits, SETTING_BYTES_MAX};
use crate::api::state::{Held, Memory};
use crate::intake::limits::BodyLimits;
use crate::intake::{BodyDecoder, BodyError, Encoding};

/// A body and the memory it holds.
#[derive(Debug)]
pub struct Received {
    /// The decoded bytes.
    pub bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Received {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How a body is read.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    window: Duration,
    window_bytes: usize,
}

/// Reads the body of a request that brings events.
///
/// # Errors
/// Undecodable or too large (4xx), too slow (408), no memory (429), cut off (400).
pub async fn events_body(body: Body, headers: &HeaderMap, limits: &ApiLimits, memory: &Arc<Memory>) -> Result<Received, ApiError> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let mut decoder = BodyDecoder::new(Encoding::from_header(encoding)?, limits.body);
    if let Some(length) = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()) {
        decoder.expect(length)?;
    }
    receive(body, decoder, memory.hold(), limits).await
}

/// Memory for bytes that a door wrote anew, beside the body they come from; given back when dropped.
///
/// # Errors
/// 429 when there is none.
pub fn written_anew(bytes: usize, memory: &Arc<Memory>) -> Result<Held, ApiError> {
    let mut held = memory.hold();
    if held.grow_to(bytes) { Ok(held) } else { Err(no_memory()) }
}

fn no_memory() -> ApiError {
    ApiError::later("busy", "the server holds as many request bodies as its memory allows: send this again after a second", 1)
}

/// Decodes a message that stood inside a body, compressed on its own.
///
/// # Errors
/// Undecodable or too large.
pub fn message(framed: Bytes, encoding: Encoding, limits: &ApiLimits) -> Result<Bytes, BodyError> {
    let mut decoder = BodyDecoder::new(encoding, limits.body);
    decoder.push(framed)?;
    decoder.finish()
}

/// Reads a small JSON body that configures something.
///
/// # Errors
/// As [`events_body`].
pub async fn setting_body(body: Body, limits: &ApiLimits, memory: &Arc<Memory>) -> Result<Received, ApiError> {
    let small = BodyLimits { decoded_bytes: SETTING_BYTES_MAX, ..limits.body };
    receive(body, BodyDecoder::new(Encoding::Identity, small), memory.hold(), limits).await
}

async fn receive(mut body: Body, mut decoder: BodyDecoder, mut held: Held, limits: &ApiLimits) -> Result<Received, ApiError> {
    let mut pace = Window::new(Pace { window: limits.body_window, window_bytes: limits.body_window_bytes });
    while let Some(frame) = pace.next(&mut body).await? {
        // Trailers carry nothing we use.
        let Ok(piece) = frame.into_data() else {
            continue;
        };
        pace.received += piece.len();
        decoder.push(piece)?;
        if !held.grow_to(decoder.decoded_bytes()) {
            return Err(no_memory());
        }
    }
    Ok(Received { bytes: decoder.finish()?, _held: held })
}

/// The window in which a body has to bring its least bytes.
struct Window {
    pace: Pace,
    ends: Instant,
    received: usize,
}

type Frame = hyper::body::Frame<Bytes>;

impl Window {
    fn new(pace: Pace) -> Self {
        Self { pace, ends: Instant::now() + pace.window, received: 0 }
    }

    async fn next(&mut self, body: &mut Body) -> Result<Option<Frame>, ApiError> {
        loop {
            match timeout_at(self.ends, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => return Ok(Some(frame)),
                Ok(Some(Err(_))) => {
                    return Err(ApiError::bad_request("body_cut_off", "the connection ended before the body did: send it again"));
                }
                Err(_) if self.received >= self.pace.window_bytes => *self = Self::new(self.pace),
                Err(_) => return Err(self.too_slow()),
            }
        }
    }

    fn too_slow(&self) -> ApiError {
        let (bytes, seconds) = (self.pace.window_bytes, self.pace.window.as_secs());
        let message = format!(
            "the body brought fewer than {bytes} bytes in {seconds} seconds: send it again over a faster connection, or compressed"
        );
        ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", message)
    }
}
