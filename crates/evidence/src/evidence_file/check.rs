//! Does an evidence file hold? Everything in it is looked at, so that each thing that is wrong is
//! named, not only the first.

use std::fmt;

use thiserror::Error;
use tlog::note::KeyError;
use tlog::{VerifiedCheckpoint, VerifierKey};

use super::EvidenceFile;
use crate::canonical_json::{self, Value};
use crate::case::{Case, CaseError, case_hash};
use crate::event_file::{EventFile, EventFileError, VerifiedEvent};
use crate::leaf::Kind;
use crate::rotation::KeyChain;
use crate::verdict::Wrong;

/// What an evidence file proves.
#[derive(Debug)]
pub struct VerifiedEvidence {
    /// The case, as the log recorded it.
    pub case: Case,
    /// The log's record of it.
    pub made: Made,
    /// The checkpoint that covers everything.
    pub checkpoint: VerifiedCheckpoint,
    /// The entries, in the order of the case.
    pub events: Vec<VerifiedEvent>,
    /// The records of searches that the case lists.
    pub access: Vec<VerifiedEvent>,
    /// Changes of the log's key that it rests on.
    pub rotations: usize,
}

/// The log's record of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Index of the record.
    pub index: u64,
    /// Who made the evidence: the id of an API key, or `local`.
    pub by: String,
    /// When the log received the record, ms since 1970 UTC.
    pub at_ms: u64,
}

/// Something that is wrong with an evidence file.
#[derive(Debug)]
pub struct Fault {
    /// With what of it.
    pub subject: Subject,
    /// What.
    pub why: EvidenceWrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.why)
    }
}

/// A thing in an evidence file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The case.
    Case,
    /// Checkpoint and keys.
    Checkpoint,
    /// The log's record of the case.
    Record,
    /// An entry, by its index.
    Event(u64),
    /// A record of a search, by its index.
    Access(u64),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case => f.write_str("case"),
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Record => f.write_str("record of the case"),
            Self::Event(index) => write!(f, "entry {index}"),
            Self::Access(index) => write!(f, "record of a search, entry {index}"),
        }
    }
}

/// Why something in an evidence file does not hold.
#[derive(Debug, Error)]
pub enum EvidenceWrong {
    /// As of an event file by itself.
    #[error("{}: {}", .0.place(), .0)]
    Event(#[from] Wrong),
    /// The case is none.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It cannot be read.
    #[error(transparent)]
    Unread(#[from] EventFileError),
    /// The key that the file names is none.
    #[error("vkey: {0}")]
    Vkey(KeyError),
    /// A proof leads elsewhere than the others.
    #[error("its proof ends in another checkpoint than the one of the file")]
    OtherCheckpoint,
    /// The case lists other entries than the file has.
    #[error("the case lists {listed} of them, the file has {shown}: something was removed or added")]
    Count {
        /// In the case.
        listed: usize,
        /// In the file.
        shown: usize,
    },
    /// The case lists another entry in this place.
    #[error("the case lists entry {listed} in its place: entries were exchanged")]
    Listed {
        /// Its index.
        listed: u64,
    },
    /// Other parts of it are hidden than its maker hid.
    #[error("other parts of it are hidden than the case says: somebody hid more of it, or showed what was hidden")]
    Hidden,
    /// The record of the case is another entry.
    #[error("it is not a record of evidence by the log itself, shown in full")]
    NotARecord,
    /// The record is of another case.
    #[error("the log recorded another case than this one: {0} is not the same")]
    OtherCase(&'static str),
    /// Later than what it is said to have been before.
    #[error("it stands behind the record of the case, which is said to be later")]
    Later,
}

/// An entry as the case has it: its index, and which parts of it are hidden.
type Listed<'c> = (u64, &'c [u64]);

/// Collects what is wrong.
struct Check<'a> {
    file: &'a EvidenceFile,
    chain: Option<KeyChain>,
    faults: Vec<Fault>,
}

impl EvidenceFile {
    /// Verifies everything from the bytes to the signature by the pinned key, or by one that the
    /// rotations in the file and in `extra_keys` lead to from it.
    ///
    /// # Errors
    /// All that does not hold.
    pub fn verify(&self, pinned: &VerifierKey, extra_keys: &[EventFile]) -> Result<VerifiedEvidence, Vec<Fault>> {
        let mut check = Check { file: self, chain: None, faults: Vec::new() };
        let chain = KeyChain::build(pinned, self.keys.iter().chain(extra_keys));
        check.chain = check.noted(Subject::Checkpoint, chain);
        let rotations = check.chain.as_ref().map_or(0, |chain| chain.rotations().len());
        let opened = check.chain.as_ref().map(|chain| chain.open(&self.checkpoint));
        let checkpoint = opened.and_then(|opened| check.noted(Subject::Checkpoint, opened));
        let case = check.noted(Subject::Case, Case::parse(&self.case));
        // Without a case its record still says whether it is one.
        let made = check.event(Subject::Record, &self.record).and_then(|record| {
            let made = made(self, &record, case.as_ref());
            check.noted(Subject::Record, made)
        });
        let listed: Option<Vec<Listed<'_>>> =
            case.as_ref().map(|case| case.entries.iter().map(|entry| (entry.index, entry.hidden.as_slice())).collect());
        let events = check.list(&self.events, listed.as_deref(), Subject::Event);
        let listed: Option<Vec<Listed<'_>>> =
            case.as_ref().map(|case| case.access.listed.iter().map(|asked| (asked.index, asked.hidden.as_slice())).collect());
        let access = check.list(&self.access, listed.as_deref(), Subject::Access);
        if access.iter().any(|searched| searched.index.0 >= self.record.proof.index.0) {
            check.fault(Subject::Record, EvidenceWrong::Later);
        }
        match (case, made, checkpoint) {
            (Some(case), Some(made), Some(checkpoint)) if check.faults.is_empty() => {
                Ok(VerifiedEvidence { case, made, checkpoint, events, access, rotations })
            }
            _ => Err(check.faults),
        }
    }
}

impl Check<'_> {
    fn fault(&mut self, subject: Subject, why: impl Into<EvidenceWrong>) {
        self.faults.push(Fault { subject, why: why.into() });
    }

