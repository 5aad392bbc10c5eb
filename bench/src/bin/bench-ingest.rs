//! How fast events become durable and signed: batches, singles, and an open loop, beside the disk,
//! the hashes and, with `--peer postgres`, PostgreSQL in the same run.

use bench::batch::{Batch, Serials};
use bench::cloudtrail::CloudTrail;
use bench::disk_limit;
use bench::disk_use::DiskUse;
use bench::failure::Failure;
use bench::hash_limit::{self, Amount};
use bench::intake::{Pool, Target};
use bench::latency::Latencies;
use bench::load::{self, Outcome, Pace, Plan};
use bench::peer::Cluster;
use bench::process::{MemoryWatch, cpu_seconds};
use bench::report::{Goal, Report};
use bench::server::{Binary, Server};
use clap::{Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const BATCH_EVENTS: usize = 1_000;
const BATCH_CONNECTIONS: usize = 8;
const SINGLE_CONNECTIONS: usize = 64;
/// Enough that a request at 10,000/s waits for a connection only if the server stalls for 25 ms.
const OPEN_CONNECTIONS: usize = 256;
/// Bytes of a frame with one event: its leaf, its envelope, its raw bytes.
const FRAME_BYTES: usize = 1_536;
const LIMIT_TIME: Duration = Duration::from_secs(5);
/// The disk and the server come to rest between measurements.
const REST: Duration = Duration::from_secs(2);
const MIB: f64 = 1_048_576.0;

/// Measures how fast Indelible keeps events.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server's binary.
    #[arg(long, default_value = "target/release/indelible")]
    binary: PathBuf,
    /// Where to work: a new directory is made in it, on the disk that is to be measured.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Seconds of batches; 0 leaves them out.
    #[arg(long, default_value_t = 60)]
    batch_seconds: u64,
    /// Seconds of single events; 0 leaves them out.
    #[arg(long, default_value_t = 30)]
    single_seconds: u64,
    /// Seconds of the open loop; 0 leaves it out.
    #[arg(long, default_value_t = 30)]
    open_seconds: u64,
    /// Single events a second in the open loop.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// Distinct batches of 1,000 events made before the start.
    #[arg(long, default_value_t = 64)]
    pool: usize,
    /// Which events: the same seed, the same bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What to measure beside it.
    #[arg(long, value_enum, default_value_t = Peer::None)]
    peer: Peer,
    /// Only the limits and the peer, without the server.
    #[arg(long)]
    without_server: bool,
    /// Keep the directory.
    #[arg(long)]
    keep: bool,
    /// One line of JSON instead of the table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    None,
    Postgres,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    Report::new("bench-ingest").run(arguments.json, |report| measure(&arguments, report))
}

fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let work = arguments.dir.join(format!("bench-ingest-{}", std::process::id()));
    std::fs::create_dir_all(&work).map_err(Failure::io(format!("create {}", work.display())))?;
    let work = work.canonicalize().map_err(Failure::io("find the working directory"))?;
    let outcome = measure_in(arguments, &work, report);
    if !arguments.keep {
        std::fs::remove_dir_all(&work).map_err(Failure::io(format!("remove {}", work.display())))?;
    }
    outcome
}

fn measure_in(arguments: &Arguments, work: &Path, report: &mut Report) -> Result<(), Failure> {
    let limits = Limits::measure(arguments, work, report)?;
    let ours = if arguments.without_server { Rates::default() } else { ours(arguments, work, report, &limits)? };
    if arguments.peer == Peer::Postgres {
        std::thread::sleep(REST);
        let peer = peer(arguments, work, report)?;
        if !arguments.without_server {
            report.section("beside postgresql");
            report.with_goal("batches_times_postgresql", ours.batches / peer.batches.max(1.0), "×", Goal::AtLeast(1.0));
            report.with_goal("singles_times_postgresql", ours.singles / peer.singles.max(1.0), "×", Goal::AtLeast(2.0));
        }
    }
    Ok(())
}

/// Events a second.
#[derive(Default)]
struct Rates {
    batches: f64,
    singles: f64,
}

/// The machine's own limits, measured while it is idle.
struct Limits {
    overwrite_p99_ms: f64,
    append_batches: f64,
    append_singles: f64,
    hashes_all_cores: f64,
}

impl Limits {
    fn measure(arguments: &Arguments, work: &Path, report: &mut Report) -> Result<Self, Failure> {
        let mut stream = CloudTrail::new(arguments.seed);
        let batches: Vec<Batch> =
            (0..arguments.pool.clamp(1, 32)).map(|_| Batch::make(&mut stream, BATCH_EVENTS, |_| String::new())).collect();
        let bodies: Vec<&[u8]> = batches.iter().map(Batch::bytes).collect();
        let events: Vec<&[u8]> = batches.iter().flat_map(Batch::events).collect();
        let views: Vec<&Batch> = batches.iter().collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);

