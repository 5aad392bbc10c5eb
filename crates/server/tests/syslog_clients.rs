//! Real senders against the real binary: what each sends is what the log holds.
//!
//! `logger`, rsyslog and syslog-ng run as they are installed; the daemons with a configuration of the
//! test's own, on loopback and free ports, and ended by their own process ids. Without them their
//! tests step aside, except in CI, where `./test` installs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "cli/binary.rs"]
#[allow(dead_code, reason = "the other tests of the binary use the rest")]
mod binary;
#[path = "syslog_clients/held.rs"]
mod held;
#[path = "syslog_clients/rsyslog.rs"]
mod rsyslog;
#[path = "syslog_clients/shipper.rs"]
mod shipper;
#[path = "syslog_clients/syslog_ng.rs"]
mod syslog_ng;

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use binary::{Place, Running};
use held::{Held, door_address, held_when, losses};

fn serve(place: &Place, args: &[&str]) -> Running {
    Running::start(&place.data(), args, &place.admin_key)
}

fn logger(args: &[&str], messages: &std::path::Path) {
    let done = Command::new("logger").args(args).args(["-t", "app", "-f"]).arg(messages).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message number {number} of the test, {}", "x".repeat(number % 50))).collect()
}

/// Every message once, in order, at the end of one event each.
fn assert_holds(held: &Held, messages: &[String]) {
    let ends = |event: &String, message: &String| event.ends_with(message.as_str());
    assert_eq!(held.texts.len(), messages.len());
    assert!(held.texts.iter().zip(messages).all(|(event, message)| ends(event, message)), "{:?}", held.texts);
}

#[test]
fn what_logger_sends_over_tcp_is_kept_in_order_in_both_framings() {
    let place = Place::new();
    let running = serve(&place, &["--syslog-tcp", "127.0.0.1:0=linux"]);
    let port = door_address(&running, "syslog-tcp").rsplit_once(':').unwrap().1.to_owned();
    let messages = numbered(500);
    let file = place.write("messages", messages.join("\n") + "\n");
    logger(&["-n", "127.0.0.1", "-P", &port, "-T", "--octet-count", "--rfc5424"], &file);
    let held = held_when(&running, "linux", 500);
    assert_holds(&held, &messages);
    assert!(held.texts[0].starts_with("<13>1 2"), "{}", held.texts[0]);
    logger(&["-n", "127.0.0.1", "-P", &port, "-T", "--rfc3164"], &file);
    let held = held_when(&running, "linux", 1_000);
    assert_holds(&held.from(500), &messages);
    assert_eq!(held.facts[0]["door"], "syslog-tcp");
    assert_eq!(held.people[0]["peer"], "127.0.0.1");
    assert_eq!(running.stop(), 0);
    assert!(!losses(&place).iter().any(|lost| lost["door"] == "syslog-tcp"));
}

#[test]
fn what_logger_sends_over_udp_and_to_a_unix_socket_is_kept() {
    let place = Place::new();
    let socket = place.beside("log.sock");
    let config = format!(
        "[[door]]\nkind = \"syslog-udp\"\naddress = \"127.0.0.1:0\"\nsource = \"other\"\n\
         [[door.pick]]\napp = \"app\"\nsender = \"127.0.0.0/8\"\nsource = \"picked\"\n\
         [[door]]\nkind = \"syslog-unix\"\naddress = {socket:?}\nsource = \"local\"\n"
    );
    let config = place.write("settings.toml", config);
    let running = serve(&place, &["--config", config.to_str().unwrap()]);
    let port = door_address(&running, "syslog-udp").rsplit_once(':').unwrap().1.to_owned();
    let messages = numbered(200);
    let file = place.write("messages", messages.join("\n") + "\n");
    logger(&["-n", "127.0.0.1", "-P", &port, "-d"], &file);
    assert_holds(&held_when(&running, "picked", 200), &messages);
    logger(&["-u", socket.to_str().unwrap(), "--socket-errors=on"], &file);
    let held = held_when(&running, "local", 200);
    assert_holds(&held, &messages);
    assert_eq!(held.people[0].get("peer"), None);
    running.kill();
    // A socket that a killed server left behind does not keep the next one from starting.
    let again = serve(&place, &["--config", config.to_str().unwrap()]);
    logger(&["-u", socket.to_str().unwrap(), "--socket-errors=on"], &file);
    assert_holds(&held_when(&again, "local", 400).from(200), &messages);
    assert_eq!(again.stop(), 0);
    assert!(!socket.exists());
}

#[test]
fn a_flood_of_datagrams_is_kept_or_counted_to_the_last_one() {
    const SENT: u64 = 20_000;
    let place = Place::new();
    let config = "[[door]]\nkind = \"syslog-udp\"\naddress = \"127.0.0.1:0\"\nsource = \"flood\"\ndatagrams = 100\n";
    let config = place.write("settings.toml", config);
    let running = serve(&place, &["--config", config.to_str().unwrap()]);
    assert!(running.said.iter().any(|line| line.contains("(lossy)")), "{:?}", running.said);
    let address = door_address(&running, "syslog-udp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..SENT {
        let message = format!("<13>1 - - flood - - - datagram {number} {}", "x".repeat(200));
        assert_eq!(socket.send_to(message.as_bytes(), &address).unwrap(), message.len());
    }
    // The kernel's drops are asked for every second, and once more at the end.
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(running.stop(), 0);
    let lost: u64 = losses(&place).iter().filter(|lost| lost["door"] == "syslog-udp").map(|lost| lost["count"].as_u64().unwrap()).sum();
    let kept = Held::offline(&place, "flood").texts.len() as u64;
    assert_eq!(kept + lost, SENT, "{kept} kept, {lost} lost");
    assert!(kept > 0 && lost > 0, "{kept} kept, {lost} lost");
}

