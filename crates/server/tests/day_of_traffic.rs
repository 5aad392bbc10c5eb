//! A day of traffic from six sources through six doors at once, with the server killed again and
//! again: each event is in the log once, byte for byte, in the order its source sent it.
//!
//! Plain syslog is not among the doors: it has no acknowledgement, so what lay in the buffers of a
//! killed server is lost or sent twice whatever a server does. The sixth source's syslog lines come by
//! HTTP, with their producer's numbers in them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "cli/binary.rs"]
#[allow(dead_code, reason = "the other tests of the binary use the rest")]
mod binary;
#[path = "day_of_traffic/day.rs"]
mod day;
#[path = "day_of_traffic/okta.rs"]
mod okta;
#[path = "day_of_traffic/senders.rs"]
mod senders;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use binary::{Place, Running, indelible, run};
use day::{Dice, Event};
use okta::Okta;
use senders::{Address, Request, send_all, write_objects};

const SEED: u64 = 0x5eed_0da4;
/// Into which the day is compressed.
const TAKES: Duration = Duration::from_secs(12);
/// At random moments of it.
const KILLS: usize = 6;
const SECRET: &str = "s3cret of the organization";

/// The six sources: name, kind, the name of the door in the log.
const SOURCES: [(&str, &str, &str); 6] = [
    ("okta-prod", "okta", "poll"),
    ("aws-prod", "aws_cloudtrail", "files"),
    ("github-corp", "github_audit", "hook.github"),
    ("k8s-prod", "kubernetes_audit", "kubernetes"),
    ("auth0-prod", "auth0", "hec"),
    ("bastion", "linux_auth", "http"),
];

fn the_day() -> BTreeMap<&'static str, Vec<Event>> {
    BTreeMap::from([
        ("okta-prod", day::okta(SEED, 700)),
        ("aws-prod", day::cloudtrail(SEED + 1, 900)),
        ("github-corp", day::github(SEED + 2, 240)),
        ("k8s-prod", day::kubernetes(SEED + 3, 640)),
        ("auth0-prod", day::auth0(SEED + 4, 700)),
        ("bastion", day::linux(SEED + 5, 720)),
    ])
}

/// A server that is killed and started again.
struct Life {
    place: Place,
    config: PathBuf,
    spool: PathBuf,
    address: Address,
}

impl Life {
    fn new() -> Self {
        let place = Place::new();
        let spool = place.beside("spool");
        std::fs::create_dir(&spool).unwrap();
        let config = format!(
            "[[door]]\nkind = \"files\"\ndirectory = {spool:?}\nsource = \"aws-prod\"\npatterns = [\"*.json.gz\"]\nstable-seconds = 1\n"
        );
        let config = place.write("settings.toml", config);
        for (name, secret) in [("okta", "token-secret"), ("github", SECRET)] {
            let path = place.write(&format!("data/secrets/{name}"), secret);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self { place, config, spool, address: Address::default() }
    }

    fn serve(&self) -> Running {
        let running = Running::start(&self.place.data(), &["--config", self.config.to_str().unwrap()], &self.place.admin_key);
        self.address.lock().unwrap().clone_from(&running.url);
        running
    }

    /// Kills and starts while the day goes on; gives the server that runs at the end.
    fn kill_again_and_again(&self, dice: &mut Dice) -> Running {
        let mut running = self.serve();
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(300 + dice.below(1_600)));
            running.kill();
            std::thread::sleep(Duration::from_millis(dice.below(400)));
            running = self.serve();
        }
        running
    }
}

/// Makes the connections and gives a key for each sender that shows one.
fn connect(life: &Life, okta: &Okta) -> impl Fn(&str) -> String {
    let running = life.serve();
    let okta_url = format!("url={}", okta.url);
    let begins = format!("start={}", day::BEGINS);
    let set = ["connection", "set", "okta-poll", "--kind", "poll.okta", "--source", "okta-prod", "--secret", "token=file:okta"];
    let settings = ["--setting", &okta_url, "--setting", &begins, "--setting", "interval_s=5"];
    running.run(set.iter().chain(&settings)).ok();
    let set = ["connection", "set", "github-hook", "--kind", "hook.github", "--source", "github-corp", "--secret", "secret=file:github"];
    running.run(set).ok();
    move |source: &str| {
        let made = running.run(["key", "create", "--scope", "ingest", "--source", source, "--name", source, "--json"]).ok().json();
        made["key"].as_str().unwrap().to_owned()
    }
}

