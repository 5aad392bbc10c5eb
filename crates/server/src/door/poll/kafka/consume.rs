//! Reads a topic with librdkafka.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer as _, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::door::poll::credentials::Secrets;
use crate::door::poll::driver::pieces;
use crate::door::poll::http::Client;
use crate::door::poll::kafka::{From, Offsets, Security, Topic, Watermarks, events};
use crate::door::poll::status::Doing;
use crate::door::poll::upkeep::{Ended, KeptCursor, Piece, Upkeep};
use crate::door::poll::{Event, Note, token};

/// For metadata and watermarks.
const ASK_LIMIT: Duration = Duration::from_secs(15);
/// Messages that come within this time of the first are kept with it.
const GATHER: Duration = Duration::from_millis(100);
/// Most events and bytes gathered.
const EVENTS_MAX: usize = 2_000;
const BYTES_MAX: usize = 2 << 20;
/// Partitions are counted again this often; new ones are read from their beginning.
const PARTITIONS_EVERY: Duration = Duration::from_secs(300);

/// A topic, with all it takes to read it.
pub struct Consumption {
    /// Which topic.
    pub topic: Topic,
    /// Where the cursor stands.
    pub kept: KeptCursor,
    /// Secrets by name.
    pub secrets: Secrets,
    /// For tokens.
    pub client: Client,
    /// Log, status, clock.
    pub upkeep: Upkeep,
    /// True when it is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Why a session ended.
enum Over {
    /// The log takes nothing more.
    Log,
    /// A failure that another session may not have.
    Failed(String),
    /// The topic has other partitions by now.
    Partitions,
}

impl std::convert::From<Ended> for Over {
    fn from(_: Ended) -> Self {
        Self::Log
    }
}

impl std::convert::From<KafkaError> for Over {
    fn from(why: KafkaError) -> Self {
        Self::Failed(format!("Kafka: {why}"))
    }
}

impl Consumption {
    /// Reads until told to stop, or until the log takes nothing more.
    pub async fn run(mut self) {
        let (status, mut stop) = (self.upkeep.status.clone(), self.stop.clone());
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.sessions() => {}
        }
        status.change(|status| {
            status.doing = Doing::Stopped;
            status.next_at = None;
        });
    }

    async fn sessions(&mut self) {
        loop {
            match self.session().await {
                Ok(()) | Err(Over::Partitions) => {}
                Err(Over::Log) => return,
                Err(Over::Failed(why)) => self.upkeep.fail(&why).await,
            }
        }
    }

    async fn session(&mut self) -> Result<(), Over> {
        let consumer = Arc::new(self.consumer()?);
        let partitions = self.partitions(&consumer).await?;
        let mut offsets = self.begin(&partitions).await?;
        let mut assignment = TopicPartitionList::new();
        for (partition, offset) in &offsets.0 {
            assignment.add_partition_offset(&self.topic.name, *partition, Offset::Offset(*offset))?;
        }
        consumer.assign(&assignment)?;
        let mut at_end: BTreeMap<i32, bool> = partitions.keys().map(|partition| (*partition, false)).collect();
        let mut count_at = Instant::now() + PARTITIONS_EVERY;
        loop {
            let gathered = self.gather(&consumer, &mut offsets, &mut at_end).await?;
            self.keep(gathered, &offsets).await?;
            self.upkeep.worked(at_end.values().all(|at_end| *at_end));
            if Instant::now() >= count_at {
                count_at = Instant::now() + PARTITIONS_EVERY;
                if self.partitions(&consumer).await?.len() != partitions.len() {
                    return Err(Over::Partitions);
                }
            }
        }
    }

