use indelible::door::poll::cloudtrail::bucket::Bucket;
use indelible::door::poll::cloudtrail::check::Checks;
use indelible::door::poll::cloudtrail::queue::Queue;
use indelible::door::poll::cloudtrail::{CloudTrail, Trail};
use indelible::door::poll::credentials::Credentials;
use indelible::door::poll::origin::Origin;
use serde_json::json;

use crate::bucket::{Aws, Chain, Object, gzip, log_file, log_key, log_text};
use crate::model_log::{Crash, ModelLog};
use crate::rig::{Rig, now_ms};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// What a test changes about the connection.
#[derive(Clone, Copy, Default)]
struct Wanted {
    queue: bool,
    digests: bool,
}

fn rig(log: ModelLog, url: &str, start_ms: u64, wanted: Wanted) -> Rig {
    let origin = Origin::parse(url).unwrap();
    let trail = Trail {
        bucket: Bucket { origin: origin.clone(), region: "us-east-1".into(), name: "trail-logs".into() },
        prefix: String::new(),
        accounts: vec![],
        regions: vec![],
        queue: wanted.queue.then(|| Queue { origin: origin.clone(), region: "us-east-1".into(), url: format!("{url}/1/q") }),
        checks: wanted.digests.then(|| Checks::new(Default::default(), true, Some(origin))),
        start_ms: 0,
        late_ms: HOUR,
        interval_ms: 20,
    };
    Rig::start(log, Credentials::Aws { own_keys: true }, start_ms, move |cursor, start_ms| {
        Box::new(CloudTrail::new(Trail { start_ms, ..trail.clone() }, cursor))
    })
}

/// Files of `events` events each, one every five minutes up to now, in two regions; gives all ids.
fn files(aws: &Aws, count: u64, events: u64, until_ms: u64) -> Vec<String> {
    let mut all = Vec::new();
    for region in ["eu-west-1", "us-east-1"] {
        for n in 0..count {
            let at = until_ms - (count - n) * 5 * MINUTE;
            let ids: Vec<String> = (0..events).map(|event| format!("{region}/{n:03}/{event}")).collect();
            aws.put(&log_key(region, at, &format!("u{n:03}")), log_file(&ids, at));
            all.extend(ids);
        }
    }
    all
}

#[tokio::test]
async fn files_are_found_by_listing_and_kept_once_in_order() {
    let (now, aws) = (now_ms(), Aws::new(4, []));
    let mut expected = files(&aws, 30, 3, now);
    let rig = rig(ModelLog::default(), &aws.serve().await, now - 24 * HOUR, Wanted::default());
    rig.until("the past", |rig| rig.log.ids().len() == expected.len()).await;
    assert_eq!(rig.log.ids(), expected, "by region, then by time");
    assert_eq!(
        rig.log.raws()[0],
        format!(
            r#"{{"eventVersion":"1.11", "eventTime":"{}","eventID":"eu-west-1/000/0"}}"#,
            indelible::door::poll::moment::formatted(now - 150 * MINUTE, "%Y-%m-%dT%H:%M:%SZ")
        )
        .into_bytes()
    );
    // A file that appears behind others that are newer.
    let late = now - 50 * MINUTE;
    aws.put(&log_key("us-east-1", late, "late"), log_file(&["late".to_owned()], late));
    expected.push("late".to_owned());
    rig.until("the late one", |rig| rig.log.ids().len() == expected.len()).await;
    assert_eq!(rig.log.ids(), expected);
    assert_eq!(aws.fetched(&log_key("us-east-1", now - 5 * MINUTE, "u029")), 1, "a listed file is fetched once");
    rig.stop().await;
}

#[tokio::test]
async fn files_from_before_the_start_are_left() {
    let (now, aws) = (now_ms(), Aws::new(100, []));
    files(&aws, 30, 1, now);
    let rig = rig(ModelLog::default(), &aws.serve().await, now - 24 * MINUTE, Wanted::default());
    rig.until("caught up", |rig| rig.status().caught_up_at.is_some()).await;
    assert_eq!(rig.log.ids().len(), 2 * 4, "four files in each of two regions");
    rig.stop().await;
}

