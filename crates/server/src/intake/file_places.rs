//! How far each file of a watched directory has been read, as the bytes of a cursor.
//!
//! A file is known by device, inode and time of birth, and by two prints: of its first bytes and of
//! those before the offset. The first three find it again under another name; the prints tell a file
//! that was truncated, and find its content again in a copy or a compressed form.
//! Prints are the first half of a SHA-256, in a chunk's header where no erasure reaches: they show
//! nothing of the content but whether a guess of all 256 bytes is right.
//!
//! ```text
//! version u8 = 1 | places u16 | place… | done u16 | done [8]…
//! place: flags u8 | dev u64 | inode u64 | born_ns u64 | offset u64 | events u32 | seen_ms u64
//!        | head_bytes u16, [16] | tail_bytes u16, [16] | name_bytes u8, name
//! ```
//! Integers are big-endian. Anything else than exactly this is refused.

use aws_lc_rs::digest::{SHA256, digest};

/// Bytes that a print covers at most: beyond a log's usual banner, within one read.
pub const PRINT_BYTES_MAX: usize = 256;
/// Bytes of all places of a directory: what one cursor may have, less some slack.
pub const PLACES_BYTES_MAX: usize = 60 << 10;
const VERSION: u8 = 1;
const RENAMED: u8 = 1;
const NAME_BYTES_MAX: usize = 255;

/// Which file. Inodes are used again, so the time of birth is part of it where the file system has one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Device.
    pub dev: u64,
    /// Inode.
    pub inode: u64,
    /// When it was made, in ns since 1970 UTC; 0 where the file system does not say.
    pub born_ns: u64,
}

/// What some bytes hash to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Print {
    /// How many bytes, at most [`PRINT_BYTES_MAX`].
    pub bytes: u16,
    /// The first half of their SHA-256.
    pub sum: [u8; 16],
}

impl Print {
    /// The print of at most the first [`PRINT_BYTES_MAX`] of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.get(..PRINT_BYTES_MAX).unwrap_or(bytes);
        let mut sum = [0; 16];
        sum.iter_mut().zip(digest(&SHA256, bytes).as_ref()).for_each(|(to, from)| *to = *from);
        Self { bytes: u16::try_from(bytes.len()).unwrap_or(u16::MAX), sum }
    }
}

/// How far one file was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub id: FileId,
    /// Its path below the directory when last seen, at most 255 bytes of it.
    pub name: String,
    /// It was renamed, or is a copy: nothing should be added to it any more.
    pub renamed: bool,
    /// Its first bytes.
    pub head: Print,
    /// The bytes before `offset`.
    pub tail: Print,
    /// Bytes of its (decompressed) content that are kept.
    pub offset: u64,
    /// Events kept of the one JSON value that begins at `offset`.
    pub events: u32,
    /// When its file was last there, in ms since 1970 UTC.
    pub seen_ms: u64,
}

/// A file of which everything is kept and to which nothing is added.
pub type Done = [u8; 8];

/// All files of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Files under way, in the order in which they were found.
    pub places: Vec<Place>,
    /// Files that are done.
    pub done: Vec<Done>,
}

/// Bytes that are no places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the position of the watched files is not in a form that this version reads; a newer one wrote it, or it is damaged")]
pub struct InvalidPlaces;

/// The mark of a file that is done: whatever changes it changes the mark.
#[must_use]
pub fn done_mark(id: FileId, size: u64, modified_ms: u64) -> Done {
    let numbers = [id.dev, id.inode, id.born_ns, size, modified_ms].map(u64::to_be_bytes).concat();
    let mut mark = [0; 8];
    mark.iter_mut().zip(digest(&SHA256, &numbers).as_ref()).for_each(|(to, from)| *to = *from);
    mark
}

impl Place {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(if self.renamed { RENAMED } else { 0 });
        for number in [self.id.dev, self.id.inode, self.id.born_ns, self.offset] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.events.to_be_bytes());
        out.extend_from_slice(&self.seen_ms.to_be_bytes());
        for print in [&self.head, &self.tail] {
            out.extend_from_slice(&print.bytes.to_be_bytes());
            out.extend_from_slice(&print.sum);
        }
        let name = bounded(&self.name);
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name.as_bytes());
    }

    /// Whether anything of its file is kept.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.offset > 0 || self.events > 0
    }

    /// Its bytes in a cursor.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        82 + bounded(&self.name).len()
    }
}

/// The end of a name says more than its beginning.
fn bounded(name: &str) -> &str {
    let mut from = name.len().saturating_sub(NAME_BYTES_MAX);
    while !name.is_char_boundary(from) {
        from += 1;
    }
    name.get(from..).unwrap_or_default()
}

