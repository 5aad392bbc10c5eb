//! How fast a directory is verified, beside the same hash calls alone: `verify_speed [EVENTS]`.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot be made has nothing to say")]

use std::sync::Arc;
use std::time::Instant;

use evidence::commitment::commit;
use evidence::cut::cut;
use evidence::envelope::Facts;
use evidence::leaf::Kind;
use indelible::log::batch::{BatchBuilder, NewEntry};
use indelible::log::intent::Intent;
use indelible::store::media::Disk;
use indelible::store::trail::{Trail, TrailOptions};
use indelible::verify::{VerifyOptions, verify_directory};
use rayon::prelude::*;

/// About 1 KB in 19 members, like a CloudTrail record.
fn event(n: u64) -> String {
    let x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let members: String = (0..13).map(|i| format!(r#","member{i}":"value {:016x} of {i}""#, x.rotate_left(i * 5))).collect();
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{{"type":"IAMUser","principalId":"AIDA{x:016x}","arn":"arn:aws:iam::123456789012:user/u{}","accountId":"123456789012","userName":"u{}"}},"eventTime":"2026-01-01T00:00:00Z","eventID":"{x:016x}-{n:016x}","eventSource":"iam.amazonaws.com","eventName":"ListUsers"{members}}}"#,
        n % 1000,
        n % 1000
    )
}

fn fill(trail: &Trail, events: u64) {
    let source = Intent::CreateSource { name: "aws".into(), kind: "aws_cloudtrail".into() };
    trail.log().act_blocking(source, b"{}".to_vec()).unwrap();
    let facts = Facts::new("aws", "http").to_bytes();
    for first in (0..events).step_by(1000) {
        let mut batch = BatchBuilder::with_capacity(1000, 1 << 20);
        for n in first..first + 1000 {
            let raw = event(n);
            let entry = NewEntry {
                kind: Kind::Event,
                source: 1,
                class: 1,
                facts: facts.as_slice().into(),
                people: br#"{"key":"k_0123456789abcdef","peer":"192.0.2.1"}"#.as_slice().into(),
                raw: raw.as_bytes(),
                id: None,
            };
            batch.push(&entry).unwrap();
        }
        trail.log().append_blocking(batch.finish()).unwrap();
    }
}

/// Seconds of processor time that this process has used, user and system, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn main() {
    let events = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200_000_u64);
    let dir = tempfile::tempdir().unwrap();
    let media = Arc::new(Disk::new(dir.path()).unwrap());
    let trail = Trail::open(media.clone(), &TrailOptions { threads: false, ..TrailOptions::main("/speed") }).unwrap();
    fill(&trail, events);
    while trail.seal_due().unwrap() {}
    trail.keep_files().unwrap();
    trail.close();
    drop(trail);

    let (started, cpu) = (Instant::now(), cpu_seconds());
    let report = verify_directory(&*media, &VerifyOptions::default(), &|_| {}).unwrap();
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    assert!(report.holds, "{:?}", report.findings);
    println!(
        "verify      {:>9.0} events/s  ({} entries, {} MB read, {} segments, {seconds:.2} s, {:.2} µs of one core an event)",
        report.entries_checked as f64 / seconds,
        report.entries_checked,
        report.bytes_checked / 1_000_000,
        report.segments,
        cpu * 1e6 / report.entries_checked as f64
    );

    let raws: Vec<String> = (0..20_000).map(event).collect();
    let facts = Facts::new("aws", "http").to_bytes();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let rounds = (events / 20_000).max(1);
    let parts: usize = raws
        .par_iter()
        .map_init(Vec::new, |cuts, raw| {
            for _ in 0..rounds {
                cut(raw.as_bytes(), cuts);
                let commitment = commit(&[7; 16], &facts, b"{}", raw.as_bytes(), cuts);
                std::hint::black_box(tlog::Hash::leaf(&commitment));
            }
            cuts.len()
        })
        .sum();
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "hashes alone{:>9.0} events/s  ({:.2} µs of one core an event of {} parts and {} bytes)",
        (raws.len() as u64 * rounds) as f64 / seconds,
        cpu * 1e6 / (raws.len() as u64 * rounds) as f64,
        parts / raws.len() + 2,
        raws.iter().map(String::len).sum::<usize>() / raws.len()
    );
}
