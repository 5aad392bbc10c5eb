//! What an entry of an Indelible log is, and how one is proved to be in it.
//!
//! Read in this order: [`leaf`] (48 bytes, kept for ever), [`mod@cut`] and [`commitment`] (how a payload
//! of parts stands behind them), [`envelope`] (the first two parts), [`act`] and [`fold`] (entries
//! that change what holds for the trail), [`receipt`], [`event_file`] and [`export`] (an entry,
//! or many, on the way to somebody who trusts nobody), [`case`], [`evidence_file`] and [`page`] (some of
//! them, with what was asked, in a page that checks itself), [`rotation`] (when the log's key changed in between), [`verdict`]
//! (what is wrong, and where), [`unseen`] (what of a text is not shown as it is).
//!
//! Pure: no input or output, no clock, no randomness, no async. Readers are total: whatever the
//! bytes, they return an error rather than panic, and what they allocate is in proportion to the
//! input. Deliberately absent: signing (the server's), tiles and trees (`tlog`).

mod block_hash;
mod payload;

pub mod act;
pub mod canonical_json;
pub mod case;
pub mod commitment;
pub mod cut;
pub mod envelope;
pub mod event_file;
pub mod evidence_file;
pub mod export;
pub mod fold;
pub mod leaf;
pub mod page;
pub mod receipt;
pub mod rotation;
pub mod unseen;
pub mod verdict;

pub use act::{Act, ActError, ActHead, parse_part2};
pub use canonical_json::is_canonical;
pub use case::Case;
pub use commitment::{Salt, commit, commit_parts};
pub use cut::cut;
pub use envelope::{Facts, People};
pub use event_file::{EventFile, Part, VerifiedEvent};
pub use evidence_file::{EvidenceFile, VerifiedEvidence};
pub use fold::{FoldError, TrailState};
pub use leaf::{Kind, Leaf};
pub use receipt::{Receipt, SenderData, VerifiedReceipt, open_receipt};
pub use rotation::{KeyChain, rotation_text};
pub use verdict::{Place, Wrong};