#[tokio::test]
async fn whatever_commit_crashes_every_event_is_kept_once_in_order() {
    for commit in 0..10 {
        for crash in [Crash::Lost, Crash::KeptUnheard, Crash::Busy] {
            let (now, aws) = (now_ms(), Aws::new(4, []));
            let expected = files(&aws, 6, 2, now);
            let rig = rig(ModelLog::crashing([(commit, crash)]), &aws.serve().await, now - 24 * HOUR, Wanted::default());
            rig.until("all", |rig| rig.log.ids().len() == expected.len()).await;
            assert_eq!(rig.log.ids(), expected, "{crash:?} at commit {commit}");
            rig.stop().await;
        }
    }
}

#[tokio::test]
async fn a_bucket_that_fails_costs_no_event() {
    let (now, aws) = (now_ms(), Aws::new(4, [(0, 503), (2, 500), (5, 503), (7, 429), (8, 500)]));
    let expected = files(&aws, 6, 2, now);
    let rig = rig(ModelLog::default(), &aws.serve().await, now - 24 * HOUR, Wanted::default());
    rig.until("all", |rig| rig.log.ids().len() == expected.len()).await;
    assert_eq!(rig.log.ids(), expected);
    assert_eq!(rig.status().failures, 5);
    rig.stop().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_recorded_and_holds_nothing_up() {
    let (now, aws) = (now_ms(), Aws::new(100, []));
    let at = |n: u64| now - (10 - n) * MINUTE;
    let bad = [("text", b"no gzip".to_vec()), ("list", gzip(b"[1,2]")), ("cut", log_file(&["x".to_owned()], now).bytes[..20].to_vec())];
    for (n, (name, bytes)) in bad.iter().enumerate() {
        aws.put(&log_key("us-east-1", at(n as u64), name), Object { bytes: bytes.clone(), signature: None });
    }
    aws.put(&log_key("us-east-1", at(9), "good"), log_file(&["good".to_owned()], at(9)));
    aws.put("AWSLogs/111122223333/CloudTrail/us-east-1/2026/readme.txt", Object::default());
    let rig = rig(ModelLog::default(), &aws.serve().await, now - HOUR, Wanted::default());
    rig.until("the good one", |rig| rig.log.ids() == ["good"]).await;
    let noted = rig.log.notes("source.object_unreadable");
    assert_eq!(noted.len(), 3);
    assert!(noted.iter().all(|note| note["object"].contains("us-east-1") && !note["why"].is_empty()));
    rig.stop().await;
}

fn told(key: &str) -> String {
    json!({ "Records": [{ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": "trail-logs" }, "object": { "key": key } } }] })
        .to_string()
}

#[tokio::test]
async fn a_queue_tells_of_files_and_a_message_goes_behind_its_events() {
    let (now, aws) = (now_ms(), Aws::new(100, [(6, 500), (9, 503)]));
    let mut expected = Vec::new();
    for n in 0..25_u64 {
        let (key, at, id) = (log_key("us-east-1", now - n * MINUTE, &format!("q{n}")), now - n * MINUTE, format!("e{n}"));
        aws.put(&key, log_file(std::slice::from_ref(&id), at));
        aws.message(match n % 3 {
            0 => told(&key),
            1 => json!({ "Type": "Notification", "Message": told(&key) }).to_string(),
            _ => json!({ "s3Bucket": "trail-logs", "s3ObjectKey": [key] }).to_string(),
        });
        expected.push(id);
    }
    // Twice, as SQS may.
    aws.message(told(&log_key("us-east-1", now, "q0")));
    aws.message("what is this".to_owned());
    aws.message(
        told("AWSLogs/111122223333/CloudTrail/us-east-1/2026/01/01/gone")
            .replace("gone", "111122223333_CloudTrail_us-east-1_20260101T0000Z_gone.json.gz"),
    );
    aws.message(told(&log_key("us-east-1", now, "x")).replace("trail-logs", "other-bucket"));
    let rig = rig(ModelLog::default(), &aws.serve().await, now - HOUR, Wanted { queue: true, digests: false });
    rig.until("all", |_| aws.undeleted() == 0).await;
    assert_eq!(rig.log.ids(), expected, "in the order of the messages");
    for record in ["source.message_unknown", "source.object_missing", "source.object_elsewhere"] {
        assert_eq!(rig.log.notes(record).len(), 1, "{record}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn whatever_commit_crashes_a_message_is_deleted_only_behind_its_events() {
    for commit in 0..6 {
        for crash in [Crash::Lost, Crash::KeptUnheard] {
            let (now, aws) = (now_ms(), Aws::new(100, []));
            for n in 0..5_u64 {
                let key = log_key("us-east-1", now - n * MINUTE, "q");
                aws.put(&key, log_file(&[format!("e{n}")], now));
                aws.message(told(&key));
            }
            let rig = rig(ModelLog::crashing([(commit, crash)]), &aws.serve().await, now - HOUR, Wanted { queue: true, digests: false });
            rig.until("some", |rig| rig.log.ids().len() + aws.undeleted() >= 5 && rig.status().requests > 4).await;
            rig.until("all", |rig| {
                aws.visible_again();
                rig.log.ids().len() == 5 && aws.undeleted() == 0
            })
            .await;
            let mut ids = rig.log.ids();
            ids.sort();
            assert_eq!(ids, ["e0", "e1", "e2", "e3", "e4"], "{crash:?} at commit {commit}");
            rig.stop().await;
        }
    }
}

/// Four hours of logs with their digests; gives the names of digests and of files.
fn hours(aws: &Aws, chain: &mut Chain, now: u64) -> (Vec<String>, Vec<String>) {
    let (mut digests, mut files) = (Vec::new(), Vec::new());
    for hour in 0..4 {
        let end = now - (4 - hour) * 30 * MINUTE;
        let named: Vec<_> = (0..2)
            .map(|n| {
                let (at, id) = (end - 10 * MINUTE + n * MINUTE, vec![format!("h{hour}/{n}")]);
                let key = log_key("us-east-1", at, &format!("d{hour}{n}"));
                aws.put(&key, log_file(&id, at));
                files.push(key.clone());
                (key, log_text(&id, at))
            })
            .collect();
        let (key, object) = chain.next(end, &named);
        aws.put(&key, object);
        digests.push(key);
    }
    (digests, files)
}

async fn checked(aws: &Aws, now: u64, count: usize) -> (Rig, Vec<(String, String)>) {
    let rig = rig(ModelLog::default(), &aws.serve().await, now - 6 * HOUR, Wanted { queue: false, digests: true });
    rig.until("digests", |rig| rig.log.notes("cloudtrail.digest").len() >= count && rig.status().caught_up_at.is_some()).await;
    let results = rig.log.notes("cloudtrail.digest").into_iter().map(|note| (note["digest"].clone(), note["result"].clone())).collect();
    (rig, results)
}

fn results(results: &[(String, String)]) -> Vec<&str> {
    results.iter().map(|(_, result)| result.as_str()).collect()
}

#[tokio::test]
async fn an_unbroken_chain_of_digests_is_ok() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    let (digests, files) = hours(&aws, &mut chain, now);
    let (rig, found) = checked(&aws, now, 4).await;
    assert_eq!(found.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), digests);
    assert_eq!(results(&found), ["ok"; 4]);
    assert_eq!(rig.log.notes("cloudtrail.digest")[0]["files"], "2");
    assert_eq!(aws.fetched(&files[0]), 1, "hashed when it was read");
    assert_eq!(rig.log.ids().len(), 8);
    rig.stop().await;
}

#[tokio::test]
async fn whoever_alters_a_log_file_is_told_on() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    let (_, files) = hours(&aws, &mut chain, now);
    aws.put(&files[3], log_file(&["forged".to_owned()], now));
    let (rig, found) = checked(&aws, now, 4).await;
    assert_eq!(results(&found), ["ok", "failed", "ok", "ok"]);
    assert_eq!(rig.log.notes("cloudtrail.digest")[1]["altered"], files[3]);
    rig.stop().await;
}

#[tokio::test]
async fn whoever_removes_a_log_file_is_told_on() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    let (_, files) = hours(&aws, &mut chain, now);
    aws.remove(&files[5]);
    let (rig, found) = checked(&aws, now, 4).await;
    assert_eq!(results(&found), ["ok", "ok", "missing", "ok"]);
    assert_eq!(rig.log.notes("cloudtrail.digest")[2]["missing"], files[5]);
    rig.stop().await;
}

#[tokio::test]
async fn whoever_alters_a_digest_is_told_on_by_it_and_by_the_next() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    let (digests, files) = hours(&aws, &mut chain, now);
    aws.change(&digests[1], |digest| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(digest.bytes.as_slice()), &mut text).unwrap();
        digest.bytes = gzip(text.replace(&files[2], &files[0]).as_bytes());
    });
    let (rig, found) = checked(&aws, now, 4).await;
    assert_eq!(results(&found), ["ok", "failed", "failed", "ok"]);
    let notes = rig.log.notes("cloudtrail.digest");
    assert!(notes[1]["why"].contains("signature does not match") && notes[2]["why"].contains("before this one was altered"), "{notes:?}");
    rig.stop().await;
}

