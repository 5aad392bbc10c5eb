//! The suite catches every wrong behaviour that is planted: a test that cannot fail proves nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "scenario/life.rs"]
mod life;

use std::panic::{AssertUnwindSafe, catch_unwind};

use indelible::log::planted::{Bug, plant};
use life::{FAULTS, live_with, operations, roll_back};

/// The first part of the suite that fails, in words.
fn first_failure(operations: u64) -> Option<String> {
    if catch_unwind(AssertUnwindSafe(roll_back)).is_err() {
        return Some("an older copy of the directory is refused".to_owned());
    }
    for op in 0..operations {
        for fault in FAULTS {
            if catch_unwind(AssertUnwindSafe(|| live_with(op, *fault))).is_err() {
                return Some(format!("operation {op}, {fault:?}"));
            }
        }
    }
    None
}

#[test]
fn every_planted_bug_is_caught() {
    let operations = operations();
    roll_back();
    std::panic::set_hook(Box::new(|_| {}));
    let missed: Vec<_> = Bug::ALL
        .into_iter()
        .filter(|bug| {
            plant(Some(*bug));
            let caught = first_failure(operations);
            plant(None);
            println!("{bug:?}: {}", caught.as_deref().unwrap_or("NOT CAUGHT"));
            caught.is_none()
        })
        .collect();
    let _ = std::panic::take_hook();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
