//! Log records in protobuf, written as the OTLP JSON mapping has them. One table a message.
//!
//! opentelemetry/proto/{collector/logs,logs,resource,common}/v1, stable since 1.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evidence::canonical_json::write_string;

use super::wire::{Malformed, Wire, fields};
use super::{Around, OtlpError, Records, service_name};
use crate::intake::limits::DEPTH_MAX;

/// How a field is written in JSON.
#[derive(Clone, Copy)]
enum Kind {
    /// `string`.
    Text,
    /// `bytes` in base64.
    Base64,
    /// `bytes` in hexadecimal: trace and span ids.
    Hex,
    /// `bool`.
    Bool,
    /// `int64`, as a text.
    Int64,
    /// `uint32`, `fixed32` and enumerations, as a number.
    Number,
    /// `fixed64`, as a text.
    Fixed64,
    /// `double`; what JSON has no number for as a text.
    Double,
    /// A message.
    Message(&'static Message),
    /// A list of messages.
    List(&'static Message),
    /// A list of texts.
    Texts,
}

struct Field {
    number: u32,
    name: &'static str,
    kind: Kind,
}

type Message = [Field];

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

static ANY_VALUE: [Field; 7] = [
    field(1, "stringValue", Kind::Text),
    field(2, "boolValue", Kind::Bool),
    field(3, "intValue", Kind::Int64),
    field(4, "doubleValue", Kind::Double),
    field(5, "arrayValue", Kind::Message(&ARRAY_VALUE)),
    field(6, "kvlistValue", Kind::Message(&KEY_VALUE_LIST)),
    field(7, "bytesValue", Kind::Base64),
];
static ARRAY_VALUE: [Field; 1] = [field(1, "values", Kind::List(&ANY_VALUE))];
static KEY_VALUE_LIST: [Field; 1] = [field(1, "values", Kind::List(&KEY_VALUE))];
static KEY_VALUE: [Field; 2] = [field(1, "key", Kind::Text), field(2, "value", Kind::Message(&ANY_VALUE))];
static ENTITY_REF: [Field; 4] = [
    field(1, "schemaUrl", Kind::Text),
    field(2, "type", Kind::Text),
    field(3, "idKeys", Kind::Texts),
    field(4, "descriptionKeys", Kind::Texts),
];
static RESOURCE: [Field; 3] = [
    field(1, "attributes", Kind::List(&KEY_VALUE)),
    field(2, "droppedAttributesCount", Kind::Number),
    field(3, "entityRefs", Kind::List(&ENTITY_REF)),
];
static SCOPE: [Field; 4] = [
    field(1, "name", Kind::Text),
    field(2, "version", Kind::Text),
    field(3, "attributes", Kind::List(&KEY_VALUE)),
    field(4, "droppedAttributesCount", Kind::Number),
];
static LOG_RECORD: [Field; 11] = [
    field(1, "timeUnixNano", Kind::Fixed64),
    field(2, "severityNumber", Kind::Number),
    field(3, "severityText", Kind::Text),
    field(5, "body", Kind::Message(&ANY_VALUE)),
    field(6, "attributes", Kind::List(&KEY_VALUE)),
    field(7, "droppedAttributesCount", Kind::Number),
    field(8, "flags", Kind::Number),
    field(9, "traceId", Kind::Hex),
    field(10, "spanId", Kind::Hex),
    field(11, "observedTimeUnixNano", Kind::Fixed64),
    field(12, "eventName", Kind::Text),
];

/// Messages within messages. A value inside a value opens three brackets, so what is deeper than
/// this is past [`DEPTH_MAX`] in any case: it is written as unknown, and refused with its record.
const MESSAGES_MAX: usize = DEPTH_MAX;

/// Adds the records of the request to `records`.
pub(super) fn read(request: &[u8], records: &mut Records) -> Result<(), OtlpError> {
    for field in fields(request) {
        match field? {
            (1, Wire::Bytes(resource_logs)) => read_resource(resource_logs, records)?,
            // A request that says something else is none of which we could keep all.
            _ => return Err(OtlpError::NotProtobuf),
        }
    }
    Ok(())
}

/// What stands beside the list of a `ResourceLogs` or `ScopeLogs`.
#[derive(Default)]
struct Beside<'a> {
    /// The resource or scope.
    about: Option<&'a [u8]>,
    schema: Option<&'a [u8]>,
    lists: Vec<&'a [u8]>,
    unknown: Vec<(u32, Wire<'a>)>,
}

/// Reads a message that has what it is about at 1, a list at 2 and a schema at 3.
fn beside<'a>(message: &'a [u8], list_also_at: u32) -> Result<Beside<'a>, Malformed> {
    let mut found = Beside::default();
    for field in fields(message) {
        let (number, value) = field?;
        match (number, value) {
            (1, Wire::Bytes(about)) if found.about.is_none() => found.about = Some(about),
            (3, Wire::Bytes(schema)) if found.schema.is_none() && std::str::from_utf8(schema).is_ok() => found.schema = Some(schema),
            (number, Wire::Bytes(list)) if number == 2 || number == list_also_at => found.lists.push(list),
            other => found.unknown.push(other),
        }
    }
    Ok(found)
}

