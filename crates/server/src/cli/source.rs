//! Kinds of sources: what there is, what a record means, golden pairs, a first draft.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::catalog;
use crate::cli::safe_text::escape;
use crate::clock::Clock;
use crate::intake::{Media, decode};
use crate::source::Catalog;
use crate::source::catalog::{BUILT_IN, Item};
use crate::source::draft::draft;
use crate::source::explain::{Explanation, explain};
use crate::source::golden;

/// Describe kinds of sources: list, test, explain, draft
///
/// A kind is a folder with a map.toml (docs/SOURCES.md); no program is needed for a new one. Folders
/// given with --sources come beside those built in, and replace those of the same name.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible source list\n  indelible source explain record.json\n  indelible source new crm --from samples.ndjson --sources my-sources\n  indelible source test crm --sources my-sources"
)]
pub struct Source {
    #[command(subcommand)]
    command: SourceCommand,
    /// Directory of folders, one a kind
    #[arg(long, global = true, env = "INDELIBLE_SOURCES", value_name = "DIR")]
    sources: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum SourceCommand {
    /// List all kinds
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Run the golden pairs of a kind and show every difference
    Test {
        /// Kind; all, without
        kind: Option<String>,
        /// Write expected.ndjson as the map makes it now (look at it before you keep it)
        #[arg(long, requires = "kind")]
        bless: bool,
    },
    /// Say what a record means, what matched, and where each field came from
    Explain {
        /// Files with one record, a wrapper of records, or one a line; - for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Read it as this kind instead of recognising it
        #[arg(long)]
        kind: Option<String>,
        /// As JSON, one object a record
        #[arg(long)]
        json: bool,
    },
    /// Write a first draft of a kind from samples
    New {
        /// Kind
        kind: String,
        /// File with sample records
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
}

impl Source {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        if let SourceCommand::New { kind, from } = &self.command {
            // The first kind of a directory makes it.
            return new(kind, from, self.sources.as_deref(), out);
        }
        let catalog = catalog(self.sources.as_deref(), &[])?;
        match self.command {
            SourceCommand::List { json } => list(&catalog, json, out),
            SourceCommand::Test { kind, bless } => test(&catalog, kind.as_deref(), bless, self.sources.as_deref(), out),
            SourceCommand::Explain { files, kind, json } => explain_files(&catalog, &files, kind.as_deref(), json, out),
            SourceCommand::New { .. } => Ok(Answer::Holds),
        }
    }
}

fn list(catalog: &Catalog, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    let mut kinds: Vec<_> = catalog.kinds().to_vec();
    kinds.sort_by(|a, b| a.name.cmp(&b.name));
    for kind in kinds {
        if json {
            writeln!(out, "{}", serde_json::json!({ "kind": kind.name, "title": kind.title, "version": kind.version }))?;
        } else {
            writeln!(out, "{:<20} {:>3}  {}", kind.name, kind.version, escape(&kind.title))?;
        }
    }
    Ok(Answer::Holds)
}

/// Samples and expected results of a kind: from the directory, else the built-in ones.
fn pairs(kind: &str, sources: Option<&Path>) -> Result<(String, String), Failure> {
    if let Some(folder) = sources.map(|dir| dir.join(kind)).filter(|folder| folder.is_dir()) {
        let samples = folder.join("samples.ndjson");
        let text = std::fs::read_to_string(&samples).map_err(Failure::at(samples.display().to_string()))?;
        return Ok((text, std::fs::read_to_string(folder.join("expected.ndjson")).unwrap_or_default()));
    }
    let built_in = BUILT_IN.iter().find(|built_in| built_in.kind == kind);
    let built_in = built_in.ok_or_else(|| Failure::new(format!("there is no kind {kind:?}: see `indelible source list`")))?;
    Ok((built_in.samples.to_owned(), built_in.expected.to_owned()))
}

fn test(catalog: &Catalog, kind: Option<&str>, bless: bool, sources: Option<&Path>, out: &mut dyn Write) -> Result<Answer, Failure> {
    let all: Vec<String> = match kind {
        Some(kind) => vec![kind.to_owned()],
        None => catalog.kinds().iter().map(|kind| kind.name.clone()).collect(),
    };
    let mut failed = 0;
    for kind in all {
        let (samples, expected) = pairs(&kind, sources)?;
        let cases = golden::run(catalog, &kind, &samples, &expected);
        if bless {
            let dir = sources.ok_or_else(|| Failure::new("--bless writes into the folder of the kind: give --sources DIR"))?;
            let path = dir.join(&kind).join("expected.ndjson");
            std::fs::write(&path, golden::blessed(&cases)).map_err(Failure::at(path.display().to_string()))?;
        }
        let faults = |case: &golden::Case| {
            case.faults
                .iter()
                .filter(|fault| !bless || fault.starts_with("not valid") || fault.starts_with("recognised"))
                .cloned()
                .collect::<Vec<_>>()
        };
        let bad: Vec<_> = cases.iter().map(|case| (case.line, faults(case))).filter(|(_, faults)| !faults.is_empty()).collect();
        writeln!(out, "{kind}: {} of {} hold", cases.len() - bad.len(), cases.len())?;
        for (line, faults) in &bad {
            writeln!(out, "  samples.ndjson line {line}:")?;
            for fault in faults {
                writeln!(out, "    {}", escape(fault))?;
            }
        }
        failed += bad.len();
    }
    Ok(if failed == 0 { Answer::Holds } else { Answer::DoesNotHold })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(file).map_err(Failure::at(file.display().to_string()))
}

/// What a record of a file means.
#[derive(serde::Serialize)]
struct Explained<'a> {
    file: &'a str,
    #[serde(flatten)]
    explanation: Explanation,
}

