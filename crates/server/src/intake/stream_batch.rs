//! Messages put together one after another, as the body that a request would have brought.
//!
//! Doors that get a stream have no body to decode: each message stands for itself, and a message
//! that is an array or a wrapper is one event, since where a stream is cut into batches must not
//! change what an event is.

use super::frames::Frame;
use super::json;
use super::limits::DEPTH_MAX;
use super::shape::{Decoded, RawEvent, Truncated, ends};

/// Messages gathered at once. A batch costs one wait for the disk, so more make little faster, and
/// whoever is asked to send them again after a failure has no more than these to repeat.
pub const STREAM_BATCH_EVENTS_MAX: usize = 4_096;
/// Bytes gathered at once, the last message aside.
pub const STREAM_BATCH_BYTES_MAX: usize = 1 << 20;

/// A batch in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamBatch {
    /// The messages' bytes, end to end.
    pub body: Vec<u8>,
    /// Where each lies; nothing is listed as refused.
    pub decoded: Decoded,
    /// JSON nested deeper than [`DEPTH_MAX`], which is not kept.
    pub too_deep: u64,
}

impl StreamBatch {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decoded.events.is_empty()
    }

    /// Whether the batch should be kept before more is gathered.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.decoded.events.len() >= STREAM_BATCH_EVENTS_MAX || self.body.len() >= STREAM_BATCH_BYTES_MAX
    }

    /// Adds a message as it is: syslog.
    pub fn text(&mut self, frame: &Frame<'_>) {
        self.push(frame.raw, false, frame.truncated);
    }

    /// Adds a line that may be JSON. As in a request's body (`shape.rs`): JSON is kept without the
    /// white space around it, anything else as it is; a line of white space alone is none.
    pub fn line(&mut self, frame: &Frame<'_>) {
        let start = json::skip_space(frame.raw, 0);
        let inside = frame.raw.get(start..).unwrap_or_default();
        if inside.is_empty() {
            return;
        }
        match json::value(inside) {
            Ok(value) if frame.truncated.is_none() && ends(inside, value.len) => {
                if value.depth > DEPTH_MAX {
                    self.too_deep += 1;
                    return;
                }
                let raw = inside.get(..value.len).unwrap_or_default();
                self.push(raw, std::str::from_utf8(raw).is_ok(), None);
            }
            _ => self.push(frame.raw, false, frame.truncated),
        }
    }

    /// Adds an event of a body that was decoded as a whole.
    pub fn event(&mut self, body: &[u8], event: &RawEvent) {
        self.push(event.raw(body), event.json, event.truncated.as_deref().copied());
    }

    /// Takes off the first `events`; the others stay.
    #[must_use]
    pub fn split_off_first(&mut self, events: usize) -> Self {
        let (mut first, mut rest) = (Self::default(), Self::default());
        for (nth, event) in self.decoded.events.iter().enumerate() {
            let to = if nth < events { &mut first } else { &mut rest };
            to.event(&self.body, event);
        }
        *self = rest;
        first
    }

    /// With the events of `rest` behind its own.
    #[must_use]
    pub fn followed_by(mut self, rest: &Self) -> Self {
        rest.decoded.events.iter().for_each(|event| self.event(&rest.body, event));
        self
    }

    fn push(&mut self, raw: &[u8], json: bool, truncated: Option<Truncated>) {
        // Both fit: a batch is far smaller than 4 GiB.
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (start, len) = (narrow(self.body.len()), narrow(raw.len()));
        let line = narrow(self.decoded.events.len()).saturating_add(1);
        self.body.extend_from_slice(raw);
        self.decoded.events.push(RawEvent { start, len, line, json, truncated: truncated.map(Box::new) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{Media, decode};
    use proptest::prelude::*;

    fn whole(raw: &[u8]) -> Frame<'_> {
        Frame { raw, truncated: None, end: 0, whole: true }
    }

    #[test]
    fn a_line_that_is_an_array_or_a_wrapper_is_one_event() {
        let mut gathered = StreamBatch::default();
        for line in [&b"{\"Records\":[{},{}]}"[..], b"[1,2]", b" {\"a\":1} ", b"text ", b" \t"] {
            gathered.line(&whole(line));
        }
        let raws: Vec<_> = gathered.decoded.events.iter().map(|event| (event.raw(&gathered.body), event.json)).collect();
        assert_eq!(raws, [(&b"{\"Records\":[{},{}]}"[..], true), (b"[1,2]", true), (b"{\"a\":1}", true), (b"text ", false)]);
    }

    #[test]
    fn json_nested_too_deeply_is_counted_and_syslog_never_is() {
        let deep = [vec![b'['; DEPTH_MAX + 1], vec![b']'; DEPTH_MAX + 1]].concat();
        let mut gathered = StreamBatch::default();
        gathered.line(&whole(&deep));
        assert!(gathered.is_empty() && gathered.too_deep == 1);
        gathered.text(&whole(&deep));
        assert_eq!(gathered.decoded.events.len(), 1);
    }

    #[test]
    fn a_batch_is_full_by_count_or_by_bytes() {
        let (mut many, mut large) = (StreamBatch::default(), StreamBatch::default());
        for _ in 0..STREAM_BATCH_EVENTS_MAX {
            assert!(!many.is_full());
            many.text(&whole(b"a"));
        }
        large.text(&whole(&vec![b'a'; STREAM_BATCH_BYTES_MAX]));
        assert!(many.is_full() && large.is_full());
    }

    #[test]
    fn a_batch_can_be_kept_in_two_parts() {
        let mut gathered = StreamBatch::default();
        ["a", "bb", "ccc"].iter().for_each(|text| gathered.text(&whole(text.as_bytes())));
        let all = gathered.clone();
        let first = gathered.split_off_first(1);
        let raws = |part: &StreamBatch| part.decoded.events.iter().map(|event| event.raw(&part.body).to_vec()).collect::<Vec<_>>();
        assert_eq!([raws(&first), raws(&gathered)].concat(), raws(&all));
        assert_eq!((first.decoded.events.len(), gathered.split_off_first(9).decoded.events.len()), (1, 2));
    }

    proptest! {
        #[test]
        fn lines_are_read_as_those_of_a_request(lines in prop::collection::vec("[ \\{\\}\\[\\]a1\":,]{0,12}", 2..6)) {
            // Two values on a line of their own, so that the body is lines and nothing else.
            let lines: Vec<String> = ["1".to_owned(), "2".to_owned()].into_iter().chain(lines).collect();
            let body = lines.join("\n");
            let mut gathered = StreamBatch::default();
            lines.iter().filter(|line| !line.is_empty()).for_each(|line| gathered.line(&whole(line.as_bytes())));
            let asked = decode(body.as_bytes(), Media::Any).map(|decoded| {
                decoded.events.iter().map(|event| (event.raw(body.as_bytes()).to_vec(), event.json)).collect::<Vec<_>>()
            });
            let read: Vec<_> = gathered.decoded.events.iter().map(|event| (event.raw(&gathered.body).to_vec(), event.json)).collect();
            prop_assert_eq!(asked, Ok(read));
        }
    }
}
