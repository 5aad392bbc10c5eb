//! Where one message of a stream ends: syslog over TCP and TLS (RFC 6587, RFC 5425), and plain lines.
//!
//! Under [`Framing::Syslog`] the beginning of each frame decides how it ends, so that a sender who
//! changes his mind within a connection is still understood:
//!
//! - one to eight digits without a leading zero, one space and `<`: *octet-counted*, the digits
//!   count the bytes from `<` on (RFC 6587 §3.4.1, RFC 5425 §4.3.1). The frame is kept exactly;
//! - anything else: a *line*, ended by LF or, as some senders do (§3.4.2), by NUL.
//!
//! The `<` of the priority is asked for because a line may begin with a number (`2024 was …`), and
//! a misread count would swallow the messages after it. Under [`Framing::Lines`] only LF ends a
//! line; a NUL is a byte like others.
//!
//! Lines are kept without LF or CRLF and nothing else removed; empty ones only separate. What the
//! stream's end cuts short is handed out as it is, marked as not whole.
//!
//! INVARIANT: at most [`EVENT_BYTES_MAX`] bytes are held, whatever a sender counts or does not end.
//! Of a longer frame the beginning is kept with the length and SHA-256 of the whole.
//!
//! INVARIANT: every byte pushed is in a frame, is held, or is framing: a count and its space, LF,
//! CRLF, or NUL. [`Frame::end`] says where in the stream a frame and its framing end.

use aws_lc_rs::digest::{Context, SHA256};

use super::limits::EVENT_BYTES_MAX;
use super::shape::Truncated;

/// Digits of an octet count. 99,999,999 bytes are far beyond every message; more digits are a text.
const COUNT_DIGITS_MAX: u8 = 8;
/// Capacity that is kept for the next frame; what a rare long one needed is given back.
const HELD_KEPT_BYTES: usize = 16 << 10;

/// How a stream is cut into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Octet-counted, or a line: each frame says which.
    Syslog,
    /// Lines, whatever they begin with.
    Lines,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its bytes, at most [`EVENT_BYTES_MAX`].
    pub raw: &'a [u8],
    /// The whole, if it was longer.
    pub truncated: Option<Truncated>,
    /// Bytes of the stream through its last byte of framing.
    pub end: u64,
    /// False if the stream ended before the frame did.
    pub whole: bool,
}

/// Cuts one stream into frames, piece by piece.
#[derive(Debug)]
pub struct Frames {
    framing: Framing,
    state: State,
    held: Held,
    position: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the beginning of a frame, `digits` of a count read, and perhaps the space behind it.
    Start { count: u64, digits: u8, space: bool },
    /// Inside an octet-counted frame with this many bytes to come.
    Counted { left: u64 },
    /// Inside a line.
    Line,
}

const START: State = State::Start { count: 0, digits: 0, space: false };

impl Frames {
    /// At the beginning of a stream, or at `position` of one, where a frame begins.
    #[must_use]
    pub fn new(framing: Framing, position: u64) -> Self {
        Self { framing, state: START, held: Held::default(), position }
    }

