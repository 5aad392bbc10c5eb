//! A topic of librdkafka's mock cluster: every message is kept once and in its partition's order,
//! whatever fails and whenever this side is restarted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test that panics has failed"
)]

#[path = "pollers/model_log.rs"]
mod model_log;

use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::clock::Clock;
use indelible::door::poll::backoff::Backoff;
use indelible::door::poll::http::Client;
use indelible::door::poll::kafka::consume::Consumption;
use indelible::door::poll::kafka::{From, Security, Topic};
use indelible::door::poll::status::{Doing, StatusCell};
use indelible::door::poll::upkeep::{KeptCursor, Upkeep};
use rdkafka::config::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::model_log::{Crash, ModelLog};

const TOPIC: &str = "insights-logs-signinlogs";
const PARTITIONS: i32 = 3;

struct Cluster {
    mock: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Cluster {
    fn new() -> Self {
        let mock = MockCluster::new(3).unwrap();
        mock.create_topic(TOPIC, PARTITIONS, 1).unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", mock.bootstrap_servers()).create().unwrap();
        Self { mock, producer }
    }

    async fn send(&self, partition: i32, payload: &str) {
        let record = FutureRecord::<(), _>::to(TOPIC).partition(partition).payload(payload);
        self.producer.send(record, Duration::from_secs(10)).await.unwrap();
    }

    /// Messages of two events each, as Event Hubs wrap them, one after another in all partitions.
    async fn fill(&self, from: usize, to: usize) {
        for n in from..to {
            self.send((n % 3) as i32, &format!(r#"{{"records": [{{"id":"{n:03}a"}} , {{"id":"{n:03}b"}}]}}"#)).await;
        }
    }
}

struct Rig {
    log: ModelLog,
    status: StatusCell,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Rig {
    fn start(log: ModelLog, cluster: &Cluster, from: From) -> Self {
        let topic = Topic { brokers: cluster.mock.bootstrap_servers(), name: TOPIC.into(), security: Security::Plaintext, from };
        let (stop, stopped) = watch::channel(false);
        let (status, cell, kept_in) = (StatusCell::default(), StatusCell::default(), log.clone());
        let shown = status.clone();
        drop(cell);
        let task = tokio::spawn(async move {
            // Until it ends because it was told to.
            while !*stopped.borrow() {
                let kept = kept_in
                    .cursor()
                    .and_then(|cursor| KeptCursor::read(cursor.as_bytes(), "test"))
                    .unwrap_or_else(|| KeptCursor::first("test", 0));
                let upkeep = Upkeep {
                    connection: "test".into(),
                    keep: kept_in.keep(),
                    status: shown.clone(),
                    clock: Clock::system(),
                    random: Box::new(|| 0),
                    backoff: Backoff::default(),
                };
                let client = Client::trusting(rustls::RootCertStore::empty()).unwrap();
                let secrets = Arc::new(|name: &str| Ok(name.to_owned()));
                Consumption { topic: topic.clone(), kept, secrets, client, upkeep, stop: stopped.clone() }.run().await;
            }
        });
        Self { log, status, stop, task }
    }

    async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "{what} did not happen; {:?}; {} kept",
                self.status.get(),
                self.log.raws().len()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }

    /// Exactly these messages, each partition in its order.
    fn assert_kept(&self, messages: usize) {
        let raws: Vec<String> = self.log.raws().into_iter().map(|raw| String::from_utf8(raw).unwrap()).collect();
        assert_eq!(raws.len(), messages * 2);
        for partition in 0..3 {
            let of = |raw: &&String| raw[7..10].parse::<usize>().unwrap() % 3 == partition;
            let kept: Vec<&String> = raws.iter().filter(of).collect();
            let expected: Vec<String> = (0..messages)
                .filter(|n| n % 3 == partition)
                .flat_map(|n| [format!(r#"{{"id":"{n:03}a"}}"#), format!(r#"{{"id":"{n:03}b"}}"#)])
                .collect();
            assert_eq!(kept, expected.iter().collect::<Vec<_>>(), "partition {partition}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_read_from_its_beginning_and_then_followed() {
    let cluster = Cluster::new();
    cluster.fill(0, 30).await;
    let rig = Rig::start(ModelLog::default(), &cluster, From::Earliest);
    rig.until("the past", |rig| rig.log.raws().len() == 60).await;
    rig.until("caught up", |rig| rig.status.get().doing == Doing::Waiting).await;
    cluster.fill(30, 45).await;
    rig.until("the new", |rig| rig.log.raws().len() == 90).await;
    rig.assert_kept(45);
    assert!(rig.log.ids()[0].starts_with(&format!("{TOPIC}/")));
    assert!(rig.status.get().newest_event_at.is_some());
    assert_eq!(rig.log.notes("source.polling_began").len(), 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_commit_crashes_every_message_is_kept_once() {
    for commit in [0, 1, 2] {
        for crash in [Crash::Lost, Crash::KeptUnheard, Crash::Busy] {
            let cluster = Cluster::new();
            cluster.fill(0, 12).await;
            let rig = Rig::start(ModelLog::crashing([(commit, crash)]), &cluster, From::Earliest);
            rig.until("the past", |rig| rig.log.raws().len() == 24).await;
            cluster.fill(12, 24).await;
            rig.until("all", |rig| rig.log.raws().len() == 48).await;
            rig.assert_kept(24);
            rig.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_and_not_the_broker_knows_where_to_go_on() {
    let cluster = Cluster::new();
    cluster.fill(0, 9).await;
    let log = ModelLog::default();
    let rig = Rig::start(log.clone(), &cluster, From::Latest);
    rig.until("the beginning", |rig| rig.log.notes("source.polling_began").len() == 1).await;
    rig.stop().await;
    assert_eq!(log.raws().len(), 0, "it begins with the next message");
    // While nobody reads.
    cluster.fill(9, 12).await;
    let rig = Rig::start(log, &cluster, From::Latest);
    rig.until("the new", |rig| rig.log.raws().len() == 6).await;
    assert_eq!(rig.log.notes("source.polling_began").len(), 1);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_go_and_come_back_cost_no_message() {
    let cluster = Cluster::new();
    cluster.fill(0, 12).await;
    let rig = Rig::start(ModelLog::default(), &cluster, From::Earliest);
    rig.until("the past", |rig| rig.log.raws().len() == 24).await;
    for broker in 1..=3 {
        cluster.mock.broker_down(broker).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for broker in 1..=3 {
        cluster.mock.broker_up(broker).unwrap();
    }
    cluster.fill(12, 24).await;
    rig.until("all", |rig| rig.log.raws().len() == 48).await;
    rig.assert_kept(24);
    rig.stop().await;
}
