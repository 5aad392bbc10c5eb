//! Cursors: how far each poller has read, committed in the same chunk as the events it read.
//!
//! INVARIANT: the set of all cursors is that of the newest chunk that carries any, less what acts
//! in later chunks removed. A chunk carries either the whole set or nothing.
//!
//! A chunk carries it when it changes it, and when it holds an act that records files: only such an
//! act lets older chunks go, and its own chunk stays until a later one records that chunk's entries.
//! So the newest carrier is never released, whatever is recycled, copied or restored; nothing but
//! the sequencer and the replay has to know of it.
//!
//! A connection's cursors bear its name, or its name and `/` and more; they go with the act that
//! removes the connection. Deliberately absent: another way to remove one. A set that an explicit
//! removal emptied could not be told from a chunk that says nothing.

use std::collections::BTreeMap;

use evidence::act::Act;

use crate::log::chunk::{ChunkError, Reader};

/// Most cursors of a trail: as many as connections.
pub const CURSORS_MAX: usize = 1_000;
/// Most bytes of a cursor's name.
pub const CURSOR_NAME_BYTES_MAX: usize = 255;
/// Most bytes of one cursor: a page token, or the positions of a few thousand files or partitions.
pub const CURSOR_BYTES_MAX: usize = 64 << 10;
/// Most bytes of all cursors with their names: every chunk that moves one carries all.
pub const CURSORS_BYTES_MAX: usize = 1 << 20;

/// Where one poller is to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The connection's name, or that and `/` and more.
    pub name: String,
    /// Whatever the poller makes of it.
    pub value: Vec<u8>,
}

/// Why a cursor cannot be kept. The events beside it are not kept either.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum CursorError {
    /// No name, or too long a one.
    #[error("a cursor's name has 1 to {CURSOR_NAME_BYTES_MAX} bytes, this one has {0}")]
    Name(usize),
    /// Too long a value.
    #[error("the cursor {name:?} has {bytes} bytes, at most {CURSOR_BYTES_MAX} are kept")]
    Value {
        /// Its name.
        name: String,
        /// Its length.
        bytes: usize,
    },
    /// Too many cursors.
    #[error("this trail has {CURSORS_MAX} cursors already, which is the most there may be: remove connections that are not used")]
    TooMany,
    /// Too many bytes in all.
    #[error("the cursors of this trail would have {0} bytes in all, at most {CURSORS_BYTES_MAX} are kept")]
    TooLarge(usize),
}

/// The whole set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursors(BTreeMap<String, Vec<u8>>);

impl Cursors {
    /// One cursor's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// None is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// The set with these moved.
    ///
    /// # Errors
    /// [`CursorError`] when one or all are too large.
    pub fn moved(&self, moves: &[Cursor]) -> Result<Self, CursorError> {
        let mut set = self.clone();
        for cursor in moves {
            check(&cursor.name, &cursor.value)?;
            set.0.insert(cursor.name.clone(), cursor.value.clone());
        }
        set.check_whole().map(|()| set)
    }

