//! rsyslog, over TCP and TLS, with the server killed and started again.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::binary::Place;
use crate::held::{held_at_least, held_when, of};
use crate::shipper::{Shipper, free_port, installed, serve_tls, times_held, tls};
use crate::{numbered, serve};

/// `None`: it is not installed, and this is not CI.
fn rsyslog(place: &Place, template: &str, port: u16) -> Option<Shipper> {
    let paths = ["/usr/sbin/rsyslogd", "/sbin/rsyslogd", "/usr/local/sbin/rsyslogd"].map(PathBuf::from);
    let program = installed(&paths, "rsyslog is not installed: apt-get install rsyslog rsyslog-gnutls")?;
    Some(Shipper::start(place, template, &[("@PORT@", &port.to_string())], |work, config| {
        let check = Command::new(&program).arg("-N1").arg("-f").arg(config).output().unwrap();
        assert!(check.status.success(), "{check:?}");
        let mut command = Command::new(program);
        command.arg("-n").arg("-f").arg(config).arg("-i").arg(work.join("pid"));
        command
    }))
}

#[test]
fn rsyslog_goes_on_where_it_was_when_the_server_was_killed_in_silence() {
    let place = Place::new();
    let port = free_port();
    let door = format!("127.0.0.1:{port}=linux");
    let running = serve(&place, &["--syslog-tcp", &door]);
    let Some(rsyslog) = rsyslog(&place, "rsyslog-tcp.conf", port) else { return };
    let lines = numbered(4_000);
    rsyslog.write(&lines[..1_000]);
    let held = held_when(&running, "linux", 1_000);
    assert!(held.texts.iter().zip(&lines).all(|(event, line)| event.ends_with(line.as_str())), "in order");
    running.kill();
    // Written while nobody listens: they wait in rsyslog's queue, which does not keep their order.
    rsyslog.write(&lines[1_000..3_000]);
    std::thread::sleep(Duration::from_secs(3));
    let running = serve(&place, &["--syslog-tcp", &door]);
    rsyslog.write(&lines[3_000..]);
    let times = times_held(&held_at_least(&running, "linux", 4_000), &lines);
    // Nothing is missing. What rsyslog had sent before the kill without being sure, it sends again.
    assert!(times.iter().all(|times| (1..=2).contains(times)), "{times:?}");
    assert!(times.iter().filter(|times| **times == 2).count() <= 16, "{times:?}");
    drop(rsyslog);
    assert_eq!(running.stop(), 0);
}

#[test]
fn a_server_killed_under_load_misses_at_most_what_was_in_flight() {
    let place = Place::new();
    let port = free_port();
    let door = format!("127.0.0.1:{port}=linux");
    let running = serve(&place, &["--syslog-tcp", &door]);
    let Some(rsyslog) = rsyslog(&place, "rsyslog-tcp.conf", port) else { return };
    let lines = numbered(20_000);
    rsyslog.write(&lines);
    let began = Instant::now();
    while of(&running, "linux").texts.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "nothing came");
    }
    running.kill();
    let running = serve(&place, &["--syslog-tcp", &door]);
    let last = lines.last().unwrap();
    let began = Instant::now();
    let held = loop {
        let held = of(&running, "linux");
        if held.texts.last().is_some_and(|event| event.ends_with(last.as_str())) {
            break held;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the last line did not come");
        std::thread::sleep(Duration::from_millis(200));
    };
    // Plain syslog has no acknowledgement: what the kernels had taken is missing, in one piece, and
    // what rsyslog was not sure of comes twice. Everything else is there once.
    let numbers: Vec<usize> = held.texts.iter().map(|event| number_in(event)).collect();
    let mut times = vec![0_usize; lines.len()];
    numbers.iter().for_each(|number| times[*number] += 1);
    let missing: Vec<usize> = (0..lines.len()).filter(|number| times[*number] == 0).collect();
    let twice = times.iter().filter(|times| **times > 1).count();
    assert!(missing.windows(2).all(|two| two[1] == two[0] + 1), "missing in several places: {missing:?}");
    assert!(missing.len() * 150 < 8 << 20, "more is missing than buffers hold: {}", missing.len());
    assert!(times.iter().all(|times| *times <= 2) && twice * 150 < 8 << 20, "{twice} came twice");
    drop(rsyslog);
    assert_eq!(running.stop(), 0);
}

fn number_in(event: &str) -> usize {
    let behind = event.split("message number ").nth(1).unwrap();
    behind.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn rsyslog_over_tls_is_known_by_its_certificate_and_nobody_without_one_is_heard() {
    let place = Place::new();
    let port = free_port();
    let running = serve_tls(&place, port);
    let Some(rsyslog) = rsyslog(&place, "rsyslog-tls.conf", port) else { return };
    let lines = numbered(500);
    rsyslog.write(&lines);
    let held = held_when(&running, "corp", 500);
    assert_eq!(times_held(&held, &lines), vec![1; 500]);
    assert_eq!(held.facts[0]["door"], "syslog-tls");
    assert_eq!(held.people[0]["subject"], "web-1.corp.example");
    drop(rsyslog);
    let without = Command::new("sh")
        .args(["-c", "printf '<13>no certificate\\n' | timeout 5 openssl s_client -quiet -connect \"$0\" -CAfile \"$1\" 2>&1"])
        .arg(format!("127.0.0.1:{port}"))
        .arg(tls().join("ca.crt"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&without.stdout).contains("alert"), "{without:?}");
    assert_eq!(of(&running, "other").texts.len(), 0);
    assert_eq!(running.stop(), 0);
    assert!(crate::losses(&place).iter().any(|lost| lost["reason"] == "tls_failed"));
}
