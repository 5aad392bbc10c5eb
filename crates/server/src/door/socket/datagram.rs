//! Datagrams: syslog over UDP and on a UNIX socket. Lossy, and it says what it lost.
//!
//! One task empties the kernel's buffer into a bounded queue and never waits for the log; another
//! keeps what is queued. A datagram that finds the queue full is counted, and so is one that the
//! kernel dropped before it could be read: what was sent on this machine is kept or counted.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::mpsc;
use tracing::warn;

use crate::door::Peer;
use crate::door::socket::inlet::Inlet;
use crate::door::socket::kernel_drops::KernelDrops;
use crate::door::socket::limits::{DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_QUEUED_MAX, DROPS_EVERY};
use crate::intake::stream_batch::STREAM_BATCH_EVENTS_MAX;
use crate::intake::{Frame, StreamBatch};

/// Where datagrams come from.
#[derive(Debug)]
pub enum DatagramSocket {
    /// A network.
    Udp(UdpSocket),
    /// Programs of this machine.
    Unix(UnixDatagram),
}

/// A datagram and who sent it.
struct Datagram {
    bytes: Box<[u8]>,
    address: Option<IpAddr>,
}

impl DatagramSocket {
    async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.readable().await,
            Self::Unix(socket) => socket.readable().await,
        }
    }

    fn try_receive(&self, into: &mut [u8]) -> io::Result<(usize, Option<IpAddr>)> {
        match self {
            Self::Udp(socket) => socket.try_recv_from(into).map(|(read, from): (usize, SocketAddr)| (read, Some(from.ip().to_canonical()))),
            Self::Unix(socket) => socket.try_recv(into).map(|read| (read, None)),
        }
    }
}

/// Receives until a shutdown, then what the kernel still holds. `drops`: none where the kernel
/// drops nothing but makes senders wait. `queue_max`: datagrams that may wait for the log.
pub async fn run(socket: DatagramSocket, drops: Option<KernelDrops>, inlet: Arc<Inlet>, queue_max: usize) {
    let (queue, queued) = mpsc::channel(queue_max);
    let bytes = Arc::new(AtomicUsize::new(0));
    let keeper = tokio::spawn(keep(queued, Arc::clone(&bytes), Arc::clone(&inlet)));
    let receiver = Receiver { socket, queue, bytes, inlet };
    receiver.run(drops).await;
    drop(receiver);
    if keeper.await.is_err() {
        warn!("a task that kept datagrams ended early");
    }
}

struct Receiver {
    socket: DatagramSocket,
    queue: mpsc::Sender<Datagram>,
    bytes: Arc<AtomicUsize>,
    inlet: Arc<Inlet>,
}

impl Receiver {
    async fn run(&self, mut drops: Option<KernelDrops>) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut tick = tokio::time::interval(DROPS_EVERY);
        loop {
            tokio::select! {
                biased;
                () = self.inlet.closing() => break,
                _ = tick.tick() => self.count_drops(&mut drops),
                ready = self.socket.readable() => match ready {
                    Ok(()) => self.empty(&mut buffer),
                    Err(why) => warn!(%why, door = self.inlet.door, "datagrams could not be received"),
                },
            }
        }
        self.empty(&mut buffer);
        self.count_drops(&mut drops);
    }

    /// Takes a good many of the datagrams that are there.
    fn empty(&self, buffer: &mut [u8]) {
        for _ in 0..STREAM_BATCH_EVENTS_MAX {
            match self.socket.try_receive(buffer) {
                Ok((read, address)) => self.enqueue(buffer.get(..read).unwrap_or_default(), address),
                Err(_) => return,
            }
        }
    }

    fn enqueue(&self, bytes: &[u8], address: Option<IpAddr>) {
        let bytes = without_end(bytes);
        if bytes.is_empty() {
            return;
        }
        let before = self.bytes.fetch_add(bytes.len(), Ordering::AcqRel);
        let room = before + bytes.len() <= DATAGRAM_BYTES_QUEUED_MAX;
        if room && self.queue.try_send(Datagram { bytes: bytes.into(), address }).is_ok() {
            return;
        }
        self.bytes.fetch_sub(bytes.len(), Ordering::AcqRel);
        let peer = Peer { address, ..Peer::default() };
        self.inlet.lost(self.inlet.choice.of(peer.sender(), bytes), "queue_full", 1);
    }

    fn count_drops(&self, drops: &mut Option<KernelDrops>) {
        match drops.as_mut().map(KernelDrops::new_ones) {
            Some(Ok(new)) => self.inlet.lost(0, "kernel_buffer_full", new),
            Some(Err(why)) => {
                warn!(%why, door = self.inlet.door, "what the kernel drops cannot be counted");
                *drops = None;
            }
            None => {}
        }
    }
}

/// Some senders end a datagram like a line; no event ends in that.
fn without_end(bytes: &[u8]) -> &[u8] {
    match bytes {
        [rest @ .., b'\r', b'\n'] | [rest @ .., b'\n' | 0] => rest,
        whole => whole,
    }
}

async fn keep(mut queued: mpsc::Receiver<Datagram>, bytes: Arc<AtomicUsize>, inlet: Arc<Inlet>) {
    let mut waiting = Vec::with_capacity(STREAM_BATCH_EVENTS_MAX);
    while queued.recv_many(&mut waiting, STREAM_BATCH_EVENTS_MAX).await > 0 {
        let mut batches: BTreeMap<(usize, Option<IpAddr>), StreamBatch> = BTreeMap::new();
        let mut taken = 0;
        for datagram in waiting.drain(..) {
            let peer = Peer { address: datagram.address, ..Peer::default() };
            let number = inlet.choice.of(peer.sender(), &datagram.bytes);
            let frame = Frame { raw: &datagram.bytes, truncated: None, end: 0, whole: true };
            batches.entry((number, datagram.address)).or_default().text(&frame);
            taken += datagram.bytes.len();
        }
        // All at once: a commit is shared, and many senders must not wait for each other's.
        let kept = batches.into_iter().map(|((number, address), batch)| {
            let inlet = &inlet;
            async move { inlet.keep(number, batch, &Peer { address, ..Peer::default() }).await }
        });
        let kept = futures_util::future::join_all(kept).await;
        bytes.fetch_sub(taken, Ordering::AcqRel);
        if kept.iter().any(Result::is_err) {
            break;
        }
    }
    // The log is closed: what waits is lost, and said as far as anything can still be said.
    while let Ok(datagram) = queued.try_recv() {
        let peer = Peer { address: datagram.address, ..Peer::default() };
        inlet.lost(inlet.choice.of(peer.sender(), &datagram.bytes), "log_refused", 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_line_end_is_taken_from_a_datagram() {
        for (sent, kept) in [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\0", "a"), ("a\n\n", "a\n"), ("a\r", "a\r"), ("\n", ""), ("", "")]
        {
            assert_eq!(without_end(sent.as_bytes()), kept.as_bytes(), "{sent:?}");
        }
    }
}
