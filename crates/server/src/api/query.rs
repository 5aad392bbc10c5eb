//! The query of a request, strictly: an unknown or repeated parameter is an error, because a typo
//! that is passed over asks another question than the one meant.

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::error::ApiError;

/// Reads the query.
///
/// # Errors
/// 400, saying which parameter is wrong.
pub fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    Query::try_from_uri(uri).map(|Query(query)| query).map_err(|why| {
        ApiError::bad_request("bad_query", format!("{}: see /openapi.json for the parameters of this path", why.body_text()))
    })
}

/// A parameter that is on or off: `1`, `true`, or nothing but its name; `0` or `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Switch {
    /// On.
    #[serde(rename = "1", alias = "true", alias = "")]
    On,
    /// Off.
    #[default]
    #[serde(rename = "0", alias = "false")]
    Off,
}

impl Switch {
    /// Whether it is on.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}
