//! A trail with a lake, a server of it, and the binary.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use evidence::act::{KeyAct, Scope};
use indelible::access::Token;
use indelible::api::{ApiLimits, ApiState, serve};
use indelible::clock::{Clock, random};
use indelible::config::LakeContent;
use indelible::door::Admission;
use indelible::log::intent::Intent;
use indelible::search::Index;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::log::Log;
pub use crate::ran::{Ran, run, run_with_input};

/// The binary with nothing of the tester's own environment.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_indelible-sql"));
    for name in ["INDELIBLE_URL", "INDELIBLE_KEY", "INDELIBLE_CA_FILE", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A trail whose entries are in payload files, all of them in the lake.
pub struct Place {
    pub log: Log,
    pub index: Arc<Index>,
}

impl Place {
    pub fn new(log: Log) -> Self {
        let index = Arc::new(log.index(LakeContent::Columns));
        log.make_all(&index);
        log.trail.sync_checkpoint().unwrap();
        Self { log, index }
    }

    pub fn synthetic(events: u64) -> Self {
        Self::new(Log::synthetic(events))
    }

    pub fn data(&self) -> PathBuf {
        self.log.home().join("data")
    }

    /// How many entries are in payload files: all but the newest, the act that names these files among them.
    pub fn in_files(&self) -> usize {
        self.log.entries().len()
    }

    /// A file of the lake.
    pub fn some_file(&self) -> PathBuf {
        let name = self.log.lake().into_iter().map(|(name, _)| name).find(|name| name.ends_with(".parquet")).unwrap();
        self.log.lake_dir().join(name)
    }

    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = binary();
        command.arg("--data").arg(self.data()).args(args);
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        run(&mut self.command(args))
    }

    /// The rows of a query.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        let ran = self.run(["--format", "json", sql]).ok();
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
    }

    pub fn key(&self, scope: Scope) -> String {
        let token = Token::generate(&mut |out| random(out).unwrap());
        let key = KeyAct {
            id: token.key_id().to_string(),
            hash: evidence::fold::hash_of_token(token.reveal()),
            scopes: [scope].into(),
            sources: [].into(),
            expires_at: None,
            reset: false,
        };
        self.log.trail.log().act_blocking(Intent::CreateKey(key), b"{\"by\":\"local\"}".to_vec()).unwrap();
        token.reveal().to_owned()
    }

    /// A server of this trail in this process.
    pub fn serve(&self) -> Serving {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let admission = Arc::new(Admission::knowing(Arc::clone(&self.log.trail), Clock::system(), Arc::clone(&self.log.catalog)));
        let state = ApiState::of(admission, ApiLimits::default()).indexed_by(Arc::clone(&self.index));
        runtime.spawn(serve(listener, None, state, std::future::pending()));
        Serving { url, key: self.key(Scope::Read), cache: self.log.home().join("cache"), _runtime: runtime }
    }
}

/// A server that runs until it is dropped.
pub struct Serving {
    pub url: String,
    pub key: String,
    pub cache: PathBuf,
    _runtime: Runtime,
}

impl Serving {
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = binary();
        command.env("INDELIBLE_URL", &self.url).env("INDELIBLE_KEY", &self.key).arg("--cache").arg(&self.cache).args(args);
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        run(&mut self.command(args))
    }

    /// The files that are kept for the next query.
    pub fn kept(&self) -> Vec<PathBuf> {
        let dirs = std::fs::read_dir(&self.cache).into_iter().flatten().map(|dir| dir.unwrap().path());
        let mut files: Vec<_> = dirs.flat_map(|dir| std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path())).collect();
        files.sort();
        files
    }
}
