//! Watched directories: each line is kept exactly once, over rotation and restarts.
//!
//! ```text
//! folder.rs ── what is there ──► watch.rs ── which file is which ──► reader.rs ── lines, whole values
//!                                   ▲                                    │
//!                       the cursor in the log ◄── follow.rs ── one chunk ┘
//! ```
//!
//! Absent on purpose: notifications by the kernel. Looking twice a second finds what they would miss
//! (rotations while nobody looked, network file systems) and is needed anyway; and positions kept in a
//! file beside the log, which could disagree with it.

mod content;
pub mod folder;
pub mod follow;
mod reader;
mod rotated;
pub mod watch;
mod whole;
