//! The server loop: connections with limits and deadlines, TLS, and an end that answers what it began.

mod http2;
mod stall;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;
use tracing::{debug, info, warn};

use crate::api::dispatch::router;
use crate::api::limits::{ApiLimits, HEADER_BYTES_MAX, HEADERS_MAX};
use crate::api::serve::http2::Version;
use crate::api::serve::stall::Stalling;
use crate::api::state::{Api, ApiState};
use crate::config::DoorTls;
use crate::door::Peer;
use crate::door::tls::{TlsError, acceptor, client_names, refused_certificate};

/// Pause after an accept that failed for want of file descriptors: they come back only with time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What clients may agree on: gRPC comes over HTTP/2 alone.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// TLS for [`serve`].
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn tls_acceptor(tls: &DoorTls) -> Result<TlsAcceptor, TlsError> {
    acceptor(tls, &PROTOCOLS)
}

/// Serves the API on `listener`, over TLS if there is an acceptor, until `shutdown` is ready. Then
/// it accepts nothing more, answers the requests under way (at most [`ApiLimits::drain_timeout`])
/// and records the refusals counted so far. The trail stays open: its owner closes it.
///
/// # Errors
/// When the listener is not usable.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: ApiState,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let api = Arc::clone(&state.0);
    let recorder = tokio::spawn(record_finished_minutes(Arc::clone(&api)));
    let server = Server { router: router(state), places: Arc::new(Semaphore::new(api.limits.connections)), api, tls };
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => server.take(accepted, &graceful).await,
        }
    }
    drop(listener);
    server.drain(graceful, address).await;
    recorder.abort();
    server.api.admission.record_counts(true).await;
    Ok(())
}

/// Records finished minutes of refusals and losses until the API drains.
async fn record_finished_minutes(api: Arc<Api>) {
    let mut tick = tokio::time::interval(api.limits.refusals_every);
    while !api.is_draining() {
        tick.tick().await;
        api.admission.record_counts(false).await;
    }
}

struct Server {
    router: Router,
    places: Arc<Semaphore>,
    api: Arc<Api>,
    tls: Option<TlsAcceptor>,
}

impl Server {
    async fn take(&self, accepted: io::Result<(TcpStream, SocketAddr)>, graceful: &GracefulShutdown) {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                warn!(%why, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return;
            }
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.api.metrics.connections_refused.inc();
            return;
        };
        // An answer is one small write: it must not wait for the acknowledgement of the last one.
        if let Err(why) = stream.set_nodelay(true) {
            debug!(%why, "a connection ended before it began");
            return;
        }
        let peer = Peer { address: Some(peer.ip()), ..Peer::default() };
        let connection = Connection { router: self.router.clone(), api: Arc::clone(&self.api), peer, watcher: graceful.watcher(), place };
        let tls = self.tls.clone();
        tokio::spawn(async move {
            match tls {
                Some(tls) => connection.run_tls(tls, stream).await,
                None => connection.run_plain(stream).await,
            }
        });
    }

    async fn drain(&self, graceful: GracefulShutdown, address: SocketAddr) {
        self.api.draining.send_replace(true);
        let open = graceful.count();
        info!(%address, open, "shutting down: no new connections, requests under way are answered");
        if tokio::time::timeout(self.api.limits.drain_timeout, graceful.shutdown()).await.is_err() {
            warn!("requests were still under way when the time for them was over");
        }
    }
}

struct Connection {
    router: Router,
    api: Arc<Api>,
    peer: Peer,
    watcher: Watcher,
    place: OwnedSemaphorePermit,
}

impl Connection {
    async fn run_tls(mut self, tls: TlsAcceptor, stream: TcpStream) {
        match tokio::time::timeout(self.api.limits.handshake_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let version = http2::agreed(stream.get_ref().1.alpn_protocol());
                self.peer.names = client_names(stream.get_ref().1);
                self.run(stream, version).await;
            }
            Ok(Err(why)) => match refused_certificate(&why) {
                Some(reason) => {
                    info!(%why, peer = ?self.peer.address, "a client certificate was refused");
                    self.api.count_refused(None, reason, 1);
                }
                None => debug!(%why, "a TLS handshake failed"),
            },
            Err(_) => debug!("a TLS handshake took too long"),
        }
    }

    /// Without TLS the first bytes say which version it is.
    async fn run_plain(self, stream: TcpStream) {
        match tokio::time::timeout(self.api.limits.head_timeout, http2::spoken(&stream)).await {
            Ok(Ok(version)) => self.run(stream, version).await,
            Ok(Err(why)) => debug!(%why, "a connection ended early"),
            Err(_) => debug!("a connection said nothing"),
        }
    }

    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, version: Version) {
        let Self { router, api, peer, watcher, place } = self;
        api.metrics.connections.inc();
        let asked = Arc::new(AtomicBool::new(false));
        let has_asked = Arc::clone(&asked);
        let service = service_fn(move |request: Request<Incoming>| {
            has_asked.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer.clone());
            let mut router = router.clone();
            async move { router.call(request).await }
        });
        let io = TokioIo::new(Stalling::new(stream, api.limits.stall_timeout));
        let ended = match version {
            Version::Http1 => watcher.watch(http(&api.limits).serve_connection(io, service)).await,
            Version::Http2 => {
                let connection = watcher.watch(http2::builder(&api.limits).serve_connection(io, service));
                tokio::select! {
                    ended = connection => ended,
                    () = http2::silent(&asked, api.limits.head_timeout) => Ok(()),
                }
            }
        };
        if let Err(why) = ended {
            debug!(%why, "a connection ended early");
        }
        api.metrics.connections.dec();
        drop(place);
    }
}

fn http(limits: &ApiLimits) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(limits.head_timeout);
    http.max_headers(HEADERS_MAX);
    http.max_header_size(HEADER_BYTES_MAX);
    http
}
