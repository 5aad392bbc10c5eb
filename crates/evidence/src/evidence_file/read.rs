//! Reading an evidence file's JSON: strict, and with the number of the event file that is wrong.

use std::fmt;

use serde_core::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{EVIDENCE_FORMAT, EvidenceFile};
use crate::event_file::EventFile;

impl<'de> Deserialize<'de> for EvidenceFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = EvidenceFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the members access, case, checkpoint, events, format, keys, record and vkey")
    }

    /// Twice the same member leaves a text that is not the canonical one, which is refused later.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<EvidenceFile, A::Error> {
        let (mut case, mut checkpoint, mut record, mut vkey) = (None, None, None, None);
        let (mut events, mut access, mut keys, mut format) = (None, None, None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "case" => case = Some(members.next_value::<String>()?),
                "checkpoint" => checkpoint = Some(members.next_value::<String>()?),
                "events" => events = Some(members.next_value::<Files>()?),
                "record" => record = Some(members.next_value::<EventFile>().map_err(|why| of("the record", why))?),
                "access" => access = Some(members.next_value::<Files>().map_err(|why| of("access", why))?),
                "keys" => keys = Some(members.next_value::<Files>().map_err(|why| of("keys", why))?),
                "vkey" => vkey = Some(members.next_value::<String>()?.parse().map_err(|why| of("the vkey", why))?),
                "format" => format = Some(members.next_value::<String>()?),
                _ => return Err(de::Error::custom(format!("the member {name:?} is unknown"))),
            }
        }
        let format: String = format.ok_or_else(|| de::Error::missing_field("format"))?;
        if format != EVIDENCE_FORMAT {
            let known = format!("the format is {format:?}, only {EVIDENCE_FORMAT:?} is known; a newer program may read it");
            return Err(de::Error::custom(known));
        }
        Ok(EvidenceFile {
            case: case.ok_or_else(|| de::Error::missing_field("case"))?,
            checkpoint: checkpoint.ok_or_else(|| de::Error::missing_field("checkpoint"))?,
            events: events.ok_or_else(|| de::Error::missing_field("events"))?.0,
            record: record.ok_or_else(|| de::Error::missing_field("record"))?,
            access: access.ok_or_else(|| de::Error::missing_field("access"))?.0,
            vkey: vkey.ok_or_else(|| de::Error::missing_field("vkey"))?,
            keys: keys.ok_or_else(|| de::Error::missing_field("keys"))?.0,
        })
    }
}

fn of<E: de::Error>(what: &str, why: impl fmt::Display) -> E {
    E::custom(format!("{what}: {why}"))
}

/// Event files, counted.
struct Files(Vec<EventFile>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FilesVisitor)
    }
}

struct FilesVisitor;

impl<'de> Visitor<'de> for FilesVisitor {
    type Value = Files;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of event files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Files, A::Error> {
        let mut files = Vec::new();
        loop {
            match items.next_element() {
                Ok(Some(file)) => files.push(file),
                Ok(None) => return Ok(Files(files)),
                Err(why) => return Err(of(&format!("event {}", files.len() + 1), why)),
            }
        }
    }
}
