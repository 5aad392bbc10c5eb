#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

const DAY: i64 = USUAL_AGE_MS;

fn found(times: &[i64]) -> Found {
    let mut found = Found::default();
    times.iter().zip(0..).for_each(|(time_ms, index)| found.add(Moment { time_ms: *time_ms, index }));
    found
}

fn event(time_ms: i64) -> Moment {
    Moment { time_ms, index: 1_000 }
}

#[test]
fn usual_is_what_was_done_often_enough_for_long_enough() {
    let now = event(10 * DAY);
    assert_eq!(judged(now, &found(&[]), true), Verdict::NeverBefore);
    assert_eq!(judged(now, &found(&[]), false), Verdict::Unknown);
    assert_eq!(judged(now, &found(&[DAY]), true), Verdict::Seldom);
    assert_eq!(judged(now, &found(&[DAY, 2 * DAY, 3 * DAY]), true), Verdict::Routine);
    // A hundred times in one night are new in the morning.
    assert_eq!(judged(now, &found(&[10 * DAY - 5; 100]), true), Verdict::New);
    assert_eq!(judged(now, &found(&[9 * DAY, 10 * DAY - 2, 10 * DAY - 1]), true), Verdict::Routine);
}

fn history(verdicts: &[(What, Verdict)]) -> History {
    let habit = |(what, verdict): &(What, Verdict)| Habit {
        what: *what,
        value: String::new(),
        count: 0,
        exact: true,
        among: None,
        first: None,
        last: None,
        verdict: *verdict,
        line: None,
    };
    History {
        of: String::new(),
        identities: 1,
        events: 9,
        exact: true,
        first: None,
        last: None,
        habits: verdicts.iter().map(habit).collect(),
    }
}

#[test]
fn action_and_place_decide_and_device_and_hour_only_keep_it_from_being_routine() {
    use Verdict::{NeverBefore, New, Routine, Seldom, Unknown};
    use What::{Action, ActionOnIt, Country, Device, Hour, Network};
    let is = |verdicts: &[(What, Verdict)], expected| assert_eq!(overall(&history(verdicts)), expected, "{verdicts:?}");
    is(&[(Action, Routine), (Network, Routine), (Device, Routine), (Hour, Routine)], Routine);
    is(&[(Action, NeverBefore), (Network, Routine)], NeverBefore);
    is(&[(Action, Routine), (Network, NeverBefore)], NeverBefore);
    is(&[(Action, Routine), (Network, NeverBefore), (Country, NeverBefore)], NeverBefore);
    is(&[(Action, Routine), (Network, NeverBefore), (Country, Routine)], Seldom);
    is(&[(Action, Routine), (Network, New)], New);
    is(&[(Action, Routine), (Network, Routine), (Device, NeverBefore)], Seldom);
    is(&[(Action, Routine), (Network, Routine), (Hour, NeverBefore)], Seldom);
    is(&[(Action, Routine), (Network, Routine), (ActionOnIt, NeverBefore)], Routine);
    is(&[(Action, Routine)], Routine);
    is(&[], Unknown);
    assert_eq!(overall(&History { events: 0, ..history(&[]) }), NeverBefore);
    assert_eq!(overall(&History { events: 0, exact: false, ..history(&[]) }), Unknown);
}

#[test]
fn an_address_stands_for_its_net() {
    assert_eq!(network("203.0.113.66").as_deref(), Some("203.0.113.0/24"));
    assert_eq!(network("::ffff:203.0.113.66").as_deref(), Some("203.0.113.0/24"));
    assert_eq!(network("2001:db8:1:2::3").as_deref(), Some("2001:db8:1::/48"));
    assert_eq!(network("localhost"), None);
    for net in ["203.0.113.0/24", "2001:db8:1::/48", "0:0:0::/48"] {
        assert!(net.parse::<crate::intake::Network>().is_ok(), "{net}");
    }
}

#[test]
fn hours_are_those_of_utc() {
    assert_eq!(hour(1_773_122_400_000), 6);
    assert_eq!(hour(-1), 23);
    assert_eq!(hour(i64::MAX), 0);
}
