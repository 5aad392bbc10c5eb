//! XML as members: elements by name, attributes as `@name`, text beside them as `#text`. A repeated
//! element becomes an array. An element with the one attribute `Name` becomes a member of that name,
//! as Windows writes `<Data Name="SubjectUserSid">…</Data>`.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::intake::limits::DEPTH_MAX;

/// Elements of one record; a Windows event has under 100.
const ELEMENTS_MAX: usize = 10_000;

#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    text: String,
}

/// The document as one JSON object; `None` when it is not well-formed XML.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    // Event Viewer writes `- ` before elements that can be folded, and people paste that.
    let text = text.trim_start_matches('\u{feff}').trim().trim_start_matches(['-', ' ']);
    if !text.starts_with('<') || !text.ends_with('>') || text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    for _ in 0..ELEMENTS_MAX {
        match reader.read_event().ok()? {
            Event::Start(start) if open.len() <= DEPTH_MAX => open.push(element(&start)?),
            Event::Start(_) => return None,
            Event::Empty(start) => close(&mut open, element(&start)?)?,
            Event::End(_) => {
                let ended = open.pop()?;
                close(&mut open, ended)?;
            }
            Event::Text(piece) => open.last_mut()?.text.push_str(&piece),
            Event::CData(piece) => open.last_mut()?.text.push_str(&piece),
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let resolved = match reference.resolve_char_ref().ok()? {
                    Some(c) => c.to_string(),
                    None => quick_xml::escape::resolve_predefined_entity(name)?.to_owned(),
                };
                open.last_mut()?.text.push_str(&resolved);
            }
            Event::Eof => {
                let [root] = <[Element; 1]>::try_from(open).ok()?;
                return (!root.members.is_empty()).then(|| Value::Object(root.members).to_string());
            }
            _ => {}
        }
    }
    None
}

fn element(start: &BytesStart<'_>) -> Option<Element> {
    // A namespace's prefix says nothing that a map would ask for.
    let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.ok()?;
        let name: &str = attribute.key.as_ref();
        if !name.starts_with("xmlns") {
            let value = attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).ok()?.into_owned();
            element.members.insert(format!("@{name}"), Value::String(value));
        }
    }
    Some(element)
}

/// Puts an ended element into the one around it.
fn close(open: &mut [Element], mut ended: Element) -> Option<()> {
    let named = if ended.members.len() == 1 { ended.members.remove("@Name") } else { None };
    let name = match named {
        Some(Value::String(name)) => name,
        _ => ended.name,
    };
    let text = ended.text.trim();
    let value = if ended.members.is_empty() {
        Value::String(text.to_owned())
    } else {
        if !text.chars().all(|c| c == '-' || c.is_whitespace()) {
            ended.members.insert("#text".into(), Value::String(text.to_owned()));
        }
        Value::Object(ended.members)
    };
    let around = &mut open.last_mut()?.members;
    match around.get_mut(&name) {
        None => {
            around.insert(name, value);
        }
        Some(Value::Array(several)) => several.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_windows_event_becomes_members() {
        let xml = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='P' Guid='{1}'/>\
                   <EventID Qualifiers='0'>4624</EventID><TimeCreated SystemTime='2024-05-01T10:00:00.1Z'/></System>\
                   <EventData><Data Name='TargetUserName'>a&amp;b &#65;</Data><Data Name='Empty'/><Data>x</Data><Data>y</Data></EventData></Event>";
        let decoded: Value = serde_json::from_str(&decode(xml).unwrap()).unwrap();
        assert_eq!(decoded["Event"]["System"]["TimeCreated"]["@SystemTime"], "2024-05-01T10:00:00.1Z");
        assert_eq!(decoded["Event"]["System"]["EventID"]["#text"], "4624");
        assert_eq!(decoded["Event"]["System"]["Provider"]["@Name"], "P");
        assert_eq!(decoded["Event"]["EventData"]["TargetUserName"], "a&b A");
        assert_eq!(decoded["Event"]["EventData"]["Data"], serde_json::json!(["x", "y"]));
    }

    #[test]
    fn what_is_not_well_formed_is_none() {
        for text in ["", "x", "<", "<a>", "<a></b>", "<a>&unknown;</a>", "</a>", "<a x=1></a>", &"<a>".repeat(DEPTH_MAX + 2)] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in r#"<[ -~é]{0,40}>|(<a>|</a>|<b Name='c'>|</b>|&lt;|x){0,20}"#) {
            if let Some(decoded) = decode(&text) {
                proptest::prop_assert!(serde_json::from_str::<Value>(&decoded).is_ok());
            }
        }
    }
}
