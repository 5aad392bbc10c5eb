//! What goes wrong, by what the caller can do about it.

use std::fmt;
use std::io;

use super::BLOCK_BYTES;

/// Why the log did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The medium is full. Nothing was written; try again when there is room.
    #[error("no space for {path}; free some and try again, nothing was lost")]
    NoSpace {
        /// The file that did not fit.
        path: String,
        /// What the medium said.
        source: io::Error,
    },
    /// The frame fits no file. Split it.
    #[error("a frame of {bytes} bytes does not fit a log file, which takes up to {limit}; split it")]
    FrameTooLarge {
        /// Bytes of payload.
        bytes: usize,
        /// Bytes of payload that fit.
        limit: usize,
    },
    /// The medium failed. If it was an append, open the log again to find out what is there.
    #[error("could not {action} {path}: {source}; check the disk, then restart")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What the medium said.
        source: io::Error,
    },
    /// An earlier failure stopped this log. Open it again.
    #[error("the log stopped writing after an earlier failure; check the disk, then restart")]
    Stopped,
    /// The log does not hold what it should. Nothing was changed.
    #[error("{0}; nothing was changed, restore this file from a replica or a backup")]
    Damaged(Damage),
    /// The file was released; what it held stands elsewhere.
    #[error("log file {file} was released, what it held stands elsewhere")]
    Released {
        /// Its sequence number.
        file: u64,
    },
    /// The limits make no file.
    #[error("log files cannot be {file_bytes} bytes; use a multiple of 512 from 2 KiB to 256 MiB")]
    Limits {
        /// Bytes asked for.
        file_bytes: u64,
    },
}

impl WalError {
    pub(super) fn io(action: &'static str, path: &str, source: io::Error) -> WalError {
        WalError::Io { action, path: path.to_owned(), source }
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Path of the file, relative to the medium's root.
    pub path: String,
    /// Its sequence number.
    pub file: u64,
    /// The first bad block.
    pub block: u32,
    /// What is wrong with it.
    pub kind: DamageKind,
}

impl Damage {
    /// Where the bad block begins, in bytes from the beginning of the file.
    pub fn offset(&self) -> u64 {
        u64::from(self.block).saturating_mul(BLOCK_BYTES as u64)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is damaged at block {} (byte {}): {}", self.path, self.block, self.offset(), self.kind)
    }
}

/// The ways in which a log can be damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageKind {
    /// A file between others is gone.
    Missing,
    /// The header is not one, or says another sequence number than the name.
    Header,
    /// The header is of a version that this program does not read.
    Version(u32),
    /// The file is not as long as its header says.
    Length {
        /// Bytes by the header, or the least that any file has.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The block is neither zero nor what was written there.
    Block,
    /// The checksum holds, yet this is not how a frame begins.
    FrameStart,
    /// Bytes behind a frame's payload are not zero.
    Padding,
    /// Something other than zeros lies behind the last frame.
    BehindTheEnd,
    /// A frame is unfinished although frames were written after it.
    Unfinished,
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DamageKind::Missing => f.write_str("the file is missing, although there are older and newer ones"),
            DamageKind::Header => f.write_str("the file header is not valid"),
            DamageKind::Version(version) => write!(f, "the file has format version {version}, this program reads version 1"),
            DamageKind::Length { expected, found } => {
                write!(f, "the file has {found} bytes instead of {expected}")
            }
            DamageKind::Block => f.write_str("the block is neither zero nor what was written there"),
            DamageKind::FrameStart => f.write_str("no frame begins where one must"),
            DamageKind::Padding => f.write_str("the bytes behind a frame are not zero"),
            DamageKind::BehindTheEnd => f.write_str("there is something behind the last frame"),
            DamageKind::Unfinished => f.write_str("a frame is unfinished although others were written after it"),
        }
    }
}
