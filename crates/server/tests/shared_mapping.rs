//! What the maps say of real records, beside what other projects' parsers said of them. Needs the
//! samples: `INDELIBLE_SHARED` names the directory that holds them.
//!
//! Those parsers are sometimes wrong, so a disagreement is not an error, but it must have been looked
//! at: `docs/mapping-review.md` names each by its sample's id.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use indelible::intake::{Media, decode};
use indelible::source::explain::{Explanation, explain};
use indelible::source::function::address;
use indelible::source::{Catalog, time};
use serde_json::Value;

/// The same time for all: a syslog line has no year, and its samples are from no particular one.
const RECEIVED_AT: i64 = 1_767_225_600_000;

#[derive(Default)]
struct Score {
    agree: usize,
    of: usize,
}

#[derive(Default)]
struct Tally {
    scores: BTreeMap<&'static str, Score>,
    disagreements: Vec<(String, String)>,
}

impl Tally {
    fn count(&mut self, what: &'static str, sample: &str, agrees: bool, detail: impl FnOnce() -> String) {
        let score = self.scores.entry(what).or_default();
        score.of += 1;
        score.agree += usize::from(agrees);
        if !agrees {
            self.disagreements.push((sample.to_owned(), format!("{what}: {}", detail())));
        }
    }

    fn share(&self, what: &str) -> f64 {
        self.scores.get(what).map_or(1.0, |score| score.agree as f64 / score.of.max(1) as f64)
    }
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => members.values().for_each(|value| texts(value, found)),
        Value::Array(elements) => elements.iter().for_each(|value| texts(value, found)),
        Value::String(text) => drop(found.insert(text.to_lowercase())),
        Value::Number(number) => drop(found.insert(number.to_string())),
        _ => {}
    }
}

/// Who the other parser named is named in our actor, or (a sign-in has no other actor) in our user.
fn names_the_actor(ours: &Explanation, theirs: &Value) -> bool {
    let mut named = BTreeSet::new();
    texts(&ours.ocsf["actor"], &mut named);
    texts(&ours.ocsf["user"], &mut named);
    named.extend(ours.reading.identity.0.clone());
    let mut wanted = BTreeSet::new();
    texts(theirs, &mut wanted);
    wanted.is_empty() || wanted.intersection(&named).next().is_some()
}

fn compare(tally: &mut Tally, sample: &str, raw: &str, ours: &Explanation, theirs: &Value) {
    let suspect =
        |field: &str| theirs["derived_or_suspect_fields"].as_array().is_some_and(|fields| fields.iter().any(|known| known == field));
    let reading = &ours.reading;
    // A time that does not stand in the record (the oracle's own time of ingestion) cannot be read from it.
    let stated = theirs["time"].as_str().filter(|text| raw.contains(*text) && !suspect("time"));
    if let Some(expected) = stated.and_then(|text| time::read(text, RECEIVED_AT)) {
        let got = reading.time.as_deref().and_then(|text| time::read(text, RECEIVED_AT));
        tally.count("time", sample, got.is_some_and(|got| (got - expected).abs() <= 1), || {
            format!("{:?}, theirs {}", reading.time, theirs["time"])
        });
    }
    if let Some(action) = theirs["action"].as_str() {
        tally.count("action", sample, reading.action.as_deref() == Some(action), || format!("{:?}, theirs {action}", reading.action));
    }
    if theirs["actor"].is_object() && !suspect("actor") {
        tally
            .count("actor", sample, names_the_actor(ours, &theirs["actor"]), || format!("{:?}, theirs {}", reading.actor, theirs["actor"]));
    }
    // Some samples have `...` where an address was.
    if let Some(expected) = theirs["src_ip"].as_str().filter(|text| address(text).is_some() && !suspect("src_ip")) {
        let canonical = |text: &str| address(text).map_or_else(|| text.to_owned(), |(ip, _)| ip.to_string());
        let agrees = reading.src_ip.as_deref().map(canonical) == Some(canonical(expected));
        tally.count("source address", sample, agrees, || format!("{:?}, theirs {expected}", reading.src_ip));
    }
    // A parser that does not know the outcome says nothing about it.
    if let Some(outcome) = theirs["outcome"].as_str().filter(|outcome| *outcome != "unknown") {
        tally.count("outcome", sample, reading.outcome.eq_ignore_ascii_case(outcome), || format!("{}, theirs {outcome}", reading.outcome));
    }
}