    fn consumer(&self) -> Result<StreamConsumer<Tokens>, Over> {
        let secret = |name: &str| (self.secrets)(name).map_err(Over::Failed);
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.topic.brokers)
            // Asked for by the client; no group is joined and no offset is given to the broker.
            .set("group.id", format!("indelible-{}", self.upkeep.connection))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("queued.max.messages.kbytes", "16384");
        let mut tokens = Tokens { source: None };
        match &self.topic.security {
            Security::Plaintext => {}
            Security::Tls => {
                config.set("security.protocol", "ssl");
            }
            Security::Password { mechanism, username } => {
                config.set("security.protocol", "sasl_ssl").set("sasl.mechanism", *mechanism);
                config.set("sasl.username", username).set("sasl.password", secret("password")?);
            }
            Security::Token { token_url, client_id, scope } => {
                config.set("security.protocol", "sasl_ssl").set("sasl.mechanism", "OAUTHBEARER");
                let client_secret = secret("client_secret")?;
                let ask = token::ask(token_url, client_id, &client_secret, scope);
                tokens.source =
                    Some(TokenSource { ask, client_id: client_id.clone(), client: self.client.clone(), runtime: Handle::current() });
            }
        }
        Ok(config.create_with_context(tokens)?)
    }

    async fn partitions(&mut self, consumer: &Arc<StreamConsumer<Tokens>>) -> Result<BTreeMap<i32, Watermarks>, Over> {
        let (consumer, topic) = (Arc::clone(consumer), self.topic.name.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let metadata = consumer.fetch_metadata(Some(&topic), ASK_LIMIT)?;
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|partition| partition.id());
            let marks = partitions.map(|partition| {
                let (low, high) = consumer.fetch_watermarks(&topic, partition, ASK_LIMIT)?;
                Ok((partition, Watermarks { low, high }))
            });
            marks.collect::<Result<BTreeMap<_, _>, KafkaError>>()
        });
        let partitions = asked.await.map_err(|why| Over::Failed(why.to_string()))??;
        if partitions.is_empty() {
            return Err(Over::Failed(format!("the topic `{}` has no partitions: is its name right, and may we read it?", self.topic.name)));
        }
        Ok(partitions)
    }

    /// Where each partition begins; kept before the first message is read.
    async fn begin(&mut self, partitions: &BTreeMap<i32, Watermarks>) -> Result<Offsets, Over> {
        let known = Offsets::of(self.kept.at.as_deref());
        let mut offsets = known.clone().unwrap_or_default();
        let from = if known.is_some() { From::Earliest } else { self.topic.from };
        let mut notes = offsets.settle(partitions, from);
        if known.is_none() {
            let from = offsets.0.iter().map(|(partition, offset)| format!("{partition}:{offset}")).collect::<Vec<_>>().join(" ");
            notes.push(Note { record: "source.polling_began", members: vec![("from", from)] });
        }
        if known.as_ref() != Some(&offsets) {
            let piece = Piece { events: Vec::new(), notes, cursor: self.cursor(&offsets) };
            if piece.notes.is_empty() {
                return Ok(offsets);
            }
            self.upkeep.keep(piece).await?;
        }
        Ok(offsets)
    }

    fn cursor(&mut self, offsets: &Offsets) -> Option<String> {
        self.kept.at = offsets.cursor();
        Some(self.kept.to_text())
    }

    /// The next messages, as events; waits for the first one, or for the end of a partition.
    async fn gather(
        &mut self,
        consumer: &StreamConsumer<Tokens>,
        offsets: &mut Offsets,
        at_end: &mut BTreeMap<i32, bool>,
    ) -> Result<Vec<Event>, Over> {
        let (mut gathered, mut bytes) = (Vec::new(), 0);
        let mut until = Instant::now() + Duration::from_secs(1);
        while gathered.len() < EVENTS_MAX && bytes < BYTES_MAX {
            let Ok(received) = timeout_at(until, consumer.recv()).await else {
                break;
            };
            match received {
                Ok(message) => {
                    at_end.insert(message.partition(), false);
                    if gathered.is_empty() {
                        until = Instant::now() + GATHER;
                    }
                    if offsets.pass(message.partition(), message.offset()) {
                        bytes += message.payload_len();
                        gathered.extend(self.events_of(&message));
                    }
                }
                Err(KafkaError::PartitionEOF(partition)) => {
                    at_end.insert(partition, true);
                    if at_end.values().all(|at_end| *at_end) {
                        break;
                    }
                }
                Err(why) => return Err(why.into()),
            }
        }
        self.upkeep.status.change(|status| status.requests += 1);
        Ok(gathered)
    }

    fn events_of(&self, message: &BorrowedMessage<'_>) -> Vec<Event> {
        let payload = Bytes::copy_from_slice(message.payload().unwrap_or_default());
        let at_ms = message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok());
        events(&self.topic.name, message.partition(), message.offset(), at_ms, &payload)
    }

    async fn keep(&mut self, gathered: Vec<Event>, offsets: &Offsets) -> Result<(), Over> {
        let mut pieces = pieces(gathered);
        let cursor = self.cursor(offsets);
        if let Some(last) = pieces.last_mut() {
            last.cursor = cursor;
        }
        for piece in pieces {
            self.upkeep.keep(piece).await?;
        }
        Ok(())
    }
}

/// Gives librdkafka a token when it asks.
struct Tokens {
    source: Option<TokenSource>,
}

struct TokenSource {
    ask: crate::door::poll::Ask,
    client_id: String,
    client: Client,
    runtime: Handle,
}

impl ConsumerContext for Tokens {}

impl ClientContext for Tokens {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let source = self.source.as_ref().ok_or("no token is configured")?;
        let (ask, client, runtime) = (source.ask.clone(), source.client.clone(), source.runtime.clone());
        // Called from within a task, where nothing may wait for another one: a thread of its own may.
        let asked = std::thread::spawn(move || runtime.block_on(client.send(ask, http::HeaderMap::new()))).join();
        let answer = asked.map_err(|_| "the request for a token ended in an unforeseen way")??;
        let now = u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?;
        let token = token::read(answer.status, &answer.body, now)?;
        Ok(OAuthToken { token: token.value, principal_name: source.client_id.clone(), lifetime_ms: i64::try_from(token.renew_at_ms)? })
    }
}
