//! The peer: PostgreSQL, taking the same bytes with a hash chain that its client computes.
//!
//! It gets its own cluster in the measurement's directory, a memory and WAL setting that suits the
//! load, a Unix socket, a table without an index and binary COPY: whatever could be said to hold it
//! back is left out. `fsync` and `synchronous_commit` are on, as they are for us.

use crate::batch::{Batch, Serials};
use crate::cloudtrail::CloudTrail;
use crate::failure::Failure;
use crate::latency::Latencies;
use crate::process::family_cpu_seconds;
use crate::server::end;
use postgres::{Client, NoTls};
use rustix::process::Signal;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=1GB",
    "max_wal_size=4GB",
    "max_connections=100",
    "unix_socket_permissions=0777",
];
const READY_MAX: Duration = Duration::from_secs(60);
/// Batches each COPY client has ready.
const BATCHES_EACH: usize = 8;
/// Rows each INSERT client has ready.
const ROWS_EACH: usize = 512;

/// A cluster of our own, gone when dropped.
pub struct Cluster {
    child: Child,
    sockets: PathBuf,
}

/// What the peer did in one measurement.
#[derive(Debug, Default)]
pub struct PeerOutcome {
    /// Rows durable.
    pub events: u64,
    /// From the first to the last commit.
    pub elapsed: Duration,
    /// Of each COPY or INSERT.
    pub latencies: Latencies,
    /// CPU seconds of all server processes.
    pub cpu_seconds: f64,
}