/// Where senders from before OTLP 1.0 put what is now at 2, in the same layout.
const INSTRUMENTATION_LIBRARY_LOGS: u32 = 1_000;

fn read_resource(message: &[u8], records: &mut Records) -> Result<(), OtlpError> {
    let outer = beside(message, INSTRUMENTATION_LIBRARY_LOGS)?;
    let resource = json(outer.about, &RESOURCE)?;
    let resource_schema = quoted(outer.schema);
    let service = service_name(&resource);
    for scope_logs in &outer.lists {
        let inner = beside(scope_logs, 2)?;
        let scope = json(inner.about, &SCOPE)?;
        let scope_schema = quoted(inner.schema);
        let mut unknown = Vec::new();
        write_unknown(outer.unknown.iter().chain(&inner.unknown), &mut unknown);
        let around = Around {
            resource: &resource,
            resource_schema: &resource_schema,
            scope: &scope,
            scope_schema: &scope_schema,
            unknown: &unknown,
            service: service.as_deref(),
        };
        let mut record = Vec::new();
        for log_record in &inner.lists {
            record.clear();
            write_message(log_record, &LOG_RECORD, 0, &mut record)?;
            records.push(&around, &record)?;
        }
    }
    Ok(())
}

fn json(message: Option<&[u8]>, table: &'static Message) -> Result<Vec<u8>, Malformed> {
    let mut out = Vec::new();
    if let Some(message) = message {
        write_message(message, table, 0, &mut out)?;
    }
    Ok(out)
}

fn quoted(text: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(text) = text.and_then(|text| std::str::from_utf8(text).ok()).filter(|text| !text.is_empty()) {
        write_string(text, &mut out);
    }
    out
}

/// Writes a message as an object, its fields in the order of the table.
fn write_message(message: &[u8], table: &'static Message, messages: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut known: Vec<(usize, Wire<'_>)> = Vec::new();
    let mut unknown = Vec::new();
    for field in fields(message) {
        let (number, value) = field?;
        match table.iter().position(|field| field.number == number) {
            Some(place) if fits(table, place, value, messages) && !is_there(&known, table, place) => known.push((place, value)),
            _ => unknown.push((number, value)),
        }
    }
    known.sort_by_key(|(place, _)| *place);
    out.push(b'{');
    for group in known.chunk_by(|one, other| one.0 == other.0) {
        write_field(group, table, messages, out)?;
    }
    if !unknown.is_empty() {
        name("unknownFields", out);
        write_unknown(&unknown, out);
    }
    out.push(b'}');
    Ok(())
}

