//! Records of what is asked: nobody is shown what could not be recorded.

use crate::api::error::ApiError;
use crate::search::Index;

/// Takes a record for the log; `of` says of what, in the plural.
///
/// # Errors
/// Too many wait.
pub fn note(index: &Index, of: &str, record: Vec<u8>) -> Result<(), ApiError> {
    let busy = || ApiError::later("busy", format!("the log takes no records of {of} now, so nothing is shown: ask again in a moment"), 1);
    index.note(record).then_some(()).ok_or_else(busy)
}
