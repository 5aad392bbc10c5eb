//! The lake: engines read what we wrote, it says what the maps say, and whatever happens to it, it is made again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that panics has failed"
)]

mod engines;
mod forged;
mod log;
mod made_again;
mod mmdb;
mod other_engines;
#[path = "../clients/python.rs"]
mod python;
mod recheck;
mod recipes;