#[tokio::test]
async fn whoever_removes_a_digest_is_told_on_by_the_next() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    let (digests, _) = hours(&aws, &mut chain, now);
    aws.remove(&digests[2]);
    let (rig, found) = checked(&aws, now, 3).await;
    assert_eq!(results(&found), ["ok", "ok", "missing"]);
    assert_eq!(rig.log.notes("cloudtrail.digest")[2]["missing"], digests[2]);
    rig.stop().await;
}

#[tokio::test]
async fn a_digest_that_was_moved_signed_by_another_or_not_at_all_fails() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    let (digests, _) = hours(&aws, &mut chain, now);
    // Another's key under the name of AWS's.
    let mut forger = Chain::new("ab12");
    let (_, forged) = forger.next(now - 120 * MINUTE, &[]);
    aws.put(&digests[0], forged);
    aws.change(&digests[1], |digest| digest.signature = None);
    let mut moved = Object::default();
    aws.change(&digests[2], |digest| moved = digest.clone());
    aws.put(&digests[3], moved);
    let (rig, found) = checked(&aws, now, 4).await;
    assert_eq!(results(&found), ["failed"; 4]);
    let notes = rig.log.notes("cloudtrail.digest");
    for (at, why) in ["signature does not match", "no signature", "before this one was altered", "at another place"].into_iter().enumerate()
    {
        assert!(notes[at]["why"].contains(why), "{at}: {}", notes[at]["why"]);
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_chain_that_begins_anew_is_told() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    aws.give_keys(chain.keys());
    hours(&aws, &mut chain, now);
    let key = chain.next(now - MINUTE, &[]).0;
    let public = chain.keys();
    let mut anew = chain;
    anew.forget();
    let (again, object) = anew.next(now - MINUTE, &[]);
    assert_eq!(key, again);
    aws.give_keys(public);
    aws.put(&again, object);
    let (rig, found) = checked(&aws, now, 5).await;
    assert_eq!(results(&found), ["ok", "ok", "ok", "ok", "missing"]);
    assert!(rig.log.notes("cloudtrail.digest")[4]["missing"].contains("begins anew"));
    rig.stop().await;
}

