//! What of the log can be read in the lake at one moment, and what cannot: whoever asks the lake is told both.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use evidence::act::PayloadFile;
use serde::{Deserialize, Serialize};
use tlog::{Checkpoint, Hash, SignedNote};

use super::about::About;
use super::paths_in;
use crate::search::{Index, LAKE};
use crate::store::layout;
use crate::store::payload_file::{PayloadName, parse_payload_name};
use crate::store::trail::Trail;

/// The lake beside a log of some size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// Which log.
    pub origin: String,
    /// Its entries.
    pub size: u64,
    /// Root of its tree, in base64.
    pub root: String,
    /// The files, in the order of what they begin with.
    pub files: Vec<Listed>,
    /// The ranges whose entries are in none of them, or not all of whose entries are.
    pub missing: Vec<Missing>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name below the lake's directory, and below `/v1/lake/`.
    pub name: String,
    /// First index of its range.
    pub first: u64,
    /// Last index of its range.
    pub last: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// CRC-32C of all bytes.
    pub crc32c: u32,
}

/// A range of entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// First index.
    pub first: u64,
    /// Last index.
    pub last: u64,
    /// Why they are missing.
    pub why: Why,
}

/// Why entries are not in the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// They came since the newest payload file was written; search finds them.
    NotInFiles,
    /// The lake file of their payload file is not there, or not as it was written.
    NotDerived,
    /// Nobody wants a lake.
    LakeOff,
    /// Their payload file is no more.
    Removed,
}

impl Why {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotInFiles => "not in payload files yet: `indelible search` finds them",
            Self::NotDerived => "not derived yet: see `indelible remap`",
            Self::LakeOff => "there is no lake: see `indelible serve --lake`",
            Self::Removed => "their payload file is no more",
        }
    }

    /// Whether they would be there if all was well.
    #[must_use]
    pub const fn is_gap(self) -> bool {
        matches!(self, Self::NotDerived | Self::LakeOff)
    }
}

