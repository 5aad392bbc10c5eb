//! Records nobody wrote: every golden sample with members renamed, moved, emptied or of another type,
//! and with bytes changed, still gives one valid OCSF event.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, dead_code, reason = "a test that panics has failed")]

#[path = "corpus/files.rs"]
mod files;
#[path = "../../../fuzz/properties/source.rs"]
mod properties;

use indelible::source::catalog::BUILT_IN;
use indelible::source::golden::raw_of;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::files::corpus;

/// Number of a kind in the catalogue, and one of its samples.
fn sample() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let all: Vec<(u8, Vec<u8>)> = BUILT_IN
        .iter()
        .zip(0_u8..)
        .flat_map(|(kind, number)| kind.samples.lines().filter(|line| !line.trim().is_empty()).map(move |line| (number, raw_of(line))))
        .collect();
    prop::sample::select(all)
}

fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, {"type": "User", "name": "x", "value": 1}, "text"])),
        Just(json!({"name": ["a"], "email": 7, "ip": "not an address", "id": {"x": true}})),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "-",
            "999.1.1.1",
            "::1%eth0",
            "ana@corp.example",
            "CORP\\ana",
            "2024-02-30T25:00:00Z",
            "0x1F",
            "{\"a\":",
            "\u{0}\u{1f}\"\\"
        ])
        .prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ]
}

/// Puts `value` at the place that `at` chooses among all places of a record.
fn replace(record: &mut Value, at: Index, value: Value) {
    fn places(value: &Value) -> usize {
        1 + match value {
            Value::Object(members) => members.values().map(places).sum(),
            Value::Array(elements) => elements.iter().map(places).sum(),
            _ => 0,
        }
    }
    fn put(here: &mut Value, left: &mut usize, value: &Value) -> bool {
        if *left == 0 {
            *here = value.clone();
            return true;
        }
        *left -= 1;
        match here {
            Value::Object(members) => members.values_mut().any(|member| put(member, left, value)),
            Value::Array(elements) => elements.iter_mut().any(|element| put(element, left, value)),
            _ => false,
        }
    }
    let mut left = at.index(places(record));
    put(record, &mut left, &value);
}

fn with_choice(kind: u8, raw: &[u8]) -> Vec<u8> {
    [&[kind], raw].concat()
}

#[test]
fn every_directory_of_the_corpus_keeps_the_properties() {
    corpus("source_directory").iter().for_each(|file| properties::directory(file));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_record_with_other_values_gives_a_valid_event((kind, raw) in sample(), changes in prop::collection::vec((any::<Index>(), values()), 1..5)) {
        if let Ok(mut record) = serde_json::from_slice::<Value>(&raw) {
            changes.into_iter().for_each(|(at, value)| replace(&mut record, at, value));
            properties::map(&with_choice(kind, record.to_string().as_bytes()));
        }
    }

    #[test]
    fn a_record_with_other_bytes_gives_a_valid_event((kind, mut raw) in sample(), at in any::<Index>(), removed in 0_usize..8, new in prop::collection::vec(any::<u8>(), 0..6)) {
        let at = at.index(raw.len() + 1);
        let end = (at + removed).min(raw.len());
        raw.splice(at..end, new);
        properties::map(&with_choice(kind, &raw));
        properties::decoders(&raw);
    }

    #[test]
    fn a_record_of_one_kind_read_as_another_gives_a_valid_event((_, raw) in sample(), other: u8) {
        properties::map(&with_choice(other, &raw));
    }

    #[test]
    fn any_text_gives_a_valid_event(kind: u8, text in r#"([{}\[\]":,<>= \\]|\PC|type=|audit\(|<a>|"a":){0,60}"#) {
        properties::map(&with_choice(kind, text.as_bytes()));
        properties::decoders(text.as_bytes());
    }

    #[test]
    fn a_directory_with_changed_bytes_is_taken_or_refused(mut file in prop::sample::select(corpus("source_directory")), at in any::<Index>(), with in prop::collection::vec(any::<u8>(), 0..4)) {
        let at = at.index(file.len() + 1);
        let end = (at + 2).min(file.len());
        file.splice(at..end, with);
        properties::directory(&file);
    }
}
