//! Forwards: to a collector, into files and into a bucket; and whatever may fail between sending and noting.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "forward/receiver.rs"]
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::clock::Clock;
use indelible::door::poll::http::Client;
use indelible::door::secret::{SECRETS_DIR, Secrets};
use indelible::door::{Admission, Batch, By, Origin};
use indelible::forward::Forwards;
use indelible::forward::service::Service;
use indelible::forward::setting::{Destination, Forward};
use indelible::forward::status::{Doing, Status};
use indelible::intake::{Media as MediaType, decode};
use indelible::search::Index;
use indelible::search::named::Within;
use indelible::source::directory::Directory;
use indelible::store::media::Media;
use indelible::store::media::disk::Disk;
use indelible::store::media::sim::{Fault, SimMedia};
use indelible::store::trail::{Trail, TrailOptions};
use receiver::{Receiver, Say};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A log with forwards, which run until their process is killed.
struct Log {
    dir: tempfile::TempDir,
    trail: Arc<Trail>,
    index: Arc<Index>,
    admission: Arc<Admission>,
    media: SimMedia,
    forwards: Arc<Forwards>,
    process: Option<Runtime>,
}

impl Log {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trail = Trail::open(Arc::new(Disk::new(dir.path()).unwrap()), &TrailOptions::main("/test")).unwrap();
        let admission = Arc::new(Admission::new(Arc::clone(&trail), Clock::system()));
        std::fs::create_dir(dir.path().join(SECRETS_DIR)).unwrap();
        let secret = dir.path().join(SECRETS_DIR).join("hec");
        std::fs::write(&secret, "open-sesame\n").unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let index = Arc::new(Index::none(Arc::clone(admission.catalog())));
        Self { dir, trail, index, admission, media: SimMedia::new(1), forwards: Arc::default(), process: None }
    }

    fn within<T>(&self, work: impl FnOnce(Within<'_>) -> T) -> T {
        work(Within { trail: &self.trail, index: &self.index, directory: &Directory::default() })
    }

    fn set(&self, line: &str, to: Destination, secrets: &[(&str, &str)], from: Option<u64>) {
        let secrets: BTreeMap<_, _> = secrets.iter().map(|(name, reference)| ((*name).into(), (*reference).into())).collect();
        let forward = Forward { line: line.into(), to, secrets, from: 0, began: 0 };
        self.within(|within| self.forwards.set(within, "siem", forward, from, "local")).unwrap();
    }

    fn to_collector(&self, receiver: &Receiver) {
        let to = Destination::Hec { url: receiver.url(), index: Some("audit".into()) };
        self.set("login", to, &[("token", "file:hec")], Some(0));
    }

    fn start(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // A new process knows nothing of the one before.
        self.forwards = Arc::default();
        let service = Service {
            forwards: Arc::clone(&self.forwards),
            admission: Arc::clone(&self.admission),
            index: Arc::clone(&self.index),
            secrets: Secrets::of(self.dir.path()),
            client: Some(Client::trusting(rustls::RootCertStore::empty()).unwrap()),
            media: Arc::new(self.media.clone()),
        };
        runtime.spawn(async move {
            let (_never, stop) = watch::channel(false);
            service.run(stop).await;
        });
        self.process = Some(runtime);
    }

    /// Nothing of it is told to stop.
    fn kill(&mut self) {
        self.process.take().unwrap().shutdown_timeout(Duration::from_secs(5));
    }

    fn event(&self, text: &str) {
        let origin = Origin { source: "app".parse().unwrap(), kind: "unknown".into(), door: "test" };
        let decoded = decode(text.as_bytes(), MediaType::Any).unwrap();
        self.admission.admit_blocking(&origin, Batch::new(By::Local, None), text.as_bytes(), decoded).unwrap();
    }

    fn status(&self) -> Status {
        self.forwards.statuses.get("siem").unwrap_or_default()
    }

    /// Waits until it is so.
    #[track_caller]
    fn until(&self, what: impl Fn(&Status) -> bool) {
        let began = Instant::now();
        while !what(&self.status()) {
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}", self.status());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn until_all_is_sent(&self) {
        let size = self.trail.view().size;
        self.until(|status| status.at == size && status.doing == Doing::Waiting);
    }
}

/// Ids of what a collector took, one after the other.
fn ids(receiver: &Receiver) -> Vec<String> {
    let events = receiver.taken().into_iter().flat_map(|request| {
        serde_json::Deserializer::from_slice(&request.body).into_iter::<Value>().map(Result::unwrap).collect::<Vec<_>>()
    });
    events.map(|event| event["event"]["id"].as_str().unwrap().to_owned()).collect()
}

