//! Sources: what a record of each kind means, in OCSF. Data, not code: `sources/<kind>/map.toml`.
//!
//! ```text
//! map.toml ─ spec ─► compile ─► Kind ┐
//! raw ─ kind::Decoder ─► tape ───────┴► map ─► OCSF event, time, id, action, identities
//! ```
//! Pure and total: the same bytes give the same event, and every record gives one. What a map does
//! not read stands in `unmapped`; nothing is an error once a map is loaded. docs/SOURCES.md has the
//! language.

pub mod catalog;
pub mod compile;
pub mod condition;
pub mod directory;
pub mod draft;
pub mod emit;
mod envelope;
pub mod evaluate;
pub mod explain;
pub mod expression;
pub mod function;
pub mod geo;
pub mod glob;
pub mod golden;
pub mod identity;
pub mod inner;
pub mod kind;
pub mod lazy_regex;
pub mod map;
pub mod mark;
pub mod names;
pub mod notice;
pub mod places;
pub mod reader;
pub mod regex_start;
pub mod shape;
pub mod spec;
pub mod tables;
pub mod time;
pub mod tree_rules;
pub mod value;
pub mod write;

pub use catalog::{Catalog, CatalogError, Recognised};
pub use compile::{MapError, compile};
pub use kind::Kind;
pub use map::{Mapped, Scratch};
