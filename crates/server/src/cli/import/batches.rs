//! Cuts a file into batches that enter exactly the events that the whole file as one body would.
//!
//! A file of up to [`WHOLE_BYTES_MAX`] goes as it is, and the door decides its shape. A larger one is
//! read as lines or as the elements of an array, whichever its beginning says:
//!
//! - its first line is a JSON value and more follows, or begins with anything but `{` or `[`: lines;
//! - `[` or `{"Records":[`: elements. They are sent as arrays, which keeps each element's own bytes.
//!
//! A batch of lines could by itself look like something else: a lone line that is an array would be
//! unwrapped, and the lines `[`, `1`, `]` would become one array. Such a batch is sent another way
//! ([`lines::body`]).
//!
//! INVARIANT: where batches end depends on the file's bytes and on what was entered before alone,
//! never on how fast they were read: the idempotency key of a batch is a hash of the content through
//! its end.

use std::io::Read;

use aws_lc_rs::digest::{Context, SHA256};

use crate::cli::failure::Failure;
use crate::cli::import::door::Batch;
use crate::cli::import::resume::{Progress, Shape};
use crate::intake::{Media, ShapeError, decode};

mod elements;
mod lines;

use elements::Next;

/// Files up to this size are sent as they are: a quarter of what one request may hold.
const WHOLE_BYTES_MAX: usize = 8 << 20;
/// Bytes of a batch: large enough that one fsync for each costs nothing, small enough to be sent again.
const BATCH_BYTES: usize = 4 << 20;
/// Events of a batch: an answer of that many results is read in milliseconds.
const BATCH_EVENTS: usize = 10_000;
/// Longest line or element. An event is kept through 1 MiB and marked as cut beyond that; something
/// this long is no log of events.
const PIECE_BYTES_MAX: usize = 24 << 20;
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;

/// The batches of one file.
pub struct Batches<R> {
    input: R,
    source: String,
    text: bool,
    shape: Option<Shape>,
    /// Bytes read and not entered yet.
    buffer: Vec<u8>,
    /// The input has no more.
    ended: bool,
    /// Bytes entered, and their hash so far.
    entered: u64,
    content: Context,
}

impl<R: Read> Batches<R> {
    /// Batches of `input`; with `text` every line is an event.
    pub fn new(input: R, source: &str, text: bool) -> Self {
        let content = Context::new(&SHA256);
        Self { input, source: source.to_owned(), text, shape: None, buffer: Vec::new(), ended: false, entered: 0, content }
    }