fn score(samples: &Path) -> Tally {
    let catalog = Catalog::built_in();
    let mut tally = Tally::default();
    for source in std::fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(index) = std::fs::read_to_string(source.join("index.ndjson")) else { continue };
        let name = source.file_name().unwrap().to_str().unwrap().to_owned();
        let kind = if name == "ssf_caep_set" { "ssf" } else { &name };
        for row in index.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let (sample, file) = (row["id"].as_str().unwrap(), source.join(row["raw"].as_str().unwrap()));
            let body = std::fs::read(&file).unwrap();
            let media = if file.extension().is_some_and(|ending| ending == "log") { Media::TextPlain } else { Media::Any };
            let decoded = decode(&body, media).unwrap();
            for (nth, event) in decoded.events.iter().enumerate() {
                let ours = explain(&catalog, event.raw(&body), None, RECEIVED_AT);
                tally.count("recognised", sample, ours.kind == kind, || format!("as {}", ours.kind));
                let faults = indelible::ocsf::check(&ours.ocsf);
                assert!(faults.is_empty(), "{sample}: {faults:?}");
                if let Some(expected) = row["expected"].as_str().filter(|_| nth == 0) {
                    let theirs = serde_json::from_slice(&std::fs::read(source.join(expected)).unwrap()).unwrap();
                    compare(&mut tally, sample, &String::from_utf8_lossy(event.raw(&body)), &ours, &theirs);
                }
            }
        }
    }
    tally
}

#[test]
fn real_records_are_read_as_other_parsers_read_them_and_every_disagreement_was_judged() {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        println!("not run: INDELIBLE_SHARED names no directory");
        return;
    };
    let tally = score(&Path::new(&shared).join("samples"));
    for (what, score) in &tally.scores {
        println!("{what}: {} of {}", score.agree, score.of);
    }
    let review = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mapping-review.md")).unwrap();
    let unjudged: Vec<_> = tally
        .disagreements
        .iter()
        .filter(|(sample, _)| {
            // Tables name several samples of a kind by the end of their ids.
            let end = sample.rsplit('-').next().unwrap_or(sample);
            !review.contains(end)
        })
        .collect();
    assert!(unjudged.is_empty(), "not judged in docs/mapping-review.md: {unjudged:#?}");
    for (what, least) in
        [("recognised", 0.98), ("time", 0.99), ("action", 0.98), ("actor", 0.95), ("source address", 0.98), ("outcome", 0.95)]
    {
        assert!(tally.share(what) >= least, "{what}: {:.3}, at least {least}\n{:#?}", tally.share(what), tally.disagreements);
    }
}

/// The short form of the schema says what the framework's own says.
#[test]
fn the_schema_is_the_frameworks() {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        println!("not run: INDELIBLE_SHARED names no directory");
        return;
    };
    let full: Value = serde_json::from_slice(&std::fs::read(Path::new(&shared).join("ocsf/ocsf-iam-subset-1.8.0.json")).unwrap()).unwrap();
    for (name, class) in full["classes"].as_object().unwrap() {
        let ours = &indelible::ocsf::SCHEMA.classes[name];
        assert_eq!(ours.uid, class["class_uid"].as_i64().unwrap(), "{name}");
        same_attributes(name, &ours.attributes, &class["attributes"]);
    }
    for (name, object) in full["objects"].as_object().unwrap() {
        let Some(ours) = indelible::ocsf::SCHEMA.object(name) else { continue };
        same_attributes(name, &ours.attributes, &object["attributes"]);
    }
}

fn same_attributes(of: &str, ours: &BTreeMap<String, indelible::ocsf::Attribute>, full: &Value) {
    let full = full.as_object().unwrap();
    assert_eq!(ours.keys().collect::<Vec<_>>(), full.keys().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>(), "{of}");
    for (name, attribute) in full {
        let ours = &ours[name];
        assert_eq!(ours.is_required(), attribute["requirement"] == "required", "{of}.{name}");
        assert_eq!(ours.is_array(), attribute["is_array"] == true, "{of}.{name}");
        assert_eq!(ours.of, attribute["object_type"].as_str().or(attribute["type"].as_str()).unwrap(), "{of}.{name}");
        let numbers: BTreeMap<String, String> = serde_json::from_value(attribute["enum"].clone()).unwrap_or_default();
        assert_eq!(ours.numbers, numbers, "{of}.{name}");
    }
}
