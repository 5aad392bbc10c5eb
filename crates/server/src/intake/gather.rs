//! Collects the events a door finds, each as a range of one buffer.
//!
//! Most events are ranges of the body. What a door must write anew (the characters of a JSON string,
//! a record that came in protobuf) is put behind the body's bytes, so that one buffer holds them all
//! and the rest of the way knows one form only.

use bytes::Bytes;

use super::limits::{DEPTH_MAX, EVENTS_MAX};
use super::member::Span;
use super::shape::{Decoded, RawEvent, RefusalCode, Refused, ShapeError, event, narrow};

/// Events with the buffer they are ranges of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gathered {
    /// The buffer.
    pub bytes: Bytes,
    /// Ranges of it.
    pub decoded: Decoded,
}

/// What became of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It will be kept.
    Kept,
    /// It is refused.
    Refused(RefusalCode),
}

/// Gathers events within the limits of one request. Lines must be given in rising order.
pub(super) struct Gather<'a> {
    body: &'a [u8],
    utf8: bool,
    added: Vec<u8>,
    decoded: Decoded,
}

impl<'a> Gather<'a> {
    /// Nothing found in `body` yet.
    pub fn new(body: &'a [u8]) -> Self {
        Self { body, utf8: std::str::from_utf8(body).is_ok(), added: Vec::new(), decoded: Decoded::default() }
    }

    /// An event that is a JSON value of the body.
    pub fn value(&mut self, span: Span, line: u32) -> Result<Place, ShapeError> {
        self.room()?;
        if span.depth > DEPTH_MAX {
            let (start, len) = narrow(&span.range())?;
            return Ok(self.refuse(Refused { start, len, line, code: RefusalCode::TooDeep }));
        }
        let json = self.utf8 || std::str::from_utf8(span.bytes(self.body)).is_ok();
        self.keep(event(self.body, span.range(), line, json)?)
    }

    /// An event that is text of the body.
    pub fn text(&mut self, range: std::ops::Range<usize>, line: u32) -> Result<Place, ShapeError> {
        self.room()?;
        self.keep(event(self.body, range, line, false)?)
    }

    /// An event in bytes of its own. `depth` is 0 for text.
    pub fn own(&mut self, raw: &[u8], json: bool, depth: usize, line: u32) -> Result<Place, ShapeError> {
        self.room()?;
        let start = self.body.len() + self.added.len();
        if json && depth > DEPTH_MAX {
            self.added.extend_from_slice(raw);
            let (start, len) = narrow(&(start..start + raw.len()))?;
            return Ok(self.refuse(Refused { start, len, line, code: RefusalCode::TooDeep }));
        }
        let RawEvent { len, json, truncated, .. } = event(raw, 0..raw.len(), line, json)?;
        self.added.extend_from_slice(raw.get(..len as usize).unwrap_or_default());
        let (start, _) = narrow(&(start..start))?;
        self.keep(RawEvent { start, len, line, json, truncated })
    }

    /// Events and refusals so far.
    pub fn count(&self) -> usize {
        self.decoded.events.len() + self.decoded.refused.len()
    }

    /// Bytes written anew so far.
    pub fn added(&self) -> usize {
        self.added.len()
    }

    /// Everything found, with its buffer. `body` is the one it was found in.
    pub fn finish(self, body: &Bytes) -> Gathered {
        let bytes = match (self.body.is_empty(), self.added.is_empty()) {
            (_, true) => body.clone(),
            (true, false) => Bytes::from(self.added),
            (false, false) => Bytes::from([self.body, &self.added].concat()),
        };
        Gathered { bytes, decoded: self.decoded }
    }

    fn keep(&mut self, event: RawEvent) -> Result<Place, ShapeError> {
        self.decoded.events.push(event);
        Ok(Place::Kept)
    }

    fn refuse(&mut self, refused: Refused) -> Place {
        self.decoded.refused.push(refused);
        Place::Refused(refused.code)
    }

    fn room(&self) -> Result<(), ShapeError> {
        if self.count() >= EVENTS_MAX { Err(ShapeError::TooManyEvents) } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::intake::limits::EVENT_BYTES_MAX;

    #[test]
    fn events_of_the_body_and_events_of_their_own_share_one_buffer() {
        let body = Bytes::from_static(b"[{\"a\":1}]");
        let mut gather = Gather::new(&body);
        gather.value(Span { start: 1, end: 8, depth: 1 }, 1).unwrap();
        gather.own(b"a line", false, 0, 2).unwrap();
        gather.text(0..1, 3).unwrap();
        let Gathered { bytes, decoded } = gather.finish(&body);
        let raws: Vec<_> = decoded.events.iter().map(|event| (event.raw(&bytes), event.json)).collect();
        assert_eq!(raws, [(b"{\"a\":1}".as_slice(), true), (b"a line".as_slice(), false), (b"[".as_slice(), false)]);
    }

    #[test]
    fn what_nothing_was_added_to_is_the_body_itself() {
        let body = Bytes::from_static(b"{}");
        let mut gather = Gather::new(&body);
        gather.value(Span { start: 0, end: 2, depth: 1 }, 1).unwrap();
        assert_eq!(gather.finish(&body).bytes.as_ptr(), body.as_ptr());
    }

    #[test]
    fn an_own_event_over_the_limit_is_kept_up_to_it_with_its_whole_length() {
        let body = Bytes::new();
        let mut gather = Gather::new(&body);
        gather.own(&vec![b'x'; EVENT_BYTES_MAX + 5], false, 0, 1).unwrap();
        gather.own(b"next", false, 0, 2).unwrap();
        let Gathered { bytes, decoded } = gather.finish(&body);
        assert_eq!(decoded.events[0].raw(&bytes).len(), EVENT_BYTES_MAX);
        assert_eq!(decoded.events[0].truncated.as_ref().unwrap().bytes, EVENT_BYTES_MAX as u64 + 5);
        assert_eq!(decoded.events[1].raw(&bytes), b"next");
    }

    #[test]
    fn an_event_too_many_is_refused_with_the_whole_request() {
        let mut gather = Gather::new(b"");
        for line in 0..EVENTS_MAX {
            gather.own(b"x", false, 0, line as u32).unwrap();
        }
        assert_eq!(gather.own(b"x", false, 0, 0), Err(ShapeError::TooManyEvents));
    }
}
