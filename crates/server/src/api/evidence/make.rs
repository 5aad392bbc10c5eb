//! Makes an evidence file: finds the entries, hides what is to be hidden, has the log record the case,
//! and proves everything against the checkpoint that covers that record.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use evidence::case::{self, Case, CaseEntry, Covered, Gap, Retention, case_hash};
use evidence::event_file::{EventFile, Part};
use evidence::evidence_file::EvidenceFile;
use evidence::leaf::Kind;

use crate::api::evidence::EvidenceError;
use crate::api::evidence::access::access;
use crate::api::evidence::hidden::Hidden;
use crate::api::evidence::redact::{Redacted, Redaction};
use crate::api::instant::format_rfc3339;
use crate::log::records;
use crate::log::sequencer::{AppendError, Committed, Outcome};
use crate::search::document::{Document, Knowing};
use crate::search::field::Name;
use crate::search::{Ask, Budget, Cursor, Index, Order, Query, search};
use crate::source::directory::Directory;
use crate::store::proofs;
use crate::store::read::StoredEntry;
use crate::store::trail::Trail;

/// Entries in an evidence file. A person reads it: a thousand are many already.
pub const ENTRIES_MAX: usize = 1_000;
/// Raw bytes in it: a browser opens it, and base64 and salts make it half as large again.
pub const BYTES_MAX: usize = 16 << 20;
/// How long the search for them may take; whoever asks over HTTP waits two minutes.
const TIME: Duration = Duration::from_secs(60);
/// Places in which a hidden value still stands that are named.
const REPEATS_NAMED: usize = 5;

/// What is to be made.
#[derive(Clone, Debug)]
pub struct EvidenceAsk {
    /// Which entries.
    pub query: Query,
    /// What to call it; the search line when it is empty.
    pub title: String,
    /// What to hide.
    pub redactions: Vec<Redaction>,
    /// Whether hidden values may stand elsewhere in what is shown.
    pub repeats: bool,
    /// Who asks: the id of a key, or `local`.
    pub by: String,
    /// Now, ms.
    pub now_ms: u64,
}

/// All that a search line describes.
struct Gathered {
    entries: Vec<StoredEntry>,
    size: u64,
    covered: Covered,
}

/// Makes the file, and has the log record it.
///
/// # Errors
/// [`EvidenceError`]; nothing is recorded then, unless it says so.
pub fn make(trail: &Trail, index: &Index, directory: &Directory, ask: &EvidenceAsk) -> Result<EvidenceFile, EvidenceError> {
    let query = ask.query.to_string();
    let title = if ask.title.is_empty() { query.clone() } else { ask.title.clone() };
    let Gathered { entries, size, covered } = gather(trail, index, directory, ask)?;
    let first = entries.first().ok_or(EvidenceError::Nothing)?.index;
    let mut redacted: Vec<Redacted<'_>> = entries.iter().map(Redacted::new).collect();
    hide(&mut redacted, &ask.redactions)?;
    let hidden = Hidden::of(redacted.iter().flat_map(Redacted::hidden_texts))?;
    let hides = !ask.redactions.is_empty();
    if hides {
        // Records of earlier questions may be among the entries themselves.
        let records = redacted.iter_mut().zip(&entries).filter(|(_, entry)| entry.leaf.kind == Kind::Record);
        records.for_each(|(shown, entry)| shown.hide_parts(&telling_parts(entry)));
    }
    if !ask.repeats {
        refuse_repeats(&entries, &redacted, &hidden, &[("search line", &query), ("title", &title)])?;
    }
    let view = trail.view();
    let knowing = index.knowing(directory, &view.state);
    let documents: Vec<_> = entries.iter().map(|entry| (entry.index, Document::new(entry, knowing))).collect();
    let (mut access, asked) = access(trail, index, directory, (&documents, first), ask.now_ms)?;
    if hides {
        access.listed.iter_mut().zip(&asked).for_each(|(listed, asked)| listed.hidden = telling_parts(asked));
    }
    let case = Case {
        title,
        query: query.clone(),
        size,
        covered,
        entries: redacted.iter().zip(&entries).map(|(shown, entry)| case_entry(shown, entry.index, knowing)).collect(),
        redacted: ask.redactions.iter().map(ToString::to_string).collect(),
        retention: retention(&entries, knowing),
        access,
    };
    let text = case.to_text();
    let record = records::evidence(&ask.by, &query, case.entries.len() as u64, size, &case_hash(&text));
    let committed = trail.log().record_blocking(&record)?;
    prove(trail, (&case, text), &committed, (&entries, &asked))
}

fn gather(trail: &Trail, index: &Index, directory: &Directory, ask: &EvidenceAsk) -> Result<Gathered, EvidenceError> {
    let began = Instant::now();
    let mut gathered = Gathered { entries: Vec::new(), size: 0, covered: Covered { from: 0, to: 0, unreadable: Vec::new() } };
    let (mut bytes, mut cursor): (usize, Option<Cursor>) = (0, None);
    loop {
        let time = TIME.saturating_sub(began.elapsed());
        if time.is_zero() {
            return Err(EvidenceError::TooSlow);
        }
        let budget = Budget { hits: ENTRIES_MAX + 1 - gathered.entries.len(), bytes: BYTES_MAX + 1 - bytes, time, entries: u64::MAX };
        let found =
            search(trail, index, directory, &Ask { query: ask.query.clone(), order: Order::Oldest, cursor, now_ms: ask.now_ms, budget })?;
        bytes += found.hits.iter().map(|hit| hit.raw.len()).sum::<usize>();
        gathered.entries.extend(found.hits);
        gathered.size = found.size;
        gathered.covered.to = found.range.end;
        let gap = |gap: crate::search::Unreadable| Gap { first: gap.first, last: gap.end.saturating_sub(1), why: gap.why };
        gathered.covered.unreadable.extend(found.unreadable.into_iter().map(gap));
        if gathered.entries.len() > ENTRIES_MAX {
            return Err(EvidenceError::TooMany);
        }
        if bytes > BYTES_MAX {
            return Err(EvidenceError::TooLarge);
        }
        match found.next {
            Some(next) => cursor = Some(next),
            None => return Ok(gathered),
        }
    }
}

