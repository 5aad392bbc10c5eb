//! Every limit of the HTTP side, each with its reason. What one body may hold: `intake::limits`.

use std::time::Duration;

use crate::intake::limits::BodyLimits;

/// Header fields of a request. Browsers and shippers send about twenty.
pub const HEADERS_MAX: usize = 64;

/// Bytes of a request's head. A token has 64, a source name 63; proxies add a few hundred.
pub const HEADER_BYTES_MAX: usize = 16 << 10;

/// Bytes of a JSON body that configures something.
pub const SETTING_BYTES_MAX: usize = 64 << 10;

/// Entries in one answer.
pub const LIST_ENTRIES_MAX: usize = 1_000;

/// Raw bytes in one list: the answer stays in memory while it is written. The list ends early and
/// says where it goes on.
pub const LIST_BYTES_MAX: usize = 4 << 20;

/// Receipts in one answer: each is about 1.5 KB, so the answer stays near 16 MB.
pub const RECEIPTS_MAX: usize = 10_000;

/// Answers read from disk at once; each holds a blocking thread and at most a few megabytes.
pub const READS_MAX: usize = 16;
/// Searches at the same time; others wait for one of them, and only for them.
pub const SEARCHES_MAX: usize = 4;

/// Exports that are streamed at the same time: each holds a page, and a Parquet file a row group.
pub const EXPORTS_MAX: usize = 4;

/// Tails that look at the log at the same time: they wait for each other, and nobody waits for them.
pub const TAIL_READS_MAX: usize = 2;

/// Time one search may take before it says how far it came: a browser waits that long, and so do the few
/// threads that read.
pub const SEARCH_TIME: Duration = Duration::from_secs(5);

/// Entries one search reads at most before it says how far it came.
pub const SEARCH_ENTRIES_MAX: u64 = 10_000_000;

/// Limits that an installation (or a test) may change.
#[derive(Clone, Debug)]
pub struct ApiLimits {
    /// What one event body may cost.
    pub body: BodyLimits,
    /// Decoded bytes of all bodies in memory at once. Past it requests are answered 429: with the
    /// log's own queue it is most of what a flood can cost in memory.
    pub bodies_bytes: usize,
    /// Events a second for each key. Far above what one sender has, below what would crowd out
    /// everybody else for minutes.
    pub events_per_second: u32,
    /// Events a key may send at once beyond its rate.
    pub events_burst: u32,
    /// Keys whose rate is tracked apart.
    pub keys_tracked: usize,
    /// Connections at once. Past it a new one is closed without an answer.
    pub connections: usize,
    /// Time from the first byte awaited to the end of the head; also how long an idle connection
    /// is kept.
    pub head_timeout: Duration,
    /// Time for the TLS handshake.
    pub handshake_timeout: Duration,
    /// A body must bring `body_window_bytes` in every such window.
    pub body_window: Duration,
    /// See `body_window`. 10 KiB in 10 s are 1 KiB/s, less than a modem.
    pub body_window_bytes: usize,
    /// Longest time an answer may wait for its reader to take the next byte.
    pub stall_timeout: Duration,
    /// How long requests under way may take to finish once a shutdown began.
    pub drain_timeout: Duration,
    /// Who may follow the log at once. Each costs a connection and at most 1 MiB while it is written.
    pub tails: usize,
    /// How often somebody who follows the log hears that it is still there: proxies close a connection
    /// that is silent for a minute or half of one.
    pub tail_heartbeat: Duration,
    /// How often finished minutes of refusals are looked for.
    pub refusals_every: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            body: BodyLimits::REQUEST,
            bodies_bytes: 96 << 20,
            events_per_second: 500_000,
            events_burst: 1_000_000,
            keys_tracked: 10_000,
            connections: 4_096,
            head_timeout: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(10),
            body_window: Duration::from_secs(10),
            body_window_bytes: 10 << 10,
            stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            tails: 64,
            tail_heartbeat: Duration::from_secs(15),
            refusals_every: Duration::from_secs(5),
        }
    }
}
