//! A request's body, decoded as it arrives and never beyond its limits.
//!
//! `identity`, `gzip` (any number of members, RFC 1952 §2.2) and `zstd` (any number of frames,
//! RFC 8878 §3.1). A body that ends inside a member or frame is an error, not a shorter body, and
//! so is anything after a member that is not another one: half a batch must not pass for a whole.
//!
//! INVARIANT: the decoded bytes held never exceed [`BodyLimits::decoded_bytes`]. Beside them there
//! are one 64 KiB buffer and the decompressor's window (32 KiB gzip, at most 8 MiB zstd).
//!
//! An identity body that arrives in one piece is handed on without a copy.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use self::zstd_frames::ZstdFrames;
use super::limits::BodyLimits;

mod zstd_frames;

const SCRATCH_BYTES: usize = 64 << 10;
/// What a declared length may make us reserve before any byte has come.
const RESERVE_BYTES_MAX: usize = 1 << 20;

/// How a body is encoded on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Reads the value of a `Content-Encoding` header; none means identity.
    ///
    /// # Errors
    /// [`BodyError::UnknownEncoding`] for anything else, a list of several encodings included.
    pub fn from_header(value: Option<&str>) -> Result<Self, BodyError> {
        let value = value.unwrap_or_default().trim_ascii();
        let is = |name: &str| value.eq_ignore_ascii_case(name);
        if value.is_empty() || is("identity") {
            Ok(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Ok(Self::Gzip)
        } else if is("zstd") {
            Ok(Self::Zstd)
        } else {
            Err(BodyError::UnknownEncoding)
        }
    }
}

/// Why a body cannot be decoded. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The header names an encoding we do not read.
    #[error("unknown content encoding: send gzip, zstd or identity, and only one of them")]
    UnknownEncoding,
    /// More decoded bytes than allowed.
    #[error("the body is larger than {limit} bytes decoded: send smaller batches")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Decoded bytes far out of proportion to those received.
    #[error("the body expands more than {ratio} times: refused as a compression bomb; send it less compressed or in smaller batches")]
    Bomb {
        /// The limit, decoded bytes for one received.
        ratio: usize,
    },
    /// A zstd frame asks for a window above the limit.
    #[error("the zstd body needs a window over {limit} bytes: compress it without --long or --ultra")]
    WindowTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The compressed data is damaged, cut short, or followed by something else.
    #[error("the {encoding} body is damaged or cut short: send it again")]
    Damaged {
        /// The encoding that was declared.
        encoding: &'static str,
    },
}

impl BodyError {
    /// The reason's name in answers, records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownEncoding => "unknown_encoding",
            Self::TooLarge { .. } => "body_too_large",
            Self::Bomb { .. } => "compression_bomb",
            Self::WindowTooLarge { .. } => "zstd_window_too_large",
            Self::Damaged { .. } => "body_damaged",
        }
    }

    /// The HTTP status a door answers with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownEncoding => 415,
            Self::TooLarge { .. } | Self::Bomb { .. } => 413,
            Self::WindowTooLarge { .. } | Self::Damaged { .. } => 400,
        }
    }
}

/// Decodes one body piece by piece: [`BodyDecoder::push`] each, then [`BodyDecoder::finish`].
pub struct BodyDecoder {
    limits: BodyLimits,
    state: State,
    /// An error is final: the bytes after it have no meaning.
    failed: Option<BodyError>,
}

enum State {
    Identity { only: Option<Bytes>, sink: Sink },
    Gzip(Box<MultiGzDecoder<Sink>>),
    Zstd(Box<ZstdFrames>),
}

