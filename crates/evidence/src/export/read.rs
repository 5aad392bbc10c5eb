//! Reading the JSON of an export: by hand, as event files are, and with the bytes of a record as they
//! stand in the line.

use std::collections::HashSet;
use std::fmt;

use serde_core::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use tlog::Hash;
use tlog::canonical::{from_base64, from_base64_exact, from_hex_exact};

use super::{EXPORT_FORMAT, ExportFile, ExportLine, ExportManifest};
use crate::canonical_json::Value;
use crate::commitment::Salt;
use crate::event_file::EventFile;
use crate::leaf::Leaf;

/// What of a line ties it to the log.
struct Evidence {
    leaf: Leaf,
    salt: Salt,
    facts: Vec<u8>,
    people: Vec<u8>,
    more: Vec<Vec<u8>>,
    before: Vec<Hash>,
}

impl<'de> Deserialize<'de> for ExportLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = ExportLine;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members index, raw and evidence")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ExportLine, A::Error> {
        let (mut index, mut raw, mut raw_is, mut evidence) = (None, None, None, None);
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            once(&mut seen, &name)?;
            match name.as_str() {
                "index" => index = Some(members.next_value::<u64>()?),
                "raw" => raw = Some(members.next_value::<Box<RawValue>>()?),
                "raw_is" => raw_is = Some(members.next_value::<String>()?),
                "evidence" => evidence = Some(members.next_value::<Evidence>()?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let raw = raw.ok_or_else(|| de::Error::missing_field("raw"))?;
        let raw = read_raw(raw.get(), raw_is.as_deref()).map_err(de::Error::custom)?;
        let evidence = evidence.ok_or_else(|| de::Error::missing_field("evidence"))?;
        let Evidence { leaf, salt, facts, people, more, before } = evidence;
        Ok(ExportLine { index: index.ok_or_else(|| de::Error::missing_field("index"))?, leaf, salt, facts, people, raw, more, before })
    }
}

/// The bytes of the record: the JSON as it stands there, or what a string of it holds.
fn read_raw(json: &str, is: Option<&str>) -> Result<Vec<u8>, String> {
    let text = || serde_json::from_str::<String>(json).map_err(|why| format!("raw: {why}"));
    match is {
        None => Ok(json.as_bytes().to_vec()),
        Some("text") => Ok(text()?.into_bytes()),
        Some("base64") => from_base64(&text()?).map_err(|why| format!("raw: {why}")),
        Some(other) => Err(format!("raw_is is {other:?}, which is neither \"text\" nor \"base64\"; a newer program may read it")),
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EvidenceVisitor)
    }
}

struct EvidenceVisitor;

impl<'de> Visitor<'de> for EvidenceVisitor {
    type Value = Evidence;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members leaf, salt, facts and people")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Evidence, A::Error> {
        let (mut leaf, mut salt, mut facts, mut people) = (None, None, None, None);
        let (mut more, mut before) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            once(&mut seen, &name)?;
            let why = |why: &dyn fmt::Display| de::Error::custom(format!("{name}: {why}"));
            match name.as_str() {
                "leaf" => {
                    let bytes = from_base64(&members.next_value::<String>()?).map_err(|error| why(&error))?;
                    leaf = Some(Leaf::decode(&bytes).map_err(|error| why(&error))?);
                }
                "salt" => salt = Some(Salt(from_base64_exact(&members.next_value::<String>()?).map_err(|error| why(&error))?)),
                "facts" => facts = Some(members.next_value::<Box<RawValue>>()?.get().as_bytes().to_vec()),
                "people" => people = Some(members.next_value::<Box<RawValue>>()?.get().as_bytes().to_vec()),
                "more" => {
                    let texts = members.next_value::<Vec<String>>()?;
                    more = texts.iter().map(|text| from_base64(text)).collect::<Result<_, _>>().map_err(|error| why(&error))?;
                }
                "before" => before = hashes(&members.next_value::<Vec<String>>()?).map_err(|error| why(&error))?,
                _ => return Err(why(&"this member is unknown")),
            }
        }
        Ok(Evidence {
            leaf: leaf.ok_or_else(|| de::Error::missing_field("leaf"))?,
            salt: salt.ok_or_else(|| de::Error::missing_field("salt"))?,
            facts: facts.ok_or_else(|| de::Error::missing_field("facts"))?,
            people: people.ok_or_else(|| de::Error::missing_field("people"))?,
            more,
            before,
        })
    }
}

