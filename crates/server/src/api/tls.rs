//! TLS from two PEM files. rustls with aws-lc-rs: TLS 1.2 and 1.3, its default suites.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file is unusable.
    #[error("{path}: no usable certificate chain: {why}; give a PEM file with the server's certificate first")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key file is unusable.
    #[error("{path}: no usable private key: {why}; give a PEM file with one PKCS#8, PKCS#1 or SEC1 key")]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Certificate and key do not fit.
    #[error("certificate and key cannot be used together: {0}; check that the key belongs to the first certificate")]
    Mismatch(#[from] rustls::Error),
}

/// An acceptor from a certificate chain and its key, in PEM.
///
/// # Errors
/// [`TlsError`], which names the file.
pub fn tls_from_pem(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let bad_certificate = |why: String| TlsError::Certificate { path: certificate.to_owned(), why };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|why| bad_certificate(why.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificate("it holds no certificate".into()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|why| TlsError::Key { path: key.to_owned(), why: why.to_string() })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    // gRPC comes over HTTP/2 alone.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
