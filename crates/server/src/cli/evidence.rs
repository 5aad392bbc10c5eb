//! Makes a file that proves what a search found.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use evidence::evidence_file::{EvidenceFile, VerifiedEvidence};
use evidence::page;

use crate::api::{EvidenceAsk, Redaction, format_rfc3339, make_evidence};
use crate::cli::Answer;
use crate::cli::failure::Failure;
use crate::cli::maps::MapArgs;
use crate::cli::place::Place;
use crate::cli::safe_text::escape_line;
use crate::cli::saved::{line_at, line_in};
use crate::cli::search::checked_line;
use crate::cli::stopped::with_log;
use crate::clock::Clock;

/// Make a file that proves what a search found, to hand to somebody who trusts nobody
///
/// One HTML page with all entries that match (at most 1,000), their proofs, the checkpoint, how they are kept and
/// who asked for them before. It checks itself in any browser, from disk and without a network; indelible-verify
/// says the same. The log records that it was made, with a hash of what it says. Exit code 1: something in the
/// range could not be read, so matches may be missing; the file says so too.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  indelible evidence --query 'actor:ana@corp.example since:30d' --title 'Case 17' -o case.html\n  indelible evidence --query 'action:iam.*Policy*' --redact sourceIPAddress --redact @people -o case.html\n  indelible-verify --key \"$VKEY\" case.html"
)]
pub struct Evidence {
    /// Which entries, as for `indelible search`; every event when it is empty
    #[arg(long, value_name = "LINE", allow_hyphen_values = true)]
    query: String,
    /// The file to make, which must not be there yet; - for standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What to call it [default: the search line]
    #[arg(long, default_value = "")]
    title: String,
    /// Hide a member of the records, such as userIdentity or requestParameters.userName; may be repeated
    ///
    /// Also @people (who sent it), @facts, @raw, or #3 for part 3; with 12: before it in entry 12 alone. The unit
    /// is the part: an entry is cut after each member (and inside of long ones), and what stands in the same part
    /// is hidden too. Digests of hidden parts remain, so that the rest can still be proved.
    #[arg(long, value_name = "WHAT")]
    redact: Vec<Redaction>,
    /// Make the file although a hidden value also stands in something that is shown
    #[arg(long)]
    repeats: bool,
    /// The evidence alone, without a page around it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    maps: MapArgs,
    #[command(flatten)]
    place: Place,
}

impl Evidence {
    pub fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        // What is wrong with the line or the file is said before the log records anything.
        checked_line(&self.query)?;
        let to_file = self.output.as_os_str() != "-";
        if to_file && self.output.exists() {
            return Err(Failure::new(format!("{} is there already: remove it, or give another name with -o", self.output.display())));
        }
        let json = match &self.place.data {
            Some(data) => self.read_directory(data)?,
            None => self.ask_server()?,
        };
        let file = EvidenceFile::parse(&json).map_err(Failure::at("the evidence is none: the server may be of another version"))?;
        let verified = file.verify(&file.vkey, &[]).map_err(|faults| {
            let fault = faults.first().map(|fault| format!("{}: {}", fault.subject, fault.why)).unwrap_or_default();
            Failure::new(format!("the evidence does not hold, so it was not written: {fault}; run `indelible verify` on the log"))
        })?;
        let content = if self.json { json } else { page::write(&json) };
        if to_file { write_new(&self.output, &content) } else { out.write_all(&content).map_err(Failure::from) }?;
        say_what_it_is(&file, &verified)?;
        Ok(if verified.case.covered.unreadable.is_empty() { Answer::Holds } else { Answer::DoesNotHold })
    }

    fn ask_server(&self) -> Result<Vec<u8>, Failure> {
        let server = self.place.server.connect()?;
        let redact: Vec<String> = self.redact.iter().map(ToString::to_string).collect();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("q", &line_at(&server, &self.query)?).append_pair("title", &self.title).append_pair("redact", &redact.join("\n"));
        query.append_pair("repeats", if self.repeats { "1" } else { "0" });
        Ok(server.fetch(&format!("/v1/evidence?{}", query.finish()))?.body)
    }

    fn read_directory(&self, data: &Path) -> Result<Vec<u8>, Failure> {
        with_log(data, self.maps.catalog()?, |log| {
            let ask = EvidenceAsk {
                query: line_in(log, &self.query)?,
                title: self.title.clone(),
                redactions: self.redact.clone(),
                repeats: self.repeats,
                by: "local".to_owned(),
                now_ms: Clock::system().now_ms(),
            };
            Ok(make_evidence(log.trail, log.index, log.directory, &ask)?.to_json())
        })
    }
}

/// The whole file or none, and never another one's place. It may say what is nobody else's business.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(Failure::at(path.display()))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|why| {
        // Whoever cannot remove it finds a file that does not hold.
        let _ = std::fs::remove_file(path);
        Failure::new(format!("{}: {why}", path.display()))
    })
}

fn say_what_it_is(file: &EvidenceFile, verified: &VerifiedEvidence) -> Result<(), Failure> {
    let VerifiedEvidence { case, made, .. } = verified;
    let mut to = std::io::stderr().lock();
    let entries = if case.entries.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", case.entries.len()) };
    writeln!(to, "{entries} of a log of {}; recorded as entry {} at {}", case.size, made.index, format_rfc3339(made.at_ms))?;
    for gap in &case.covered.unreadable {
        writeln!(to, "NOT READ: entries {} to {}: {}", gap.first, gap.last, escape_line(&gap.why))?;
    }
    writeln!(to, "give its reader the log's key by another way than the file: {}", escape_line(&file.vkey.to_string()))?;
    Ok(())
}
