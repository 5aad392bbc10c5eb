//! A server with TLS, and clients with and without a certificate.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indelible::api::tls_acceptor;
use indelible::config::{ClientCertificate, DoorTls, TlsFiles};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};

use crate::client::{Ask, Reply, connect, read_reply};
use crate::server::{Server, Setup};

/// A file of the certificates made for tests.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls").join(name)
}

/// The server's own certificate; with the authority of `clients/` if clients may or must have one.
pub fn tls(clients: Option<ClientCertificate>) -> DoorTls {
    let files = TlsFiles { cert: file("localhost.crt"), key: file("localhost.key") };
    DoorTls { files, clients: clients.map(|wanted| (file("clients/ca.crt"), wanted)) }
}

pub fn start(clients: Option<ClientCertificate>) -> Server {
    Server::with(Setup { tls: Some(tls_acceptor(&tls(clients)).unwrap()), ..Setup::default() })
}

/// What a client shows: certificate chain and key in PEM.
pub struct Identity {
    pub certificate: Vec<u8>,
    pub key: Vec<u8>,
}

impl Identity {
    /// `NAME.crt` and `NAME.key` of `clients/`.
    pub fn of(name: &str) -> Self {
        let read = |kind: &str| std::fs::read(file(&format!("clients/{name}.{kind}"))).unwrap();
        Self { certificate: read("crt"), key: read("key") }
    }
}

/// Sends on a connection of its own; the alert if the server refuses the client.
pub fn send(server: &Server, identity: Option<&Identity>, ask: &Ask) -> Result<Reply, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("localhost.crt")).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let chain = CertificateDer::pem_slice_iter(&identity.certificate).collect::<Result<_, _>>().unwrap();
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&identity.key).unwrap()).unwrap()
        }
    };
    let session = rustls::ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(session, connect(server.address));
    // In TLS 1.3 a client has ended its handshake before the server has seen its certificate.
    let _ = stream.write_all(&ask.to_bytes());
    let first = std::io::Read::read(&mut stream, &mut []);
    match read_reply(&mut stream) {
        Some(reply) => Ok(reply),
        None => {
            let why = first.and_then(|_| std::io::Read::read(&mut stream, &mut [0]));
            Err(why.map_or_else(|why| why.to_string(), |_| "ended".to_owned()))
        }
    }
}
