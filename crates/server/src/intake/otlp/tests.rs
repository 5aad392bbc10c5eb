#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]

use super::*;
use crate::intake::RawEvent;
use crate::intake::limits::{DEPTH_MAX, EVENTS_MAX};
use proptest::prelude::*;

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of wire type 2.
fn bytes(number: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(number << 3 | 2), &mut out);
    varint(value.as_ref().len() as u64, &mut out);
    out.extend_from_slice(value.as_ref());
    out
}

fn number(field: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(field << 3), &mut out);
    varint(value, &mut out);
    out
}

fn fixed64(field: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(u64::from(field << 3 | 1), &mut out);
    out.extend_from_slice(&value.to_le_bytes());
    out
}

fn attribute(key: &str, value: Vec<u8>) -> Vec<u8> {
    bytes(1, [bytes(1, key), bytes(2, value)].concat())
}

fn request(resource: Vec<u8>, scope: Vec<u8>, records: &[Vec<u8>]) -> Vec<u8> {
    let scope_logs = [bytes(1, scope), records.iter().flat_map(|record| bytes(2, record)).collect()].concat();
    bytes(1, [bytes(1, resource), bytes(2, scope_logs)].concat())
}

fn raws(logs: &Logs) -> Vec<String> {
    let raw = |event: &RawEvent| String::from_utf8(event.raw(&logs.gathered.bytes).to_vec()).unwrap();
    logs.gathered.decoded.events.iter().map(raw).collect()
}

#[test]
fn every_field_of_a_record_is_written_as_the_mapping_says() {
    let resource = attribute("service.name", bytes(1, "login"));
    let attributes = [
        bytes(6, [bytes(1, "b"), bytes(2, number(2, 0))].concat()),
        bytes(6, [bytes(1, "i"), bytes(2, number(3, u64::MAX))].concat()),
        bytes(6, [bytes(1, "d"), bytes(2, fixed64(4, 1.5_f64.to_bits()))].concat()),
        bytes(6, [bytes(1, "n"), bytes(2, fixed64(4, f64::NAN.to_bits()))].concat()),
        bytes(6, [bytes(1, "l"), bytes(2, bytes(5, [bytes(1, bytes(1, "x")), bytes(1, [])].concat()))].concat()),
        bytes(6, [bytes(1, "m"), bytes(2, bytes(6, attribute("k", bytes(7, [0xff]))))].concat()),
    ];
    let record = [
        fixed64(1, 1_764_076_800_000_000_000),
        fixed64(11, 7),
        number(2, 9),
        bytes(3, "INFO"),
        bytes(5, bytes(1, "login \"eve\"")),
        attributes.concat(),
        vec![8 << 3 | 5, 1, 0, 0, 0],
        bytes(9, [0xab; 16]),
        bytes(10, [0xcd; 8]),
        bytes(12, "user.login"),
    ]
    .concat();
    let logs = decode_protobuf(&request(resource, bytes(1, "app"), &[record])).unwrap();
    let expected = concat!(
        r#"{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"login"}}]},"scope":{"name":"app"},"#,
        r#""logRecord":{"timeUnixNano":"1764076800000000000","severityNumber":9,"severityText":"INFO","#,
        r#""body":{"stringValue":"login \"eve\""},"attributes":[{"key":"b","value":{"boolValue":false}},"#,
        r#"{"key":"i","value":{"intValue":"-1"}},{"key":"d","value":{"doubleValue":1.5}},{"key":"n","value":{"doubleValue":"NaN"}},"#,
        r#"{"key":"l","value":{"arrayValue":{"values":[{"stringValue":"x"},{}]}}},"#,
        r#"{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"bytesValue":"/w=="}}]}}}],"flags":1,"#,
        r#""traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd","observedTimeUnixNano":"7","eventName":"user.login"}}"#,
    );
    assert_eq!(raws(&logs), [expected]);
    assert_eq!(logs.services, [Some("login".into())]);
}

#[test]
fn what_the_mapping_has_no_name_for_is_kept_beside() {
    let record = [number(99, 5), bytes(3, [0xff, 0xfe]), bytes(3, "WARN"), bytes(3, "again"), vec![2 << 3 | 5, 1, 0, 0, 0]].concat();
    let outer = [bytes(1, []), bytes(2, bytes(2, record)), bytes(77, "later")].concat();
    let logs = decode_protobuf(&bytes(1, outer)).unwrap();
    let expected = concat!(
        r#"{"resource":{},"logRecord":{"severityNumber":1,"severityText":"WARN","unknownFields":[{"number":99,"value":"5"},"#,
        r#"{"number":3,"bytes":"//4="},{"number":3,"bytes":"YWdhaW4="}]},"unknownFields":[{"number":77,"bytes":"bGF0ZXI="}]}"#,
    );
    assert_eq!(raws(&logs), [expected]);
}

