//! What the bytes of a record settle, over every golden sample of every map: no value that a map makes of a record is
//! ruled out by the record's bytes.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use evidence::leaf::{Kind, Leaf};
use indelible::search::document::{Document, Knowing};
use indelible::search::field::{Field, Name};
use indelible::search::glance::Glance;
use indelible::search::matcher::Matcher;
use indelible::search::{Index, parse};
use indelible::source::directory::Directory;
use indelible::source::golden::raw_of;
use indelible::store::read::StoredEntry;

use crate::log::Log;

/// Fields whose values are looked for in the bytes.
const COPIED: [Name; 10] = [
    Name::Actor,
    Name::Target,
    Name::Ip,
    Name::Id,
    Name::Session,
    Name::Resource,
    Name::Account,
    Name::Region,
    Name::UserAgent,
    Name::Message,
];

fn entry(source: u32, raw: Vec<u8>) -> StoredEntry {
    let leaf = Leaf { kind: Kind::Event, source, class: 1, received_at: 1_767_225_600_000, commitment: [0; 32] };
    let people = Bytes::from_static(b"{}");
    StoredEntry { index: 0, leaf, salt: [0; 16], facts: people.clone(), people, raw: raw.into(), cuts: Vec::new().into() }
}

#[test]
fn no_value_of_a_golden_sample_is_ruled_out_and_most_others_are() {
    let log = Log::new();
    log.send("x", "okta", &["{}".to_owned()]);
    let mut state = (*log.trail.view().state).clone();
    let (number, directory) = (*state.sources.keys().next().unwrap(), Directory::default());
    let quoted = |value: &str| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let index = Index::none(Arc::clone(&log.catalog));
    let kinds: Vec<_> = log.catalog.kinds().iter().map(|kind| kind.name.clone()).collect();
    let of_kinds = |line: &str, kinds: &[String]| {
        Glance::new(&Matcher::new(&parse(line).unwrap(), 0), &index, &directory, (0..).zip(kinds.iter().map(String::as_str)))
    };
    let nobody = of_kinds("actor:nobody-at-all", &kinds);
    let (mut values, mut records, mut ruled_out) = (0, 0, 0);
    for (nth, kind) in (0..).zip(log.catalog.kinds()) {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources").join(&kind.name).join("samples.ndjson");
        state.sources.get_mut(&number).unwrap().kind.clone_from(&kind.name);
        let knowing = Knowing { catalog: &log.catalog, directory: &directory, state: &state, recent: None };
        // Enough of each: a line is made ready for all maps.
        for line in std::fs::read_to_string(samples).unwrap().lines().filter(|line| !line.trim().is_empty()).take(40) {
            let entry = entry(number, raw_of(line));
            let document = Document::new(&entry, knowing);
            for name in COPIED {
                let mut of_field = Vec::new();
                document.values(&Field::Named(name), &mut |value| {
                    of_field.push(value.to_owned());
                    false
                });
                for value in of_field {
                    let line = format!("{}:{}", name.word(), quoted(&value));
                    if parse(&line).is_ok_and(|query| Matcher::new(&query, 0).matches(&document)) {
                        values += 1;
                        let glance = of_kinds(&line, std::slice::from_ref(&kind.name));
                        assert!(glance.asks_people || glance.may_match(0, &entry.raw, b""), "{} {line}", kind.name);
                        assert!(glance.may_match(0, &entry.raw, &entry.people), "{} {line} {}", kind.name, raw_of_text(&entry));
                    }
                }
            }
            // What is understood of all fields at once is read in another way.
            for raw in
                [entry.raw.to_vec(), [&b"\xef\xbb\xbf"[..], &entry.raw].concat(), [&entry.raw[..], b"\xff"].concat(), enveloped(&entry.raw)]
            {
                let entry = self::entry(number, raw);
                let texts = |document: Document<'_>| {
                    let mut texts = Vec::new();
                    document.texts(&mut |text| {
                        texts.push(text.to_owned());
                        false
                    });
                    texts
                };
                let plain = texts(Document::new(&entry, knowing));
                assert_eq!(texts(Document::new(&entry, knowing).remembering()), plain, "{}", raw_of_text(&entry));
            }
            records += 1;
            ruled_out += usize::from(!nobody.may_match(nth, &entry.raw, &entry.people));
        }
    }
    assert!(values > 4_000, "{values}");
    assert!(ruled_out * 3 > records, "{ruled_out} of {records}");
}

/// A record as a shipper sends it, in a text of its own.
fn enveloped(raw: &[u8]) -> Vec<u8> {
    serde_json::json!({"host": "h", "message": String::from_utf8_lossy(raw)}).to_string().into()
}

fn raw_of_text(entry: &StoredEntry) -> String {
    String::from_utf8_lossy(&entry.raw).into_owned()
}
