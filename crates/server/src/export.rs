//! Export: what a search line describes, as files for other tools, with what proves it. docs/EXPORT.md is
//! the manual; `evidence::export` says what is proved, and proves it.
//!
//! ```text
//! search ─ page ─► Line, Line, … ─► Encoder (NDJSON, CSV, Parquet) ─► bytes
//!            └───► Manifest: what the page covers, the checkpoint, where the next begins
//! ```
//! An export goes up the log from the first entry to the size that its first page saw, whatever comes
//! meanwhile. A page is all there ever is in memory.

pub mod encode;
pub mod line;
pub mod manifest;
pub mod page;
mod spreadsheet;
mod table;

pub use encode::{Encoder, Encoding};
pub use line::Line;
pub use manifest::Manifest;
pub use page::{ExportError, From, Page, page};
pub use spreadsheet::safe_cell;
