//! A server in this process, on a directory of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use evidence::act::{KeyAct, Scope};
use indelible::access::Token;
use indelible::api::{ApiLimits, ApiState, serve};
use indelible::clock::{Clock, random};
use indelible::config::LakeContent;
use indelible::door::Admission;
use indelible::door::secret::{SECRETS_DIR, Secrets};
use indelible::log::intent::Intent;
use indelible::search::{Index, Indexer};
use indelible::store::media::Media;
use indelible::store::media::disk::Disk;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::watch::{Observe, Watch};
use serde_json::{Value, json};
use tempfile::TempDir;
use tlog::VerifierKey;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::client::{Ask, Reply, send};

pub struct Server {
    pub address: SocketAddr,
    pub trail: Arc<Trail>,
    pub admin: String,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<std::io::Result<()>>>,
    runtime: Runtime,
    _dir: Option<TempDir>,
    /// Where connections find their secrets.
    secrets: TempDir,
    /// What derives the lake, where it is wanted.
    indexer: Option<(Indexer, TempDir)>,
}

/// How a test's server differs from the ordinary one.
#[derive(Default)]
pub struct Setup {
    pub limits: ApiLimits,
    pub clock: Option<Clock>,
    pub tls: Option<TlsAcceptor>,
    pub media: Option<Arc<dyn Media>>,
    pub segment_leaves: Option<u64>,
    /// Follow the sources, reading events so.
    pub observe: Option<Observe>,
    /// Derive the indexes and this lake.
    pub lake: Option<LakeContent>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    pub fn limited(change: impl FnOnce(&mut ApiLimits)) -> Self {
        let mut limits = ApiLimits::default();
        change(&mut limits);
        Self::with(Setup { limits, ..Setup::default() })
    }

    pub fn with(setup: Setup) -> Self {
        let clock = setup.clock.unwrap_or_else(Clock::system);
        let (media, dir) = match setup.media {
            Some(media) => (media, None),
            None => {
                let dir = TempDir::new().unwrap();
                (Arc::new(Disk::new(dir.path()).unwrap()) as Arc<dyn Media>, Some(dir))
            }
        };
        let options = TrailOptions::main("/test");
        let segment_leaves = setup.segment_leaves.unwrap_or(options.segment_leaves);
        let trail = Trail::open(media, &TrailOptions { clock: clock.clone(), segment_leaves, ..options }).unwrap();
        let admin = make_key(&trail, &[Scope::Admin], &[], None);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let secrets = TempDir::new().unwrap();
        let admission = Arc::new(Admission::new(Arc::clone(&trail), clock.clone()));
        let state = ApiState::with_secrets(admission, setup.limits, Some(Secrets::of(secrets.path())));
        let state = match setup.observe {
            Some(observe) => state.watched_by(Watch::start(&trail, clock, observe).unwrap()),
            None => state,
        };
        let (state, indexer) = match setup.lake {
            Some(content) => {
                let dir = TempDir::new().unwrap();
                let index = Index::kept_in(dir.path().to_owned(), Arc::clone(state.admission().catalog())).with_lake(content);
                let index = Arc::new(index);
                let indexer = Indexer::start(&trail, &index).unwrap();
                (state.indexed_by(index), Some((indexer, dir)))
            }
            None => (state, None),
        };
        let serving = runtime.spawn(serve(listener, setup.tls, state, async {
            let _ = stopped.await;
        }));
        Self { address, trail, admin, stop: Some(stop), serving: Some(serving), runtime, _dir: dir, secrets, indexer }
    }

    /// A key made behind the API's back.
    pub fn key(&self, scopes: &[Scope], sources: &[&str]) -> String {
        make_key(&self.trail, scopes, sources, None)
    }

    pub fn key_until(&self, scopes: &[Scope], expires_at: u64) -> String {
        make_key(&self.trail, scopes, &[], Some(expires_at))
    }

    pub fn send(&self, ask: Ask) -> Reply {
        send(self.address, &ask)
    }

    /// With the admin key.
    pub fn get(&self, path: &str) -> Reply {
        self.send(Ask::new("GET", path).key(&self.admin))
    }