    fn noted<T>(&mut self, subject: Subject, result: Result<T, impl Into<EvidenceWrong>>) -> Option<T> {
        result.map_err(|why| self.fault(subject, why)).ok()
    }

    /// One event file. Without keys there is nothing to say of it that the keys have not said.
    fn event(&mut self, subject: Subject, file: &EventFile) -> Option<VerifiedEvent> {
        if file.proof.checkpoint != self.file.checkpoint {
            self.fault(subject, EvidenceWrong::OtherCheckpoint);
            return None;
        }
        let verified = self.chain.as_ref().map(|chain| file.verify_in(chain))?;
        self.noted(subject, verified)
    }

    fn list(&mut self, files: &[EventFile], listed: Option<&[Listed<'_>]>, subject: impl Fn(u64) -> Subject) -> Vec<VerifiedEvent> {
        let mut verified = Vec::new();
        for (nth, file) in files.iter().enumerate() {
            let index = file.proof.index.0;
            let said = listed.and_then(|listed| listed.get(nth));
            if let Some((listed, _)) = said.filter(|(listed, _)| *listed != index) {
                self.fault(subject(index), EvidenceWrong::Listed { listed: *listed });
            }
            let found = self.event(subject(index), file);
            let is_as_said =
                |event: &VerifiedEvent, hidden: &[u64]| event.hidden.iter().map(|part| *part as u64).eq(hidden.iter().copied());
            if let (Some(event), Some((_, hidden))) = (&found, said)
                && !is_as_said(event, hidden)
            {
                self.fault(subject(index), EvidenceWrong::Hidden);
            }
            verified.extend(found);
        }
        if let Some(listed) = listed.map(<[Listed<'_>]>::len).filter(|listed| *listed != files.len()) {
            self.fault(Subject::Case, EvidenceWrong::Count { listed, shown: files.len() });
        }
        verified
    }
}

/// What the record of the case says, if it is one and says the same as the case.
fn made(file: &EvidenceFile, record: &VerifiedEvent, case: Option<&Case>) -> Result<Made, EvidenceWrong> {
    let own = record.leaf.kind == Kind::Record && record.leaf.source == 0;
    let raw = file.record.raw().filter(|_| own).ok_or(EvidenceWrong::NotARecord)?;
    let Ok(Value::Object(members)) = canonical_json::parse_canonical(&raw) else { return Err(EvidenceWrong::NotARecord) };
    let member = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| value);
    if member("record") != Some(&"evidence".into()) {
        return Err(EvidenceWrong::NotARecord);
    }
    let Some(Value::String(by)) = member("by") else { return Err(EvidenceWrong::NotARecord) };
    if member("case") != Some(&case_hash(&file.case).into()) {
        return Err(EvidenceWrong::OtherCase("the hash of its text"));
    }
    if let Some(case) = case {
        let said = [
            ("the search line", "query", Value::from(case.query.as_str())),
            ("the number of entries", "hits", Value::from(case.entries.len() as u64)),
            ("the size of the tree", "size", Value::from(case.size)),
        ];
        if let Some((what, ..)) = said.into_iter().find(|(_, name, value)| member(name) != Some(value)) {
            return Err(EvidenceWrong::OtherCase(what));
        }
        if case.size > record.index.0 {
            return Err(EvidenceWrong::Later);
        }
    }
    Ok(Made { index: record.index.0, by: by.clone(), at_ms: record.leaf.received_at })
}
