//! The envelope: parts 0 and 1 of every payload, what the log itself says about an entry.
//!
//! Part 0 holds plain facts, part 1 facts about people, so that the second can be hidden or erased
//! alone. Both are written once, canonically, and stored: nobody re-serialises them.

use std::borrow::Cow;

use thiserror::Error;

use crate::canonical_json::{self, JsonError, Value, write_string};

/// The version of the envelope.
pub const ENVELOPE_VERSION: u32 = 1;

/// The only way raw is cut, see [`mod@crate::cut`].
pub const CUT: u32 = 1;

/// Part 0: plain facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Name of the source, empty for the trail itself.
    pub source: String,
    /// How the entry came in: `http`, `import`, `cli`, …
    pub door: String,
    /// Version of the OCSF mapping in force, 0 while there is none.
    pub map: u32,
    /// How raw is cut: 1.
    pub cut: u32,
    /// Sequence number that the source gave, where it has one.
    pub seq: Option<u64>,
    /// Set when raw was too long and only its beginning was kept.
    pub truncated: Option<Truncated>,
    /// Index of the earlier entry with the same record id and other bytes.
    pub conflict: Option<u64>,
    /// Name of the connection it came through, where there is one.
    pub connection: Option<String>,
}

/// What an over-long raw was before its end was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncated {
    /// Length of the whole, in bytes.
    pub bytes: u64,
    /// SHA-256 of the whole.
    pub sha256: [u8; 32],
}

/// Part 1: facts about people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// The record's own id.
    pub id: Option<String>,
    /// Address the entry came from.
    pub peer: Option<String>,
    /// Id of the API key it came in with.
    pub key: Option<String>,
    /// Name in the certificate of whoever sent it.
    pub subject: Option<String>,
}

/// How the record's own id begins.
const ID: &[u8] = br#""id":"#;

/// Why part 0 is not an envelope.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// Not canonical JSON.
    #[error("part 0 (plain facts): {0}")]
    Json(#[from] JsonError),
    /// A member is missing or of another type.
    #[error("part 0 (plain facts) has no proper member {0:?}")]
    Member(&'static str),
    /// An envelope version this program does not know.
    #[error("part 0 (plain facts) has version {0}, only version 1 is known; a newer program may read it")]
    Version(i64),
    /// A way of cutting this program does not know.
    #[error("part 0 (plain facts) names cut {0}, only cut 1 is known; a newer program may read it")]
    Cut(i64),
}

impl Facts {
    /// Facts of an entry with nothing special about it.
    #[must_use]
    pub fn new(source: &str, door: &str) -> Self {
        Facts {
            source: source.to_owned(),
            door: door.to_owned(),
            map: 0,
            cut: CUT,
            seq: None,
            truncated: None,
            conflict: None,
            connection: None,
        }
    }

    /// The canonical bytes of part 0.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.source.len());
        self.write(&mut out);
        out
    }

    /// Appends the canonical bytes of part 0. Written member by member in their sorted order: this
    /// runs once an event.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        if let Some(conflict) = self.conflict {
            out.extend_from_slice(b"\"conflict\":");
            write_integer(conflict, out);
            out.push(b',');
        }
        if let Some(connection) = &self.connection {
            out.extend_from_slice(b"\"connection\":");
            write_string(connection, out);
            out.push(b',');
        }
        out.extend_from_slice(b"\"cut\":");
        write_integer(u64::from(self.cut), out);
        out.extend_from_slice(b",\"door\":");
        write_string(&self.door, out);
        out.extend_from_slice(b",\"map\":");
        write_integer(u64::from(self.map), out);
        if let Some(seq) = self.seq {
            out.extend_from_slice(b",\"seq\":");
            write_integer(seq, out);
        }
        out.extend_from_slice(b",\"source\":");
        write_string(&self.source, out);
        if let Some(truncated) = &self.truncated {
            out.extend_from_slice(b",\"truncated\":{\"bytes\":");
            write_integer(truncated.bytes, out);
            out.extend_from_slice(b",\"sha256\":");
            write_string(&tlog::canonical::hex(&truncated.sha256), out);
            out.push(b'}');
        }
        out.extend_from_slice(b",\"v\":1}");
    }

    /// Reads part 0. Members added by a later program within version 1 are passed over.
    ///
    /// # Errors
    /// Not canonical JSON, an unknown version or cut, or a member that is missing or ill-typed.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let Value::Object(members) = canonical_json::parse_canonical(bytes)? else {
            return Err(EnvelopeError::Member("v"));
        };
        let get = |name| members.iter().find(|(n, _)| n == name).map(|(_, value)| value);
        let integer = |name| match get(name) {
            Some(Value::Integer(number)) => Ok(*number),
            _ => Err(EnvelopeError::Member(name)),
        };
        let string = |name| match get(name) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(EnvelopeError::Member(name)),
        };
        let index = |name| match get(name) {
            None => Ok(None),
            Some(Value::Integer(number)) => u64::try_from(*number).map(Some).map_err(|_| EnvelopeError::Member(name)),
            Some(_) => Err(EnvelopeError::Member(name)),
        };
        match integer("v")? {
            1 => {}
            other => return Err(EnvelopeError::Version(other)),
        }
        match integer("cut")? {
            1 => {}
            other => return Err(EnvelopeError::Cut(other)),
        }
        Ok(Facts {
            source: string("source")?,
            door: string("door")?,
            map: u32::try_from(integer("map")?).map_err(|_| EnvelopeError::Member("map"))?,
            cut: CUT,
            seq: index("seq")?,
            truncated: get("truncated").map(parse_truncated).transpose()?,
            conflict: index("conflict")?,
            connection: get("connection").map(|_| string("connection")).transpose()?,
        })
    }
}

