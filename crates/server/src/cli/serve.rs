//! Serves a data directory.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};
use tracing_subscriber::EnvFilter;

use crate::api::{self, ApiLimits, ApiState};
use crate::cli::Answer;
use crate::cli::data_dir::DataDir;
use crate::cli::demo;
use crate::cli::failure::Failure;
use crate::cli::init::first_admin_key;
use crate::cli::maps::catalog;
use crate::cli::server::read_named;
use crate::clock::Clock;
use crate::config::{ClientCertificate, Config, DATA_DEFAULT, DEMO_DATA_DEFAULT, DoorKind, DoorTable, LakeContent, LogFormat, Settings};
use crate::door::Admission;
use crate::door::directory::Identities;
use crate::door::open::{Doors, OpenDoor};
use crate::door::poll::http::Client;
use crate::door::poll::service::Pollers;
use crate::door::secret::Secrets;
use crate::door::socket::limits::SocketLimits;
use crate::forward::service::Service;
use crate::search::{Index, Indexer};
use crate::store::layout::{SIGNING_KEY, trail_dir};
use crate::store::trail::{Trail, TrailOptions};
use crate::watch::{Observe, Watch};

/// Serve a data directory, making it at the first start
///
/// The first start makes the trail, its signing key and an admin key, which is shown once. Flags
/// win over the settings file, whose members have the same names.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible serve --demo\n  indelible serve --data /var/lib/indelible --listen 0.0.0.0:443 --tls-cert cert.pem --tls-key key.pem"
)]
pub struct Serve {
    /// Data directory [default: ./indelible-data, with --demo ./indelible-demo]
    #[arg(long, env = "INDELIBLE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port; other machines need TLS or --insecure [default: 127.0.0.1:8787]
    #[arg(long, env = "INDELIBLE_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// PEM file of the certificate chain
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// PEM file of the authorities that sign certificates of clients: one that a client shows is then verified, and
    /// connections of the kind client.certificate say what its holder may send
    #[arg(long, value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Whether a client must show a certificate; needs --tls-client-ca [default: optional]
    #[arg(long, value_enum)]
    tls_client_certificate: Option<ClientCertificate>,
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serve other machines without TLS: only behind something that does TLS
    #[arg(long)]
    insecure: bool,
    /// Load a small incident to look at, into a directory of its own
    #[arg(long)]
    demo: bool,
    /// Take syslog over UDP: ADDRESS or ADDRESS=SOURCE. Lossy: datagrams that find no room are counted, not kept
    #[arg(long, value_name = "ADDRESS[=SOURCE]")]
    syslog_udp: Vec<String>,
    /// Take syslog over TCP, octet-counted or in lines: ADDRESS or ADDRESS=SOURCE
    #[arg(long, value_name = "ADDRESS[=SOURCE]")]
    syslog_tcp: Vec<String>,
    /// Take syslog over TLS, with --tls-cert and --tls-key: ADDRESS or ADDRESS=SOURCE
    #[arg(long, value_name = "ADDRESS[=SOURCE]")]
    syslog_tls: Vec<String>,
    /// PEM file of the authorities that sign certificates of syslog clients, which then need one
    #[arg(long, value_name = "FILE")]
    syslog_client_ca: Option<PathBuf>,
    /// Take syslog datagrams on a UNIX socket: PATH or PATH=SOURCE
    #[arg(long, value_name = "PATH[=SOURCE]")]
    syslog_unix: Vec<String>,
    /// Take the lines of Vault's audit device over TCP or on a UNIX socket: ADDRESS or ADDRESS=SOURCE
    #[arg(long, value_name = "ADDRESS[=SOURCE]")]
    vault_socket: Vec<String>,
    /// Follow the files of a directory over rotation and restarts
    #[arg(long, value_name = "DIR:SOURCE")]
    watch: Vec<String>,
    /// A checkpoint that the trail must not be behind: refuses a directory that was rolled back
    #[arg(long, value_name = "FILE")]
    not_before: Option<PathBuf>,
    /// Directory of kinds of sources, one folder each, beside those built in (docs/SOURCES.md)
    #[arg(long, env = "INDELIBLE_SOURCES", value_name = "DIR")]
    sources: Option<PathBuf>,
    /// Country or ASN database in MaxMind's format, for addresses whose place the record does not say; may be given
    /// again. Never in the log: it fills in what is derived (docs/LAKE.md)
    #[arg(long, env = "INDELIBLE_GEOIP", value_name = "FILE", value_delimiter = ',')]
    geoip: Vec<PathBuf>,
    /// Parquet files for other engines: none, and those that are there are removed; typed columns; or the whole OCSF
    /// form as well, which takes much more disk (docs/LAKE.md) [default: columns]
    #[arg(long, value_enum)]
    lake: Option<LakeContent>,
    /// How logs are written; RUST_LOG chooses which
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
}

