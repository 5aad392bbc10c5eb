//! The answer in plain sentences.

use evidence::case::Covered;
use evidence::event_file::Cuts;
use evidence::export::VerifiedExport;
use evidence::{Kind, VerifiedEvidence};
use tlog::{VerifiedCheckpoint, VerifierKey};

use crate::check::{EvidenceStatement, Outcome, Shown, Statement};
use crate::{export, plain, utc};

/// Entries of a file that are named one by one.
const ENTRIES_NAMED: usize = 20;

/// The answer for one file: a headline and indented sentences.
pub fn of(file: &str, outcome: &Outcome) -> String {
    let (headline, sentences) = match outcome {
        Outcome::Holds(statement) => ("holds", holds(statement)),
        Outcome::Evidence(statement) => ("holds", evidence(statement)),
        Outcome::Export(statement) => ("holds", export(statement)),
        Outcome::Wrong(faults) => ("DOES NOT HOLD", faults.iter().map(|fault| format!("{}: {}.", fault.place, fault.reason)).collect()),
        Outcome::Unreadable(why) => ("could not be checked", vec![format!("{why}.")]),
    };
    let mut text = format!("{}: {headline}\n", plain::line(file));
    for sentence in sentences {
        text.push_str("  ");
        text.push_str(&plain::line(&sentence));
        text.push('\n');
    }
    text
}

fn export(statement: &export::Statement) -> Vec<String> {
    let export::Statement { query, encoding, checkpoint, pinned, rotations, count, lines, complete, files } = statement;
    let checkpoint_of = &checkpoint.checkpoint;
    let mut sentences = vec![match lines {
        Some(VerifiedExport { range: Some((first, last)), .. }) => format!(
            "All {count} lines are entries of the log {}, in its order, with every byte that it committed to; they lie from {first} to {last}.",
            checkpoint_of.origin
        ),
        Some(_) => format!("There are no lines; the tree of the log {} is the one the manifest describes.", checkpoint_of.origin),
        None => format!(
            "The {count} entries as {encoding} are in {} unchanged since the manifest was written; that they are entries of the log is not \
             proved by this format, but by a receipt of each (indelible receipt INDEX), or by an export as ndjson.",
            files.join(", ")
        ),
    }];
    sentences.push(match (checkpoint_of.size.0 == *count && lines.is_some(), complete) {
        (true, _) => "That is every entry of the log: none is missing.".into(),
        (false, true) => {
            format!(
                "That no other entry matches {query:?} is what the manifest says, which nobody signed: every entry was looked at, or ruled \
                 out. Who takes a line out and writes the manifest anew is not found out by this."
            )
        }
        (false, false) => format!("Some entries could not be read (the manifest lists them): others may match {query:?}."),
    });
    if lines.is_some() {
        sentences.push("Members beside index, raw and evidence are derived from these, and are not proved.".into());
    }
    sentences.extend(signed(checkpoint, pinned, *rotations, "They are"));
    sentences
}

fn holds(statement: &Statement) -> Vec<String> {
    let Statement { index, leaf, checkpoint, pinned, rotations, shown, raw } = statement;
    let origin = &checkpoint.checkpoint.origin;
    let article = if leaf.kind == Kind::Record { "a" } else { "an" };
    let mut sentences = vec![
        format!("Entry {index} of the log {origin} is {article} {}{}.", leaf.kind.word(), source(statement)),
        format!("The log received it at {} (UTC) and keeps it under retention class {}.", utc::format(leaf.received_at), leaf.class),
    ];
    match shown {
        Shown::Event { parts, hidden, cuts, act, .. } => sentences.extend(payload(*parts, hidden, *cuts, act.as_ref())),
        Shown::Receipt { with_salt } => sentences.push(match (raw, with_salt) {
            (Some(_), _) => "The receipt carries what leads from the raw bytes to the entry.".into(),
            (None, true) => "The receipt says nothing about the content by itself; with --raw it proves the raw bytes.".into(),
            (None, false) => "The receipt proves the entry, not its content.".into(),
        }),
    }
    if let Some(how) = raw {
        sentences.push(match *how {
            "exactly" => "The bytes of --raw are the ones that were logged.".into(),
            how => format!("The bytes of --raw are, {how}, the ones that were logged."),
        });
    }
    sentences.extend(signed(checkpoint, pinned, *rotations, "It is"));
    sentences
}

