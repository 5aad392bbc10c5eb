//! The bytes decide the shape: from a decoded body to raw events.
//!
//! Tried in this order; the first that fits the whole body is it:
//!
//! 1. **wrapper**: one object whose sole member is `Records` or `records`, spelled without escapes,
//!    with an array as its value: each element is an event;
//! 2. **array**: each element is an event;
//! 3. **value**: any other single JSON value, pretty-printed or not, is one event;
//! 4. **lines**: each line is an event (NDJSON).
//!
//! `text/plain` skips 1 to 3 and takes every line as text.
//!
//! Raw is the value's own bytes without the white space (20 09 0A 0D) around it, or the text line
//! without its LF or CRLF and nothing else removed. In lines, a line that is JSON is raw as a
//! value; one that is not is kept as a text event: a broken line is evidence too. Lines of nothing
//! but white space separate and are skipped; under `text/plain`, only those without any byte are.
//!
//! Corner cases, decided:
//! - Several values one after another that are not one a line (concatenated, pretty-printed) are
//!   lines, as the order above says: every line is kept, as text where it is no value by itself.
//!   Senders who pretty-print send one value or an array.
//! - A line that is itself an array or a wrapper stays one event: only a whole body unwraps.
//!   A body of a single such line is that array or wrapper.
//! - `[]` and `{"Records":[]}` hold no events and are not an error: an empty batch lost nothing.
//! - A UTF-8 byte order mark at the start of the body is skipped before JSON (RFC 8259 §8.1); a
//!   first line of text keeps it.
//! - Bytes that are not UTF-8 change neither shape nor bytes: a value that holds them keeps its
//!   boundaries and is marked as text, since no JSON reader would take it.
//! - A CR without LF ends no line; a last line needs no LF.
//! - Nesting counts within each event; the array and the wrapper around events do not count. Only
//!   JSON is ever too deep: a text line of brackets is a text line.
//!
//! INVARIANT: every byte of the body is inside an event, inside a refused value, or is white space,
//! a line end, a byte order mark, or the syntax of the array or wrapper around the events.

use std::ops::Range;

use aws_lc_rs::digest;

use super::json;
use super::limits::{DEPTH_MAX, EVENT_BYTES_MAX, EVENTS_MAX};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// What the sender says the body is. Only `text/plain` matters; for all else the bytes decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Media {
    /// The bytes decide.
    #[default]
    Any,
    /// One event a line, no JSON looked for.
    TextPlain,
}

impl Media {
    /// Reads the value of a `Content-Type` header; parameters are ignored.
    #[must_use]
    pub fn from_content_type(value: Option<&str>) -> Self {
        let essence = value.and_then(|value| value.split(';').next()).unwrap_or_default();
        if essence.trim_ascii().eq_ignore_ascii_case("text/plain") { Self::TextPlain } else { Self::Any }
    }
}

/// One event, as a range of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// First byte in the body.
    pub start: u32,
    /// Length in bytes, at most [`EVENT_BYTES_MAX`].
    pub len: u32,
    /// Line, or number of the element, counted from 1.
    pub line: u32,
    /// Whether the kept bytes are one JSON value in UTF-8. A truncated event is text.
    pub json: bool,
    /// What the event was before it was cut at [`EVENT_BYTES_MAX`].
    pub truncated: Option<Box<Truncated>>,
}

impl RawEvent {
    /// The event's range in the body.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        range(self.start, self.len)
    }

    /// The event's bytes; `body` is the one that was decoded.
    #[must_use]
    pub fn raw<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.range()).unwrap_or_default()
    }
}

/// The whole of an event of which only the first [`EVENT_BYTES_MAX`] bytes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncated {
    /// Its full length.
    pub bytes: u64,
    /// SHA-256 of all its bytes.
    pub sha256: [u8; 32],
}

/// An event that is not kept. It is answered and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// First byte in the body.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
    /// Line, or number of the element, counted from 1.
    pub line: u32,
    /// Why.
    pub code: RefusalCode,
}

impl Refused {
    /// The refused value's range in the body.
    #[must_use]
    pub fn range(&self) -> Range<usize> {
        range(self.start, self.len)
    }
}

/// Why one event is refused while others of its body are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusalCode {
    /// JSON nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels: flatten the event, or send it as text/plain")]
    TooDeep,
}

impl RefusalCode {
    /// The reason's name in answers, records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooDeep => "too_deep",
        }
    }
}

