//! `GET /v1/evidence`: the entries that a search line describes, as a file that proves them.
//!
//! INVARIANT: before a file leaves, the log holds a record with the hash of its case: who made it, when,
//! from which line, and which entries were in it.

mod access;
mod hidden;
mod make;
mod redact;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;
use serde::Deserialize;

use crate::access::Credential;
use crate::api::answer::bytes;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::query::{Switch, query};
use crate::api::saved;
use crate::api::state::Api;
use crate::log::sequencer::AppendError;
use crate::search::{QueryError, SearchError};
use crate::store::read::ReadError;

pub use make::{BYTES_MAX, ENTRIES_MAX, EvidenceAsk, make};
pub use redact::{Redaction, RedactionError};

/// Media type of an evidence file that stands in no page.
const EVIDENCE_TYPE: &str = "application/vnd.indelible.evidence+json";
/// Bytes of a title.
const TITLE_BYTES_MAX: usize = 500;

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// Nothing matches.
    #[error("no entry matches the line, so there is nothing to prove: try it with `indelible search` first")]
    Nothing,
    /// Too many match.
    #[error("more than {ENTRIES_MAX} entries match: narrow the line (since:, until:, source:), or make several files of it")]
    TooMany,
    /// What matches is too large.
    #[error("what matches has more than {} MiB: narrow the line (since:, until:, source:), or make several files of it", BYTES_MAX >> 20)]
    TooLarge,
    /// The search takes too long.
    #[error("the search for the entries took longer than a minute: narrow the line (since:, until:, source:)")]
    TooSlow,
    /// Nothing has what is to be hidden.
    #[error("no entry that matches has {0:?}, so nothing would be hidden: check the spelling, capitals count")]
    HidesNothing(String),
    /// What is hidden is too much to look for elsewhere.
    #[error("more is hidden than can be looked for in what is shown: narrow the line, and make several files of it")]
    HidesTooMuch,
    /// What is hidden still stands elsewhere.
    #[error("a value that is to be hidden also stands in {0}: hide that too, or say that repeats may stay (--repeats, repeats=1)")]
    Repeats(String),
    /// The line is none.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The search failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The case could not be recorded, so nothing is shown.
    #[error("the evidence could not be recorded, so it was not made: {0}")]
    Append(#[from] AppendError),
}

impl From<EvidenceError> for ApiError {
    fn from(why: EvidenceError) -> Self {
        let message = why.to_string();
        match why {
            EvidenceError::Nothing => Self::not_found("no_match", message),
            EvidenceError::TooMany | EvidenceError::TooLarge | EvidenceError::HidesTooMuch => Self::bad_request("too_much", message),
            EvidenceError::TooSlow => Self::bad_request("too_slow", message),
            EvidenceError::HidesNothing(_) => Self::bad_request("hides_nothing", message),
            EvidenceError::Repeats(_) => Self::new(StatusCode::CONFLICT, "repeats", message),
            EvidenceError::Query(why) => why.into(),
            EvidenceError::Search(why) => why.into(),
            EvidenceError::Read(why) => why.into(),
            EvidenceError::Append(why) => why.into(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    title: String,
    /// One a line.
    #[serde(default)]
    redact: String,
    #[serde(default)]
    repeats: Switch,
}

/// `GET /v1/evidence?q=&title=&redact=&repeats=`: the evidence without a page around it.
pub async fn get(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let EvidenceQuery { q, title, redact, repeats } = query(&asked.parts.uri)?;
    if title.len() > TITLE_BYTES_MAX {
        return Err(ApiError::bad_request("title_invalid", format!("the title has more than {TITLE_BYTES_MAX} bytes: shorten it")));
    }
    let redactions = redact.lines().map(str::parse).collect::<Result<Vec<Redaction>, RedactionError>>();
    let ask = EvidenceAsk {
        query: saved::line(api, &q).await?,
        title,
        redactions: redactions.map_err(|why| ApiError::bad_request("redact_invalid", why.to_string()))?,
        repeats: repeats.is_on(),
        by: caller.key_id().to_string(),
        now_ms: api.clock.now_ms(),
    };
    let (admission, index) = (Arc::clone(&api.admission), api.index());
    let json = api.search(move |trail| {
        let directory = admission.identities().in_force(trail)?;
        Ok(make(trail, &index, &directory, &ask)?.to_json())
    });
    let mut response = bytes(StatusCode::OK, EVIDENCE_TYPE, json.await?);
    response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"evidence.json\""));
    Ok(response)
}
