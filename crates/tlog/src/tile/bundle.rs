//! Entry bundles: up to 256 entries, each after its length in two bytes, big-endian.

use super::TILE_WIDTH;

/// An entry is longer than its length field can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an entry of {bytes} bytes does not fit a bundle: 65535 is the most")]
pub struct EntryTooLong {
    /// Its length.
    pub bytes: usize,
}

/// Why bytes are not a bundle of the expected entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes end within an entry.
    #[error("the bundle ends within entry {entry}: it was cut or a length was altered")]
    Cut {
        /// Number of the entry, from 0.
        entry: usize,
    },
    /// Another number of entries than the tile's width says.
    #[error("the bundle does not hold the {expected} entries of its tile")]
    Width {
        /// Entries it should hold.
        expected: u16,
    },
}

/// The bundle of some entries.
///
/// # Errors
/// [`EntryTooLong`] for an entry of 64 KiB or more.
pub fn encode_bundle<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Vec<u8>, EntryTooLong> {
    let mut bundle = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong { bytes: entry.len() })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// The entries of a bundle, `width` of them (see [`TileId::width`](super::TileId)).
///
/// # Errors
/// [`BundleError`] when the bytes do not hold exactly `width` entries, 1 to 256.
pub fn decode_bundle(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let wrong_width = BundleError::Width { expected: width };
    if !(1..=TILE_WIDTH).contains(&width) {
        return Err(wrong_width);
    }
    let mut entries = Vec::with_capacity(width.into());
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() == usize::from(width) {
            return Err(wrong_width);
        }
        let cut = BundleError::Cut { entry: entries.len() };
        let (length, after) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(cut)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() < usize::from(width) {
        return Err(wrong_width);
    }
    Ok(entries)
}
