//! The log of a stopped server, to be asked.

use std::path::Path;
use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::place::with_data_and_trail;
use crate::door::directory::Identities;
use crate::search::Index;
use crate::search::named::Within;
use crate::source::Catalog;

/// Opens the log in a data directory with what is derived of it and the identities in force.
///
/// # Errors
/// It does not open, or those of `ask`.
pub fn with_log<T>(data: &Path, catalog: Catalog, ask: impl FnOnce(Within<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    with_data_and_trail(data, |dir, trail| {
        let directory = Identities::kept_in(dir.directory_file()).in_force(trail)?;
        let index = Index::kept_in(dir.derived_dir(), Arc::new(catalog));
        ask(Within { trail, index: &index, directory: &directory })
    })
}

/// Records what was asked, before anybody is shown the answer; `what` is that, in a word.
///
/// # Errors
/// The log did not take it.
pub fn record(log: Within<'_>, what: &str, record: &[u8]) -> Result<(), Failure> {
    log.trail.log().record_blocking(record).map_err(|why| Failure::new(format!("the {what} could not be recorded: {why}")))?;
    Ok(())
}