/// A place that is noted is a file that is replaced: these are its operations.
const CREATE: u64 = 0;
const SYNC_NAME: u64 = 4;

#[test]
fn a_collector_gets_each_match_with_an_id_and_a_new_process_goes_on() {
    let receiver = Receiver::start(&[]);
    let mut log = Log::new();
    log.event(r#"{"user":"ana","action":"login"}"#);
    log.to_collector(&receiver);
    log.start();
    log.event(r#"{"user":"bob","action":"logout"}"#);
    log.event(r#"{"user":"eve","action":"login"}"#);
    log.until_all_is_sent();
    log.kill();
    log.event(r#"{"user":"joe","action":"login"}"#);
    log.start();
    log.until_all_is_sent();
    let taken = receiver.taken();
    for request in &taken {
        assert!(request.head.starts_with("POST /services/collector/event HTTP/1.1\r\n"), "{}", request.head);
        assert!(request.head.contains("authorization: Splunk open-sesame\r\n"), "{}", request.head);
    }
    let event: Value = serde_json::Deserializer::from_slice(&taken[0].body).into_iter().next().unwrap().unwrap();
    assert_eq!((&event["index"], &event["source"], &event["event"]["raw"]["user"]), (&"audit".into(), &"app".into(), &"ana".into()));
    assert_eq!(event["fields"]["indelible_id"], event["event"]["id"]);
    let ids = ids(&receiver);
    assert!(ids.len() == 3 && ids.is_sorted() && ids[0].contains("/main/"), "{ids:?}");
    assert_eq!(log.status().sent, 1);
}

#[test]
fn how_far_it_came_is_known_before_a_receiver_that_hangs_has_answered() {
    let receiver = Receiver::start(&[]);
    let mut log = Log::new();
    log.event(r#"{"user":"ana","action":"login"}"#);
    log.to_collector(&receiver);
    log.start();
    log.until_all_is_sent();
    let at = log.status().at;
    log.kill();
    log.event(r#"{"user":"bob","action":"login"}"#);
    let hangs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = Destination::Hec { url: format!("http://{}", hangs.local_addr().unwrap()), index: None };
    log.set("login", to, &[("token", "file:hec")], None);
    log.start();
    log.until(|status| status.at > 0);
    let status = log.status();
    assert_eq!((status.at, status.doing, status.sent), (at, Doing::Starting, 0));
}

#[test]
fn what_a_receiver_refuses_or_takes_without_saying_so_is_sent_again_with_the_same_id() {
    for (say, times) in [(Say::Refuse(503), 1), (Say::TakeAndHangUp, 2)] {
        let receiver = Receiver::start(&[say]);
        let mut log = Log::new();
        log.to_collector(&receiver);
        log.event(r#"{"action":"login"}"#);
        log.start();
        log.until_all_is_sent();
        let ids = ids(&receiver);
        assert!(ids.len() == times && ids.iter().all(|id| *id == ids[0]), "{say:?}: {ids:?}");
        let status = log.status();
        assert_eq!((status.failures, status.failures_in_a_row, status.sent), (1, 0, 1), "{say:?}");
        let error = status.last_error.unwrap();
        assert!(matches!(say, Say::TakeAndHangUp) || error.contains("answered 503 server is busy"), "{error}");
    }
}

#[test]
fn a_place_that_is_lost_means_sent_again_and_one_that_is_kept_and_reported_lost_does_not() {
    for (operations, fault, times) in
        [(CREATE..CREATE + 60, Fault::Refused(io::ErrorKind::Other), 2), (SYNC_NAME..SYNC_NAME + 1, Fault::KeptButReportedLost, 1)]
    {
        let receiver = Receiver::start(&[]);
        let mut log = Log::new();
        log.to_collector(&receiver);
        log.start();
        log.until(|status| status.doing == Doing::Waiting);
        let next = log.media.ops();
        operations.clone().for_each(|op| log.media.inject(next + op, fault));
        log.event(r#"{"action":"login"}"#);
        log.until(|status| status.failures > 0);
        assert!(log.status().last_error.unwrap().contains("cannot be noted, so a restart sends it again"));
        log.kill();
        while log.media.ops() < next + operations.end {
            let _ = log.media.sync_dir("");
        }
        log.event(r#"{"action":"login","second":true}"#);
        log.start();
        log.until_all_is_sent();
        let mut ids = ids(&receiver);
        assert_eq!(ids.len(), times + 1, "{fault:?}: {ids:?}");
        ids.dedup();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2, "{fault:?}");
    }
}

#[test]
fn files_hold_each_line_once_whenever_the_process_is_killed() {
    let mut log = Log::new();
    log.set("login", Destination::Files { rotate_mb: 1 }, &[], Some(0));
    for round in 0..5 {
        log.start();
        for n in 0..20 {
            log.event(&format!(r#"{{"action":"login","n":{}}}"#, round * 20 + n));
        }
        if round % 2 == 0 {
            log.until_all_is_sent();
        }
        log.kill();
    }
    log.start();
    log.until_all_is_sent();
    let files: Vec<_> = log.media.files().into_iter().filter(|path| path.ends_with(".ndjson")).collect();
    assert!(!files.is_empty() && files.iter().all(|path| path.starts_with("siem/20")), "{files:?}");
    let all = files.iter().map(|path| String::from_utf8(log.media.read(path).unwrap()).unwrap()).collect::<String>();
    let read: Vec<u64> = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["raw"]["n"].as_u64().unwrap()).collect();
    assert_eq!(read, (0..100).collect::<Vec<_>>());
}

#[test]
fn a_bucket_gets_an_object_of_what_came_together() {
    let receiver = Receiver::start(&[Say::Refuse(500)]);
    let mut log = Log::new();
    let to = Destination::S3 {
        bucket: "audit".into(),
        region: "eu-west-1".into(),
        prefix: "a b/".into(),
        endpoint: Some(receiver.url()),
        every_s: 1,
    };
    log.set("", to, &[("access_key_id", "file:hec"), ("secret_access_key", "file:hec")], None);
    log.start();
    log.until(|status| status.doing == Doing::Waiting);
    for n in 0..10 {
        log.event(&format!("{{\"n\":{n}}}"));
    }
    log.until_all_is_sent();
    let taken = receiver.taken();
    assert_eq!(taken.len(), 1);
    let head = &taken[0].head;
    assert!(head.starts_with("PUT /audit/a%20b/siem/20") && head.contains(".ndjson.gz HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: AWS4-HMAC-SHA256 Credential=open-sesame/") && head.contains("x-amz-content-sha256"), "{head}");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&taken[0].body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count(), 10);
}

#[test]
fn what_cannot_be_read_is_not_passed_over() {
    let receiver = Receiver::start(&[]);
    let mut log = Log::new();
    log.event(r#"{"action":"login"}"#);
    log.trail.flush().unwrap();
    let payload = std::fs::read_dir(log.dir.path().join("payload")).unwrap().map(|entry| entry.unwrap().path());
    payload.filter(|path| path.to_string_lossy().contains("-c1-")).for_each(|path| std::fs::remove_file(path).unwrap());
    log.event(r#"{"action":"login"}"#);
    log.to_collector(&receiver);
    log.start();
    log.until(|status| status.failures > 0);
    let status = log.status();
    assert!(status.at == 0 && status.doing == Doing::Failing, "{status:?}");
    assert!(status.last_error.unwrap().contains("cannot be read, and nothing is passed over"));
    assert!(receiver.taken().is_empty());
}

#[test]
fn one_that_is_set_again_goes_on_and_one_that_is_removed_and_made_anew_begins_at_the_end() {
    let receiver = Receiver::start(&[]);
    let mut log = Log::new();
    log.start();
    log.to_collector(&receiver);
    log.event(r#"{"action":"login","n":1}"#);
    log.until_all_is_sent();
    let to = || Destination::Hec { url: receiver.url(), index: None };
    log.set("login", to(), &[("token", "file:hec")], None);
    log.event(r#"{"action":"login","n":2}"#);
    log.until_all_is_sent();
    // The one before may have been at the second event when it was told to stop: then it is sent again, with the same id.
    let distinct = || ids(&receiver).into_iter().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(), 2);
    log.within(|within| log.forwards.remove(within, "siem", "local")).unwrap();
    log.event(r#"{"action":"login","n":3}"#);
    log.set("login", to(), &[("token", "file:hec")], None);
    log.event(r#"{"action":"login","n":4}"#);
    log.until_all_is_sent();
    let last: Value = serde_json::from_slice(&receiver.taken().last().unwrap().body).unwrap();
    assert_eq!((distinct(), &last["event"]["raw"]["n"]), (3, &4.into()));
    // A secret that is not there is said, and looked for again.
    log.set("login", to(), &[("token", "env:INDELIBLE_TEST_NOT_SET")], None);
    log.event(r#"{"action":"login","n":5}"#);
    log.until(|status| status.failures > 0);
    assert!(log.status().last_error.unwrap().contains("INDELIBLE_TEST_NOT_SET is not set"));
}
