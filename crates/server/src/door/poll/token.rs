//! OAuth 2.0 client credentials (RFC 6749 §4.4): asking for a token, and knowing when to ask again.

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;

use crate::door::poll::{Ask, paged::query};

/// Longest answer with a token in it.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Renewed this long before it ends, or at half its life if that is shorter: a request under way
/// must not outlive its token.
const MARGIN_MS: u64 = 300_000;
/// Life of a token whose answer does not tell. RFC 6749 §5.1 recommends that it does.
const LIFE_S_DEFAULT: u64 = 600;

/// A token and when to replace it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The bearer token.
    pub value: String,
    /// Replace it from then on, ms since 1970.
    pub renew_at_ms: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token(…, renew at {})", self.renew_at_ms)
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The authority refused; its own code, which names no secret.
    #[error("no token was given: {status} {code}; check client id, secret, scope and tenant")]
    Refused {
        /// HTTP status.
        status: u16,
        /// OAuth error code.
        code: String,
    },
    /// Not a token answer.
    #[error("the token endpoint's answer has no access_token")]
    Shape,
}

/// The request for a token.
#[must_use]
pub fn ask(token_url: &str, client_id: &str, client_secret: &str, scope: &str) -> Ask {
    let form = query(&[("grant_type", "client_credentials"), ("client_id", client_id), ("client_secret", client_secret), ("scope", scope)]);
    let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned()), ("accept", "application/json".to_owned())];
    let body = Bytes::from(form);
    Ask { method: Method::POST, headers, body, answer_bytes_max: ANSWER_BYTES_MAX, ..Ask::get(token_url.to_owned()) }
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

/// Reads the answer.
///
/// # Errors
/// [`TokenError`].
pub fn read(status: StatusCode, body: &[u8], now_ms: u64) -> Result<Token, TokenError> {
    if !status.is_success() {
        let code = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|json| Some(json.get("error")?.as_str()?.to_owned()));
        // A code is a word of RFC 6749 §5.2; anything longer is somebody's page.
        let code = code.filter(|code| code.len() <= 64).unwrap_or_default();
        return Err(TokenError::Refused { status: status.as_u16(), code });
    }
    let given: Given = serde_json::from_slice(body).map_err(|_| TokenError::Shape)?;
    // Some authorities write the number as text.
    let life_s = given.expires_in.and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok())).unwrap_or(LIFE_S_DEFAULT);
    let life_ms = life_s.saturating_mul(1_000);
    let use_ms = life_ms.saturating_sub(MARGIN_MS).max(life_ms / 2);
    Ok(Token { value: given.access_token, renew_at_ms: now_ms.saturating_add(use_ms) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let read = |body: &str| read(StatusCode::OK, body.as_bytes(), 1_000).map(|token| token.renew_at_ms);
        assert_eq!(read(r#"{"access_token":"t","expires_in":3600}"#), Ok(1_000 + 3_300_000));
        assert_eq!(read(r#"{"access_token":"t","expires_in":"3600"}"#), Ok(1_000 + 3_300_000));
        assert_eq!(read(r#"{"access_token":"t","expires_in":60}"#), Ok(1_000 + 30_000));
        assert_eq!(read(r#"{"access_token":"t"}"#), Ok(1_000 + 300_000));
        assert_eq!(read("{}"), Err(TokenError::Shape));
    }

    #[test]
    fn a_refusal_says_its_code_and_nothing_of_the_secret() {
        let said = read(StatusCode::UNAUTHORIZED, br#"{"error":"invalid_client","error_description":"secret s3cr3t"}"#, 0).unwrap_err();
        assert_eq!(said.to_string(), "no token was given: 401 invalid_client; check client id, secret, scope and tenant");
        assert!(!format!("{:?}", Token { value: "s3cr3t".into(), renew_at_ms: 0 }).contains("s3cr3t"));
    }

    #[test]
    fn the_form_is_encoded() {
        let ask = ask("https://login.example/token", "id", "a&b=c+d", "https://x/.default");
        assert_eq!(
            ask.body.as_ref(),
            b"grant_type=client_credentials&client_id=id&client_secret=a%26b%3Dc%2Bd&scope=https%3A%2F%2Fx%2F.default"
        );
    }
}