impl Cluster {
    /// Makes a cluster in `dir` and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start(dir: &Path) -> Result<Self, Failure> {
        for program in ["initdb", "postgres"] {
            if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
                return Err(Failure::Wrong(format!(
                    "the peer needs PostgreSQL: `{program}` is not in PATH (Debian: /usr/lib/postgresql/*/bin), or leave --peer out"
                )));
            }
        }
        let account = Account::unprivileged()?;
        let (data, sockets) = (dir.join("cluster"), dir.join("sockets"));
        for path in [dir, &data, &sockets] {
            std::fs::create_dir_all(path).map_err(Failure::io(format!("create {}", path.display())))?;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
                .map_err(Failure::io(format!("open {} to the peer's account", path.display())))?;
            account.own(path)?;
        }
        let made = account
            .command("initdb")
            .args(["--username=bench", "--auth=trust", "--encoding=UTF8", "--no-locale", "-D"])
            .arg(&data)
            .output()
            .map_err(Failure::io("run initdb"))?;
        if !made.status.success() {
            return Err(Failure::Wrong(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr))));
        }
        let log = dir.join("postgres.log");
        let out = std::fs::File::create(&log).map_err(Failure::io(format!("create {}", log.display())))?;
        let mut command = account.command("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(&sockets);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(out).spawn().map_err(Failure::io("start postgres"))?;
        let cluster = Self { child, sockets };
        cluster.create_table(&log)?;
        Ok(cluster)
    }

    fn create_table(&self, log: &Path) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            match self.connect() {
                Ok(mut client) => {
                    client.batch_execute("CREATE TABLE trail (chain int2 NOT NULL, hash bytea NOT NULL, event bytea NOT NULL)")?;
                    return Ok(());
                }
                Err(error) if begin.elapsed() > READY_MAX => {
                    let said = std::fs::read_to_string(log).unwrap_or_default();
                    return Err(Failure::Wrong(format!("postgresql did not become ready: {error}; it said:\n{said}")));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn connect(&self) -> Result<Client, postgres::Error> {
        postgres::Config::new().host_path(&self.sockets).port(5432).user("bench").dbname("postgres").connect(NoTls)
    }

    /// COPY of batches of `rows` on `connections` connections for `duration`.
    ///
    /// # Errors
    /// When the database refuses something.
    pub fn copy(&self, seed: u64, connections: u16, rows: usize, duration: Duration) -> Result<PeerOutcome, Failure> {
        self.measure(connections, duration, |lane| CopyClient::new(self.connect()?, seed, lane, rows))
    }

    /// Prepared INSERTs of one row each on `connections` connections for `duration`.
    ///
    /// # Errors
    /// When the database refuses something.
    pub fn insert(&self, seed: u64, connections: u16, duration: Duration) -> Result<PeerOutcome, Failure> {
        self.measure(connections, duration, |lane| InsertClient::new(self.connect()?, seed, lane))
    }

    fn measure<C: PeerClient>(
        &self,
        connections: u16,
        duration: Duration,
        client: impl Fn(u16) -> Result<C, Failure>,
    ) -> Result<PeerOutcome, Failure> {
        let clients = (1..=connections).map(client).collect::<Result<Vec<_>, _>>()?;
        let cpu = family_cpu_seconds(self.child.id()).unwrap_or(0.0);
        let begin = Instant::now();
        let outcomes: Vec<Result<PeerOutcome, Failure>> = std::thread::scope(|scope| {
            let lanes: Vec<_> =
                clients.into_iter().map(|mut client| scope.spawn(move || closed_loop(&mut client, begin + duration))).collect();
            lanes
                .into_iter()
                .map(|lane| lane.join().unwrap_or_else(|_| Err(Failure::Wrong("a client of the peer panicked".to_owned()))))
                .collect()
        });
        let mut total = PeerOutcome { elapsed: begin.elapsed(), ..PeerOutcome::default() };
        for outcome in outcomes {
            let outcome = outcome?;
            total.events += outcome.events;
            total.latencies.append(outcome.latencies);
        }
        total.cpu_seconds = family_cpu_seconds(self.child.id()).unwrap_or(0.0) - cpu;
        Ok(total)
    }

    /// Rows in the table: what was acknowledged must be there.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn rows(&self) -> Result<u64, Failure> {
        let rows: i64 = self.connect()?.query_one("SELECT count(*) FROM trail", &[])?.get(0);
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    /// Bytes of the table.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn table_bytes(&self) -> Result<u64, Failure> {
        let bytes: i64 = self.connect()?.query_one("SELECT pg_total_relation_size('trail')", &[])?.get(0);
        Ok(u64::try_from(bytes).unwrap_or(0))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; killed only if that does not end it.
        if end(&mut self.child, Signal::INT, Duration::from_secs(60)).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// One connection's work.
trait PeerClient: Send {
    /// Makes the next piece durable; returns its rows.
    fn step(&mut self) -> Result<u64, Failure>;
}

fn closed_loop(client: &mut impl PeerClient, deadline: Instant) -> Result<PeerOutcome, Failure> {
    let mut outcome = PeerOutcome::default();
    loop {
        let start = Instant::now();
        if start >= deadline {
            return Ok(outcome);
        }
        outcome.events += client.step()?;
        outcome.latencies.push(start.elapsed());
    }
}

/// The chain a client keeps: each row's hash covers the one before.
struct Chain {
    number: i16,
    last: [u8; 32],
}

impl Chain {
    fn link(&mut self, event: &[u8]) -> [u8; 32] {
        self.last = tlog::sha256(&[&self.last, event]);
        self.last
    }
}

struct CopyClient {
    client: Client,
    batches: Vec<Batch>,
    next: usize,
    serials: Serials,
    chain: Chain,
    buffer: Vec<u8>,
}

impl CopyClient {
    fn new(client: Client, seed: u64, lane: u16, rows: usize) -> Result<Self, Failure> {
        let mut stream = CloudTrail::new(seed ^ u64::from(lane));
        Ok(Self {
            client,
            batches: (0..BATCHES_EACH).map(|_| Batch::make(&mut stream, rows, |_| String::new())).collect(),
            next: 0,
            serials: Serials::of_lane(lane),
            chain: Chain { number: lane.cast_signed(), last: [0; 32] },
            buffer: Vec::new(),
        })
    }
}

impl PeerClient for CopyClient {
    fn step(&mut self) -> Result<u64, Failure> {
        self.next = (self.next + 1) % BATCHES_EACH;
        let Some(batch) = self.batches.get_mut(self.next) else {
            return Ok(0);
        };
        batch.renew(&mut self.serials);
        // PostgreSQL's binary COPY: signature, flags, extension; a row is a field count and
        // (length, bytes) each; −1 ends it.
        self.buffer.clear();
        self.buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        for event in batch.events() {
            let hash = self.chain.link(event);
            self.buffer.extend_from_slice(&3i16.to_be_bytes());
            for field in [&self.chain.number.to_be_bytes(), hash.as_slice(), event] {
                self.buffer.extend_from_slice(&i32::try_from(field.len()).unwrap_or(i32::MAX).to_be_bytes());
                self.buffer.extend_from_slice(field);
            }
        }
        self.buffer.extend_from_slice(&(-1i16).to_be_bytes());
        let mut copy = self.client.copy_in("COPY trail (chain, hash, event) FROM STDIN (FORMAT binary)")?;
        copy.write_all(&self.buffer).map_err(Failure::io("send rows to the peer"))?;
        Ok(copy.finish()?)
    }
}

struct InsertClient {
    client: Client,
    statement: postgres::Statement,
    rows: Vec<Batch>,
    next: usize,
    serials: Serials,
    chain: Chain,
}

impl InsertClient {
    fn new(mut client: Client, seed: u64, lane: u16) -> Result<Self, Failure> {
        let mut stream = CloudTrail::new(seed ^ u64::from(lane));
        let statement = client.prepare("INSERT INTO trail (chain, hash, event) VALUES ($1, $2, $3)")?;
        Ok(Self {
            client,
            statement,
            rows: (0..ROWS_EACH).map(|_| Batch::make(&mut stream, 1, |_| String::new())).collect(),
            next: 0,
            serials: Serials::of_lane(lane),
            chain: Chain { number: lane.cast_signed(), last: [0; 32] },
        })
    }
}

impl PeerClient for InsertClient {
    fn step(&mut self) -> Result<u64, Failure> {
        self.next = (self.next + 1) % ROWS_EACH;
        let Some(row) = self.rows.get_mut(self.next) else {
            return Ok(0);
        };
        row.renew(&mut self.serials);
        let Some(event) = row.events().next() else {
            return Ok(0);
        };
        let hash = self.chain.link(event);
        Ok(self.client.execute(&self.statement, &[&self.chain.number, &hash.as_slice(), &event])?)
    }
}

/// The account the peer runs under: PostgreSQL refuses to run as root.
struct Account(Option<(u32, u32)>);

impl Account {
    fn unprivileged() -> Result<Self, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        let accounts = std::fs::read_to_string("/etc/passwd").map_err(Failure::io("read /etc/passwd"))?;
        let ids = |name: &str| {
            let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        ids("postgres")
            .or_else(|| ids("nobody"))
            .map(|ids| Self(Some(ids)))
            .ok_or_else(|| Failure::Wrong("the peer may not run as root, and there is no account `postgres` or `nobody`".to_owned()))
    }

    fn own(&self, path: &Path) -> Result<(), Failure> {
        let Some((user, group)) = self.0 else {
            return Ok(());
        };
        std::os::unix::fs::chown(path, Some(user), Some(group)).map_err(Failure::io(format!("give {} to the peer", path.display())))
    }

    fn command(&self, program: &str) -> Command {
        let Some((user, group)) = self.0 else {
            return Command::new(program);
        };
        // setpriv(1) replaces itself with the program, so the child we signal is the program.
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).args(["--clear-groups", "--", program]);
        // The account may not be allowed to stand in our working directory.
        command.current_dir("/");
        command
    }
}
