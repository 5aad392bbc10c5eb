//! What a request is told when it is not answered as asked: `{"error":{"code","message"}}`.

use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;
use serde::Serialize;

use crate::access::{Denied, HeaderError, RetryAfter, Scope};
use crate::api::answer::json;
use crate::door::AdmitError;
use crate::intake::{BodyError, ShapeError};
use crate::log::intent::ActError;
use crate::log::sequencer::AppendError;
use crate::store::read::ReadError;
use crate::store::trail::RotateError;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// HTTP status.
    pub status: StatusCode,
    /// Name for programs, metrics and records.
    pub code: &'static str,
    /// For people: what happened, to what, what to do.
    pub message: String,
    /// Seconds after which the same request may pass.
    pub retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Said<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    code: &'a str,
    message: &'a str,
}

impl ApiError {
    /// What is wrong, in words.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An error.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 403: the key is good, and not for this.
    pub fn scope_missing(scope: Scope) -> Self {
        let message = format!("this key does not have the scope `{scope}`: use a key that has it, or ask an administrator for one");
        Self::new(StatusCode::FORBIDDEN, "scope_missing", message)
    }

    /// 429 until `seconds` have passed.
    pub fn later(code: &'static str, message: impl Into<String>, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(StatusCode::TOO_MANY_REQUESTS, code, message) }
    }

    /// 500: a task of ours ended without an answer.
    pub fn lost_task() -> Self {
        let message = "the server could not finish this request; send it again with the same ids, and report it if it happens again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let mut response = json(self.status, &Body { error: Said { code: self.code, message: &self.message } });
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"indelible\""));
        }
        response
    }
}

impl From<HeaderError> for ApiError {
    fn from(why: HeaderError) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, why.code(), why.to_string())
    }
}

impl From<Denied> for ApiError {
    /// Whoever knocks learns the same of every key that is not valid.
    fn from(_: Denied) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "key_invalid", Denied::OUTSIDE)
    }
}

impl From<RetryAfter> for ApiError {
    fn from(why: RetryAfter) -> Self {
        Self::later("rate_limited", why.to_string(), why.seconds())
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}

impl From<BodyError> for ApiError {
    fn from(why: BodyError) -> Self {
        Self::new(status(why.status()), why.code(), why.to_string())
    }
}

impl From<ShapeError> for ApiError {
    fn from(why: ShapeError) -> Self {
        Self::new(status(why.status()), why.code(), why.to_string())
    }
}

impl From<AppendError> for ApiError {
    fn from(why: AppendError) -> Self {
        let message = why.to_string();
        match why {
            // No request asks to be kept whole: it would be as good as busy.
            AppendError::Busy | AppendError::Split { .. } => Self::later("busy", message, 1),
            AppendError::NoSpace => Self::new(StatusCode::INSUFFICIENT_STORAGE, "no_space", message),
            AppendError::Cursor(_) => Self::bad_request("cursor_invalid", message),
            AppendError::Stopped(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", message),
        }
    }
}

impl From<AdmitError> for ApiError {
    fn from(why: AdmitError) -> Self {
        match why {
            AdmitError::Act(why) => why.into(),
            AdmitError::Append(why) => why.into(),
            AdmitError::Random(_) | AdmitError::LostTask => Self::lost_task(),
        }
    }
}

impl From<ActError> for ApiError {
    fn from(why: ActError) -> Self {
        let message = why.to_string();
        match why {
            ActError::Append(why) => why.into(),
            ActError::Unknown { .. } => Self::not_found("unknown", message),
            ActError::Invalid { .. } => Self::bad_request("setting_invalid", message),
            ActError::TooMany { .. } => Self::new(StatusCode::CONFLICT, "too_many", message),
            ActError::Fold(_) => Self::new(StatusCode::CONFLICT, "not_allowed", message),
        }
    }
}

impl From<RotateError> for ApiError {
    fn from(why: RotateError) -> Self {
        match why {
            RotateError::Act(why) => why.into(),
            RotateError::Key(why) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "key_not_written", why.to_string()),
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(why: ReadError) -> Self {
        let message = why.to_string();
        match why {
            ReadError::Beyond { .. } => Self::not_found("no_such_entry", message),
            ReadError::Damaged { .. } => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "damaged", message),
        }
    }
}