/// A redaction that hides nothing is a mistake that would show what was to be hidden.
fn hide(entries: &mut [Redacted<'_>], redactions: &[Redaction]) -> Result<(), EvidenceError> {
    for redaction in redactions {
        // All of them, not up to the first.
        let hits = entries.iter_mut().map(|entry| entry.hide(redaction)).filter(|hit| *hit).count();
        if hits == 0 {
            return Err(EvidenceError::HidesNothing(redaction.to_string()));
        }
    }
    Ok(())
}

fn refuse_repeats(entries: &[StoredEntry], redacted: &[Redacted<'_>], hidden: &Hidden, said: &[(&str, &str)]) -> Result<(), EvidenceError> {
    let in_entries = redacted
        .iter()
        .zip(entries)
        .flat_map(|(shown, entry)| shown.repeats(hidden).into_iter().map(|part| format!("part #{part} of entry {}", entry.index)));
    let in_text = said.iter().filter(|(_, text)| hidden.is_told_by(text)).map(|(name, _)| format!("the {name}"));
    let places: Vec<String> = in_text.chain(in_entries).collect();
    if places.is_empty() {
        return Ok(());
    }
    let more = places.len().saturating_sub(REPEATS_NAMED);
    let more = if more > 0 { format!(" and {more} more places") } else { String::new() };
    Err(EvidenceError::Repeats(format!("{}{more}", places.into_iter().take(REPEATS_NAMED).collect::<Vec<_>>().join(", "))))
}

/// What is made of an entry, from nothing but what is shown of it.
fn case_entry(shown: &Redacted<'_>, index: u64, knowing: Knowing<'_>) -> CaseEntry {
    let masked = shown.masked();
    let document = Document::new(&masked, knowing);
    let time = u64::try_from(document.time_ms()).ok().map(format_rfc3339);
    let named = [
        ("actor", document.first(Name::Actor)),
        ("action", document.first(Name::Action)),
        ("outcome", document.first(Name::Outcome)),
        ("ip", document.first(Name::Ip)),
        ("target", document.first(Name::Target).or_else(|| document.first(Name::Resource))),
        ("time", time),
    ];
    let mut summary: Vec<_> = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    summary.sort();
    CaseEntry { index, summary, hidden: shown.hidden_parts() }
}

/// The classes of the entries. There are no policies in this version.
fn retention(entries: &[StoredEntry], knowing: Knowing<'_>) -> Vec<Retention> {
    let classes: BTreeSet<u16> = entries.iter().map(|entry| entry.leaf.class).collect();
    let name = |class: u16| knowing.state.classes.get(&class).map_or("the log's own", String::as_str).to_owned();
    classes.into_iter().map(|class| Retention { class: class.into(), name: name(class), policy: None }).collect()
}

/// Members of a record that say whom or what somebody asked for.
const TELLING: [&[u8]; 4] = [b"\"query\":", b"\"identity\":", b"\"privilege\":", b"\"name\":"];

/// The parts of the record of an earlier question that may tell what is hidden. A line need not spell a value to tell it:
/// `pin:98?654`, a range that begins just before it, another name of the person. So all of them are hidden.
fn telling_parts(asked: &StoredEntry) -> Vec<u64> {
    let tells = |part: &[u8]| TELLING.iter().any(|member| memchr::memmem::find(part, member).is_some());
    (0..).zip(asked.parts()).filter(|(number, part)| *number >= 2 && tells(part)).map(|(number, _)| number).collect()
}

/// All proofs end in one checkpoint, which covers the record of the case.
fn prove(
    trail: &Trail,
    (case, text): (&Case, String),
    committed: &Committed,
    (entries, asked): (&[StoredEntry], &[StoredEntry]),
) -> Result<EvidenceFile, EvidenceError> {
    let view = &committed.view;
    let made = match committed.outcomes.first() {
        Some(Outcome::Kept(made) | Outcome::KeptBeside { index: made, .. }) => *made,
        // The log's own records have no ids, so they repeat nothing.
        _ => return Err(AppendError::Stopped("the log does not say where it keeps the record".into()).into()),
    };
    let shown = |(entry, hidden): (&StoredEntry, &[u64])| {
        let mut file = proofs::entry_file(trail, entry, view)?;
        hide_parts(&mut file, hidden);
        Ok(file)
    };
    let hidden = case.entries.iter().map(|entry| entry.hidden.as_slice());
    let hidden_of_asked = case.access.listed.iter().map(|listed: &case::Asked| listed.hidden.as_slice());
    Ok(EvidenceFile {
        case: text,
        checkpoint: view.note.to_string(),
        events: entries.iter().zip(hidden).map(shown).collect::<Result<_, EvidenceError>>()?,
        record: proofs::entry_file(trail, &trail.reader().entry(made)?, view)?,
        access: asked.iter().zip(hidden_of_asked).map(shown).collect::<Result<_, EvidenceError>>()?,
        vkey: view.state.vkey.clone(),
        keys: proofs::rotation_files(trail, view)?,
    })
}

fn hide_parts(file: &mut EventFile, hidden: &[u64]) {
    for (number, part) in (0..).zip(&mut file.parts) {
        if hidden.contains(&number) {
            *part = Part::hide(part);
        }
    }
}
