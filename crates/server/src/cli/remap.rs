//! Derives the search indexes and the lake again.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use ureq::http::Method;

use crate::api::format_rfc3339;
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::MapArgs;
use crate::cli::place::{Place, with_data_and_trail};
use crate::clock::Clock;
use crate::config::LakeContent;
use crate::search::Index;
use crate::search::instant::{FORMS, read};
use crate::search::remap::files_since;

/// How often a server is asked how far it has come.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Derive the search indexes and the lake again, as the maps of today read the records
///
/// A server that finds what was derived by other maps, other code or with other databases of addresses does so by
/// itself, behind the log; this does it at once, and also what does not look stale. The log is only read. With --data
/// the server must be stopped; else the running one is told to, and goes on if this command is ended.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible remap\n  indelible remap --since 30d\n  indelible remap --data /var/lib/indelible --geoip country.mmdb --geoip asn.mmdb"
)]
pub struct Remap {
    /// Only payload files that hold something received then or later: 30d, 2026-01-31, …
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// What the lake holds, as `indelible serve --lake`; with --data alone [default: columns]
    #[arg(long, value_enum, requires = "data")]
    lake: Option<LakeContent>,
    /// Print {files, entries, failed} as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

impl Remap {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let since = self.since.as_deref().map(since_ms).transpose()?;
        let began = Instant::now();
        let done = match &self.place.data {
            Some(data) => self.derive(data, since)?,
            None => self.tell_server(since)?,
        };
        if self.json {
            writeln!(out, "{}", json!({"files": done.files, "entries": done.entries, "failed": done.failed}))?;
        } else {
            let seconds = began.elapsed().as_secs_f64();
            writeln!(out, "derived {} payload files with {} entries again in {seconds:.1} s", done.files, done.entries)?;
        }
        Ok(if done.failed == 0 { Answer::Holds } else { Answer::DoesNotHold })
    }

    fn derive(&self, data: &Path, since: Option<i64>) -> Result<Done, Failure> {
        let catalog = Arc::new(self.maps.catalog()?);
        with_data_and_trail(data, |dir, trail| {
            let index = Index::kept_in(dir.derived_dir(), Arc::clone(&catalog)).with_lake(self.lake.unwrap_or_default());
            let files = files_since(trail, since)?;
            let bar = progress(files.len() as u64);
            let remapped = index.remap(trail, &files, &mut |_| bar.inc(1));
            bar.finish_and_clear();
            for why in &remapped.failed {
                eprintln!("NOT DERIVED: {why}");
            }
            Ok(Done { files: remapped.files as u64, entries: remapped.entries, failed: remapped.failed.len() as u64 })
        })
    }

    fn tell_server(&self, since: Option<i64>) -> Result<Done, Failure> {
        let server = self.place.server.connect()?;
        let body = since.map_or_else(|| json!({}), |since| json!({"since": format_rfc3339(u64::try_from(since).unwrap_or(0))}));
        let told = server.ask(&Method::POST, "/v1/remap", Some(&body))?.json()?;
        let number = |of: &Value, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or_default();
        let count = number(&told, "files");
        let bar = progress(count);
        loop {
            let derived = server.fetch("/v1/remap")?.json()?;
            let waiting = number(&derived, "waiting").min(count);
            bar.set_position(count - waiting);
            if waiting == 0 {
                bar.finish_and_clear();
                let failed = number(&derived, "failed");
                if failed > 0 {
                    eprintln!("NOT DERIVED: {failed} payload files; the server's log says why, and it tries again after a while");
                }
                return Ok(Done { files: count, entries: number(&told, "entries"), failed });
            }
            thread::sleep(ASK_EVERY);
        }
    }
}

/// What was done.
struct Done {
    files: u64,
    entries: u64,
    failed: u64,
}

fn since_ms(text: &str) -> Result<i64, Failure> {
    let span = read(text, i64::try_from(Clock::system().now_ms()).unwrap_or(i64::MAX));
    span.map(|span| span.from_ms).ok_or_else(|| Failure::new(format!("--since {text} is no time: {FORMS}")))
}

fn progress(files: u64) -> ProgressBar {
    let bar = ProgressBar::new(files);
    if let Ok(style) = ProgressStyle::with_template("deriving {bar:30} {pos}/{len} payload files  {eta} left") {
        bar.set_style(style);
    }
    bar
}
