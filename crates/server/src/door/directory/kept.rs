//! The derived file: the directory as of one tree, so that a start need not read the whole log.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::source::directory::{People, Person};

/// What the file holds.
#[derive(Debug, Default)]
pub struct Kept {
    /// All records below this index are in it.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: String,
    /// Who.
    pub people: People,
}

#[derive(Deserialize, Serialize)]
struct FileJson<'a> {
    v: u8,
    size: u64,
    root: std::borrow::Cow<'a, str>,
    people: Vec<(String, Vec<String>, Option<String>)>,
}

impl Kept {
    /// Reads the file; none when it is not there or does not read, which costs time alone.
    pub fn read(file: &Path) -> Option<Self> {
        let json: FileJson<'_> = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        let person = |(identity, names, display): (_, Vec<_>, _)| (identity, Person { names: names.into_iter().collect(), display });
        (json.v == 1).then(|| Self { size: json.size, root: json.root.into_owned(), people: json.people.into_iter().map(person).collect() })
    }

    /// Writes the file in one step, readable to its owner alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(file: &Path, size: u64, root: &str, people: &People) -> io::Result<()> {
        let person =
            |(identity, person): (&String, &Person)| (identity.clone(), person.names.iter().cloned().collect(), person.display.clone());
        let json = FileJson { v: 1, size, root: root.into(), people: people.iter().map(person).collect() };
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir)?;
        }
        let temporary = file.with_extension("tmp");
        let mut open = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        open.write_all(&serde_json::to_vec(&json)?)?;
        open.sync_all()?;
        fs::rename(&temporary, file)
    }
}
