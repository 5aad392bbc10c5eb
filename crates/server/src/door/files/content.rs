//! A file's content from a place on: as it is, or decompressed by its name (`.gz`).

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use crate::door::files::folder::OpenFile;
use crate::intake::file_places::{PRINT_BYTES_MAX, Place, Print};

/// Read at once. Small, so that a batch ends near its limits whatever the lines' length.
const PIECE_BYTES: usize = 16 << 10;

/// Whether a name says that its file is compressed.
#[must_use]
pub fn is_gzip(name: &[u8]) -> bool {
    name.ends_with(b".gz")
}

/// Whether a name says that its file is compressed in a way that is not read here.
#[must_use]
pub fn is_other_compression(name: &[u8]) -> bool {
    [&b".xz"[..], b".bz2", b".zst", b".lz4", b".Z", b".zip", b".7z"].iter().any(|ending| name.ends_with(ending))
}

/// A file's content, read forwards.
pub struct Content {
    file: Arc<dyn OpenFile>,
    form: Form,
    at: u64,
    first: Vec<u8>,
    window: Vec<u8>,
}

enum Form {
    Plain,
    Gzip(Box<MultiGzDecoder<BufReader<Compressed>>>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("at", &self.at).finish_non_exhaustive()
    }
}

struct Compressed {
    file: Arc<dyn OpenFile>,
    at: u64,
}

impl Read for Compressed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Content {
    /// The content of `file` from `offset` on; `None` if it is shorter.
    ///
    /// # Errors
    /// It cannot be read, or not be decompressed (as far as there).
    pub fn open(file: Box<dyn OpenFile>, gzip: bool, offset: u64) -> io::Result<Option<Self>> {
        let file: Arc<dyn OpenFile> = file.into();
        if gzip {
            let inner = BufReader::new(Compressed { file: Arc::clone(&file), at: 0 });
            let form = Form::Gzip(Box::new(MultiGzDecoder::new(inner)));
            let content = Self { file, form, at: 0, first: Vec::new(), window: Vec::new() };
            return content.skip_to(offset);
        }
        let mut content = Self { file, form: Form::Plain, at: offset, first: Vec::new(), window: Vec::new() };
        content.first = content.range(0, PRINT_BYTES_MAX)?;
        let before = offset.min(PRINT_BYTES_MAX as u64);
        content.window = content.range(offset - before, usize::try_from(before).unwrap_or(0))?;
        Ok((content.window.len() as u64 == before).then_some(content))
    }

    fn skip_to(mut self, offset: u64) -> io::Result<Option<Self>> {
        let mut piece = vec![0; PIECE_BYTES];
        while self.at < offset {
            let wanted = usize::try_from(offset - self.at).unwrap_or(usize::MAX).min(piece.len());
            let read = self.read(piece.get_mut(..wanted).unwrap_or_default())?;
            if read == 0 {
                return Ok(None);
            }
            let piece = piece.get(..read).unwrap_or_default();
            self.remember(piece);
        }
        Ok(Some(self))
    }

    fn range(&self, from: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut range = vec![0; bytes];
        let mut filled = 0;
        while let Some(rest) = range.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(from + filled as u64, rest)? {
                0 => break,
                read => filled += read,
            }
        }
        range.truncate(filled);
        Ok(range)
    }

    /// Bytes of the content read so far.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.at
    }

    /// The next piece; empty at the end, which a growing file moves.
    ///
    /// # Errors
    /// As the system or the decompressor says; `UnexpectedEof` for a compressed file that is not
    /// whole (yet).
    pub fn piece(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; PIECE_BYTES];
        let read = self.read(&mut piece)?;
        piece.truncate(read);
        Ok(piece)
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.form {
            Form::Plain => self.file.read_at(self.at, into)?,
            Form::Gzip(gzip) => gzip.read(into)?,
        };
        self.at += read as u64;
        Ok(read)
    }

    /// The print of the bytes before `end`, which lies in `piece`, the last one read; then nothing
    /// before `end` is looked at again.
    #[must_use]
    pub fn tail_at(&self, piece: &[u8], end: u64) -> Print {
        let begins = self.at - piece.len() as u64;
        let inside = usize::try_from(end.saturating_sub(begins)).unwrap_or(usize::MAX);
        let mut before = self.window.clone();
        before.extend_from_slice(piece.get(..inside).unwrap_or(piece));
        Print::of(last(&before))
    }

    /// Goes on behind `piece`: it is part of what prints are made of from now on.
    pub fn remember(&mut self, piece: &[u8]) {
        let room = PRINT_BYTES_MAX.saturating_sub(self.first.len());
        if matches!(self.form, Form::Gzip(_)) {
            self.first.extend_from_slice(piece.get(..room).unwrap_or(piece));
        }
        self.window.extend_from_slice(last(piece));
        let surplus = self.window.len().saturating_sub(PRINT_BYTES_MAX);
        self.window.drain(..surplus);
    }

    /// The print of the first bytes of what lies before `end`, which has been read.
    ///
    /// # Errors
    /// As the system says.
    pub fn head_at(&mut self, end: u64) -> io::Result<Print> {
        if matches!(self.form, Form::Plain) && self.first.len() < PRINT_BYTES_MAX {
            self.first = self.range(0, PRINT_BYTES_MAX)?;
        }
        let before = usize::try_from(end).unwrap_or(usize::MAX);
        Ok(Print::of(self.first.get(..before).unwrap_or(&self.first)))
    }

    /// The bytes read last, and where.
    #[must_use]
    pub fn read_last(&self) -> (u64, Vec<u8>) {
        (self.at - self.window.len() as u64, self.window.clone())
    }

    /// Whether bytes still stand where they were read. Compressed files are not added to.
    #[must_use]
    pub fn still_has(&self, (from, bytes): &(u64, Vec<u8>)) -> bool {
        matches!(self.form, Form::Gzip(_)) || self.range(*from, bytes.len()).is_ok_and(|now| now == *bytes)
    }

    /// Whether the file still begins as it did: one that is truncated while it is read does not.
    ///
    /// # Errors
    /// As the system says.
    pub fn still_begins_with(&self, head: &Print) -> io::Result<bool> {
        Ok(head.bytes == 0 || matches!(self.form, Form::Gzip(_)) || Print::of(&self.range(0, usize::from(head.bytes))?) == *head)
    }

    /// Whether this is the content that was read up to `place`; [`Content::open`]ed at its offset.
    #[must_use]
    pub fn fits(&self, place: &Place) -> bool {
        let same = |print: &Print, bytes: &[u8]| {
            print.bytes == 0 || bytes.get(..usize::from(print.bytes)).is_some_and(|bytes| Print::of(bytes) == *print)
        };
        same(&place.head, &self.first) && same(&place.tail, &self.window) && usize::from(place.tail.bytes) == self.window.len()
    }
}

fn last(bytes: &[u8]) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(PRINT_BYTES_MAX)..).unwrap_or(bytes)
}
