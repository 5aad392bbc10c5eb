//! Exports of a small log, and whatever may be done to them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "small_log/log.rs"]
mod log;

use evidence::export::{ExportCheck, ExportError, ExportLine, ExportManifest, VerifiedExport, gap};
use evidence::{EventFile, Kind};
use log::*;
use proptest::prelude::*;
use tlog::Nodes as _;
use tlog::canonical::base64;

/// Writes an export from the page of FORMAT.md, without a line of what reads it.
struct Export {
    lines: Vec<String>,
    manifest: String,
}

fn hashes(log: &Log, from: u64, to: u64) -> String {
    let mut texts = Vec::new();
    let mut at = from;
    while at < to {
        // The largest subtree that begins here and fits.
        let level = (0..64).rev().find(|level| at.is_multiple_of(1 << level) && at + (1 << level) <= to).unwrap();
        texts.push(format!("\"{}\"", log.node(level, at >> level).unwrap()));
        at += 1 << level;
    }
    texts.join(",")
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok_and(|value| value.get() == text)
}

fn line(log: &Log, index: u64, behind: u64) -> String {
    let entry = &log.entries[index as usize];
    let text = |part: usize| String::from_utf8(entry.parts[part].clone()).unwrap();
    let (raw, more) = if entry.leaf.kind == Kind::Act {
        (entry.parts[2].clone(), format!(",\"more\":[\"{}\"]", base64(&entry.parts[3])))
    } else {
        (entry.parts[2..].concat(), String::new())
    };
    let raw = match String::from_utf8(raw.clone()) {
        Ok(text) if text.starts_with('{') && !text.contains(['\n', '\r']) && is_json(&text) => format!("\"raw\":{text}"),
        Ok(text) => format!("\"raw\":{},\"raw_is\":\"text\"", serde_json::to_string(&text).unwrap()),
        Err(_) => format!("\"raw\":\"{}\",\"raw_is\":\"base64\"", base64(&raw)),
    };
    format!(
        "{{\"index\":{index},\"time\":\"derived\",{raw},\"evidence\":{{\"leaf\":\"{}\",\"salt\":\"{}\",\"facts\":{},\"people\":{}{more},\"before\":[{}]}}}}",
        base64(&entry.leaf.encode()),
        base64(&entry.salt.0),
        text(0),
        text(1),
        hashes(log, behind, index),
    )
}

fn export(log: &Log, size: u64, seed: u8, indexes: &[u64]) -> Export {
    let mut behind = 0;
    let mut lines = Vec::new();
    for index in indexes {
        lines.push(line(log, *index, behind));
        behind = index + 1;
    }
    let rotated = log.entries.get(4).is_some_and(|entry| entry.leaf.kind == Kind::Act);
    let keys = if rotated { rotations(log) } else { Vec::new() };
    let keys: Vec<_> = keys.iter().map(|file| String::from_utf8(file.to_json()).unwrap()).collect();
    let manifest = format!(
        "{{\"format\":\"indelible-export/v1\",\"encoding\":\"ndjson\",\"query\":\"\",\"checkpoint\":{},\"covered\":{{\"complete\":true}},\
         \"count\":{},\"after\":[{}],\"next\":null,\"keys\":[{}]}}",
        serde_json::to_string(&log.checkpoint(size, seed)).unwrap(),
        lines.len(),
        hashes(log, behind, size),
        keys.join(","),
    );
    Export { lines, manifest }
}

fn check(export: &Export) -> Result<VerifiedExport, ExportError> {
    let manifest = ExportManifest::parse(export.manifest.as_bytes())?;
    let (checkpoint, _) = manifest.open(&vkey(1), &[])?;
    let mut check = ExportCheck::begin(checkpoint);
    for line in &export.lines {
        check.take(&ExportLine::parse(line.as_bytes())?)?;
    }
    check.finish(&manifest)
}

