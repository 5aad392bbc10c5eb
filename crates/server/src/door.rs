//! Doors.

pub mod poll;
