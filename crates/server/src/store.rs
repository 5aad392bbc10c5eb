//! The store: one trail on a medium. Chunks in the write-ahead log; then payload files, leaves and
//! tiles, which stay; recovery from whatever a crash left.

pub mod ids_file;
pub mod keeper;
pub mod keys;
pub mod layout;
pub mod leaves_file;
pub mod leftover;
pub mod local;
pub mod media;
pub mod media_reader;
pub mod nodes;
pub mod payload_file;
pub mod proofs;
pub mod read;
pub mod recover;
pub mod seal;
pub mod trail;
pub mod wal;
