//! TLS and shutdown.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::api::tls_from_pem;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};

use crate::client::{Ask, connect, read_reply};
use crate::server::{Server, Setup};

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tls/localhost.crt");
const KEY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/tls/localhost.key");

#[test]
fn tls_serves_the_same_api() {
    let server = Server::with(Setup { tls: Some(tls_from_pem(CERTIFICATE.as_ref(), KEY.as_ref()).unwrap()), ..Setup::default() });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(CERTIFICATE).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = rustls::ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(session, connect(server.address));
    stream.write_all(&Ask::new("POST", "/v1/events?source=test").key(&server.admin).body("{\"a\":1}").to_bytes()).unwrap();
    read_reply(&mut stream).unwrap().expect(200);
    // Plain HTTP on the TLS port gets no answer.
    let mut plain = connect(server.address);
    let _ = plain.write_all(&Ask::new("GET", "/healthz").to_bytes());
    assert!(read_reply(&mut plain).is_none_or(|reply| reply.status != 200));
}

#[test]
fn a_certificate_or_key_that_is_not_one_is_named() {
    let why = tls_from_pem(KEY.as_ref(), KEY.as_ref()).err().unwrap().to_string();
    assert!(why.contains("localhost.key") && why.contains("certificate"), "{why}");
    let why = tls_from_pem(CERTIFICATE.as_ref(), CERTIFICATE.as_ref()).err().unwrap().to_string();
    assert!(why.contains("localhost.crt") && why.contains("private key"), "{why}");
    assert!(tls_from_pem("/nonexistent".as_ref(), KEY.as_ref()).is_err());
}

#[test]
fn a_handshake_that_does_not_end_is_cut() {
    let limits = indelible::api::ApiLimits { handshake_timeout: Duration::from_millis(300), ..Default::default() };
    let server = Server::with(Setup { tls: Some(tls_from_pem(CERTIFICATE.as_ref(), KEY.as_ref()).unwrap()), limits, ..Setup::default() });
    let mut silent = connect(server.address);
    let began = Instant::now();
    assert!(read_reply(&mut silent).is_none());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_shutdown_answers_what_is_under_way_and_takes_nothing_new() {
    let mut server = Server::start();
    let mut half = connect(server.address);
    let ask = Ask::new("POST", "/v1/events?source=test").key(&server.admin).body("{\"last\":true}").to_bytes();
    let (first, rest) = ask.split_at(ask.len() - 5);
    half.write_all(first).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.begin_stop();
    std::thread::sleep(Duration::from_millis(200));
    assert!(std::net::TcpStream::connect(server.address).is_err(), "the door is closed");
    half.write_all(rest).unwrap();
    let reply = read_reply(&mut half).unwrap().expect(200);
    assert_eq!(reply.header("connection"), Some("close"));
    let index = reply.json()["results"][0]["index"].as_u64().unwrap();
    server.wait();
    assert_eq!(&server.trail.reader().entry(index).unwrap().raw[..], b"{\"last\":true}");
}

#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let limits = indelible::api::ApiLimits { drain_timeout: Duration::from_millis(300), ..Default::default() };
    let mut server = Server::with(Setup { limits, ..Setup::default() });
    let mut half = connect(server.address);
    let ask = Ask::new("POST", "/v1/events?source=test").key(&server.admin).body("1234567").to_bytes();
    half.write_all(&ask[..ask.len() - 5]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    server.begin_stop();
    server.wait();
    assert!(began.elapsed() < Duration::from_secs(5));
}
