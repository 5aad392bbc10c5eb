//! Checks an event against the schema: types, enumerations, required attributes, constraints.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use crate::ocsf::schema::{Attribute, Constraints, SCHEMA};

/// Something in an event that the schema does not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `actor.user.type_id`, empty for the event itself.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the event" } else { &self.path };
        write!(f, "{path}: {}", self.what)
    }
}

static REGEXES: LazyLock<HashMap<String, Regex>> = LazyLock::new(|| {
    let compiled = SCHEMA.types.iter().filter_map(|(name, of)| Some((name.clone(), Regex::new(of.regex.as_deref()?).ok()?)));
    compiled.collect()
});

/// Everything that is wrong with an event; nothing when it is valid.
#[must_use]
pub fn check(event: &Value) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(event) = event.as_object() else {
        return vec![Fault { path: String::new(), what: "is not a JSON object".into() }];
    };
    let uid = event.get("class_uid").and_then(Value::as_i64);
    let Some((_, class)) = uid.and_then(|uid| SCHEMA.class_of_uid(uid)) else {
        let known: Vec<_> = SCHEMA.classes.values().map(|class| class.uid.to_string()).collect();
        return vec![Fault { path: "class_uid".into(), what: format!("is none of the classes {}", known.join(", ")) }];
    };
    let profiles: Vec<&str> = event
        .get("metadata")
        .and_then(|metadata| metadata.get("profiles")?.as_array())
        .map(|profiles| profiles.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut checker = Checker { profiles, faults: &mut faults };
    checker.members("", event, &class.attributes, &class.constraints);
    checker.type_uid(event);
    faults
}

struct Checker<'a> {
    profiles: Vec<&'a str>,
    faults: &'a mut Vec<Fault>,
}

