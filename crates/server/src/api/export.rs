//! `GET /v1/export`: everything that a search line describes, streamed to its end; or, with `page=1`, one
//! page of it, which is what a client asks for that wants to go on after an interruption.
//!
//! A page is read when the one before it is written to the reader's connection, so an export of any size
//! holds one page in memory. NDJSON ends with the manifest as its last line, so what has none is not whole;
//! CSV and Parquet cannot say what could not be read, so they break off instead.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::access::{Credential, Scope};
use crate::api::answer::bytes;
use crate::api::auth::authorize;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::limits::{EXPORTS_MAX, LIST_BYTES_MAX, SEARCH_ENTRIES_MAX, SEARCH_TIME};
use crate::api::noted::note;
use crate::api::query::{Switch, query};
use crate::api::route::Needs;
use crate::api::saved;
use crate::api::state::Api;
use crate::export::{Encoder, Encoding, ExportError, From, Manifest, Page, page};
use crate::log::records;
use crate::search::{Budget, Cursor, Index, Query, SearchError};

/// What one page may cost.
const PAGE: Budget = Budget { hits: 4_000, bytes: LIST_BYTES_MAX, time: SEARCH_TIME, entries: SEARCH_ENTRIES_MAX };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportQuery {
    #[serde(default)]
    q: String,
    format: Option<String>,
    #[serde(default)]
    page: Switch,
    /// What its pages are made into by whoever asks, for the record.
    into: Option<String>,
    cursor: Option<String>,
    behind: Option<u64>,
}

/// `GET /v1/export?q=&format=` and `GET /v1/export?q=&page=1&into=&cursor=&behind=`.
pub async fn get(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let ExportQuery { q, format, page, into, cursor, behind } = query(&asked.parts.uri)?;
    let line = saved::line(api, &q).await?;
    let encoding = encoding_of("format", format.as_deref())?;
    let by = caller.key_id().to_string();
    if page.is_on() {
        if encoding != Encoding::Ndjson {
            return Err(ApiError::bad_request("format_invalid", "a page is NDJSON: leave `page` out for a whole table"));
        }
        let cursor = cursor.map(|cursor| cursor.parse::<Cursor>()).transpose().map_err(SearchError::Cursor)?;
        let from = cursor.map_or_else(|| From::Start(api.clock.now_ms()), |cursor| From::Cursor(cursor, behind));
        return one_page(api, by, line, from, encoding_of("into", into.as_deref())?).await;
    }
    if cursor.is_some() || behind.is_some() || into.is_some() {
        return Err(ApiError::bad_request(
            "bad_query",
            "`cursor`, `behind` and `into` go with `page=1`: an export without pages has one beginning",
        ));
    }
    let place = Arc::clone(&api.exports).try_acquire_owned().map_err(|_| {
        ApiError::later("exports_full", format!("{EXPORTS_MAX} exports are under way, as many as may: end one, or ask again later"), 30)
    })?;
    let index = api.index();
    let size = api.trail.view().size;
    note(&index, "exports", records::export_begun(&by, &line.to_string(), encoding.word(), size))?;
    let mut key = axum::http::HeaderMap::new();
    if let Some(value) = asked.parts.headers.get(axum::http::header::AUTHORIZATION) {
        key.insert(axum::http::header::AUTHORIZATION, value.clone());
    }
    let mut stream = Stream {
        counted: Counted { index, by, line: line.to_string(), encoding, to: 0, size, hits: 0 },
        from: None,
        first: None,
        encoder: Some(Encoder::begin(encoding).map_err(|why| broken(&why))?),
        whole: None,
        api: Arc::clone(api),
        line,
        key,
        _place: place,
    };
    // What is wrong with the first page is said with a status of its own.
    stream.first = Some(stream.advance(From::Start(api.clock.now_ms())).await?);
    let body = Body::from_stream(unfold(stream, |mut stream| async {
        let next = stream.next().await?;
        Some((next, stream))
    }));
    let mut response = bytes(StatusCode::OK, encoding.media(), body);
    let name = match encoding {
        Encoding::Ndjson => "attachment; filename=\"export.ndjson\"",
        Encoding::Csv => "attachment; filename=\"export.csv\"",
        Encoding::Parquet => "attachment; filename=\"export.parquet\"",
    };
    response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

/// The encoding that a parameter names; NDJSON where it is left out.
fn encoding_of(name: &str, word: Option<&str>) -> Result<Encoding, ApiError> {
    let word = word.unwrap_or(Encoding::Ndjson.word());
    word.parse().map_err(|why| ApiError::bad_request("format_invalid", format!("{name}={word}: {why}")))
}

async fn one_page(api: &Arc<Api>, by: String, line: Query, from: From, into: Encoding) -> Result<Response, ApiError> {
    let index = api.index();
    let Page { lines, manifest } = read(api, line, from, Encoding::Ndjson).await?;
    let range = (manifest.covered.from, manifest.covered.to);
    note(&index, "exports", records::export(&by, &manifest.query, into.word(), range, manifest.tree.size, manifest.count))?;
    let mut body = Encoder::Ndjson.write(&lines).map_err(|why| broken(&why))?;
    end_line(&manifest, &mut body)?;
    Ok(bytes(StatusCode::OK, Encoding::Ndjson.media(), body))
}

async fn read(api: &Arc<Api>, line: Query, from: From, encoding: Encoding) -> Result<Page, ApiError> {
    let (admission, index) = (Arc::clone(&api.admission), api.index());
    api.search(move |trail| {
        let directory = admission.identities().in_force(trail)?;
        Ok(page(trail, &index, &directory, &line, from, PAGE, encoding)?)
    })
    .await
}

fn broken(why: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", why.to_string())
}

fn end_line(manifest: &Manifest, body: &mut Vec<u8>) -> Result<(), ApiError> {
    serde_json::to_writer(&mut *body, manifest).map_err(|why| broken(&why))?;
    body.push(b'\n');
    Ok(())
}

/// What is recorded when an export ends, however it ends.
struct Counted {
    index: Arc<Index>,
    by: String,
    line: String,
    encoding: Encoding,
    to: u64,
    size: u64,
    hits: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let record = records::export(&self.by, &self.line, self.encoding.word(), (0, self.to), self.size, self.hits);
        if !self.index.note(record) {
            tracing::warn!(by = self.by, hits = self.hits, "the end of an export could not be recorded: too many records wait");
        }
    }
}

