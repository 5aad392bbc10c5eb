//! A first `map.toml` from samples: what can be told from names and values, for a person to mend.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::source::expression::loosened;
use crate::source::function::{address, is_email};
use crate::source::time;

/// Most paths in a draft: a record with more is drafted from its first ones.
const PATHS_MAX: usize = 400;

#[derive(Default)]
struct Seen {
    count: usize,
    example: String,
    distinct: Vec<String>,
}

/// Words in names that say what a value is, best first.
const ACTION: [&str; 10] = ["eventname", "eventtype", "event", "action", "activity", "operation", "methodname", "type", "name", "verb"];
const TIME: [&str; 9] = ["eventtime", "timestamp", "time", "createdat", "published", "occurredat", "date", "created", "datetime"];
const ID: [&str; 7] = ["eventid", "uuid", "id", "auditid", "uid", "requestid", "insertid"];
const ACTOR: [&str; 8] = ["actoremail", "actorname", "actor", "username", "useremail", "user", "principal", "login"];
const OUTCOME: [&str; 6] = ["outcome", "result", "status", "success", "responsecode", "errorcode"];
const AGENT: [&str; 2] = ["useragent", "ua"];

/// The draft of a kind from its sample records.
#[must_use]
pub fn draft(kind: &str, records: &[Value]) -> String {
    let mut paths: BTreeMap<String, Seen> = BTreeMap::new();
    records.iter().for_each(|record| flatten("", record, &mut paths));
    let pick = |words: &[&str], fits: &dyn Fn(&Seen) -> bool| {
        words.iter().find_map(|word| {
            let named = |path: &&String| loosened(path.rsplit('.').next().unwrap_or(path)) == *word;
            paths.iter().filter(|(path, seen)| named(path) && fits(seen)).map(|(path, _)| path.clone()).min_by_key(String::len)
        })
    };
    let any = |_: &Seen| true;
    let is_time = |seen: &Seen| time::read(&seen.example, 0).is_some();
    let shown = |path: &Option<String>| path.as_ref().map_or_else(|| "[]".to_owned(), |path| format!("[{}]", quoted(path)));
    let action = pick(&ACTION, &any);
    let always: Vec<_> =
        paths.iter().filter(|(path, seen)| seen.count == records.len() && !path.contains('.')).map(|(path, _)| path).take(4).collect();
    let conditions: Vec<_> = always.iter().map(|path| format!("{} = \"*\"", quoted(path))).collect();
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        out,
        "# A first draft from {} samples: check every line, then `indelible source test {kind}`.\n\
         kind = \"{kind}\"\ntitle = \"{kind}\"\nversion = 1\nproduct = {{ name = \"{kind}\" }}\n\n\
         [[recognise]]\ncertainty = 60\nwhen = {{ {} }}\n\n\
         [record]\naction = {}\nid = {}\ntime = {}\n\n[fields]\n",
        records.len(),
        conditions.join(", "),
        shown(&action),
        shown(&pick(&ID, &any)),
        shown(&pick(&TIME, &is_time)),
    );
    let actor = pick(&ACTOR, &any);
    let address_path = paths.iter().find(|(_, seen)| address(&seen.example).is_some()).map(|(path, _)| path.clone());
    let email = paths.iter().find(|(_, seen)| is_email(&seen.example)).map(|(path, _)| path.clone());
    for (attribute, path) in [
        ("actor.user.name", actor),
        ("actor.user.email_addr", email),
        ("src_endpoint.ip", address_path),
        ("http_request.user_agent", pick(&AGENT, &any)),
    ] {
        if let Some(path) = path {
            let _ = writeln!(out, "\"{attribute}\" = {}", quoted(&path));
        }
    }
    out.push_str("\n# Give each of these its class; see docs/SOURCES.md for the classes.\n");
    for value in action.and_then(|path| paths.get(&path)).map(|seen| seen.distinct.clone()).unwrap_or_default() {
        let _ = writeln!(out, "# [[class]]\n# action = [{}]\n# class = \"entity_management\"\n# activity = \"Update\"\n", quoted(&value));
    }
    out.push_str("[default]\nclass = \"api_activity\"\nactivity = \"Other\"\n");
    if let Some((path, seen)) = pick(&OUTCOME, &any).and_then(|path| paths.get_key_value(&path)) {
        for value in &seen.distinct {
            let failed = ["fail", "den", "err", "false"].iter().any(|word| value.to_lowercase().contains(word));
            let status = if failed { "Failure" } else { "Success" };
            let _ = write!(out, "\n[[outcome]]\nwhen = {{ {} = {} }}\nstatus = \"{status}\"\n", quoted(path), quoted(value));
        }
    }
    out.push_str("\n# Members seen and not mapped yet, with an example:\n");
    for (path, seen) in &paths {
        let _ = writeln!(out, "#   {path} = {}", seen.example.chars().take(80).collect::<String>().escape_debug());
    }
    out
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn flatten(at: &str, value: &Value, paths: &mut BTreeMap<String, Seen>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            let name = if name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '@')) {
                name.clone()
            } else {
                format!("\"{name}\"")
            };
            let path = if at.is_empty() { name } else { format!("{at}.{name}") };
            flatten(&path, value, paths);
        }),
        Value::Array(elements) => elements.iter().for_each(|element| flatten(&format!("{at}[*]"), element, paths)),
        Value::Null => {}
        scalar if paths.len() < PATHS_MAX || paths.contains_key(at) => {
            let text = scalar.as_str().map_or_else(|| scalar.to_string(), str::to_owned);
            let seen = paths.entry(at.to_owned()).or_default();
            seen.count += 1;
            if !seen.distinct.contains(&text) && seen.distinct.len() < 50 {
                seen.distinct.push(text.clone());
            }
            if seen.example.is_empty() {
                seen.example = text;
            }
        }
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::source::compile;

    #[test]
    fn a_draft_compiles_and_finds_the_obvious() {
        let record = serde_json::json!({
            "uuid": "1", "eventType": "login.fail", "published": "2024-05-01T10:00:00Z", "outcome": {"result": "FAILURE"},
            "actor": {"user.name": "ana", "email": "ana@corp.example"}, "ip": "192.0.2.1", "tags": ["a", {"b": 1}],
        });
        let text = draft("mine", &[record]);
        let kind = compile(&text).unwrap();
        assert_eq!(kind.record.time.len(), 1);
        for line in ["action = [\"eventType\"]", "\"src_endpoint.ip\" = \"ip\"", "status = \"Failure\""] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