/// What a body holds. Both lists are in input order; `line` orders them together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// Events to keep.
    pub events: Vec<RawEvent>,
    /// Events refused.
    pub refused: Vec<Refused>,
}

/// Why nothing of a body is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// No byte that could be an event.
    #[error("the body is empty: send one event, an array, or one event a line")]
    Empty,
    /// More than [`EVENTS_MAX`] events.
    #[error("more than {EVENTS_MAX} events in one request: send smaller batches")]
    TooManyEvents,
    /// More bytes than 32 bits can number; a body's own cap is far lower.
    #[error("the body is larger than 4 GiB: send smaller batches")]
    TooLarge,
}

impl ShapeError {
    /// The reason's name in answers, records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooManyEvents => "too_many_events",
            Self::TooLarge => "body_too_large",
        }
    }

    /// The HTTP status a door answers with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Empty => 400,
            Self::TooManyEvents | Self::TooLarge => 413,
        }
    }
}

/// Finds the events in `body`.
///
/// # Errors
/// [`ShapeError`], and nothing of the body may be kept then.
pub fn decode(body: &[u8], media: Media) -> Result<Decoded, ShapeError> {
    if u32::try_from(body.len()).is_err() {
        return Err(ShapeError::TooLarge);
    }
    if media == Media::TextPlain {
        return text_lines(body);
    }
    let after_bom = if body.starts_with(BOM) { BOM.len() } else { 0 };
    let start = json::skip_space(body, after_bom);
    if start == body.len() {
        return Err(ShapeError::Empty);
    }
    let found = Found::new(body);
    let whole = match body.get(start) {
        Some(b'{') => wrapper(body, start).or_else(|| single(body, start)),
        Some(b'[') => array(body, start),
        _ => single(body, start),
    };
    match whole {
        Some(values) => found.elements(&values),
        None => found.lines(after_bom),
    }
}

/// A JSON value in the body.
#[derive(Clone, Copy)]
struct Spot {
    start: usize,
    value: json::Value,
}

/// The values of a body that is JSON as a whole. Those past the limit are only counted: whether
/// they are too many is known when the shape is.
#[derive(Default)]
struct Values {
    spots: Vec<Spot>,
    count: usize,
}

impl Values {
    fn push(&mut self, start: usize, value: json::Value) {
        self.count += 1;
        if self.count <= EVENTS_MAX {
            self.spots.push(Spot { start, value });
        }
    }
}

fn single(body: &[u8], start: usize) -> Option<Values> {
    let value = value_at(body, start)?;
    let mut values = Values::default();
    values.push(start, value);
    ends(body, start + value.len).then_some(values)
}

fn array(body: &[u8], start: usize) -> Option<Values> {
    let mut values = Values::default();
    let end = elements_end(body, start, &mut values)?;
    ends(body, end).then_some(values)
}