        report.section("limits");
        let raw: u64 = batches.iter().map(Batch::raw_bytes).sum();
        report.figure("event_mean_bytes", raw as f64 / events.len() as f64, "bytes");
        let mut overwrite = disk_limit::overwrite_4k(work, LIMIT_TIME)?;
        let overwrite_p99_ms = overwrite.per_mille_ms(990);
        report.figure("overwrite_4k_fdatasync_p50_ms", overwrite.per_mille_ms(500), "ms");
        report.figure("overwrite_4k_fdatasync_p99_ms", overwrite_p99_ms, "ms");
        let thousand = BATCH_EVENTS as f64;
        let each = disk_limit::append(work, &bodies, 1, LIMIT_TIME)? * thousand;
        let grouped = disk_limit::append(work, &bodies, BATCH_CONNECTIONS, LIMIT_TIME)? * thousand;
        report.figure("append_fdatasync_each_1000", each, "events/s");
        report.figure("append_fdatasync_each_8000", grouped, "events/s");
        let single = disk_limit::append(work, &events, 1, LIMIT_TIME)?;
        let singles = disk_limit::append(work, &events, SINGLE_CONNECTIONS, LIMIT_TIME)?;
        report.figure("append_fdatasync_each_1", single, "events/s");
        report.figure("append_fdatasync_each_64", singles, "events/s");
        let one_core = hash_limit::events_per_second(&views, 1, Amount::For(LIMIT_TIME));
        let all_cores = hash_limit::events_per_second(&views, cores, Amount::For(LIMIT_TIME));
        report.figure("hashes_alone_one_core", one_core, "events/s");
        report.figure("hashes_alone_all_cores", all_cores, "events/s");
        report.figure("cores", cores as f64, "");
        Ok(Self { overwrite_p99_ms, append_batches: each.max(grouped), append_singles: single.max(singles), hashes_all_cores: all_cores })
    }
}

fn ours(arguments: &Arguments, work: &Path, report: &mut Report, limits: &Limits) -> Result<Rates, Failure> {
    let binary = Binary::at(&arguments.binary)?;
    let data = work.join("data");
    let token = binary.init(&data)?;
    let server = Server::start(&binary, &data)?;
    let memory = MemoryWatch::start(server.pid())?;
    let target = Target { host: server.address.to_string(), token, source: "aws-prod".to_owned() };
    let mut run = Run { arguments, server: &server, target, stream: CloudTrail::new(arguments.seed), events: 0, raw_bytes: 0, lane: 0 };

    let mut rates = Rates::default();
    if arguments.batch_seconds > 0 {
        rates.batches = run.batches(report, limits)?;
    }
    if arguments.single_seconds > 0 {
        rates.singles = run.singles(report, limits)?;
    }
    if arguments.open_seconds > 0 {
        run.open_loop(work, report, limits)?;
    }
    let raw_bytes = run.raw_bytes as f64;
    report.section("server");
    report.figure("events_acknowledged", run.events as f64, "events");
    report.figure("peak_rss_anon_mib", memory.peak_bytes() as f64 / MIB, "MiB");
    let stopped = server.stop()?;
    report.figure("graceful_stop_s", stopped.as_secs_f64(), "s");
    let disk = DiskUse::below(&data)?;
    report.figure("raw_mib", raw_bytes / MIB, "MiB");
    for (folder, bytes) in &DiskUse::below(&data.join("trails/main"))?.folders {
        report.figure(format!("disk_{folder}_mib"), *bytes as f64 / MIB, "MiB");
    }
    report.with_goal("disk_per_raw", disk.bytes() as f64 / raw_bytes.max(1.0), "of raw", Goal::AtMost(0.25));
    Ok(rates)
}

/// One server's measurements, one after the other on the same log.
struct Run<'a> {
    arguments: &'a Arguments,
    server: &'a Server,
    target: Target,
    stream: CloudTrail,
    events: u64,
    raw_bytes: u64,
    lane: u16,
}

struct Measured {
    outcome: Outcome,
    events_per_s: f64,
}

