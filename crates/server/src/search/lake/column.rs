//! The columns of a lake file: what each is called, what type it has, and where in an entry its value stands.
//! docs/LAKE.md says what each means; a test holds it to this table.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

/// The zone of times.
pub(super) const ZONE: &str = "UTC";

/// What type a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64 bits without a sign.
    Index,
    /// 32 bits: a number of the OCSF schema.
    Enumerated,
    /// 64 bits.
    Number,
    /// Milliseconds since 1970 UTC.
    Time,
    /// UTF-8.
    Text,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The entry itself, its envelope, and what the map says of it.
    Entry(Fact),
    /// The first of these paths of the OCSF form that holds a value.
    Ocsf(&'static [&'static [&'static str]]),
}

/// What an entry says without its OCSF form being looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Index,
    Time,
    Received,
    Entry,
    Source,
    Kind,
    Id,
    Action,
    Actor,
    Target,
    Ocsf,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; as the search line has it, where it has it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether a Bloom filter says which files have a value: those that people look for one of.
    pub bloom: bool,
    pub(super) from: From,
}

const fn entry(name: &'static str, kind: Kind, fact: Fact) -> Column {
    Column { name, kind, bloom: false, from: From::Entry(fact) }
}

const fn text(name: &'static str, paths: &'static [&'static [&'static str]]) -> Column {
    Column { name, kind: Kind::Text, bloom: false, from: From::Ocsf(paths) }
}

const fn number(name: &'static str, kind: Kind, paths: &'static [&'static [&'static str]]) -> Column {
    Column { name, kind, bloom: false, from: From::Ocsf(paths) }
}

const fn sought(column: Column) -> Column {
    Column { bloom: true, ..column }
}

/// All columns, in their order.
pub const COLUMNS: [Column; 41] = [
    entry("index", Kind::Index, Fact::Index),
    entry("time", Kind::Time, Fact::Time),
    entry("received", Kind::Time, Fact::Received),
    entry("entry", Kind::Text, Fact::Entry),
    entry("source", Kind::Text, Fact::Source),
    entry("kind", Kind::Text, Fact::Kind),
    sought(entry("id", Kind::Text, Fact::Id)),
    entry("action", Kind::Text, Fact::Action),
    number("class_uid", Kind::Enumerated, &[&["class_uid"]]),
    text("class", &[&["class_name"]]),
    number("activity_id", Kind::Enumerated, &[&["activity_id"]]),
    text("activity", &[&["activity_name"]]),
    number("severity_id", Kind::Enumerated, &[&["severity_id"]]),
    text("severity", &[&["severity"]]),
    number("status_id", Kind::Enumerated, &[&["status_id"]]),
    text("status", &[&["status"]]),
    text("status_code", &[&["status_code"]]),
    text("message", &[&["message"], &["status_detail"]]),
    sought(entry("actor", Kind::Text, Fact::Actor)),
    text("actor_name", &[&["actor", "user", "name"], &["actor", "user", "full_name"]]),
    sought(text("actor_uid", &[&["actor", "user", "uid"]])),
    sought(text("actor_email", &[&["actor", "user", "email_addr"]])),
    text("actor_type", &[&["actor", "user", "type"]]),
    sought(entry("target", Kind::Text, Fact::Target)),
    text("target_name", &[&["user", "name"], &["user", "full_name"]]),
    sought(text("target_uid", &[&["user", "uid"]])),
    sought(text("target_email", &[&["user", "email_addr"]])),
    sought(text("ip", &[&["src_endpoint", "ip"], &["device", "ip"]])),
    text("country", &[&["src_endpoint", "location", "country"], &["device", "location", "country"]]),
    number("asn", Kind::Number, &[&["src_endpoint", "autonomous_system", "number"]]),
    text("asn_name", &[&["src_endpoint", "autonomous_system", "name"]]),
    text("user_agent", &[&["http_request", "user_agent"]]),
    sought(text("session", &[&["session", "uid"], &["actor", "session", "uid"]])),
    text("api", &[&["api", "operation"]]),
    text("api_service", &[&["api", "service", "name"]]),
    text("resource", &[&["resources", "name"], &["resources", "uid"], &["resource", "name"], &["resource", "uid"]]),
    text("resource_type", &[&["resources", "type"], &["resource", "type"]]),
    text("account", &[&["cloud", "account", "uid"]]),
    text("account_name", &[&["cloud", "account", "name"]]),
    text("region", &[&["cloud", "region"]]),
    entry("ocsf", Kind::Text, Fact::Ocsf),
];

impl Kind {
    fn arrow(self) -> DataType {
        match self {
            Self::Index => DataType::UInt64,
            Self::Enumerated => DataType::Int32,
            Self::Number => DataType::Int64,
            Self::Time => DataType::Timestamp(TimeUnit::Millisecond, Some(ZONE.into())),
            Self::Text => DataType::Utf8,
        }
    }
}

/// The columns as Arrow has them. Every value but the index may be missing.
#[must_use]
pub fn schema() -> Arc<Schema> {
    let field = |column: &Column| Field::new(column.name, column.kind.arrow(), column.kind != Kind::Index);
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}