fn explain_files(catalog: &Catalog, files: &[PathBuf], kind: Option<&str>, json: bool, out: &mut dyn Write) -> Result<Answer, Failure> {
    if let Some(kind) = kind.filter(|kind| catalog.kind(kind).is_none()) {
        return Err(Failure::new(format!("there is no kind {kind:?}: see `indelible source list`")));
    }
    let now = i64::try_from(Clock::system().now_ms()).unwrap_or(i64::MAX);
    let mut all_known = true;
    for file in files {
        for record in records(catalog, &read(file)?, kind)? {
            let explanation = Explained { file: &file.display().to_string(), explanation: explain(catalog, &record, kind, now) };
            all_known &= explanation.explanation.kind != "unknown";
            if json {
                writeln!(out, "{}", serde_json::to_string(&explanation).map_err(|why| Failure::new(why.to_string()))?)?;
            } else {
                show(&explanation.explanation, out)?;
            }
        }
    }
    Ok(if all_known { Answer::Holds } else { Answer::DoesNotHold })
}

/// The records of a file, as a door would take them. A text over several lines that is one record of
/// some kind (XML, pretty JSON) stays one.
fn records(catalog: &Catalog, body: &[u8], kind: Option<&str>) -> Result<Vec<Vec<u8>>, Failure> {
    let whole = body.trim_ascii();
    // `<34>` begins a syslog line, not XML.
    let is_xml = matches!(whole, [b'<', next, ..] if !next.is_ascii_digit());
    if is_xml && whole.contains(&b'\n') && catalog.recognise(whole).is_some_and(|found| kind.is_none_or(|kind| kind == found.kind.name)) {
        return Ok(vec![whole.to_vec()]);
    }
    let decoded = decode(body, Media::Any)?;
    let mut records = Vec::new();
    for event in &decoded.events {
        let raw = event.raw(body);
        // A record that is recognised as it stands is none's wrapper.
        let items = if catalog.recognise(raw).is_some() {
            None
        } else {
            catalog.unwrap(raw, kind.and_then(|kind| catalog.kind(kind)).map(AsRef::as_ref))
        };
        match items {
            None => records.push(raw.to_vec()),
            Some(items) => records.extend(items.into_iter().map(|item| match item {
                Item::Range(range) => raw.get(range).unwrap_or_default().to_vec(),
                Item::Text(text) => text.into_bytes(),
            })),
        }
    }
    Ok(records)
}

fn show(explanation: &Explanation, out: &mut dyn Write) -> Result<(), Failure> {
    let also: Vec<_> = explanation.also_like.iter().map(|(kind, certainty)| format!("{kind} {certainty}")).collect();
    let also = if also.is_empty() { String::new() } else { format!("  (also like {})", also.join(", ")) };
    writeln!(out, "kind      {}, certainty {} of 100{also}", explanation.kind, explanation.certainty)?;
    let reading = &explanation.reading;
    let shown = |text: &Option<String>| text.as_deref().map_or("-".to_owned(), |text| escape(text).into_owned());
    for (name, value) in [
        ("time", shown(&reading.time)),
        ("action", shown(&reading.action)),
        ("actor", shown(&reading.actor)),
        ("target", shown(&reading.target)),
        ("address", shown(&reading.src_ip)),
        ("outcome", reading.outcome.clone()),
        ("identity", format!("{} → {}", shown(&reading.identity.0), shown(&reading.identity.1))),
        ("unmapped", format!("{} of {} values", explanation.values.1, explanation.values.0)),
    ] {
        writeln!(out, "{name:<9} {value}")?;
    }
    for field in &explanation.fields {
        let value: String = field.value.chars().take(60).collect();
        writeln!(out, "  {:<34} {:<62} {}", field.attribute, escape(&value), escape(&field.from))?;
    }
    writeln!(out, "{:#}", explanation.ocsf)?;
    Ok(())
}

fn new(kind: &str, from: &Path, sources: Option<&Path>, out: &mut dyn Write) -> Result<Answer, Failure> {
    if !evidence::act::is_name(kind) {
        return Err(Failure::new(format!("{kind:?} is not a kind's name: use a-z 0-9 . _ -")));
    }
    let body = read(from)?;
    let decoded = decode(&body, Media::Any)?;
    let records: Vec<serde_json::Value> = decoded.events.iter().filter_map(|event| serde_json::from_slice(event.raw(&body)).ok()).collect();
    if records.is_empty() {
        return Err(Failure::new(format!(
            "{} holds no JSON record: a draft is made from JSON; for text records see [[pattern]] in docs/SOURCES.md",
            from.display()
        )));
    }
    let text = draft(kind, &records);
    let Some(dir) = sources else {
        write!(out, "{text}")?;
        return Ok(Answer::Holds);
    };
    let folder = dir.join(kind);
    if folder.join("map.toml").exists() {
        return Err(Failure::new(format!("{} is there already: it is not overwritten", folder.join("map.toml").display())));
    }
    std::fs::create_dir_all(&folder).map_err(Failure::at(folder.display().to_string()))?;
    let lines: Vec<_> = records.iter().map(|record| format!("{record}\n")).collect();
    for (name, content) in [("map.toml", &text), ("samples.ndjson", &lines.concat())] {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(Failure::at(path.display().to_string()))?;
        writeln!(out, "wrote {}", path.display())?;
    }
    Ok(Answer::Holds)
}
