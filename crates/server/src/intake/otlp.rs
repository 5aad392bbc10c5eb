//! OpenTelemetry logs, as `ExportLogsServiceRequest` in protobuf or JSON.
//!
//! Each log record is one event. Its raw form is one JSON object, since neither the wire nor one
//! record alone says who speaks:
//!
//! ```text
//! {"resource":{…},"scope":{…},"logRecord":{…}}
//! ```
//!
//! Members are those of the [OTLP JSON mapping] and stand only where the request had them;
//! `resourceSchemaUrl` and `scopeSchemaUrl` stand beside. From JSON, `resource`, `scope` and the
//! record are the sender's own bytes. From protobuf they are written in the order of the field numbers, so
//! that the same record gives the same bytes. What the mapping has no name for (a field of a later
//! version, a text that is not UTF-8, a field that came twice) stands in `unknownFields` with its
//! bytes in base64: nothing of a record is dropped.
//!
//! OTLP gives a record no id, so a retry after a lost answer cannot be told from a second record.
//!
//! [OTLP JSON mapping]: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

mod json;
mod protobuf;
mod wire;

use bytes::Bytes;

use super::gather::{Gather, Gathered, Place};
use super::member::{Span, at_path, elements, member};
use super::shape::ShapeError;

/// Bytes of all records of one request once written out. A resource is repeated beside each of its
/// records: without a bound, a megabyte of it beside 100,000 records would be 100 GB. The SDKs and
/// the collector send some 8,000 records of 1 KB.
pub const OTLP_BYTES_MAX: usize = 64 << 20;

/// What an export request holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logs {
    /// The records.
    pub gathered: Gathered,
    /// `service.name` of each kept record's resource; as many as there are events.
    pub services: Vec<Option<Box<str>>>,
    /// Records refused because they are nested too deeply.
    pub too_deep: usize,
}

/// Why nothing of an export request is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// Not protobuf, or cut short.
    #[error("the body is no ExportLogsServiceRequest in protobuf, or it was cut short: send it again, or check the Content-Type")]
    NotProtobuf,
    /// Not the JSON of an export request.
    #[error("the body is no ExportLogsServiceRequest in JSON ({{\"resourceLogs\":[…]}}): send it again, or check the Content-Type")]
    NotJson,
    /// See [`OTLP_BYTES_MAX`].
    #[error("the records take more than {OTLP_BYTES_MAX} bytes once each has its resource beside it: send smaller batches")]
    TooLarge,
    /// See [`ShapeError`].
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl OtlpError {
    /// The reason's name in records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotProtobuf => "otlp_not_protobuf",
            Self::NotJson => "otlp_not_json",
            Self::TooLarge => "otlp_too_large",
            Self::Shape(why) => why.code(),
        }
    }

    /// Whether smaller batches would pass.
    #[must_use]
    pub const fn is_too_large(self) -> bool {
        matches!(self, Self::TooLarge | Self::Shape(ShapeError::TooManyEvents | ShapeError::TooLarge))
    }
}

/// Reads an `ExportLogsServiceRequest` in protobuf. An empty one holds no records and is no error.
///
/// # Errors
/// [`OtlpError`], and nothing of the body may be kept then.
pub fn decode_protobuf(body: &[u8]) -> Result<Logs, OtlpError> {
    let mut records = Records::new();
    protobuf::read(body, &mut records)?;
    Ok(records.finish())
}

/// Reads an `ExportLogsServiceRequest` in JSON.
///
/// # Errors
/// [`OtlpError`], and nothing of the body may be kept then.
pub fn decode_json(body: &[u8]) -> Result<Logs, OtlpError> {
    let mut records = Records::new();
    json::read(body, &mut records)?;
    Ok(records.finish())
}

/// What stands around a record, each as JSON: empty where the request has none.
#[derive(Debug, Clone, Copy, Default)]
struct Around<'a> {
    /// `resource`.
    resource: &'a [u8],
    /// Schema of the resource, quoted.
    resource_schema: &'a [u8],
    /// `scope`.
    scope: &'a [u8],
    /// Schema of the scope, quoted.
    scope_schema: &'a [u8],
    /// Fields around the record that the mapping has no name for.
    unknown: &'a [u8],
    /// `service.name`.
    service: Option<&'a str>,
}

/// Records written out so far.
struct Records {
    gather: Gather<'static>,
    services: Vec<Option<Box<str>>>,
    too_deep: usize,
    one: Vec<u8>,
}

impl Records {
    fn new() -> Self {
        Self { gather: Gather::new(b""), services: Vec::new(), too_deep: 0, one: Vec::new() }
    }

    /// Adds the record that is the JSON `record`.
    fn push(&mut self, around: &Around<'_>, record: &[u8]) -> Result<(), OtlpError> {
        self.one.clear();
        let members: [(&[u8], &[u8]); 6] = [
            (b"\"resource\":", around.resource),
            (b"\"resourceSchemaUrl\":", around.resource_schema),
            (b"\"scope\":", around.scope),
            (b"\"scopeSchemaUrl\":", around.scope_schema),
            (b"\"logRecord\":", record),
            (b"\"unknownFields\":", around.unknown),
        ];
        let bytes: usize = members.iter().map(|(name, value)| name.len() + value.len() + 1).sum();
        if self.gather.added() + bytes > OTLP_BYTES_MAX {
            return Err(OtlpError::TooLarge);
        }
        for (name, value) in members.into_iter().filter(|(_, value)| !value.is_empty()) {
            self.one.push(if self.one.is_empty() { b'{' } else { b',' });
            self.one.extend_from_slice(name);
            self.one.extend_from_slice(value);
        }
        self.one.push(b'}');
        let line = u32::try_from(self.gather.count()).unwrap_or(u32::MAX).saturating_add(1);
        let whole = Span::whole(&self.one);
        let utf8 = whole.is_some() && std::str::from_utf8(&self.one).is_ok();
        match self.gather.own(&self.one, utf8, whole.map_or(0, |whole| whole.depth), line)? {
            Place::Kept => self.services.push(around.service.map(Into::into)),
            Place::Refused(_) => self.too_deep += 1,
        }
        Ok(())
    }

    fn finish(self) -> Logs {
        Logs { gathered: self.gather.finish(&Bytes::new()), services: self.services, too_deep: self.too_deep }
    }
}

/// `service.name` among a resource's attributes; `resource` is its JSON.
fn service_name(resource: &[u8]) -> Option<String> {
    let attributes = member(resource, Span::whole(resource)?, "attributes")?;
    let is_service =
        |attribute: &Span| member(resource, *attribute, "key").and_then(|key| key.text(resource)).as_deref() == Some("service.name");
    let attribute = elements(resource, attributes).find(is_service)?;
    at_path(resource, attribute, &["value", "stringValue"])?.text(resource).map(Into::into)
}

#[cfg(test)]
mod tests;
