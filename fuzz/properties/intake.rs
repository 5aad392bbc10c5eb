//! What holds for any bytes given to the parsers of a door. The fuzz targets call these, and so
//! does `crates/server/tests/intake_corpus.rs` with the checked-in corpus.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

#[path = "../../crates/server/src/intake/shape/accounted.rs"]
mod accounted;

use bytes::Bytes;
use indelible::intake::certificate_names::common_name;
use indelible::intake::limits::{BodyLimits, DEPTH_MAX, EVENT_BYTES_MAX};
use indelible::intake::{
    BodyDecoder, Encoding, Frame, Frames, Framing, Gathered, Media, Places, RawEvent, Refused, SyslogHeader, bulk, certificate_names,
    decode, hec, otlp, pubsub, record_id, wrapper,
};
use serde_json::Value;

/// Every byte of a body is in an event, in a refused value, or only separates them.
pub fn shape(body: &[u8]) {
    for media in [Media::Any, Media::TextPlain] {
        let Ok(decoded) = decode(body, media) else {
            continue;
        };
        let whole = |event: &RawEvent| match &event.truncated {
            Some(cut) => event.range().start..event.range().start + cut.bytes as usize,
            None => event.range(),
        };
        let mut spans: Vec<_> = decoded.events.iter().map(whole).collect();
        spans.extend(decoded.refused.iter().map(Refused::range));
        spans.sort_by_key(|span| span.start);
        accounted::unaccounted(body, media == Media::TextPlain, &spans).unwrap();
        for event in &decoded.events {
            let raw = event.raw(body);
            assert!(raw.len() <= EVENT_BYTES_MAX && !raw.is_empty());
            assert!(raw.len() == event.range().len());
            assert!(!event.json || serde_json::from_slice::<serde::de::IgnoredAny>(raw).is_ok());
        }
        for refused in &decoded.refused {
            let deepest = body[refused.range()].iter().filter(|&&byte| byte == b'[' || byte == b'{');
            assert!(deepest.count() > DEPTH_MAX);
        }
    }
}

/// A body decodes to the same bytes in one piece and in many, never beyond its cap. The first byte
/// chooses the encoding and the size of the pieces.
pub fn body(data: &[u8]) {
    let Some((&choice, wire)) = data.split_first() else {
        return;
    };
    let encoding = match choice % 3 {
        0 => Encoding::Identity,
        1 => Encoding::Gzip,
        _ => Encoding::Zstd,
    };
    let limits = BodyLimits { decoded_bytes: 1 << 16, ratio_free_bytes: 1 << 10, ..BodyLimits::REQUEST };
    let read = |piece: usize| {
        let mut decoder = BodyDecoder::new(encoding, limits);
        for piece in wire.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(piece))?;
        }
        decoder.finish()
    };
    let (whole, pieces) = (read(wire.len().max(1)), read(usize::from(choice / 3) + 1));
    if let (Ok(whole), Ok(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces);
        assert!(whole.len() <= limits.decoded_bytes);
    }
    // In pieces the ratio is judged earlier, so that a bomb may be seen in pieces only.
    assert!(whole.is_ok() || pieces.is_err(), "{whole:?} but {pieces:?}");
}

/// The id found without a document is the one that a full parser finds.
pub fn id(raw: &[u8]) {
    let found = record_id(raw).map(|id| id.as_str().to_owned());
    let Ok(Value::Object(members)) = serde_json::from_slice(raw) else {
        return;
    };
    match members.get("id") {
        // The document keeps the last of several members called `id`: nothing to compare with.
        Some(_) if memchr::memmem::find_iter(raw, "id").count() + memchr::memmem::find_iter(raw, r"\u00").count() > 1 => {}
        Some(Value::String(text)) if (1..=512).contains(&text.len()) => {
            assert_eq!(found.as_ref(), Some(text))
        }
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
            // `-0` is an integer in its own digits; the document makes it a float.
            assert_eq!(found, Some(number.to_string()));
        }
        Some(Value::Number(_)) => {}
        _ => assert_eq!(found, None),
    }
}

/// What every door's decoder promises of what it gathered.
fn gathered(found: &Gathered) {
    for event in &found.decoded.events {
        let raw = event.raw(&found.bytes);
        assert!(raw.len() <= EVENT_BYTES_MAX && !raw.is_empty());
        assert!(raw.len() == event.range().len());
        assert!(!event.json || serde_json::from_slice::<serde::de::IgnoredAny>(raw).is_ok());
    }
}

/// Each event object is kept or named as a mistake; kept ones are whole envelopes or what is in them.
pub fn hec_events(body: &[u8]) {
    let found = hec::decode(&Bytes::copy_from_slice(body)).unwrap();
    gathered(&found.gathered);
    assert_eq!(found.origins.len(), found.gathered.decoded.events.len());
    let numbers = found.origins.len() + found.mistakes.len();
    assert!(found.mistakes.windows(2).all(|pair| pair[0].0 < pair[1].0));
    assert!(found.mistakes.iter().all(|(number, _)| *number < numbers));
}

