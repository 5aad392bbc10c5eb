//! Runs the binary.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

mod ran;

pub use ran::*;

/// The binary with nothing of the tester's own environment.
pub fn indelible() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_indelible"));
    for name in ["INDELIBLE_URL", "INDELIBLE_KEY", "INDELIBLE_DATA", "INDELIBLE_LISTEN", "INDELIBLE_CA_FILE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command
}

/// A data directory with a trail, and its admin key.
pub struct Place {
    dir: TempDir,
    pub admin_key: String,
    pub vkey: String,
    pub origin: String,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = run(indelible().args(["init", "--json", "--data"]).arg(dir.path().join("data"))).ok().json();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { admin_key: text("admin_key"), vkey: text("vkey"), origin: text("origin"), dir }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A path beside the data directory.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.beside(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn serve(&self) -> Running {
        Running::start(&self.data(), &[], &self.admin_key)
    }

    /// A command on the stopped directory.
    pub fn offline<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        let mut command = indelible();
        command.args(args).arg("--data").arg(self.data()).env("INDELIBLE_IMPORT_STATE", self.beside("state"));
        run(&mut command)
    }
}

/// A running server; killed when dropped.
pub struct Running {
    child: Child,
    _out: BufReader<ChildStdout>,
    pub said: Vec<String>,
    pub url: String,
    pub key: String,
    state: TempDir,
}

impl Running {
    /// Starts a server and waits until it said where it listens. `key`: what its commands use.
    pub fn start(data: &Path, args: &[&str], key: &str) -> Self {
        let mut command = indelible();
        command.args(["serve", "--data"]).arg(data).args(args);
        if !args.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut said = Vec::new();
        while said.last().is_none_or(|line: &String| !line.starts_with("vkey")) {
            let mut line = String::new();
            assert!(out.read_line(&mut line).unwrap() > 0, "the server ended before it was ready: {said:?}");
            said.push(line.trim_end().to_owned());
        }
        let url = said[0].strip_prefix("listening").unwrap().trim().to_owned();
        Self { child, _out: out, said, url, key: key.to_owned(), state: tempfile::tempdir().unwrap() }
    }

    /// A client command with the server's address and key.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = indelible();
        command.args(args).env("INDELIBLE_URL", &self.url).env("INDELIBLE_KEY", &self.key);
        command.env("INDELIBLE_IMPORT_STATE", self.state.path());
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        run(&mut self.command(args))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and gives its exit code.
    pub fn stop(mut self) -> i32 {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(began.elapsed() < Duration::from_secs(30), "the server does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
