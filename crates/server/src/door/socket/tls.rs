//! TLS for syslog (RFC 5425): rustls with aws-lc-rs, and certificates of clients.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{ClientCertificate, DoorTls};

/// Why a door cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum DoorTlsError {
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

/// An acceptor for a door.
///
/// # Errors
/// [`DoorTlsError`], which names the file.
pub fn acceptor(tls: &DoorTls) -> Result<TlsAcceptor, DoorTlsError> {
    let chain = certificates(&tls.files.cert, "the server's certificate first")?;
    let key = PrivateKeyDer::from_pem_file(&tls.files.key).map_err(|why| DoorTlsError::File {
        path: tls.files.key.clone(),
        why: why.to_string(),
        wanted: "one PKCS#8, PKCS#1 or SEC1 key",
    })?;
    let mismatch = |why: rustls::Error| DoorTlsError::Mismatch { path: tls.files.cert.clone(), why: why.to_string() };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().map_err(mismatch)?;
    let builder = match &tls.clients {
        None => builder.with_no_client_auth(),
        Some((authorities, wanted)) => {
            let unusable = |why: String| DoorTlsError::File { path: authorities.clone(), why, wanted: "the authorities that sign clients" };
            let mut roots = RootCertStore::empty();
            for certificate in certificates(authorities, "the authorities that sign clients")? {
                roots.add(certificate).map_err(|why| unusable(why.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if *wanted == ClientCertificate::Optional { verifier.allow_unauthenticated() } else { verifier };
            builder.with_client_cert_verifier(verifier.build().map_err(|why| unusable(why.to_string()))?)
        }
    };
    Ok(TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).map_err(mismatch)?)))
}

fn certificates(path: &Path, wanted: &'static str) -> Result<Vec<CertificateDer<'static>>, DoorTlsError> {
    let unusable = |why: String| DoorTlsError::File { path: path.to_owned(), why, wanted };
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|why| unusable(why.to_string()))?;
    if found.is_empty() { Err(unusable("it holds no certificate".into())) } else { Ok(found) }
}