impl std::fmt::Debug for BodyDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyDecoder").field("limits", &self.limits).field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl BodyDecoder {
    /// Starts a body.
    #[must_use]
    pub fn new(encoding: Encoding, limits: BodyLimits) -> Self {
        let sink = Sink::new(limits);
        let (state, failed) = match encoding {
            Encoding::Identity => (State::Identity { only: None, sink }, None),
            Encoding::Gzip => (State::Gzip(Box::new(MultiGzDecoder::new(sink))), None),
            Encoding::Zstd => match ZstdFrames::new(limits) {
                Ok(zstd) => (State::Zstd(Box::new(zstd)), None),
                // Only an allocation can fail here: refuse the body rather than the process.
                Err(_) => (State::Identity { only: None, sink }, Some(ZSTD_DAMAGED)),
            },
        };
        Self { limits, state, failed }
    }

    /// Tells the body's declared length (`Content-Length`), so that one too large is refused before
    /// it is read, and memory is reserved once. The length itself is not relied on.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] if an identity body of that length cannot pass.
    pub fn expect(&mut self, content_length: u64) -> Result<(), BodyError> {
        if let State::Identity { sink, .. } = &mut self.state {
            let expected = usize::try_from(content_length).unwrap_or(usize::MAX);
            if expected > self.limits.decoded_bytes {
                let error = BodyError::TooLarge { limit: self.limits.decoded_bytes };
                self.failed = Some(error);
                return Err(error);
            }
            sink.expected = expected;
        }
        Ok(())
    }

    /// Decodes the next piece.
    ///
    /// # Errors
    /// [`BodyError`]; every later call then returns the same.
    pub fn push(&mut self, piece: Bytes) -> Result<(), BodyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let pushed = match &mut self.state {
            State::Identity { only, sink } => push_identity(only, sink, piece),
            State::Gzip(gzip) => push_gzip(gzip, &piece),
            State::Zstd(zstd) => zstd.push(&piece),
        };
        if let Err(error) = pushed {
            self.failed = Some(error);
        }
        pushed
    }

    /// Decoded bytes held so far: what the body costs in memory, but for the decompressor itself.
    #[must_use]
    pub fn decoded_bytes(&self) -> usize {
        match &self.state {
            State::Identity { only, sink } => only.as_ref().map_or(0, Bytes::len) + sink.decoded.len(),
            State::Gzip(gzip) => gzip.get_ref().decoded.len(),
            State::Zstd(zstd) => zstd.sink.decoded.len(),
        }
    }

    /// Ends the body and returns its decoded bytes.
    ///
    /// # Errors
    /// [`BodyError::Damaged`] if the compressed data is not at its end, or the earlier error.
    pub fn finish(self) -> Result<Bytes, BodyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.state {
            State::Identity { only: Some(only), .. } => Ok(only),
            State::Identity { only: None, sink } => Ok(sink.decoded.into()),
            State::Gzip(gzip) => finish_gzip(*gzip),
            State::Zstd(zstd) if zstd.is_whole() => Ok(zstd.sink.decoded.into()),
            State::Zstd(_) => Err(ZSTD_DAMAGED),
        }
    }
}

fn push_identity(only: &mut Option<Bytes>, sink: &mut Sink, piece: Bytes) -> Result<(), BodyError> {
    // The ratio of an identity body is one: only the cap can refuse it.
    sink.received = sink.received.saturating_add(piece.len());
    if only.is_none() && sink.decoded.is_empty() {
        sink.check(piece.len())?;
        *only = Some(piece);
        return Ok(());
    }
    if let Some(first) = only.take() {
        sink.keep(&first)?;
    }
    sink.keep(&piece)
}

const GZIP_DAMAGED: BodyError = BodyError::Damaged { encoding: "gzip" };
const ZSTD_DAMAGED: BodyError = BodyError::Damaged { encoding: "zstd" };

fn push_gzip(gzip: &mut MultiGzDecoder<Sink>, piece: &[u8]) -> Result<(), BodyError> {
    gzip.get_mut().received = gzip.get_ref().received.saturating_add(piece.len());
    let written = gzip.write_all(piece);
    match gzip.get_ref().failed {
        Some(error) => Err(error),
        None => written.map_err(|_| GZIP_DAMAGED),
    }
}

fn finish_gzip(mut gzip: MultiGzDecoder<Sink>) -> Result<Bytes, BodyError> {
    let ended = gzip.try_finish();
    let sink = gzip.get_mut();
    match (sink.failed, ended) {
        (Some(error), _) => Err(error),
        (None, Ok(())) if sink.received > 0 => Ok(std::mem::take(&mut sink.decoded).into()),
        (None, _) => Err(GZIP_DAMAGED),
    }
}

/// Where decoded bytes go; the only place that grows, so the only place that counts.
struct Sink {
    limits: BodyLimits,
    decoded: Vec<u8>,
    received: usize,
    expected: usize,
    failed: Option<BodyError>,
}

impl Sink {
    fn new(limits: BodyLimits) -> Self {
        Self { limits, decoded: Vec::new(), received: 0, expected: 0, failed: None }
    }

    fn check(&self, more: usize) -> Result<(), BodyError> {
        let total = self.decoded.len().saturating_add(more);
        if total > self.limits.decoded_bytes {
            return Err(BodyError::TooLarge { limit: self.limits.decoded_bytes });
        }
        if total > self.limits.ratio_free_bytes && total > self.received.saturating_mul(self.limits.ratio) {
            return Err(BodyError::Bomb { ratio: self.limits.ratio });
        }
        Ok(())
    }

    fn zstd_error(&self, error: &io::Error) -> BodyError {
        // The bindings give zstd's error as its text only. A test holds this one to it.
        if error.to_string().contains("too much memory") {
            return BodyError::WindowTooLarge { limit: 1 << self.limits.zstd_window_log };
        }
        ZSTD_DAMAGED
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), BodyError> {
        self.check(bytes.len())?;
        let needed = self.decoded.len() + bytes.len();
        if needed > self.decoded.capacity() {
            // Doubling, but never past the cap: a Vec left to itself would reserve up to twice it.
            let hint = self.expected.min(RESERVE_BYTES_MAX);
            let target = (self.decoded.capacity() * 2).max(hint).min(self.limits.decoded_bytes).max(needed);
            self.decoded.reserve_exact(target - self.decoded.len());
        }
        self.decoded.extend_from_slice(bytes);
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.keep(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failed = Some(error);
                Err(io::Error::other(error))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
