//! Writing part 2.

use tlog::canonical::{base64, hex};

use super::connection::{secrets_value, settings_value};
use super::{Act, ActHead, IdsFile, KeptCheckpoint, LeavesPrefix, PayloadFile, Scope};
use crate::canonical_json::{Value, to_bytes};

impl Act {
    /// The canonical bytes of part 2. [`super::parse_part2`] reads them back if every field is in
    /// the form its documentation states.
    #[must_use]
    pub fn to_part2(&self, head: &ActHead) -> Vec<u8> {
        let mut members = vec![
            ("v", Value::Integer(1)),
            ("act", self.name().into()),
            ("origin", head.origin.as_str().into()),
            ("prev", head.prev.into()),
        ];
        match self {
            Act::Trail(trail) => {
                let classes = trail.classes.iter().map(|(number, name)| (number.to_string(), name.as_str().into()));
                members.extend([
                    ("vkey", trail.vkey.to_string().into()),
                    ("segment_leaves", trail.segment_leaves.into()),
                    ("classes", Value::Object(classes.collect())),
                ]);
            }
            Act::Source(source) => members.extend([
                ("number", source.number.into()),
                ("name", source.name.as_str().into()),
                ("kind", source.kind.as_str().into()),
            ]),
            Act::Key(key) => members.extend([
                ("id", key.id.as_str().into()),
                ("hash", hex(&key.hash).into()),
                ("scopes", key.scopes.iter().copied().map(Scope::word).collect()),
                ("sources", key.sources.iter().map(String::as_str).collect()),
                ("expires_at", key.expires_at.into()),
                ("reset", key.reset.into()),
            ]),
            Act::KeyRevoked { id } => members.push(("id", id.as_str().into())),
            Act::Public { public } => members.push(("public", (*public).into())),
            Act::Rotate(rotate) => members.extend([
                ("old", rotate.old.to_string().into()),
                ("new", rotate.new.to_string().into()),
                ("sig_old", base64(&rotate.sig_old).into()),
                ("sig_new", base64(&rotate.sig_new).into()),
            ]),
            Act::Payload(payload) => members.extend([
                ("files", payload.files.iter().collect()),
                ("leaves", payload.leaves.as_ref().into()),
                ("ids", payload.ids.as_ref().into()),
                ("holds", Value::Array(Vec::new())),
            ]),
            Act::Seal(seal) => members.extend([
                ("segment", seal.segment.into()),
                ("leaves", hex(&seal.leaves).into()),
                ("tile", hex(&seal.tile).into()),
                ("checkpoint", (&seal.checkpoint).into()),
                ("last_act", seal.last_act.into()),
            ]),
            Act::Describe(describe) => members.extend([
                ("number", describe.number.into()),
                ("kind", describe.kind.as_str().into()),
                ("heartbeat_s", describe.heartbeat_s.into()),
            ]),
            Act::Connection(connection) => members.extend([
                ("name", connection.name.as_str().into()),
                ("kind", connection.kind.as_str().into()),
                ("source", connection.source.into()),
                ("settings", settings_value(&connection.settings)),
                ("secrets", secrets_value(&connection.secrets)),
                ("enabled", connection.enabled.into()),
            ]),
            Act::ConnectionRemoved { name } => members.push(("name", name.as_str().into())),
        }
        to_bytes(&object(members))
    }
}

fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

impl From<&PayloadFile> for Value {
    fn from(file: &PayloadFile) -> Value {
        object([
            ("name", file.name().into()),
            ("sha256", hex(&file.sha256).into()),
            ("bytes", file.bytes.into()),
            ("first", file.first.into()),
            ("count", file.count.into()),
            ("class", u32::from(file.class).into()),
            ("generation", file.generation.into()),
        ])
    }
}

impl From<&LeavesPrefix> for Value {
    fn from(prefix: &LeavesPrefix) -> Value {
        object([("name", prefix.name().into()), ("sha256", hex(&prefix.sha256).into())])
    }
}

impl From<&IdsFile> for Value {
    fn from(file: &IdsFile) -> Value {
        object([
            ("name", file.name().into()),
            ("sha256", hex(&file.sha256).into()),
            ("first", file.first.into()),
            ("count", file.count.into()),
        ])
    }
}

impl From<&KeptCheckpoint> for Value {
    fn from(checkpoint: &KeptCheckpoint) -> Value {
        object([("size", checkpoint.size.into()), ("sha256", hex(&checkpoint.sha256).into())])
    }
}
