//! Google Cloud Pub/Sub push: a message in base64, inside a JSON wrapper.
//!
//! ```text
//! {"message":{"data":"eyJ…","messageId":"7","publishTime":"…","attributes":{…}},"subscription":"…"}
//! ```
//!
//! Raw is what `data` stands for: the bytes the publisher handed to Pub/Sub. A message without data
//! (attributes alone) is kept as its wrapper.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;

use super::gather::{Gather, Gathered};
use super::member::{Span, member};
use super::shape::ShapeError;

/// One pushed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The message as an event.
    pub gathered: Gathered,
    /// `messageId`: the same in each delivery.
    pub id: Option<Box<str>>,
}

/// Why a push is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// No wrapper of a push.
    #[error("the body is no Pub/Sub push: expected {{\"message\":{{\"data\":…,\"messageId\":…}},\"subscription\":…}}")]
    NotAPush,
    /// `data` is no base64.
    #[error("`message.data` is not base64: let Pub/Sub push the message with its wrapper")]
    NotBase64,
    /// See [`ShapeError`].
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl PushError {
    /// The reason's name in answers, records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAPush => "pubsub_not_a_push",
            Self::NotBase64 => "pubsub_not_base64",
            Self::Shape(why) => why.code(),
        }
    }
}

/// Reads the body of a push.
///
/// # Errors
/// [`PushError`].
pub fn decode(body: &Bytes) -> Result<Pushed, PushError> {
    let whole = Span::whole(body).ok_or(PushError::NotAPush)?;
    let message = member(body, whole, "message").filter(|message| message.is_object(body)).ok_or(PushError::NotAPush)?;
    let text = |name: &str| -> Option<Cow<'_, str>> { member(body, message, name)?.text(body) };
    let id = text("messageId").or_else(|| text("message_id")).map(Into::into);
    let data = text("data").filter(|data| !data.is_empty());
    let mut gather = Gather::new(body);
    match data {
        None => gather.value(whole, 1)?,
        Some(data) => {
            let raw = STANDARD.decode(data.as_bytes()).or_else(|_| URL_SAFE.decode(data.as_bytes())).map_err(|_| PushError::NotBase64)?;
            // Around a JSON value stands white space at most, which is not part of raw.
            match Span::whole(&raw).filter(|_| std::str::from_utf8(&raw).is_ok()) {
                Some(value) => gather.own(value.bytes(&raw), true, value.depth, 1)?,
                None => gather.own(&raw, false, 0, 1)?,
            }
        }
    };
    Ok(Pushed { gathered: gather.finish(body), id })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: String) -> Result<(Vec<u8>, bool, Option<String>), PushError> {
        let pushed = decode(&Bytes::from(body))?;
        let event = &pushed.gathered.decoded.events[0];
        Ok((event.raw(&pushed.gathered.bytes).to_vec(), event.json, pushed.id.map(Into::into)))
    }

    #[test]
    fn data_is_kept_as_the_bytes_it_stands_for() {
        for (data, raw, json) in [(" {\"a\": 1}\n", "{\"a\": 1}", true), ("a line\n", "a line\n", false)] {
            let body = format!(r#"{{"message":{{"data":"{}","messageId":"7"}},"subscription":"s"}}"#, STANDARD.encode(data));
            assert_eq!(read(body), Ok((raw.as_bytes().to_vec(), json, Some("7".into()))));
        }
    }

    #[test]
    fn a_message_of_attributes_alone_is_kept_as_its_wrapper() {
        let body = r#"{"message":{"attributes":{"a":"b"},"message_id":"8"}}"#;
        assert_eq!(read(body.into()), Ok((body.as_bytes().to_vec(), true, Some("8".into()))));
    }

    #[test]
    fn anything_else_is_no_push() {
        for body in ["", "{}", "[]", r#"{"message":"x"}"#, r#"{"message":{}"#] {
            assert_eq!(read(body.into()), Err(PushError::NotAPush), "{body}");
        }
        assert_eq!(read(r#"{"message":{"data":"!"}}"#.into()), Err(PushError::NotBase64));
    }

    proptest! {
        #[test]
        fn any_data_comes_back_byte_for_byte(data in proptest::collection::vec(any::<u8>(), 1..200), noise in "\\PC*") {
            let body = format!(r#"{{"message":{{"data":"{}"}}}}"#, STANDARD.encode(&data));
            let (raw, json, _) = read(body).unwrap();
            let same = if json { data.windows(raw.len()).any(|part| part == raw) } else { raw == data };
            prop_assert!(same);
            let _ = read(noise);
        }
    }
}
