//! Whatever is done to a directory behind the log's back is found and located.
//!
//! Held against the newest checkpoint, every change is found. Without one, all that passes is a tail
//! cut off or rolled back as if what followed had never been; the tests list exactly these. Nothing
//! rests on spare write-ahead files, which hold zeros: one more or fewer is no change of the log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

#[path = "tamper/report.rs"]
mod report;
#[path = "tamper/shelf.rs"]
mod shelf;
#[path = "tamper/store.rs"]
mod store;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use indelible::log::chunk::Chunk;
use indelible::store::leaves_file;
use indelible::store::payload_file::{OwnedRow, PayloadFile, PayloadWriter, parse_payload_name};
use indelible::store::wal::{self, BLOCK_BYTES, FrameAt};
use indelible::verify::{Finding, Report, Verdict, VerifyOptions, verify_directory};
use rayon::prelude::*;
use shelf::{Files, Shelf};
use store::{Store, build};
use tlog::VerifierKey;

static STORE: LazyLock<Store> = LazyLock::new(|| {
    // The Parquet library asserts what altered bytes break; the payload reader contains that. A
    // thousand backtraces of it take longer than the test.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.location().is_some_and(|place| !place.file().contains("/registry/")) {
            hook(info);
        }
    }));
    build()
});

fn verify_with(files: Files, options: &VerifyOptions) -> Report {
    verify_directory(&Shelf(files), options, &|_| {}).unwrap()
}

fn against_newest() -> VerifyOptions {
    VerifyOptions { from_checkpoint: Some(STORE.note.clone()), threads: 1, ..VerifyOptions::default() }
}

fn without_checkpoint() -> VerifyOptions {
    VerifyOptions { threads: 1, ..VerifyOptions::default() }
}

/// The store with some files replaced, or removed.
fn with(changes: &[(&str, Option<Vec<u8>>)]) -> Files {
    let mut files = STORE.files.clone();
    for (path, bytes) in changes {
        match bytes {
            Some(bytes) => files.insert((*path).to_owned(), Arc::new(bytes.clone())),
            None => files.remove(*path),
        };
    }
    files
}

/// Indexes that a file holds, by its name.
fn indexes(path: &str) -> Option<(u64, u64)> {
    let (dir, name) = path.split_once('/')?;
    match dir {
        "payload" => parse_payload_name(name).map(|name| (name.first, name.first + name.count)),
        "segments" => {
            let number: u64 = name.get(..6)?.parse().ok()?;
            Some((number * 256, (number + 1) * 256))
        }
        _ => None,
    }
}

/// What the given checkpoint alone brings to light.
fn is_of_given_checkpoint(finding: &Finding) -> bool {
    finding.file.is_none() && finding.text.contains("the given checkpoint")
}

/// Whether a finding names the file, or the directory it is alone in: the act of a rotation cannot
/// name its checkpoint, and a directory where none belongs is named as one.
fn names(finding: &Finding, path: &str) -> bool {
    let within = |file: &str| path.strip_prefix(file).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    finding.file.as_deref().is_some_and(within)
}

/// Whether a finding of the directory itself names the file or covers what it holds.
fn locates(report: &Report, path: &str) -> bool {
    let mut findings = report.findings.iter().filter(|finding| !is_of_given_checkpoint(finding));
    findings.any(|finding| {
        let covers = indexes(path)
            .is_some_and(|(first, end)| finding.file.is_none() && finding.range.is_some_and(|range| range.overlaps(first, end)));
        names(finding, path) || covers
    })
}

fn describe(report: &Report) -> String {
    report.findings.iter().map(|finding| format!("\n    {finding}")).collect()
}

/// Every byte of the store: path, position.
fn every_byte() -> Vec<(&'static str, usize)> {
    let files = STORE.files.iter();
    files.flat_map(|(path, bytes)| (0..bytes.len()).map(move |at| (path.as_str(), at))).collect()
}

fn flipped(path: &str, at: usize) -> Files {
    let mut bytes = STORE.files[path].to_vec();
    bytes[at] ^= 1 << (at % 8);
    with(&[(path, Some(bytes))])
}

