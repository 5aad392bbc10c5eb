//! Which source the events of a shipper are from.
//!
//! A shipper's protocol has no place for our source names, so the first of these that speaks decides:
//!
//! 1. the request: `?source=NAME` or the header `X-Indelible-Source: NAME` (with Splunk the header
//!    alone: there `?source=` is its own, and stands for the event's under 3);
//! 2. the key or the client certificate, if it is bound to exactly one source;
//! 3. the protocol's own name for where events come from (Splunk `source` or `sourcetype`, the
//!    Elasticsearch index, OpenTelemetry `service.name`), made into a source's name: lower case, a
//!    trailing date cut off, every other character a dash.
//!
//! Whatever it is, the key or certificate must be allowed to send from it.

use axum::extract::Query;
use axum::http::Uri;
use axum::http::request::Parts;

use crate::api::caller::Caller;
use crate::api::error::ApiError;
use crate::intake::SourceName;
use crate::intake::limits::SOURCE_NAME_CHARS_MAX;

/// The parameters of a shipper's query. Unlike our own routes, unknown ones are passed over: each
/// protocol has dozens that only matter to the server it was made for.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads them; what is no query has none.
    pub fn of(uri: &Uri) -> Self {
        Self(Query::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default())
    }

    /// The last value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Chooses the source of each event of a request.
#[derive(Debug)]
pub struct Sender<'a> {
    caller: &'a Caller,
    named: Option<SourceName>,
    last: Option<(Option<Box<str>>, SourceName)>,
}

impl<'a> Sender<'a> {
    /// Reads what the request and the key say.
    ///
    /// # Errors
    /// A name that is none, or that this key may not send from.
    pub fn new(caller: &'a Caller, parts: &Parts) -> Result<Self, ApiError> {
        let parameters = Parameters::of(&parts.uri);
        Self::asking(caller, header(parts).or_else(|| parameters.get("source")))
    }

    /// As [`Sender::new`] for a protocol that has a parameter `source` of its own: only the header counts.
    pub fn by_header(caller: &'a Caller, parts: &Parts) -> Result<Self, ApiError> {
        Self::asking(caller, header(parts))
    }

    /// As [`Sender::new`] with the name that the request asks for.
    ///
    /// # Errors
    /// As [`Sender::new`].
    pub fn asking(caller: &'a Caller, asked: Option<&str>) -> Result<Self, ApiError> {
        let only = match caller.sources() {
            [only] => Some(only.as_str()),
            _ => None,
        };
        let named = asked.or(only).map(|name| name.parse::<SourceName>().map_err(invalid)).transpose()?;
        let mut sender = Self { caller, named: None, last: None };
        if let Some(name) = named {
            caller.check(&name)?;
            sender.named = Some(name);
        }
        Ok(sender)
    }

    /// The source that request or key name, whatever the events say.
    pub fn named(&self) -> Option<&SourceName> {
        self.named.as_ref()
    }

