//! One connection polling a stand-in, restarted whenever it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indelible::clock::Clock;
use indelible::door::poll::Poller;
use indelible::door::poll::credentials::{Credentials, Keyring, Secrets};
use indelible::door::poll::driver::Driver;
use indelible::door::poll::http::Client;
use indelible::door::poll::status::{PollStatus, StatusCell};
use indelible::door::poll::upkeep::{KeptCursor, Upkeep};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::model_log::ModelLog;

type Make = Arc<dyn Fn(Option<&str>, u64) -> Box<dyn Poller> + Send + Sync>;

pub struct Rig {
    pub log: ModelLog,
    pub status: StatusCell,
    stop: watch::Sender<bool>,
    over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

pub fn now_ms() -> u64 {
    Clock::system().now_ms()
}

/// Secrets that are their own names with `-secret` behind. There is no session token: it would make
/// any AWS key a temporary one.
pub fn secrets() -> Secrets {
    Arc::new(|name: &str| if name == "session_token" { Err("none".to_owned()) } else { Ok(format!("{name}-secret")) })
}

/// Trusts nobody: all stand-ins speak plain HTTP on this machine.
pub fn client() -> Client {
    Client::trusting(rustls::RootCertStore::empty()).unwrap()
}

impl Rig {
    /// Polls from `start_ms` on with [`secrets`].
    pub fn start(
        log: ModelLog,
        credentials: Credentials,
        start_ms: u64,
        make: impl Fn(Option<&str>, u64) -> Box<dyn Poller> + Send + Sync + 'static,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (status, over) = (StatusCell::default(), Arc::new(AtomicBool::new(false)));
        let life = Life { log: log.clone(), credentials, start_ms, make: Arc::new(make), status: status.clone(), stopped };
        let ends = Arc::clone(&over);
        let task = tokio::spawn(async move {
            while !ends.load(Ordering::Acquire) {
                life.once().await;
            }
        });
        Self { log, status, stop, over, task }
    }

    pub fn status(&self) -> PollStatus {
        self.status.get()
    }

    /// Waits until `done` holds.
    pub async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "{what} did not happen; {:?}; {} kept", self.status(), self.log.ids().len());
            assert!(!self.task.is_finished(), "the poller panicked");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Stops as a server does, and gives how long it took.
    pub async fn stop(self) -> Duration {
        let began = Instant::now();
        self.over.store(true, Ordering::Release);
        self.stop.send_replace(true);
        self.task.await.unwrap();
        began.elapsed()
    }
}

struct Life {
    log: ModelLog,
    credentials: Credentials,
    start_ms: u64,
    make: Make,
    status: StatusCell,
    stopped: watch::Receiver<bool>,
}

impl Life {
    async fn once(&self) {
        let kept = self.log.cursor().and_then(|cursor| KeptCursor::read(cursor.as_bytes(), "test"));
        let begun = kept.is_some();
        let kept = kept.unwrap_or_else(|| KeptCursor::first("test", self.start_ms));
        let upkeep = Upkeep {
            connection: "test".into(),
            keep: self.log.keep(),
            status: self.status.clone(),
            clock: Clock::system(),
            // The shortest wait of each draw: a test has no patience.
            random: Box::new(|| 0),
            backoff: indelible::door::poll::backoff::Backoff::default(),
        };
        let driver = Driver {
            poller: (self.make)(kept.at.as_deref(), kept.start),
            kept,
            begun,
            keyring: Keyring::new(self.credentials.clone(), secrets(), client()),
            client: client(),
            upkeep,
            stop: self.stopped.clone(),
        };
        driver.run().await;
    }
}
