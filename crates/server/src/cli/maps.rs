//! What records mean to a command: kinds of sources beside those built in, and where addresses are.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::failure::Failure;
use crate::source::Catalog;
use crate::source::geo::Geo;

/// As `indelible serve` was told; a running server knows it itself.
#[derive(Clone, Debug, Args)]
pub struct MapArgs {
    /// Directory of kinds of sources, as `indelible serve --sources`; with --data alone
    #[arg(long, env = "INDELIBLE_SOURCES", value_name = "DIR", requires = "data")]
    sources: Option<PathBuf>,
    /// Databases of addresses, as `indelible serve --geoip`; with --data alone
    #[arg(long, env = "INDELIBLE_GEOIP", value_name = "FILE", value_delimiter = ',', requires = "data")]
    geoip: Vec<PathBuf>,
}

impl MapArgs {
    /// All kinds.
    ///
    /// # Errors
    /// As [`catalog`].
    pub fn catalog(&self) -> Result<Catalog, Failure> {
        catalog(self.sources.as_deref(), &self.geoip)
    }
}

/// All kinds: those built in, and those of the directory, with what databases say of addresses.
///
/// # Errors
/// A map or a database cannot be read or is wrong.
pub fn catalog(sources: Option<&Path>, geoip: &[PathBuf]) -> Result<Catalog, Failure> {
    let built_in = Catalog::built_in();
    let catalog = match sources {
        Some(dir) => built_in.with_directory(dir)?,
        None => built_in,
    };
    Ok(if geoip.is_empty() { catalog } else { catalog.locating(Geo::open(geoip)?) })
}
