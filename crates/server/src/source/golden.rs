//! Golden pairs: the records of `samples.ndjson` and what the map must make of them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::ocsf;
use crate::source::catalog::Catalog;
use crate::source::map::Scratch;

/// Golden pairs are mapped as if they came at this time (2026-01-01): a year that syslog leaves out
/// must not depend on when the test runs.
pub const RECEIVED_AT: i64 = 1_767_225_600_000;

/// What a map made of one sample.
#[derive(Debug, Clone)]
pub struct Case {
    /// Line of the sample, from 1.
    pub line: usize,
    /// The result, as in `expected.ndjson`.
    pub result: Value,
    /// What is wrong with it: differences from the expected one, and faults of the schema.
    pub faults: Vec<String>,
}

/// The raw record that a line of `samples.ndjson` stands for.
#[must_use]
pub fn raw_of(line: &str) -> Vec<u8> {
    serde_json::from_str::<String>(line).unwrap_or_else(|_| line.to_owned()).into_bytes()
}

/// Maps one record as a golden pair has it.
#[must_use]
pub fn result(catalog: &Catalog, raw: &[u8], scratch: &mut Scratch) -> Value {
    let recognised = catalog.recognise(raw);
    let kind = recognised.as_ref().map(|found| found.kind.name.clone());
    let mapped = catalog.map(raw, kind.as_deref(), RECEIVED_AT, scratch);
    let mut identity = Map::new();
    for (name, value) in [("actor", mapped.actor), ("target", mapped.target)] {
        if let Some(value) = value {
            identity.insert(name.into(), value.into());
        }
    }
    let ocsf: Value = serde_json::from_slice(&mapped.ocsf).unwrap_or(Value::Null);
    json!({
        "kind": kind.unwrap_or_else(|| "unknown".into()),
        "certainty": recognised.map_or(0, |found| found.certainty),
        "identity": identity,
        "ocsf": ocsf,
    })
}

/// Runs all pairs of a kind; `expected` may have fewer lines than there are samples.
#[must_use]
pub fn run(catalog: &Catalog, kind: &str, samples: &str, expected: &str) -> Vec<Case> {
    let mut scratch = Scratch::default();
    let mut expected = expected.lines().filter(|line| !line.trim().is_empty());
    let mut cases = Vec::new();
    for (nth, line) in samples.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let result = result(catalog, &raw_of(line), &mut scratch);
        let mut faults = Vec::new();
        match expected.next().map(serde_json::from_str::<Value>) {
            None => faults.push("there is no expected line for this sample: look at the result, then run with --bless".into()),
            Some(Err(why)) => faults.push(format!("the expected line is not JSON: {why}")),
            Some(Ok(expected)) => differences("", &expected, &result, &mut faults),
        }
        if result.get("kind").and_then(Value::as_str) != Some(kind) {
            faults.push(format!("recognised as {}, not as {kind}", result.get("kind").unwrap_or(&Value::Null)));
        }
        let event = result.get("ocsf").unwrap_or(&Value::Null);
        faults.extend(ocsf::check(event).iter().map(|fault| format!("not valid OCSF: {fault}")));
        cases.push(Case { line: nth + 1, result, faults });
    }
    if let Some(extra) = expected.next() {
        let line = cases.len() + 1;
        cases.push(Case {
            line,
            result: Value::Null,
            faults: vec![format!("expected.ndjson has more lines than samples.ndjson: {extra}")],
        });
    }
    cases
}

/// `expected.ndjson` for what the map makes now.
#[must_use]
pub fn blessed(cases: &[Case]) -> String {
    cases.iter().filter(|case| !case.result.is_null()).fold(String::new(), |mut out, case| {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", case.result);
        out
    })
}

/// Differences, one line each: `ocsf.user.name: expected "a", got "b"`.
fn differences(at: &str, expected: &Value, got: &Value, found: &mut Vec<String>) {
    let under = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected {
                match got.get(name) {
                    Some(other) => differences(&under(name), value, other, found),
                    None => found.push(format!("{}: expected {value}, got nothing", under(name))),
                }
            }
            for (name, value) in got.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                found.push(format!("{}: expected nothing, got {value}", under(name)));
            }
        }
        (expected, got) if expected == got => {}
        (expected, got) => found.push(format!("{at}: expected {expected}, got {got}")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::source::catalog::BUILT_IN;

    #[test]
    fn golden_pairs_hold() {
        let catalog = Catalog::built_in();
        let mut wrong = Vec::new();
        for built_in in BUILT_IN {
            for case in run(&catalog, built_in.kind, built_in.samples, built_in.expected) {
                wrong.extend(case.faults.iter().map(|fault| format!("{} line {}: {fault}", built_in.kind, case.line)));
            }
        }
        assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
    }

    #[test]
    fn differences_name_their_place() {
        let mut found = Vec::new();
        differences("", &json!({"a": {"b": 1}, "c": 2}), &json!({"a": {"b": 3}, "d": []}), &mut found);
        assert_eq!(found, ["a.b: expected 1, got 3", "c: expected 2, got nothing", "d: expected nothing, got []"]);
    }
}
