//! Opens the doors that the settings name, and closes them again.

use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::fs::fstat;
use rustix::net::sockopt;
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::config::{DirectoryConfig, DoorConfig, DoorKind, DoorPlace, PickTable};
use crate::door::files::folder::DiskFolder;
use crate::door::files::follow::{Follower, cursor_name};
use crate::door::files::watch::WatchRules;
use crate::door::socket::datagram::{self, DatagramSocket};
use crate::door::socket::inlet::Inlet;
use crate::door::socket::kernel_drops::KernelDrops;
use crate::door::socket::limits::{KERNEL_BUFFER_BYTES, SocketLimits};
use crate::door::socket::listener::{StreamDoor, StreamListener};
use crate::door::stop::Stop;
use crate::door::tls::{TlsError, acceptor};
use crate::door::{Admission, Origin, UNKNOWN_KIND};
use crate::intake::{Framing, InvalidNetwork, InvalidPlaces, InvalidSourceName, SourceChoice, SourceName, SourceRule, Wildcard};

/// Who may write to a socket: programs of every user to one for syslog, as to `/dev/log`; the owner
/// and the group to any other.
const SYSLOG_MODE: u32 = 0o666;
/// See [`SYSLOG_MODE`].
const LINES_MODE: u32 = 0o660;

/// Why a door cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The address is taken, or not ours.
    #[error("cannot open {kind} on {place}: {why}; choose another address, or find out who has it")]
    Bind {
        /// What was to come in.
        kind: DoorKind,
        /// Where.
        place: String,
        /// What the system said.
        why: io::Error,
    },
    /// TLS is not set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A source's name.
    #[error("{name:?} is {why}")]
    Source {
        /// What was given.
        name: String,
        /// What is wrong.
        why: InvalidSourceName,
    },
    /// A sender's range.
    #[error("{text:?} is {why}")]
    Network {
        /// What was given.
        text: String,
        /// What is wrong.
        why: InvalidNetwork,
    },
    /// The position of a directory.
    #[error("the directory {path} cannot be followed: {why}; start the version that wrote it")]
    Places {
        /// Which.
        path: String,
        /// What is wrong.
        why: InvalidPlaces,
    },
}

/// One open door, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDoor {
    /// What comes in.
    pub kind: DoorKind,
    /// Where.
    pub place: String,
    /// Whose events these are.
    pub source: String,
}

impl fmt::Display for OpenDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lossy = if self.kind == DoorKind::SyslogUdp { "  (lossy)" } else { "" };
        write!(f, "{} {} -> {}{lossy}", self.kind, self.place, self.source)
    }
}

/// All open doors.
pub struct Doors {
    /// For people.
    pub open: Vec<OpenDoor>,
    admission: Arc<Admission>,
    closing: watch::Sender<bool>,
    tasks: JoinSet<()>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
    limits: SocketLimits,
}

impl Doors {
    /// Opens all of them, or none. Call it inside a runtime.
    ///
    /// # Errors
    /// [`DoorError`], which names the door.
    pub async fn open(doors: &[DoorConfig], admission: &Arc<Admission>, limits: SocketLimits) -> Result<Self, DoorError> {
        let mut opened = Self {
            open: Vec::new(),
            admission: Arc::clone(admission),
            closing: watch::Sender::new(false),
            tasks: JoinSet::new(),
            stop: Arc::default(),
            threads: Vec::new(),
            limits,
        };
        for door in doors {
            if let Err(why) = opened.open_one(door).await {
                opened.close().await;
                return Err(why);
            }
        }
        Ok(opened)
    }

    async fn open_one(&mut self, door: &DoorConfig) -> Result<(), DoorError> {
        let at = match &door.place {
            DoorPlace::Directory(of) => self.open_directory(door, of)?,
            DoorPlace::Net(_) | DoorPlace::Unix(_) => self.open_socket(door).await?,
        };
        self.open.push(OpenDoor { kind: door.kind, place: at, source: door.source.clone() });
        Ok(())
    }

    async fn open_socket(&mut self, door: &DoorConfig) -> Result<String, DoorError> {
        let bind = |why| DoorError::Bind { kind: door.kind, place: door.place.to_string(), why };
        let choice = choice(door)?;
        let (closing, drain) = (self.closing.subscribe(), self.limits.drain);
        let inlet = Arc::new(Inlet { admission: Arc::clone(&self.admission), door: door.kind.name(), choice, closing, drain });
        let limits = limits(door, &self.limits);
        match (door.kind, &door.place) {
            (DoorKind::SyslogUdp, DoorPlace::Net(address)) => {
                let socket = UdpSocket::bind(address).await.map_err(bind)?;
                ask_for_buffer(&socket);
                let at = socket.local_addr().map_err(bind)?.to_string();
                let inode = fstat(&socket).map_err(|why| bind(why.into()))?.st_ino;
                self.tasks.spawn(datagram::run(DatagramSocket::Udp(socket), Some(KernelDrops::new(inode)), inlet, limits.datagrams));
                Ok(at)
            }
            (DoorKind::SyslogUnix, DoorPlace::Unix(path)) => {
                let socket = free_path(path).and_then(|()| UnixDatagram::bind(path)).map_err(bind)?;
                set_mode(path, SYSLOG_MODE).map_err(bind)?;
                let path = path.clone();
                let at = path.display().to_string();
                self.tasks.spawn(async move {
                    datagram::run(DatagramSocket::Unix(socket), None, inlet, limits.datagrams).await;
                    // Gone already is as good.
                    let _ = std::fs::remove_file(path);
                });
                Ok(at)
            }
            (_, place) => {
                let tls = door.tls.as_ref().map(|tls| acceptor(tls, &[])).transpose()?;
                let (listener, at, path) = listen(place, bind).await?;
                let framing = if door.kind == DoorKind::Lines { Framing::Lines } else { Framing::Syslog };
                self.tasks.spawn(StreamDoor { listener, tls, framing, inlet, limits, path }.run());
                Ok(at)
            }
        }
    }