/// Whether a field that comes once has come before.
fn is_there(known: &[(usize, Wire<'_>)], table: &Message, place: usize) -> bool {
    let list = table.get(place).is_some_and(|field| matches!(field.kind, Kind::List(_) | Kind::Texts));
    !list && known.iter().any(|(before, _)| *before == place)
}

/// Whether a value can be written as its table says.
fn fits(table: &Message, place: usize, value: Wire<'_>, messages: usize) -> bool {
    let Some(field) = table.get(place) else {
        return false;
    };
    match (field.kind, value) {
        (Kind::Text | Kind::Texts, Wire::Bytes(text)) => std::str::from_utf8(text).is_ok(),
        (Kind::Message(_) | Kind::List(_), Wire::Bytes(_)) => messages < MESSAGES_MAX,
        (Kind::Base64 | Kind::Hex, Wire::Bytes(_)) | (Kind::Fixed64 | Kind::Double, Wire::Fixed64(_)) => true,
        (Kind::Bool | Kind::Int64 | Kind::Number, Wire::Varint(_)) | (Kind::Number, Wire::Fixed32(_)) => true,
        _ => false,
    }
}

fn name(name: &str, out: &mut Vec<u8>) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    write_string(name, out);
    out.push(b':');
}

fn write_field(group: &[(usize, Wire<'_>)], table: &'static Message, messages: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let Some(field) = group.first().and_then(|(place, _)| table.get(*place)) else {
        return Ok(());
    };
    name(field.name, out);
    let list = matches!(field.kind, Kind::List(_) | Kind::Texts);
    if list {
        out.push(b'[');
    }
    for (nth, (_, value)) in group.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        match (field.kind, *value) {
            (Kind::Message(inner) | Kind::List(inner), Wire::Bytes(message)) => write_message(message, inner, messages + 1, out)?,
            (kind, value) => write_scalar(kind, value, out),
        }
    }
    if list {
        out.push(b']');
    }
    Ok(())
}

fn write_scalar(kind: Kind, value: Wire<'_>, out: &mut Vec<u8>) {
    match (kind, value) {
        (Kind::Text | Kind::Texts, Wire::Bytes(text)) => write_string(std::str::from_utf8(text).unwrap_or_default(), out),
        (Kind::Hex, Wire::Bytes(bytes)) => write_string(&tlog::canonical::hex(bytes), out),
        (_, Wire::Bytes(bytes)) => write_string(&STANDARD.encode(bytes), out),
        (Kind::Bool, Wire::Varint(on)) => out.extend_from_slice(if on == 0 { b"false" } else { b"true" }),
        (Kind::Int64, Wire::Varint(bits)) => write_string(&bits.cast_signed().to_string(), out),
        (Kind::Double, Wire::Fixed64(bits)) => write_double(f64::from_bits(bits), out),
        (_, Wire::Varint(number)) => out.extend_from_slice(number.to_string().as_bytes()),
        (_, Wire::Fixed32(number)) => out.extend_from_slice(number.to_string().as_bytes()),
        (_, Wire::Fixed64(number)) => write_string(&number.to_string(), out),
    }
}

fn write_double(number: f64, out: &mut Vec<u8>) {
    match serde_json::Number::from_f64(number) {
        Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
        None if number.is_nan() => write_string("NaN", out),
        None => write_string(if number > 0.0 { "Infinity" } else { "-Infinity" }, out),
    }
}

/// `[{"number":N,"bytes":base64} | {"number":N,"value":"digits"}, …]`; nothing when there are none.
fn write_unknown<'a>(unknown: impl IntoIterator<Item = &'a (u32, Wire<'a>)>, out: &mut Vec<u8>) {
    for (nth, (number, value)) in unknown.into_iter().enumerate() {
        out.push(if nth == 0 { b'[' } else { b',' });
        out.push(b'{');
        name("number", out);
        out.extend_from_slice(number.to_string().as_bytes());
        name(if matches!(value, Wire::Bytes(_)) { "bytes" } else { "value" }, out);
        match value {
            Wire::Bytes(bytes) => write_string(&STANDARD.encode(bytes), out),
            Wire::Varint(value) | Wire::Fixed64(value) => write_string(&value.to_string(), out),
            Wire::Fixed32(value) => write_string(&value.to_string(), out),
        }
        out.push(b'}');
    }
    if out.last() == Some(&b'}') {
        out.push(b']');
    }
}

impl From<Malformed> for OtlpError {
    fn from(_: Malformed) -> Self {
        Self::NotProtobuf
    }
}
