//! What a search line describes, as a file for other tools, with what proves it.

mod output;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use crate::cli::Answer;
use crate::cli::export::output::Output;
use crate::cli::failure::Failure;
use crate::cli::maps::MapArgs;
use crate::cli::place::Place;
use crate::cli::safe_text::escape_line;
use crate::cli::saved::{line_at, line_in};
use crate::cli::search::{checked_line, marked};
use crate::cli::server::Server;
use crate::cli::stopped::{record, with_log};
use crate::clock::Clock;
use crate::export::{Encoding, From, Line, Manifest, Page, page};
use crate::log::records;
use crate::search::{Budget, Query, parse};

/// A page of a stopped directory.
const PAGE: Budget = Budget { hits: 20_000, bytes: 16 << 20, time: Duration::from_secs(60), entries: 1_000_000 };
/// How often a server that is busy is asked for the same page.
const TRIES: u32 = 10;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Export what a search line describes as NDJSON, CSV or Parquet, with a manifest that proves it
///
/// Goes from the oldest entry to the newest there is when it begins, and writes FILE and FILE.manifest.json;
/// Parquet is a directory of parts. One that is interrupted goes on with --resume. `indelible-verify
/// FILE.manifest.json --key VKEY` checks every line of NDJSON against the log's checkpoint, offline, and of the
/// others that the files are whole. docs/EXPORT.md has the columns and the proof. Exit code 1: some entries could
/// not be read; the manifest lists them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible export 'actor:ana@corp.example since:90d' -o ana.ndjson\n  indelible export 'action:iam.*' --format csv -o iam.csv\n  indelible export --format parquet -o everything --resume"
)]
pub struct Export {
    /// What to export, as in `indelible search`; every event when it is empty
    #[arg(default_value = "", allow_hyphen_values = true, value_name = "LINE")]
    query: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The file; with --format parquet, a directory
    #[arg(short, long, value_name = "FILE|DIR")]
    output: PathBuf,
    /// Go on with an export that was interrupted; what its manifest does not vouch for is written anew
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// One JSON object a line, each proved by the manifest
    #[default]
    Ndjson,
    /// A table whose cells are safe for spreadsheets
    Csv,
    /// Typed columns, in parts
    Parquet,
}

impl Format {
    const fn encoding(self) -> Encoding {
        match self {
            Self::Ndjson => Encoding::Ndjson,
            Self::Csv => Encoding::Csv,
            Self::Parquet => Encoding::Parquet,
        }
    }
}

impl Export {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        checked_line(&self.query)?;
        let output = match &self.place.data {
            Some(data) => self.read_directory(data),
            None => self.ask_server(),
        }?;
        let manifest = output.manifest().ok_or_else(|| Failure::new("nothing was exported"))?;
        say(manifest, output.manifest_path(), out)?;
        Ok(if manifest.covered.complete { Answer::Holds } else { Answer::DoesNotHold })
    }

    fn output(&self, line: &Query) -> Result<Output, Failure> {
        let encoding = self.format.encoding();
        if self.resume { Output::resume(&self.output, encoding, &line.to_string()) } else { Output::begin(&self.output, encoding) }
    }

    fn ask_server(&self) -> Result<Output, Failure> {
        let server = self.place.server.connect()?;
        let line = line_at(&server, &self.query)?;
        let (output, encoding) = (self.output(&parse(&line).map_err(|why| marked(&line, &why))?)?, self.format.encoding());
        write_pages(output, Clock::system().now_ms(), |from| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("q", &line).append_pair("page", "1").append_pair("into", encoding.word());
            if let From::Cursor(cursor, behind) = from {
                query.append_pair("cursor", &cursor.to_string());
                if let Some(behind) = behind {
                    query.append_pair("behind", &behind.to_string());
                }
            }
            read_page(&fetch(&server, &format!("/v1/export?{}", query.finish()))?)
        })
    }

    fn read_directory(&self, data: &Path) -> Result<Output, Failure> {
        with_log(data, self.maps.catalog()?, |log| {
            let line = line_in(log, &self.query)?;
            let (output, encoding) = (self.output(&line)?, self.format.encoding());
            write_pages(output, Clock::system().now_ms(), |from| {
                let page = page(log.trail, log.index, log.directory, &line, from, PAGE, encoding)?;
                let covered = &page.manifest.covered;
                let (range, size) = ((covered.from, covered.to), page.manifest.tree.size);
                record(log, "export", &records::export("local", &page.manifest.query, encoding.word(), range, size, page.manifest.count))?;
                Ok(page)
            })
        })
    }
}

/// Asks for pages and writes them until the end.
fn write_pages(mut output: Output, now_ms: u64, mut ask: impl FnMut(From) -> Result<Page, Failure>) -> Result<Output, Failure> {
    let so_far = |why: Failure| Failure::new(format!("{why}; what is exported so far stands, go on with --resume"));
    let mut told = Instant::now();
    loop {
        let from = match output.manifest() {
            None => From::Start(now_ms),
            Some(Manifest { next: None, .. }) => return Ok(output),
            Some(Manifest { next: Some(cursor), last, .. }) => {
                From::Cursor(cursor.parse().map_err(|why| Failure::new(format!("{}: {why}", output.manifest_path().display())))?, *last)
            }
        };
        let page = ask(from).map_err(so_far)?;
        if told.elapsed() >= TELL_EVERY {
            eprintln!("{} of {} entries looked at", page.manifest.covered.to, page.manifest.tree.size);
            told = Instant::now();
        }
        output.add(page).map_err(so_far)?;
    }
}

/// One page; a server that is busy is asked again.
fn fetch(server: &Server, path: &str) -> Result<Vec<u8>, Failure> {
    for _ in 1..TRIES {
        let answer = server.get(path).map_err(|why| server.unreachable(&why))?;
        match (answer.status, answer.retry_after) {
            (429, Some(seconds)) => sleep(Duration::from_secs(seconds)),
            _ => return Ok(answer.success("GET /v1/export")?.body),
        }
    }
    Ok(server.fetch(path)?.body)
}

fn read_page(body: &[u8]) -> Result<Page, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(format!("the server's answer is no page of an export: {why}; it may be of another version"))
    };
    let mut lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let manifest = lines.pop().ok_or_else(|| failed(&"it is empty"))?;
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|why| failed(&why))?;
    let lines = lines.into_iter().map(serde_json::from_slice::<Line>).collect::<Result<_, _>>().map_err(|why| failed(&why))?;
    Ok(Page { lines, manifest })
}

fn say(manifest: &Manifest, path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let Manifest { count, tree, covered, files, .. } = manifest;
    let bytes: u64 = files.iter().map(|file| file.bytes).sum();
    writeln!(
        out,
        "{count} entries in {} bytes; covers entries 0 to {} of a log of {} with root {}",
        bytes, covered.to, tree.size, tree.root
    )?;
    writeln!(out, "{}", path.display())?;
    for gap in &covered.unreadable {
        eprintln!("NOT READ: entries {} to {}: {}", gap.first, gap.last, escape_line(&gap.why));
    }
    Ok(())
}
