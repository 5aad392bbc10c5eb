//! Every limit of a door, each with its reason. THREATS: oversized, deeply nested, bombs.

/// Nesting an event may have: `{` and `[` open at once. Real identity events stay below 20; a
/// reader that recurses still has stack left at 64.
pub const DEPTH_MAX: usize = 64;

/// Bytes of one event that are kept. A longer one is kept up to here, with its full length and
/// SHA-256: over-long fields must not become a way to keep an event out of the log.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// Events in one request. Their results and receipts stay in memory until the answer leaves.
pub const EVENTS_MAX: usize = 100_000;

/// Bytes of an event's own id. Longer than every id in use (most are UUIDs, the longest are some
/// 200 bytes of Google's `insertId` and Microsoft's correlation paths), short enough to index.
pub const RECORD_ID_BYTES_MAX: usize = 512;

/// Characters of an `Idempotency-Key`. Room for a UUID and a path, not for a payload.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

/// Characters of a source's name: one DNS label, so that it fits paths, labels and metrics.
pub const SOURCE_NAME_CHARS_MAX: usize = 63;

/// Pairs of source and reason counted apart at once. Past it, refusals share one count, so that
/// a flood of made-up source names costs neither memory nor records.
pub const REFUSAL_PAIRS_MAX: usize = 1_024;

/// What one body may cost while it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Decoded bytes. Bounds the memory of one request.
    pub decoded_bytes: usize,
    /// Decoded bytes for each received byte, once `ratio_free_bytes` are decoded. Real logs
    /// compress 10 to 100 times, and deflate cannot pass 1,032; what does is a bomb.
    pub ratio: usize,
    /// Decoded bytes up to which the ratio is not looked at: small bodies of repeated lines
    /// compress without bound and cost nothing.
    pub ratio_free_bytes: usize,
    /// Base-2 logarithm of the largest zstd window. RFC 9659 §3 allows a sender of
    /// `Content-Encoding: zstd` 8 MiB, which is 23; a window is memory beyond the cap.
    pub zstd_window_log: u32,
}

impl BodyLimits {
    /// For requests: 32 MiB decoded (100,000 events of 300 bytes), 1000:1 after the first MiB.
    pub const REQUEST: Self = Self { decoded_bytes: 32 << 20, ratio: 1_000, ratio_free_bytes: 1 << 20, zstd_window_log: 23 };
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self::REQUEST
    }
}
