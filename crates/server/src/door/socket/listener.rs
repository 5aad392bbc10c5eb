//! Listens for connections and serves each in a task of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use crate::door::Peer;
use crate::door::socket::inlet::Inlet;
use crate::door::socket::limits::SocketLimits;
use crate::door::socket::memory::Memory;
use crate::door::socket::stream::Connection;
use crate::door::tls::client_names;
use crate::intake::Framing;

/// Pause after an accept that failed for want of file descriptors: they come back only with time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// When an idle connection's other end is first asked whether it is still there, how often then,
/// and how often without an answer.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// Where connections come from.
#[derive(Debug)]
pub enum StreamListener {
    /// A network.
    Tcp(TcpListener),
    /// Programs of this machine.
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl StreamListener {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from): (TcpStream, SocketAddr) = listener.accept().await?;
                if let Err(why) = keep_alive(&stream) {
                    debug!(%why, "a connection is not asked whether it lives");
                }
                Ok((Box::new(stream), Some(from.ip().to_canonical())))
            }
            Self::Unix(listener) => {
                let (stream, _): (UnixStream, _) = listener.accept().await?;
                Ok((Box::new(stream), None))
            }
        }
    }
}

fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let (idle, interval, probes) = KEEPALIVE;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, idle)?;
    sockopt::set_tcp_keepintvl(stream, interval)?;
    sockopt::set_tcp_keepcnt(stream, probes)?;
    Ok(())
}

/// A door for connections.
pub struct StreamDoor {
    /// Where they come from.
    pub listener: StreamListener,
    /// TLS, if they speak it.
    pub tls: Option<TlsAcceptor>,
    /// How messages are told apart.
    pub framing: Framing,
    /// Where they go.
    pub inlet: Arc<Inlet>,
    /// What they may cost.
    pub limits: SocketLimits,
    /// The socket's path, to be removed at the end.
    pub path: Option<PathBuf>,
}

impl StreamDoor {
    /// Accepts until a shutdown, then waits for the connections to keep what they have.
    pub async fn run(self) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let memory = Memory::new(self.limits.memory_bytes);
        let mut connections = JoinSet::new();
        loop {
            // Those that ended are let go of.
            while connections.try_join_next().is_some() {}
            let (stream, address) = tokio::select! {
                biased;
                () = self.inlet.closing() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(why) => {
                        warn!(%why, door = self.inlet.door, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                self.inlet.lost(0, "too_many_connections", 1);
                continue;
            };
            let connection = Connection {
                inlet: Arc::clone(&self.inlet),
                peer: Peer { address, ..Peer::default() },
                framing: self.framing,
                limits: self.limits.clone(),
                share: memory.share(),
            };
            let tls = self.tls.clone();
            connections.spawn(async move {
                match tls {
                    Some(tls) => run_tls(connection, &tls, stream).await,
                    None => connection.run(stream).await,
                }
                drop(place);
            });
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
        if let Some(path) = self.path {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn run_tls(mut connection: Connection, tls: &TlsAcceptor, stream: Box<dyn Stream>) {
    let reason = match tokio::time::timeout(connection.limits.handshake, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            connection.peer.names = client_names(stream.get_ref().1);
            return connection.run(stream).await;
        }
        Ok(Err(why)) => {
            debug!(%why, "a TLS handshake failed");
            "tls_failed"
        }
        Err(_) => "tls_too_slow",
    };
    connection.inlet.lost(0, reason, 1);
}
