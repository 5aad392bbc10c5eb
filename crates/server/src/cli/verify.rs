//! Checks everything in a data directory, offline, and says what is wrong and where.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use evidence::act::PayloadFile;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::Value;
use tlog::VerifierKey;

use crate::cli::Answer;
use crate::cli::data_dir::{is_held, media_to_read};
use crate::cli::failure::Failure;
use crate::cli::maps::catalog;
use crate::cli::place::with_data_and_trail;
use crate::cli::safe_text::{escape, escape_line};
use crate::cli::server::read_named;
use crate::config::DATA_DEFAULT;
use crate::search::{Held, Index};
use crate::source::Catalog;
use crate::verify::{Report, Trust, VerifyOptions, verify_directory};

/// Check every entry, file and signature of a data directory, and that its history was not rewritten
///
/// Needs no network and no secret, changes nothing, and works beside a running server. Without
/// --from-checkpoint and --key the directory is only held against itself: whoever can write all of it
/// and has the signing key could have made another. Exit code 0: holds; 1: does not, and what is wrong
/// and where is printed; 2: could not be checked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  indelible verify --data /var/lib/indelible --from-checkpoint checkpoint-of-last-week --key \"$VKEY\"")]
pub struct Verify {
    /// Data directory to check
    #[arg(long, env = "INDELIBLE_DATA", default_value = DATA_DEFAULT, value_name = "DIR")]
    data: PathBuf,
    /// A checkpoint kept elsewhere (a signed note), which the log must extend
    #[arg(long, value_name = "FILE")]
    from_checkpoint: Option<PathBuf>,
    /// The log's verifier key, as you know it from elsewhere [default: what the directory says]
    #[arg(long, value_name = "VKEY")]
    key: Option<VerifierKey>,
    /// Also derive the search index and the lake once more and compare: takes hold of the directory, so its server
    /// must have stopped
    #[arg(long)]
    index: bool,
    /// Maps of your own, as the server was given them: the index is of these
    #[arg(long, env = "INDELIBLE_SOURCES", value_name = "DIR", requires = "index")]
    sources: Option<PathBuf>,
    /// Databases of addresses, as the server was given them
    #[arg(long, env = "INDELIBLE_GEOIP", value_name = "FILE", value_delimiter = ',', requires = "index")]
    geoip: Vec<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// What came of comparing what is derived of each payload file with the file.
#[derive(Debug, Default, Serialize)]
struct Derived {
    index: Compared,
    lake: Compared,
    /// Names in the lake's directory that are of no payload file.
    lake_strangers: Vec<String>,
}

impl Derived {
    const fn holds(&self) -> bool {
        self.index.differs.is_empty() && self.lake.differs.is_empty() && self.lake_strangers.is_empty()
    }
}

/// What came of comparing one of the things that are derived.
#[derive(Debug, Default, Serialize)]
struct Compared {
    /// Payload files of which it says what they say.
    same: u64,
    /// Payload files of which there is none that would be used.
    not_made: u64,
    /// Payload files of which it says something else.
    differs: Vec<String>,
}

impl Compared {
    fn add(&mut self, file: &PayloadFile, held: Held) {
        match held {
            Held::Same => self.same += 1,
            Held::NotMade => self.not_made += 1,
            Held::Differs | Held::Unmarked => self.differs.push(file.name()),
        }
    }
}

impl Verify {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        let from_checkpoint = self.from_checkpoint.as_deref().map(read_named).transpose()?;
        let began = Instant::now();
        let report = check(&self.data, VerifyOptions { from_checkpoint, pinned: self.key, ..VerifyOptions::default() })?;
        let seconds = began.elapsed().as_secs_f64();
        let derived = if self.index { Some(check_derived(&self.data, catalog(self.sources.as_deref(), &self.geoip)?)?) } else { None };
        if self.json {
            let mut all = serde_json::to_value(&report)?;
            if let (Some(derived), Some(all)) = (&derived, all.as_object_mut())
                && let Value::Object(derived) = serde_json::to_value(derived)?
            {
                all.extend(derived);
            }
            writeln!(out, "{}", escape(&all.to_string()))?;
        } else {
            show(&report, seconds, out)?;
            derived.iter().try_for_each(|derived| show_derived(derived, out))?;
        }
        let holds = report.holds && derived.is_none_or(|derived| derived.holds());
        Ok(if holds { Answer::Holds } else { Answer::DoesNotHold })
    }
}

