//! The server under measurement: the real binary, started, asked whether it is ready, stopped or
//! killed.

use crate::asker::Asker;
use crate::failure::Failure;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Sealing what is left may take a while on a slow disk.
const STOP_MAX: Duration = Duration::from_secs(180);
/// The start that is measured must take 2 s; a first start on a slow disk may take longer.
const READY_MAX: Duration = Duration::from_secs(120);

/// The `indelible` binary.
#[derive(Clone, Debug)]
pub struct Binary(PathBuf);

impl Binary {
    /// Takes the binary at `path`.
    ///
    /// # Errors
    /// When there is none.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let path = path.canonicalize().map_err(Failure::io(format!(
            "find the server's binary {} (build it with `cargo build --release`, or name it with --binary)",
            path.display()
        )))?;
        Ok(Self(path))
    }

    /// A command of the binary.
    #[must_use]
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// The token kept beside `data`. A directory that is not there is made, and its admin key kept so.
    ///
    /// # Errors
    /// When there is a directory and no token beside it, or either cannot be made.
    pub fn token_of(&self, data: &Path) -> Result<String, Failure> {
        let path = beside(data, "key");
        if data.exists() {
            let kept = std::fs::read_to_string(&path).map_err(Failure::io(format!("read the token in {}", path.display())))?;
            return Ok(kept.trim().to_owned());
        }
        let token = self.init(data)?;
        let what = || format!("keep the token in {}", path.display());
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(&path).map_err(Failure::io(what()))?;
        file.write_all(token.as_bytes()).map_err(Failure::io(what()))?;
        Ok(token)
    }

    /// Makes a trail in `data`; returns the admin key.
    ///
    /// # Errors
    /// When it does not print one.
    pub fn init(&self, data: &Path) -> Result<String, Failure> {
        let output = self.command().args(["init", "--json", "--data"]).arg(data).output().map_err(Failure::io("run `indelible init`"))?;
        let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        printed.get("admin_key").and_then(serde_json::Value::as_str).map(str::to_owned).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&output.stderr);
            Failure::Wrong(format!("`indelible init --json` printed no admin_key ({}): {errors}", output.status))
        })
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From exec to the first `/readyz` that answers 200.
    pub ready_after: Duration,
}

impl Server {
    /// Serves `data` on a free port of the loopback; returns once it is ready. What it prints goes
    /// to `data` with `.log` added.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(binary: &Binary, data: &Path) -> Result<Self, Failure> {
        let address = free_address()?;
        let log = beside(data, "log");
        let out = File::create(&log).map_err(Failure::io(format!("create {}", log.display())))?;
        let errors = out.try_clone().map_err(Failure::io("share the server's log"))?;
        let begin = Instant::now();
        let child = binary
            .command()
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(errors)
            .spawn()
            .map_err(Failure::io("start the server"))?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        loop {
            if ready(address) {
                server.ready_after = begin.elapsed();
                return Ok(server);
            }
            let ended = server.child.try_wait().map_err(Failure::io("look at the server"))?;
            if ended.is_some() || begin.elapsed() > READY_MAX {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(Failure::Wrong(format!("the server did not become ready; it said:\n{said}")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The size of its tree now, from the checkpoint it serves.
    ///
    /// # Errors
    /// When it serves none to this token.
    pub fn tree_size(&self, token: &str) -> Result<u64, Failure> {
        let mut asker = Asker::new(self.address, token)?;
        asker.ask("/trails/main/checkpoint")?;
        let note = asker.text();
        size_in(&note).ok_or_else(|| Failure::Wrong(format!("the server's checkpoint is none: {note:?}")))
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn stop(mut self) -> Result<Duration, Failure> {
        let begin = Instant::now();
        let status = end(&mut self.child, Signal::TERM, STOP_MAX)?;
        if status.success() { Ok(begin.elapsed()) } else { Err(Failure::Wrong(format!("the server ended with {status} after SIGTERM"))) }
    }

    /// Kills it where it stands.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(mut self) -> Result<(), Failure> {
        end(&mut self.child, Signal::KILL, STOP_MAX).map(|_| ())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After an error elsewhere: no server may outlive its measurement.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends `signal` to a child of ours and waits for its end.
///
/// # Errors
/// When it is still there after `longest`.
pub fn end(child: &mut Child, signal: Signal, longest: Duration) -> Result<ExitStatus, Failure> {
    let begin = Instant::now();
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        kill_process(pid, signal).map_err(|error| Failure::io("signal a process")(error.into()))?;
    }
    loop {
        if let Some(status) = child.try_wait().map_err(Failure::io("wait for a process"))? {
            return Ok(status);
        }
        if begin.elapsed() > longest {
            return Err(Failure::Wrong(format!("a process did not end within {longest:?} of {signal:?}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The size in the checkpoint file of a stopped directory.
///
/// # Errors
/// When there is none.
pub fn tree_size(data: &Path) -> Result<u64, Failure> {
    let path = data.join("trails/main/checkpoint");
    let note = std::fs::read_to_string(&path).map_err(Failure::io(format!("read {}", path.display())))?;
    size_in(&note).ok_or_else(|| Failure::Wrong(format!("{} is no checkpoint", path.display())))
}

/// The second line of a checkpoint.
fn size_in(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}
/// `path` with `.extension` added to its last component.
#[must_use]
pub fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::io("find a free port"))?;
    listener.local_addr().map_err(Failure::io("find a free port"))
}

/// Whether `GET /readyz` answers 200.
fn ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
        let mut first = [0u8; 12];
        stream.read_exact(&mut first)?;
        Ok(first == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