#[test]
fn vaults_lines_are_kept_over_tcp_and_unix_sockets_and_sent_again_count_once() {
    let place = Place::new();
    let socket = place.beside("vault.sock");
    let unix = format!("{}=vault-unix", socket.display());
    let running = serve(&place, &["--vault-socket", "127.0.0.1:0", "--vault-socket", &unix]);
    let lines: Vec<String> =
        (0..50).map(|n| format!("{{\"id\":\"{n}\",\"time\":\"2024-05-01T10:00:00Z\",\"type\":\"request\"}}")).collect();
    let sent = lines.join("\n") + "\n";
    let mut tcp = TcpStream::connect(door_address(&running, "lines")).unwrap();
    // In pieces that end anywhere.
    for piece in sent.as_bytes().chunks(700) {
        tcp.write_all(piece).unwrap();
        tcp.flush().unwrap();
    }
    assert_eq!(held_when(&running, "vault", 50).texts, lines);
    let mut again = TcpStream::connect(door_address(&running, "lines")).unwrap();
    again.write_all(sent.as_bytes()).unwrap();
    again.write_all(b"{\"type\":\"response\"}\n[1,2]\nnot json\n{\"cut").unwrap();
    drop(again);
    let expected = [&lines[..], &["{\"type\":\"response\"}", "[1,2]", "not json", "{\"cut"].map(str::to_owned)].concat();
    assert_eq!(held_when(&running, "vault", 54).texts, expected);
    UnixStream::connect(&socket).unwrap().write_all(b"{\"over\":\"unix\"}\n").unwrap();
    assert_eq!(held_when(&running, "vault-unix", 1).texts, ["{\"over\":\"unix\"}"]);
    assert_eq!(running.stop(), 0);
    let cut: Vec<_> = losses(&place).into_iter().filter(|lost| lost["reason"] == "message_cut_short").collect();
    assert!(cut.len() == 1 && cut[0]["count"] == 1 && cut[0]["source"] == "vault", "{cut:?}");
}

#[test]
fn a_slow_sender_and_one_connection_too_many_are_closed_and_said() {
    let place = Place::new();
    let config = "[[door]]\nkind = \"syslog-tcp\"\naddress = \"127.0.0.1:0\"\nconnections = 2\nmessage-seconds = 1\nidle-seconds = 3\n";
    let config = place.write("settings.toml", config);
    let running = serve(&place, &["--config", config.to_str().unwrap()]);
    let address = door_address(&running, "syslog-tcp");
    let mut slow = TcpStream::connect(&address).unwrap();
    let idle = TcpStream::connect(&address).unwrap();
    slow.write_all(b"<13>1 - - slow - - - never ends").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let third = TcpStream::connect(&address).unwrap();
    assert!(held::is_closed(&third, Duration::from_secs(2)), "there are two already");
    assert!(held::is_closed(&slow, Duration::from_secs(3)), "it took too long");
    assert!(held::is_closed(&idle, Duration::from_secs(5)), "it said nothing");
    assert_eq!(held_when(&running, "syslog", 1).texts, ["<13>1 - - slow - - - never ends"]);
    assert_eq!(running.stop(), 0);
    let mut reasons: Vec<_> = losses(&place).iter().map(|lost| lost["reason"].as_str().unwrap().to_owned()).collect();
    reasons.sort();
    assert_eq!(reasons, ["message_cut_short", "sender_too_slow", "too_many_connections"]);
}

#[test]
fn a_message_over_the_limit_is_kept_cut_with_its_length() {
    let place = Place::new();
    let running = serve(&place, &["--syslog-tcp", "127.0.0.1:0"]);
    let mut tcp = TcpStream::connect(door_address(&running, "syslog-tcp")).unwrap();
    let long = format!("<13>{}", "x".repeat(3 << 20));
    tcp.write_all(format!("{} {long}<13>short\n", long.len()).as_bytes()).unwrap();
    drop(tcp);
    let held = held_when(&running, "syslog", 2);
    assert!(held.texts[0].len() == 1 << 20 && long.starts_with(&held.texts[0]));
    assert_eq!(held.facts[0]["truncated"]["bytes"], long.len());
    assert_eq!(held.texts[1], "<13>short");
}

#[test]
fn a_door_in_the_clear_to_other_machines_is_refused() {
    let place = Place::new();
    for flag in ["--syslog-udp", "--syslog-tcp", "--vault-socket"] {
        place.offline(["serve", flag, "0.0.0.0:0=a"]).refused("refused to open");
    }
    place.offline(["serve", "--syslog-tcp", "192.0.2.1:1=a", "--insecure"]).refused("cannot open syslog-tcp on 192.0.2.1:1");
    place.offline(["serve", "--watch", "/nowhere:a"]).refused("cannot open files on /nowhere");
    place.offline(["serve", "--syslog-tcp", "127.0.0.1:0=Not A Name"]).refused("is not a source name");
}
