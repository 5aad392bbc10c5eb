//! What a large log costs to ask and to start: proofs of random indexes, restart after a kill,
//! memory.

use bench::batch::Serials;
use bench::cloudtrail::CloudTrail;
use bench::failure::Failure;
use bench::intake::{Pool, Target};
use bench::load::{self, Pace, Plan};
use bench::process::{MemoryWatch, rss_anon_bytes};
use bench::proofs::Gets;
use bench::report::{Goal, Report};
use bench::server::{Binary, Server};
use clap::Parser;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

const BATCH_EVENTS: usize = 1_000;
const LOAD_CONNECTIONS: usize = 8;
/// Batches in one round of loading: what was kept is looked at between rounds.
const ROUND: Duration = Duration::from_secs(1);
const MIB: f64 = 1_048_576.0;

/// Measures proofs, restart and memory of a log.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server's binary.
    #[arg(long, default_value = "target/release/indelible")]
    binary: PathBuf,
    /// The data directory. One that is not there is made, and its key put beside it in DATA.key.
    #[arg(long)]
    data: PathBuf,
    /// A token with scope `read` (and `admin` to load); DATA.key is read when it is not given.
    #[arg(long, env = "INDELIBLE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Load events until the log has at least this many entries.
    #[arg(long, default_value_t = 0)]
    load: u64,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Which indexes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One line of JSON instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    Report::new("bench-proof").run(arguments.json, |report| measure(&arguments, report))
}

fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let binary = Binary::at(&arguments.binary)?;
    let token = arguments.token.clone().map_or_else(|| binary.token_of(&arguments.data), Ok)?;
    let server = Server::start(&binary, &arguments.data)?;
    let memory = MemoryWatch::start(server.pid())?;
    let size = grow(arguments, &server, &token, report)?;
    report.section("log");
    report.figure("entries", size as f64, "entries");
    report.with_goal("peak_rss_anon_before_the_kill_mib", memory.peak_bytes() as f64 / MIB, "MiB", Goal::AtMost(400.0));

    server.kill()?;
    let server = Server::start(&binary, &arguments.data)?;
    report.section("restart after SIGKILL");
    report.with_goal("ready_after_s", server.ready_after.as_secs_f64(), "s", Goal::AtMost(2.0));
    report.figure("limit_process_start_s", process_start(&binary)?.as_secs_f64(), "s");
    let recovered = server.tree_size(&token)?;
    if recovered < size {
        return Err(Failure::Wrong(format!("{size} entries were acknowledged, after the kill the log has {recovered}")));
    }
    let rss = rss_anon_bytes(server.pid()).unwrap_or(0);
    report.figure("rss_anon_when_ready_mib", rss as f64 / MIB, "MiB");

    let memory = MemoryWatch::start(server.pid())?;
    proofs(arguments, &server, &token, size, report)?;
    report.section("memory while proving");
    report.with_goal("peak_rss_anon_mib", memory.peak_bytes() as f64 / MIB, "MiB", Goal::AtMost(400.0));
    server.stop().map(|_| ())
}

/// Loads until the log has `--load` entries; returns how many it has.
fn grow(arguments: &Arguments, server: &Server, token: &str, report: &mut Report) -> Result<u64, Failure> {
    let target = Target { host: server.address.to_string(), token: token.to_owned(), source: "aws-prod".to_owned() };
    let mut stream = CloudTrail::new(arguments.seed);
    // Serials begin at the time, so that loading again does not repeat ids.
    let begun = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let lane = (begun.as_secs() & 0xffff) as u16;
    let mut pool = Pool::make(&mut stream, &target, 64, BATCH_EVENTS, Serials::of_lane(lane));
    let mut size = server.tree_size(token)?;
    let (begin, first) = (Instant::now(), size);
    while size < arguments.load {
        let plan = Plan { address: server.address, connections: LOAD_CONNECTIONS, duration: ROUND, pace: Pace::Closed };
        load::run(&plan, &mut pool)?;
        size = pool.check_tree()?;
    }
    if size > first {
        report.section("loading");
        report.figure("events_per_s", (size - first) as f64 / begin.elapsed().as_secs_f64(), "events/s");
    }
    if size == 0 { Err(Failure::Wrong("the log is empty: load some events with --load N".to_owned())) } else { Ok(size) }
}

fn process_start(binary: &Binary) -> Result<Duration, Failure> {
    let begin = Instant::now();
    binary.command().arg("--version").stdout(Stdio::null()).status().map_err(Failure::io("run `indelible --version`"))?;
    Ok(begin.elapsed())
}

fn proofs(arguments: &Arguments, server: &Server, token: &str, size: u64, report: &mut Report) -> Result<(), Failure> {
    let host = server.address.to_string();
    let cases = [
        ("proofs of random indexes, 1 connection", "limit: GET /healthz, 1 connection", 1),
        ("proofs of random indexes, 8 connections", "limit: GET /healthz, 8 connections", 8),
    ];
    for (name, limit, connections) in cases {
        let plan = |seconds| Plan { address: server.address, connections, duration: Duration::from_secs(seconds), pace: Pace::Closed };
        let mut nothing = Gets::path("/healthz".to_owned(), host.clone(), token.to_owned());
        let mut floor = load::run(&plan(arguments.seconds.min(5)), &mut nothing)?;
        report.section(limit);
        report.figure("p50_ms", floor.latencies.per_mille_ms(500), "ms");
        report.figure("p99_ms", floor.latencies.per_mille_ms(990), "ms");

        let mut gets = Gets::proofs(arguments.seed, size, host.clone(), token.to_owned());
        let mut outcome = load::run(&plan(arguments.seconds), &mut gets)?;
        report.section(name);
        report.figure("proofs_per_s", outcome.answers as f64 / outcome.elapsed.as_secs_f64(), "proofs/s");
        report.figure("p50_ms", outcome.latencies.per_mille_ms(500), "ms");
        report.with_goal("p99_ms", outcome.latencies.per_mille_ms(990), "ms", Goal::AtMost(2.0));
        report.figure("p999_ms", outcome.latencies.per_mille_ms(999), "ms");
        report.figure("event_file_mean_bytes", gets.body_bytes as f64 / outcome.answers.max(1) as f64, "bytes");
    }
    Ok(())
}
