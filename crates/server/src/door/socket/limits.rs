//! Every limit of the socket doors, each with its reason. What one event may be: `intake::limits`.

use std::time::Duration;

/// Bytes read from a connection at once.
pub const READ_BYTES: usize = 16 << 10;

/// Bytes of datagrams that wait for the log.
pub const DATAGRAM_BYTES_QUEUED_MAX: usize = 32 << 20;
/// Bytes of a datagram: UDP has at most 65,507, and UNIX sockets' default is 208 KiB.
pub const DATAGRAM_BYTES_MAX: usize = 256 << 10;
/// What is asked of the kernel for datagrams not yet read; it gives what `net.core.rmem_max` allows.
pub const KERNEL_BUFFER_BYTES: usize = 16 << 20;
/// How often the kernel is asked what it dropped.
pub const DROPS_EVERY: Duration = Duration::from_secs(1);

/// Limits that an installation (or a test) may change.
#[derive(Clone, Debug)]
pub struct SocketLimits {
    /// Connections of a door at once. Past it a new one is closed, and counted.
    pub connections: usize,
    /// Datagrams of a door that wait for the log. With their bytes it is half a second of the fastest
    /// sender; what comes on top is lost, and counted.
    pub datagrams: usize,
    /// How long a connection may say nothing. Long: syslog senders are silent for hours, and one
    /// that finds its connection closed loses its next message. Dead peers are found by keepalive.
    pub idle: Duration,
    /// How long one message may take from its first byte to its last.
    pub message: Duration,
    /// How long a batch waits for more once it has begun. Longer than the network's jitter, shorter
    /// than anybody notices.
    pub gather: Duration,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// How long what is in memory may take to be kept once a shutdown began.
    pub drain: Duration,
    /// Bytes of unfinished messages and unkept batches of all connections of a door.
    pub memory_bytes: usize,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            datagrams: 65_536,
            idle: Duration::from_secs(24 * 3_600),
            message: Duration::from_secs(60),
            gather: Duration::from_millis(5),
            handshake: Duration::from_secs(10),
            drain: Duration::from_secs(20),
            memory_bytes: 64 << 20,
        }
    }
}
