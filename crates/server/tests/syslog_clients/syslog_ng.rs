//! syslog-ng, over TLS and over HTTP. Its package cannot stand beside rsyslog's, so that `./test` unpacks
//! it into the cache directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binary::Place;
use crate::held::{held_when, of};
use crate::numbered;
use crate::shipper::{Shipper, free_port, installed, serve_tls, times_held};

/// Where it was unpacked or installed; `None`: it is not there, and this is not CI.
fn program() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).unwrap_or_default();
    let paths = [cache.join("indelible/clients/syslog-ng/usr/sbin/syslog-ng"), PathBuf::from("/usr/sbin/syslog-ng")];
    installed(&paths, "syslog-ng is not there: ./test unpacks syslog-ng-core and syslog-ng-mod-http where it may")
}

fn command(program: &Path, work: &Path, config: &Path) -> Command {
    let root = program.ancestors().nth(3).unwrap();
    let libraries = root.join("usr/lib/syslog-ng");
    let modules = std::fs::read_dir(&libraries).unwrap().map(|entry| entry.unwrap().path()).find(|path| path.join("libaffile.so").exists());
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", &libraries).arg("--foreground").arg("--no-caps").arg("--module-path").arg(modules.unwrap());
    command.arg("--cfgfile").arg(config).arg("--persist-file").arg(work.join("persist"));
    command.arg("--control").arg(work.join("control")).arg("--pidfile").arg(work.join("pid"));
    command
}

#[test]
fn syslog_ng_is_known_by_its_certificate_over_tls_and_by_its_key_over_http() {
    let Some(program) = program() else { return };
    let place = Place::new();
    let port = free_port();
    let running = serve_tls(&place, port);
    let names = [("@PORT@", port.to_string()), ("@URL@", running.url.clone()), ("@KEY@", place.admin_key.clone())];
    let names = names.each_ref().map(|(name, value)| (*name, value.as_str()));
    let shipper = Shipper::start(&place, "syslog-ng.conf", &names, |work, config| command(&program, work, config));
    let lines = numbered(500);
    shipper.write(&lines);
    let over_tls = held_when(&running, "corp", 500);
    assert_eq!(times_held(&over_tls, &lines), vec![1; 500]);
    assert!(
        over_tls.texts[0].starts_with("<") && over_tls.texts[0].contains(">1 20") && over_tls.texts[0].contains(" app "),
        "{}",
        over_tls.texts[0]
    );
    assert_eq!(over_tls.people[0]["subject"], "web-1.corp.example");
    assert_eq!(held_when(&running, "hec", 500).texts, lines);
    assert_eq!(of(&running, "other").texts.len(), 0);
    drop(shipper);
    assert_eq!(running.stop(), 0);
}