/// Each item that is kept has its document's own bytes.
pub fn bulk_items(body: &[u8]) {
    let Ok(found) = bulk::decode(&Bytes::copy_from_slice(body)) else {
        return;
    };
    gathered(&found.gathered);
    assert_eq!(found.gathered.bytes, body);
    let kept = found.items.iter().filter(|item| item.document == bulk::Document::Kept).count();
    assert_eq!(kept, found.gathered.decoded.events.len());
}

/// Every record is JSON, from either form of an export request.
pub fn otlp_logs(body: &[u8]) {
    for found in [otlp::decode_protobuf(body), otlp::decode_json(body)].into_iter().flatten() {
        gathered(&found.gathered);
        assert_eq!(found.services.len(), found.gathered.decoded.events.len());
    }
    if let Ok(found) = otlp::decode_protobuf(body) {
        assert!(found.gathered.decoded.events.iter().all(|event| event.json || event.truncated.is_some()));
    }
}

/// Wrappers of webhooks: what is unwrapped lies in the body; what a push carries is in its base64.
pub fn wrapped(body: &[u8]) {
    let body = Bytes::copy_from_slice(body);
    for path in [&["items"][..], &["data", "events"], &["entries"]] {
        if let Ok(Some(found)) = wrapper::unwrap(&body, path) {
            gathered(&found);
            assert_eq!(found.bytes, body);
        }
    }
    // Records that a kind's rules found: any bytes at all, since texts are among them.
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    if let Ok(found) = wrapper::records(lines.iter().copied()) {
        gathered(&found);
        assert_eq!(found.decoded.events.len() + found.decoded.refused.len(), lines.len());
        for event in &found.decoded.events {
            let line = lines[event.line as usize - 1];
            assert!(event.raw(&found.bytes) == line || event.truncated.is_some());
        }
    }
    if let Ok(pushed) = pubsub::decode(&body) {
        gathered(&pushed.gathered);
        assert_eq!(pushed.gathered.decoded.events.len() + pushed.gathered.decoded.refused.len(), 1);
    }
}

/// A stream gives the same frames in one piece and in many, and every byte of it is in a frame or is
/// framing. The first byte chooses the framing and the size of the pieces.
pub fn frames(data: &[u8]) {
    let Some((&choice, stream)) = data.split_first() else {
        return;
    };
    let framing = if choice % 2 == 0 { Framing::Syslog } else { Framing::Lines };
    let read = |piece: usize| {
        let (mut found, mut frames) = (Vec::new(), Frames::new(framing, 0));
        let mut each = |frame: Frame<'_>| found.push((frame.raw.to_vec(), frame.truncated, frame.end, frame.whole));
        for piece in stream.chunks(piece) {
            frames.push(piece, &mut each);
            assert!(frames.held_bytes() <= EVENT_BYTES_MAX);
        }
        frames.finish(&mut each);
        found
    };
    let whole = read(stream.len().max(1));
    assert_eq!(whole, read(usize::from(choice / 2) + 1));
    let mut from = 0;
    for (raw, truncated, end, _) in &whole {
        let end = *end as usize;
        assert!(!raw.is_empty() && raw.len() <= EVENT_BYTES_MAX);
        if truncated.is_none() {
            let window = &stream[from..end];
            let at = window.windows(raw.len()).position(|piece| piece == raw).unwrap();
            let framing = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'\0' | b' ' | b'0'..=b'9');
            assert!(window[..at].iter().all(framing) && window[at + raw.len()..].iter().all(framing));
        }
        from = end;
    }
    assert!(stream[from..].iter().all(|byte| matches!(byte, b'\r' | b'\n' | b'\0')));
}

/// What a message says of where it comes from are words of its head.
pub fn syslog_header(message: &[u8]) {
    let header = SyslogHeader::read(message);
    for name in [header.host, header.app].into_iter().flatten() {
        assert!(!name.is_empty() && !name.contains(&b' '));
        assert!(message.windows(name.len()).take(512).any(|piece| piece == name));
    }
}

/// Any bytes are a certificate with a few short names, or none.
pub fn certificate(der: &[u8]) {
    let names = certificate_names(der);
    assert!(names.len() <= 16 && names.iter().all(|name| (1..=255).contains(&name.len())));
    let _ = common_name(der);
}

/// Any bytes are refused or are exactly what would be written again.
pub fn file_places(bytes: &[u8]) {
    if let Ok(places) = Places::decode(bytes) {
        assert_eq!(places.encode(), bytes);
    }
}
