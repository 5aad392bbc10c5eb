//! What the benchmark programs share: events to send, a load generator that costs the server
//! little, the physical limits of the machine, and a peer.
//!
//! Every program prints the limit it measured in the same run, so that a figure is a ratio to the
//! machine and not a boast about it. Nothing here is linked into the product.
//!
//! Absent on purpose: a statistics library, an HTTP client, an async runtime. The generator shares
//! the cores with the server it measures, so what it does per request is counted in system calls.

pub mod asker;
pub mod batch;
pub mod cloudtrail;
pub mod disk_limit;
pub mod disk_use;
pub mod failure;
pub mod filling;
pub mod hash_limit;
pub mod intake;
pub mod latency;
pub mod load;
pub mod peer;
pub mod process;
pub mod proofs;
pub mod questions;
pub mod report;
pub mod response;
pub mod seeded;
pub mod server;
