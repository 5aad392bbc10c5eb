//! OCSF 1.8.0: the classes that identity events become, and a validator for them.
//!
//! `schema-1.8.0.json` is the part of the Open Cybersecurity Schema Framework (Apache-2.0, see
//! NOTICE) that these classes reach, in a short form; a test holds it against the framework's own.

pub mod check;
pub mod schema;

pub use check::{Fault, check};
pub use schema::{Attribute, Class, SCHEMA, Schema};

/// The version that is written to `metadata.version`.
pub const OCSF_VERSION: &str = "1.8.0";
