//! All pollers of a trail: started, stopped and restarted as the connections in its fold say.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::rand;
use evidence::act::ConnectionAct;
use evidence::fold::{ConnectionEntry, TrailState};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::door::poll::backoff::Backoff;
use crate::door::poll::credentials::Keyring;
use crate::door::poll::driver::Driver;
use crate::door::poll::http::Client;
use crate::door::poll::keep::keep;
use crate::door::poll::settings::{Fetch, SettingError, Wanted, is_polled};
use crate::door::poll::status::Doing;
use crate::door::poll::upkeep::{KeptCursor, Upkeep};
use crate::door::secret::Secrets;
use crate::door::{Admission, Origin, source_kind};
use crate::intake::SourceName;

/// The door's name in envelopes.
const DOOR: &str = "poll";

/// Runs the pollers of a trail.
pub struct Pollers {
    admission: Arc<Admission>,
    secrets: Secrets,
    client: Client,
    running: BTreeMap<String, Running>,
}

struct Running {
    /// Index of the act that it runs by.
    index: u64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Pollers {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(admission: Arc<Admission>, secrets: Secrets, client: Client) -> Self {
        Self { admission, secrets, client, running: BTreeMap::new() }
    }

    /// Runs what the fold says until `stop` is true; then every poller has ended.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut size = self.admission.trail().log().follow();
        let mut known = None;
        loop {
            let state = Arc::clone(&self.admission.trail().view().state);
            // Most commits change no connection; the newest act of one tells.
            let newest = (state.connections.len(), state.connections.values().map(|entry| entry.index).max());
            if known != Some(newest) {
                known = Some(newest);
                self.follow(&state).await;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                changed = size.changed() => if changed.is_err() { break },
            }
        }
        for running in self.running.values() {
            running.stop.send_replace(true);
        }
        for (name, running) in std::mem::take(&mut self.running) {
            ended(&name, running.task).await;
        }
    }

    async fn follow(&mut self, state: &TrailState) {
        let wanted = |name: &str| state.connections.get(name).filter(|entry| entry.act.enabled && is_polled(&entry.act.kind));
        let over: Vec<String> = self
            .running
            .iter()
            .filter(|(name, running)| wanted(name).is_none_or(|entry| entry.index != running.index))
            .map(|(name, _)| name.clone())
            .collect();
        for name in over {
            if let Some(running) = self.running.remove(&name) {
                running.stop.send_replace(true);
                ended(&name, running.task).await;
                self.admission.metrics().polls.forget(&name);
            }
        }
        for (name, entry) in &state.connections {
            if wanted(name).is_some() && !self.running.contains_key(name) {
                self.start(state, name, entry);
            }
        }
    }

    fn start(&mut self, state: &TrailState, name: &str, entry: &ConnectionEntry) {
        let (stop, stopped) = watch::channel(false);
        let task = match self.spawn(state, &entry.act, stopped) {
            Ok(task) => {
                info!(connection = name, kind = entry.act.kind, "polling");
                task
            }
            Err(why) => {
                warn!(connection = name, %why, "a connection cannot be polled with these settings");
                let now = self.admission.clock().now_ms();
                self.admission.metrics().polls.cell(name).change(|status| {
                    status.doing = Doing::Stopped;
                    status.failures += 1;
                    status.last_error = Some(why.to_string());
                    status.last_error_at = Some(now);
                });
                tokio::spawn(std::future::ready(()))
            }
        };
        self.running.insert(name.to_owned(), Running { index: entry.index, stop, task });
    }

    fn spawn(&self, state: &TrailState, act: &ConnectionAct, stop: watch::Receiver<bool>) -> Result<JoinHandle<()>, SettingError> {
        let wanted = Wanted::read(act)?;
        let source = state.sources.get(&act.source).map_or("", |source| &source.name);
        let source: SourceName = source.parse().map_err(|_| SettingError::Source(source.to_owned()))?;
        let origin = Origin { source, kind: source_kind(&act.kind).to_owned().into(), door: DOOR };
        let clock = self.admission.clock().clone();
        let kept = self.admission.trail().log().cursor(&act.name).and_then(|bytes| KeptCursor::read(&bytes, &wanted.of));
        let begun = kept.is_some();
        let kept = kept.unwrap_or_else(|| KeptCursor::first(&wanted.of, wanted.start_ms.unwrap_or_else(|| clock.now_ms())));
        let (secrets, references) = (self.secrets.clone(), act.secrets.clone());
        let lookup: crate::door::poll::credentials::Secrets = Arc::new(move |name: &str| {
            let reference = references.get(name).ok_or_else(|| format!("the connection has no secret `{name}`"))?;
            secrets.resolve(reference).map(|secret| secret.reveal().to_owned()).map_err(|why| why.to_string())
        });
        let upkeep = Upkeep {
            connection: act.name.clone(),
            keep: keep(Arc::clone(&self.admission), act.name.clone(), origin),
            status: self.admission.metrics().polls.cell(&act.name),
            clock,
            random: Box::new(random),
            backoff: Backoff::default(),
        };
        let client = self.client.clone();
        match wanted.fetch(kept.at.as_deref(), kept.start) {
            Fetch::Http(poller, credentials) => {
                let keyring = Keyring::new(credentials, lookup, client.clone());
                Ok(tokio::spawn(Driver { poller, kept, begun, keyring, client, upkeep, stop }.run()))
            }
            #[cfg(feature = "kafka")]
            Fetch::Kafka(topic) => {
                let consumption = crate::door::poll::kafka::consume::Consumption { topic, kept, secrets: lookup, client, upkeep, stop };
                Ok(tokio::spawn(consumption.run()))
            }
            #[cfg(not(feature = "kafka"))]
            Fetch::Kafka(_) => Err(SettingError::NoKafka),
        }
    }
}

/// Jitter needs no secrecy: without randomness there is none, and nothing breaks.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match rand::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => u64::MAX,
    }
}

async fn ended(name: &str, task: JoinHandle<()>) {
    if let Err(why) = task.await {
        warn!(connection = name, %why, "a poller ended in an unforeseen way");
    }
}