impl Run<'_> {
    fn batches(&mut self, report: &mut Report, limits: &Limits) -> Result<f64, Failure> {
        report.section("batches of 1000, 8 connections");
        let seconds = self.arguments.batch_seconds;
        let requests = self.arguments.pool.max(2 * BATCH_CONNECTIONS);
        let mut measured = self.send(report, requests, BATCH_EVENTS, BATCH_CONNECTIONS, seconds, Pace::Closed)?;
        let rate = measured.events_per_s;
        report.with_goal("events_per_s", rate, "events/s", Goal::AtLeast(100_000.0));
        latencies(report, "", &mut measured.outcome.latencies);
        report.figure("of_append_fdatasync", rate / limits.append_batches, "×");
        report.figure("of_hashes_alone", rate / limits.hashes_all_cores, "×");
        Ok(rate)
    }

    fn singles(&mut self, report: &mut Report, limits: &Limits) -> Result<f64, Failure> {
        report.section("single events, 64 connections");
        let seconds = self.arguments.single_seconds;
        let requests = (self.arguments.pool * BATCH_EVENTS).max(2 * SINGLE_CONNECTIONS);
        let mut measured = self.send(report, requests, 1, SINGLE_CONNECTIONS, seconds, Pace::Closed)?;
        let rate = measured.events_per_s;
        report.with_goal("events_per_s", rate, "events/s", Goal::AtLeast(25_000.0));
        latencies(report, "", &mut measured.outcome.latencies);
        report.figure("of_append_fdatasync", rate / limits.append_singles, "×");
        Ok(rate)
    }

    fn open_loop(&mut self, work: &Path, report: &mut Report, limits: &Limits) -> Result<(), Failure> {
        report.section("open loop of single events");
        let (seconds, rate) = (self.arguments.open_seconds, self.arguments.rate);
        report.figure("due_per_s", f64::from(rate), "events/s");
        let requests = (self.arguments.pool * BATCH_EVENTS).max(2 * OPEN_CONNECTIONS);
        let mut measured = self.send(report, requests, 1, OPEN_CONNECTIONS, seconds, Pace::Open { per_second: rate })?;
        report.figure("events_per_s", measured.events_per_s, "events/s");
        latencies(report, "", &mut measured.outcome.latencies);
        report.figure("waited_for_a_connection_max", measured.outcome.waiting_max as f64, "requests");
        let p99 = measured.outcome.latencies.per_mille_ms(990);
        // Right after, for as long: a disk that stalls does so in both.
        let mut disk = disk_limit::open_loop(work, FRAME_BYTES, rate, Duration::from_secs(seconds))?;
        latencies(report, "disk_alone_", &mut disk);
        report.figure("p99_times_disk_alone", p99 / disk.per_mille_ms(990).max(f64::MIN_POSITIVE), "×");
        report.with_goal("p99_times_idle_overwrite_p99", p99 / limits.overwrite_p99_ms, "×", Goal::AtMost(10.0));
        Ok(())
    }

    fn send(
        &mut self,
        report: &mut Report,
        requests: usize,
        events_each: usize,
        connections: usize,
        seconds: u64,
        pace: Pace,
    ) -> Result<Measured, Failure> {
        self.lane += 1;
        let mut pool = Pool::make(&mut self.stream, &self.target, requests, events_each, Serials::of_lane(self.lane));
        std::thread::sleep(REST);
        let (server, generator) = (self.server.pid(), std::process::id());
        let cpu = |pid| cpu_seconds(pid).unwrap_or(0.0);
        let before = (cpu(server), cpu(generator));
        let plan = Plan { address: self.server.address, connections, duration: Duration::from_secs(seconds), pace };
        let outcome = load::run(&plan, &mut pool)?;
        let used = (cpu(server) - before.0, cpu(generator) - before.1);
        if pool.events > 0 {
            pool.check_tree()?;
        }
        self.events += pool.events;
        self.raw_bytes += pool.raw_bytes;
        report.figure("refused_requests", pool.refused as f64, "requests");
        let elapsed = outcome.elapsed.as_secs_f64();
        report.figure("server_cpu_cores", used.0 / elapsed, "cores");
        report.figure("generator_cpu_cores", used.1 / elapsed, "cores");
        Ok(Measured { events_per_s: pool.events as f64 / elapsed, outcome })
    }
}

fn latencies(report: &mut Report, prefix: &str, latencies: &mut Latencies) {
    for (name, per_mille) in [("p50_ms", 500), ("p99_ms", 990), ("p999_ms", 999), ("max_ms", 1000)] {
        report.figure(format!("{prefix}{name}"), latencies.per_mille_ms(per_mille), "ms");
    }
}

fn peer(arguments: &Arguments, work: &Path, report: &mut Report) -> Result<Rates, Failure> {
    let cluster = Cluster::start(&work.join("postgres"))?;
    let mut rates = Rates::default();
    let mut expected = 0;
    if arguments.batch_seconds > 0 {
        report.section("postgresql: COPY in 1000s, 8 connections");
        let duration = Duration::from_secs(arguments.batch_seconds);
        let outcome = cluster.copy(arguments.seed, 8, BATCH_EVENTS, duration)?;
        expected += outcome.events;
        rates.batches = peer_figures(report, outcome);
        report.figure("table_bytes_per_event", cluster.table_bytes()? as f64 / expected.max(1) as f64, "bytes");
    }
    if arguments.single_seconds > 0 {
        std::thread::sleep(REST);
        report.section("postgresql: INSERT of one row, 64 connections");
        let outcome = cluster.insert(arguments.seed, 64, Duration::from_secs(arguments.single_seconds))?;
        expected += outcome.events;
        rates.singles = peer_figures(report, outcome);
    }
    let rows = cluster.rows()?;
    if rows != expected {
        return Err(Failure::Wrong(format!("postgresql acknowledged {expected} rows and has {rows}")));
    }
    Ok(rates)
}

fn peer_figures(report: &mut Report, mut outcome: bench::peer::PeerOutcome) -> f64 {
    let seconds = outcome.elapsed.as_secs_f64();
    let rate = outcome.events as f64 / seconds;
    report.figure("events_per_s", rate, "events/s");
    for (name, per_mille) in [("p50_ms", 500), ("p99_ms", 990), ("p999_ms", 999)] {
        report.figure(name, outcome.latencies.per_mille_ms(per_mille), "ms");
    }
    report.figure("server_cpu_cores", outcome.cpu_seconds / seconds, "cores");
    rate
}
