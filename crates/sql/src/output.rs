//! Where rows go: standard output, or a file that appears under its name when all of them are there.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use indelible::cli::failure::Failure;

use crate::rows::Format;

/// The place.
#[derive(Debug)]
pub struct Output(Option<Written>);

/// A file that is being written.
#[derive(Debug)]
struct Written {
    path: PathBuf,
    /// Beside it until it is whole.
    temporary: PathBuf,
    done: bool,
}

impl Output {
    /// Makes ready; nothing is written yet.
    ///
    /// # Errors
    /// Bytes would go to a terminal, or the file's name is none.
    pub fn prepare(path: Option<&Path>, format: Format) -> Result<Self, Failure> {
        let Some(path) = path else {
            if format == Format::Arrow && io::stdout().is_terminal() {
                return Err(Failure::new("--format arrow is not for a terminal: give -o FILE, or a pipe"));
            }
            return Ok(Self(None));
        };
        let name = path.file_name().ok_or_else(|| Failure::new(format!("-o {} is not the name of a file", path.display())))?;
        let temporary = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
        Ok(Self(Some(Written { path: path.to_owned(), temporary, done: false })))
    }

    /// What rows are written to.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn writer(&self) -> Result<Box<dyn Write + Send>, Failure> {
        let Some(Written { temporary, .. }) = &self.0 else { return Ok(Box::new(io::BufWriter::new(io::stdout()))) };
        let file = File::options().write(true).create_new(true).mode(0o600).open(temporary);
        Ok(Box::new(io::BufWriter::new(file.map_err(Failure::at(temporary.display()))?)))
    }

    /// All rows are there.
    ///
    /// # Errors
    /// The file cannot be given its name.
    pub fn finish(mut self) -> Result<(), Failure> {
        let Some(written) = &mut self.0 else { return Ok(()) };
        fs::rename(&written.temporary, &written.path).map_err(Failure::at(written.path.display()))?;
        written.done = true;
        Ok(())
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.done {
            // It may not be there yet; and whoever cannot remove it leaves half of an answer under a name that says so.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
