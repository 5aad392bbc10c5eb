//! What belongs to all lines of an export. `evidence::export` reads it when it is verified.

use evidence::event_file::EventFile;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// See the module.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`evidence::export::EXPORT_FORMAT`].
    pub format: String,
    /// How the entries are written.
    pub encoding: String,
    /// The search line as it was understood.
    pub query: String,
    /// When it was asked; times back from now count from it.
    pub asked_at: String,
    /// The tree that all of it covers.
    pub tree: Tree,
    /// Its signed note; null in all pages but the first.
    pub checkpoint: Option<String>,
    /// What was looked at.
    pub covered: Covered,
    /// Entries in it.
    pub count: u64,
    /// Index of the last one; null if there is none.
    pub last: Option<u64>,
    /// Roots of the subtrees behind the last line, when it is finished.
    pub after: Vec<String>,
    /// Where it goes on; null when it is finished.
    pub next: Option<String>,
    /// The files, when there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
    /// Event files of the rotations of the log's key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Box<RawValue>>,
}

/// A tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Leaves.
    pub size: u64,
    /// Root, in base64.
    pub root: String,
}

/// What was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// From this index on,
    pub from: u64,
    /// to the one before this.
    pub to: u64,
    /// Entries that were read and compared.
    pub read: u64,
    /// Entries that were ruled out unread.
    pub ruled_out: u64,
    /// Whether every entry of the range was one or the other.
    pub complete: bool,
    /// Those that were not.
    pub unreadable: Vec<Unreadable>,
}

/// Entries that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// First of them.
    pub first: u64,
    /// Last of them.
    pub last: u64,
    /// Why.
    pub why: String,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name, without a directory.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Entries in it.
    pub count: u64,
}

impl Manifest {
    /// Takes up the manifest of the page that follows.
    pub fn join(&mut self, page: Self) {
        self.covered.to = page.covered.to;
        self.covered.read = self.covered.read.saturating_add(page.covered.read);
        self.covered.ruled_out = self.covered.ruled_out.saturating_add(page.covered.ruled_out);
        self.covered.complete &= page.covered.complete;
        self.covered.unreadable.extend(page.covered.unreadable);
        self.count = self.count.saturating_add(page.count);
        self.last = page.last.or(self.last);
        self.after = page.after;
        self.next = page.next;
    }

    /// The rotations as they are written.
    #[must_use]
    pub fn keys_of(files: &[EventFile]) -> Vec<Box<RawValue>> {
        let written = files.iter().filter_map(|file| RawValue::from_string(String::from_utf8(file.to_json()).ok()?).ok());
        written.collect()
    }
}
