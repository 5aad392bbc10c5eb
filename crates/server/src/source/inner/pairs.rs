//! A list of `{"name":…,"value":…}` as one object; vendors have many words for both.

use serde_json::{Map, Value};

const NAMES: [&str; 4] = ["name", "key", "displayname", "@name"];
const VALUES: [&str; 13] = [
    "value",
    "stringvalue",
    "intvalue",
    "boolvalue",
    "multivalue",
    "multiintvalue",
    "multiboolvalue",
    "msgvalue",
    "multimsgvalue",
    "newvalue",
    "#text",
    "_",
    "content",
];

/// The object; an object stays as it is.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    match serde_json::from_str(text).ok()? {
        Value::Object(_) => Some(text.to_owned()),
        Value::Array(elements) => {
            let mut members = Map::new();
            for (name, value) in elements.into_iter().filter_map(pair) {
                members.entry(name).or_insert(value);
            }
            (!members.is_empty()).then(|| Value::Object(members).to_string())
        }
        _ => None,
    }
}

fn pair(element: Value) -> Option<(String, Value)> {
    let Value::Object(members) = element else { return None };
    if let (1, Some((name, value))) = (members.len(), members.iter().next())
        && !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
    {
        return Some((name.clone(), value.clone()));
    }
    let find = |names: &[&str]| names.iter().find_map(|name| members.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)));
    let name = find(&NAMES)?.1.as_str()?.to_owned();
    Some((name, find(&VALUES).map_or(Value::Null, |(_, value)| value.clone())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_and_values_become_objects() {
        let text = r#"[{"name":"A","value":"1"},{"Name":"B","multiIntValue":[2]},{"name":"A","value":"later"},3,{"name":"C"},{"D":"d"}]"#;
        assert_eq!(decode(text).as_deref(), Some(r#"{"A":"1","B":[2],"C":null,"D":"d"}"#));
        assert_eq!(decode(r#"{"x":1}"#).as_deref(), Some(r#"{"x":1}"#));
        for text in ["", "[]", "1", "[1]"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
