//! Which things of an evidence file cannot be read. The strict reader stops at the first one and knows
//! only how many it has read before; whoever is handed the file wants the entry's own number.

use tlog::VerifierKey;

use super::check::{EvidenceWrong, Fault, Subject};
use super::to_safe_bytes;
use crate::canonical_json::{self, Value, to_bytes};
use crate::case::Case;
use crate::event_file::EventFile;

/// Each thing that cannot be read, if the file as a whole is written as such a file is. An entry has the
/// index that the case lists in its place: its own may be what was altered.
pub(super) fn name(bytes: &[u8]) -> Option<Vec<Fault>> {
    let file = canonical_json::parse(bytes).ok().filter(|file| to_safe_bytes(file) == bytes)?;
    let Value::Object(members) = file else { return None };
    let member = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| value);
    let text = |name: &str| member(name).and_then(|value| if let Value::String(text) = value { Some(text.as_str()) } else { None });
    let list = |name: &str| member(name).and_then(|value| if let Value::Array(items) = value { Some(items.as_slice()) } else { None });
    let case = text("case").and_then(|case| Case::parse(case).ok());
    let mut faults = Vec::new();
    let mut read = |subject: Subject, file: &Value| {
        let why = EventFile::parse(&to_bytes(file)).err();
        faults.extend(why.map(|why| Fault { subject, why: EvidenceWrong::Unread(why) }));
    };
    if let Some(case) = &case {
        for (listed, file) in case.entries.iter().zip(list("events")?) {
            read(Subject::Event(listed.index), file);
        }
        for (asked, file) in case.access.listed.iter().zip(list("access")?) {
            read(Subject::Access(asked.index), file);
        }
    }
    read(Subject::Record, member("record")?);
    for file in list("keys")? {
        read(Subject::Checkpoint, file);
    }
    if let Err(why) = text("vkey")?.parse::<VerifierKey>() {
        faults.push(Fault { subject: Subject::Checkpoint, why: EvidenceWrong::Vkey(why) });
    }
    // What is wrong may be something else, such as a list that is none.
    (!faults.is_empty()).then_some(faults)
}
