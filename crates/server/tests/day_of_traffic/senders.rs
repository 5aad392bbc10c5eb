//! Senders as real ones are: one after another, the same request again until it is answered with 2xx.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::day::{Dice, Event};

/// Where the server is now.
pub type Address = Arc<Mutex<String>>;

/// Until when everything must have been taken.
const PATIENCE: Duration = Duration::from_secs(120);

/// One request, the same at each try.
pub struct Request {
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// Sends the requests in order, over `takes`; gives how often it had to send one again.
pub fn send_all(address: &Address, requests: &[Request], takes: Duration, dice: &mut Dice) -> usize {
    let (began, mut again) = (Instant::now(), 0);
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    for (request, nth) in requests.iter().zip(0u32..) {
        let due = takes * nth / u32::try_from(requests.len()).unwrap();
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        while !is_taken(&agent, address, request, dice) {
            again += 1;
            assert!(began.elapsed() < PATIENCE, "{} is never taken", request.path);
            std::thread::sleep(Duration::from_millis(10 + dice.below(60)));
        }
    }
    again
}

/// Whether the server said that it keeps the request. Now and then the sender does not wait for that.
fn is_taken(agent: &ureq::Agent, address: &Address, request: &Request, dice: &mut Dice) -> bool {
    let url = format!("{}{}", address.lock().unwrap(), request.path);
    let waits = if dice.below(6) == 0 { Duration::from_millis(1 + dice.below(25)) } else { Duration::from_secs(10) };
    let mut post = agent.post(url).config().timeout_global(Some(waits)).build();
    for (name, value) in &request.headers {
        post = post.header(*name, value);
    }
    let Ok(mut answer) = post.send(&request.body[..]) else { return false };
    let Ok(text) = answer.body_mut().read_to_string() else { return false };
    match answer.status().as_u16() {
        200..300 => true,
        429 | 500.. => false,
        status => panic!("{} is answered {status}: {text}", request.path),
    }
}

/// An organization's webhook: an event a request, signed.
pub fn github(events: &[Event], secret: &str) -> Vec<Request> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let request = |event: &Event| {
        let tag: String = hmac::sign(&key, event.raw.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-github-event", "organization".to_owned()),
            ("x-github-delivery", event.id.clone()),
            ("x-hub-signature-256", format!("sha256={tag}")),
        ];
        Request { path: "/v1/hooks/github-hook".into(), headers, body: event.raw.clone().into_bytes() }
    };
    events.iter().map(request).collect()
}

/// Requests of some events each: `path`, a header with the key, and what `body` makes of them.
fn batches(events: &[Event], size: usize, path: &str, authorization: &str, body: impl Fn(&[&str]) -> String) -> Vec<Request> {
    let request = |events: &[Event]| {
        let raws: Vec<&str> = events.iter().map(|event| event.raw.as_str()).collect();
        let headers = vec![("authorization", authorization.to_owned()), ("content-type", "application/json".to_owned())];
        Request { path: path.into(), headers, body: body(&raws).into_bytes() }
    };
    events.chunks(size).map(request).collect()
}

/// The API server's audit webhook.
pub fn kubernetes(events: &[Event], key: &str) -> Vec<Request> {
    batches(events, 8, "/v1/k8s/k8s-prod", &format!("Bearer {key}"), |items| {
        format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#, items.join(",\n"))
    })
}

/// Splunk's event collector has no ids: that of the record makes a retry enter nothing twice.
pub fn splunk(events: &[Event], key: &str) -> Vec<Request> {
    batches(events, 10, "/services/collector/event", &format!("Splunk {key}"), |events| {
        events.iter().map(|event| format!("{{\"event\":{event}}}\n")).collect()
    })
}

/// Lines have no id either: the sender's is in the header.
pub fn lines(events: &[Event], key: &str) -> Vec<Request> {
    let mut requests = batches(events, 12, "/v1/events?source=bastion", &format!("Bearer {key}"), |lines| lines.join("\n") + "\n");
    for (request, nth) in requests.iter_mut().zip(0..) {
        request.headers[1].1 = "text/plain".into();
        request.headers.push(("idempotency-key", format!("bastion-{nth}")));
    }
    requests
}

/// Writes CloudTrail's objects as a copy of the bucket does: under another name first.
pub fn write_objects(directory: &Path, events: &[Event], takes: Duration) {
    let objects: Vec<&[Event]> = events.chunks(15).collect();
    let pause = takes / u32::try_from(objects.len()).unwrap();
    for (events, nth) in objects.iter().zip(0..) {
        let raws: Vec<&str> = events.iter().map(|event| event.raw.as_str()).collect();
        let mut object = GzEncoder::new(Vec::new(), Compression::fast());
        write!(object, "{{\"Records\":[{}]}}", raws.join(",")).unwrap();
        let unfinished = directory.join(".copying");
        std::fs::write(&unfinished, object.finish().unwrap()).unwrap();
        let name = format!("444455556666_CloudTrail_eu-central-1_20250603T{:02}{:02}Z_{nth:04}.json.gz", nth / 12, nth % 12 * 5);
        std::fs::rename(&unfinished, directory.join(name)).unwrap();
        std::thread::sleep(pause);
    }
}
