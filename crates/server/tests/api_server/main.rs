//! The HTTP API as its users meet it: a real server on a real socket, and a client that knows
//! nothing but HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that panics has failed"
)]

mod access;
mod altered;
mod client;
mod client_certificates;
mod completeness;
mod connections;
mod directory;
mod elastic;
mod evidence;
mod export;
mod forwards;
mod hec;
mod hooks;
mod ingest;
mod investigate;
mod keys;
mod kubernetes;
mod lake;
mod lifecycle;
mod limits;
mod operate;
mod otlp;
mod reads;
mod saved;
mod search;
mod secure;
mod server;
mod ssf;
mod tail;
mod tree;
mod wrappers;