/// Derives everything of every payload file once more.
fn check_derived(data: &Path, catalog: Catalog) -> Result<Derived, Failure> {
    with_data_and_trail(data, |dir, trail| {
        let index = Index::kept_in(dir.derived_dir(), Arc::new(catalog));
        let files: Vec<_> = trail.view().state.payload_files.values().cloned().collect();
        let bar = ProgressBar::new(files.len() as u64);
        let mut derived = Derived { lake_strangers: index.lake_strangers(trail), ..Derived::default() };
        for file in bar.wrap_iter(files.iter()) {
            let found = index.recheck(trail, file, &|| false).map_err(|why| Failure::new(why.to_string()))?;
            derived.index.add(file, found.index);
            derived.lake.add(file, found.lake);
        }
        bar.finish_and_clear();
        Ok(derived)
    })
}

fn show_derived(derived: &Derived, out: &mut dyn Write) -> Result<(), Failure> {
    let Derived { index, lake, lake_strangers } = derived;
    show_compared("index", index, "searches may have missed entries of it", "searches read them", out)?;
    for name in lake_strangers {
        writeln!(out, "lake: {} is of no payload file; engines that read the directory may read it", escape_line(name))?;
    }
    show_compared("lake", lake, "what engines answered of it may be wrong", "engines miss them, or read what other maps made", out)?;
    if !derived.holds() {
        writeln!(out, "make it again from the log: indelible remap --data DIR (and --lake full, if the server has that)")?;
    }
    Ok(())
}

/// `wrong` says what it means that it differs, `without` what that there is none.
fn show_compared(what: &str, compared: &Compared, wrong: &str, without: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let Compared { same, not_made, differs } = compared;
    for file in differs {
        writeln!(out, "{what} of {}: does not say what the file says; {wrong}", escape_line(file))?;
    }
    let verdict = match (differs.len(), same) {
        (0, 0) => format!("no {what} to compare"),
        (0, _) => format!("{what} holds"),
        _ => format!("{what} DOES NOT HOLD"),
    };
    let files = same + not_made + differs.len() as u64;
    write!(out, "{verdict}: of {files} payload files, {same} were derived again and are the same")?;
    writeln!(out, "{}", if *not_made == 0 { String::new() } else { format!(", {not_made} have none: {without}") })?;
    Ok(())
}

/// Checks the trail of a data directory, with a bar for whoever watches.
fn check(data: &Path, options: VerifyOptions) -> Result<Report, Failure> {
    let media = media_to_read(data)?;
    // Asked once, before anything is read: what a server that starts meanwhile makes may be called
    // leftover, which errs towards saying too much.
    let options = VerifyOptions { is_served: is_held(data), ..options };
    let style = ProgressStyle::with_template("verifying {bar:30} {pos}/{len} entries  {per_sec}  {eta} left");
    let bar = ProgressBar::new(0);
    let bar = if let Ok(style) = style { bar.with_style(style) } else { bar };
    let report = verify_directory(media.as_ref(), &options, &|progress| {
        bar.set_length(progress.total_entries);
        bar.set_position(progress.done_entries);
    });
    bar.finish_and_clear();
    report.map_err(Failure::at(data.display()))
}

fn show(report: &Report, seconds: f64, out: &mut dyn Write) -> Result<(), Failure> {
    for finding in &report.findings {
        writeln!(out, "{}", escape_line(&finding.to_string()))?;
    }
    let verdict = if report.holds { "holds" } else { "DOES NOT HOLD" };
    let rate = report.entries_checked as f64 / seconds.max(0.001);
    writeln!(
        out,
        "{verdict}: {} entries, {} sealed segments; {} entries and {} bytes were checked in {seconds:.1} s ({rate:.0}/s)",
        report.size, report.segments, report.entries_checked, report.bytes_checked
    )?;
    if let Some(key) = &report.key {
        let known = match report.trust {
            Trust::Pinned => "the key you gave, or one it was replaced by",
            Trust::FirstAct => "as the directory itself says; compare it with what you know, or give it with --key",
        };
        writeln!(out, "signed by {} ({known})", escape_line(key))?;
    }
    Ok(())
}

/// Checks that a whole data directory holds, and extends `known` if there is such a checkpoint.
///
/// # Errors
/// What is wrong, and where.
pub fn whole(data: &Path, known: Option<&str>) -> Result<Report, Failure> {
    let report = check(data, VerifyOptions { from_checkpoint: known.map(str::to_owned), ..VerifyOptions::default() })?;
    match report.findings.first() {
        None if report.holds => Ok(report),
        Some(finding) => Err(Failure::new(format!("{} does not hold: {finding}; run `indelible verify` on it", data.display()))),
        None => Err(Failure::new(format!("{} does not hold; run `indelible verify` on it", data.display()))),
    }
}
