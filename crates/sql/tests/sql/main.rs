//! `indelible-sql` as a person or a script uses it: the real binary, on the lake of a small trail that the real code
//! wrote, in its directory and from a server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    missing_docs,
    reason = "a test that panics has failed; the log is shared with tests of the lake"
)]

mod answers;
mod limits;
#[path = "../../../server/tests/lake/log.rs"]
mod log;
mod manual;
mod place;
mod places;
#[path = "../../../server/tests/cli/ran.rs"]
mod ran;
mod refusals;
