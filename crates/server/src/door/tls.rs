//! TLS of every door that speaks it: rustls with aws-lc-rs, TLS 1.2 and 1.3, its default suites, and
//! certificates of clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{CertificateError, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{ClientCertificate, DoorTls};
use crate::intake::certificate_names;

/// Why a door cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is unusable.
    #[error("{path}: {why}; give a PEM file with {wanted}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// What it should hold.
        wanted: &'static str,
    },
    /// Certificate and key do not fit.
    #[error("{path}: certificate and key cannot be used together: {why}; check that the key belongs to the first certificate")]
    Mismatch {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

const CHAIN: &str = "the server's certificate first";
const KEY: &str = "one private key: PKCS#8, PKCS#1 or SEC1";
const AUTHORITIES: &str = "the authorities that sign clients' certificates";

/// An acceptor for a door whose clients may agree on one of `protocols` (ALPN), the best first.
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn acceptor(tls: &DoorTls, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
    let chain = certificates(&tls.files.cert, CHAIN)?;
    let key = PrivateKeyDer::from_pem_file(&tls.files.key).map_err(|why| unusable(&tls.files.key, why, KEY))?;
    let mismatch = |why: rustls::Error| TlsError::Mismatch { path: tls.files.cert.clone(), why: why.to_string() };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(mismatch)?;
    let builder = match &tls.clients {
        None => builder.with_no_client_auth(),
        Some((authorities, wanted)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authorities, AUTHORITIES)? {
                roots.add(certificate).map_err(|why| unusable(authorities, why, AUTHORITIES))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if *wanted == ClientCertificate::Optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(|why| unusable(authorities, why, AUTHORITIES))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(mismatch)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    if tls.clients.is_some() {
        // A session that is taken up again brings the old certificate, which nobody verifies anew: one
        // that has expired since would be good for as long as its holder comes back.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path, wanted: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|why| unusable(path, why, wanted))?;
    if found.is_empty() { Err(unusable(path, "it holds no certificate", wanted)) } else { Ok(found) }
}

fn unusable(path: &Path, why: impl ToString, wanted: &'static str) -> TlsError {
    TlsError::File { path: path.to_owned(), why: why.to_string(), wanted }
}

/// Names in the certificate that a client has shown.
#[must_use]
pub fn client_names(connection: &ServerConnection) -> Arc<[String]> {
    let certificate = connection.peer_certificates().and_then(|chain| chain.first());
    certificate.map(|certificate| certificate_names(certificate)).unwrap_or_default().into()
}

/// Why a handshake failed, if it did for the client's certificate.
#[must_use]
pub fn refused_certificate(why: &std::io::Error) -> Option<&'static str> {
    match why.get_ref()?.downcast_ref()? {
        rustls::Error::NoCertificatesPresented => Some("client_certificate_missing"),
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Some("client_certificate_expired")
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => Some("client_certificate_unknown_issuer"),
        rustls::Error::InvalidCertificate(_) => Some("client_certificate_invalid"),
        _ => None,
    }
}
