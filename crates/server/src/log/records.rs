//! Records that the log writes about itself: raw JSON of entries of kind *record*.

use evidence::canonical_json::{self, Value};
use evidence::envelope::Facts;

/// Part 0 of the log's own entries.
#[must_use]
pub fn own_facts() -> Vec<u8> {
    Facts::new("indelible", "internal").to_bytes()
}

/// Part 0 with the index of an earlier entry that has the same record id and other bytes.
#[must_use]
pub fn facts_beside(facts: &[u8], earlier: u64) -> Vec<u8> {
    match Facts::parse(facts) {
        Ok(facts) => Facts { conflict: Some(earlier), ..facts }.to_bytes(),
        // Facts are made by this program; if they do not parse they are kept as they are.
        Err(_) => facts.to_vec(),
    }
}

fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

/// A record of that name: `v`, `record` and the members, in any order, as canonical JSON.
#[must_use]
pub fn record(name: &str, members: Vec<(&str, Value)>) -> Vec<u8> {
    let own = [("v", number(1)), ("record", text(name))];
    let all = own.into_iter().chain(members).map(|(name, value)| (name.to_owned(), value));
    canonical_json::to_bytes(&Value::Object(all.collect()))
}

/// The clock stepped back: receive times are held at `held` (ms) until it catches up.
#[must_use]
pub fn clock_stepped_back(now: u64, held: u64) -> Vec<u8> {
    record("clock.stepped_back", vec![("clock", number(now)), ("held", number(held))])
}

/// A restart found a torn last frame and dropped it: nothing in it had been promised.
#[must_use]
pub fn tail_dropped(bytes: u64, sha256: &str) -> Vec<u8> {
    record("log.tail_dropped", vec![("bytes", number(bytes)), ("sha256", text(sha256))])
}

/// Input was refused, `count` times within the minute that began at `minute` (ms).
#[must_use]
pub fn input_refused(source: &str, reason: &str, count: u64, minute: u64) -> Vec<u8> {
    let members = vec![("source", text(source)), ("reason", text(reason)), ("count", number(count)), ("minute", number(minute))];
    record("input.refused", members)
}

/// Input came in by a door and was lost, `count` times within the minute that began at `minute` (ms):
/// nobody could be told.
#[must_use]
pub fn door_lost(door: &str, source: &str, reason: &str, count: u64, minute: u64) -> Vec<u8> {
    let members = vec![
        ("door", text(door)),
        ("source", text(source)),
        ("reason", text(reason)),
        ("count", number(count)),
        ("minute", number(minute)),
    ];
    record("door.lost", members)
}

/// Somebody searched: the key's id, the search line, matches in the first answer, and the size it covered.
#[must_use]
pub fn search(by: &str, query: &str, hits: u64, size: u64) -> Vec<u8> {
    record("search", vec![("by", text(by)), ("query", text(query)), ("hits", number(hits)), ("size", number(size))])
}

/// Somebody began an export of everything a search line describes.
#[must_use]
pub fn export_begun(by: &str, query: &str, encoding: &str, size: u64) -> Vec<u8> {
    let members = vec![("by", text(by)), ("query", text(query)), ("format", text(encoding)), ("size", number(size))];
    record("export.begun", members)
}

/// Somebody was given so many entries of a range, as a file or a page of one.
#[must_use]
pub fn export(by: &str, query: &str, encoding: &str, (from, to): (u64, u64), size: u64, hits: u64) -> Vec<u8> {
    let what = vec![("by", text(by)), ("query", text(query)), ("format", text(encoding))];
    let much = vec![("from", number(from)), ("to", number(to)), ("size", number(size)), ("hits", number(hits))];
    record("export", what.into_iter().chain(much).collect())
}

/// Somebody was given a file of the lake, or bytes of it: its name, and the range of its entries.
#[must_use]
pub fn lake_read(by: &str, file: &str, (first, last): (u64, u64)) -> Vec<u8> {
    record("lake.read", vec![("by", text(by)), ("file", text(file)), ("first", number(first)), ("last", number(last))])
}

/// A forward sent so many entries of a range, since it last said so.
#[must_use]
pub fn forwarded(name: &str, query: &str, (from, to): (u64, u64), sent: u64) -> Vec<u8> {
    let members = vec![("name", text(name)), ("query", text(query)), ("from", number(from)), ("to", number(to)), ("sent", number(sent))];
    record("forward.sent", members)
}

/// Somebody began to follow the log with a search line, from an index on.
#[must_use]
pub fn tail_begun(by: &str, query: &str, from: u64) -> Vec<u8> {
    record("tail.begun", vec![("by", text(by)), ("query", text(query)), ("from", number(from))])
}

/// Somebody stopped: entries from … to (excluded) were looked at, and so many shown.
#[must_use]
pub fn tail_ended(by: &str, query: &str, from: u64, to: u64, hits: u64) -> Vec<u8> {
    let members = vec![("by", text(by)), ("query", text(query)), ("from", number(from)), ("to", number(to)), ("hits", number(hits))];
    record("tail.ended", members)
}

/// What search derived of a payload file said something else than the file: answers over `first..end` may have
/// missed entries until now.
#[must_use]
pub fn index_differs(file: &str, first: u64, end: u64) -> Vec<u8> {
    differs("index.differs", file, first, end)
}

/// What engines read of a payload file said something else than the file: what they answered over `first..end` may have
/// been wrong until now.
#[must_use]
pub fn lake_differs(file: &str, first: u64, end: u64) -> Vec<u8> {
    differs("lake.differs", file, first, end)
}

fn differs(what: &str, file: &str, first: u64, end: u64) -> Vec<u8> {
    record(what, vec![("file", text(file)), ("first", number(first)), ("end", number(end))])
}

/// Somebody asked what an identity did, or with `privilege` how it came by that: the line of the events in the
/// answer, how many, and the size it covered.
#[must_use]
pub fn who(by: &str, identity: &str, privilege: Option<&str>, query: &str, hits: u64, size: u64) -> Vec<u8> {
    let what = privilege.map(|privilege| ("privilege", text(privilege)));
    let about = [("by", text(by)), ("identity", text(identity)), ("query", text(query))];
    let much = [("hits", number(hits)), ("size", number(size))];
    record("who", about.into_iter().chain(much).chain(what).collect())
}

/// Somebody asked whether an event is routine, and so saw it.
#[must_use]
pub fn routine(by: &str, index: u64, size: u64) -> Vec<u8> {
    let query = format!("index:{index}");
    record("routine", vec![("by", text(by)), ("query", text(&query)), ("hits", number(1)), ("size", number(size))])
}

/// Files that no act names were removed at a restart.
#[must_use]
pub fn leftovers_removed(count: u64) -> Vec<u8> {
    record("log.leftovers_removed", vec![("count", number(count))])
}

/// Somebody made evidence: as of a search, and SHA-256 of the case in hexadecimal.
#[must_use]
pub fn evidence(by: &str, query: &str, hits: u64, size: u64, case: &str) -> Vec<u8> {
    let members = vec![("by", text(by)), ("query", text(query)), ("hits", number(hits)), ("size", number(size)), ("case", text(case))];
    record("evidence", members)
}