/// A data directory whose lake cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The system refused something.
    #[error("{path}: {why}", path = path.display())]
    Io {
        /// To what it happened.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The checkpoint says nothing.
    #[error("{path} is not a checkpoint: {why}", path = path.display())]
    Checkpoint {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Of which log a listing is.
struct Log {
    origin: String,
    size: u64,
    root: Hash,
}

impl Listing {
    /// `made` says what is known of the lake file of a payload file, if it is there; `why` what it means when it is not.
    fn of(log: Log, mut payload: Vec<PayloadName>, why: Why, made: impl Fn(&PayloadName) -> Option<Listed>) -> Self {
        payload.sort_unstable_by_key(|file| (file.first, file.class, file.generation));
        let (mut files, mut missing, mut reached) = (Vec::new(), Gaps(Vec::new()), 0);
        for file in &payload {
            let end = file.first.saturating_add(file.count);
            missing.add(reached, file.first, Why::Removed);
            match made(file) {
                Some(listed) => files.push(listed),
                None => missing.add(file.first, end, why),
            }
            reached = reached.max(end);
        }
        missing.add(reached, log.size, Why::NotInFiles);
        Self { origin: log.origin, size: log.size, root: log.root.to_string(), files, missing: missing.0 }
    }

    /// The lake of a data directory, whether or not a server runs there. Only read; the checkpoint beside the log, at
    /// most a second old, says how long the log is, and is taken at its word.
    ///
    /// # Errors
    /// [`ListError`].
    pub fn in_directories(trail: &Path, lake: &Path) -> Result<Self, ListError> {
        let path = trail.join(layout::CHECKPOINT);
        let note = fs::read(&path).map_err(at(&path))?;
        let wrong = |why: String| ListError::Checkpoint { path: path.clone(), why };
        let note = SignedNote::from_bytes(&note).map_err(|why| wrong(why.to_string()))?;
        let Checkpoint { origin, size, root } = Checkpoint::parse_body(&note.text).map_err(|why| wrong(why.to_string()))?;
        let mut payload: Vec<PayloadName> =
            names(&trail.join(layout::PAYLOAD))?.iter().filter_map(|name| parse_payload_name(name)).collect();
        // An erasure writes the next generation before it removes the one before.
        payload.sort_unstable_by_key(|file| (file.first, file.class, std::cmp::Reverse(file.generation)));
        payload.dedup_by_key(|file| (file.first, file.class));
        let why = if lake.exists() { Why::NotDerived } else { Why::LakeOff };
        Ok(Self::of(Log { origin, size: size.0, root }, payload, why, |file| listed_in(lake, file)))
    }
}

impl Index {
    /// The lake as it is now.
    #[must_use]
    pub fn lake(&self, trail: &Trail) -> Listing {
        let view = trail.view();
        let files = view.state.payload_files.values();
        let payload =
            files.map(|file| PayloadName { first: file.first, count: file.count, class: file.class, generation: file.generation });
        let why = if self.lake.is_some() { Why::NotDerived } else { Why::LakeOff };
        let log = Log { origin: view.state.origin.clone(), size: view.size, root: view.root };
        Listing::of(log, payload.collect(), why, |name| {
            let file = view.state.payload_files.get(&(name.class, name.first))?;
            self.listed(file, &view.state).map(|(_, listed)| listed)
        })
    }

    /// Names in the lake's directory that engines may read and that are of no payload file of the log.
    #[must_use]
    pub fn lake_strangers(&self, trail: &Trail) -> Vec<String> {
        let Some(lake) = self.dir.as_ref().map(|dir| dir.join(LAKE)) else { return Vec::new() };
        let state = &trail.view().state;
        let own: HashSet<_> = state.payload_files.values().flat_map(|file| paths_in(&lake, &file.name())).collect();
        let there = fs::read_dir(&lake).into_iter().flatten().flatten().map(|entry| entry.path());
        // What a server was writing when it was killed.
        let is_half = |name: &String| name.starts_with('_') && name.ends_with(".tmp");
        let mut strangers: Vec<_> = there
            .filter(|path| !own.contains(path))
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .filter(|name| !is_half(name))
            .collect();
        strangers.sort_unstable();
        strangers
    }

    /// A lake file by its name, and where it stands.
    #[must_use]
    pub fn lake_file(&self, trail: &Trail, name: &str) -> Option<(PathBuf, Listed)> {
        let view = trail.view();
        let parsed = parse_payload_name(name)?;
        let file = view.state.payload_files.get(&(parsed.class, parsed.first))?;
        self.listed(file, &view.state).filter(|(_, listed)| listed.name == name)
    }

    fn listed(&self, file: &PayloadFile, state: &evidence::fold::TrailState) -> Option<(PathBuf, Listed)> {
        let lake = self.lake.as_ref()?;
        // Of sources that are of another kind now, another lake file is made.
        self.known(file, state)?;
        if !lake.is_made(file, &self.maps) {
            return None;
        }
        let [parquet, about] = lake.paths(file);
        let listed = listed(&parquet, &About::read(&about)?, file.first..file.end())?;
        Some((parquet, listed))
    }
}

/// The lake file of a payload file in a directory, if it is as it was written.
fn listed_in(lake: &Path, file: &PayloadName) -> Option<Listed> {
    let [parquet, about] = paths_in(lake, &file.path());
    let about = About::read(&about).filter(|about| about.footer_holds(&parquet))?;
    listed(&parquet, &about, file.first..file.first.saturating_add(file.count))
}

/// What is said of the lake file of a range.
fn listed(parquet: &Path, about: &About, range: Range<u64>) -> Option<Listed> {
    let name = parquet.file_name()?.to_str()?.to_owned();
    let (bytes, crc32c) = about.length_and_sum();
    Some(Listed { name, first: range.start, last: range.end - 1, bytes, crc32c })
}

/// Ranges in order, those that touch and have one reason made one.
struct Gaps(Vec<Missing>);

impl Gaps {
    fn add(&mut self, first: u64, end: u64, why: Why) {
        let Some(last) = end.checked_sub(1).filter(|last| *last >= first) else { return };
        match self.0.last_mut() {
            Some(before) if before.why == why && first <= before.last.saturating_add(1) => before.last = before.last.max(last),
            _ => self.0.push(Missing { first, last, why }),
        }
    }
}

fn names(dir: &Path) -> Result<Vec<String>, ListError> {
    let entries = fs::read_dir(dir).map_err(at(dir))?;
    entries.map(|entry| Ok(entry.map_err(at(dir))?.file_name().to_string_lossy().into_owned())).collect()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ListError {
    let path = path.to_owned();
    move |why| ListError::Io { path, why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(first: u64, count: u64, class: u16) -> PayloadName {
        PayloadName { first, count, class, generation: 0 }
    }

    fn missing(size: u64, payload: &[PayloadName], absent: &[PayloadName]) -> Vec<(u64, u64, Why)> {
        let log = Log { origin: "o".into(), size, root: Hash([0; 32]) };
        let made = |name: &PayloadName| {
            let last = name.first + name.count - 1;
            (!absent.contains(name)).then(|| Listed { name: name.path(), first: name.first, last, bytes: 1, crc32c: 0 })
        };
        let listing = Listing::of(log, payload.to_vec(), Why::NotDerived, made);
        assert_eq!(listing.files.len(), payload.len() - absent.len());
        listing.missing.iter().map(|gap| (gap.first, gap.last, gap.why)).collect()
    }

    #[test]
    fn what_is_missing_is_named_with_its_reason() {
        let (a, b, c) = (file(0, 10, 0), file(10, 10, 0), file(10, 10, 1));
        assert_eq!(missing(20, &[a, b, c], &[]), []);
        assert_eq!(missing(25, &[b, a, c], &[]), [(20, 24, Why::NotInFiles)]);
        assert_eq!(missing(20, &[a, b, c], &[c]), [(10, 19, Why::NotDerived)]);
        assert_eq!(missing(20, &[a, b, c], &[a, b, c]), [(0, 19, Why::NotDerived)]);
        assert_eq!(missing(20, &[b], &[]), [(0, 9, Why::Removed)]);
        assert_eq!(missing(3, &[], &[]), [(0, 2, Why::NotInFiles)]);
        assert_eq!(missing(0, &[], &[]), []);
    }

    proptest! {
        #[test]
        fn an_entry_is_missing_unless_all_files_of_its_range_are_there(ranges in prop::collection::vec((0..40_u64, 1..20_u64, 0..3_u16, any::<bool>()), 0..8)) {
            let mut payload: Vec<_> = ranges.iter().map(|(first, count, class, _)| file(*first, *count, *class)).collect();
            payload.sort_unstable_by_key(|name| (name.first, name.class, name.count));
            payload.dedup_by_key(|name| (name.first, name.class));
            let gone = |name: &PayloadName| ranges.iter().any(|(first, count, class, absent)| file(*first, *count, *class) == *name && *absent);
            let absent: Vec<_> = payload.iter().copied().filter(|name| gone(name)).collect();
            let found = missing(64, &payload, &absent);
            for index in 0..64_u64 {
                let of: Vec<_> = payload.iter().filter(|name| (name.first..name.first + name.count).contains(&index)).collect();
                let whole = !of.is_empty() && of.iter().all(|name| !absent.contains(name));
                prop_assert_eq!(found.iter().any(|(first, last, _)| (*first..=*last).contains(&index)), !whole, "{} of {:?}", index, found);
            }
        }
    }
}
