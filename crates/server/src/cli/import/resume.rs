//! Notes how far a file came, so that the next run goes on from there.
//!
//! The note is a convenience, not the protection against entering twice (that is the idempotency
//! key), so it may be lost. It is believed only if the file still begins with the same bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How the rest of a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// It was sent as it is, and cannot be gone on with.
    Whole,
    /// One event a line.
    Lines,
    /// Elements of an array.
    Array,
    /// Elements of the array inside `{"Records":[…]}`.
    Wrapper,
}

/// How far a file came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Version of the note.
    pub v: u32,
    /// Decompressed bytes entered.
    pub bytes: u64,
    /// SHA-256 of these bytes, in hex.
    pub sha256: String,
    /// How they were read.
    pub shape: Shape,
}

impl Progress {
    /// Reads a note. One that cannot be read is as good as none.
    pub fn read(path: &Path) -> Option<Self> {
        let note: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (note.v == 1).then_some(note)
    }

    /// Writes the note in one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, serde_json::to_vec(self)?)?;
        fs::rename(temporary, path)
    }
}

/// Where notes are kept when nobody says (XDG base directories).
pub fn default_dir() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    Some(state.or_else(home)?.join("indelible/import"))
}

/// The note of one file going to one target under one source.
pub fn note_path(dir: &Path, target: &str, source: &str, file: &Path, text: bool) -> PathBuf {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let mut identity = Vec::new();
    for part in [target.as_bytes(), source.as_bytes(), file.as_os_str().as_encoded_bytes(), &[u8::from(text)]] {
        identity.extend_from_slice(&(part.len() as u64).to_be_bytes());
        identity.extend_from_slice(part);
    }
    dir.join(format!("{}.json", tlog::canonical::hex(&tlog::sha256(&[&identity]))))
}
