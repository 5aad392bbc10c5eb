#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::log::batch::{BatchBuilder, NewEntry};
use crate::log::intent::Intent;
use crate::store::media::SimMedia;
use crate::store::trail::TrailOptions;
use crate::store::wal::WalLimits;
use crate::watch::report::{Asked, RestsOn, report};
use crate::watch::sequence::GRACE_MS;
use crate::watch::{Expected, Noted, Observation, Observe, Said};

const MINUTE: u64 = 60_000;
const START: u64 = 1_700_000_000_000;

/// What happens, one after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// An event with this number comes.
    Event(u64),
    /// Time passes, ms.
    Pass(u64),
}
use Step::{Event, Pass};

/// A gap that is filled late, a silence that ends, a counter that begins anew, one that lasts.
const LIFE: &[Step] = &[
    Event(1),
    Event(2),
    Event(5),
    Pass(1_000),
    Event(4),
    Pass(GRACE_MS),
    Pass(GRACE_MS),
    Event(6),
    Event(3),
    Pass(GRACE_MS),
    Event(7),
    Event(9),
    Pass(GRACE_MS),
    Pass(20 * MINUTE),
    Pass(20 * MINUTE),
    Event(10),
    Pass(1_000),
    Event(1),
    Event(2),
    Event(3),
    Pass(1_000),
    Event(4),
    Pass(40 * MINUTE),
    Pass(40 * MINUTE),
];

struct World {
    media: SimMedia,
    now: Arc<AtomicU64>,
    trail: Arc<Trail>,
    follower: Follower,
}

fn observe(raw: &[u8], kind: &str) -> Observation {
    assert_eq!(kind, "okta");
    let json: serde_json::Value = serde_json::from_slice(raw).unwrap();
    Observation { sequence: json["n"].as_u64(), time_ms: json["t"].as_u64(), ..Observation::default() }
}

fn open(media: &SimMedia, now: &Arc<AtomicU64>) -> (Arc<Trail>, Follower) {
    let clock = {
        let now = Arc::clone(now);
        Clock::from_fn(move || now.load(Ordering::Relaxed))
    };
    let options = TrailOptions {
        segment_leaves: 256,
        wal: WalLimits { file_bytes: 64 << 10, spare_files: 1 },
        clock: clock.clone(),
        threads: false,
        ..TrailOptions::main("/sim")
    };
    let trail = Trail::open(Arc::new(media.clone()), &options).unwrap();
    let mut follower = Follower::new(Arc::clone(&trail), clock, Observe::new(observe), Arc::default());
    follower.begin().unwrap();
    (trail, follower)
}

impl World {
    fn new() -> Self {
        let (media, now) = (SimMedia::new(1), Arc::new(AtomicU64::new(START)));
        let (trail, follower) = open(&media, &now);
        let source = Intent::DescribeSource { name: "okta-prod".into(), kind: "okta".into(), heartbeat_s: Some(600) };
        trail.log().act_blocking(source, b"{}".to_vec()).unwrap();
        Self { media, now, trail, follower }
    }

    fn restart(&mut self) {
        self.trail.close();
        (self.trail, self.follower) = open(&self.media, &self.now);
    }

    fn follow(&mut self) {
        while self.follower.step().unwrap() {}
    }

