//! Who asked for some entries before: the log's records of searches, questions about identities, exports,
//! forwards, followers and evidence, each line held against the entries.

use std::time::{Duration, Instant};

use evidence::case::{Access, Asked};
use serde_json::Value;

use crate::api::evidence::EvidenceError;
use crate::search::document::Document;
use crate::search::matcher::Matcher;
use crate::search::{Ask, Budget, Index, Order, parse, search};
use crate::source::directory::Directory;
use crate::store::read::StoredEntry;
use crate::store::trail::Trail;

/// Records that are held against the entries, newest first.
const RECORDS_MAX: usize = 2_000;
/// Raw bytes of them: a search line has at most 8 KiB.
const RECORDS_BYTES_MAX: usize = 8 << 20;
/// Records that the file lists. More is what a report is for.
const LISTED_MAX: usize = 100;
/// Time for it: the evidence itself is what was asked for.
const TIME: Duration = Duration::from_secs(10);
/// Records of what somebody was shown: each has the line, and which entries it was about.
const SHOWN: &str = "search OR who OR routine OR evidence OR export OR tail.ended OR forward.sent";

/// Who asked for `documents`, the first of which stands at `from`, as far as the log has records, and those records.
pub fn access(
    trail: &Trail,
    index: &Index,
    directory: &Directory,
    (documents, from): (&[(u64, Document<'_>)], u64),
    now_ms: u64,
) -> Result<(Access, Vec<StoredEntry>), EvidenceError> {
    let line = format!("entry:record action:({SHOWN}) index:>={from}");
    let budget = Budget { hits: RECORDS_MAX, bytes: RECORDS_BYTES_MAX, time: TIME, entries: u64::MAX };
    let ask = Ask { query: parse(&line)?, order: Order::Newest, cursor: None, now_ms, budget };
    let began = Instant::now();
    // A search before this one is in the history, although its record waits for the next batch.
    index.write_notes(trail);
    let found = search(trail, index, directory, &ask)?;
    let mut access = Access {
        from,
        searches: found.hits.len() as u64,
        complete: found.next.is_none() && found.unreadable.is_empty(),
        ..Access::default()
    };
    let mut listed = Vec::new();
    for record in found.hits {
        if began.elapsed() > 2 * TIME {
            access.complete = false;
            break;
        }
        let Some(matches) = matches(&record, documents) else {
            // Of a line that this version does not understand nobody knows whom it was about.
            access.complete = false;
            continue;
        };
        if matches == 0 {
            continue;
        }
        access.concerning += 1;
        if listed.len() < LISTED_MAX {
            access.listed.push(Asked { index: record.index, matches, hidden: Vec::new() });
            listed.push(record);
        }
    }
    access.listed.reverse();
    listed.reverse();
    Ok((access, listed))
}

/// How many of the documents the line of a recorded search matches among the entries it was
/// about: those below the size of the log, or a range. Nothing of a line that this version does not understand.
fn matches(record: &StoredEntry, documents: &[(u64, Document<'_>)]) -> Option<u64> {
    let value: Value = serde_json::from_slice(&record.raw).ok()?;
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let line = value.get("query")?.as_str()?;
    let range = number("from").unwrap_or_default()..number("to").or_else(|| number("size"))?;
    let matcher = Matcher::new(&parse(line).ok()?, i64::try_from(record.leaf.received_at).unwrap_or(i64::MAX));
    let matching = documents.iter().filter(|(index, document)| range.contains(index) && matcher.matches(document)).count();
    Some(matching as u64)
}
