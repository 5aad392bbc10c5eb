//! Real records of every sample source go in over HTTP, come back byte for byte, and verify, also
//! after a restart. Needs the samples: `INDELIBLE_SHARED` names the directory that holds them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    dead_code,
    reason = "a test that panics has failed"
)]

#[path = "cli/binary.rs"]
mod binary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use binary::{Place, Running};
use indelible::intake::{Media, decode};

fn sample_files(shared: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for source in std::fs::read_dir(shared.join("samples")).unwrap() {
        let source = source.unwrap();
        let Ok(raw) = std::fs::read_dir(source.path().join("raw")) else { continue };
        let name = source.file_name().into_string().unwrap();
        files.extend(raw.map(|file| (name.clone(), file.unwrap().path())));
    }
    files.sort();
    files
}

fn send(running: &Running, source: &str, body: &[u8], text: bool) -> Vec<u64> {
    let media = if text { "text/plain" } else { "application/json" };
    let request = ureq::post(format!("{}/v1/events?source={source}", running.url));
    let request = request.header("Authorization", format!("Bearer {}", running.key)).content_type(media);
    let answer = request.send(body).unwrap().body_mut().read_to_string().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|result| result["index"].as_u64().unwrap_or_else(|| panic!("{source}: {result}"))).collect()
}

fn check(running: &Running, kept: &BTreeMap<u64, Vec<u8>>) {
    for (index, raw) in kept {
        let request =
            ureq::get(format!("{}/v1/events/{index}/raw", running.url)).header("Authorization", format!("Bearer {}", running.key));
        let back = request.call().unwrap().body_mut().read_to_vec().unwrap();
        assert_eq!(back, *raw, "entry {index}");
    }
}

#[test]
fn every_sample_comes_back_byte_for_byte_and_verifies_also_after_a_restart() {
    let Some(shared) = std::env::var_os("INDELIBLE_SHARED") else {
        println!("not run: INDELIBLE_SHARED names no directory");
        return;
    };
    let files = sample_files(Path::new(&shared));
    assert!(files.len() > 900, "{} sample files", files.len());
    let place = Place::new();
    let running = place.serve();
    let mut kept = BTreeMap::new();
    for (source, path) in files {
        let body = std::fs::read(&path).unwrap();
        let text = path.extension().is_some_and(|ending| ending == "log");
        let decoded = decode(&body, if text { Media::TextPlain } else { Media::Any }).unwrap();
        assert!(decoded.refused.is_empty() && !decoded.events.is_empty(), "{}", path.display());
        let indexes = send(&running, &source, &body, text);
        assert_eq!(indexes.len(), decoded.events.len(), "{}", path.display());
        for (index, event) in indexes.iter().zip(&decoded.events) {
            // Two sample files may hold the same record: then the earlier entry answers for both.
            let raw = event.raw(&body).to_vec();
            assert!(kept.insert(*index, raw.clone()).is_none_or(|before| before == raw), "{}", path.display());
        }
    }
    check(&running, &kept);
    assert_eq!(running.stop(), 0);
    place.offline(["verify"]).ok();
    let running = place.serve();
    check(&running, &kept);
    assert_eq!(running.stop(), 0);
    place.offline(["verify"]).ok();
    println!("{} records of the samples came back", kept.len());
}
