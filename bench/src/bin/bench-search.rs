//! How fast a large trail answers: an investigator's questions through the HTTP API with payloads, warm and
//! cold; what indexing costs; disk and memory. Peers are asked by bench/peers/search.py.

use bench::asker::Asker;
use bench::disk_use::DiskUse;
use bench::failure::Failure;
use bench::filling::{behind, enter, indexed};
use bench::latency::Latencies;
use bench::process::MemoryWatch;
use bench::questions::{QUESTIONS, Sample};
use bench::report::{Goal, Report};
use bench::seeded::Seeded;
use bench::server::{Binary, Server};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

const MIB: f64 = 1_048_576.0;
/// Records that are read to know how long one is: the mean is known to about 1 %.
const RECORDS_WEIGHED: u32 = 4_000;
/// Entries looked at to find an event of a burst that names somebody.
const SAMPLES_TRIED: u64 = 1_000;

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
    /// Events that are entered at once when all else is done, to ask for what is in no index yet.
    #[arg(long, default_value_t = 0)]
    burst: u64,
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
    let is_unindexed = !arguments.data.join("derived/main/index").exists();
    let server = Server::start(&binary, &arguments.data)?;
    let memory = MemoryWatch::start(server.pid())?;
    if is_new {
        report.section("log, map, seal, index and lake, all at once");
        flood((&binary, &server, &key), (arguments.events, arguments.seed), report)?;
    }
    let mut asker = Asker::new(server.address, &key)?;
    if !is_new {
        let took = indexed(&mut asker)?;
        if is_unindexed {
            report.section("indexing, both cores");
            let entries = server.tree_size(&key)? as f64 - behind(&mut asker)?;
            report.with_goal("events_per_second_into_the_index", entries / took.as_secs_f64(), "events/s", Goal::AtLeast(50_000.0));
        }
    }
    let size = server.tree_size(&key)?;
    report.section("in no payload file yet");
    report.figure("entries", behind(&mut asker)?, "entries");
    let samples = samples(&mut asker, arguments, size)?;
    warm(&mut asker, &samples, report)?;
    let raw = raw_bytes(&mut asker, arguments.seed, size)?;
    report.section("memory and disk");
    report.with_goal("peak_rss_anon", memory.peak_bytes() as f64 / MIB, "MiB", Goal::AtMost(1024.0));
    server.stop()?;
    disk(&arguments.data, raw, report)?;
    if arguments.cold {
        cold(arguments, &binary, &key, &samples, report)?;
    }
    if arguments.burst > 0 { burst(arguments, &binary, &key, report) } else { Ok(()) }
}

/// Enters events as fast as they are taken, and waits for the index.
fn flood((binary, server, key): (&Binary, &Server, &str), (events, seed): (u64, u64), report: &mut Report) -> Result<(), Failure> {
    let took = enter(binary, server, key, events, seed)?;
    // Not sooner: a connection on which nothing is asked for minutes is closed.
    let mut asker = Asker::new(server.address, key)?;
    report.figure("events_per_second_taken", events as f64 / took.as_secs_f64(), "events/s");
    report.figure("entries_behind_then", behind(&mut asker)?, "entries");
    let all = took + indexed(&mut asker)?;
    let goal = Goal::AtLeast(40_000.0);
    report.with_goal("events_per_second_until_all_are_indexed", events as f64 / all.as_secs_f64(), "events/s", goal);
    report.figure("seconds_until_all_are_indexed", all.as_secs_f64(), "s");
    Ok(())
}

/// A flood into a trail that is indexed, and what the first questions after it take.
fn burst(arguments: &Arguments, binary: &Binary, key: &str, report: &mut Report) -> Result<(), Failure> {
    report.section("a burst at the rate of intake");
    let server = Server::start(binary, &arguments.data)?;
    indexed(&mut Asker::new(server.address, key)?)?;
    let before = server.tree_size(key)?;
    let took = enter(binary, &server, key, arguments.burst, arguments.seed + 1)?;
    let mut asker = Asker::new(server.address, key)?;
    report.figure("events_per_second_taken", arguments.burst as f64 / took.as_secs_f64(), "events/s");
    report.figure("entries_behind_then", behind(&mut asker)?, "entries");
    let kept = server.tree_size(key)? - before;
    if kept < arguments.burst {
        return Err(Failure::Wrong(format!("only {kept} events of the burst are new: give another --seed")));
    }
    // One that is in no index yet, and in no memory of what is newest.
    let middle = before + arguments.burst / 2;
    let sample = (middle..middle + SAMPLES_TRIED).find_map(|index| Sample::take(&mut asker, index).transpose());
    let sample = sample.transpose()?.ok_or_else(|| Failure::Wrong("no event of the burst names somebody".to_owned()))?;
    for question in QUESTIONS.iter().filter(|question| question.is_found_by_reading()) {
        let took = asker.ask(&question.path(&sample))?.as_secs_f64() * 1e3;
        report.with_goal(format!("{}_ms", question.name), took, "ms", Goal::AtMost(2_000.0));
    }
    let began = Instant::now();
    report.figure("entries_behind_after_the_questions", behind(&mut asker)?, "entries");
    indexed(&mut asker)?;
    report.figure("seconds_until_all_are_indexed", began.elapsed().as_secs_f64(), "s");
    server.stop().map(|_| ())
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
        let (mut first, mut latencies) = (Latencies::default(), Latencies::default());
        // Each once before, so that its pages are in memory.
        for sample in samples {
            first.push(asker.ask(&question.path(sample))?);
        }
        for sample in samples {
            latencies.push(asker.ask(&question.path(sample))?);
        }
        report.with_goal(format!("{}_median_ms", question.name), latencies.per_mille_ms(500), "ms", Goal::AtMost(question.goal_ms));
        report.figure(format!("{}_p95_ms", question.name), latencies.per_mille_ms(950), "ms");
        report.figure(format!("{}_first_time_asked_median_ms", question.name), first.per_mille_ms(500), "ms");
    }
    let mut floor = Latencies::default();
    for _ in samples {
        floor.push(asker.ask("/healthz")?);
    }
    report.figure("an_answer_that_does_nothing_median_ms", floor.per_mille_ms(500), "ms");
    Ok(())
}

/// Bytes of all records, reckoned from many of them.
fn raw_bytes(asker: &mut Asker, seed: u64, size: u64) -> Result<f64, Failure> {
    let mut random = Seeded::new(seed);
    let mut bytes = 0;
    for _ in 0..RECORDS_WEIGHED {
        asker.ask(&format!("/v1/events/{}/raw", random.below(size)))?;
        bytes += asker.text().len();
    }
    Ok(bytes as f64 / f64::from(RECORDS_WEIGHED) * size as f64)
}

fn disk(data: &Path, raw: f64, report: &mut Report) -> Result<(), Failure> {
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
