use std::time::Duration;

use indelible::door::poll::credentials::Credentials;
use indelible::door::poll::okta::Okta;
use indelible::door::poll::origin::Origin;
use indelible::door::poll::paged::{Pace, Paged};
use indelible::door::poll::status::Doing;

use crate::model_log::{Crash, ModelLog};
use crate::rig::{Rig, now_ms};
use crate::vendor::{self, Fault, World};

const HOUR: u64 = 3_600_000;

fn rig(log: ModelLog, url: &str, start_ms: u64) -> Rig {
    let origin = Origin::parse(url).unwrap();
    let pace = Pace { interval_ms: 20, late_ms: HOUR, slice_ms: None };
    Rig::start(log, Credentials::Token { scheme: "SSWS" }, start_ms, move |cursor, start| {
        Box::new(Paged::new(Okta, origin.clone(), pace, cursor, start))
    })
}

fn events(count: usize, from: usize, first_ms: u64) -> impl Iterator<Item = (String, u64)> {
    (from..from + count).map(move |n| (format!("e{n}"), first_ms + n as u64))
}

#[tokio::test]
async fn every_event_is_kept_once_in_order_while_new_ones_arrive() {
    let (now, world) = (now_ms(), World::new(7, []));
    world.happen(events(50, 0, now - 2 * HOUR));
    let rig = rig(ModelLog::default(), &vendor::okta(world.clone()).await, now - 3 * HOUR);
    rig.until("the past", |rig| rig.log.ids().len() == 50).await;
    rig.until("caught up", |rig| rig.status().doing == Doing::Waiting).await;
    world.happen(events(20, 50, now - 2 * HOUR));
    // Late: it arrives now, and happened an hour before the others.
    world.happen([("late".to_owned(), now - 2 * HOUR - 60_000)]);
    rig.until("the new", |rig| rig.log.ids().len() == 71).await;
    assert_eq!(rig.log.ids(), world.ids());
    assert_eq!(
        rig.log.raws()[0],
        format!(r#"{{"uuid":"e0", "published":"{}","x":1.50}}"#, indelible::door::poll::moment::rfc3339(now - 2 * HOUR)).into_bytes()
    );
    let status = rig.status();
    assert_eq!((status.events, status.newest_event_at), (71, Some(now - 2 * HOUR + 69)));
    assert!(status.lag_ms(now_ms()).unwrap() >= 2 * HOUR - 69);
    assert!(rig.stop().await < Duration::from_secs(1));
}

#[tokio::test]
async fn whatever_commit_crashes_every_event_is_kept_once_in_order() {
    for commit in 0..9 {
        for crash in [Crash::Lost, Crash::KeptUnheard, Crash::Busy] {
            let (now, world) = (now_ms(), World::new(7, []));
            world.happen(events(50, 0, now - HOUR));
            let rig = rig(ModelLog::crashing([(commit, crash)]), &vendor::okta(world.clone()).await, now - 3 * HOUR);
            rig.until("all", |rig| rig.log.ids().len() == 50).await;
            rig.until("caught up", |rig| rig.status().caught_up_at.is_some()).await;
            assert_eq!(rig.log.ids(), world.ids(), "{crash:?} at commit {commit}");
            let began = rig.log.notes("source.polling_began").len();
            assert!(began == 1, "{crash:?} at commit {commit}: {began} beginnings");
            rig.stop().await;
        }
    }
}

#[tokio::test]
async fn a_bad_day_at_the_vendor_costs_time_and_no_event() {
    let soon = |after_s: u64| (now_ms() / 1_000 + after_s).to_string();
    let faults = [
        (0, Fault::Status(503, vec![])),
        (1, Fault::Cut),
        (3, Fault::Garbage),
        (4, Fault::Status(500, vec![])),
        (
            5,
            Fault::Status(
                429,
                vec![("x-rate-limit-limit", "60".into()), ("x-rate-limit-remaining", "0".into()), ("x-rate-limit-reset", soon(1))],
            ),
        ),
        (7, Fault::Status(429, vec![("retry-after", "1".into())])),
        (8, Fault::Cut),
        (9, Fault::Status(504, vec![])),
    ];
    let (now, world) = (now_ms(), World::new(7, faults));
    world.happen(events(50, 0, now - HOUR));
    let rig = rig(ModelLog::default(), &vendor::okta(world.clone()).await, now - 3 * HOUR);
    rig.until("all", |rig| rig.log.ids().len() == 50).await;
    assert_eq!(rig.log.ids(), world.ids());
    let status = rig.status();
    assert_eq!(status.failures, 6, "what is neither an answer nor a wait");
    assert!(status.last_error.unwrap().contains("504"));
    rig.until("working again", |rig| rig.status().failures_in_a_row == 0).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_rate_limit_is_waited_for_as_long_as_it_says() {
    let world = World::new(7, [(0, Fault::Status(429, vec![("retry-after", "2".into())]))]);
    world.happen(events(1, 0, now_ms() - HOUR));
    let began = std::time::Instant::now();
    let rig = rig(ModelLog::default(), &vendor::okta(world.clone()).await, now_ms() - 3 * HOUR);
    rig.until("slowed", |rig| rig.status().doing == Doing::Slowed).await;
    rig.until("all", |rig| rig.log.ids().len() == 1).await;
    assert!(began.elapsed() >= Duration::from_millis(1_900), "{:?}", began.elapsed());
    assert_eq!(rig.status().failures, 0, "a limit is no failure");
    rig.stop().await;
}

#[tokio::test]
async fn a_lost_cursor_is_recorded_and_loses_and_doubles_nothing() {
    let (now, world) = (now_ms(), World::new(7, [(4, Fault::CursorGone)]));
    world.happen(events(50, 0, now - HOUR / 2));
    let rig = rig(ModelLog::default(), &vendor::okta(world.clone()).await, now - 3 * HOUR);
    rig.until("all", |rig| rig.log.ids().len() == 50).await;
    assert_eq!(rig.log.ids(), world.ids());
    let lost = rig.log.notes("source.cursor_lost");
    assert_eq!((lost.len(), lost[0]["status"].as_str()), (1, "400"));
    rig.stop().await;
}

#[tokio::test]
async fn a_cursor_lost_while_this_side_was_down_loses_and_doubles_nothing() {
    let (now, world) = (now_ms(), World::new(7, []));
    world.happen(events(30, 0, now - HOUR / 2));
    let log = ModelLog::default();
    let first = rig(log.clone(), &vendor::okta(world.clone()).await, now - 3 * HOUR);
    first.until("the first", |rig| rig.log.ids().len() == 30).await;
    first.stop().await;
    // Another server of the same vendor, which does not know the cursor.
    let world = World::new(7, [(0, Fault::CursorGone)]);
    world.happen(events(40, 0, now - HOUR / 2));
    let url = vendor::okta(world.clone()).await;
    let second = rig(log, &url, now - 3 * HOUR);
    second.until("all", |rig| rig.log.ids().len() == 40).await;
    assert_eq!(second.log.ids(), world.ids());
    assert_eq!(second.log.notes("source.cursor_lost").len(), 1);
    second.stop().await;
}

#[tokio::test]
async fn a_link_to_another_place_is_never_followed() {
    let (now, world, evil) = (now_ms(), World::new(7, []), World::new(7, []));
    world.happen(events(3, 0, now - HOUR));
    let elsewhere = vendor::okta(evil.clone()).await;
    world.lead_to(Some(format!("{elsewhere}/api/v1/logs?since=2026-01-01T00:00:00Z&sortOrder=ASCENDING")));
    let rig = rig(ModelLog::default(), &vendor::okta(world.clone()).await, now - 3 * HOUR);
    rig.until("the failure", |rig| rig.status().failures > 2).await;
    assert!(rig.status().last_error.unwrap().contains("outside"), "{:?}", rig.status());
    assert_eq!((evil.requests(), rig.log.ids().len()), (0, 0), "nothing is taken from an answer that leads astray");
    world.lead_to(None);
    rig.until("all", |rig| rig.log.ids().len() == 3).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_token_that_is_refused_is_said_and_tried_again() {
    let world = World::new(7, [(0, Fault::Status(401, vec![])), (1, Fault::Status(403, vec![]))]);
    world.happen(events(1, 0, now_ms() - HOUR));
    let rig = rig(ModelLog::default(), &vendor::okta(world.clone()).await, now_ms() - 3 * HOUR);
    rig.until("all", |rig| rig.log.ids().len() == 1).await;
    let status = rig.status();
    assert_eq!(status.failures, 2);
    assert!(status.last_error.unwrap().contains("403"));
    assert!(!format!("{:?}", rig.status()).contains("token-secret"));
    rig.stop().await;
}
