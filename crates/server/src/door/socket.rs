//! Sockets: syslog over UDP, TCP, TLS and UNIX sockets, and lines over TCP and UNIX sockets.
//!
//! ```text
//! connection ── stream.rs ── intake::frames ──► batches ──┐
//! datagram ──── datagram.rs ── bounded queue ──► batches ─┴─ inlet.rs ──► Admission, until it is kept
//! ```
//!
//! A stream's sender waits while the log is busy. A datagram's cannot, so what finds no room is
//! counted. Both kinds say in records (`door.lost`) what they could not keep.
//!
//! Absent on purpose: RELP, and acknowledgements of our own on plain syslog, which has none.

pub mod datagram;
pub mod inlet;
pub mod kernel_drops;
pub mod limits;
pub mod listener;
pub mod memory;
pub mod stream;
