//! All forwards of a trail: started, stopped and restarted as the records say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use evidence::act::SecretReference;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::door::Admission;
use crate::door::poll::http::Client;
use crate::door::secret::Secrets;
use crate::forward::Forwards;
use crate::forward::place::{self, Place};
use crate::forward::receiver::{Means, Receiver};
use crate::forward::run::Runner;
use crate::forward::setting::Forward;
use crate::forward::status::Doing;
use crate::search::named::{InForce, Kept, Within};
use crate::search::{Following, Index, parse};
use crate::store::media::Media;

/// Forwards that could not be read are read again after this.
const AGAIN: Duration = Duration::from_secs(10);

/// Runs the forwards of a trail.
pub struct Service {
    /// What they are.
    pub forwards: Arc<Forwards>,
    /// The log, and who is who.
    pub admission: Arc<Admission>,
    /// What need not be read.
    pub index: Arc<Index>,
    /// Where secrets are found.
    pub secrets: Secrets,
    /// Network; none on a machine that trusts no authority.
    pub client: Option<Client>,
    /// Where places are noted, and files go.
    pub media: Arc<dyn Media>,
}

struct Running {
    /// Index of the record that it runs by.
    index: u64,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Service {
    /// Runs what the records say until `stop` is true; then every forward has ended.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut running = BTreeMap::new();
        loop {
            let wait = match self.in_force().await {
                Ok(forwards) => {
                    self.follow(&mut running, &forwards).await;
                    Duration::MAX
                }
                Err(why) => {
                    warn!(why, "forwards are not known yet");
                    AGAIN
                }
            };
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                () = self.forwards.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        for (name, running) in running {
            end(&name, running).await;
        }
    }

    async fn in_force(&self) -> Result<InForce<Forward>, String> {
        let (forwards, admission, index) = (Arc::clone(&self.forwards), Arc::clone(&self.admission), Arc::clone(&self.index));
        let read = move || {
            let trail = admission.trail();
            let directory = admission.identities().in_force(trail).map_err(|why| why.to_string())?;
            forwards.in_force(Within { trail, index: &index, directory: &directory }).map_err(|why| why.to_string())
        };
        tokio::task::spawn_blocking(read).await.map_err(|why| why.to_string())?
    }

    async fn follow(&self, running: &mut BTreeMap<String, Running>, forwards: &InForce<Forward>) {
        let over = |(name, running): (&String, &Running)| {
            let stands = forwards.get(name).is_some_and(|forward| forward.index == running.index);
            (!stands).then(|| name.clone())
        };
        for name in running.iter().filter_map(over).collect::<Vec<_>>() {
            if let Some(running) = running.remove(&name) {
                end(&name, running).await;
                self.forwards.statuses.forget(&name);
            }
        }
        for (name, forward) in forwards {
            if running.contains_key(name) {
                continue;
            }
            let (stop, stopped) = watch::channel(false);
            let task = match self.runner(name, forward) {
                Ok(runner) => {
                    let at = runner.following.at();
                    info!(forward = name, kind = forward.value.to.kind(), at, "forwarding");
                    // Known before the receiver has answered once, which may take minutes.
                    self.forwards.statuses.change(name, |status| status.at = at);
                    tokio::spawn(runner.run(stopped))
                }
                Err(why) => {
                    warn!(forward = name, why, "a forward cannot begin");
                    let now = self.admission.clock().now_ms();
                    self.forwards.statuses.change(name, |status| {
                        (status.doing, status.at) = (Doing::Failing, forward.value.from);
                        status.failures += 1;
                        (status.last_error, status.last_error_at) = (Some(why), Some(now));
                    });
                    tokio::spawn(std::future::ready(()))
                }
            };
            running.insert(name.clone(), Running { index: forward.index, stop, task });
        }
    }

    fn runner(&self, name: &str, forward: &Kept<Forward>) -> Result<Runner, String> {
        let forward = &forward.value;
        let began = forward.began;
        let noted = place::read(&*self.media, name, began).map_err(|why| why.to_string())?;
        let place = noted.unwrap_or(Place { began, at: forward.from, file: None });
        let clock = self.admission.clock().clone();
        let query = parse(&forward.line).map_err(|why| format!("its line is not read any more, add it anew: {why}"))?;
        let (secrets, references) = (self.secrets.clone(), forward.secrets.clone());
        let lookup = Arc::new(move |name: &str| {
            let reference = references.get(name).ok_or_else(|| format!("the forward has no secret `{name}`"))?;
            let reference: SecretReference = reference.parse().map_err(|why| format!("{why}"))?;
            secrets.resolve(&reference).map(|secret| secret.reveal().to_owned()).map_err(|why| why.to_string())
        });
        let means = Means { name: name.to_owned(), media: Arc::clone(&self.media), client: self.client.clone(), secrets: lookup };
        Ok(Runner {
            receiver: Receiver::new(forward, &place, means).map_err(|why| why.to_string())?,
            following: Following::from(query, clock.now_ms(), place.at),
            place,
            name: name.to_owned(),
            media: Arc::clone(&self.media),
            admission: Arc::clone(&self.admission),
            index: Arc::clone(&self.index),
            statuses: self.forwards.statuses.clone(),
            clock,
            random,
        })
    }
}

/// Jitter needs no secrecy: without randomness there is none, and nothing breaks.
fn random() -> u64 {
    let mut bytes = [0; 8];
    match crate::clock::random(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => u64::MAX,
    }
}

async fn end(name: &str, running: Running) {
    running.stop.send_replace(true);
    if let Err(why) = running.task.await {
        warn!(forward = name, %why, "a forward ended in an unforeseen way");
    }
}
