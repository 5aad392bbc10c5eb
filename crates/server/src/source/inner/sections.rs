//! Windows' rendered text: `Key=Value` lines, and a message whose `Subject:` lines open sections of
//! indented `Account Name:  bob` lines.

use serde_json::{Map, Value};

/// Lines of one record; the longest message Windows has is under 100.
const LINES_MAX: usize = 1_000;

/// The keys as members, sections as objects; `None` when there is no key.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut all = Map::new();
    let mut section: Option<String> = None;
    for line in text.lines().take(LINES_MAX) {
        let indented = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        // Only a line at the margin before any section may be `Key=Value`.
        if !indented
            && section.is_none()
            && let Some((key, value)) = line.split_once('=').filter(|(key, _)| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        {
            put(&mut all, key, value);
            continue;
        }
        if all.is_empty() && line.starts_with(|c: char| c.is_ascii_digit()) {
            put(&mut all, "time", line);
            continue;
        }
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if !indented && value.is_empty() {
            section = Some(key.to_owned());
            all.entry(key.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        } else if let Some(Value::Object(members)) = section.as_ref().filter(|_| indented).and_then(|name| all.get_mut(name)) {
            put(members, key, value);
        } else {
            put(&mut all, key, value);
        }
    }
    (!all.is_empty()).then(|| Value::Object(all).to_string())
}

fn put(members: &mut Map<String, Value>, key: &str, value: &str) {
    if !value.is_empty() {
        members.entry(key.to_owned()).or_insert_with(|| Value::String(value.to_owned()));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn sections_and_keys_are_read() {
        let text = "LogName=Security\r\nEventCode=4624\r\nMessage=An account was logged on.\r\n\r\nSubject:\r\n\tAccount Name:\t\tana\r\n\tLogon ID:\t\t0x3E7\r\n\r\nLogon Type:\t\t\t3\r\n\r\nNew Logon:\r\n\tAccount Name:\t\tbob\r\n";
        let decoded: Value = serde_json::from_str(&decode(text).unwrap()).unwrap();
        assert_eq!(decoded["EventCode"], "4624");
        assert_eq!(decoded["Subject"]["Account Name"], "ana");
        assert_eq!(decoded["New Logon"]["Account Name"], "bob");
        assert_eq!(decoded["Logon Type"], "3");
        assert_eq!(decode("nothing"), None);
    }
}
