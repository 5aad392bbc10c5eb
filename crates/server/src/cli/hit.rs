//! A match as the log gives it. It is shown as it is written: a record must not change on its way to whoever reads it, not
//! the digits of a number, nor the order of its members, nor one that stands there twice.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An entry that was found.
#[derive(Debug)]
pub struct Hit {
    written: Box<RawValue>,
    parts: Parts,
}

/// What of it is shown in columns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parts {
    index: Value,
    received_at: Value,
    kind: Value,
    source: Source,
    meaning: Option<Meaning>,
    summary: Option<Value>,
    raw: Option<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Source {
    name: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meaning {
    kind: Value,
}

impl Hit {
    /// Reads one.
    ///
    /// # Errors
    /// It is no JSON object, or not of these parts.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        // Between the values of JSON a line end is white space, and inside them there is none.
        Ok(Self { written: RawValue::from_string(json.replace(['\n', '\r'], " "))?, parts: serde_json::from_str(json)? })
    }

    /// As it is written, in one line.
    pub fn written(&self) -> &RawValue {
        &self.written
    }

    /// A column, empty when it is not there.
    pub fn column(&self, name: &str) -> String {
        let Parts { index, received_at, kind, source, meaning, summary, .. } = &self.parts;
        match name {
            "index" => text(index),
            "received_at" => text(received_at),
            "source" => text(&source.name),
            "entry" => text(kind),
            "kind" => text(meaning.as_ref().map_or(kind, |meaning| &meaning.kind)),
            "raw" => self.raw(),
            of => summary.as_ref().and_then(|summary| summary.get(of)).map(text).unwrap_or_default(),
        }
    }

    /// The record: its JSON as it is written, or its text.
    fn raw(&self) -> String {
        let written = self.parts.raw.as_ref().map(|raw| raw.get()).unwrap_or_default();
        let record = if written.starts_with('"') { serde_json::from_str(written).ok() } else { None };
        record.unwrap_or_else(|| written.to_owned())
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_shown_as_it_is_written() {
        let raw = r#"{"z":1.10,"big":123456789012345678901234567890,"a":"one","a":"two"}"#;
        let hit =
            Hit::read(&format!("{{\"index\":7,\n\"source\":{{\"name\":\"app\",\"number\":1}},\"kind\":\"event\",\"raw\":{raw}}}")).unwrap();
        assert_eq!(hit.column("raw"), raw);
        assert!(hit.written().get().contains(raw) && !hit.written().get().contains('\n'));
        assert_eq!(["index", "source", "kind", "entry", "actor"].map(|name| hit.column(name)), ["7", "app", "event", "event", ""]);
        let text = Hit::read(r#"{"raw":"a \"line\"\n","meaning":{"kind":"okta"},"summary":{"actor":"ana","ip":null}}"#).unwrap();
        assert_eq!(["raw", "kind", "actor", "ip"].map(|name| text.column(name)), ["a \"line\"\n", "okta", "ana", ""]);
    }
}
