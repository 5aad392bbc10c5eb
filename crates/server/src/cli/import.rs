//! Enters files of events: into a running server, or into a stopped one's directory.
//!
//! A file is cut into batches ([`batches`]), always at the same places. Each batch is sent with an
//! idempotency key made of the file's content through its end, so that a batch sent twice within
//! the id window is entered once, whichever name the file has by then. How far a file came is kept
//! in a small note ([`resume`]), so that running the same import again goes on from there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Answer;
use crate::cli::data_dir::DataDir;
use crate::cli::failure::Failure;
use crate::cli::safe_text::escape_line;
use crate::cli::server::ServerArgs;
use crate::door::UNKNOWN_KIND;
use crate::intake::SourceName;
use crate::store::trail::Trail;

mod batches;
pub mod door;
mod file_list;
pub mod http_door;
pub mod local_door;
mod opened;
mod resume;

use batches::Batches;
use door::{Door, Entered};
use file_list::{Input, list};
use http_door::HttpDoor;
use local_door::LocalDoor;
use opened::open;
use resume::Progress;

/// Refused events shown one by one; the rest are counted.
const REFUSALS_SHOWN_MAX: usize = 10;

/// Enter files of events under a source
///
/// Takes what the server takes: one JSON value, an array, {"Records":[…]}, one value a line, or
/// with --text one event a line; plain, gzip or zstd. Running the same import again enters nothing
/// twice and goes on where the last run ended. Import files that are complete: a line that was still
/// being written is entered as it is.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible import --source aws-prod ./cloudtrail/\n  zcat auth.log.1.gz | indelible import --source bastion-1 --text -"
)]
pub struct Import {
    /// The source the events are from: a-z, 0-9, '.', '_' and '-'
    #[arg(long, value_name = "NAME")]
    source: SourceName,
    /// Every line is an event, whatever it looks like
    #[arg(long)]
    text: bool,
    /// Directory of a stopped server, instead of --url
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where to note how far each file came [default: ~/.local/state/indelible/import]
    #[arg(long, env = "INDELIBLE_IMPORT_STATE", value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the sums as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
    /// A file, a directory (all files in it, by name), or - for standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    inputs: Vec<String>,
}

impl Import {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let inputs = list(&self.inputs)?;
        let Some(data) = &self.data else {
            let mut door = HttpDoor::new(self.server.connect()?, &self.source);
            return self.enter(&inputs, &self.server.url, &mut door, out);
        };
        let dir = DataDir::open(data)?;
        let trail = Trail::open(dir.media()?, &dir.options())?;
        let mut door = LocalDoor::new(&trail, "import", &self.source, UNKNOWN_KIND);
        let answer = self.enter(&inputs, &dir.path().to_string_lossy(), &mut door, out);
        trail.close();
        answer
    }

    fn enter(&self, inputs: &[Input], target: &str, door: &mut dyn Door, out: &mut dyn Write) -> Result<Answer, Failure> {
        let mut run = Run { bar: bar(inputs), started: Instant::now(), entered: Entered::default(), shown: 0 };
        for input in inputs {
            let note = self.note(input, target);
            self.enter_one(input, note.as_deref(), door, &mut run).map_err(Failure::at(input))?;
        }
        door.finish()?;
        run.bar.finish_and_clear();
        self.sum_up(inputs.len(), &run, out)?;
        Ok(if run.entered.refused.is_empty() { Answer::Holds } else { Answer::DoesNotHold })
    }

    /// Where it is noted how far this file came; standard input has no such place.
    fn note(&self, input: &Input, target: &str) -> Option<PathBuf> {
        let Input::File { path, .. } = input else { return None };
        let dir = self.state.clone().or_else(resume::default_dir)?;
        Some(resume::note_path(&dir, target, self.source.as_str(), path, self.text))
    }

    fn enter_one(&self, input: &Input, note: Option<&Path>, door: &mut dyn Door, run: &mut Run) -> Result<(), Failure> {
        let mut batches = Batches::new(open(input, run.bar.clone())?, self.source.as_str(), self.text);
        if let Some(progress) = note.and_then(Progress::read)
            && !batches.skip(&progress)?
        {
            // The file is not the one that the note is about: from its beginning, then.
            batches = Batches::new(open(input, run.bar.clone())?, self.source.as_str(), self.text);
        }
        while let Some(batch) = batches.next()? {
            let entered = door.enter(&batch)?;
            run.show_refused(input, &entered);
            run.entered.add(entered);
            run.bar.set_message(format!("{} events, {}/s", run.entered.all(), run.rate()));
            if let Some(note) = note {
                batches.progress().write(note).map_err(Failure::at(note.display()))?;
            }
        }
        Ok(())
    }

    fn sum_up(&self, files: usize, run: &Run, out: &mut dyn Write) -> Result<(), Failure> {
        let Entered { kept, duplicates, refused } = &run.entered;
        if self.json {
            let sums = serde_json::json!({"files": files, "kept": kept, "duplicates": duplicates, "refused": refused.len()});
            writeln!(out, "{sums}")?;
            return Ok(());
        }
        let seconds = run.started.elapsed().as_secs_f64();
        writeln!(
            out,
            "{kept} kept, {duplicates} there already, {} refused; {files} files in {seconds:.1} s ({} events/s)",
            refused.len(),
            run.rate()
        )?;
        Ok(())
    }
}

struct Run {
    bar: ProgressBar,
    started: Instant,
    entered: Entered,
    shown: usize,
}

impl Run {
    fn rate(&self) -> u64 {
        (self.entered.all() as f64 / self.started.elapsed().as_secs_f64().max(0.001)) as u64
    }

    fn show_refused(&mut self, input: &Input, entered: &Entered) {
        for why in &entered.refused {
            self.shown += 1;
            if self.shown <= REFUSALS_SHOWN_MAX {
                let line = escape_line(&format!("{input}: refused: {why}"));
                // Suspended, so that the bar is not drawn through the line.
                self.bar.suspend(|| drop(writeln!(io::stderr(), "{line}")));
            }
        }
    }
}

/// Bytes on disk done, rate and time left; hidden when nobody watches.
fn bar(inputs: &[Input]) -> ProgressBar {
    let bytes: Option<u64> = inputs.iter().map(Input::bytes).sum();
    let (bar, template) = match bytes {
        Some(bytes) => (ProgressBar::new(bytes), "{bar:30} {bytes}/{total_bytes}  {msg}  {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}  {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
