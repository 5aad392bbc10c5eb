use indelible::door::poll::credentials::Credentials;
use indelible::door::poll::entra::{Entra, EntraLog};
use indelible::door::poll::origin::Origin;
use indelible::door::poll::paged::{Pace, Paged};
use indelible::door::poll::streams::Streams;

use crate::model_log::{Crash, ModelLog};
use crate::rig::{Rig, now_ms};
use crate::vendor::{self, Fault, World};

const MINUTE: u64 = 60_000;

fn rig(log: ModelLog, url: &str, start_ms: u64) -> Rig {
    let origin = Origin::parse(url).unwrap();
    let credentials = Credentials::Client {
        token_url: format!("{url}/contoso/oauth2/v2.0/token"),
        client_id: "app".into(),
        scope: format!("{url}/.default"),
    };
    let pace = Pace { interval_ms: 20, late_ms: 30 * MINUTE, slice_ms: Some(6 * 60 * MINUTE) };
    Rig::start(log, credentials, start_ms, move |cursor, start| {
        let logs = vec![("signIns", EntraLog::SignIns), ("directoryAudits", EntraLog::DirectoryAudits)];
        let origin = origin.clone();
        Box::new(Streams::new(logs, cursor, move |log, cursor| Box::new(Paged::new(Entra { log }, origin.clone(), pace, cursor, start))))
    })
}

/// A day of both logs, in order of time.
fn day(count: usize, until_ms: u64) -> Vec<(String, u64)> {
    let step = 24 * 60 * MINUTE / count as u64;
    (0..count).map(|n| (format!("{}{n:04}", if n % 3 == 0 { "a" } else { "s" }), until_ms - (count - n) as u64 * step)).collect()
}

/// Exactly once, and each log in its order.
fn assert_kept(rig: &Rig, expected: &[String]) {
    for log in ["s", "a"] {
        let of = |ids: &[String]| ids.iter().filter(|id| id.starts_with(log)).cloned().collect::<Vec<_>>();
        assert_eq!(of(&rig.log.ids()), of(expected), "log {log}");
    }
    assert_eq!(rig.log.ids().len(), expected.len());
}

#[tokio::test]
async fn both_logs_are_read_from_the_past_to_now_a_slice_at_a_time() {
    let (now, world) = (now_ms(), World::new(10, []));
    world.happen(day(100, now));
    let rig = rig(ModelLog::default(), &vendor::graph(world.clone()).await, now - 25 * 60 * MINUTE);
    rig.until("all", |rig| rig.log.ids().len() == 100).await;
    assert_kept(&rig, &world.ids());
    assert!(world.asked().iter().any(|uri| uri.contains("lt%20")), "slices have an end");
    assert_eq!(world.tokens(), 1);
    rig.stop().await;
}

#[tokio::test]
async fn late_and_reordered_events_within_the_window_are_kept_once() {
    let (now, world) = (now_ms(), World::new(10, []));
    world.happen(day(60, now));
    let rig = rig(ModelLog::default(), &vendor::graph(world.clone()).await, now - 25 * 60 * MINUTE);
    rig.until("the first", |rig| rig.log.ids().len() == 60).await;
    let minutes = [29, 3, 17, 1, 25];
    for (n, minutes) in minutes.into_iter().enumerate() {
        world.happen([
            (format!("slate{n}"), now - 24 * MINUTE - minutes * 1_000),
            (format!("alate{n}"), now - 24 * MINUTE - minutes * 1_000),
        ]);
        rig.until("late ones", |rig| rig.log.ids().len() == 60 + 2 * (n + 1)).await;
    }
    let requests = world.requests();
    rig.until("more looks", |_| world.requests() > requests + 10).await;
    assert_kept(&rig, &world.ids());
    rig.stop().await;
}

#[tokio::test]
async fn whatever_commit_crashes_every_event_is_kept_once() {
    for commit in 0..8 {
        for crash in [Crash::Lost, Crash::KeptUnheard] {
            let (now, world) = (now_ms(), World::new(10, []));
            world.happen(day(60, now));
            let rig = rig(ModelLog::crashing([(commit, crash)]), &vendor::graph(world.clone()).await, now - 25 * 60 * MINUTE);
            rig.until("all", |rig| rig.log.ids().len() == 60).await;
            assert_kept(&rig, &world.ids());
            rig.stop().await;
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_early_is_renewed_at_once() {
    let (now, world) = (now_ms(), World::new(10, [(2, Fault::TokenEnds), (5, Fault::TokenEnds)]));
    world.happen(day(60, now));
    let rig = rig(ModelLog::default(), &vendor::graph(world.clone()).await, now - 25 * 60 * MINUTE);
    rig.until("all", |rig| rig.log.ids().len() == 60).await;
    assert_kept(&rig, &world.ids());
    assert_eq!(rig.status().failures, 0, "an expired token is no failure");
    rig.stop().await;
}

#[tokio::test]
async fn throttling_errors_and_a_lost_skip_token_cost_no_event() {
    let faults = [
        (1, Fault::Status(429, vec![("retry-after", "1".into())])),
        (3, Fault::CursorGone),
        (4, Fault::Status(504, vec![])),
        (5, Fault::Cut),
        (6, Fault::CursorGone),
        (8, Fault::Garbage),
    ];
    let (now, world) = (now_ms(), World::new(10, faults));
    world.happen(day(60, now));
    let rig = rig(ModelLog::default(), &vendor::graph(world.clone()).await, now - 25 * 60 * MINUTE);
    rig.until("all", |rig| rig.log.ids().len() == 60).await;
    assert_kept(&rig, &world.ids());
    rig.stop().await;
}