#[tokio::test]
async fn digests_without_keys_are_said_to_be_unchecked() {
    let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
    hours(&aws, &mut chain, now);
    let (rig, found) = checked(&aws, now, 4).await;
    assert_eq!(results(&found), ["unchecked"; 4]);
    assert_eq!(rig.log.ids().len(), 8, "the events are kept all the same");
    rig.stop().await;
}

#[tokio::test]
async fn digests_are_checked_across_restarts_with_files_read_again() {
    for commit in [3, 9, 10, 11] {
        let (now, aws, mut chain) = (now_ms(), Aws::new(100, []), Chain::new("ab12"));
        aws.give_keys(chain.keys());
        let (digests, _) = hours(&aws, &mut chain, now);
        let log = ModelLog::crashing([(commit, Crash::KeptUnheard)]);
        let rig = rig(log, &aws.serve().await, now - 6 * HOUR, Wanted { queue: false, digests: true });
        rig.until("digests", |rig| rig.log.notes("cloudtrail.digest").len() >= 4 && rig.status().caught_up_at.is_some()).await;
        let found: Vec<_> =
            rig.log.notes("cloudtrail.digest").into_iter().map(|note| (note["digest"].clone(), note["result"].clone())).collect();
        assert_eq!(results(&found), ["ok"; 4], "crash at {commit}");
        assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), digests);
        assert_eq!(rig.log.ids().len(), 8);
        rig.stop().await;
    }
}
