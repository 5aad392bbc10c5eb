//! Log records in JSON: what stands around a record and the record are the sender's own bytes.

use super::{Around, OtlpError, Records, service_name};
use crate::intake::member::{Span, elements, member, members};

/// Adds the records of the request to `records`.
pub(super) fn read(body: &[u8], records: &mut Records) -> Result<(), OtlpError> {
    let request = Span::whole(body).filter(|request| request.is_object(body)).ok_or(OtlpError::NotJson)?;
    let Some(resource_logs) = member(body, request, "resourceLogs") else {
        // `{}` is a request without records. Anything else would be dropped in silence.
        return if members(body, request).next().is_none() { Ok(()) } else { Err(OtlpError::NotJson) };
    };
    for outer in list(body, resource_logs)? {
        read_resource(body, outer, records)?;
    }
    Ok(())
}

fn read_resource(body: &[u8], outer: Span, records: &mut Records) -> Result<(), OtlpError> {
    let part = |object: Span, name: &str| member(body, object, name).map_or(&b""[..], |value| value.bytes(body));
    let resource = part(outer, "resource");
    let service = service_name(resource);
    let Some(scope_logs) = member(body, outer, "scopeLogs") else {
        return if members(body, outer).any(|member| !is_known(body, member.name)) { Err(OtlpError::NotJson) } else { Ok(()) };
    };
    for inner in list(body, scope_logs)? {
        let unknown = unknown(body, [outer, inner]);
        let around = Around {
            resource,
            resource_schema: part(outer, "schemaUrl"),
            scope: part(inner, "scope"),
            scope_schema: part(inner, "schemaUrl"),
            unknown: &unknown,
            service: service.as_deref(),
        };
        let Some(log_records) = member(body, inner, "logRecords") else {
            continue;
        };
        for record in list(body, log_records)? {
            records.push(&around, record.bytes(body))?;
        }
    }
    Ok(())
}

fn list(body: &[u8], value: Span) -> Result<impl Iterator<Item = Span>, OtlpError> {
    if value.is_array(body) || value.bytes(body) == b"null" { Ok(elements(body, value)) } else { Err(OtlpError::NotJson) }
}

fn is_known(body: &[u8], name: Span) -> bool {
    name.text(body).is_some_and(|name| matches!(&*name, "resource" | "scope" | "schemaUrl" | "scopeLogs" | "logRecords"))
}

/// Members around the records that OTLP has no name for, as one object; empty when there are none.
fn unknown(body: &[u8], around: [Span; 2]) -> Vec<u8> {
    let mut out = Vec::new();
    for member in around.into_iter().flat_map(|object| members(body, object)).filter(|member| !is_known(body, member.name)) {
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.extend_from_slice(member.name.bytes(body));
        out.push(b':');
        out.extend_from_slice(member.value.bytes(body));
    }
    if !out.is_empty() {
        out.push(b'}');
    }
    out
}