fn once<E: de::Error>(seen: &mut HashSet<String>, name: &str) -> Result<(), E> {
    if seen.insert(name.to_owned()) { Ok(()) } else { Err(E::custom(format!("the member {name:?} stands there twice"))) }
}

fn hashes(texts: &[String]) -> Result<Vec<Hash>, String> {
    texts.iter().map(|text| from_base64_exact(text).map(Hash).map_err(|error| error.to_string())).collect()
}

impl<'de> Deserialize<'de> for ExportManifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ManifestVisitor)
    }
}

struct ManifestVisitor;

impl<'de> Visitor<'de> for ManifestVisitor {
    type Value = ExportManifest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members format, encoding, query, checkpoint, covered and count")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ExportManifest, A::Error> {
        let (mut format, mut encoding, mut query, mut checkpoint, mut count) = (None, None, None, None, None);
        let (mut after, mut complete, mut finished, mut files, mut keys) = (Vec::new(), false, false, Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            once(&mut seen, &name)?;
            match name.as_str() {
                "format" => format = Some(members.next_value::<String>()?),
                "encoding" => encoding = Some(members.next_value::<String>()?),
                "query" => query = Some(members.next_value::<String>()?),
                "checkpoint" => checkpoint = Some(members.next_value::<String>()?),
                "count" => count = Some(members.next_value::<u64>()?),
                "after" => after = hashes(&members.next_value::<Vec<String>>()?).map_err(de::Error::custom)?,
                "covered" => complete = member(members.next_value()?, "complete") == Some(Value::Bool(true)),
                "next" => finished = members.next_value::<Value>()? == Value::Null,
                "files" => {
                    files = members
                        .next_value::<Vec<Value>>()?
                        .into_iter()
                        .map(read_file)
                        .collect::<Result<_, _>>()
                        .map_err(de::Error::custom)?
                }
                "keys" => keys = members.next_value::<Vec<EventFile>>()?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        match format.as_deref() {
            Some(EXPORT_FORMAT) => {}
            Some(other) => {
                return Err(de::Error::custom(format!(
                    "the format is {other:?}, only {EXPORT_FORMAT:?} is known; a newer program may read it"
                )));
            }
            None => return Err(de::Error::missing_field("format")),
        }
        Ok(ExportManifest {
            encoding: encoding.ok_or_else(|| de::Error::missing_field("encoding"))?,
            query: query.ok_or_else(|| de::Error::missing_field("query"))?,
            checkpoint: checkpoint.ok_or_else(|| de::Error::missing_field("checkpoint"))?,
            count: count.ok_or_else(|| de::Error::missing_field("count"))?,
            after,
            complete,
            finished,
            files,
            keys,
        })
    }
}

fn member(value: Value, wanted: &str) -> Option<Value> {
    let Value::Object(members) = value else { return None };
    members.into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

fn read_file(value: Value) -> Result<ExportFile, String> {
    let Value::Object(members) = value else {
        return Err("a file is not an object".into());
    };
    let (mut file_name, mut bytes, mut sha256) = (None, None, None);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("name", Value::String(text)) => file_name = Some(text),
            ("bytes", Value::Integer(number)) => bytes = u64::try_from(number).ok(),
            ("sha256", Value::String(text)) => sha256 = from_hex_exact(&text).ok(),
            _ => {}
        }
    }
    match (file_name, bytes, sha256) {
        // Beside the manifest, and nowhere else: whoever made it must not choose what is opened.
        (Some(name), Some(bytes), Some(sha256)) if !name.contains(['/', '\\']) && name != ".." => Ok(ExportFile { name, bytes, sha256 }),
        _ => Err("a file has no name without a directory, no length, or no SHA-256".into()),
    }
}
