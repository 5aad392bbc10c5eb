//! A shipper of a test's own: its configuration from `tests/clients`, its files beside the test's log.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::{Place, Running};
use crate::held::{Held, door_address};
use crate::serve;

/// Ended when dropped, by its own process id.
pub struct Shipper {
    child: Child,
    input: PathBuf,
}

impl Shipper {
    /// Starts `program` with what `arguments` makes of its directory and configuration. It reads the file
    /// that [`Self::write`] appends to; `names` are put into the configuration beside the usual ones.
    pub fn start(place: &Place, template: &str, names: &[(&str, &str)], command: impl FnOnce(&Path, &Path) -> Command) -> Self {
        let work = place.beside("shipper");
        std::fs::create_dir_all(&work).unwrap();
        let input = place.write("shipper/input.log", "");
        let config = std::fs::read_to_string(tests().join("clients").join(template)).unwrap();
        let paths = [("@WORK@", &work), ("@INPUT@", &input), ("@TLS@", &tls())];
        let config = paths.iter().fold(config, |config, (name, path)| config.replace(name, path.to_str().unwrap()));
        let config = names.iter().fold(config, |config, (name, value)| config.replace(name, value));
        let config = place.write("shipper/shipper.conf", config);
        let child = command(&work, &config).stdin(Stdio::null()).spawn().unwrap();
        Self { child, input }
    }

    /// Appends lines to the file that it follows.
    pub fn write(&self, lines: &[String]) {
        let mut file = OpenOptions::new().append(true).open(&self.input).unwrap();
        file.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    }
}

impl Drop for Shipper {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A shipper that is not installed is a failure in CI, where `./test` installs it; elsewhere its test steps aside.
pub fn installed(paths: &[PathBuf], how: &str) -> Option<PathBuf> {
    let found = paths.iter().find(|path| path.exists()).cloned();
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{how}");
        eprintln!("nothing is tested: {how}");
    }
    found
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Certificates and keys of the tests.
pub fn tls() -> PathBuf {
    tests().join("golden/tls")
}

/// A server with a syslog door over TLS on that port: who shows a certificate of `corp.example` is `corp`.
pub fn serve_tls(place: &Place, port: u16) -> Running {
    let tls = tls();
    let config = format!(
        "[[door]]\nkind = \"syslog-tls\"\naddress = \"127.0.0.1:{port}\"\nsource = \"other\"\n\
         tls-cert = {:?}\ntls-key = {:?}\nclient-ca = {:?}\n\
         [[door.pick]]\ncertificate = \"*.corp.example\"\nsource = \"corp\"\n",
        tls.join("door.crt"),
        tls.join("door.key"),
        tls.join("ca.crt")
    );
    let config = place.write("settings.toml", config);
    let running = serve(place, &["--config", config.to_str().unwrap()]);
    assert_eq!(door_address(&running, "syslog-tls"), format!("127.0.0.1:{port}"));
    running
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Which of `lines` the log holds, and how often.
pub fn times_held(held: &Held, lines: &[String]) -> Vec<usize> {
    let is = |event: &&String, line: &String| event.ends_with(line.as_str());
    lines.iter().map(|line| held.texts.iter().filter(|event| is(event, line)).count()).collect()
}
