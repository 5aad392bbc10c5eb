//! The HTTP client of pollers: one origin at a time, no redirects, everything bounded.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::door::poll::{Answer, Ask};

/// To connect, TLS included: a vendor that does not answer by then is down.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// For a whole answer: a full page of a slow vendor takes half a minute.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// Unused connections are closed after this: below the 60 s at which load balancers drop them.
const IDLE_LIMIT: Duration = Duration::from_secs(45);
/// Where systems keep the certificates they trust.
const SYSTEM_CERTIFICATES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"];

/// Why there is no answer. All but the last are tried again.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The vendor is not reached, or the connection ended early.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// Whom.
        host: String,
        /// What the network said.
        why: String,
    },
    /// No whole answer in time.
    #[error("{host} gave no whole answer within {seconds} s")]
    Slow {
        /// Who.
        host: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The body is larger than the limit.
    #[error("{host} answered with more than {limit} bytes, or with a body that does not decompress")]
    Body {
        /// Who.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// The request cannot be put together.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

/// No certificates of authorities, so that no vendor could be told from an impostor.
#[derive(Debug, thiserror::Error)]
#[error("no certificates of authorities were found: install the system's ca-certificates or set SSL_CERT_FILE to a PEM file")]
pub struct NoAuthorities;

/// Cheap to clone; connections are shared.
#[derive(Clone, Debug)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    /// A client that trusts what the system trusts, or the file that `SSL_CERT_FILE` names.
    ///
    /// # Errors
    /// [`NoAuthorities`].
    pub fn new() -> Result<Self, NoAuthorities> {
        let mut roots = rustls::RootCertStore::empty();
        let from_env = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let file = from_env.or_else(|| SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|path| path.exists()));
        let pem = file.and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        if roots.is_empty() {
            return Err(NoAuthorities);
        }
        Self::trusting(roots)
    }

    /// A client that trusts `roots`.
    ///
    /// # Errors
    /// [`NoAuthorities`] if the protocol versions cannot be set, which does not happen.
    pub fn trusting(roots: rustls::RootCertStore) -> Result<Self, NoAuthorities> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| NoAuthorities)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        // Plain http is refused where addresses are configured, except to this machine.
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_LIMIT).build(connector);
        Ok(Self { pool })
    }

    /// Sends `ask` with `credentials` and takes the whole answer.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, ask: Ask, credentials: HeaderMap) -> Result<Answer, SendError> {
        let limit = ask.answer_bytes_max;
        let request = request(ask.clone(), credentials)?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let time = ANSWER_LIMIT + Duration::from_millis(ask.patience_ms);
        match tokio::time::timeout(time, self.exchange(request, limit, &host)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendError::Slow { host, seconds: time.as_secs() }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, limit: usize, host: &str) -> Result<Answer, SendError> {
        let unreachable = |why: &dyn std::error::Error| SendError::Unreachable { host: host.to_owned(), why: innermost(why) };
        let (parts, body) = self.pool.request(request).await.map_err(|why| unreachable(&why))?.into_parts();
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(why) if why.is::<http_body_util::LengthLimitError>() => return Err(SendError::Body { host: host.to_owned(), limit }),
            Err(why) => return Err(unreachable(why.as_ref())),
        };
        let gzipped = parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
        let body = if gzipped { gunzip(&body, limit).ok_or(SendError::Body { host: host.to_owned(), limit })? } else { body };
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

fn request(ask: Ask, credentials: HeaderMap) -> Result<Request<Full<Bytes>>, SendError> {
    let mut request = Request::builder().method(ask.method).uri(ask.url);
    if let Some(headers) = request.headers_mut() {
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("indelible/", env!("CARGO_PKG_VERSION"))));
        // A stored `.gz` object is taken as it is; pages are asked for compressed.
        if ask.scope.is_none() {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        for (name, value) in &ask.headers {
            let value = HeaderValue::from_str(value).map_err(|why| SendError::Request(format!("header {name}: {why}")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.extend(credentials);
    }
    request.body(Full::new(ask.body)).map_err(|why| SendError::Request(why.to_string()))
}

/// Decompresses, to at most `limit` bytes. Files may hold several members one after another.
#[must_use]
pub fn gunzip(bytes: &[u8], limit: usize) -> Option<Bytes> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(bytes).take(limit as u64 + 1);
    decoder.read_to_end(&mut out).ok()?;
    (out.len() <= limit).then(|| out.into())
}

/// The last cause says what happened; the ones around it say that something did.
fn innermost(why: &dyn std::error::Error) -> String {
    let mut cause = why;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_file_is_decompressed_up_to_its_limit_and_no_further() {
        let zipped = gzip(&[b'a'; 10_000]);
        assert_eq!(gunzip(&zipped, 10_000).unwrap().len(), 10_000);
        assert_eq!(gunzip(&zipped, 9_999), None);
        assert_eq!(gunzip(&[gzip(b"one"), gzip(b"two")].concat(), 100).unwrap(), "onetwo");
        assert_eq!(gunzip(zipped.split_last_chunk::<3>().unwrap().0, 10_000), None, "cut off");
        assert_eq!(gunzip(b"no gzip", 100), None);
    }
}