impl Checker<'_> {
    fn fault(&mut self, path: &str, what: impl Into<String>) {
        self.faults.push(Fault { path: path.to_owned(), what: what.into() });
    }

    fn applies(&self, attribute: &Attribute) -> bool {
        attribute.profiles.is_empty() || attribute.profiles.iter().any(|profile| self.profiles.contains(&profile.as_str()))
    }

    fn members(&mut self, at: &str, members: &Map<String, Value>, attributes: &BTreeMap<String, Attribute>, constraints: &Constraints) {
        for (name, value) in members {
            let path = join(at, name);
            match attributes.get(name) {
                None => self.fault(&path, "is not an attribute here"),
                Some(attribute) if !self.applies(attribute) => {
                    self.fault(&path, format!("needs the profile {} in metadata.profiles", attribute.profiles.join(" or ")));
                }
                Some(attribute) => self.attribute(&path, value, attribute, members),
            }
        }
        for (name, attribute) in attributes {
            if attribute.is_required() && self.applies(attribute) && !members.contains_key(name) {
                self.fault(&join(at, name), "is required");
            }
        }
        self.constraints(at, members, constraints);
    }

    fn constraints(&mut self, at: &str, members: &Map<String, Value>, constraints: &Constraints) {
        let there = |names: &[String]| names.iter().filter(|name| members.contains_key(*name)).count();
        if !constraints.at_least_one.is_empty() && there(&constraints.at_least_one) == 0 {
            self.fault(at, format!("needs at least one of {}", constraints.at_least_one.join(", ")));
        }
        if !constraints.just_one.is_empty() && there(&constraints.just_one) != 1 {
            self.fault(at, format!("needs exactly one of {}", constraints.just_one.join(", ")));
        }
    }

    fn attribute(&mut self, path: &str, value: &Value, attribute: &Attribute, around: &Map<String, Value>) {
        match (attribute.is_array(), value) {
            (false, value) => self.one(path, value, attribute, around),
            (true, Value::Array(values)) => {
                for (nth, value) in values.iter().enumerate() {
                    self.one(&format!("{path}[{nth}]"), value, attribute, around);
                }
            }
            (true, _) => self.fault(path, "must be an array"),
        }
    }

    fn one(&mut self, path: &str, value: &Value, attribute: &Attribute, around: &Map<String, Value>) {
        if attribute.of == "object" {
            // `unmapped` and its like: an object of anything.
            if !value.is_object() {
                self.fault(path, "must be an object");
            }
            return;
        }
        if attribute.is_object() {
            return match (value.as_object(), SCHEMA.object(&attribute.of)) {
                (None, _) => self.fault(path, "must be an object"),
                // The schema names no object it does not have; a test holds it to that.
                (Some(_), None) => {}
                (Some(members), Some(object)) => self.members(path, members, &object.attributes, &object.constraints),
            };
        }
        self.scalar(path, value, &attribute.of);
        if !attribute.numbers.is_empty() {
            self.number(path, value, attribute, around);
        }
    }

    fn scalar(&mut self, path: &str, value: &Value, of: &str) {
        let base = base_of(of);
        let fits = match base {
            "boolean_t" => value.is_boolean(),
            "integer_t" | "long_t" => value.is_i64() || value.is_u64(),
            "float_t" => value.is_number(),
            "json_t" => true,
            _ => value.is_string(),
        };
        if !fits {
            return self.fault(path, format!("must be {}", spoken(base)));
        }
        let Some(scalar) = SCHEMA.types.get(of) else { return };
        if let Some(text) = value.as_str() {
            if scalar.max_len.is_some_and(|most| text.chars().count() > most) {
                self.fault(path, format!("is longer than {} characters", scalar.max_len.unwrap_or_default()));
            }
            if REGEXES.get(of).is_some_and(|regex| !regex.is_match(text)) {
                self.fault(path, format!("{text:?} is not of the type {of}"));
            }
        }
        if let (Some([least, most]), Some(number)) = (scalar.range, value.as_i64())
            && !(least..=most).contains(&number)
        {
            self.fault(path, format!("{number} is not within {least} to {most}"));
        }
    }

    /// The number is one of the enumeration, and its sibling says the same.
    fn number(&mut self, path: &str, value: &Value, attribute: &Attribute, around: &Map<String, Value>) {
        let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let Some(caption) = attribute.numbers.get(&key) else {
            return self.fault(path, format!("{key} is not one of {}", attribute.numbers.keys().cloned().collect::<Vec<_>>().join(", ")));
        };
        // With 99 (Other) the sibling holds the source's own word.
        let sibling = attribute.sibling.as_ref().and_then(|name| around.get(name)?.as_str());
        if key != "99"
            && let Some(sibling) = sibling
            && sibling != caption
        {
            self.fault(path, format!("is {key} ({caption}), but its sibling says {sibling:?}"));
        }
    }

    fn type_uid(&mut self, event: &Map<String, Value>) {
        let number = |name: &str| event.get(name).and_then(Value::as_i64);
        if let (Some(class), Some(activity), Some(of)) = (number("class_uid"), number("activity_id"), number("type_uid"))
            && class.checked_mul(100).and_then(|hundreds| hundreds.checked_add(activity)) != Some(of)
        {
            self.fault(
                "type_uid",
                format!("must be class_uid × 100 + activity_id, which is {}", class.saturating_mul(100).saturating_add(activity)),
            );
        }
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// The basic type behind a type.
#[must_use]
pub fn base_of(of: &str) -> &str {
    match SCHEMA.types.get(of).and_then(|scalar| scalar.base.as_deref()) {
        Some(base) if base != of => base_of(base),
        _ => of,
    }
}

fn spoken(base: &str) -> &'static str {
    match base {
        "boolean_t" => "true or false",
        "integer_t" | "long_t" => "a whole number",
        "float_t" => "a number",
        _ => "a text",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use serde_json::json;

    fn sign_in() -> Value {
        json!({
            "activity_id": 1, "activity_name": "Logon", "category_uid": 3, "class_uid": 3002, "type_uid": 300_201,
            "severity_id": 1, "time": 1_714_557_600_000_i64, "status_id": 2, "status": "Failure",
            "metadata": {"version": "1.8.0", "product": {"name": "x"}},
            "user": {"name": "ana", "email_addr": "ana@corp.example"}, "service": {"name": "s"},
            "src_endpoint": {"ip": "192.0.2.1", "port": 22},
        })
    }

    fn faults_after(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut event = sign_in();
        change(&mut event);
        check(&event).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_valid_event_has_no_fault() {
        assert_eq!(check(&sign_in()), []);
    }

    #[test]
    fn each_kind_of_fault_is_named_with_its_place() {
        let cases: Vec<(Vec<String>, &str)> = vec![
            (faults_after(|e| e["class_uid"] = json!(9)), "class_uid: is none of the classes"),
            (faults_after(|e| e["type_uid"] = json!(300_202)), "type_uid: "),
            (faults_after(|e| e["status_id"] = json!(7)), "status_id: 7 is not one of"),
            (faults_after(|e| e["status"] = json!("Success")), "status_id: is 2 (Failure), but its sibling says \"Success\""),
            (faults_after(|e| e["user"] = json!({"email_addr": "ana@corp.example"})), "user: needs at least one of"),
            (faults_after(|e| e["user"]["email_addr"] = json!("ana")), "user.email_addr: \"ana\" is not of the type email_t"),
            (faults_after(|e| e["src_endpoint"]["ip"] = json!("iam.amazonaws.com")), "src_endpoint.ip: "),
            (faults_after(|e| e["src_endpoint"]["port"] = json!(70_000)), "src_endpoint.port: 70000 is not within"),
            (faults_after(|e| e["time"] = json!("now")), "time: must be a whole number"),
            (faults_after(|e| e["nonsense"] = json!(1)), "nonsense: is not an attribute here"),
            (faults_after(|e| e["cloud"] = json!({"provider": "AWS"})), "cloud: needs the profile cloud"),
            (faults_after(|e| e["metadata"]["profiles"] = json!(["cloud"])), "cloud: is required"),
            (
                faults_after(|e| drop(e.as_object_mut().unwrap().remove("service"))),
                "the event: needs at least one of service, dst_endpoint",
            ),
            (faults_after(|e| e["observables"] = json!({})), "observables: must be an array"),
            (faults_after(|e| *e = json!([])), "the event: is not a JSON object"),
        ];
        for (faults, expected) in cases {
            assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{expected}: {faults:?}");
        }
    }
}
