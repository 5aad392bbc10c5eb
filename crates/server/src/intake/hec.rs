//! Splunk's HTTP event collector: event objects one after another, or an array of them.
//!
//! ```text
//! {"event":{"user":"eve"}}{"event":"a line","time":1764076800,"host":"a1","fields":{"env":"prod"}}
//! ```
//!
//! **What is raw.** If the envelope says nothing but `event`, raw is that member's own bytes, or the
//! characters of the string: the line the producer logged, without white space around it if it is
//! JSON. If it says anything more (`time`, `host`, `source`, `sourcetype`, `index`, `fields`, or a
//! member nobody knows), raw is the whole envelope object, byte for byte: what the envelope tells
//! belongs to the record and must not be lost. A reader of the record looks inside `event`. A string with a lone surrogate has no
//! characters: its envelope is kept as well.
//!
//! As with Splunk, everything before a mistake is kept and the answer names the first one; unlike
//! Splunk, so is every event object after an incomplete one, since its bounds are known. After bytes
//! that are not JSON nothing can be found any more.

use bytes::Bytes;

use super::gather::{Gather, Gathered, Place};
use super::json::skip_space;
use super::limits::{DEPTH_MAX, EVENTS_MAX};
use super::member::{Member, Span, elements, members};
use super::shape::ShapeError;

/// What an envelope says of where its event came from; the door finds the source by it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// `source`, such as a file's path.
    pub source: Option<Box<str>>,
    /// `sourcetype`.
    pub sourcetype: Option<Box<str>>,
    /// `index`.
    pub index: Option<Box<str>>,
}

/// Why one event is not kept, or nothing after it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Not a JSON object where one should begin, or one cut short.
    NotAnObject,
    /// No member `event`, or one that is `null`.
    NoEvent,
    /// `event` is `""`.
    BlankEvent,
    /// `fields` is no flat object.
    Fields,
    /// Nested too deeply.
    TooDeep,
}

impl Mistake {
    /// The reason's name in records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAnObject => "hec_not_an_object",
            Self::NoEvent => "hec_no_event",
            Self::BlankEvent => "hec_blank_event",
            Self::Fields => "hec_fields_invalid",
            Self::TooDeep => "too_deep",
        }
    }
}

/// What a body of event objects holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events {
    /// The events.
    pub gathered: Gathered,
    /// Where each kept event came from; as many as there are events.
    pub origins: Vec<Origin>,
    /// Events that are not kept, by their number from 0, in order.
    pub mistakes: Vec<(usize, Mistake)>,
}

/// Reads the body of `/services/collector/event`. White space alone holds no events.
///
/// # Errors
/// [`ShapeError::TooManyEvents`], and nothing of the body may be kept then.
pub fn decode(body: &Bytes) -> Result<Events, ShapeError> {
    let mut found = Found { body, gather: Gather::new(body), origins: Vec::new(), mistakes: Vec::new(), number: 0 };
    let mut at = skip_space(body, 0);
    while at < body.len() {
        let Some(value) = Span::at(body, at) else {
            found.mistake(Mistake::NotAnObject);
            break;
        };
        if value.is_array(body) {
            for element in elements(body, value) {
                found.envelope(element)?;
            }
        } else {
            found.envelope(value)?;
        }
        at = skip_space(body, value.end);
        // Some senders put a comma between objects; Splunk takes it.
        if body.get(at) == Some(&b',') {
            at = skip_space(body, at + 1);
        }
    }
    Ok(Events { gathered: found.gather.finish(body), origins: found.origins, mistakes: found.mistakes })
}

struct Found<'a> {
    body: &'a [u8],
    gather: Gather<'a>,
    origins: Vec<Origin>,
    mistakes: Vec<(usize, Mistake)>,
    number: usize,
}