impl Places {
    /// As a cursor's value.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&u16::try_from(self.places.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.places.iter().for_each(|place| place.encode(&mut out));
        out.extend_from_slice(&u16::try_from(self.done.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.done.iter().for_each(|mark| out.extend_from_slice(mark));
        out
    }

    /// How many bytes [`Places::encode`] gives.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        5 + self.places.iter().map(Place::encoded_bytes).sum::<usize>() + self.done.len() * 8
    }

    /// Reads what [`Places::encode`] wrote.
    ///
    /// # Errors
    /// [`InvalidPlaces`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidPlaces> {
        let mut at = Reader(bytes);
        let [VERSION] = at.array()? else { return Err(InvalidPlaces) };
        let count = u16::from_be_bytes(at.array()?);
        let places = (0..count).map(|_| at.place()).collect::<Result<_, _>>()?;
        let count = u16::from_be_bytes(at.array()?);
        let done = (0..count).map(|_| at.array()).collect::<Result<_, _>>()?;
        if at.0.is_empty() { Ok(Self { places, done }) } else { Err(InvalidPlaces) }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], InvalidPlaces> {
        let (array, rest) = self.0.split_first_chunk().ok_or(InvalidPlaces)?;
        self.0 = rest;
        Ok(*array)
    }

    fn number(&mut self) -> Result<u64, InvalidPlaces> {
        self.array().map(u64::from_be_bytes)
    }

    fn print(&mut self) -> Result<Print, InvalidPlaces> {
        let bytes = u16::from_be_bytes(self.array()?);
        if usize::from(bytes) > PRINT_BYTES_MAX {
            return Err(InvalidPlaces);
        }
        Ok(Print { bytes, sum: self.array()? })
    }

    fn place(&mut self) -> Result<Place, InvalidPlaces> {
        let [flags @ (0 | RENAMED)] = self.array()? else { return Err(InvalidPlaces) };
        let id = FileId { dev: self.number()?, inode: self.number()?, born_ns: self.number()? };
        let offset = self.number()?;
        let events = u32::from_be_bytes(self.array()?);
        let seen_ms = self.number()?;
        let (head, tail) = (self.print()?, self.print()?);
        let [name_bytes] = self.array()?;
        let (name, rest) = self.0.split_at_checked(usize::from(name_bytes)).ok_or(InvalidPlaces)?;
        self.0 = rest;
        let name = std::str::from_utf8(name).map_err(|_| InvalidPlaces)?.to_owned();
        Ok(Place { id, name, renamed: flags == RENAMED, head, tail, offset, events, seen_ms })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(name: &str, offset: u64) -> Place {
        let id = FileId { dev: 2, inode: 77, born_ns: 5 };
        Place { id, name: name.into(), renamed: true, head: Print::of(b"head"), tail: Print::of(b"tail"), offset, events: 3, seen_ms: 9 }
    }

    #[test]
    fn the_form_of_a_cursor_stays_as_it_is() {
        let places = Places { places: vec![place("a.log", 0x0102)], done: vec![[7; 8]] };
        let mut expected = vec![1, 0, 1, 1];
        expected.extend([0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 5]);
        expected.extend([0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9]);
        for text in [b"head", b"tail"] {
            expected.extend([0, 4]);
            expected.extend(digest(&SHA256, text).as_ref().iter().take(16));
        }
        expected.extend(b"\x05a.log\0\x01\x07\x07\x07\x07\x07\x07\x07\x07");
        assert_eq!(places.encode(), expected);
        assert_eq!(Places::decode(&expected), Ok(places));
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let places = Places { places: vec![place(&format!("{}é.log", "x".repeat(300)), 1)], done: vec![] };
        let read = Places::decode(&places.encode()).unwrap();
        assert!(read.places.iter().all(|place| place.name.len() <= NAME_BYTES_MAX && place.name.ends_with("é.log")));
    }

    proptest! {
        #[test]
        fn places_come_back_and_anything_cut_or_added_is_refused(names in prop::collection::vec("[a-z.é]{0,12}", 0..5), done: Vec<Done>, offset: u64) {
            let places = Places { places: names.iter().map(|name| place(name, offset)).collect(), done };
            let mut bytes = places.encode();
            prop_assert_eq!(bytes.len(), places.encoded_bytes());
            prop_assert_eq!(Places::decode(&bytes), Ok(places));
            bytes.push(0);
            prop_assert_eq!(Places::decode(&bytes), Err(InvalidPlaces));
            bytes.truncate(bytes.len() - 2);
            prop_assert_eq!(Places::decode(&bytes), Err(InvalidPlaces));
        }
    }
}
