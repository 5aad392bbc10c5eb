//! The command line, end to end: the real binary, as a person or a script would use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "search/altered.rs"]
mod altered;
#[path = "cli/backups.rs"]
mod backups;
#[path = "cli/binary.rs"]
mod binary;
#[path = "cli/connections.rs"]
mod connections;
#[path = "cli/evidence.rs"]
mod evidence_pages;
#[path = "cli/exports.rs"]
mod exports;
#[path = "lake/forged.rs"]
mod forged;
#[path = "cli/forwards.rs"]
mod forwards;
#[path = "cli/identities.rs"]
mod identities;
#[path = "cli/imports.rs"]
mod imports;
#[path = "cli/investigations.rs"]
mod investigations;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/killed.rs"]
mod killed;
#[path = "cli/mirrors.rs"]
mod mirrors;
#[path = "lake/mmdb.rs"]
mod mmdb;
#[path = "cli/reading.rs"]
mod reading;
#[path = "cli/remap.rs"]
mod remap;
#[path = "cli/saved.rs"]
mod saved;
#[path = "cli/starting.rs"]
mod starting;
#[path = "cli/synthetic.rs"]
mod synthetic;
#[path = "cli/verifying.rs"]
mod verifying;