impl Found<'_> {
    fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push((self.number, mistake));
        self.number += 1;
    }

    fn envelope(&mut self, envelope: Span) -> Result<(), ShapeError> {
        if self.number >= EVENTS_MAX {
            return Err(ShapeError::TooManyEvents);
        }
        let said = match Envelope::read(self.body, envelope) {
            Ok(said) => said,
            Err(mistake) => {
                self.mistake(mistake);
                return Ok(());
            }
        };
        // The limits of a request bound the number far below 32 bits.
        let line = u32::try_from(self.number).unwrap_or(u32::MAX).saturating_add(1);
        let text = if said.alone { said.event.text(self.body) } else { None };
        let place = match text {
            Some(text) => self.text(text.as_bytes(), line)?,
            None if said.alone && self.body.get(said.event.start) != Some(&b'"') => self.gather.value(said.event, line)?,
            None => self.gather.value(envelope, line)?,
        };
        match place {
            Place::Kept => {
                self.origins.push(said.origin);
                self.number += 1;
            }
            Place::Refused(_) => self.mistake(Mistake::TooDeep),
        }
        Ok(())
    }

    /// A line as the producer logged it. One that is JSON is a value, as a line of any other body is.
    fn text(&mut self, text: &[u8], line: u32) -> Result<Place, ShapeError> {
        match value_of(text) {
            Some(value) => self.gather.own(value.bytes(text), true, value.depth, line),
            None => self.gather.own(text, false, 0, line),
        }
    }
}

/// The value that is all of a text, and may be kept as one.
fn value_of(text: &[u8]) -> Option<Span> {
    Span::whole(text).filter(|value| value.depth <= DEPTH_MAX)
}

/// What one envelope says, read in one pass: events may be long.
struct Envelope {
    /// The value of `event`.
    event: Span,
    /// Whether there is no other member.
    alone: bool,
    origin: Origin,
}

impl Envelope {
    fn read(body: &[u8], envelope: Span) -> Result<Self, Mistake> {
        if !envelope.is_object(body) {
            return Err(Mistake::NotAnObject);
        }
        let (mut event, mut fields, mut count, mut origin) = (None, None, 0, Origin::default());
        for member in members(body, envelope) {
            count += 1;
            let text = || member.value.text(body).map(Into::into);
            // Of several members of one name the first counts.
            if member.is(body, "event") {
                event = event.or(Some(member.value));
            } else if member.is(body, "fields") {
                fields = fields.or(Some(member.value));
            } else if member.is(body, "source") {
                origin.source = origin.source.or_else(text);
            } else if member.is(body, "sourcetype") {
                origin.sourcetype = origin.sourcetype.or_else(text);
            } else if member.is(body, "index") {
                origin.index = origin.index.or_else(text);
            }
        }
        let event: Span = event.ok_or(Mistake::NoEvent)?;
        match event.bytes(body) {
            b"null" => Err(Mistake::NoEvent),
            b"\"\"" => Err(Mistake::BlankEvent),
            _ if fields.is_some_and(|fields| !is_flat(body, fields)) => Err(Mistake::Fields),
            _ => Ok(Self { event, alone: count == 1, origin }),
        }
    }
}