fn wrapper(body: &[u8], start: usize) -> Option<Values> {
    let name = json::skip_space(body, start + 1);
    let rest = body.get(name..)?;
    const NAMES: [&[u8]; 2] = [br#""Records""#, br#""records""#];
    let colon = json::skip_space(body, name + NAMES.into_iter().find(|&known| rest.starts_with(known))?.len());
    let open = json::skip_space(body, expect(body, colon, b':')?);
    let mut values = Values::default();
    let close = json::skip_space(body, elements_end(body, open, &mut values)?);
    ends(body, expect(body, close, b'}')?).then_some(values)
}

/// Collects the elements of the array at `start` and returns the index after it.
fn elements_end(body: &[u8], start: usize, values: &mut Values) -> Option<usize> {
    let mut at = json::skip_space(body, expect(body, start, b'[')?);
    if body.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        let value = value_at(body, at)?;
        values.push(at, value);
        at = json::skip_space(body, at + value.len);
        match body.get(at)? {
            b',' => at = json::skip_space(body, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn value_at(body: &[u8], start: usize) -> Option<json::Value> {
    json::value(body.get(start..)?).ok()
}

fn expect(body: &[u8], at: usize, byte: u8) -> Option<usize> {
    (body.get(at) == Some(&byte)).then_some(at + 1)
}

pub(super) fn ends(body: &[u8], at: usize) -> bool {
    json::skip_space(body, at) == body.len()
}

/// Gathers what a body holds, within the limits.
struct Found<'a> {
    body: &'a [u8],
    /// Whether all of the body is UTF-8: asked once, since it is fastest over many bytes.
    utf8: bool,
    decoded: Decoded,
}

impl<'a> Found<'a> {
    fn new(body: &'a [u8]) -> Self {
        Self { body, utf8: std::str::from_utf8(body).is_ok(), decoded: Decoded::default() }
    }

    fn elements(mut self, values: &Values) -> Result<Decoded, ShapeError> {
        if values.count > EVENTS_MAX {
            return Err(ShapeError::TooManyEvents);
        }
        self.decoded.events.reserve_exact(values.spots.len());
        for (spot, line) in values.spots.iter().zip(1..) {
            self.value(*spot, line)?;
        }
        Ok(self.decoded)
    }

    fn lines(mut self, after_bom: usize) -> Result<Decoded, ShapeError> {
        for (line, number) in lines(self.body).zip(1..) {
            // A byte order mark stands outside a value, inside a text.
            let start = json::skip_space(self.body, line.start.max(after_bom)).min(line.end);
            let inside = self.body.get(start..line.end).unwrap_or_default();
            if inside.is_empty() {
                continue;
            }
            match json::value(inside) {
                Ok(value) if ends(inside, value.len) => self.value(Spot { start, value }, number)?,
                _ => self.keep(line, number, false)?,
            }
        }
        Ok(self.decoded)
    }

    fn value(&mut self, spot: Spot, line: u32) -> Result<(), ShapeError> {
        let range = spot.start..spot.start + spot.value.len;
        if spot.value.depth > DEPTH_MAX {
            self.room()?;
            let (start, len) = narrow(&range)?;
            self.decoded.refused.push(Refused { start, len, line, code: RefusalCode::TooDeep });
            return Ok(());
        }
        let utf8 = self.utf8 || self.body.get(range.clone()).is_some_and(|raw| std::str::from_utf8(raw).is_ok());
        self.keep(range, line, utf8)
    }

    fn keep(&mut self, range: Range<usize>, line: u32, json: bool) -> Result<(), ShapeError> {
        self.room()?;
        let event = event(self.body, range, line, json)?;
        self.decoded.events.push(event);
        Ok(())
    }

    fn room(&self) -> Result<(), ShapeError> {
        if self.decoded.events.len() + self.decoded.refused.len() >= EVENTS_MAX {
            return Err(ShapeError::TooManyEvents);
        }
        Ok(())
    }
}

fn text_lines(body: &[u8]) -> Result<Decoded, ShapeError> {
    let mut found = Found { body, utf8: false, decoded: Decoded::default() };
    for (line, number) in lines(body).zip(1..) {
        if !line.is_empty() {
            found.keep(line, number, false)?;
        }
    }
    if found.decoded.events.is_empty() {
        return Err(ShapeError::Empty);
    }
    Ok(found.decoded)
}

/// The lines of `body`, without LF or CRLF.
pub(super) fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    let mut ends = memchr::memchr_iter(b'\n', body);
    std::iter::from_fn(move || {
        let line = match ends.next() {
            Some(end) => {
                let cr = end > start && body.get(end - 1) == Some(&b'\r');
                let line = start..end - usize::from(cr);
                start = end + 1;
                line
            }
            None if start < body.len() => {
                let line = start..body.len();
                start = body.len();
                line
            }
            None => return None,
        };
        Some(line)
    })
}

pub(super) fn event(body: &[u8], range: Range<usize>, line: u32, json: bool) -> Result<RawEvent, ShapeError> {
    let (start, len) = narrow(&range)?;
    if range.len() <= EVENT_BYTES_MAX {
        return Ok(RawEvent { start, len, line, json, truncated: None });
    }
    let whole = body.get(range).unwrap_or_default();
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(digest::digest(&digest::SHA256, whole).as_ref());
    let truncated = Truncated { bytes: u64::from(len), sha256 };
    let (_, len) = narrow(&(0..EVENT_BYTES_MAX))?;
    Ok(RawEvent { start, len, line, json: false, truncated: Some(Box::new(truncated)) })
}

/// `decode` has made sure that every index fits.
pub(super) fn narrow(range: &Range<usize>) -> Result<(u32, u32), ShapeError> {
    match (u32::try_from(range.start), u32::try_from(range.len())) {
        (Ok(start), Ok(len)) => Ok((start, len)),
        _ => Err(ShapeError::TooLarge),
    }
}

fn range(start: u32, len: u32) -> Range<usize> {
    let start = start as usize;
    start..start + len as usize
}

#[cfg(test)]
mod accounted;
#[cfg(test)]
mod tests;