#[test]
fn records_from_before_the_first_stable_version_are_read_too() {
    let logs = decode_protobuf(&bytes(1, bytes(1_000, bytes(2, bytes(3, "old"))))).unwrap();
    assert_eq!(raws(&logs), [r#"{"logRecord":{"severityText":"old"}}"#]);
}

#[test]
fn json_keeps_the_senders_own_bytes_around_and_in_a_record() {
    let body = concat!(
        r#"{"resourceLogs":[{"resource":{ "attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"schemaUrl":"u1","#,
        r#""scopeLogs":[{"scope":{"name":"x"},"schemaUrl":"u2","logRecords":[{"body": {"stringValue":"a"} , "new":1},{}],"later":[1]}]}]}"#,
    );
    let logs = decode_json(body.as_bytes()).unwrap();
    let around = r#"{"resource":{ "attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"resourceSchemaUrl":"u1","scope":{"name":"x"},"scopeSchemaUrl":"u2","#;
    let first = format!(r#"{around}"logRecord":{{"body": {{"stringValue":"a"}} , "new":1}},"unknownFields":{{"later":[1]}}}}"#);
    let second = format!(r#"{around}"logRecord":{{}},"unknownFields":{{"later":[1]}}}}"#);
    assert_eq!(raws(&logs), [first, second]);
    assert_eq!(logs.services, [Some("s".into()), Some("s".into())]);
}

#[test]
fn a_request_without_records_is_no_error_and_another_document_is() {
    for body in ["{}", r#"{"resourceLogs":[]}"#, r#" {"resourceLogs":[{"resource":{}}]} "#, r#"{"resourceLogs":[{"scopeLogs":[{}]}]}"#] {
        assert_eq!(decode_json(body.as_bytes()).map(|logs| logs.services.len()), Ok(0), "{body}");
    }
    for body in ["", "[]", "{", r#"{"resourceSpans":[]}"#, r#"{"resourceLogs":{}}"#, r#"{"resourceLogs":[{"scope_logs":[]}]}"#] {
        assert_eq!(decode_json(body.as_bytes()), Err(OtlpError::NotJson), "{body}");
    }
    assert_eq!(decode_protobuf(b"").map(|logs| logs.services.len()), Ok(0));
    for body in [&b"{}"[..], &[0x0a, 5], &bytes(2, "x"), &bytes(1, bytes(2, bytes(2, [0x0a])))] {
        assert_eq!(decode_protobuf(body).map(|_| ()), Err(OtlpError::NotProtobuf), "{body:?}");
    }
}

#[test]
fn values_nested_too_deeply_are_refused_alone() {
    let mut value = bytes(1, "x");
    for _ in 0..DEPTH_MAX {
        value = bytes(5, bytes(1, value));
    }
    let logs = decode_protobuf(&request(vec![], vec![], &[bytes(5, value), bytes(3, "kept")])).unwrap();
    assert_eq!((logs.too_deep, raws(&logs).len()), (1, 1));
}

#[test]
fn a_resource_is_not_repeated_without_bound() {
    let resource = attribute("k", bytes(1, "x".repeat(1 << 20)));
    let records = vec![Vec::new(); OTLP_BYTES_MAX >> 20];
    assert_eq!(decode_protobuf(&request(resource, vec![], &records)).map(|_| ()), Err(OtlpError::TooLarge));
    let records = vec![Vec::new(); EVENTS_MAX + 1];
    assert!(decode_protobuf(&request(vec![], vec![], &records)).is_err_and(OtlpError::is_too_large));
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        (1_u32..13, any::<u64>()).prop_map(|(field, value)| number(field, value)),
        (1_u32..13, any::<u64>()).prop_map(|(field, value)| fixed64(field, value)),
        (1_u32..13, "\\PC{0,8}").prop_map(|(field, text)| bytes(field, text)),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    leaf.prop_recursive(8, 64, 4, |inner| {
        (1_u32..8, proptest::collection::vec(inner, 0..4)).prop_map(|(field, parts)| bytes(field, parts.concat()))
    })
}

proptest! {
    #[test]
    fn every_record_that_is_kept_is_json(records in proptest::collection::vec(message(), 0..4), resource in message()) {
        if let Ok(logs) = decode_protobuf(&request(resource, vec![], &records)) {
            prop_assert_eq!(logs.gathered.decoded.events.len() + logs.too_deep, records.len());
            for raw in raws(&logs) {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&raw).is_ok(), "{}", raw);
            }
        }
    }

    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200), text in r#"([{}\[\],: ]|"resourceLogs"|"scopeLogs"|"logRecords"|"resource"|[0-9]|\PC)*"#) {
        let _ = (decode_protobuf(&body), decode_json(&body), decode_json(text.as_bytes()));
    }
}
