//! The write-ahead log, broken in every way the simulated medium knows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

mod crash;
mod damage;
mod disk;
mod model;
mod refused;
