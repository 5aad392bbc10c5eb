use indelible::door::poll::credentials::Credentials;
use indelible::door::poll::github::Github;
use indelible::door::poll::origin::Origin;
use indelible::door::poll::paged::{Pace, Paged};

use crate::model_log::{Crash, ModelLog};
use crate::rig::{Rig, now_ms};
use crate::vendor::{self, Fault, World};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;

fn rig(log: ModelLog, url: &str, start_ms: u64) -> Rig {
    let origin = Origin::parse(url).unwrap();
    let pace = Pace { interval_ms: 20, late_ms: 10 * MINUTE, slice_ms: Some(DAY) };
    let headers = Github::HEADERS.map(|(name, value)| (name, value.to_owned())).to_vec();
    Rig::start(log, Credentials::Token { scheme: "Bearer" }, start_ms, move |cursor, start| {
        Box::new(Paged::new(Github::new("acme", false), origin.clone(), pace, cursor, start).with_headers(headers.clone()))
    })
}

/// Three days, so that there are slices; several events share a second.
fn events(count: u64, until_ms: u64) -> impl Iterator<Item = (String, u64)> {
    let step = 3 * DAY / count;
    (0..count).map(move |n| (format!("e{n:04}"), until_ms - (count - n) / 2 * step))
}

#[tokio::test]
async fn three_days_are_read_by_the_day_and_then_followed() {
    let (now, world) = (now_ms(), World::new(9, []));
    world.happen(events(80, now));
    let rig = rig(ModelLog::default(), &vendor::github(world.clone()).await, now - 4 * DAY);
    rig.until("the past", |rig| rig.log.ids().len() == 80).await;
    world.happen([("new".to_owned(), now), ("late".to_owned(), now - 9 * MINUTE)]);
    rig.until("the new", |rig| rig.log.ids().len() == 82).await;
    let mut expected = world.ids();
    expected.swap(80, 81);
    assert_eq!(rig.log.ids(), expected, "in order of time within a page");
    rig.stop().await;
}

#[tokio::test]
async fn whatever_commit_crashes_every_event_is_kept_once() {
    for commit in 0..10 {
        for crash in [Crash::Lost, Crash::KeptUnheard] {
            let (now, world) = (now_ms(), World::new(9, []));
            world.happen(events(60, now));
            let rig = rig(ModelLog::crashing([(commit, crash)]), &vendor::github(world.clone()).await, now - 4 * DAY);
            rig.until("all", |rig| rig.log.ids().len() == 60).await;
            assert_eq!(rig.log.ids(), world.ids(), "{crash:?} at commit {commit}");
            rig.stop().await;
        }
    }
}

#[tokio::test]
async fn a_spent_budget_a_secondary_limit_and_a_lost_cursor_cost_no_event() {
    let reset = (now_ms() / 1_000 + 1).to_string();
    let spent = |status| Fault::Status(status, vec![("x-ratelimit-remaining", "0".into()), ("x-ratelimit-reset", reset.clone())]);
    let faults = [
        (1, spent(403)),
        (2, Fault::Status(403, vec![("retry-after", "1".into())])),
        (5, Fault::CursorGone),
        (6, Fault::Status(502, vec![])),
    ];
    let (now, world) = (now_ms(), World::new(9, faults));
    world.happen(events(60, now));
    let rig = rig(ModelLog::default(), &vendor::github(world.clone()).await, now - 4 * DAY);
    rig.until("all", |rig| rig.log.ids().len() == 60).await;
    assert_eq!(rig.log.ids(), world.ids());
    assert_eq!(rig.status().failures, 1, "limits are no failures");
    rig.stop().await;
}
