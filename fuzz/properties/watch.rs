//! What holds for any bytes given to the readers of `watch`: records in the log may be anybody's.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

use indelible::watch::{Gathering, Noted};

/// A record is a statement about a source or it is passed over; a statement is written and read back.
pub fn record(bytes: &[u8]) {
    if let Some((source, Noted::Fact(fact))) = Noted::read(bytes) {
        let again = fact.record(&source);
        assert_eq!(Noted::read(&again), Some((source, Noted::Fact(fact))));
    }
}

/// What was learned is taken up or passed over; what is taken up is written and taken up again.
pub fn learned(bytes: &[u8]) {
    let Some(mut states) = Gathering::default().take(bytes) else { return };
    let mut again = Gathering::default();
    let read = states.snapshot().iter().rev().find_map(|record| again.take(record));
    assert_eq!(read.as_ref().map(indelible::watch::States::position), Some(states.position()));
    let trail = trail();
    let _ = states.due(u64::MAX, 0, &trail);
}

fn trail() -> evidence::TrailState {
    const KEY: &str = "example.com/log+9be5d3c6+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";
    let act = evidence::act::TrailAct {
        vkey: KEY.parse().unwrap_or_else(|_| unreachable!()),
        segment_leaves: 256,
        classes: [(1, "default".to_owned())].into(),
    };
    let head = evidence::ActHead { origin: "example.com/log".into(), prev: None };
    evidence::TrailState::begin(&head, &evidence::Act::Trail(act)).unwrap_or_else(|_| unreachable!())
}
