//! The real binary, killed while it polls: what it fetched is kept once, in the vendor's order.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::rig::now_ms;
use crate::vendor::{self, World};

const KILLS: u64 = 12;
const EVENTS: usize = 1_200;

fn indelible(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_indelible"));
    for name in ["INDELIBLE_URL", "INDELIBLE_KEY", "INDELIBLE_DATA", "INDELIBLE_LISTEN", "INDELIBLE_CA_FILE"] {
        command.env_remove(name);
    }
    command.env("OKTA_TOKEN", "token-secret").env("RUST_LOG", "error").current_dir(data.parent().unwrap());
    command
}

struct Serving {
    child: Child,
    /// Kept open: the server ends when it cannot say what it has to say.
    _out: BufReader<ChildStdout>,
    url: String,
}

fn serve(data: &Path) -> Serving {
    let mut command = indelible(data);
    let mut child = command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    let url = line.strip_prefix("listening").unwrap().trim().to_owned();
    Serving { child, _out: out, url }
}

impl Serving {
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ids of all events in the order of the log, and names of all records.
    fn kept(&self, key: &str) -> (Vec<String>, Vec<String>) {
        let (mut ids, mut records, mut from) = (Vec::new(), Vec::new(), Some(0));
        while let Some(at) = from {
            let asked =
                ureq::get(format!("{}/v1/events?from={at}&limit=500", self.url)).header("Authorization", format!("Bearer {key}")).call();
            let page: serde_json::Value = serde_json::from_str(&asked.unwrap().body_mut().read_to_string().unwrap()).unwrap();
            for entry in page["events"].as_array().unwrap() {
                let raw = &entry["raw"];
                ids.extend(raw["uuid"].as_str().map(str::to_owned));
                records.extend(raw["record"].as_str().map(str::to_owned));
            }
            from = page["next"].as_u64();
        }
        (ids, records)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dozen_kills_while_polling_lose_and_double_nothing() {
    let (dir, world) = (TempDir::new().unwrap(), World::new(5, []));
    let data = dir.path().join("data");
    let first = now_ms() - 3_600_000;
    world.happen((0..EVENTS).map(|n| (format!("e{n}"), first + n as u64)));
    let url = vendor::okta(world.clone()).await;
    let made = indelible(&data).args(["init", "--json", "--data"]).arg(&data).output().unwrap();
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    let key = made["admin_key"].as_str().unwrap().to_owned();
    let set = indelible(&data)
        .args(["connection", "set", "okta", "--kind", "poll.okta", "--source", "okta-prod", "--secret", "token=env:OKTA_TOKEN"])
        .arg(format!("--setting=url={url}"))
        .arg("--setting=start=2020-01-01T00:00:00Z")
        .arg("--data")
        .arg(&data)
        .output()
        .unwrap();
    assert!(set.status.success(), "{set:?}");
    let mut under_way = 0;
    for round in 0..KILLS {
        let serving = serve(&data);
        let (requests, began) = (world.requests(), Instant::now());
        // One that is up to date asks once and then waits.
        while world.requests() < requests + 1 {
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not poll");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(round * 3 % 10)).await;
        serving.kill();
        under_way += usize::from(world.requests() < EVENTS / 5);
    }
    assert!(under_way > 2, "killed while there was still something to fetch: {under_way}");
    let serving = serve(&data);
    let began = Instant::now();
    while serving.kept(&key).0.len() < EVENTS {
        assert!(began.elapsed() < Duration::from_secs(60), "{} kept", serving.kept(&key).0.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (ids, records) = serving.kept(&key);
    assert_eq!(ids, world.ids());
    assert!(records.iter().any(|record| record == "source.polling_began"));
    serving.kill();
    let verified = indelible(&data).args(["verify", "--data"]).arg(&data).output().unwrap();
    assert!(verified.status.success(), "{verified:?}");
}