    fn open_directory(&mut self, door: &DoorConfig, of: &DirectoryConfig) -> Result<String, DoorError> {
        let bind = |why| DoorError::Bind { kind: door.kind, place: of.path.display().to_string(), why };
        let root = of.path.canonicalize().map_err(bind)?;
        let origin = Origin { source: source(&door.source)?, kind: UNKNOWN_KIND.into(), door: door.kind.name() };
        let mut rules = WatchRules { remove: of.remove, ..WatchRules::default() };
        rules.patterns = of.patterns.iter().map(|pattern| Wildcard::new(pattern)).collect();
        if let Some(seconds) = of.stable_seconds {
            rules.stable_ms = seconds.saturating_mul(1_000);
        }
        let at = root.display().to_string();
        let folder = DiskFolder { root, recursive: of.recursive };
        let cursor = cursor_name(&origin.source, &folder.root);
        let follower = Follower::new(Arc::clone(&self.admission), origin, cursor, folder, rules);
        let follower = follower.map_err(|why| DoorError::Places { path: at.clone(), why })?;
        let stop = Arc::clone(&self.stop);
        let thread = std::thread::Builder::new().name("files".into()).spawn(move || follower.run(&stop)).map_err(bind)?;
        self.threads.push(thread);
        Ok(at)
    }

    /// Closes all of them: nothing new is taken, and what is in memory is kept first.
    pub async fn close(mut self) {
        if !self.open.is_empty() {
            info!(doors = self.open.len(), "closing doors: what they have is kept first");
        }
        self.closing.send_replace(true);
        self.stop.ask();
        while self.tasks.join_next().await.is_some() {}
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok())).await;
        if !matches!(joined, Ok(true)) {
            tracing::error!("a thread of a watched directory ended early");
        }
        self.admission.record_counts(true).await;
    }
}

async fn listen(
    place: &DoorPlace,
    bind: impl Fn(io::Error) -> DoorError,
) -> Result<(StreamListener, String, Option<std::path::PathBuf>), DoorError> {
    match place {
        DoorPlace::Net(address) => {
            let listener = TcpListener::bind(address).await.map_err(&bind)?;
            let at = listener.local_addr().map_err(&bind)?.to_string();
            Ok((StreamListener::Tcp(listener), at, None))
        }
        DoorPlace::Unix(path) | DoorPlace::Directory(DirectoryConfig { path, .. }) => {
            let listener = free_path(path).and_then(|()| UnixListener::bind(path)).map_err(&bind)?;
            set_mode(path, LINES_MODE).map_err(&bind)?;
            Ok((StreamListener::Unix(listener), path.display().to_string(), Some(path.clone())))
        }
    }
}

fn limits(door: &DoorConfig, defaults: &SocketLimits) -> SocketLimits {
    let seconds = |given: Option<u64>, default| given.map_or(default, Duration::from_secs);
    SocketLimits {
        connections: door.connections.unwrap_or(defaults.connections),
        datagrams: door.datagrams.unwrap_or(defaults.datagrams).max(1),
        idle: seconds(door.idle_seconds, defaults.idle),
        message: seconds(door.message_seconds, defaults.message),
        ..defaults.clone()
    }
}

fn source(name: &str) -> Result<SourceName, DoorError> {
    name.parse().map_err(|why| DoorError::Source { name: name.to_owned(), why })
}

fn choice(door: &DoorConfig) -> Result<SourceChoice, DoorError> {
    let rules = door.pick.iter().map(rule).collect::<Result<_, _>>()?;
    Ok(SourceChoice { source: source(&door.source)?, rules })
}

fn rule(table: &PickTable) -> Result<SourceRule, DoorError> {
    let pattern = |text: &Option<String>| text.as_deref().map(Wildcard::new);
    let network = |text: &String| text.parse().map_err(|why| DoorError::Network { text: text.clone(), why });
    Ok(SourceRule {
        sender: table.sender.as_ref().map(network).transpose()?,
        certificate: pattern(&table.certificate),
        host: pattern(&table.host),
        app: pattern(&table.app),
        source: source(&table.source)?,
    })
}

/// More room in the kernel is fewer drops. Past `net.core.rmem_max` it takes a privilege.
fn ask_for_buffer(socket: &UdpSocket) {
    let asked = sockopt::set_socket_recv_buffer_size_force(socket, KERNEL_BUFFER_BYTES)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, KERNEL_BUFFER_BYTES));
    debug!(?asked, got = ?sockopt::socket_recv_buffer_size(socket), "the kernel's buffer for datagrams");
}

/// Removes a socket that a process left behind when it was killed, never anything else.
fn free_path(path: &Path) -> io::Result<()> {
    let Ok(there) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "there is a file of that name that is no socket"));
    }
    let refused = |why: io::Error| why.kind() == io::ErrorKind::ConnectionRefused;
    let nobody_listens = std::os::unix::net::UnixStream::connect(path).is_err_and(refused)
        || std::os::unix::net::UnixDatagram::unbound()?.connect(path).is_err_and(refused);
    if nobody_listens { std::fs::remove_file(path) } else { Err(io::ErrorKind::AddrInUse.into()) }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
