//! How far a forward came: a small file beside the trail, replaced as a whole.

use serde::{Deserialize, Serialize};

use crate::store::media::Media;

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which beginning it goes back to.
    pub began: u64,
    /// Entries below are with the receiver.
    pub at: u64,
    /// The file that grows, of a forward to files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Growing>,
}

/// A file that grows, as far as it is known to be durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growing {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Why a place is not known or not kept.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The medium says no.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: String,
        /// What it said.
        error: std::io::Error,
    },
    /// It is there and says nothing.
    #[error("forward/{path} does not say how far it came: remove it to begin anew where the forward was set to begin")]
    Damaged {
        /// Which file.
        path: String,
    },
}

fn path_of(name: &str) -> String {
    format!("{name}.json")
}

/// The place of a forward that began so; none if nothing was noted since.
///
/// # Errors
/// [`PlaceError`].
pub fn read(media: &dyn Media, name: &str, began: u64) -> Result<Option<Place>, PlaceError> {
    let path = path_of(name);
    let read = media.exists(&path).and_then(|there| there.then(|| media.read(&path)).transpose());
    let Some(bytes) = read.map_err(|error| PlaceError::Io { path: path.clone(), error })? else { return Ok(None) };
    let place: Place = serde_json::from_slice(&bytes).map_err(|_| PlaceError::Damaged { path })?;
    Ok(Some(place).filter(|place| place.began == began))
}

/// Notes a place; durable on return.
///
/// # Errors
/// [`PlaceError`]; then the one before stands, or this one.
pub fn write(media: &dyn Media, name: &str, place: &Place) -> Result<(), PlaceError> {
    let path = path_of(name);
    let bytes = serde_json::to_vec(place).map_err(std::io::Error::from);
    bytes.and_then(|bytes| media.replace(&path, &bytes)).map_err(|error| PlaceError::Io { path, error })
}
