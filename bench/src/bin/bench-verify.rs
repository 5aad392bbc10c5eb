//! How fast `indelible verify` checks a whole log, beside the same hash calls alone and one read of
//! the same files.

use bench::batch::Batch;
use bench::cloudtrail::CloudTrail;
use bench::disk_limit;
use bench::failure::Failure;
use bench::hash_limit::{self, Amount};
use bench::process::MemoryWatch;
use bench::report::{Goal, Report};
use bench::server::{Binary, tree_size};
use clap::Parser;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Instant;

const MIB: f64 = 1_048_576.0;
/// Distinct events that are hashed again and again: more bytes than any cache holds.
const POOL_BATCHES: usize = 64;
const BATCH_EVENTS: usize = 1_000;

/// Measures `indelible verify` on a stopped directory.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server's binary.
    #[arg(long, default_value = "target/release/indelible")]
    binary: PathBuf,
    /// The data directory; no server may have it open.
    #[arg(long)]
    data: PathBuf,
    /// One line of JSON instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    Report::new("bench-verify").run(arguments.json, |report| measure(&arguments, report))
}

fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let binary = Binary::at(&arguments.binary)?;
    let entries = tree_size(&arguments.data)?;
    report.section("log");
    report.figure("entries", entries as f64, "entries");

    report.section("limits");
    let (bytes, time) = disk_limit::read_through(&arguments.data)?;
    report.figure("data_mib", bytes as f64 / MIB, "MiB");
    report.figure("read_once_s", time.as_secs_f64(), "s");
    let mut stream = CloudTrail::new(1);
    let batches: Vec<Batch> = (0..POOL_BATCHES).map(|_| Batch::make(&mut stream, BATCH_EVENTS, |_| String::new())).collect();
    let views: Vec<&Batch> = batches.iter().collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let hashes = hash_limit::events_per_second(&views, cores, Amount::Events(entries));
    report.figure("hashes_alone_all_cores", hashes, "events/s");
    report.figure("cores", cores as f64, "");

    let begin = Instant::now();
    let child = binary
        .command()
        .args(["verify", "--json", "--data"])
        .arg(&arguments.data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Failure::io("run `indelible verify`"))?;
    let memory = MemoryWatch::start(child.id())?;
    let output = child.wait_with_output().map_err(Failure::io("wait for `indelible verify`"))?;
    let seconds = begin.elapsed().as_secs_f64();
    if !output.status.success() {
        let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(Failure::Wrong(format!("`indelible verify` ended with {}: {out}{errors}", output.status)));
    }
    report.section("verify");
    let rate = entries as f64 / seconds;
    report.figure("seconds", seconds, "s");
    report.with_goal("events_per_s", rate, "events/s", Goal::AtLeast(200_000.0));
    report.figure("of_hashes_alone", rate / hashes, "×");
    report.figure("peak_rss_anon_mib", memory.peak_bytes() as f64 / MIB, "MiB");
    Ok(())
}
