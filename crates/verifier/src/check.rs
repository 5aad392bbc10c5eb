//! Checking one file.

use std::path::Path;

use evidence::event_file::{ActSeen, Cuts, EventFile};
use evidence::evidence_file::{EVIDENCE_FORMAT, EvidenceFile, EvidenceFileError, Fault as EvidenceFault};
use evidence::{KeyChain, Leaf, Place, Receipt, VerifiedEvent, VerifiedEvidence, VerifiedReceipt, Wrong, page};
use tlog::{LeafIndex, VerifiedCheckpoint, VerifierKey};

use crate::args::Args;
use crate::export;
use crate::input::{self, NoKey};

/// What there is to check with.
pub struct Verifier {
    key: Result<VerifierKey, String>,
    keys: Result<Vec<EventFile>, String>,
    raw: Option<Vec<u8>>,
}

/// The answer for one file.
pub enum Outcome {
    Holds(Box<Statement>),
    /// Evidence that holds.
    Evidence(Box<EvidenceStatement>),
    Export(Box<export::Statement>),
    /// What does not, at least one thing.
    Wrong(Vec<Fault>),
    Unreadable(String),
}

/// What does not hold, and where.
pub struct Fault {
    pub place: String,
    pub reason: String,
}

/// What holds.
pub struct Statement {
    pub index: LeafIndex,
    pub leaf: Leaf,
    pub checkpoint: VerifiedCheckpoint,
    pub pinned: VerifierKey,
    pub rotations: usize,
    pub shown: Shown,
    /// How the bytes of `--raw` were found to be those that were logged.
    pub raw: Option<&'static str>,
}

/// What holds for an evidence file.
pub struct EvidenceStatement {
    pub evidence: VerifiedEvidence,
    pub pinned: VerifierKey,
    /// Whether it stood in a page, whose bytes were found to be the genuine ones.
    pub in_page: bool,
}

/// What is known of the payload.
pub enum Shown {
    Event { source_name: Option<String>, parts: usize, hidden: Vec<usize>, cuts: Cuts, act: Option<(String, bool)> },
    Receipt { with_salt: bool },
}

impl From<EvidenceFault> for Fault {
    fn from(fault: EvidenceFault) -> Self {
        Fault { place: fault.subject.to_string(), reason: fault.why.to_string() }
    }
}

impl From<Wrong> for Fault {
    fn from(wrong: Wrong) -> Self {
        Fault { place: wrong.place().to_string(), reason: wrong.to_string() }
    }
}

impl Verifier {
    /// Reads keys and raw. What can be read but is not what it should be is an answer to every file,
    /// not a reason to give none.
    pub fn new(args: &Args) -> Result<Self, String> {
        let key = match input::verifier_key(&args.key) {
            Ok(key) => Ok(key),
            Err(NoKey::Altered(why)) => Err(why),
            Err(NoKey::Unusable(why)) => return Err(why),
        };
        let mut keys = Ok(Vec::new());
        for path in &args.keys {
            let bytes = input::read(path)?;
            keys = keys.and_then(|mut list: Vec<EventFile>| {
                list.extend(EventFile::parse_keys(&bytes).map_err(|error| error.to_string())?);
                Ok(list)
            });
        }
        let raw = args.raw.as_deref().map(input::read).transpose()?;
        Ok(Verifier { key, keys, raw })
    }

    pub fn check(&self, path: &Path) -> Outcome {
        if let Some(kind) = export::kind(path) {
            return self.check_export(path, kind);
        }
        match input::read(path) {
            Err(why) => Outcome::Unreadable(why),
            Ok(bytes) if is_evidence(&bytes) && self.raw.is_some() => {
                Outcome::Unreadable("--raw goes with one entry, not with evidence of many".into())
            }
            Ok(bytes) if is_evidence(&bytes) => match self.check_evidence(&bytes) {
                Ok(statement) => Outcome::Evidence(Box::new(statement)),
                Err(faults) => Outcome::Wrong(faults),
            },
            Ok(bytes) => match self.check_bytes(&bytes) {
                Ok(statement) => Outcome::Holds(Box::new(statement)),
                Err(fault) => Outcome::Wrong(vec![fault]),
            },
        }
    }

    /// The evidence, and the page around it if there is one: a page that is not the genuine one may show
    /// whatever it likes.
    fn check_evidence(&self, bytes: &[u8]) -> Result<EvidenceStatement, Vec<Fault>> {
        let fault = |place: &str, reason: String| vec![Fault { place: place.to_owned(), reason }];
        let key_fault = |why: &String| fault(&Place::Keys.to_string(), why.clone());
        let (pinned, keys) = (self.key.as_ref().map_err(key_fault)?, self.keys.as_ref().map_err(key_fault)?);
        let file_fault = |why: EvidenceFileError| match why {
            EvidenceFileError::Unread(faults) => faults.into_iter().map(Fault::from).collect(),
            why => fault(&Place::File.to_string(), why.to_string()),
        };
        let in_page = page::is_page(bytes);
        let (json, known) = if in_page {
            page::read(bytes).map(|page| (page.evidence.as_bytes(), page.known)).map_err(file_fault)?
        } else {
            (bytes.strip_suffix(b"\n").unwrap_or(bytes), true)
        };
        let file = EvidenceFile::parse(json).map_err(file_fault)?;
        let verified = file.verify(pinned, keys).map_err(|faults| faults.into_iter().map(Fault::from).collect::<Vec<_>>());
        let page_fault = (!known).then(|| Fault {
            place: "page".into(),
            reason: "the page around the evidence is none that this program knows: it was altered and may show anything, \
                     or a newer version made it, whose indelible-verify knows it"
                .into(),
        });
        match (verified, page_fault) {
            (Ok(evidence), None) => Ok(EvidenceStatement { evidence, pinned: pinned.clone(), in_page }),
            (Ok(_), Some(page)) => Err(vec![page]),
            (Err(mut faults), page) => {
                faults.extend(page);
                Err(faults)
            }
        }
    }

