//! Makes a synthetic trail: as files, on standard output, or entered as an import is.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;

use crate::cli::Answer;
use crate::cli::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::cli::import::door::{Batch, Door, Entered};
use crate::cli::import::http_door::HttpDoor;
use crate::cli::import::local_door::LocalDoor;
use crate::cli::server::ServerArgs;
use crate::door::UNKNOWN_KIND;
use crate::intake::{Media, SourceName};
use crate::store::trail::Trail;
use crate::synth::{END_MS, Plan, Source, Synth, SynthError};

/// Events made at a time and written as one batch a source: small, so that sources interleave in the log,
/// and large enough that a commit for each costs little.
const SLICE_EVENTS: u64 = 8_192;
/// Slices that are made while earlier ones are written.
const SLICES_AHEAD: usize = 2;

/// Make a synthetic trail: realistic events of five sources from a seed, with an incident in it
///
/// The same 20,000 identities in AWS CloudTrail, Okta, Entra ID, Google Workspace and GitHub, about 1 KB an
/// event. The same options give the same bytes on every machine. docs/SYNTH.md tells the incident.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible synth --events 100000 -o trail/\n  indelible synth --events 1000 --source okta -o - | head -n 1\n  indelible synth --events 1000000 --into"
)]
pub struct Make {
    /// How many events
    #[arg(long, value_name = "N")]
    events: u64,
    /// Which of all trails of this size
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How many days it spans
    #[arg(long, value_name = "D", default_value_t = 90)]
    days: u64,
    /// Until when, like 2026-07-01T00:00:00Z [default: that]
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,
    /// Only this source; may be given again: aws_cloudtrail, okta, entra_id, google_workspace, github_audit
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<Source>,
    /// Write a file of NDJSON for each source, identities.csv and story.json to this directory; - for one
    /// source on standard output
    #[arg(short, long, value_name = "DIR|-", required_unless_present = "into")]
    output: Option<PathBuf>,
    /// Enter the events, each under a source of its vendor's name
    #[arg(long, conflicts_with = "output")]
    into: bool,
    /// Directory of a stopped server to enter them into, instead of --url
    #[arg(long, value_name = "DIR", requires = "into")]
    data: Option<PathBuf>,
    /// Print the sums as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Make {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let synth = Synth::new(self.plan()?)?;
        match &self.output {
            Some(path) if path.as_os_str() == "-" => to_stdout(&synth, out),
            Some(dir) => to_directory(&synth, dir, self.json, out),
            None => self.enter(&synth, out),
        }
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let end_ms = match self.end {
            Some(end) => u64::try_from(end.as_millisecond()).map_err(|_| Failure::new("--end must not lie before 1970"))?,
            None => END_MS,
        };
        Ok(Plan { events: self.events, seed: self.seed, days: self.days, end_ms, sources: self.sources.clone() })
    }

    fn enter(&self, synth: &Synth, out: &mut dyn Write) -> Result<Answer, Failure> {
        let Some(data) = &self.data else {
            return enter(synth, self.json, out, |name| Ok(HttpDoor::new(self.server.connect()?, name)));
        };
        let dir = DataDir::open(data)?;
        let trail = Trail::open(dir.media()?, &dir.options())?;
        let answer = enter(synth, self.json, out, |name| Ok(LocalDoor::new(&trail, "import", name, UNKNOWN_KIND)));
        trail.close();
        answer
    }
}

/// Makes slices and hands each to `take`, in order, while the next is made.
fn slices(synth: &Synth, mut take: impl FnMut(u64, Vec<(Source, Vec<u8>)>) -> Result<(), Failure>) -> Result<(), Failure> {
    let events = synth.plan().events;
    let bar = bar(events);
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<Result<_, SynthError>>(SLICES_AHEAD);
        scope.spawn(move || {
            for first in (0..events).step_by(usize::try_from(SLICE_EVENTS).unwrap_or(1)) {
                let slice = synth.slice(first..(first + SLICE_EVENTS).min(events));
                // Nobody takes more when something went wrong on the other side.
                if sender.send(slice.map(|bodies| (first, bodies))).is_err() {
                    return;
                }
            }
        });
        for slice in receiver {
            let (first, bodies) = slice?;
            take(first, bodies)?;
            bar.set_position((first + SLICE_EVENTS).min(events));
        }
        bar.finish_and_clear();
        Ok(())
    })
}