fn evidence(statement: &EvidenceStatement) -> Vec<String> {
    let EvidenceStatement { evidence, pinned, in_page } = statement;
    let VerifiedEvidence { case, made, checkpoint, events, access, rotations } = evidence;
    let count = |number: usize, one: &str, many: &str| if number == 1 { format!("1 {one}") } else { format!("{number} {many}") };
    let indexes: Vec<String> = events.iter().take(ENTRIES_NAMED).map(|event| event.index.to_string()).collect();
    let more = if events.len() > ENTRIES_NAMED { ", …" } else { "" };
    let redacted = events.iter().filter(|event| !event.hidden.is_empty()).count();
    let by = if made.by == "local" { "somebody at the log's own machine".to_owned() } else { format!("key {}", made.by) };
    let mut sentences = vec![
        format!(
            "\"{}\": {} of the log {}: {}{more}.",
            case.title,
            count(events.len(), "entry", "entries"),
            checkpoint.checkpoint.origin,
            indexes.join(", ")
        ),
        format!(
            "They are what the log recorded at {} (UTC), as entry {}, as the answer to the search line \"{}\" by {by}.",
            utc::format(made.at_ms),
            made.index,
            case.query
        ),
    ];
    let Covered { from, to, unreadable } = &case.covered;
    sentences.push(format!(
        "The answer covers entries {from} to {} of a log of {}{}.",
        to.saturating_sub(1),
        case.size,
        if unreadable.is_empty() { ", and is complete" } else { "" }
    ));
    sentences.extend(
        unreadable.iter().map(|gap| format!("NOT COMPLETE: entries {} to {} could not be read: {}.", gap.first, gap.last, gap.why)),
    );
    sentences.push(match redacted {
        0 => "Nothing of them is hidden, and every part is what the log committed to.".into(),
        some => format!("Parts of {some} of them are hidden. What is shown is what the log committed to; hidden parts may repeat a name that is shown, with another value."),
    });
    let hidden_of = match access.iter().filter(|asked| !asked.hidden.is_empty()).count() {
        0 => String::new(),
        some => format!(" What was asked for is hidden in {some} of them."),
    };
    let records = count(access.len(), "record", "records");
    sentences.push(format!("{records} of earlier searches for them, which are listed, hold too.{hidden_of}"));
    sentences.extend(signed(checkpoint, pinned, *rotations, "All is"));
    sentences
        .push("Signatures of others beside the log's own, if there are any, were not checked: no witness is known to this version.".into());
    if *in_page {
        sentences.push("The page around the evidence is the genuine one: what it shows is what was checked here.".into());
    }
    sentences
}

fn signed(checkpoint: &VerifiedCheckpoint, pinned: &VerifierKey, rotations: usize, what: &str) -> [String; 2] {
    let (size, root) = (checkpoint.checkpoint.size, checkpoint.checkpoint.root);
    let key = if checkpoint.key != *pinned {
        format!("That key and the one you gave ({pinned}) are joined by the log's {}.", rotation_count(rotations))
    } else if rotations > 0 {
        format!("That is the key you gave, and it was in charge at that size: the log's {} were checked.", rotation_count(rotations))
    } else {
        "That is the key you gave.".into()
    };
    [format!("{what} in the tree of size {size} with the root {root}, whose checkpoint was signed by {}.", checkpoint.key), key]
}

fn rotation_count(rotations: usize) -> String {
    if rotations == 1 { "key rotation (1)".into() } else { format!("key rotations ({rotations})") }
}

fn source(statement: &Statement) -> String {
    let number = statement.leaf.source;
    match &statement.shown {
        _ if number == 0 => " of the log itself".into(),
        Shown::Event { source_name: Some(name), .. } => format!(" of source {number}, \"{name}\""),
        _ => format!(" of source {number}"),
    }
}

fn payload(parts: usize, hidden: &[usize], cuts: Cuts, act: Option<&(String, bool)>) -> Vec<String> {
    let mut sentences = Vec::new();
    if hidden.is_empty() {
        sentences.push(format!("All {parts} parts are shown, and they are the ones the log committed to."));
    } else if hidden.len() == parts {
        sentences.push(format!("All {parts} parts are hidden: only that the entry exists is proved, not what it says."));
    } else {
        let numbers: Vec<String> = hidden.iter().map(|number| part_name(*number)).collect();
        sentences
            .push(format!("Of its {parts} parts these are hidden: {}. What is shown is what the log committed to.", numbers.join(", ")));
    }
    match cuts {
        Cuts::Recomputed => sentences.push("The raw bytes are complete and cut into parts where the format says.".into()),
        Cuts::Unknown => sentences.push("Hidden parts may repeat a name that is shown, with another value.".into()),
        Cuts::NotCut => {}
    }
    match act {
        Some((name, true)) => sentences.push(format!("The act is \"{name}\".")),
        Some((why, false)) => sentences.push(format!("The act has no authority: {why}.")),
        None => {}
    }
    sentences
}

fn part_name(number: usize) -> String {
    match number {
        0 => "0 (plain facts)".into(),
        1 => "1 (facts about people)".into(),
        number => number.to_string(),
    }
}
