//! The lake: beside each payload file one Parquet file of what its entries mean, for any engine that reads Parquet.
//!
//! ```text
//! DATA/derived/main/lake/<payload file>.parquet        one row an entry, by index (docs/LAKE.md)
//!                       _<payload file>.about.json     of what payload file and maps, and its checksums
//!                       _<payload file>.tmp            being written
//! ```
//! Names that begin with `_` are passed over by engines that read a whole directory (Hive, Spark, Trino, Arrow).
//!
//! INVARIANT: a Parquet file stands under its own name only when it is whole, and counts as made only while what
//! is written of it in `about.json` holds.

mod about;
mod column;
mod listing;
mod row;
mod write;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use evidence::act::PayloadFile;

use crate::config::LakeContent;
use crate::search::same_bytes::is_same;

use about::{About, Origin};
pub use column::{COLUMNS, Column, Kind, schema};
pub use listing::{ListError, Listed, Listing, Missing, Why};
pub use write::Writer;

/// Version of what is put in: goes up when a column comes, goes, or changes its type.
const VERSION: u32 = 1;

/// The lake files of a trail.
#[derive(Debug)]
pub struct Lake {
    dir: PathBuf,
    /// With the whole OCSF forms.
    full: bool,
    /// Files that were held against their `about.json`, and their lengths: a look at one costs a `stat` from then on.
    seen: Mutex<HashMap<String, Seen>>,
}

/// What was seen of a file.
#[derive(Clone, Copy, Debug)]
struct Seen {
    bytes: u64,
    /// All of it was read.
    read: bool,
}

/// Where in a lake the Parquet file of a payload file of that name stands, and what is said of it.
fn paths_in(lake: &Path, payload: &str) -> [PathBuf; 2] {
    let stem = Path::new(payload).file_stem().unwrap_or_default().to_string_lossy();
    [lake.join(format!("{stem}.parquet")), lake.join(format!("_{stem}.about.json"))]
}

/// What stands in a lake for a payload file.
pub(super) enum Standing {
    /// Nothing, or what was made of other maps, or by another version.
    Nothing,
    /// A file without what it was written with: nothing that can be understood is said of it, or another footer is.
    Unmarked,
    /// A file that counts as made, of this lake: with or without the whole OCSF forms.
    Made(Lake),
}

impl Lake {
    /// The lake in `dir`, which need not exist; none when nobody wants one.
    #[must_use]
    pub fn holding(content: LakeContent, dir: PathBuf) -> Option<Self> {
        (content != LakeContent::Off).then(|| Self { dir, full: content == LakeContent::Full, seen: Mutex::default() })
    }

    /// What stands in the lake in `dir` for a payload file, whatever is wanted of a lake today.
    pub(super) fn standing(dir: PathBuf, of: &PayloadFile, maps: &str) -> Standing {
        let [parquet, about] = paths_in(&dir, &of.name());
        if !parquet.exists() {
            return Standing::Nothing;
        }
        let Some(about) = About::read(&about) else { return Standing::Unmarked };
        let lake = Self { dir, full: about.origin.full, seen: Mutex::default() };
        match (about.origin == lake.origin(of, maps), about.footer_holds(&parquet)) {
            (false, _) => Standing::Nothing,
            (true, false) => Standing::Unmarked,
            (true, true) => Standing::Made(lake),
        }
    }

    /// The same lake in another directory.
    pub(super) fn moved_to(&self, dir: &Path) -> Self {
        Self { dir: dir.to_owned(), full: self.full, seen: Mutex::default() }
    }

    /// Whether the file of a payload file, and what is said of it, are the same in this lake and in that of `dir`.
    pub(super) fn is_same(&self, dir: &Path, of: &PayloadFile) -> io::Result<bool> {
        self.paths(of).iter().zip(&paths_in(dir, &of.name())).try_fold(true, |same, (one, other)| Ok(same && is_same(one, other)?))
    }

    /// What a file of today would say of itself.
    fn origin(&self, of: &PayloadFile, maps: &str) -> Origin {
        Origin { version: VERSION, file: tlog::canonical::hex(&of.sha256), maps: maps.to_owned(), full: self.full }
    }

    /// Where the Parquet file of a payload file stands, and what is said of it.
    #[must_use]
    pub fn paths(&self, of: &PayloadFile) -> [PathBuf; 2] {
        paths_in(&self.dir, &of.name())
    }

    /// Whether the Parquet file of a payload file is there, of these maps, with the length and the footer it was
    /// written with.
    #[must_use]
    pub fn is_made(&self, of: &PayloadFile, maps: &str) -> bool {
        let [parquet, about] = self.paths(of);
        let bytes = std::fs::metadata(&parquet).ok().map(|there| there.len());
        let known = self.seen().get(&of.name()).map(|seen| seen.bytes);
        if known.is_some() && known == bytes {
            return true;
        }
        let holds = About::read(&about).is_some_and(|about| about.origin == self.origin(of, maps) && about.footer_holds(&parquet));
        match bytes.filter(|_| holds) {
            Some(bytes) => self.seen().insert(of.name(), Seen { bytes, read: false }),
            None => self.seen().remove(&of.name()),
        };
        holds
    }

    /// Reads the first of the files that was not read yet, if all its bytes are as they were written; the name of one
    /// whose bytes are not. That one does not count as made from then on.
    pub fn read_next<'f>(&self, files: impl Iterator<Item = &'f PayloadFile>, maps: &str) -> Option<String> {
        let is_next = |of: &&PayloadFile| self.is_made(of, maps) && !self.seen().get(&of.name()).is_some_and(|seen| seen.read);
        let of = files.filter(is_next).last()?;
        let [parquet, about] = self.paths(of);
        let holds = About::read(&about).is_some_and(|about| about.holds(&parquet));
        if holds {
            self.seen().entry(of.name()).and_modify(|seen| seen.read = true);
            return None;
        }
        self.discard(of);
        Some(of.name())
    }

    /// The file of a payload file is worth nothing: it does not count as made from now on.
    pub(super) fn discard(&self, of: &PayloadFile) {
        self.forget(of);
        let [_, about] = self.paths(of);
        // Whoever cannot remove it finds it damaged again.
        let _ = std::fs::remove_file(about);
    }

    /// Begins the file of a payload file anew. The one that is there no longer counts as made, whatever becomes of
    /// the new one; engines read it until then.
    #[must_use]
    pub fn begin(&self, of: &PayloadFile, maps: &str) -> Writer {
        self.forget(of);
        let [parquet, about] = self.paths(of);
        // Whoever cannot remove it cannot write the new one either.
        let _ = std::fs::remove_file(&about);
        Writer::begin([parquet, about], self.origin(of, maps))
    }

    /// Looks again when it is asked the next time.
    pub(super) fn forget(&self, of: &PayloadFile) {
        self.seen().remove(&of.name());
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
