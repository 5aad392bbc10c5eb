//! Reading an event file's JSON: by hand, because a derived reader takes arrays for objects, the
//! first of two equal members, and absent ones for null.

use std::collections::HashSet;
use std::fmt;

use serde_core::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use tlog::TlogProof;
use tlog::canonical::{from_base64, from_base64_exact};

use super::{EVENT_FORMAT, EventFile, Part};
use crate::canonical_json::Value;
use crate::commitment::{PARTS_MAX, PARTS_MIN, Salt};
use crate::leaf::Leaf;

impl<'de> Deserialize<'de> for EventFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = EventFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members format, leaf, parts and proof")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<EventFile, A::Error> {
        let (mut format, mut leaf, mut parts, mut proof, mut keys) = (false, None, None, None, Vec::new());
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(de::Error::custom(format!("the member {name:?} stands there twice")));
            }
            match name.as_str() {
                "format" => format = read_format(&members.next_value()?).map_err(de::Error::custom)?,
                "leaf" => leaf = Some(read_leaf(&members.next_value()?).map_err(de::Error::custom)?),
                "parts" => parts = Some(read_parts(members.next_value()?).map_err(de::Error::custom)?),
                "proof" => proof = Some(read_proof(&members.next_value()?).map_err(de::Error::custom)?),
                "keys" => keys = members.next_value()?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        if !format {
            return Err(de::Error::missing_field("format"));
        }
        Ok(EventFile {
            leaf: leaf.ok_or_else(|| de::Error::missing_field("leaf"))?,
            parts: parts.ok_or_else(|| de::Error::missing_field("parts"))?,
            proof: proof.ok_or_else(|| de::Error::missing_field("proof"))?,
            keys,
        })
    }
}

fn read_format(value: &Value) -> Result<bool, String> {
    match value {
        Value::String(format) if format == EVENT_FORMAT => Ok(true),
        Value::String(other) => Err(format!("the format is {other:?}, only {EVENT_FORMAT:?} is known; a newer program may read it")),
        _ => Err("the format is not a string".into()),
    }
}

fn read_leaf(value: &Value) -> Result<Leaf, String> {
    let Value::String(text) = value else {
        return Err("the leaf is not a string".into());
    };
    let bytes = from_base64(text).map_err(|error| format!("the leaf: {error}"))?;
    Leaf::decode(&bytes).map_err(|error| error.to_string())
}

fn read_proof(value: &Value) -> Result<TlogProof, String> {
    match value {
        Value::String(text) => text.parse().map_err(|error: tlog::proof::ProofError| error.to_string()),
        _ => Err("the proof is not a string".into()),
    }
}

fn read_parts(value: Value) -> Result<Vec<Part>, String> {
    let Value::Array(parts) = value else {
        return Err("the parts are not an array".into());
    };
    if !(PARTS_MIN..=PARTS_MAX).contains(&parts.len()) {
        return Err(format!("there are {} parts, where a payload has {PARTS_MIN} to {PARTS_MAX}", parts.len()));
    }
    let numbered = parts.into_iter().enumerate();
    numbered.map(|(number, part)| read_part(part).map_err(|why| format!("part {number}: {why}"))).collect()
}

/// Exactly one of the two shapes. `Value` has refused duplicates already.
fn read_part(value: Value) -> Result<Part, String> {
    let Value::Object(members) = value else {
        return Err("not an object".into());
    };
    let (mut salt, mut bytes, mut digest) = (None, None, None);
    for (name, value) in members {
        let Value::String(text) = value else {
            return Err(format!("{name:?} is not a string"));
        };
        let why = |error| format!("{name:?}: {error}");
        match name.as_str() {
            "salt" => salt = Some(Salt(from_base64_exact(&text).map_err(why)?)),
            "bytes" => bytes = Some(from_base64(&text).map_err(why)?),
            "digest" => digest = Some(from_base64_exact(&text).map_err(why)?),
            _ => return Err(format!("the member {name:?} is unknown")),
        }
    }
    match (salt, bytes, digest) {
        (Some(salt), Some(bytes), None) => Ok(Part::Shown { salt, bytes }),
        (None, None, Some(digest)) => Ok(Part::Hidden { digest }),
        _ => Err("it has neither just salt and bytes nor just a digest".into()),
    }
}