/// Indexed fields are texts, numbers and lists of them.
fn is_flat(body: &[u8], fields: Span) -> bool {
    let flat = |member: Member| {
        let value = member.value;
        value.depth == 0 || (value.depth == 1 && value.is_array(body))
    };
    fields.bytes(body) == b"null" || (fields.is_object(body) && members(body, fields).all(flat))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> (Vec<String>, Vec<(usize, Mistake)>) {
        let found = decode(&Bytes::from(body.to_owned())).unwrap();
        assert_eq!(found.origins.len(), found.gathered.decoded.events.len());
        let raw = |event: &crate::intake::RawEvent| String::from_utf8(event.raw(&found.gathered.bytes).to_vec()).unwrap();
        (found.gathered.decoded.events.iter().map(raw).collect(), found.mistakes)
    }

    #[test]
    fn an_envelope_that_says_nothing_leaves_the_event_itself() {
        let (raw, mistakes) = read("{\"event\": {\"a\" : 1} }\n{\"event\":\"tab\\t\\\"x\\\"\"}{\"event\":[1]}{\"event\":7}");
        assert_eq!(raw, ["{\"a\" : 1}", "tab\t\"x\"", "[1]", "7"]);
        assert_eq!(mistakes, []);
    }

    #[test]
    fn a_text_that_is_json_is_a_value() {
        let found = decode(&Bytes::from_static(br#"{"event":" {\"id\":7}\n"}{"event":"7 lines"}{"event":"[["}"#)).unwrap();
        let kept: Vec<_> = found.gathered.decoded.events.iter().map(|event| (event.raw(&found.gathered.bytes), event.json)).collect();
        assert_eq!(kept, [(br#"{"id":7}"#.as_slice(), true), (b"7 lines".as_slice(), false), (b"[[".as_slice(), false)]);
        // Deeper than a value may be, it is still a line of text.
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        assert_eq!(read(&format!("{{\"event\":\"{deep}\"}}")), (vec![deep], vec![]));
    }

    #[test]
    fn an_envelope_that_says_more_is_kept_whole() {
        for envelope in [
            r#"{"time":1.5,"event":"x"}"#,
            r#"{"event":{"a":1},"host":"h"}"#,
            r#"{"event":1,"fields":{"a":"b","c":[1,"d"]}}"#,
            r#"{"event":1,"unknown":{"deep":[{}]}}"#,
            r#"{"event":1,"event":2}"#,
            r#"{"event":"\ud800"}"#,
        ] {
            assert_eq!(read(&format!(" {envelope} ")), (vec![envelope.to_owned()], vec![]));
        }
    }

    #[test]
    fn objects_come_side_by_side_one_a_line_with_commas_or_in_an_array() {
        for body in [
            r#"{"event":1}{"event":2}"#,
            "{\"event\":1}\r\n\r\n{\"event\":2}\n",
            r#"{"event":1},{"event":2}"#,
            r#"[{"event":1}, {"event":2}]"#,
        ] {
            assert_eq!(read(body), (vec!["1".into(), "2".into()], vec![]), "{body}");
        }
        assert_eq!(read(" \n"), (vec![], vec![]));
    }

    #[test]
    fn what_is_complete_is_kept_and_each_mistake_is_named() {
        let body = r#"{"event":1}{"host":"x"}{"event":""}{"event":2,"fields":{"a":{}}}{"event":null} 5 {"event":3} {"event":"#;
        let (raw, mistakes) = read(body);
        assert_eq!(raw, ["1", "3"]);
        use Mistake::*;
        assert_eq!(mistakes, [(1, NoEvent), (2, BlankEvent), (3, Fields), (4, NoEvent), (5, NotAnObject), (7, NotAnObject)]);
    }

    #[test]
    fn an_event_nested_too_deeply_is_refused_alone() {
        let deep = "[".repeat(DEPTH_MAX + 1) + &"]".repeat(DEPTH_MAX + 1);
        let (raw, mistakes) = read(&format!("{{\"event\":{deep}}}{{\"event\":1}}"));
        assert_eq!((raw, mistakes), (vec!["1".to_owned()], vec![(0, Mistake::TooDeep)]));
    }

    #[test]
    fn events_over_the_limit_are_refused_with_the_whole_body() {
        let body = "{\"event\":1}".repeat(EVENTS_MAX + 1);
        assert_eq!(decode(&body.into()), Err(ShapeError::TooManyEvents));
        assert_eq!(decode(&"{}".repeat(EVENTS_MAX + 1).into()), Err(ShapeError::TooManyEvents));
    }

    #[test]
    fn an_origin_is_what_the_envelope_says() {
        let found = decode(&Bytes::from_static(br#"{"event":1,"source":"/var/log/a","sourcetype":"s\u0074","index":7}"#)).unwrap();
        let expected = Origin { source: Some("/var/log/a".into()), sourcetype: Some("st".into()), index: None };
        assert_eq!(found.origins, [expected]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_every_number_is_accounted_for(body in r#"([{}\[\],: ]|\{"event":|"event"|"fields"|[0-9]|"\\u0041"|\PC)*"#) {
            let found = decode(&Bytes::from(body)).unwrap();
            let numbers = found.gathered.decoded.events.len() + found.mistakes.len();
            prop_assert!(found.mistakes.iter().all(|(number, _)| *number < numbers));
            prop_assert_eq!(found.origins.len(), found.gathered.decoded.events.len());
        }
    }
}
