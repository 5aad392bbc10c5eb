//! Pollers behind a real trail: started and stopped by the connections in its fold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use evidence::act::{ConnectionAct, Setting};
use evidence::leaf::Kind;
use indelible::clock::Clock;
use indelible::door::Admission;
use indelible::door::poll::service::Pollers;
use indelible::door::poll::status::Doing;
use indelible::door::secret::Secrets;
use indelible::log::intent::Intent;
use indelible::store::media::disk::Disk;
use indelible::store::trail::{Trail, TrailOptions};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::rig::{client, now_ms};
use crate::vendor::{self, Fault, World};

const HOUR: u64 = 3_600_000;

struct Place {
    dir: TempDir,
}

struct Serving {
    trail: Arc<Trail>,
    admission: Arc<Admission>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Place {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["secrets", "trail"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    fn secret(&self, name: &str, value: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.path().join("secrets").join(name);
        std::fs::write(&path, value).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn serve(&self) -> Serving {
        let media = Arc::new(Disk::new(self.dir.path().join("trail")).unwrap());
        let trail = Trail::open(media, &TrailOptions::main("/test")).unwrap();
        let admission = Arc::new(Admission::new(Arc::clone(&trail), Clock::system()));
        let (stop, stopped) = watch::channel(false);
        let pollers = Pollers::new(Arc::clone(&admission), Secrets::of(self.dir.path()), client());
        Serving { trail, admission, stop, task: tokio::spawn(pollers.run(stopped)) }
    }
}

impl Serving {
    async fn set(&self, connection: ConnectionAct) {
        self.trail.log().act(Intent::SetConnection(connection), b"{}".to_vec()).await.unwrap();
    }

    fn raws(&self, kind: Kind) -> Vec<String> {
        let entries = self.trail.reader().entries(0, 10_000).unwrap();
        entries.iter().filter(|entry| entry.leaf.kind == kind).map(|entry| String::from_utf8(entry.raw.to_vec()).unwrap()).collect()
    }

    fn ids(&self) -> Vec<String> {
        self.raws(Kind::Event)
            .iter()
            .map(|raw| serde_json::from_str::<serde_json::Value>(raw).unwrap()["uuid"].as_str().unwrap().to_owned())
            .collect()
    }

    fn records(&self, name: &str) -> Vec<serde_json::Value> {
        let all = self.raws(Kind::Record).into_iter().map(|raw| serde_json::from_str::<serde_json::Value>(&raw).unwrap());
        all.filter(|record| record["record"] == name).collect()
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            let status = self.admission.metrics().polls.all();
            assert!(began.elapsed() < Duration::from_secs(30), "{what} did not happen: {status:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
        self.trail.close();
    }
}

fn okta(url: &str, from_ms: u64) -> ConnectionAct {
    let settings = [
        ("url", Setting::Text(url.to_owned())),
        ("start", Setting::Text(indelible::door::poll::moment::rfc3339(from_ms))),
        ("interval_s", Setting::Integer(5)),
    ];
    ConnectionAct {
        name: "okta".into(),
        kind: "poll.okta".into(),
        source: 1,
        settings: settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        secrets: BTreeMap::from([("token".to_owned(), "file:okta".parse().unwrap())]),
        enabled: true,
    }
}

async fn source(serving: &Serving) {
    let source = Intent::CreateSource { name: "okta-prod".into(), kind: "okta".into() };
    serving.trail.log().act(source, b"{}".to_vec()).await.unwrap();
}

fn events(count: usize) -> impl Iterator<Item = (String, u64)> {
    let first = now_ms() - HOUR;
    (0..count).map(move |n| (format!("e{n}"), first + n as u64))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_polled_as_soon_as_it_is_set_and_until_it_is_removed() {
    let (place, world) = (Place::new(), World::new(7, []));
    world.happen(events(20));
    let url = vendor::okta(world.clone()).await;
    let serving = place.serve();
    source(&serving).await;
    serving.set(okta(&url, now_ms() - 2 * HOUR)).await;
    // The secret is not there yet: that is said, and tried again.
    let polls = serving.admission.metrics().polls.clone();
    serving.until("the failure", |_| polls.get("okta").is_some_and(|status| status.doing == Doing::Failing)).await;
    assert!(polls.get("okta").unwrap().last_error.unwrap().contains("secrets/okta"), "it says where the secret is looked for");
    place.secret("okta", "token-secret\n");
    serving.until("the events", |serving| serving.ids().len() == 20).await;
    assert_eq!(serving.ids(), world.ids());
    let began = serving.records("source.polling_began");
    assert_eq!((began.len(), began[0]["connection"].as_str(), began[0]["source"].as_str()), (1, Some("okta"), Some("okta-prod")));
    let entry = serving.trail.reader().entries(0, 1_000).unwrap().into_iter().find(|entry| entry.leaf.kind == Kind::Event).unwrap();
    let facts = String::from_utf8(entry.facts.to_vec()).unwrap();
    assert!(facts.contains(r#""connection":"okta""#) && facts.contains(r#""door":"poll""#), "{facts}");
    assert_eq!(String::from_utf8(entry.people.to_vec()).unwrap(), r#"{"id":"e0"}"#);

    serving.set(ConnectionAct { enabled: false, ..okta(&url, 0) }).await;
    serving.until("the end", |_| polls.get("okta").is_none()).await;
    world.happen([("e20".to_owned(), now_ms())]);
    let requests = world.requests();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.requests(), requests);
    serving.set(okta(&url, now_ms() - 2 * HOUR)).await;
    serving.until("the new one", |serving| serving.ids().len() == 21).await;
    assert_eq!(serving.ids(), world.ids());
    serving.trail.log().act(Intent::RemoveConnection { name: "okta".into() }, b"{}".to_vec()).await.unwrap();
    serving.until("the end", |_| polls.all().is_empty()).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_lose_and_double_nothing_and_go_on_where_they_were() {
    let (place, world) = (Place::new(), World::new(7, [(3, Fault::Cut), (9, Fault::CursorGone)]));
    place.secret("okta", "token-secret");
    let url = vendor::okta(world.clone()).await;
    world.happen(events(100));
    let serving = place.serve();
    source(&serving).await;
    serving.set(okta(&url, now_ms() - 2 * HOUR)).await;
    serving.stop().await;
    for round in 1..=8 {
        let serving = place.serve();
        serving.until("some", |serving| serving.ids().len() >= round * 12).await;
        serving.stop().await;
    }
    let serving = place.serve();
    serving.until("all", |serving| serving.ids().len() >= 100).await;
    assert_eq!(serving.ids(), world.ids());
    assert_eq!(serving.records("source.polling_began").len(), 1);
    assert_eq!(serving.records("source.cursor_lost").len(), 1);
    let firsts = world.asked().iter().filter(|uri| !uri.contains("after=")).count();
    assert!(firsts <= 4, "a restart goes on at the cursor: {firsts} first pages");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_organisation_under_the_same_name_begins_anew() {
    let place = Place::new();
    place.secret("okta", "token-secret");
    let (one, other) = (World::new(7, []), World::new(7, []));
    one.happen(events(10));
    other.happen((0..10).map(|n| (format!("o{n}"), now_ms() - HOUR)));
    let serving = place.serve();
    source(&serving).await;
    serving.set(okta(&vendor::okta(one.clone()).await, now_ms() - 2 * HOUR)).await;
    serving.until("the one", |serving| serving.ids().len() == 10).await;
    serving.set(okta(&vendor::okta(other.clone()).await, now_ms() - 2 * HOUR)).await;
    serving.until("the other", |serving| serving.ids().len() == 20).await;
    assert_eq!(serving.ids(), [one.ids(), other.ids()].concat());
    assert_eq!(serving.records("source.polling_began").len(), 2);
    serving.stop().await;
}
