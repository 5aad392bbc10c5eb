//! The `Authorization` header: `Bearer <token>`, or one of the forms that shippers know.
//!
//! `Basic` has the token as its password, and `ApiKey` (Elasticsearch) after the colon: what stands
//! before it is ignored. `Splunk <token>` is the event collector's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::token::{InvalidToken, Token};

/// A token has 64 characters, 88 in base64; the rest is room for a user name. Longer values are
/// nothing that we gave out, and are not decoded.
const HEADER_BYTES_MAX: usize = 1024;

/// Why a header gives no token. All are answered with 401; none repeats what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No header.
    #[error("no API key: send the header `Authorization: Bearer idl_…`")]
    Missing,
    /// No scheme that holds a token.
    #[error("unknown authorization scheme: send `Authorization: Bearer idl_…`, or Basic with the key as the password")]
    UnknownScheme,
    /// `Basic` or `ApiKey`, but not base64 of `user:password`.
    #[error("malformed Basic or ApiKey authorization: expected base64 of `user:key`")]
    MalformedBasic,
    /// Longer than any header that can hold a token.
    #[error("the Authorization header is longer than {HEADER_BYTES_MAX} bytes: no API key is that long")]
    TooLong,
    /// The scheme is right, what follows is not a token.
    #[error(transparent)]
    InvalidToken(#[from] InvalidToken),
}

impl HeaderError {
    /// The reason's name in records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "key_missing",
            Self::UnknownScheme | Self::MalformedBasic | Self::TooLong | Self::InvalidToken(_) => "key_malformed",
        }
    }
}

/// Reads the token from the value of an `Authorization` header.
///
/// # Errors
/// [`HeaderError`], which says what to send instead.
pub fn token_from_authorization(value: Option<&[u8]>) -> Result<Token, HeaderError> {
    let value = value.ok_or(HeaderError::Missing)?;
    if value.len() > HEADER_BYTES_MAX {
        return Err(HeaderError::TooLong);
    }
    let value = std::str::from_utf8(value).map_err(|_| HeaderError::UnknownScheme)?.trim_ascii();
    if value.is_empty() {
        return Err(HeaderError::Missing);
    }
    let (scheme, credentials) = value.split_once(' ').ok_or(HeaderError::UnknownScheme)?;
    let credentials = credentials.trim_ascii_start();
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("bearer") || is("splunk") {
        Ok(credentials.parse()?)
    } else if is("apikey") && credentials.starts_with("idl_") {
        // Some shippers take the key as it is.
        Ok(credentials.parse()?)
    } else if is("basic") || is("apikey") {
        let decoded = STANDARD.decode(credentials).map_err(|_| HeaderError::MalformedBasic)?;
        let pair = std::str::from_utf8(&decoded).map_err(|_| HeaderError::MalformedBasic)?;
        // The first colon ends the user name: RFC 7617 §2.
        let (_user, password) = pair.split_once(':').ok_or(HeaderError::MalformedBasic)?;
        Ok(password.parse()?)
    } else {
        Err(HeaderError::UnknownScheme)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &str) -> Result<String, HeaderError> {
        token_from_authorization(Some(value.as_bytes())).map(|token| token.reveal().to_owned())
    }

    #[test]
    fn every_scheme_carries_the_same_token() {
        let text = Token::generate(&mut |out| out.fill(9)).reveal().to_owned();
        let basic = STANDARD.encode(format!("anyone:{text}"));
        for value in [
            format!("Bearer {text}"),
            format!("bearer  {text} "),
            format!("BASIC {basic}"),
            format!("Splunk {text}"),
            format!("ApiKey {basic}"),
            format!("ApiKey {text}"),
        ] {
            assert_eq!(read(&value).as_ref(), Ok(&text), "{value}");
        }
    }

    #[test]
    fn each_wrong_header_says_what_is_wrong() {
        assert_eq!(token_from_authorization(None).err(), Some(HeaderError::Missing));
        assert_eq!(read("  "), Err(HeaderError::Missing));
        assert_eq!(read("Bearer"), Err(HeaderError::UnknownScheme));
        assert_eq!(read("Digest abc"), Err(HeaderError::UnknownScheme));
        assert_eq!(read("Splunk abc"), Err(HeaderError::InvalidToken(InvalidToken)));
        assert_eq!(read("Bearer abc"), Err(HeaderError::InvalidToken(InvalidToken)));
        assert_eq!(read("Basic !"), Err(HeaderError::MalformedBasic));
        assert_eq!(read(&format!("Basic {}", STANDARD.encode("nocolon"))), Err(HeaderError::MalformedBasic));
        assert_eq!(read(&format!("Basic {}", STANDARD.encode("u:p"))), Err(HeaderError::InvalidToken(InvalidToken)));
    }

    #[test]
    fn a_header_over_the_limit_is_refused() {
        assert_eq!(read(&"x".repeat(HEADER_BYTES_MAX)), Err(HeaderError::UnknownScheme));
        assert_eq!(read(&"x".repeat(HEADER_BYTES_MAX + 1)), Err(HeaderError::TooLong));
    }

    proptest! {
        #[test]
        fn no_header_panics(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = token_from_authorization(Some(&value));
            let _ = token_from_authorization(Some(&[b"Basic ".as_slice(), &value].concat()));
        }
    }
}