    /// The source of an event for which the protocol has `names`, the most telling first.
    ///
    /// # Errors
    /// Nothing names one, or this key may not send from it.
    pub fn source<'n>(&mut self, names: impl IntoIterator<Item = Option<&'n str>>) -> Result<SourceName, ApiError> {
        if let Some(named) = &self.named {
            return Ok(named.clone());
        }
        let mut names = names.into_iter().flatten();
        let first = names.next();
        if let Some((last, source)) = &self.last
            && last.as_deref() == first
        {
            return Ok(source.clone());
        }
        let mut refused = None;
        for (nth, name) in first.into_iter().chain(names).filter_map(made_into_a_name).enumerate() {
            match self.caller.check(&name) {
                Ok(()) => {
                    // What a later name decided depends on more than the first.
                    self.last = (nth == 0).then(|| (first.map(Into::into), name.clone()));
                    return Ok(name);
                }
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        Err(refused.unwrap_or_else(missing))
    }
}

fn header(parts: &Parts) -> Option<&str> {
    parts.headers.get("x-indelible-source").map(|value| value.to_str().unwrap_or("?"))
}

fn invalid(why: crate::intake::InvalidSourceName) -> ApiError {
    ApiError::bad_request("source_invalid", why.to_string())
}

fn missing() -> ApiError {
    let message = "nothing says which source the events are from: use a key that is bound to exactly one source, add `?source=NAME`, \
                   or send the header `X-Indelible-Source: NAME`";
    ApiError::bad_request("source_missing", message)
}

/// `/var/log/auth.log` becomes `var-log-auth.log`, `logs-2026.11.25` becomes `logs`.
fn made_into_a_name(text: &str) -> Option<SourceName> {
    let mut name = String::new();
    for character in without_date(text).chars() {
        let kept = if character.is_ascii_alphanumeric() || matches!(character, '.' | '_') { character.to_ascii_lowercase() } else { '-' };
        if !(kept == '-' && name.ends_with('-')) {
            name.push(kept);
        }
        if name.len() > 2 * SOURCE_NAME_CHARS_MAX {
            break;
        }
    }
    let begun = name.trim_start_matches(|character: char| !character.is_ascii_alphanumeric());
    let cut: String = begun.chars().take(SOURCE_NAME_CHARS_MAX).collect();
    cut.trim_end_matches(|character: char| !character.is_ascii_alphanumeric()).parse().ok()
}

/// Shippers make a new index each day; the source stays the same.
fn without_date(text: &str) -> &str {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(head) = text.len().checked_sub("-2026.11.25".len()).and_then(|at| text.split_at_checked(at)) else {
        return text;
    };
    let (name, date) = head;
    let parts: Vec<&str> = date.get(1..).unwrap_or_default().split(['.', '-']).collect();
    match parts.as_slice() {
        [year, month, day] if date.starts_with(['-', '.', '_']) && [year.len(), month.len(), day.len()] == [4, 2, 2] => {
            if [year, month, day].iter().all(|part| digits(part)) { name } else { text }
        }
        _ => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::access::{KeyRecord, Scope, Token, authenticate};

    fn key(sources: &[&str]) -> Caller {
        let token = Token::generate(&mut |out| out.fill(7));
        let record = KeyRecord {
            hash: token.hash(),
            scopes: [Scope::Ingest].into_iter().collect(),
            sources: sources.iter().map(|&name| name.to_owned()).collect(),
            expires_at: None,
            revoked: false,
        };
        Caller::holding(authenticate(&token, Some(&record), 0).unwrap())
    }

    fn chosen(sources: &[&str], asked: Option<&str>, names: &[&str]) -> Result<String, &'static str> {
        let key = key(sources);
        let mut sender = Sender::asking(&key, asked).map_err(|why| why.code)?;
        sender.source(names.iter().map(|name| Some(*name))).map(|name| name.to_string()).map_err(|why| why.code)
    }

    #[test]
    fn the_request_speaks_first_then_the_key_then_the_event() {
        assert_eq!(chosen(&["a", "b"], Some("b"), &["a"]).as_deref(), Ok("b"));
        assert_eq!(chosen(&["a"], None, &["b"]).as_deref(), Ok("a"));
        assert_eq!(chosen(&["a", "b"], None, &["x", "b"]).as_deref(), Ok("b"));
        let key = key(&["a", "b"]);
        let mut sender = Sender::asking(&key, None).unwrap();
        let names = ["a", "b", "a"].map(|second| sender.source([Some("x"), Some(second)]).unwrap().to_string());
        assert_eq!(names, ["a", "b", "a"]);
        assert_eq!(chosen(&[], None, &["/var/log/Auth.log"]).as_deref(), Ok("var-log-auth.log"));
    }

    #[test]
    fn a_source_that_is_missing_wrong_or_not_allowed_is_said() {
        assert_eq!(chosen(&[], None, &[]), Err("source_missing"));
        assert_eq!(chosen(&[], None, &["///"]), Err("source_missing"));
        assert_eq!(chosen(&[], Some("A B"), &[]), Err("source_invalid"));
        assert_eq!(chosen(&["a"], Some("b"), &[]), Err("source_not_allowed"));
        assert_eq!(chosen(&["a", "b"], None, &["c"]), Err("source_not_allowed"));
    }

    #[test]
    fn any_text_is_made_into_a_name_or_none() {
        for (text, name) in [
            ("logs-auth-2026.11.25", "logs-auth"),
            ("logs_2026-11-25", "logs"),
            ("filebeat-8.17.0", "filebeat-8.17.0"),
            ("HTTP: Login  Service!", "http-login-service"),
            ("__x", "x"),
            ("é-über", "ber"),
        ] {
            assert_eq!(made_into_a_name(text).unwrap().as_str(), name, "{text}");
        }
        assert_eq!(made_into_a_name(&"x".repeat(500)).unwrap().as_str().len(), SOURCE_NAME_CHARS_MAX);
        assert_eq!(made_into_a_name("-.-"), None);
    }
}