/// Nothing rests on these: zeros, and a next file that is ready and holds no frame.
fn is_spare(path: &str) -> bool {
    path.starts_with("wal/free-") || (path.starts_with("wal/") && STORE.files.get(path).is_some_and(|bytes| is_unused(bytes)))
}

fn is_unused(wal_file: &[u8]) -> bool {
    wal_file.iter().skip(BLOCK_BYTES).all(|byte| *byte == 0)
}

fn assert_none(missed: &[String]) {
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_untouched_store_holds_and_has_everything_in_it() {
    for options in [against_newest(), without_checkpoint()] {
        let report = verify_with(STORE.files.clone(), &options);
        assert!(report.holds, "{}", describe(&report));
        assert_eq!((report.size, report.segments, report.entries_checked), (STORE.size, 2, STORE.size));
        assert_eq!(report.exit_code(), 0);
        assert_eq!(report.checkpoint.as_deref(), Some(STORE.note.as_str()));
        assert!(report.root.is_some_and(|root| STORE.note.contains(&root.to_string())));
    }
    let bytes: usize = STORE.files.values().map(|bytes| bytes.len()).sum();
    for (path, bytes) in &STORE.files {
        println!("{:>6} {path}", bytes.len());
    }
    println!("{bytes} bytes in {} files", STORE.files.len());
    assert!(bytes <= 96 << 10, "{bytes} bytes");
    for (dir, least) in [("wal/", 2), ("segments/", 5), ("payload/", 8), ("ids/", 4), ("checkpoints/", 3), ("checkpoint", 1)] {
        assert!(STORE.files.keys().filter(|path| path.starts_with(dir)).count() >= least, "{dir}");
    }
}

#[test]
fn every_flipped_byte_is_found_and_located() {
    let started = std::time::Instant::now();
    let options = against_newest();
    let bytes = every_byte();
    let missed: Vec<String> = bytes
        .par_iter()
        .filter_map(|(path, at)| {
            let report = verify_with(flipped(path, *at), &options);
            (report.holds || !locates(&report, path)).then(|| format!("{path} byte {at}:{}", describe(&report)))
        })
        .collect();
    println!("{} flips in {:?}", bytes.len(), started.elapsed());
    assert_none(&missed);
}

#[test]
fn every_truncation_is_found_and_located() {
    let started = std::time::Instant::now();
    let options = against_newest();
    let bytes = every_byte();
    let missed: Vec<String> = bytes
        .par_iter()
        .filter_map(|(path, length)| {
            let cut = STORE.files[*path][..*length].to_vec();
            let report = verify_with(with(&[(path, Some(cut))]), &options);
            (report.holds || !locates(&report, path)).then(|| format!("{path} cut to {length}:{}", describe(&report)))
        })
        .collect();
    println!("{} truncations in {:?}", bytes.len(), started.elapsed());
    assert_none(&missed);
}

/// Files that could be taken for each other.
fn kind(path: &str) -> &str {
    let dir = path.split('/').next().unwrap();
    match path.rsplit_once('.') {
        Some((_, extension)) if dir == "segments" => extension,
        _ => dir,
    }
}

#[test]
fn every_swapped_pair_is_found_and_located() {
    let paths: Vec<&str> = STORE.files.keys().map(String::as_str).collect();
    let mut missed = Vec::new();
    for (n, a) in paths.iter().enumerate() {
        for b in paths[n + 1..].iter().filter(|b| kind(b) == kind(a)) {
            let (in_a, in_b) = (STORE.files[*a].to_vec(), STORE.files[*b].to_vec());
            if in_a == in_b {
                continue;
            }
            let report = verify_with(with(&[(a, Some(in_b)), (b, Some(in_a))]), &against_newest());
            if report.holds || !locates(&report, a) || !locates(&report, b) {
                missed.push(format!("{a} and {b}:{}", describe(&report)));
            }
        }
    }
    assert_none(&missed);
}

/// Names under which a copy of a file could pass for one that belongs.
fn plausible_names(path: &str) -> Vec<String> {
    let Some((dir, name)) = path.split_once('/') else {
        return ["checkpoint.tmp", "checkpoint.0.tmp", "checkpoint2", "wal/checkpoint", "segments/checkpoint"].map(String::from).into();
    };
    let mut names = vec![format!("{path}.tmp"), format!("{path}.0.tmp"), format!("{dir}/copy-of-{name}"), name.to_owned()];
    match dir {
        "wal" => {
            let log = STORE.files.keys().filter_map(|path| path.strip_prefix("wal/")?.strip_suffix(".wal")?.parse::<u64>().ok());
            let (least, most) = (log.clone().min().unwrap(), log.max().unwrap());
            names.extend([least - 1, most + 1, most + 2].map(|n| format!("wal/{n:010}.wal")));
            names.extend(["wal/stale-99.wal", "wal/free-99.wal"].map(String::from));
        }
        "segments" => {
            for number in 0..4 {
                let others = ["", "-10", "-20", "-255"].map(|count| format!("segments/{number:06}{count}.leaves"));
                names.extend(others);
                names.push(format!("segments/{number:06}.tile"));
            }
        }
        "payload" => {
            let own = parse_payload_name(name).unwrap();
            for (first, count, class, generation) in [
                (own.first, own.count, own.class, 1),
                (own.first, own.count, own.class + 1, 0),
                (own.first, own.count, 1 - own.class.min(1), 0),
                (own.first + own.count, own.count, own.class, 0),
                (own.first, own.count + 1, own.class, 0),
                (own.first + 1, own.count - 1, own.class, 0),
                (STORE.size, 10, own.class, 0),
            ] {
                names.push(evidence::act::payload_file_name(first, count, class, generation));
            }
        }
        "ids" => names.extend([(0, 7), (STORE.size, 5), (600, 1)].map(|(first, count)| evidence::act::ids_file_name(first, count))),
        _ => {
            let (size, hash) = name.split_once('/').unwrap();
            names.extend(["1", "256", "512", "545", "999"].map(|other| format!("checkpoints/{other}/{hash}")));
            names.extend([format!("checkpoints/{size}/{}", "0".repeat(64)), format!("checkpoints/{hash}")]);
        }
    }
    names.retain(|name| !STORE.files.contains_key(name));
    names
}

#[test]
fn every_copy_under_another_name_is_found_and_named() {
    let mut passed = Vec::new();
    for path in STORE.files.keys() {
        for name in plausible_names(path) {
            let copy = STORE.files[path].to_vec();
            let report = verify_with(with(&[(&name, Some(copy))]), &against_newest());
            if !report.findings.iter().any(|finding| names(finding, &name)) {
                passed.push(format!("{path} as {name}{}", describe(&report)));
            }
        }
    }
    // One more spare file full of zeros.
    let spare = STORE.files.keys().find(|path| path.starts_with("wal/free-")).unwrap();
    assert_eq!(passed, [format!("{spare} as wal/free-99.wal")]);
}

#[test]
fn every_deleted_file_is_found_and_located() {
    let mut passed = Vec::new();
    for path in STORE.files.keys() {
        let report = verify_with(with(&[(path, None)]), &against_newest());
        if report.holds {
            passed.push(path.as_str());
        } else {
            assert!(locates(&report, path), "{path}:{}", describe(&report));
        }
    }
    let spare: Vec<&str> = STORE.files.keys().map(String::as_str).filter(|path| is_spare(path)).collect();
    assert!(spare.len() <= 2, "{spare:?}");
    assert_eq!(passed, spare);
}

#[test]
fn every_older_copy_of_one_file_is_found_and_located() {
    let (mut tried, mut missed) = (0, Vec::new());
    for (when, _, files) in &STORE.earlier {
        for (path, older) in files {
            if STORE.files.get(path) == Some(older) {
                continue;
            }
            tried += 1;
            for options in [against_newest(), without_checkpoint()] {
                let report = verify_with(with(&[(path, Some(older.to_vec()))]), &options);
                if report.holds || !locates(&report, path) {
                    missed.push(format!("{path} as it was at {when:?}:{}", describe(&report)));
                }
            }
        }
    }
    assert!(tried >= 20, "{tried}");
    // A spare of an earlier time is zeros like any other.
    missed.retain(|missed| !missed.starts_with("wal/free-"));
    assert_none(&missed);
}

#[test]
fn a_rolled_back_directory_is_found_with_a_newer_checkpoint_and_only_then() {
    for (when, size, files) in &STORE.earlier {
        let report = verify_with(files.clone(), &against_newest());
        let behind = report.findings.iter().find(|finding| finding.verdict == Verdict::Behind).unwrap_or_else(|| panic!("{when}"));
        assert_eq!((behind.first_bad, behind.last_good_checkpoint), (Some(*size), Some(*size)), "{when}");
        assert_eq!(behind.range.unwrap().end, Some(STORE.size));
        assert_eq!(report.findings.len(), 1, "{when}:{}", describe(&report));
        let report = verify_with(files.clone(), &without_checkpoint());
        assert!(report.holds, "a whole directory of an earlier time is a log: {when}:{}", describe(&report));
        assert_eq!(report.size, *size);
    }
}

#[test]
fn a_tail_cut_off_is_found_with_a_newer_checkpoint_and_only_then() {
    let shelf = Shelf(STORE.files.clone());
    let scan = wal::scan(&shelf, "wal").unwrap();
    let mut cuts = 0;
    for FrameAt { file, block, .. } in scan.frames.iter().copied() {
        let frame = scan.frames.iter().copied().find(|frame| (frame.file, frame.block) == (file, block)).unwrap();
        let chunk = Chunk::decode(&scan.reader().read(frame).unwrap()).unwrap();
        let mut files = STORE.files.clone();
        for later in scan.files.iter().filter(|later| later.sequence >= file) {
            let kept = if later.sequence == file { block as usize * BLOCK_BYTES } else { BLOCK_BYTES };
            let bytes = Arc::make_mut(files.get_mut(&later.path).unwrap());
            bytes[kept..].fill(0);
        }
        // The checkpoint beside the log tells.
        let first = chunk.header.first;
        let report = verify_with(files.clone(), &without_checkpoint());
        assert!(locates(&report, "checkpoint") || !report.holds, "cut at {first}");
        // So it is put back too: the chunk that was cut carried it.
        files.insert("checkpoint".into(), Arc::new(chunk.header.previous_checkpoint.into_bytes()));
        let alone = verify_with(files.clone(), &without_checkpoint());
        let report = verify_with(files, &against_newest());
        let behind = report.findings.iter().find(|finding| is_of_given_checkpoint(finding));
        let behind = behind.unwrap_or_else(|| panic!("cut at {first}:{}", describe(&report)));
        assert!(behind.verdict == Verdict::Behind && behind.first_bad <= Some(first), "cut at {first}");
        // A cut passes only where files were recorded before it.
        if alone.holds {
            assert_eq!((report.findings.len(), behind.first_bad), (1, Some(first)));
            cuts += 1;
        }
        println!("cut at {first}: {}", if alone.holds { "passes without a checkpoint".to_owned() } else { describe(&alone) });
    }
    assert!(cuts >= 3, "{cuts}");
}

/// Rows of all payload files.
fn rows(files: &Files) -> BTreeMap<&str, Vec<OwnedRow>> {
    let payload = files.iter().filter(|(path, _)| path.starts_with("payload/"));
    payload
        .map(|(path, bytes)| {
            let mut rows = Vec::new();
            let file = PayloadFile::open(Bytes::from(bytes.to_vec())).unwrap();
            file.for_each(&mut |row| rows.push(row.to_owned_row())).unwrap();
            (path.as_str(), rows)
        })
        .collect()
}

#[test]
fn without_file_hashes_the_tree_alone_finds_every_flip_that_changes_a_row() {
    let options = VerifyOptions { check_file_hashes: false, ..against_newest() };
    let bytes = every_byte();
    let good = rows(&STORE.files);
    let flips: Vec<(usize, u32)> = (0..2000_u64)
        .map(|n| {
            // SplitMix64: the same flips every time, all over the store.
            let mut x = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^= x >> 31;
            (usize::try_from(x % bytes.len() as u64).unwrap(), u32::try_from(x >> 61).unwrap())
        })
        .collect();
    let unseen: Vec<&str> = flips
        .par_iter()
        .filter_map(|(byte, bit)| {
            let (path, at) = bytes[*byte];
            let mut changed = STORE.files[path].to_vec();
            changed[at] ^= 1 << bit;
            let files = with(&[(path, Some(changed))]);
            if !verify_with(files.clone(), &options).holds {
                return None;
            }
            assert_eq!(rows(&files), good, "{path} byte {at} bit {bit}");
            Some(path)
        })
        .collect();
    println!("{} of {} flips change no row", unseen.len(), flips.len());
    assert!(unseen.iter().all(|path| path.starts_with("payload/")), "{unseen:?}");
}

/// Rewrites entry `index` and whatever in the segment's files depends on it; signs nothing.
fn rewritten(path: &str, index: u64) -> Files {
    let mut all = rows(&STORE.files).remove(path).unwrap();
    let meta = PayloadFile::open(Bytes::from(STORE.files[path].to_vec())).unwrap().meta().clone();
    let row = all.iter_mut().find(|row| row.index == index).unwrap();
    row.raw = Bytes::from_static(br#"{"a":"nothing happened"}"#);
    let mut cuts = Vec::new();
    evidence::cut(&row.raw, &mut cuts);
    let salt = row.salts.as_ref().try_into().unwrap();
    let commitment = evidence::commit(&salt, &row.facts, &row.people, &row.raw, &cuts);
    let mut writer = PayloadWriter::new(meta).unwrap();
    all.iter().for_each(|row| writer.push(&row.as_row()).unwrap());
    let payload = writer.finish().unwrap();

    let [leaves_path, tile_path] = evidence::act::seal_file_names(index / 256);
    let mut leaves = leaves_file::parse(&STORE.files[&leaves_path]).unwrap();
    leaves[usize::try_from(index % 256).unwrap()][16..].copy_from_slice(&commitment);
    let tile = leaves_file::level1_tile(&leaves);
    with(&[(path, Some(payload)), (&leaves_path, Some(leaves_file::encode(&leaves))), (&tile_path, Some(tile))])
}

#[test]
fn an_entry_rewritten_with_everything_that_depends_on_it_does_not_give_the_signed_root() {
    let path = evidence::act::payload_file_name(0, 100, 1, 0);
    let files = rewritten(&path, 50);
    let report = verify_with(files.clone(), &without_checkpoint());
    for path in [path.as_str(), "segments/000000.leaves", "segments/000000.tile"] {
        assert!(report.findings.iter().any(|finding| names(finding, path)), "{path}:{}", describe(&report));
    }
    let by_the_tree_alone = VerifyOptions { check_file_hashes: false, ..without_checkpoint() };
    let report = verify_with(files, &by_the_tree_alone);
    let [finding] = report.findings.as_slice() else { panic!("{}", describe(&report)) };
    assert_eq!((finding.verdict, finding.segment), (Verdict::Tampered, Some(0)));
    assert_eq!(finding.last_good_checkpoint, None, "{finding}");
    assert!(finding.range.unwrap().contains(50));
}

#[test]
fn a_bad_byte_is_located_to_its_entry_and_blamed_on_the_file_that_was_altered() {
    let by_the_tree_alone = VerifyOptions { check_file_hashes: false, ..without_checkpoint() };
    // The commitment of entry 300, in the leaves file: the row still gives the signed root.
    let report = verify_with(flipped("segments/000001.leaves", (300 - 256) * 50 + 2 + 20), &by_the_tree_alone);
    let [finding] = report.findings.as_slice() else { panic!("{}", describe(&report)) };
    assert_eq!((finding.file.as_deref(), finding.first_bad), (Some("segments/000001.leaves"), Some(300)));
    assert_eq!(finding.last_good_checkpoint, Some(256));
    // Its class: no other file says it, but the row lies where the class was.
    let report = verify_with(flipped("segments/000001.leaves", (300 - 256) * 50 + 2 + 7), &by_the_tree_alone);
    assert_eq!(report.findings[0].file.as_deref(), Some("segments/000001.leaves"));
    assert_eq!(report.findings[0].first_bad, Some(300), "{}", describe(&report));
}
