//! Reads one file from its place on, line by line or as one value.

use std::io;

use crate::door::files::content::Content;
use crate::door::files::folder::OpenFile;
use crate::door::files::whole::{SNIFF_BYTES, WHOLE_BYTES_MAX, Whole, begins_whole};
use crate::intake::file_places::{Place, Print};
use crate::intake::{Frames, Framing, StreamBatch};

/// What a file gave beyond its place.
#[derive(Debug, Default)]
pub struct Filled {
    /// The events.
    pub gathered: StreamBatch,
    /// The place behind them.
    pub place: Place,
    /// There is nothing more for now.
    pub at_end: bool,
    /// More was read than is given: the reader must be opened again.
    pub overshot: bool,
}

/// A file being read as lines.
#[derive(Debug)]
pub struct Lines {
    content: Content,
    frames: Frames,
}

impl Lines {
    /// Opens `file` at `place`; `None` if what lies there is not what was read before.
    ///
    /// # Errors
    /// It cannot be read, or not be decompressed as far as there.
    pub fn open(file: Box<dyn OpenFile>, gzip: bool, place: &Place) -> io::Result<Option<Self>> {
        let content = Content::open(file, gzip, place.offset)?.filter(|content| content.fits(place));
        Ok(content.map(|content| Self { content, frames: Frames::new(Framing::Lines, place.offset) }))
    }

    /// Whether what was read last still stands where it was read, that of an unfinished line too.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.content.still_has(&self.content.read_last())
    }

    /// Whether the last line read has no end yet.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.frames.is_inside()
    }

    /// Reads the next lines, at most about `events_max` of them. With `last`, a line that the end of
    /// the file cuts short is one too. `None`: the file changed while it was read.
    ///
    /// # Errors
    /// As the system or the decompressor says; nothing read before it is given.
    pub fn fill(&mut self, place: &Place, events_max: usize, last: bool) -> io::Result<Option<Filled>> {
        let mut filled = Filled { place: place.clone(), ..Filled::default() };
        let (mut end, before) = (None, self.content.read_last());
        while !filled.gathered.is_full() && filled.gathered.decoded.events.len() < events_max && !filled.overshot {
            let piece = match self.content.piece() {
                Err(why) if why.kind() == io::ErrorKind::UnexpectedEof && !filled.gathered.is_empty() => break,
                piece => piece?,
            };
            if piece.is_empty() {
                filled.at_end = true;
                break;
            }
            let mut ended = None;
            let Filled { gathered, overshot, .. } = &mut filled;
            self.frames.push(&piece, &mut |frame| {
                if gathered.decoded.events.len() < events_max {
                    gathered.line(&frame);
                    ended = Some(frame.end);
                } else {
                    *overshot = true;
                }
            });
            if let Some(at) = ended {
                end = Some((at, self.content.tail_at(&piece, at)));
            }
            self.content.remember(&piece);
        }
        if filled.at_end && last && self.frames.is_inside() {
            end = Some(self.finish(&mut filled.gathered));
        }
        if !self.content.still_has(&before) || !self.content.still_begins_with(&place.head)? {
            return Ok(None);
        }
        self.close(filled, end)
    }

    fn finish(&mut self, gathered: &mut StreamBatch) -> (u64, Print) {
        let at = self.content.position();
        let frames = std::mem::replace(&mut self.frames, Frames::new(Framing::Lines, at));
        frames.finish(&mut |frame| gathered.line(&frame));
        (at, self.content.tail_at(&[], at))
    }

    fn close(&mut self, mut filled: Filled, end: Option<(u64, Print)>) -> io::Result<Option<Filled>> {
        if let Some((at, tail)) = end {
            filled.place.offset = at;
            filled.place.tail = tail;
            filled.place.head = self.content.head_at(at)?;
        }
        // Looked at again behind the reading: what was read in between stands for nothing else.
        Ok(self.content.still_begins_with(&filled.place.head)?.then_some(filled))
    }
}

/// Reads all of a file that is one value; `None` if it is lines, or too large to be taken whole.
///
/// # Errors
/// As the system or the decompressor says.
pub fn read_whole(file: Box<dyn OpenFile>, gzip: bool) -> io::Result<Option<Whole>> {
    let Some(mut content) = Content::open(file, gzip, 0)? else { return Ok(None) };
    let mut body = Vec::new();
    loop {
        let piece = content.piece()?;
        if piece.is_empty() {
            return Ok(Whole::new(body));
        }
        body.extend_from_slice(&piece);
        if body.len() > WHOLE_BYTES_MAX {
            return Ok(None);
        }
    }
}

/// Whether a file's content begins like one value; see [`begins_whole`].
///
/// # Errors
/// As the system or the decompressor says.
pub fn sniff_whole(file: Box<dyn OpenFile>, gzip: bool) -> io::Result<Option<bool>> {
    let Some(mut content) = Content::open(file, gzip, 0)? else { return Ok(None) };
    let mut first = Vec::new();
    while first.len() < SNIFF_BYTES {
        match content.piece() {
            Ok(piece) if piece.is_empty() => break,
            Ok(piece) => first.extend_from_slice(&piece),
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(why) => return Err(why),
        }
    }
    Ok(begins_whole(&first))
}
