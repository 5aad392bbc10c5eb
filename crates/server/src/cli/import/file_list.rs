//! What there is to import.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::failure::Failure;

/// One thing to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File {
        /// Where it lies.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Standard input.
    Standard,
}

impl Input {
    /// Length in bytes, as far as it is known.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Self::File { bytes, .. } => Some(*bytes),
            Self::Standard => None,
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(f),
            Self::Standard => f.write_str("standard input"),
        }
    }
}

/// The files named, those in a directory in the order of their paths, which for logs named by date
/// is the order of time. Hidden files and symbolic links inside a directory are passed over.
///
/// # Errors
/// A name that is no file or directory.
pub fn list(names: &[String]) -> Result<Vec<Input>, Failure> {
    let mut inputs = Vec::new();
    for name in names {
        match name.as_str() {
            "-" => inputs.push(Input::Standard),
            name => add(Path::new(name), &mut inputs).map_err(Failure::at(name))?,
        }
    }
    Ok(inputs)
}

fn add(path: &Path, inputs: &mut Vec<Input>) -> std::io::Result<()> {
    let found = fs::metadata(path)?;
    if !found.is_dir() {
        inputs.push(Input::File { path: path.to_owned(), bytes: found.len() });
        return Ok(());
    }
    let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let kind = entry.file_type()?;
        if !hidden && (kind.is_file() || kind.is_dir()) {
            add(&entry.path(), inputs)?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_directory_stands_for_its_files_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b/2.json", "b/1.json", "a.log", ".hidden"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}").unwrap();
        }
        let names: Vec<_> = list(&[dir.path().display().to_string(), "-".into()]).unwrap().iter().map(ToString::to_string).collect();
        let expected = ["a.log", "b/1.json", "b/2.json"].map(|name| dir.path().join(name).display().to_string());
        assert_eq!(names.get(..3), Some(expected.as_slice()));
        assert_eq!(names.get(3).map(String::as_str), Some("standard input"));
        assert!(list(&["no-such-file".into()]).unwrap_err().to_string().contains("no-such-file"));
    }
}
