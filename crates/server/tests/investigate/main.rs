//! What is told of an identity: the incident of a synthetic trail in its right order, of random events what looking
//! at each would tell, and how grants of several sources hang together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that panics has failed"
)]

mod answers;
mod grants;
mod incident;
mod log;
mod outcomes;