/// Text, JSON over lines, bytes that are no text, and the acts of the log that changed its key twice.
fn log_of_all_kinds() -> Log {
    let mut log = rotated_log();
    log.event("{\n \"user\": \"ana\"\n}".as_bytes());
    log.event(&[0xff, 0x00, b'"']);
    log.event("a \"text\"\u{202e}\u{7f}".as_bytes());
    log.event(br#"{"a":1,"a":2,"long":"\ud83d\u0000"}"#);
    log
}

#[test]
fn an_export_of_everything_holds_with_every_kind_of_entry() {
    let log = log_of_all_kinds();
    let size = log.entries.len() as u64;
    let all: Vec<u64> = (0..size).collect();
    let verified = check(&export(&log, size, 3, &all)).unwrap();
    assert_eq!((verified.count, verified.range), (size, Some((0, size - 1))));
    let line = ExportLine::parse(line(&log, 12, 0).as_bytes()).unwrap();
    assert_eq!(line.raw, b"{\n \"user\": \"ana\"\n}");
}

#[test]
fn nothing_found_is_an_export_too() {
    let log = log_of_all_kinds();
    let verified = check(&export(&log, 16, 3, &[])).unwrap();
    assert_eq!((verified.count, verified.range), (0, None));
}

#[test]
fn a_line_that_is_dropped_moved_doubled_or_of_another_log_is_found() {
    let log = log_of_all_kinds();
    let good = || export(&log, 16, 3, &[1, 2, 6, 9, 13]);
    assert!(check(&good()).is_ok());
    for at in 0..5 {
        let mut dropped = good();
        dropped.lines.remove(at);
        assert!(check(&dropped).is_err(), "dropped {at}");
        dropped.manifest = dropped.manifest.replace("\"count\":5", "\"count\":4");
        assert!(check(&dropped).is_err(), "dropped {at}, and the count with it");
        let mut doubled = good();
        doubled.lines.insert(at, doubled.lines[at].clone());
        assert!(matches!(check(&doubled), Err(ExportError::Order { .. })), "doubled {at}");
    }
    let mut swapped = good();
    swapped.lines.swap(1, 2);
    assert!(check(&swapped).is_err());
    let mut other = Log::default();
    for n in 0..16 {
        other.event(format!("{{\"n\":{n}}}").as_bytes());
    }
    let mut mixed = good();
    mixed.lines[4] = line(&other, 13, 10);
    assert!(matches!(check(&mixed), Err(ExportError::Root)));
    // The same entry at another index.
    let mut moved = good();
    moved.lines[1] = moved.lines[1].replace("\"index\":2", "\"index\":3");
    assert!(check(&moved).is_err());
}

#[test]
fn what_stands_there_twice_or_is_unknown_where_it_counts_is_refused() {
    let log = log_of_all_kinds();
    let good = line(&log, 1, 0);
    let refused = |from: &str, to: &str| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        ExportLine::parse(changed.as_bytes()).unwrap_err().to_string()
    };
    assert!(refused("{\"index\":1,", "{\"index\":1,\"index\":2,").contains("twice"));
    assert!(refused("\"salt\":", "\"leaf\":\"\",\"salt\":").contains("twice"));
    assert!(refused("\"salt\":", "\"pepper\":1,\"salt\":").contains("unknown"));
    assert!(refused("\"evidence\":", "\"raw_is\":\"hex\",\"evidence\":").contains("raw_is"));
    assert!(refused("\"raw\":", "\"row\":").contains("raw"));
    ExportLine::parse(good.replacen("\"time\"", "\"later\"", 1).as_bytes()).unwrap();
    let manifest = export(&log, 16, 3, &[1]).manifest;
    let refused = |from: &str, to: &str| ExportManifest::parse(manifest.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
    assert!(refused("export/v1", "export/v2").contains("only"));
    assert!(refused("\"count\"", "\"next\":1,\"count\"").contains("twice"));
    assert!(refused("\"next\"", "\"files\":[{\"name\":\"../x\",\"bytes\":1,\"sha256\":\"\"}],\"next\"").contains("directory"));
}

#[test]
fn an_export_ends_at_the_key_that_was_pinned() {
    let log = log_of_all_kinds();
    let manifest = ExportManifest::parse(export(&log, 16, 3, &[1]).manifest.as_bytes()).unwrap();
    assert_eq!(manifest.open(&vkey(1), &[]).unwrap().1, 2);
    assert!(manifest.open(&vkey(9), &[]).is_err());
    let bare = ExportManifest { keys: Vec::<EventFile>::new(), ..manifest };
    assert!(bare.open(&vkey(1), &[]).is_err());
    assert!(bare.open(&vkey(1), &rotations(&log)).is_ok() && bare.open(&vkey(3), &[]).is_ok());
}

/// As a program leaves it, for whoever checks files.
#[test]
fn an_export_has_golden_bytes() {
    let log = log_of_all_kinds();
    let Export { lines, manifest } = export(&log, 16, 3, &[1, 4, 6, 12, 13, 15]);
    let data: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    let sha256 = tlog::canonical::hex(&tlog::sha256(&[&data]));
    let file = format!("\"files\":[{{\"name\":\"export.ndjson\",\"bytes\":{},\"sha256\":\"{sha256}\",\"count\":6}}]", data.len());
    let manifest = format!("{}\n", manifest.replace("\"next\":null", &format!("\"next\":null,{file}")));
    for (name, bytes) in [("export.ndjson", data), ("export.ndjson.manifest.json", manifest.into_bytes())] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
    }
}

proptest! {
    #[test]
    fn any_choice_of_entries_of_any_log_holds_and_any_changed_byte_of_what_is_proved_does_not(
        raws in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..24),
        chosen in prop::collection::vec(any::<bool>(), 24),
        at: prop::sample::Index,
        flip in 1..=255u8,
    ) {
        let mut log = Log::default();
        for raw in &raws {
            log.event(raw);
        }
        let size = raws.len() as u64;
        let indexes: Vec<u64> = (0..size).filter(|index| chosen[*index as usize]).collect();
        let mut export = export(&log, size, 1, &indexes);
        let verified = check(&export).unwrap();
        prop_assert_eq!(verified.count, indexes.len() as u64);
        if !indexes.is_empty() {
            let nth = at.index(indexes.len());
            let mut bytes = export.lines[nth].clone().into_bytes();
            let derived = export.lines[nth].find("\"time\":\"derived\",").unwrap();
            let place = at.index(bytes.len());
            prop_assume!(!(derived..derived + 17).contains(&place));
            bytes[place] ^= flip;
            if let Ok(text) = String::from_utf8(bytes) {
                let before = std::mem::replace(&mut export.lines[nth], text);
                // `\u001f` and `\u001F` are one character.
                let same = ExportLine::parse(export.lines[nth].as_bytes()).is_ok_and(|line| line == ExportLine::parse(before.as_bytes()).unwrap());
                prop_assert!(same || check(&export).is_err(), "{}", export.lines[nth]);
            }
        }
    }

    #[test]
    fn a_gap_is_filled_exactly(from in 0..5_000u64, length in 0..5_000u64) {
        let mut at = from;
        for (level, index) in gap(from, from + length) {
            prop_assert_eq!(index << level, at);
            at += 1 << level;
        }
        prop_assert_eq!(at, from + length);
    }

    #[test]
    fn any_bytes_are_a_line_or_refused(bytes: Vec<u8>) {
        let _ = ExportLine::parse(&bytes);
        let _ = ExportManifest::parse(&bytes);
    }
}