    /// The set without the cursors of a connection.
    #[must_use]
    pub fn without(&self, connection: &str) -> Self {
        let is_of = |name: &str| name.strip_prefix(connection).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        Self(self.0.iter().filter(|(name, _)| !is_of(name)).map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The set after a stored chunk with these acts that carries `carried`.
    #[must_use]
    pub fn after<'a>(&self, acts: impl IntoIterator<Item = &'a Act>, carried: &Cursors) -> Self {
        if !carried.is_empty() {
            return carried.clone();
        }
        let mut set = self.clone();
        for act in acts {
            if let Act::ConnectionRemoved { name } = act {
                set = set.without(name);
            }
        }
        set
    }

    fn check_whole(&self) -> Result<(), CursorError> {
        if self.0.len() > CURSORS_MAX {
            return Err(CursorError::TooMany);
        }
        match self.0.iter().map(|(name, value)| name.len() + value.len()).sum() {
            bytes if bytes > CURSORS_BYTES_MAX => Err(CursorError::TooLarge(bytes)),
            _ => Ok(()),
        }
    }

    /// Appends `count u16 | (name len u8, name | value len u32, value)…`, by name.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&u16::try_from(self.0.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (name, value) in &self.0 {
            out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(value);
        }
    }

    /// Reads what [`Cursors::encode`] wrote, and nothing else.
    pub(super) fn decode(at: &mut Reader<'_>) -> Result<Self, ChunkError> {
        let count = u16::from_be_bytes(at.array()?);
        let mut set = Self::default();
        for _ in 0..count {
            let [name_len] = at.array()?;
            let name = at.text(usize::from(name_len))?;
            let value_len = at.u32()? as usize;
            let value = at.bytes(value_len)?;
            let ascends = set.0.last_key_value().is_none_or(|(last, _)| *last < name);
            if !ascends || check(&name, value).is_err() {
                return Err(ChunkError::Cursors);
            }
            set.0.insert(name, value.to_vec());
        }
        set.check_whole().map_err(|_| ChunkError::Cursors)?;
        Ok(set)
    }
}

fn check(name: &str, value: &[u8]) -> Result<(), CursorError> {
    if !(1..=CURSOR_NAME_BYTES_MAX).contains(&name.len()) {
        return Err(CursorError::Name(name.len()));
    }
    if value.len() > CURSOR_BYTES_MAX {
        return Err(CursorError::Value { name: name.to_owned(), bytes: value.len() });
    }
    Ok(())
}

/// Whether an act lets older chunks go, so that its own chunk must carry the whole set.
#[must_use]
pub fn lets_chunks_go(act: &Act) -> bool {
    matches!(act, Act::Payload(_) | Act::Seal(_))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn cursor(name: &str, value: &[u8]) -> Cursor {
        Cursor { name: name.into(), value: value.to_vec() }
    }

    #[test]
    fn cursors_go_with_their_connection_and_with_no_other() {
        let set = Cursors::default();
        let set = set.moved(&["okta", "okta/users", "okta2", "entra"].map(|name| cursor(name, b"1"))).unwrap();
        let removed = Act::ConnectionRemoved { name: "okta".into() };
        let left = set.after([&removed], &Cursors::default());
        assert_eq!(left.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["entra", "okta2"]);
        assert_eq!(left.after([&removed], &set), set, "what a chunk carries is how it was at its end");
    }

    #[test]
    fn every_bound_is_one_that_a_set_may_reach_and_not_pass() {
        let set = Cursors::default();
        let moved = |moves: &[Cursor]| set.moved(moves);
        assert_eq!(moved(&[cursor("", b"")]), Err(CursorError::Name(0)));
        assert!(moved(&[cursor(&"n".repeat(255), b"")]).is_ok());
        assert_eq!(moved(&[cursor(&"n".repeat(256), b"")]), Err(CursorError::Name(256)));
        assert!(moved(&[cursor("a", &[0; CURSOR_BYTES_MAX])]).is_ok());
        assert!(matches!(moved(&[cursor("a", &[0; CURSOR_BYTES_MAX + 1])]), Err(CursorError::Value { .. })));
        let many = |count: usize| (0..count).map(|n| cursor(&format!("{n}"), b"")).collect::<Vec<_>>();
        assert!(moved(&many(CURSORS_MAX)).is_ok());
        assert_eq!(moved(&many(CURSORS_MAX + 1)), Err(CursorError::TooMany));
        let mut large: Vec<_> = (0..16).map(|n| cursor(&format!("{n:x}"), &[0; CURSOR_BYTES_MAX - 1])).collect();
        assert!(moved(&large).is_ok());
        large.push(cursor("z", b""));
        assert_eq!(moved(&large), Err(CursorError::TooLarge(CURSORS_BYTES_MAX + 1)));
    }
}