/// Events done, rate and time left; hidden when nobody watches.
fn bar(events: u64) -> ProgressBar {
    let bar = ProgressBar::new(events);
    match ProgressStyle::with_template("{bar:30} {pos}/{len} events  {per_sec}  {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn to_stdout(synth: &Synth, out: &mut dyn Write) -> Result<Answer, Failure> {
    if synth.plan().sources.len() != 1 {
        return Err(Failure::new(
            "standard output takes one source, since records do not say theirs: name it with --source, or give a directory",
        ));
    }
    slices(synth, |_, bodies| {
        for (_, body) in bodies {
            out.write_all(&body)?;
        }
        Ok(())
    })?;
    Ok(Answer::Holds)
}

fn to_directory(synth: &Synth, dir: &Path, as_json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let started = Instant::now();
    fs::create_dir_all(dir).map_err(Failure::at(dir.display()))?;
    let mut files = Vec::new();
    for source in &synth.plan().sources {
        let path = dir.join(format!("{source}.ndjson"));
        let file = File::create(&path).map_err(Failure::at(path.display()))?;
        files.push((path, BufWriter::new(file)));
    }
    let mut bytes = 0;
    slices(synth, |_, bodies| {
        for ((path, file), (_, body)) in files.iter_mut().zip(&bodies) {
            file.write_all(body).map_err(Failure::at(path.display()))?;
            bytes += body.len() as u64;
        }
        Ok(())
    })?;
    for (path, mut file) in files {
        file.flush().map_err(Failure::at(path.display()))?;
    }
    write_file(&dir.join("identities.csv"), &synth.directory()?)?;
    write_file(&dir.join("story.json"), story(synth)?.as_bytes())?;
    let (events, seconds) = (synth.plan().events, started.elapsed().as_secs_f64());
    if as_json {
        writeln!(out, "{}", json!({"events": events, "bytes": bytes}))?;
        return Ok(Answer::Holds);
    }
    writeln!(
        out,
        "{events} events, {bytes} bytes in {seconds:.1} s ({:.0} events/s); identities.csv, story.json",
        events as f64 / seconds
    )?;
    Ok(Answer::Holds)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(Failure::at(path.display()))
}

/// The steps of the incident: which event of the trail tells which, with its record.
fn story(synth: &Synth) -> Result<String, Failure> {
    let mut steps = Vec::new();
    for step in synth.story() {
        let mut record = Vec::new();
        let made = synth.event(step.event, &mut record)?;
        let record: serde_json::Value = serde_json::from_slice(&record)?;
        let time = Timestamp::from_millisecond(i64::try_from(made.time_ms)?)?.to_string();
        steps.push(json!({"event": step.event, "time": time, "source": step.source.name(), "says": step.says, "record": record}));
    }
    Ok(serde_json::to_string_pretty(&steps)? + "\n")
}

/// Enters the trail, a door a source.
fn enter<D: Door>(
    synth: &Synth,
    as_json: bool,
    out: &mut dyn Write,
    door: impl Fn(&SourceName) -> Result<D, Failure>,
) -> Result<Answer, Failure> {
    let started = Instant::now();
    let mut doors = Vec::new();
    for source in &synth.plan().sources {
        doors.push(door(&source.name().parse()?)?);
    }
    let mut entered = Entered::default();
    slices(synth, |first, bodies| {
        for (door, (source, body)) in doors.iter_mut().zip(bodies) {
            if !body.is_empty() {
                let Plan { seed, events, days, end_ms, .. } = synth.plan();
                let idempotency_key = format!("synth-{seed}-{events}-{days}-{end_ms}-{}-{first}-{source}", doors_named(synth));
                entered.add(door.enter(&Batch { body, media: Media::Any, idempotency_key })?);
            }
        }
        Ok(())
    })?;
    for door in &mut doors {
        door.finish()?;
    }
    for why in entered.refused.iter().take(10) {
        writeln!(io::stderr(), "refused: {why}")?;
    }
    let (kept, duplicates, refused) = (entered.kept, entered.duplicates, entered.refused.len());
    if as_json {
        writeln!(out, "{}", json!({"kept": kept, "duplicates": duplicates, "refused": refused}))?;
        return Ok(if refused == 0 { Answer::Holds } else { Answer::DoesNotHold });
    }
    let rate = entered.all() as f64 / started.elapsed().as_secs_f64().max(0.001);
    writeln!(out, "{kept} kept, {duplicates} there already, {refused} refused ({rate:.0} events/s)")?;
    Ok(if refused == 0 { Answer::Holds } else { Answer::DoesNotHold })
}

/// The plan's sources as bits: the events of a plan with other sources are others.
fn doors_named(synth: &Synth) -> u32 {
    synth.plan().sources.iter().fold(0, |bits, source| bits | 1 << (*source as u32))
}
