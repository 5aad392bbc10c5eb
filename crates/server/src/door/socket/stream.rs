//! One connection: bytes to messages to batches, and a sender that waits while the log is busy.
//!
//! Nothing is read while a batch is being kept: TCP's own window then holds the sender back. What a
//! sender's kernel has sent and ours has acknowledged but this process has not kept is lost when the
//! process dies; plain syslog has no acknowledgement that could say so (docs/CONNECT.md).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use crate::door::Peer;
use crate::door::socket::inlet::{Closed, Inlet};
use crate::door::socket::limits::{READ_BYTES, SocketLimits};
use crate::door::socket::memory::Share;
use crate::intake::{Frame, Frames, Framing, StreamBatch};

/// A connection that has been accepted.
pub struct Connection {
    /// Where its messages go.
    pub inlet: Arc<Inlet>,
    /// The other end.
    pub peer: Peer,
    /// How messages are told apart.
    pub framing: Framing,
    /// See [`SocketLimits`].
    pub limits: SocketLimits,
    /// Its part of the door's memory.
    pub share: Share,
}

/// How waiting for bytes ended.
enum Waited {
    Read(usize),
    Ended,
    TimeOver,
    Closing,
}

/// Messages by the number of their source.
type Batches = BTreeMap<usize, StreamBatch>;

impl Connection {
    /// Serves until the sender, a limit or a shutdown ends it.
    pub async fn run(mut self, mut stream: impl AsyncRead + Unpin) {
        let mut frames = Frames::new(self.framing, 0);
        let mut batches = Batches::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut began = Began { batch: None, message: None, silence: Instant::now() };
        loop {
            if !self.has_room(&mut batches, &frames).await {
                break;
            }
            match self.wait(&mut stream, &mut buffer, began.deadline(&self.limits)).await {
                Waited::Read(read) => {
                    let ended = self.take(buffer.get(..read).unwrap_or_default(), &mut frames, &mut batches);
                    began.read(ended, frames.is_inside(), !batches.is_empty());
                    if !batches.values().any(StreamBatch::is_full) {
                        continue;
                    }
                }
                Waited::TimeOver if batches.is_empty() => {
                    if frames.is_inside() {
                        self.inlet.lost(0, "sender_too_slow", 1);
                    }
                    break;
                }
                Waited::TimeOver => {}
                Waited::Ended | Waited::Closing => break,
            }
            if self.keep(&mut batches).await.is_err() {
                return;
            }
            began.batch = None;
            began.silence = Instant::now();
        }
        self.end(frames, batches).await;
    }

    async fn wait(&self, stream: &mut (impl AsyncRead + Unpin), buffer: &mut [u8], deadline: Instant) -> Waited {
        tokio::select! {
            biased;
            () = self.inlet.closing() => Waited::Closing,
            read = timeout_at(deadline, stream.read(buffer)) => match read {
                Err(_) => Waited::TimeOver,
                Ok(Ok(0) | Err(_)) => Waited::Ended,
                Ok(Ok(read)) => Waited::Read(read),
            },
        }
    }

    /// Puts complete messages into their batches; gives how many there were.
    fn take(&self, bytes: &[u8], frames: &mut Frames, batches: &mut Batches) -> usize {
        let mut ended = 0;
        frames.push(bytes, &mut |frame| {
            self.sort(&frame, batches);
            ended += 1;
        });
        ended
    }

    fn sort(&self, frame: &Frame<'_>, batches: &mut Batches) {
        let batch = batches.entry(self.inlet.choice.of(self.peer.sender(), frame.raw)).or_default();
        match self.framing {
            Framing::Syslog => batch.text(frame),
            Framing::Lines => batch.line(frame),
        }
    }

    /// Makes sure that the next read fits into the memory that all connections share.
    async fn has_room(&mut self, batches: &mut Batches, frames: &Frames) -> bool {
        let needed =
            |batches: &Batches| batches.values().map(|batch| batch.body.len()).sum::<usize>() + frames.held_bytes() + 2 * READ_BYTES;
        if self.share.resize(needed(batches), Duration::ZERO).await {
            return true;
        }
        if self.keep(batches).await.is_err() {
            return false;
        }
        let waited = self.share.resize(needed(batches), self.limits.message).await;
        if !waited {
            self.inlet.lost(0, "no_memory", 1);
        }
        waited
    }

    async fn keep(&self, batches: &mut Batches) -> Result<(), Closed> {
        for (number, batch) in std::mem::take(batches) {
            self.inlet.keep(number, batch, &self.peer).await?;
        }
        Ok(())
    }

    /// Keeps what there is, a message that was cut short included.
    async fn end(self, frames: Frames, mut batches: Batches) {
        let mut cut_short = None;
        frames.finish(&mut |frame| {
            cut_short = Some(self.inlet.choice.of(self.peer.sender(), frame.raw));
            self.sort(&frame, &mut batches);
        });
        if let Some(number) = cut_short {
            self.inlet.lost(number, "message_cut_short", 1);
        }
        // Without an error there is nothing to be told, and nobody to tell.
        let _ = self.keep(&mut batches).await;
    }
}

/// Since when what is waited for.
struct Began {
    batch: Option<Instant>,
    message: Option<Instant>,
    silence: Instant,
}

impl Began {
    fn deadline(&self, limits: &SocketLimits) -> Instant {
        match (self.batch, self.message) {
            (Some(batch), _) => batch + limits.gather,
            (None, Some(message)) => message + limits.message,
            (None, None) => self.silence + limits.idle,
        }
    }

    fn read(&mut self, ended: usize, inside: bool, batched: bool) {
        let now = Instant::now();
        self.silence = now;
        self.message = if !inside { None } else { self.message.filter(|_| ended == 0).or(Some(now)) };
        self.batch = self.batch.filter(|_| batched).or(batched.then_some(now));
    }
}

#[cfg(test)]
mod tests;
