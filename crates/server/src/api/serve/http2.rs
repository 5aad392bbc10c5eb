//! HTTP/2, for gRPC: which version a connection speaks, and the limits of the second.
//!
//! Over TLS the version is agreed on; without it a client that knows (`h2c` with prior knowledge)
//! begins with the preface of HTTP/2. There is no upgrade from one to the other.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::net::TcpStream;

use crate::api::limits::{ApiLimits, HEADER_BYTES_MAX};

/// Requests at once on one connection: an exporter has a handful.
const STREAMS_MAX: u32 = 64;
/// Bytes that may come on one stream, and on all of a connection, before they are read: they are held
/// before the memory of bodies counts them. Enough for 100 MB/s at 10 ms.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// Bytes of answers on one stream that wait to be taken.
const SEND_BYTES_MAX: usize = 64 << 10;
/// Pause between looks at the first bytes while too few have come to tell.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the preface begins with; no method of HTTP/1 does.
const PREFACE: &[u8; 3] = b"PRI";

/// The version that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 1.0 or 1.1.
    Http1,
    /// 2.
    Http2,
}

/// The version agreed on in a TLS handshake.
pub fn agreed(protocol: Option<&[u8]>) -> Version {
    if protocol == Some(b"h2") { Version::Http2 } else { Version::Http1 }
}

/// The version whose first bytes a client sent; they are left to be read.
///
/// # Errors
/// The connection ended before they came.
pub async fn spoken(stream: &TcpStream) -> io::Result<Version> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await?;
        let begun = first.get(..seen).unwrap_or_default();
        if !PREFACE.starts_with(begun) || seen == 0 {
            return Ok(Version::Http1);
        }
        if seen == PREFACE.len() {
            return Ok(Version::Http2);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A server of HTTP/2 within our limits.
pub fn builder(limits: &ApiLimits) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new());
    http.max_concurrent_streams(STREAMS_MAX);
    http.max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX));
    http.initial_stream_window_size(STREAM_WINDOW_BYTES);
    http.initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    http.max_send_buf_size(SEND_BYTES_MAX);
    // A peer that is gone gives its place back.
    http.keep_alive_interval(limits.head_timeout);
    http.keep_alive_timeout(limits.head_timeout);
    http
}

/// Ends when the time for the first request is over and none has come.
pub async fn silent(asked: &AtomicBool, limit: Duration) {
    tokio::time::sleep(limit).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}
