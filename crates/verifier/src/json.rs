//! The answer as one line of JSON.

use evidence::VerifiedEvidence;
use evidence::canonical_json::{INTEGER_MAX, Value, to_bytes};
use evidence::event_file::Cuts;

use crate::check::{EvidenceStatement, Fault, Outcome, Shown, Statement};
use crate::{export, plain, utc};

/// The answer for one file; ends with a line break.
pub fn line(file: &str, outcome: &Outcome) -> String {
    let mut members = vec![("file", Value::from(file))];
    match outcome {
        Outcome::Holds(statement) => {
            members.push(("holds", true.into()));
            members.extend(holds(statement));
        }
        Outcome::Evidence(statement) => {
            members.push(("holds", true.into()));
            members.extend(evidence(statement));
        }
        Outcome::Export(statement) => {
            members.push(("holds", true.into()));
            members.extend(export(statement));
        }
        Outcome::Wrong(faults) => {
            members.push(("holds", false.into()));
            let [place, reason] =
                faults.first().map_or([Value::Null, Value::Null], |first| [&first.place, &first.reason].map(|text| text.as_str().into()));
            members.extend([("place", place), ("reason", reason), ("wrong", faults.iter().map(wrong).collect())]);
        }
        Outcome::Unreadable(why) => members.extend([("holds", Value::Null), ("reason", why.as_str().into())]),
    }
    let object = Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    format!("{}\n", plain::json(&String::from_utf8_lossy(&to_bytes(&object))))
}

fn wrong(fault: &Fault) -> Value {
    let members = [("place", &fault.place), ("reason", &fault.reason)];
    Value::Object(members.into_iter().map(|(name, text)| (name.to_owned(), text.as_str().into())).collect())
}

fn evidence(statement: &EvidenceStatement) -> Vec<(&'static str, Value)> {
    let EvidenceStatement { evidence: VerifiedEvidence { case, made, checkpoint, rotations, .. }, pinned, in_page } = statement;
    let members = |index: u64, parts: &[u64]| {
        [("index".to_owned(), number(index)), ("parts".to_owned(), parts.iter().copied().map(number).collect())]
    };
    let hidden = case.entries.iter().filter(|entry| !entry.hidden.is_empty());
    let hidden = hidden.map(|entry| Value::Object(members(entry.index, &entry.hidden).into()));
    vec![
        ("type", if *in_page { "evidence in a page" } else { "evidence" }.into()),
        ("title", case.title.as_str().into()),
        ("query", case.query.as_str().into()),
        ("entries", case.entries.iter().map(|entry| number(entry.index)).collect()),
        ("hidden", hidden.collect()),
        ("complete", case.covered.unreadable.is_empty().into()),
        ("searched_size", number(case.size)),
        ("made_by", made.by.as_str().into()),
        ("made_at", number(made.at_ms)),
        ("made_at_utc", utc::format(made.at_ms).into()),
        ("recorded_at_index", number(made.index)),
        ("origin", checkpoint.checkpoint.origin.as_str().into()),
        ("size", number(checkpoint.checkpoint.size.0)),
        ("root", checkpoint.checkpoint.root.to_string().into()),
        ("key", checkpoint.key.to_string().into()),
        ("pinned", pinned.to_string().into()),
        ("rotations", number(*rotations as u64)),
    ]
}

fn export(statement: &export::Statement) -> Vec<(&'static str, Value)> {
    let export::Statement { query, encoding, checkpoint, pinned, rotations, count, lines, complete, files } = statement;
    let range = lines.as_ref().and_then(|lines| lines.range);
    vec![
        ("type", "export".into()),
        ("encoding", encoding.as_str().into()),
        ("query", query.as_str().into()),
        ("count", number(*count)),
        ("first", range.map_or(Value::Null, |(first, _)| number(first))),
        ("last", range.map_or(Value::Null, |(_, last)| number(last))),
        ("lines_proved", lines.is_some().into()),
        ("complete", (*complete).into()),
        ("files", files.iter().map(|name| Value::from(name.as_str())).collect()),
        ("origin", checkpoint.checkpoint.origin.as_str().into()),
        ("size", number(checkpoint.checkpoint.size.0)),
        ("root", checkpoint.checkpoint.root.to_string().into()),
        ("key", checkpoint.key.to_string().into()),
        ("pinned", pinned.to_string().into()),
        ("rotations", number(*rotations as u64)),
    ]
}

fn holds(statement: &Statement) -> Vec<(&'static str, Value)> {
    let Statement { index, leaf, checkpoint, pinned, rotations, shown, raw } = statement;
    let mut members = vec![
        ("index", number(index.0)),
        ("kind", leaf.kind.word().into()),
        ("source", leaf.source.into()),
        ("class", u32::from(leaf.class).into()),
        ("received_at", number(leaf.received_at)),
        ("received_at_utc", utc::format(leaf.received_at).into()),
        ("origin", checkpoint.checkpoint.origin.as_str().into()),
        ("size", number(checkpoint.checkpoint.size.0)),
        ("root", checkpoint.checkpoint.root.to_string().into()),
        ("key", checkpoint.key.to_string().into()),
        ("pinned", pinned.to_string().into()),
        ("rotations", number(*rotations as u64)),
        ("raw", raw.map_or(Value::Null, |_| true.into())),
    ];
    match shown {
        Shown::Event { source_name, parts, hidden, cuts, act } => members.extend([
            ("type", "event file".into()),
            ("source_name", source_name.clone().into()),
            ("parts", number(*parts as u64)),
            ("hidden", hidden.iter().map(|part| number(*part as u64)).collect()),
            ("cuts", cuts_word(*cuts).into()),
            ("act", act.as_ref().filter(|(_, authority)| *authority).map(|(name, _)| name.as_str()).into()),
        ]),
        Shown::Receipt { with_salt } => members.extend([("type", "receipt".into()), ("salt", (*with_salt).into())]),
    }
    members
}

const fn cuts_word(cuts: Cuts) -> &'static str {
    match cuts {
        Cuts::Recomputed => "recomputed",
        Cuts::Unknown => "unknown",
        Cuts::NotCut => "not cut",
    }
}

/// Beyond 2^53 as a string: JSON readers would round it.
fn number(number: u64) -> Value {
    if number <= INTEGER_MAX { number.into() } else { number.to_string().into() }
}
