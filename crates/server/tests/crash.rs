//! Every operation of a trail's life fails once in every way; no promise is broken.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "scenario/life.rs"]
mod life;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use life::{FAULTS, live_with, operations, roll_back};

#[test]
fn no_promise_is_broken_whatever_operation_fails_and_however() {
    let operations = operations();
    assert!(operations > 200, "the life is long enough to mean something: {operations}");
    let next = AtomicU64::new(0);
    let broken = Mutex::new(Vec::new());
    let total = operations * FAULTS.len() as u64;
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= total {
                        return;
                    }
                    let (op, fault) = (n / FAULTS.len() as u64, FAULTS[(n % FAULTS.len() as u64) as usize]);
                    if catch_unwind(AssertUnwindSafe(|| live_with(op, fault))).is_err() {
                        broken.lock().unwrap().push(format!("operation {op}, {fault:?}"));
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} of {total} lives broke a promise: {:#?}", broken.len(), &broken[..broken.len().min(20)]);
}

#[test]
fn a_directory_behind_a_checkpoint_it_knows_or_is_told_of_is_refused() {
    roll_back();
}