/// An export under way.
struct Stream {
    api: Arc<Api>,
    line: Query,
    counted: Counted,
    /// The bytes of the first page, until they are sent.
    first: Option<Vec<u8>>,
    /// Where the next page begins; nothing behind the last.
    from: Option<From>,
    encoder: Option<Encoder>,
    /// The manifests of all pages so far.
    whole: Option<Manifest>,
    /// The `Authorization` that was shown: a key that is revoked exports nothing more.
    key: axum::http::HeaderMap,
    _place: OwnedSemaphorePermit,
}

impl Stream {
    /// The next bytes; an error breaks the answer off, so that nobody takes it for whole.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Some(Ok(first.into()));
        }
        loop {
            let from = self.from.take()?;
            match self.advance(from).await {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some(Ok(bytes.into())),
                Err(why) => {
                    tracing::warn!(by = self.counted.by, why = why.message, "an export was broken off");
                    return Some(Err(io::Error::other(why.message)));
                }
            }
        }
    }

    async fn advance(&mut self, from: From) -> Result<Vec<u8>, ApiError> {
        if self.api.is_draining() {
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "draining", "the server shuts down"));
        }
        authorize(&self.api, Needs::Key(Scope::Read), &self.key)?;
        let encoding = self.counted.encoding;
        let Page { lines, manifest } = read(&self.api, self.line.clone(), from, encoding).await?;
        if encoding != Encoding::Ndjson
            && let Some(gap) = manifest.covered.unreadable.first()
        {
            let message = format!("entries {} to {} cannot be read: {}", gap.first, gap.last, gap.why);
            return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", message));
        }
        (self.counted.to, self.counted.size) = (manifest.covered.to, manifest.tree.size);
        self.counted.hits += manifest.count;
        let whole = match self.whole.take() {
            None => manifest,
            Some(mut whole) => {
                whole.join(manifest);
                whole
            }
        };
        let mut encoder = self.encoder.take().ok_or_else(ApiError::lost_task)?;
        let mut bytes = encoder.write(&lines).map_err(|why| broken(&why))?;
        match &whole.next {
            Some(cursor) => {
                let cursor = cursor.parse().map_err(SearchError::Cursor)?;
                self.from = Some(From::Cursor(cursor, whole.last));
                self.encoder = Some(encoder);
            }
            None => {
                bytes.extend(encoder.end().map_err(|why| broken(&why))?);
                if encoding == Encoding::Ndjson {
                    end_line(&whole, &mut bytes)?;
                }
            }
        }
        self.whole = Some(whole);
        Ok(bytes)
    }
}

impl std::convert::From<ExportError> for ApiError {
    fn from(why: ExportError) -> Self {
        match why {
            ExportError::Search(why) => why.into(),
            ExportError::Read(why) => why.into(),
            ExportError::Downwards | ExportError::Behind => Self::bad_request("cursor_invalid", why.to_string()),
        }
    }
}
