//! What holds for any bytes that a vendor may answer. The fuzz targets call these, and so does
//! `crates/server/tests/poll_corpus.rs` with the checked-in corpus.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use indelible::door::poll::cloudtrail::{bucket, digest, key, queue};
use indelible::door::poll::origin::Origin;
use indelible::door::poll::paged::{Pace, Paged};
use indelible::door::poll::streams::Streams;
use indelible::door::poll::{Answer, Poller, Step, entra, github, kafka, link, moment, okta};

const PACE: Pace = Pace { interval_ms: 1_000, late_ms: 60_000, slice_ms: Some(3_600_000) };

/// Whatever a vendor answers, events are bytes of the answer, and the next request stays at home.
/// The first line is the `Link` header, the rest the body.
pub fn page(data: &[u8]) {
    let split = data.iter().position(|&byte| byte == b'\n').unwrap_or(data.len());
    let (header, body) = (&data[..split], Bytes::copy_from_slice(data.get(split + 1..).unwrap_or_default()));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header) {
        headers.insert("link", value);
    }
    let answer = Answer { status: StatusCode::OK, headers, body };
    let origin = || Origin::parse("https://vendor.example").unwrap();
    let pollers: [Box<dyn Poller>; 4] = [
        Box::new(Paged::new(okta::Okta, origin(), PACE, None, 0)),
        Box::new(Paged::new(entra::Entra { log: entra::EntraLog::SignIns }, origin(), PACE, None, 0)),
        Box::new(Paged::new(github::Github::new("acme", false), origin(), PACE, None, 0)),
        Box::new(Streams::new(vec![("a", ())], None, |(), cursor| Box::new(Paged::new(okta::Okta, origin(), PACE, cursor, 0)))),
    ];
    for mut poller in pollers {
        let now = 1_800_000_000_000;
        let Step::Ask(first) = poller.next(now) else { panic!("there is something to ask at first") };
        if let Ok(page) = poller.answered(&answer, now) {
            for event in &page.events {
                assert!(!event.raw.is_empty() && !event.id.as_str().is_empty());
                assert!(answer.body.as_ptr() <= event.raw.as_ptr());
                assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&event.raw).is_ok());
            }
        } else {
            assert_eq!(poller.next(now), Step::Ask(first), "trouble moves nothing");
        }
        match poller.next(now) {
            Step::Ask(ask) => assert!(ask.url.starts_with("https://vendor.example/"), "{}", ask.url),
            Step::WaitUntil(until) => assert!(until > now),
        }
        poller.refused(&answer, now);
    }
}

/// A cursor from anywhere never leads elsewhere.
pub fn cursor(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let origin = Origin::parse("https://vendor.example").unwrap();
    let mut poller = Paged::new(okta::Okta, origin, PACE, Some(text), 0);
    if let Step::Ask(ask) = poller.next(1_800_000_000_000) {
        assert!(ask.url.starts_with("https://vendor.example/"), "{}", ask.url);
    }
}

/// AWS's forms, and messages of a topic.
pub fn aws(data: &[u8]) {
    let _ = (bucket::listing(data), queue::messages(data), digest::read(data), digest::public_keys(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = (queue::files_in(text), digest::configured_key(text), link::in_value(text, "next"));
        // A file in the folder of its day, as CloudTrail puts it.
        if let Some(key::Named::Log(stream, at)) = key::parse(text)
            && text.starts_with(&format!("{}{}/", stream.logs(), moment::formatted(at, "%Y/%m/%d")))
        {
            assert!(stream.logs_before(at).as_str() <= text, "a place sorts before its file");
        }
    }
    for event in kafka::events("t", 0, 0, None, &Bytes::copy_from_slice(data)) {
        assert!(event.raw.len() <= data.len());
    }
}
