//! A connection over a log on a simulated disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use evidence::leaf::Kind;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use super::*;
use crate::clock::Clock;
use crate::door::Admission;
use crate::door::socket::memory::Memory;
use crate::intake::SourceChoice;
use crate::store::media::SimMedia;
use crate::store::seal::SealPolicy;
use crate::store::trail::{Trail, TrailOptions};
use crate::store::wal::WalLimits;

struct Served {
    media: SimMedia,
    trail: Arc<Trail>,
    inlet: Arc<Inlet>,
    close: watch::Sender<bool>,
}

impl Served {
    fn new() -> Self {
        let media = SimMedia::new(1);
        let options = TrailOptions {
            segment_leaves: 256,
            wal: WalLimits { file_bytes: 16 << 10, spare_files: 1 },
            seal: SealPolicy { flush_bytes: 48 << 10, flush_age_ms: u64::MAX, look_ms: 10 },
            threads: false,
            ..TrailOptions::main("/sim")
        };
        let trail = Trail::open(Arc::new(media.clone()), &options).unwrap();
        let admission = Arc::new(Admission::new(Arc::clone(&trail), Clock::system()));
        let close = watch::Sender::new(false);
        let choice = SourceChoice::only("test".parse().unwrap());
        let drain = Duration::from_millis(300);
        let inlet = Arc::new(Inlet { admission, door: "syslog-tcp", choice, closing: close.subscribe(), drain });
        Self { media, trail, inlet, close }
    }

    fn connection(&self, limits: SocketLimits) -> Connection {
        let share = Memory::new(limits.memory_bytes).share();
        Connection { inlet: Arc::clone(&self.inlet), peer: Peer::default(), framing: Framing::Syslog, limits, share }
    }

    fn kept(&self, kind: Kind) -> Vec<String> {
        let entries = (0..self.trail.view().size).map(|index| self.trail.reader().entry(index).unwrap());
        entries.filter(|entry| entry.leaf.kind == kind).map(|entry| String::from_utf8(entry.raw.to_vec()).unwrap()).collect()
    }
}

fn messages(count: usize) -> (Vec<String>, Vec<u8>) {
    // Hardly compressible, so that they fill the disk.
    let noise = |number: usize| tlog::canonical::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &number.to_be_bytes()).as_ref());
    let messages: Vec<String> = (0..count).map(|number| format!("<13>1 - - - - - - {number} {}", noise(number))).collect();
    let stream = messages.iter().map(|message| format!("{} {message}", message.len())).collect::<String>();
    (messages, stream.into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_waits_while_the_disk_is_full_and_nothing_is_lost_or_kept_twice() {
    let served = Served::new();
    let (ours, mut theirs) = tokio::io::duplex(2 << 10);
    let connection = tokio::spawn(served.connection(SocketLimits::default()).run(ours));
    served.media.set_capacity(Some(1));
    let (messages, stream) = messages(700);
    let (first, rest) = stream.split_at(stream.len() / 2);
    theirs.write_all(first).await.unwrap();
    // By now the first batch is complete and being tried.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let rest = rest.to_vec();
    let sender = tokio::spawn(async move { theirs.write_all(&rest).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!sender.is_finished(), "the sender waits");
    assert!(served.kept(Kind::Event).len() < messages.len());
    served.media.set_capacity(None);
    sender.await.unwrap();
    connection.await.unwrap();
    assert!(served.kept(Kind::Event) == messages, "over two ends of segments, in order, once");
    served.inlet.admission.record_counts(true).await;
    assert!(!served.kept(Kind::Record).iter().any(|record| record.contains("door.lost")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_before_the_time_of_a_shutdown_is_over_is_counted() {
    let served = Served::new();
    served.media.set_capacity(Some(1));
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (messages, stream) = messages(400);
    theirs.write_all(&stream).await.unwrap();
    let connection = tokio::spawn(served.connection(SocketLimits::default()).run(ours));
    tokio::time::sleep(Duration::from_millis(200)).await;
    served.close.send_replace(true);
    connection.await.unwrap();
    served.media.set_capacity(None);
    served.inlet.admission.record_counts(true).await;
    let lost: usize = served
        .kept(Kind::Record)
        .iter()
        .filter_map(|record| record.split_once("\"count\":").filter(|_| record.contains("stopped_before_kept")))
        .map(|(_, rest)| rest.split(',').next().unwrap().parse::<usize>().unwrap())
        .sum();
    let kept = served.kept(Kind::Event).len();
    assert!(lost > 0, "{kept} kept, nothing lost");
    // What was not read yet is not counted: the sender still has it.
    assert!(kept + lost <= messages.len(), "{kept} kept, {lost} lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_hold_all_memory_let_others_wait_and_are_closed_in_the_end() {
    let served = Served::new();
    let limits = SocketLimits { memory_bytes: 64 << 10, message: Duration::from_millis(300), ..SocketLimits::default() };
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    theirs.write_all(b"99999 <13>begins ").await.unwrap();
    theirs.write_all(&[b'x'; 90_000]).await.unwrap();
    let connection = tokio::spawn(served.connection(limits).run(ours));
    connection.await.unwrap();
    served.inlet.admission.record_counts(true).await;
    let records = served.kept(Kind::Record).join("\n");
    assert!(records.contains("no_memory") && records.contains("message_cut_short"), "{records}");
    assert!(served.kept(Kind::Event)[0].starts_with("<13>begins xxx"), "what came of it is kept");
}