impl Serve {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let demo = self.demo;
        let config = self.config()?;
        start_logs(config.log_format);
        let dir = DataDir::create(&config.data)?;
        let not_before = config.not_before.as_deref().map(read_named).transpose()?;
        let trail = Trail::open(dir.media()?, &TrailOptions { not_before, ..dir.options() })?;
        let served = serve(&config, &dir, &trail, demo, out);
        trail.close();
        served?;
        info!(size = trail.view().size, "stopped; everything acknowledged is on disk");
        Ok(Answer::Holds)
    }

    fn config(self) -> Result<Config, Failure> {
        let file = self.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
        let doors = self.doors();
        let flags = Settings {
            doors,
            data: self.data,
            listen: self.listen,
            tls_cert: self.tls_cert,
            tls_key: self.tls_key,
            tls_client_ca: self.tls_client_ca,
            tls_client_certificate: self.tls_client_certificate,
            insecure: self.insecure.then_some(true),
            log_format: self.log_format,
            not_before: self.not_before,
            sources: self.sources,
            geoip: (!self.geoip.is_empty()).then_some(self.geoip),
            lake: self.lake,
        };
        Ok(flags.or(file).settle(if self.demo { DEMO_DATA_DEFAULT } else { DATA_DEFAULT })?)
    }
}

impl Serve {
    /// Doors that flags ask for.
    fn doors(&self) -> Vec<DoorTable> {
        let listening = [
            (DoorKind::SyslogUdp, &self.syslog_udp),
            (DoorKind::SyslogTcp, &self.syslog_tcp),
            (DoorKind::SyslogTls, &self.syslog_tls),
            (DoorKind::SyslogUnix, &self.syslog_unix),
        ];
        let mut doors: Vec<DoorTable> =
            listening.into_iter().flat_map(|(kind, flags)| flags.iter().map(move |flag| DoorTable::listening(kind, flag))).collect();
        for door in doors.iter_mut().filter(|door| door.kind == DoorKind::SyslogTls) {
            door.client_ca.clone_from(&self.syslog_client_ca);
        }
        doors.extend(self.vault_socket.iter().map(|flag| DoorTable::vault(flag)));
        doors.extend(self.watch.iter().map(|flag| DoorTable::watching(flag)));
        doors
    }
}

/// Asks for as many open files as this process may have: payload files are kept open, and a connection is one too.
fn raise_open_files() {
    let allowed = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: allowed.maximum, maximum: allowed.maximum };
    if let Err(why) = setrlimit(Resource::Nofile, wanted) {
        warn!(%why, current = ?allowed.current, "the limit of open files stays as it is");
    }
}

fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second subscriber is refused, which happens in tests alone.
    let _ = match format {
        LogFormat::Text => logs.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => logs.json().try_init(),
    };
}

