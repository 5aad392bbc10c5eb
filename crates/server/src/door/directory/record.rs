//! Records of the directory. Each member is a part of its own, so that names can be erased.

use evidence::canonical_json::{Value, parse};

use crate::log::records::record;
use crate::source::directory::Person;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// From here on this identity has these names.
    Set(String, Person),
    /// It is not in the directory any more.
    Removed(String),
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

/// `identity.set`.
pub fn set(identity: &str, person: &Person, by: &str) -> Vec<u8> {
    let names = Value::Array(person.names.iter().map(|name| text(name)).collect());
    let mut members = vec![("identity", text(identity)), ("names", names), ("by", text(by))];
    members.extend(person.display.as_deref().map(|display| ("display", text(display))));
    record("identity.set", members)
}

/// `identity.removed`.
pub fn removed(identity: &str, by: &str) -> Vec<u8> {
    record("identity.removed", vec![("identity", text(identity)), ("by", text(by))])
}

impl Noted {
    /// Reads a record; `None` for all others, and for one whose people were erased.
    pub fn read(raw: &[u8]) -> Option<Self> {
        let Value::Object(members) = parse(raw).ok()? else { return None };
        let get = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, value)| value);
        let word = |name: &str| match get(name)? {
            Value::String(text) => Some(text.clone()),
            _ => None,
        };
        match word("record")?.as_str() {
            "identity.set" => {
                let Value::Array(names) = get("names")? else { return None };
                let names = names.iter().map(|name| if let Value::String(name) = name { Some(name.clone()) } else { None });
                Some(Self::Set(word("identity")?, Person { names: names.collect::<Option<_>>()?, display: word("display") }))
            }
            "identity.removed" => Some(Self::Removed(word("identity")?)),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records_read_back_and_have_golden_bytes() {
        let person = Person { names: ["corp\\ana".to_owned(), "okta:00u1".to_owned()].into(), display: Some("Ana".into()) };
        let raw = set("ana@corp.example", &person, "k_1");
        let golden =
            r#"{"by":"k_1","display":"Ana","identity":"ana@corp.example","names":["corp\\ana","okta:00u1"],"record":"identity.set","v":1}"#;
        assert_eq!(std::str::from_utf8(&raw).unwrap(), golden);
        assert_eq!(Noted::read(&raw), Some(Noted::Set("ana@corp.example".into(), person)));
        let raw = removed("ana@corp.example", "k_1");
        assert_eq!(std::str::from_utf8(&raw).unwrap(), r#"{"by":"k_1","identity":"ana@corp.example","record":"identity.removed","v":1}"#);
        assert_eq!(Noted::read(&raw), Some(Noted::Removed("ana@corp.example".into())));
    }

    #[test]
    fn whoever_is_named_stands_in_a_part_that_can_be_erased_alone() {
        let raw = set("ana@corp.example", &Person { names: ["ana".to_owned()].into(), display: None }, "k_1");
        let mut lengths = Vec::new();
        evidence::cut::cut(&raw, &mut lengths);
        let parts = lengths.iter().scan(0, |at, length| {
            let start = *at;
            *at += *length as usize;
            Some(&raw[start..*at])
        });
        let named: Vec<_> = parts.filter(|part| part.windows(3).any(|bytes| bytes == b"ana")).collect();
        assert_eq!(named, [&b"\"identity\":\"ana@corp.example\","[..], b"\"names\":[\"ana\"],"]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Noted::read(&raw);
        }
    }
}
