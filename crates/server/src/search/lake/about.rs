//! What is said of a lake file beside it: of what it is, and the checksums by which damage is noticed without
//! trusting a reader of Parquet with damaged bytes.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Bytes of `about.json`.
const ABOUT_BYTES_MAX: u64 = 64 << 10;
/// Bytes behind the footer: its length, and the mark.
const TRAILER_BYTES: u64 = 8;
const MARK: &[u8] = b"PAR1";
/// Bytes of a footer: some 40 columns of one row group take 20 KiB.
const FOOTER_BYTES_MAX: u64 = 8 << 20;
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 20;

/// What a lake file is made of: another origin, another file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Origin {
    pub(super) version: u32,
    /// SHA-256 of the payload file, in hex.
    pub(super) file: String,
    /// Of the maps that gave the values.
    pub(super) maps: String,
    /// With the whole OCSF forms.
    pub(super) full: bool,
}

/// What a lake file is of, and what it was like when it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) origin: Origin,
    bytes: u64,
    /// CRC-32C of all bytes.
    sum: u32,
    /// CRC-32C of the footer, which says where everything is.
    footer: u32,
}

impl About {
    /// Describes a file that was just written.
    pub(super) fn of(parquet: &File, origin: Origin) -> io::Result<Self> {
        let (bytes, sum) = sum(parquet)?;
        let footer = crc32c::crc32c(&footer(parquet, bytes)?);
        Ok(Self { origin, bytes, sum, footer })
    }

    /// Reads what is said at `path`; nothing when nothing is said that can be understood.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        File::open(path).ok()?.take(ABOUT_BYTES_MAX).read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes it to `path` in one step.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let temporary = path.with_extension("tmp");
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        std::fs::rename(&temporary, path)
    }

    /// Bytes of the file, and CRC-32C of all of them.
    pub(super) const fn length_and_sum(&self) -> (u64, u32) {
        (self.bytes, self.sum)
    }

    /// Whether the file has the length and the footer that it was written with.
    pub(super) fn footer_holds(&self, parquet: &Path) -> bool {
        let looked = || -> io::Result<bool> {
            let file = File::open(parquet)?;
            Ok(file.metadata()?.len() == self.bytes && crc32c::crc32c(&footer(&file, self.bytes)?) == self.footer)
        };
        looked().unwrap_or(false)
    }

    /// Whether every byte of the file is as it was written.
    pub(super) fn holds(&self, parquet: &Path) -> bool {
        File::open(parquet).and_then(|file| sum(&file)).is_ok_and(|found| found == (self.bytes, self.sum))
    }
}

/// Length and CRC-32C of a file.
fn sum(file: &File) -> io::Result<(u64, u32)> {
    let (mut at, mut sum, mut buffer) = (0, 0, vec![0; READ_BYTES]);
    loop {
        let read = file.read_at(&mut buffer, at)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok((at, sum)) };
        sum = crc32c::crc32c_append(sum, bytes);
        at += read as u64;
    }
}

/// The footer of a Parquet file of this length, with its trailer.
fn footer(file: &File, bytes: u64) -> io::Result<Vec<u8>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut trailer = [0; TRAILER_BYTES as usize];
    file.read_exact_at(&mut trailer, bytes.checked_sub(TRAILER_BYTES).ok_or_else(invalid)?)?;
    let length = trailer.strip_suffix(MARK).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes).ok_or_else(invalid)?;
    let whole = u64::from(length) + TRAILER_BYTES;
    if whole > FOOTER_BYTES_MAX {
        return Err(invalid());
    }
    let mut footer = vec![0; whole as usize];
    file.read_exact_at(&mut footer, bytes.checked_sub(whole).ok_or_else(invalid)?)?;
    Ok(footer)
}