fn serve(config: &Config, dir: &DataDir, trail: &Arc<Trail>, demo: bool, out: &mut dyn Write) -> Result<(), Failure> {
    raise_open_files();
    // A map that is wrong is said before anything is made.
    let catalog = Arc::new(catalog(config.sources.as_deref(), &config.geoip)?);
    let admin_key = first_admin_key(trail)?;
    if demo {
        demo::load(trail)?;
    }
    let tls = config.tls.as_ref().map(api::tls_acceptor).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before anybody learns the address: from then on a signal must find somebody at home.
        let stop = stop_signal()?;
        let listener = TcpListener::bind(config.listen).await.map_err(Failure::at(format!("cannot listen on {}", config.listen)))?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr()?);
        let admission = Arc::new(
            Admission::knowing(Arc::clone(trail), Clock::system(), Arc::clone(&catalog)).joining(Identities::kept_in(dir.directory_file())),
        );
        read_directory(&admission);
        let doors = Doors::open(&config.doors, &admission, SocketLimits::default()).await?;
        announce(&url, &doors.open, dir, trail, admin_key.as_deref(), out)?;
        if demo {
            write!(out, "{}", demo::what_to_try(&url, dir.path(), trail, admin_key.as_deref()))?;
        }
        out.flush()?;
        let pollers = start_pollers(&admission, dir);
        let state = ApiState::with_secrets(Arc::clone(&admission), ApiLimits::default(), Some(Secrets::of(dir.path())));
        let index = Arc::new(Index::kept_in(dir.derived_dir(), Arc::clone(&catalog)).with_lake(config.lake));
        let indexer = Indexer::start(trail, &index)?;
        let watch = Watch::start(trail, Clock::system(), Observe::by(catalog))?;
        let forwards = start_forwards(&state, &admission, &index, dir)?;
        let state = state.watched_by(Arc::clone(&watch)).indexed_by(index);
        let served = api::serve(listener, tls, state, stop).await;
        for (stop, task) in pollers.into_iter().chain([forwards]) {
            stop.send_replace(true);
            task.await?;
        }
        doors.close().await;
        watch.stop();
        indexer.stop();
        Ok(served?)
    })
}

/// Reads the directory of identities ahead of the first request that needs it.
fn read_directory(admission: &Arc<Admission>) {
    let admission = Arc::clone(admission);
    tokio::task::spawn_blocking(move || {
        if let Err(why) = admission.identities().in_force(admission.trail()) {
            warn!(%why, "the directory of identities cannot be read yet; whoever needs it tries again");
        }
    });
}

/// What tells a task to stop, and the task.
type Running = (watch::Sender<bool>, JoinHandle<()>);

/// Pollers follow the connections of the trail until told to stop. A machine that trusts no
/// authority cannot poll, and serves all the same.
fn start_pollers(admission: &Arc<Admission>, dir: &DataDir) -> Option<Running> {
    let client = match Client::new() {
        Ok(client) => client,
        Err(why) => {
            warn!(%why, "connections cannot be polled");
            return None;
        }
    };
    let (stop, stopped) = watch::channel(false);
    let pollers = Pollers::new(Arc::clone(admission), Secrets::of(dir.path()), client);
    Some((stop, tokio::spawn(pollers.run(stopped))))
}

/// Forwards follow the records of the trail until told to stop.
fn start_forwards(state: &ApiState, admission: &Arc<Admission>, index: &Arc<Index>, dir: &DataDir) -> Result<Running, Failure> {
    let service = Service {
        forwards: state.forwards(),
        admission: Arc::clone(admission),
        index: Arc::clone(index),
        secrets: Secrets::of(dir.path()),
        client: Client::new().ok(),
        media: dir.forward_media()?,
    };
    let (stop, stopped) = watch::channel(false);
    Ok((stop, tokio::spawn(service.run(stopped))))
}

/// What a person needs at each start; the admin key at the first alone.
fn announce(
    url: &str,
    doors: &[OpenDoor],
    dir: &DataDir,
    trail: &Trail,
    admin_key: Option<&str>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let view = trail.view();
    writeln!(out, "listening   {url}")?;
    for door in doors {
        writeln!(out, "door        {door}")?;
    }
    if let Some(admin_key) = admin_key {
        let key_file = dir.path().join(trail_dir(&trail.log().shared().trail)).join(SIGNING_KEY);
        writeln!(out, "key file    {}  (keep a copy offline: docs/OPERATE.md, 'A lost signing key')", key_file.display())?;
        writeln!(out, "admin key   {admin_key}  (shown this once)")?;
    }
    writeln!(out, "origin      {}", view.state.origin)?;
    writeln!(out, "vkey        {}", view.state.vkey)?;
    Ok(())
}

/// Resolves when the process is asked to stop.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        info!("asked to stop: requests under way are finished first");
    })
}