    pub fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.send(Ask::new("POST", path).key(&self.admin).body(body))
    }

    /// Sets a connection whose source is `from-NAME`.
    pub fn connect(&self, name: &str, kind: &str, settings: Value, secrets: Value) {
        self.send(make_connection(name, kind, settings, secrets).key(&self.admin)).expect(200);
    }

    /// Writes what `file:NAME` stands for.
    pub fn write_secret(&self, name: &str, secret: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.secrets.path().join(SECRETS_DIR).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Sends events of `test`; the answer has this status.
    #[track_caller]
    pub fn events(&self, status: u16, body: impl Into<Vec<u8>>) -> Value {
        self.post("/v1/events?source=test", body).expect(status).json()
    }

    /// Keeps one event and gives its index.
    #[track_caller]
    pub fn keep(&self, body: &str) -> u64 {
        self.events(200, body)["results"][0]["index"].as_u64().unwrap()
    }

    pub fn vkey(&self) -> VerifierKey {
        self.get("/v1/trails/main").json()["vkey"].as_str().unwrap().parse().unwrap()
    }

    pub fn make_public(&self, public: bool) {
        let body = json!({ "public": public }).to_string();
        self.send(Ask::new("PUT", "/v1/trails/main/public").key(&self.admin).body(body)).expect(200);
    }

    /// Where the lake lies.
    pub fn lake_dir(&self) -> std::path::PathBuf {
        self.indexer.as_ref().unwrap().1.path().join("lake")
    }

    /// Begins the shutdown and does not wait for it.
    pub fn begin_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits until the server has ended.
    pub fn wait(&mut self) {
        let serving = self.serving.take().unwrap();
        self.runtime.block_on(serving).unwrap().unwrap();
    }

    /// Raw bytes, source and door of every event the trail holds, in order.
    pub fn kept(&self) -> Vec<(String, String, String)> {
        let size = self.trail.view().size;
        let entries = self.trail.reader().entries(0, size as usize).unwrap();
        let events = entries.iter().filter(|entry| entry.leaf.kind == evidence::leaf::Kind::Event);
        let shown = |entry: &indelible::store::read::StoredEntry| {
            let facts = evidence::envelope::Facts::parse(&entry.facts).unwrap();
            (String::from_utf8_lossy(&entry.raw).into_owned(), facts.source, facts.door)
        };
        events.map(shown).collect()
    }

    /// Raw bytes of every event the trail holds, in order.
    pub fn raws(&self) -> Vec<String> {
        self.kept().into_iter().map(|(raw, _, _)| raw).collect()
    }

    /// Every record the trail holds, newest last.
    pub fn records(&self) -> Vec<Value> {
        let size = self.trail.view().size;
        let entries = self.trail.reader().entries(0, size as usize).unwrap();
        let records = entries.iter().filter(|entry| entry.leaf.kind == evidence::leaf::Kind::Record);
        records.map(|entry| serde_json::from_slice(&entry.raw).unwrap()).collect()
    }
}

/// Sets a connection whose source is `from-NAME`.
pub fn make_connection(name: &str, kind: &str, settings: Value, secrets: Value) -> Ask {
    let body = json!({ "kind": kind, "source": format!("from-{name}"), "settings": settings, "secrets": secrets });
    Ask::new("PUT", &format!("/v1/connections/{name}")).body(body.to_string())
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn make_key(trail: &Trail, scopes: &[Scope], sources: &[&str], expires_at: Option<u64>) -> String {
    let token = Token::generate(&mut |out| random(out).unwrap());
    let key = KeyAct {
        id: token.key_id().to_string(),
        hash: evidence::fold::hash_of_token(token.reveal()),
        scopes: scopes.iter().copied().collect(),
        sources: sources.iter().map(|&name| name.to_owned()).collect(),
        expires_at,
        reset: false,
    };
    trail.log().act_blocking(Intent::CreateKey(key), b"{\"by\":\"local\"}".to_vec()).unwrap();
    token.reveal().to_owned()
}