    /// Passes over what was entered before. False: the file is another one now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn skip(&mut self, progress: &Progress) -> Result<bool, Failure> {
        let mut left = progress.bytes;
        let mut piece = vec![0; READ_BYTES];
        while left > 0 {
            let want = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = self.input.read(piece.get_mut(..want).unwrap_or_default())?;
            if count == 0 {
                return Ok(false);
            }
            self.content.update(piece.get(..count).unwrap_or_default());
            left -= count as u64;
        }
        self.entered = progress.bytes;
        self.shape = Some(progress.shape);
        Ok(self.content_hash() == progress.sha256)
    }

    /// How far the file was entered when the last batch is.
    pub fn progress(&self) -> Progress {
        Progress { v: 1, bytes: self.entered, sha256: self.content_hash(), shape: self.shape.unwrap_or(Shape::Whole) }
    }

    fn content_hash(&self) -> String {
        tlog::canonical::hex(self.content.clone().finish().as_ref())
    }

    /// The next batch.
    ///
    /// # Errors
    /// The file cannot be read, or is neither lines nor an array where it began as one.
    pub fn next(&mut self) -> Result<Option<Batch>, Failure> {
        loop {
            let shape = match self.shape {
                Some(shape) => shape,
                None => match self.whole_or_shape()? {
                    First::Whole(batch) => return Ok(batch),
                    First::Shape(shape) => shape,
                },
            };
            self.shape = Some(shape);
            let (used, body) = match shape {
                Shape::Whole => return self.refuse_more(),
                Shape::Lines => self.lines()?,
                Shape::Array | Shape::Wrapper => self.elements(shape)?,
            };
            if used == 0 {
                return Ok(None);
            }
            let start = self.entered;
            self.take(used);
            if let Some(body) = body {
                return Ok(Some(self.batch(start, body)));
            }
        }
    }

    fn media(&self) -> Media {
        if self.text { Media::TextPlain } else { Media::Any }
    }

    /// Counts the first `used` bytes as entered.
    fn take(&mut self, used: usize) {
        self.content.update(self.buffer.get(..used).unwrap_or_default());
        self.buffer.drain(..used.min(self.buffer.len()));
        self.entered += used as u64;
    }

    fn batch(&self, start: u64, body: Vec<u8>) -> Batch {
        let mut identity = self.content.clone();
        identity.update(&start.to_be_bytes());
        identity.update(self.source.as_bytes());
        let idempotency_key = format!("import-{}", tlog::canonical::hex(identity.finish().as_ref()));
        Batch { body, media: self.media(), idempotency_key }
    }

    /// Reads until at least `bytes` wait or the input ends.
    fn fill(&mut self, bytes: usize) -> std::io::Result<()> {
        while !self.ended && self.buffer.len() < bytes {
            let want = (bytes - self.buffer.len()) as u64;
            self.ended = (&mut self.input).take(want).read_to_end(&mut self.buffer)? == 0;
        }
        Ok(())
    }

    fn whole_or_shape(&mut self) -> Result<First, Failure> {
        self.fill(WHOLE_BYTES_MAX + 1)?;
        if self.ended && self.buffer.len() <= WHOLE_BYTES_MAX {
            match decode(&self.buffer, self.media()) {
                Ok(decoded) if decoded.events.is_empty() && decoded.refused.is_empty() => return Ok(First::Whole(None)),
                Err(ShapeError::Empty) => return Ok(First::Whole(None)),
                Ok(_) => {
                    // A file of lines may have grown by the next import; anything else is complete.
                    self.shape = Some(if lines::begins(&self.buffer, self.text) { Shape::Lines } else { Shape::Whole });
                    let body = self.buffer.clone();
                    self.take(body.len());
                    return Ok(First::Whole(Some(self.batch(0, body))));
                }
                // Small events, but too many of them for one request.
                Err(_) => {}
            }
        }
        if lines::begins(&self.buffer, self.text) {
            return Ok(First::Shape(Shape::Lines));
        }
        match elements::opening(&self.buffer) {
            Some((shape, used)) => {
                self.take(used);
                Ok(First::Shape(shape))
            }
            None => Err(Failure::new(
                "it is one JSON value of more than 8 MiB, which is no event; send an array, {\"Records\":[…]} or one event a line, or give --text",
            )),
        }
    }

    /// A file that went as a whole has nothing more, or it is not the file it was.
    fn refuse_more(&mut self) -> Result<Option<Batch>, Failure> {
        self.fill(READ_BYTES)?;
        if self.buffer.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        Err(Failure::new("it was entered before as one JSON value or array, and has grown since: put what is new into a file of its own"))
    }

    fn lines(&mut self) -> Result<(usize, Option<Vec<u8>>), Failure> {
        let mut wanted = BATCH_BYTES;
        loop {
            self.fill(wanted + 1)?;
            let window = self.buffer.get(..wanted).unwrap_or(&self.buffer);
            if let Some(used) = lines::cut(window, self.ended && self.buffer.len() <= wanted, BATCH_EVENTS) {
                return Ok(lines::body(&self.buffer, used, self.text));
            }
            if wanted > PIECE_BYTES_MAX {
                return Err(too_long("line"));
            }
            wanted *= 2;
        }
    }

    fn elements(&mut self, shape: Shape) -> Result<(usize, Option<Vec<u8>>), Failure> {
        let mut wanted = BATCH_BYTES;
        loop {
            self.fill(wanted + 1)?;
            let window = self.buffer.get(..wanted).unwrap_or(&self.buffer);
            match elements::cut(window, BATCH_EVENTS)? {
                Next::Elements { used, body } => return Ok((used, Some(body))),
                Next::End { used } => return self.end_of_elements(used, shape),
                Next::More if self.ended && self.buffer.len() <= wanted => {
                    return Err(Failure::new("its array is not closed: the file is cut short; everything before was entered"));
                }
                Next::More if wanted > PIECE_BYTES_MAX => return Err(too_long("element")),
                Next::More => wanted *= 2,
            }
        }
    }

    /// Behind the array there may be its wrapper's brace and white space, and nothing else.
    fn end_of_elements(&mut self, used: usize, shape: Shape) -> Result<(usize, Option<Vec<u8>>), Failure> {
        self.fill(used + READ_BYTES)?;
        let rest = self.buffer.get(used..).unwrap_or_default().trim_ascii();
        let expected: &[u8] = if shape == Shape::Wrapper { b"}" } else { b"" };
        if !self.ended || rest != expected {
            return Err(Failure::new("something stands behind its array; everything in the array was entered"));
        }
        self.shape = Some(Shape::Whole);
        Ok((self.buffer.len(), None))
    }
}

enum First {
    Whole(Option<Batch>),
    Shape(Shape),
}

fn too_long(what: &str) -> Failure {
    Failure::new(format!("a {what} of more than 24 MiB is no event; everything before it was entered"))
}

#[cfg(test)]
mod tests;