    /// Bytes of an unfinished frame in memory.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.kept.len()
    }

    /// Whether a frame has begun and not ended.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !matches!(self.state, State::Start { digits: 0, .. }) && !matches!((self.state, self.held.is_empty()), (State::Line, true))
    }

    /// Takes the next bytes of the stream and gives each frame that ends in them.
    pub fn push(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Start { count, digits, space } => self.start(bytes, count, digits, space),
                State::Counted { left } => self.counted(bytes, left, each),
                State::Line => self.line(bytes, each),
            };
        }
    }

    /// Gives what the end of the stream cut short, if there is any.
    pub fn finish(mut self, each: &mut impl FnMut(Frame<'_>)) {
        self.held.settle_cr();
        if !self.held.is_empty() {
            let (raw, truncated) = self.held.whole();
            each(Frame { raw, truncated, end: self.position, whole: false });
        }
    }

    fn start<'a>(&mut self, bytes: &'a [u8], count: u64, digits: u8, space: bool) -> &'a [u8] {
        let Some((&byte, rest)) = bytes.split_first() else {
            return bytes;
        };
        let digit = u64::from(byte.wrapping_sub(b'0'));
        let goes_on = match byte {
            _ if self.framing == Framing::Lines => None,
            b'1'..=b'9' | b'0' if !space && digits < COUNT_DIGITS_MAX && (digits > 0 || byte != b'0') => {
                Some(State::Start { count: count * 10 + digit, digits: digits + 1, space })
            }
            b' ' if digits > 0 && !space => Some(State::Start { count, digits, space: true }),
            b'<' if space => {
                // The count was framing, not message.
                self.held.clear();
                self.state = State::Counted { left: count };
                return bytes;
            }
            _ => None,
        };
        let Some(state) = goes_on else {
            self.state = State::Line;
            return bytes;
        };
        self.held.push(&[byte]);
        self.position = self.position.saturating_add(1);
        self.state = state;
        rest
    }

    fn counted<'a>(&mut self, bytes: &'a [u8], left: u64, each: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (piece, rest) = bytes.split_at(here);
        self.position = self.position.saturating_add(piece.len() as u64);
        let left = left.saturating_sub(piece.len() as u64);
        if left > 0 {
            self.held.push(piece);
            self.state = State::Counted { left };
            return rest;
        }
        self.give(piece, each);
        rest
    }

    fn line<'a>(&mut self, bytes: &'a [u8], each: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
        let end = match self.framing {
            Framing::Syslog => memchr::memchr2(b'\n', 0, bytes),
            Framing::Lines => memchr::memchr(b'\n', bytes),
        };
        let Some(end) = end else {
            self.position = self.position.saturating_add(bytes.len() as u64);
            self.held.push_line(bytes);
            return &[];
        };
        let (piece, rest) = bytes.split_at(end);
        let (terminator, rest) = rest.split_at(1.min(rest.len()));
        self.position = self.position.saturating_add(end as u64 + 1);
        let piece = if terminator == b"\n" && !piece.is_empty() {
            // The last byte held cannot be the CR of this LF.
            self.held.settle_cr();
            piece.strip_suffix(b"\r").unwrap_or(piece)
        } else if terminator == b"\n" {
            self.held.drop_cr();
            piece
        } else {
            self.held.settle_cr();
            piece
        };
        self.give(piece, each);
        rest
    }

    /// Ends a frame with its last piece.
    fn give(&mut self, last: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        self.state = START;
        let end = self.position;
        if self.held.is_empty() && last.len() <= EVENT_BYTES_MAX {
            if !last.is_empty() {
                each(Frame { raw: last, truncated: None, end, whole: true });
            }
            return;
        }
        self.held.push(last);
        let (raw, truncated) = self.held.whole();
        each(Frame { raw, truncated, end, whole: true });
        self.held.clear();
    }
}

/// The beginning of a frame that has not ended, and the hash of all of it once it is too long.
#[derive(Default)]
struct Held {
    kept: Vec<u8>,
    /// A CR at the end of a piece: whether it belongs to the line is known with the next byte.
    cr: bool,
    over: Option<(Context, u64)>,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("kept", &self.kept.len()).field("over", &self.over.as_ref().map(|(_, bytes)| bytes)).finish()
    }
}

impl Held {
    fn is_empty(&self) -> bool {
        self.kept.is_empty() && !self.cr
    }

    fn push(&mut self, piece: &[u8]) {
        if self.over.is_none() {
            if self.kept.len() + piece.len() <= EVENT_BYTES_MAX {
                self.kept.extend_from_slice(piece);
                return;
            }
            let mut context = Context::new(&SHA256);
            context.update(&self.kept);
            self.over = Some((context, self.kept.len() as u64));
        }
        if let Some((context, bytes)) = &mut self.over {
            context.update(piece);
            *bytes = bytes.saturating_add(piece.len() as u64);
        }
        let room = EVENT_BYTES_MAX.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn push_line(&mut self, piece: &[u8]) {
        self.settle_cr();
        let without = piece.strip_suffix(b"\r");
        self.push(without.unwrap_or(piece));
        self.cr = without.is_some();
    }

    /// The CR belongs to the line after all.
    fn settle_cr(&mut self) {
        if std::mem::take(&mut self.cr) {
            self.push(b"\r");
        }
    }

    /// The CR was the first half of the line's end.
    fn drop_cr(&mut self) {
        self.cr = false;
    }

    fn whole(&mut self) -> (&[u8], Option<Truncated>) {
        let truncated = self.over.take().map(|(context, bytes)| {
            let mut sha256 = [0; 32];
            sha256.copy_from_slice(context.finish().as_ref());
            Truncated { bytes, sha256 }
        });
        (&self.kept, truncated)
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.kept.shrink_to(HELD_KEPT_BYTES);
        self.cr = false;
        self.over = None;
    }
}

#[cfg(test)]
mod tests;
