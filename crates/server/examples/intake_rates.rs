//! How fast a door is, beside what `serde_json` needs to validate the same bytes. A program and no
//! test, since a rate proves nothing on a busy machine:
//! `cargo run --release -p indelible --example intake_rates`

use std::hint::black_box;
use std::time::Instant;

use indelible::intake::{Media, decode, record_id};

/// A management event of about one kilobyte, as CloudTrail sends it.
fn event(number: usize) -> String {
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLEID{number:08}:alice","arn":"arn:aws:sts::123456789012:assumed-role/Admin/alice","accountId":"123456789012","accessKeyId":"ASIAExample{number:08}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLEID","arn":"arn:aws:iam::123456789012:role/Admin","accountId":"123456789012","userName":"Admin"}},"attributes":{{"creationDate":"2026-11-22T10:00:00Z","mfaAuthenticated":"true"}}}}}},"eventTime":"2026-11-22T10:15:30Z","eventSource":"iam.amazonaws.com","eventName":"AttachRolePolicy","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.17","userAgent":"aws-cli/2.15.0 Python/3.11.6 Linux/6.1 exe/x86_64","requestParameters":{{"roleName":"service-{number}","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}},"responseElements":null,"requestID":"6a1d0c3e-0000-4000-8000-{number:012}","eventID":"0c3e6a1d-0000-4000-8000-{number:012}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"123456789012"}}"#
    )
}

fn best_gb_per_s(bytes: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..40).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    bytes as f64 / times.fold(f64::MAX, f64::min) / 1e9
}

fn main() {
    let events: Vec<_> = (0..8_000).map(event).collect();
    let lines = events.join("\n");
    let array = format!("[{}]", events.join(","));
    let validate = best_gb_per_s(lines.len(), || {
        for event in &events {
            black_box(serde_json::from_slice::<serde::de::IgnoredAny>(event.as_bytes()).is_ok());
        }
    });
    let shape = |body: &str, media| best_gb_per_s(body.len(), || drop(black_box(decode(body.as_bytes(), media))));
    let ids = |events: &[String]| {
        best_gb_per_s(lines.len(), || {
            for event in events {
                black_box(record_id(event.as_bytes()));
            }
        })
    };
    let last: Vec<_> = events.iter().map(|event| event.replace("recipientAccountId", "id")).collect();
    let small = r#"{"id":"7","actor":"alice","action":"login"}"#;
    let start = Instant::now();
    (0..100_000).for_each(|_| drop(black_box(decode(black_box(small.as_bytes()), Media::Any))));
    let small_ns = start.elapsed().as_nanos() / 100_000;
    println!("events of {} bytes", lines.len() / events.len());
    println!("serde_json, validation alone {validate:.2} GB/s");
    println!("lines {:.2} GB/s, array {:.2} GB/s", shape(&lines, Media::Any), shape(&array, Media::Any));
    println!("text/plain {:.2} GB/s", shape(&lines, Media::TextPlain));
    println!("record id absent {:.2} GB/s, in the last member {:.2} GB/s; one small event {small_ns} ns", ids(&events), ids(&last));
}
