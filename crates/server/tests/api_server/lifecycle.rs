//! TLS and shutdown.

use std::io::Write as _;
use std::time::{Duration, Instant};

use indelible::api::tls_acceptor;
use indelible::config::{ClientCertificate, DoorTls, TlsFiles};

use crate::client::{Ask, connect, read_reply};
use crate::secure;
use crate::server::{Server, Setup};

#[test]
fn tls_serves_the_same_api() {
    let server = secure::start(None);
    let ask = Ask::new("POST", "/v1/events?source=test").key(&server.admin).body("{\"a\":1}");
    secure::send(&server, None, &ask).unwrap().expect(200);
    // Plain HTTP on the TLS port gets no answer.
    let mut plain = connect(server.address);
    let _ = plain.write_all(&Ask::new("GET", "/healthz").to_bytes());
    assert!(read_reply(&mut plain).is_none_or(|reply| reply.status != 200));
}

#[test]
fn a_certificate_or_key_that_is_not_one_is_named() {
    let good = secure::tls(Some(ClientCertificate::Optional));
    let why = |tls: DoorTls| tls_acceptor(&tls).err().unwrap().to_string();
    let TlsFiles { cert, key } = good.files.clone();
    let wrong = why(DoorTls { files: TlsFiles { cert: key.clone(), key: key.clone() }, ..good.clone() });
    assert!(wrong.contains("localhost.key") && wrong.contains("certificate"), "{wrong}");
    let wrong = why(DoorTls { files: TlsFiles { cert: cert.clone(), key: cert.clone() }, ..good.clone() });
    assert!(wrong.contains("localhost.crt") && wrong.contains("private key"), "{wrong}");
    let wrong = why(DoorTls { files: TlsFiles { cert, key: secure::file("clients/cluster.key") }, ..good.clone() });
    assert!(wrong.contains("localhost.crt") && wrong.contains("cannot be used together"), "{wrong}");
    for (authorities, says) in [(key, "no certificate"), ("/nonexistent".into(), "/nonexistent")] {
        let wrong = why(DoorTls { clients: Some((authorities, ClientCertificate::Optional)), ..good.clone() });
        assert!(wrong.contains(says) && wrong.contains("authorities"), "{wrong}");
    }
}

#[test]
fn a_handshake_that_does_not_end_is_cut() {
    let limits = indelible::api::ApiLimits { handshake_timeout: Duration::from_millis(300), ..Default::default() };
    let server = Server::with(Setup { tls: Some(tls_acceptor(&secure::tls(None)).unwrap()), limits, ..Setup::default() });
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
