//! `/v1/lake`: the files of the lake (docs/LAKE.md), for engines on other machines, and what they do not hold.
//!
//! A file is opened once for each answer: whoever reads it while it is made again reads the old one to its end. Each
//! answer with bytes of one is recorded.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;

use crate::access::Credential;
use crate::api::answer::{bytes, json};
use crate::api::byte_range::{Wanted, wanted};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::noted::note;
use crate::api::state::Api;
use crate::log::records;
use crate::search::lake::Listed;

/// Bytes of a file that one answer holds in memory.
const PIECE_BYTES: u64 = 256 << 10;
const PARQUET: &str = "application/vnd.apache.parquet";

/// `GET /v1/lake`.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    asked.nothing()?;
    let index = api.index();
    api.read(move |trail| Ok(json(StatusCode::OK, &index.lake(trail)))).await
}

/// `GET /v1/lake/{name}`, all of it or a range of its bytes.
pub async fn file(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    asked.nothing()?;
    let name = asked.path_part().await?;
    let index = api.index();
    let (file, listed) = api
        .read(move |trail| {
            let unknown = || ApiError::not_found("no_such_file", format!("the lake has no file {name:?}: list them with GET /v1/lake"));
            let (path, listed) = index.lake_file(trail, &name).ok_or_else(unknown)?;
            let file = File::open(path).map_err(|_| unknown())?;
            // Made again between the two looks: the client lists once more.
            let same = file.metadata().is_ok_and(|there| there.len() == listed.bytes);
            if same { Ok((file, listed)) } else { Err(unknown()) }
        })
        .await?;
    let etag = format!("\"{:x}-{:08x}\"", listed.bytes, listed.crc32c);
    let range = match wanted(&asked.parts.headers, &etag, listed.bytes) {
        Wanted::Beyond => return Ok(beyond(&listed)),
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
    };
    if asked.parts.method != Method::HEAD {
        let record = records::lake_read(&caller.key_id().to_string(), &listed.name, (listed.first, listed.last));
        note(&api.index(), "reading", record)?;
    }
    let (status, within) = range.map_or((StatusCode::OK, 0..listed.bytes), |range| (StatusCode::PARTIAL_CONTENT, range));
    let mut response =
        bytes(status, PARQUET, Pieces { api: Arc::clone(api), file: Arc::new(file), at: within.start, end: within.end }.body());
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(within.end - within.start));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(headers, ETAG, &etag);
    if status == StatusCode::PARTIAL_CONTENT {
        set(headers, CONTENT_RANGE, &format!("bytes {}-{}/{}", within.start, within.end - 1, listed.bytes));
    }
    Ok(response)
}

fn beyond(listed: &Listed) -> Response {
    let message = format!("{} has {} bytes, and none of those asked for: ask for a range within it", listed.name, listed.bytes);
    let mut response = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", message).into_response();
    set(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{}", listed.bytes));
    response
}

fn set(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    // Digits, letters and quotes are always a header's value.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A range of a file that is on its way.
struct Pieces {
    api: Arc<Api>,
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Pieces {
    fn body(self) -> Body {
        Body::from_stream(unfold(self, |mut pieces| async {
            let piece = pieces.next().await?;
            Some((piece, pieces))
        }))
    }

    /// The next piece, read when the one before it is written to the reader's connection.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let length = self.end.saturating_sub(self.at).min(PIECE_BYTES);
        if length == 0 {
            return None;
        }
        let (file, at) = (Arc::clone(&self.file), self.at);
        let read = self.api.read(move |_| {
            let mut piece = vec![0; length as usize];
            Ok(file.read_exact_at(&mut piece, at).map(|()| Bytes::from(piece)))
        });
        let piece = read.await.unwrap_or_else(|why| Err(io::Error::other(why.message)));
        // What broke off is not gone on with.
        self.at = if piece.is_ok() { self.at + length } else { self.end };
        Some(piece)
    }
}