fn parse_truncated(value: &Value) -> Result<Truncated, EnvelopeError> {
    const BAD: EnvelopeError = EnvelopeError::Member("truncated");
    let Value::Object(members) = value else {
        return Err(BAD);
    };
    match members.as_slice() {
        [(b, Value::Integer(bytes)), (s, Value::String(sha256))] if b == "bytes" && s == "sha256" => Ok(Truncated {
            bytes: u64::try_from(*bytes).map_err(|_| BAD)?,
            sha256: tlog::canonical::from_hex_exact(sha256).map_err(|_| BAD)?,
        }),
        _ => Err(BAD),
    }
}

impl People {
    /// The canonical bytes of part 1, `{}` when there is nothing to say.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        self.write(&mut out);
        out
    }

    /// Appends the canonical bytes of part 1.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        for (name, value) in [("id", &self.id), ("key", &self.key), ("peer", &self.peer), ("subject", &self.subject)] {
            let Some(value) = value else { continue };
            if !first {
                out.push(b',');
            }
            first = false;
            write_string(name, out);
            out.push(b':');
            write_string(value, out);
        }
        out.push(b'}');
    }

    /// The record's own id, of part 1 as [`Self::write`] gives it: read without the rest, once for each entry that is
    /// indexed.
    #[must_use]
    pub fn own_id(bytes: &[u8]) -> Option<Cow<'_, str>> {
        // Of what is written now it is the first member.
        let plain = bytes.strip_prefix(br#"{"id":""#).and_then(|rest| {
            let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
            let id = rest.get(..end).filter(|_| rest.get(end) == Some(&b'"'))?;
            std::str::from_utf8(id).ok()
        });
        match plain {
            Some(id) => Some(Cow::Borrowed(id)),
            // In canonical JSON a member is written in one way, and no text holds that.
            None => {
                let may_have = bytes.windows(ID.len()).any(|window| window == ID);
                may_have.then(|| Self::parse(bytes)).flatten()?.id.map(Cow::Owned)
            }
        }
    }

    /// Reads part 1; members it does not know are passed over. `None` when it is not canonical JSON
    /// or a known member is not a string.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let Value::Object(members) = canonical_json::parse_canonical(bytes).ok()? else {
            return None;
        };
        let mut people = People::default();
        for (name, value) in members {
            let place = match name.as_str() {
                "id" => &mut people.id,
                "key" => &mut people.key,
                "peer" => &mut people.peer,
                "subject" => &mut people.subject,
                _ => continue,
            };
            let Value::String(text) = value else {
                return None;
            };
            *place = Some(text);
        }
        Some(people)
    }
}

fn write_integer(number: u64, out: &mut Vec<u8>) {
    canonical_json::write(&Value::from(number), out);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_envelope_has_these_bytes() {
        assert_eq!(Facts::new("test", "http").to_bytes(), br#"{"cut":1,"door":"http","map":0,"source":"test","v":1}"#);
        assert_eq!(People::default().to_bytes(), b"{}");
        let people = People { id: Some("e-0".into()), peer: Some("::1".into()), key: Some("k_1".into()), subject: Some("web-1".into()) };
        assert_eq!(people.to_bytes(), br#"{"id":"e-0","key":"k_1","peer":"::1","subject":"web-1"}"#);
    }

    #[test]
    fn an_unknown_cut_or_version_is_refused() {
        let unknown = |text: &str| Facts::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(unknown(r#"{"cut":2,"door":"http","map":0,"source":"test","v":1}"#).contains("cut 2"));
        assert!(unknown(r#"{"cut":1,"door":"http","map":0,"source":"test","v":2}"#).contains("version 2"));
        assert!(unknown(r#"{"cut":"1","door":"http","map":0,"source":"test","v":1}"#).contains("\"cut\""));
    }

    #[test]
    fn an_id_behind_a_member_of_a_later_version_is_found() {
        for (bytes, id) in [
            (r#"{"email":"a","id":"e-0"}"#, Some("e-0")),
            (r#"{"email":"\"id\":"}"#, None),
            (r#"{"id":"a\"b"}"#, Some("a\"b")),
            (r#"{"id":1}"#, None),
            (r#"{"id":"a"#, None),
        ] {
            assert_eq!(People::own_id(bytes.as_bytes()).as_deref(), id, "{bytes}");
        }
    }

    fn text() -> impl Strategy<Value = Option<String>> {
        prop::option::of(any::<String>())
    }

    proptest! {
        #[test]
        fn facts_are_canonical_and_read_back(source: String, door: String, map: u32, seq in prop::option::of(0u64..1 << 53),
            conflict in prop::option::of(0u64..1 << 53), connection in text(), truncated in prop::option::of((0u64..1 << 53, any::<[u8; 32]>()))) {
            let truncated = truncated.map(|(bytes, sha256)| Truncated { bytes, sha256 });
            let facts = Facts { source, door, map, cut: 1, seq, truncated, conflict, connection };
            prop_assert_eq!(Facts::parse(&facts.to_bytes()).unwrap(), facts);
        }

        #[test]
        fn people_are_canonical_and_read_back(id in text(), peer in text(), key in text(), subject in text()) {
            let people = People { id, peer, key, subject };
            let bytes = people.to_bytes();
            prop_assert_eq!(People::own_id(&bytes).map(Cow::into_owned), people.id.clone());
            prop_assert_eq!(People::parse(&bytes).unwrap(), people);
        }
    }
}
