//! A log in memory that keeps what the real one promises (a piece whole or not at all, an id once)
//! and crashes where a test says.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use indelible::door::poll::Note;
use indelible::door::poll::upkeep::{Keep, KeepError, Piece};

/// What happens at one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing is kept, and the process ends.
    Lost,
    /// It is kept, and the process ends before it hears of it.
    KeptUnheard,
    /// Refused for now.
    Busy,
}

#[derive(Default)]
struct Inner {
    entries: Vec<(String, Vec<u8>)>,
    known: HashSet<(String, Vec<u8>)>,
    notes: Vec<Note>,
    cursor: Option<String>,
    commits: usize,
    crashes: BTreeMap<usize, Crash>,
}

#[derive(Clone, Default)]
pub struct ModelLog(Arc<Mutex<Inner>>);

impl ModelLog {
    /// Crashes at commits, counted from 0.
    pub fn crashing(crashes: impl IntoIterator<Item = (usize, Crash)>) -> Self {
        let log = Self::default();
        log.0.lock().unwrap().crashes = crashes.into_iter().collect();
        log
    }

    pub fn keep(&self) -> Keep {
        let log = self.clone();
        Box::new(move |piece| {
            let kept = log.commit(piece);
            Box::pin(async move { kept })
        })
    }

    fn commit(&self, piece: Piece) -> Result<(), KeepError> {
        let mut inner = self.0.lock().unwrap();
        let commit = inner.commits;
        inner.commits += 1;
        let crash = inner.crashes.get(&commit).copied();
        match crash {
            Some(Crash::Lost) => return Err(KeepError::Stopped("crashed".into())),
            Some(Crash::Busy) => return Err(KeepError::Later("busy".into())),
            _ => {}
        }
        for event in piece.events {
            let entry = (event.id.as_str().to_owned(), event.raw.to_vec());
            if inner.known.insert(entry.clone()) {
                inner.entries.push(entry);
            }
        }
        inner.notes.extend(piece.notes);
        if piece.cursor.is_some() {
            inner.cursor = piece.cursor;
        }
        if crash == Some(Crash::KeptUnheard) { Err(KeepError::Stopped("crashed".into())) } else { Ok(()) }
    }

    pub fn ids(&self) -> Vec<String> {
        self.0.lock().unwrap().entries.iter().map(|(id, _)| id.clone()).collect()
    }

    pub fn raws(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().entries.iter().map(|(_, raw)| raw.clone()).collect()
    }

    pub fn notes(&self, record: &str) -> Vec<BTreeMap<&'static str, String>> {
        let inner = self.0.lock().unwrap();
        inner.notes.iter().filter(|note| note.record == record).map(|note| note.members.iter().cloned().collect()).collect()
    }

    pub fn cursor(&self) -> Option<String> {
        self.0.lock().unwrap().cursor.clone()
    }
}
