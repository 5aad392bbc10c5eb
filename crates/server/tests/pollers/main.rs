//! Pollers against vendors that behave as their documentation says, on a bad day: every event is
//! kept exactly once, in the source's order, whatever fails and whenever this side is restarted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

mod bucket;
mod cloudtrail;
mod entra;
mod github;
mod killed;
mod model_log;
mod okta;
mod rig;
mod seaweed;
mod service;
mod vendor;
