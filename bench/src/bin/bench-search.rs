//! How fast a large trail answers: an investigator's questions through the HTTP API with payloads, warm and
//! cold; what indexing costs; disk and memory. Peers are asked by bench/peers/search.py.

use bench::asker::Asker;
use bench::disk_use::DiskUse;
use bench::failure::Failure;
use bench::latency::Latencies;
use bench::process::MemoryWatch;
use bench::questions::{QUESTIONS, Sample};
use bench::report::{Goal, Report};
use bench::seeded::Seeded;
use bench::server::{Binary, Server};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const MIB: f64 = 1_048_576.0;
/// How often the lag of the index is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const INDEXED_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Measures search over a synthetic trail.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The server's binary.
    #[arg(long, default_value = "target/release/indelible")]
    binary: PathBuf,
    /// The data directory. One that is not there is made and filled, and its key put beside it in DATA.key.
    #[arg(long)]
    data: PathBuf,
    /// Events of the trail that is made.
    #[arg(long, default_value_t = 1_000_000)]
    events: u64,
    /// Which of all trails, and which questions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Times that each question is asked.
    #[arg(long, default_value_t = 41)]
    rounds: u64,
    /// Also ask each once after a start with nothing in the page cache; takes root.
    #[arg(long)]
    cold: bool,
    /// One line of JSON instead of the table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    Report::new("bench-search").run(arguments.json, |report| measure(&arguments, report))
}

fn measure(arguments: &Arguments, report: &mut Report) -> Result<(), Failure> {
    let binary = Binary::at(&arguments.binary)?;
    let is_new = !arguments.data.exists();
    let key = binary.token_of(&arguments.data)?;
    if is_new {
        let seconds = fill(arguments, &binary)?;
        report.section("loading");
        report.figure("events_per_second_into_the_log", arguments.events as f64 / seconds, "events/s");
    }
    let is_unindexed = !arguments.data.join("derived/main/index").exists();
    let server = Server::start(&binary, &arguments.data)?;
    let memory = MemoryWatch::start(server.pid())?;
    let mut asker = Asker::new(server.address, &key)?;
    let seconds = indexed(&mut asker)?;
    let behind = asker.metric("indelible_search_behind_entries")?;
    let size = server.tree_size(&key)?;
    if is_unindexed {
        report.section("indexing, both cores");
        report.with_goal("events_per_second_into_the_index", (size as f64 - behind) / seconds, "events/s", Goal::AtLeast(50_000.0));
    }
    report.section("in no payload file yet");
    report.figure("entries", behind, "entries");
    let samples = samples(&mut asker, arguments, size)?;
    warm(&mut asker, &samples, report)?;
    report.section("memory and disk");
    report.with_goal("peak_rss_anon", memory.peak_bytes() as f64 / MIB, "MiB", Goal::AtMost(1024.0));
    server.stop()?;
    disk(&arguments.data, &samples, size, report)?;
    if arguments.cold { cold(arguments, &binary, &key, &samples, report) } else { Ok(()) }
}

/// Fills the trail; how long it took, in seconds.
fn fill(arguments: &Arguments, binary: &Binary) -> Result<f64, Failure> {
    let begin = Instant::now();
    let (events, seed) = (arguments.events.to_string(), arguments.seed.to_string());
    let mut command = binary.command();
    command.args(["synth", "--events", &events, "--seed", &seed, "--into", "--data"]).arg(&arguments.data);
    let status = command.status().map_err(Failure::io("run `indelible synth`"))?;
    if status.success() { Ok(begin.elapsed().as_secs_f64()) } else { Err(Failure::Wrong(format!("`indelible synth` ended with {status}"))) }
}

/// Waits until every payload file is indexed; seconds until it was.
fn indexed(asker: &mut Asker) -> Result<f64, Failure> {
    let begin = Instant::now();
    loop {
        asker.ask("/v1/remap")?;
        let waiting = asker.json()?.get("waiting").and_then(serde_json::Value::as_u64);
        match waiting {
            Some(0) => return Ok(begin.elapsed().as_secs_f64().max(0.001)),
            Some(files) if begin.elapsed() > INDEXED_AFTER_MAX => {
                return Err(Failure::Wrong(format!("{files} payload files are still not indexed")));
            }
            Some(_) => std::thread::sleep(LOOK_EVERY),
            None => return Err(Failure::Wrong("the server does not say how many files wait for the index".to_owned())),
        }
    }
}

/// Random events to ask for.
fn samples(asker: &mut Asker, arguments: &Arguments, size: u64) -> Result<Vec<Sample>, Failure> {
    let mut random = Seeded::new(arguments.seed);
    let mut samples = Vec::new();
    while (samples.len() as u64) < arguments.rounds {
        samples.extend(Sample::take(asker, random.below(size))?);
    }
    Ok(samples)
}

fn warm(asker: &mut Asker, samples: &[Sample], report: &mut Report) -> Result<(), Failure> {
    report.section("warm, over all time, through the API");
    for question in &QUESTIONS {
        let mut latencies = Latencies::default();
        // Each once before, so that its pages are in memory.
        for sample in samples {
            asker.ask(&question.path(sample))?;
        }
        for sample in samples {
            latencies.push(asker.ask(&question.path(sample))?);
        }
        report.with_goal(format!("{}_median_ms", question.name), latencies.per_mille_ms(500), "ms", Goal::AtMost(question.goal_ms));
        report.figure(format!("{}_p95_ms", question.name), latencies.per_mille_ms(950), "ms");
    }
    let mut floor = Latencies::default();
    for _ in samples {
        floor.push(asker.ask("/healthz")?);
    }
    report.figure("an_answer_that_does_nothing_median_ms", floor.per_mille_ms(500), "ms");
    Ok(())
}

fn disk(data: &Path, samples: &[Sample], size: u64, report: &mut Report) -> Result<(), Failure> {
    let raw = samples.iter().map(|sample| sample.raw_bytes).sum::<u64>() as f64 / samples.len().max(1) as f64 * size as f64;
    let used = DiskUse::below(data)?.bytes() as f64;
    report.with_goal("disk_of_everything_to_raw_bytes", 100.0 * used / raw, "%", Goal::AtMost(50.0));
    for part in
        ["trails/main/payload", "trails/main/segments", "trails/main/ids", "derived/main/index", "derived/main/search", "derived/main/lake"]
    {
        let path = data.join(part);
        if path.exists() {
            let name = part.rsplit('/').next().unwrap_or(part);
            report.figure(format!("{name}_to_raw_bytes"), 100.0 * DiskUse::below(&path)?.bytes() as f64 / raw, "%");
        }
    }
    Ok(())
}

/// Each question once, of a server that was just started, with nothing of its files in memory.
fn cold(arguments: &Arguments, binary: &Binary, key: &str, samples: &[Sample], report: &mut Report) -> Result<(), Failure> {
    report.section("cold: first question after a start, page cache dropped");
    for (question, sample) in QUESTIONS.iter().zip(samples) {
        rustix::fs::sync();
        std::fs::write("/proc/sys/vm/drop_caches", "3").map_err(Failure::io("drop the page cache (it takes root)"))?;
        let server = Server::start(binary, &arguments.data)?;
        let took = Asker::new(server.address, key)?.ask(&question.path(sample))?;
        report.figure(format!("{}_ms", question.name), took.as_secs_f64() * 1e3, "ms");
        server.stop()?;
    }
    Ok(())
}