/// One event as the log shows it.
#[derive(Debug)]
struct Kept {
    index: u64,
    raw: String,
    door: String,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    events: Vec<Entry<'a>>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    index: u64,
    kind: String,
    source: Named,
    envelope: Value,
    /// Its very bytes.
    #[serde(borrow)]
    raw: &'a RawValue,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

fn ask(running: &Running, path: &str) -> String {
    let mut answer = ureq::get(format!("{}{path}", running.url)).header("Authorization", format!("Bearer {}", running.key)).call().unwrap();
    answer.body_mut().with_config().limit(256 << 20).read_to_string().unwrap()
}

/// Events by source, and the names of the records, in the log's order.
fn whole_log(running: &Running) -> (BTreeMap<String, Vec<Kept>>, Vec<String>) {
    let (mut kept, mut records, mut from) = (BTreeMap::<String, Vec<Kept>>::new(), Vec::new(), Some(0));
    while let Some(at) = from {
        let text = ask(running, &format!("/v1/events?from={at}&limit=1000"));
        let page: Page<'_> = serde_json::from_str(&text).unwrap();
        for entry in page.events {
            let raw = entry.raw.get();
            if entry.kind == "event" {
                let raw = if raw.starts_with('"') { serde_json::from_str(raw).unwrap() } else { raw.to_owned() };
                let door = entry.envelope["facts"]["door"].as_str().unwrap().to_owned();
                kept.entry(entry.source.name).or_default().push(Kept { index: entry.index, raw, door });
            } else if entry.kind == "record" {
                let record: Value = serde_json::from_str(raw).unwrap();
                records.push(record["record"].as_str().unwrap().to_owned());
            }
        }
        from = page.next;
    }
    (kept, records)
}

/// Waits until the log holds as many events of the sources that fetch by themselves.
fn until_fetched(running: &Running, day: &BTreeMap<&str, Vec<Event>>) {
    let began = Instant::now();
    loop {
        let (kept, _) = whole_log(running);
        let count = |source: &str| kept.get(source).map_or(0, Vec::len);
        if ["okta-prod", "aws-prod"].iter().all(|source| count(source) >= day[source].len()) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "okta {}, aws {}", count("okta-prod"), count("aws-prod"));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Every event of a source once, byte for byte, in order, through its door.
fn assert_kept(source: &str, door: &str, kept: &[Kept], sent: &[Event]) {
    for (nth, (kept, sent)) in kept.iter().zip(sent).enumerate() {
        assert_eq!(kept.raw, sent.raw, "number {nth} of {source}, entry {}", kept.index);
        assert_eq!(kept.door, door, "of {source}");
    }
    assert_eq!(kept.len(), sent.len(), "events of {source}");
}

/// All six are listed under their kinds, seen to their last event, and nothing is missing.
fn assert_listed(running: &Running, kept: &BTreeMap<String, Vec<Kept>>) {
    let began = Instant::now();
    for (name, kind, _) in SOURCES {
        let last = kept[name].last().unwrap().index;
        let listed = loop {
            let listed: Value = serde_json::from_str(&ask(running, "/v1/sources")).unwrap();
            let found = listed["sources"].as_array().unwrap().iter().find(|source| source["name"] == name).unwrap().clone();
            if found["status"]["last_index"] == last {
                break found;
            }
            // The watch gives way to every other work of the machine.
            assert!(began.elapsed() < Duration::from_secs(60), "the watch has not seen entry {last}: {found}");
            std::thread::sleep(Duration::from_millis(50));
        };
        assert_eq!(listed["kind"], kind, "{listed}");
        assert_eq!((&listed["status"]["missing"], &listed["status"]["numbered"]), (&0.into(), &(name == "bastion").into()), "{listed}");
        assert!(["ok", "learning"].contains(&listed["status"]["state"].as_str().unwrap()), "{listed}");
    }
}

fn requests(day: &BTreeMap<&str, Vec<Event>>, key: impl Fn(&str) -> String) -> [Vec<Request>; 4] {
    [
        senders::github(&day["github-corp"], SECRET),
        senders::kubernetes(&day["k8s-prod"], &key("k8s-prod")),
        senders::splunk(&day["auth0-prod"], &key("auth0-prod")),
        senders::lines(&day["bastion"], &key("bastion")),
    ]
}

/// Everything is sent while the server is killed; gives the server that runs at the end.
fn live_through(life: &Life, requests: &[Vec<Request>], objects: &[Event]) -> Running {
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| life.kill_again_and_again(&mut Dice::new(SEED + 7)));
        scope.spawn(|| write_objects(&life.spool, objects, TAKES));
        let send = |(requests, seed): (&[Request], u64)| send_all(&life.address, requests, TAKES, &mut Dice::new(seed));
        let senders: Vec<_> = requests.iter().map(Vec::as_slice).zip(SEED + 10..).map(|sender| scope.spawn(move || send(sender))).collect();
        // The last server must outlive the senders.
        let running = killer.join().unwrap();
        let again: Vec<usize> = senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        assert!(again.iter().all(|again| *again > 0), "every sender had to send again: {again:?}");
        running
    })
}

fn assert_verifies(data: &Path) {
    let verified = run(indelible().args(["verify", "--data"]).arg(data)).ok();
    assert!(!verified.out.is_empty());
}

#[test]
fn a_day_of_six_sources_through_six_doors_is_kept_exactly_once_in_source_order_over_kills() {
    let (day, life) = (the_day(), Life::new());
    let okta = Okta::start(day["okta-prod"].clone(), TAKES);
    let requests = {
        let key = connect(&life, &okta);
        requests(&day, key)
    };
    let running = live_through(&life, &requests, &day["aws-prod"]);
    until_fetched(&running, &day);
    let (kept, records) = whole_log(&running);
    assert_eq!(kept.len(), SOURCES.len(), "no other source: {:?}", kept.keys());
    for (name, _, door) in SOURCES {
        assert_kept(name, door, &kept[name], &day[name]);
    }
    assert_listed(&running, &kept);
    assert!(!records.iter().any(|record| record == "source.gap" || record == "door.lost"), "{records:?}");
    assert_eq!(running.stop(), 0);
    assert_verifies(&life.place.data());
}
