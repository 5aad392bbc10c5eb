//! Indelible: an audit log for identity events that cannot be altered or deleted without being caught.
//!
//! Modules stand in the order of an event's way; a later one may import an earlier one, never the
//! reverse (a test checks it): `access` → `intake` → `log` → `store` → `verify` → `watch` → `search` →
//! `investigate` → `export` → `door` → `forward` → `api` → `cli`.

pub mod access;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod door;
pub mod export;
pub mod forward;
pub mod intake;
pub mod investigate;
pub mod log;
pub mod ocsf;
pub mod search;
pub mod source;
pub mod store;
pub mod synth;
pub mod verify;
pub mod watch;