    fn step(&mut self, step: Step) {
        match step {
            Pass(ms) => drop(self.now.fetch_add(ms, Ordering::Relaxed)),
            Event(number) => {
                let now = self.now.fetch_add(10, Ordering::Relaxed);
                let body = format!(r#"{{"n":{number},"t":{now}}}"#);
                let facts = evidence::Facts::new("okta-prod", "test").to_bytes();
                let mut batch = BatchBuilder::with_capacity(1, body.len());
                let (people, raw) = (b"{}".as_slice(), body.as_bytes());
                let entry = NewEntry { kind: Kind::Event, source: 1, class: 1, facts: facts.into(), people: people.into(), raw, id: None };
                batch.push(&entry).unwrap();
                self.trail.log().append_blocking(batch.finish()).unwrap();
            }
        }
    }

    /// What was stated, without indexes: those depend on what else was recorded in between.
    fn stated(&self) -> Vec<String> {
        let entries = self.trail.reader().entries(0, usize::MAX).unwrap();
        let facts = entries.iter().filter_map(|entry| Noted::read(&entry.raw)).filter_map(|(_, noted)| match noted {
            Noted::Fact(fact) => Some(fact),
            Noted::Refused { .. } => None,
        });
        let said = facts.map(|fact| match fact {
            Fact::Numbering { said: Said::Gap { first, last, .. }, .. } => format!("gap {first}-{last}"),
            Fact::Numbering { said: Said::Filled { first, last }, .. } => format!("filled {first}-{last}"),
            Fact::Numbering { said: Said::Restarted { was, now, .. }, .. } => format!("restarted {was} {now}"),
            Fact::Silent { since_ms, .. } => format!("silent {}", since_ms - START),
            Fact::Resumed { since_ms, until_ms, .. } => format!("resumed {} {}", since_ms - START, until_ms - START),
        });
        said.collect()
    }
}

fn live(steps: &[Step], mut between: impl FnMut(usize, &mut World)) -> World {
    let mut world = World::new();
    world.follow();
    for (at, step) in steps.iter().enumerate() {
        world.step(*step);
        between(at, &mut world);
        world.follow();
    }
    world
}

#[test]
fn everything_is_stated_once() {
    let stated = live(LIFE, |_, _| {}).stated();
    let words: Vec<_> = stated
        .iter()
        .map(|said| if said.starts_with("silent") || said.starts_with("resumed") { said.split(' ').next().unwrap() } else { said })
        .collect();
    assert_eq!(words, ["gap 3-3", "filled 3-3", "gap 8-8", "silent", "resumed", "restarted 10 1", "silent"], "{stated:?}");
}

#[test]
fn a_restart_at_any_step_states_nothing_twice_and_forgets_nothing() {
    let whole = live(LIFE, |_, _| {}).stated();
    for restart_at in 0..LIFE.len() {
        let stated = live(LIFE, |at, world| {
            if at == restart_at {
                world.restart();
            }
        });
        assert_eq!(stated.stated(), whole, "restarted at step {restart_at}");
    }
}

#[test]
fn what_was_due_and_not_recorded_before_a_crash_is_stated_after_it() {
    let whole = live(LIFE, |_, _| {}).stated();
    for crash_at in 0..LIFE.len() {
        let stated = live(LIFE, |at, world| {
            if at == crash_at {
                // Everything is looked at and found, and the process ends before it is recorded.
                let entries = world.trail.reader().entries(world.follower.locked().position(), 1_000).unwrap();
                world.follower.look_at(&entries);
                let now = world.now.load(Ordering::Relaxed);
                let _lost = world.follower.locked().due(now, START, &world.trail.view().state);
                world.restart();
            }
        });
        assert_eq!(stated.stated(), whole, "crashed at step {crash_at}");
    }
}

#[test]
fn what_was_learned_is_kept_and_taken_up_again() {
    let whole = live(LIFE, |_, _| {}).stated();
    for keep_at in 0..LIFE.len() {
        let world = live(LIFE, |at, world| {
            if at == keep_at {
                world.follow();
                world.follower.keep(1);
                let (kept, learned) = (world.follower.kept, world.follower.locked().get(1).cloned());
                world.restart();
                assert_eq!(world.follower.kept, kept, "the newest one was found");
                let taken_up = world.follower.locked().get(1).cloned();
                assert_eq!(taken_up.map(|state| state.rate), learned.map(|state| state.rate));
            }
        });
        assert_eq!(world.stated(), whole, "kept at step {keep_at}");
    }
}

#[test]
fn the_report_names_what_is_missing_when_and_what_it_rests_on() {
    let world = live(LIFE, |_, _| {});
    let rests_on = RestsOn { numbered: true, expected: Some(Expected::Heartbeat) };
    let ask = |from_ms: u64, to_ms: u64| {
        let asked = Asked { source: "okta-prod", from_ms, to_ms, silent_since_ms: None, rests_on, watched_to: 9 };
        report(world.trail.reader(), &asked).unwrap()
    };
    let all = ask(START, START + 10_000 * MINUTE);
    assert_eq!(all.missing.iter().map(|missing| (missing.first, missing.last)).collect::<Vec<_>>(), [(8, 8)], "3 came late");
    assert_eq!((all.complete, all.silences.len(), all.restarts.len()), (Some(false), 2, 1));
    assert_eq!(all.silences[1].to_ms, None, "the last one lasts");
    let early = ask(START, START + 1_000);
    assert_eq!((early.complete, early.missing.len(), early.silences.len()), (Some(true), 0, 0));
    let other = Asked {
        source: "entra",
        from_ms: 0,
        to_ms: u64::MAX,
        silent_since_ms: None,
        rests_on: RestsOn { numbered: false, expected: None },
        watched_to: 9,
    };
    assert_eq!(report(world.trail.reader(), &other).unwrap().complete, None, "nothing is known of it");
}

#[test]
fn a_number_that_the_door_was_told_counts_before_the_one_in_the_record() {
    let mut states = States::default();
    let world = World::new();
    let trail = world.trail.view();
    let facts = |seq: u64| evidence::Facts { seq: Some(seq), ..evidence::Facts::new("okta-prod", "syslog") }.to_bytes();
    for (index, seq) in [(0, 7), (1, 9)] {
        let facts = facts(seq);
        let entry = Entry { index, kind: Kind::Event, source: 1, received_ms: START, facts: &facts, raw: br#"{"n":100}"# };
        states.take(&entry, &trail.state, &Observe::new(observe), true, false);
    }
    let due = states.due(START + GRACE_MS, START, &trail.state);
    assert_eq!(due, [(1, Fact::Numbering { producer: 0, said: Said::Gap { first: 8, last: 8, after: 0, before: 1 } })]);
}

#[test]
fn a_sample_is_one_in_sixteen_of_any_source() {
    for (every, offset) in [(1, 0), (2, 1), (3, 0), (16, 5), (100, 99)] {
        let chosen = (0..16_000_u64).filter(|nth| super::is_in_sample(nth * every + offset)).count();
        assert!((800..1_200).contains(&chosen), "{chosen} of 16,000 when each source sends one in {every}");
    }
}

#[test]
fn an_event_out_of_the_sample_is_counted_and_read_only_if_its_kind_numbers_its_records() {
    let world = World::new();
    let trail = world.trail.view();
    let facts = evidence::Facts::new("okta-prod", "syslog").to_bytes();
    let entry = |index: u64| Entry { index, kind: Kind::Event, source: 1, received_ms: START, facts: &facts, raw: br#"{"n":7,"t":1}"# };
    let unnumbered = Observe::by(Arc::new(crate::source::Catalog::built_in()));
    assert!(!unnumbered.numbers("okta") && unnumbered.numbers("linux_auth"));
    let mut states = States::default();
    states.take(&entry(0), &trail.state, &unnumbered, false, false);
    let counted = states.get(1).unwrap();
    assert_eq!((states.position(), counted.timing.lag()), (1, None));
    // `observe` stands for a kind that numbers its records.
    states.take(&entry(1), &trail.state, &Observe::new(observe), false, false);
    assert!(states.get(1).unwrap().timing.lag().is_some());
}
