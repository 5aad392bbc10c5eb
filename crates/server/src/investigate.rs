//! What a responder asks about one identity: what it did in all sources, how it came by a privilege, and
//! whether an event is usual for it.
//!
//! ```text
//! identity ─ timeline ─► what it did and what was done to it      ┐
//! privilege ─ how ─────► who gave it, who had given it to them …  ├─ Inquiry: bounded searches of one tree
//! event ──── routine ──► the same action, place, device, hour     ┘
//! ```
//! "Before" and "newest" are by the time it happened, as the source says: sources arrive one behind the other,
//! so the order of the log is not that of what happened. Every line names its index.
//!
//! INVARIANT: nothing is kept between questions. An answer is a function of the log up to the size it names, of
//! the maps, and of the identity directory; and it says what could not be read and what it had no time for.

mod condition;
mod deed;
mod device;
pub mod how;
mod inquiry;
mod line;
pub mod moment;
pub mod routine;
pub mod session;
pub mod timeline;

pub use deed::{Deed, TABLE};
pub use inquiry::{Bounds, Covered, Inquiry};
pub use line::Line;
