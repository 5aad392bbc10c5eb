//! Where a change of configuration is made: on a stopped server's directory, or through the running
//! one.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::cli::server::ServerArgs;
use crate::store::trail::Trail;

/// On a stopped server's directory, or through the running one.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Data directory of a stopped server, instead of --url
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Opens the trail of a stopped server for one change.
///
/// # Errors
/// It does not open, or the change was not made.
pub fn with_trail<T>(data: &Path, change: impl FnOnce(&Trail) -> Result<T, Failure>) -> Result<T, Failure> {
    with_data_and_trail(data, |_, trail| change(trail))
}

/// As [`with_trail`], with the directory it is in.
///
/// # Errors
/// It does not open, or the change was not made.
pub fn with_data_and_trail<T>(data: &Path, change: impl FnOnce(&DataDir, &Trail) -> Result<T, Failure>) -> Result<T, Failure> {
    let dir = DataDir::open(data)?;
    let trail = Trail::open(dir.media()?, &dir.options())?;
    let done = change(&dir, &trail);
    trail.close();
    done
}