    fn check_export(&self, path: &Path, kind: export::Kind) -> Outcome {
        let fault = |why: &String| Outcome::Wrong(vec![Fault { place: Place::Keys.to_string(), reason: why.clone() }]);
        let (pinned, keys) = match (&self.key, &self.keys) {
            (Ok(pinned), Ok(keys)) => (pinned, keys),
            (Err(why), _) | (_, Err(why)) => return fault(why),
        };
        if self.raw.is_some() {
            return Outcome::Unreadable("--raw goes with one entry, not with an export".into());
        }
        match export::check(path, kind, pinned, keys) {
            Ok(statement) => Outcome::Export(Box::new(statement)),
            Err(export::No::Wrong(fault)) => Outcome::Wrong(vec![fault]),
            Err(export::No::Unreadable(why)) => Outcome::Unreadable(why),
        }
    }

    fn check_bytes(&self, bytes: &[u8]) -> Result<Statement, Fault> {
        let fault = |why: &String| Fault { place: Place::Keys.to_string(), reason: why.clone() };
        let pinned = self.key.as_ref().map_err(fault)?;
        let keys = self.keys.as_ref().map_err(fault)?;
        if bytes.trim_ascii_start().starts_with(b"{") {
            let file = EventFile::parse(bytes).map_err(Wrong::from)?;
            let event = file.verify(pinned, keys)?;
            let raw = self.compare_raw(|raw| match file.raw() {
                Some(logged) if logged == raw => Ok(()),
                Some(_) => Err(Wrong::Raw),
                None => Err(Wrong::RawUnknown("the file does not show all of the raw bytes")),
            })?;
            return Ok(event_statement(event, pinned, raw));
        }
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.starts_with("c2sp.org/tlog-proof@"));
        let text = text.ok_or_else(|| Fault {
            place: Place::File.to_string(),
            reason: "it is neither an event file (a JSON object), a receipt (a c2sp.org/tlog-proof), evidence (a page) nor an export"
                .into(),
        })?;
        let receipt: Receipt = text.parse()?;
        let receipt = receipt.verify_in(&KeyChain::build(pinned, keys)?)?;
        let raw = self.compare_raw(|raw| receipt.check_raw(raw))?;
        Ok(receipt_statement(&receipt, pinned, raw))
    }

    /// Compares the bytes of `--raw` as they are, without a final line break, and without white space
    /// around them: an editor or a shell may have added what the log never saw.
    fn compare_raw(&self, check: impl Fn(&[u8]) -> Result<(), Wrong>) -> Result<Option<&'static str>, Wrong> {
        let Some(raw) = &self.raw else {
            return Ok(None);
        };
        let exact = check(raw);
        if matches!(exact, Ok(()) | Err(Wrong::RawUnknown(_))) {
            return exact.map(|()| Some("exactly"));
        }
        let line = raw.strip_suffix(b"\n").unwrap_or(raw);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if check(line).is_ok() {
            return Ok(Some("without the line break at its end"));
        }
        if check(raw.trim_ascii()).is_ok() {
            return Ok(Some("without the white space around them"));
        }
        exact.map(|()| None)
    }
}

/// A page, or JSON that names the format: in canonical JSON no other text can stand like this.
fn is_evidence(bytes: &[u8]) -> bool {
    let named = format!("\"format\":\"{EVIDENCE_FORMAT}\"");
    page::is_page(bytes) || (bytes.starts_with(b"{\"access\":") && bytes.windows(named.len()).any(|window| window == named.as_bytes()))
}

fn event_statement(event: VerifiedEvent, pinned: &VerifierKey, raw: Option<&'static str>) -> Statement {
    let act = event.act.map(|act| match act {
        ActSeen::Known(act) => (act.name().to_owned(), true),
        ActSeen::NoAuthority(why) => (why.to_string(), false),
    });
    Statement {
        index: event.index,
        leaf: event.leaf,
        checkpoint: event.checkpoint,
        pinned: pinned.clone(),
        rotations: event.rotations,
        shown: Shown::Event {
            source_name: event.facts.map(|facts| facts.source).filter(|name| !name.is_empty()),
            parts: event.parts,
            hidden: event.hidden,
            cuts: event.cuts,
            act,
        },
        raw,
    }
}

fn receipt_statement(receipt: &VerifiedReceipt, pinned: &VerifierKey, raw: Option<&'static str>) -> Statement {
    Statement {
        index: receipt.index,
        leaf: receipt.leaf,
        checkpoint: receipt.checkpoint.clone(),
        pinned: pinned.clone(),
        rotations: receipt.rotations,
        shown: Shown::Receipt { with_salt: receipt.sender.is_some() },
        raw,
    }
}
