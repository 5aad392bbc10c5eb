//! The answer in plain sentences.

use evidence::Kind;
use evidence::event_file::Cuts;
use evidence::export::VerifiedExport;
use tlog::{VerifiedCheckpoint, VerifierKey};

use crate::check::{Outcome, Shown, Statement};
use crate::{export, plain, utc};

/// The answer for one file: a headline and indented sentences.
pub fn of(file: &str, outcome: &Outcome) -> String {
    let (headline, sentences) = match outcome {
        Outcome::Holds(statement) => ("holds", holds(statement)),
        Outcome::Export(statement) => ("holds", export(statement)),
        Outcome::Wrong(fault) => ("DOES NOT HOLD", vec![format!("{}: {}.", fault.place, fault.reason)]),
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
            format!("That no other entry matches {query:?} is what the exporting server says: every entry was looked at, or ruled out.")
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
