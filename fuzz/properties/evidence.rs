//! What holds for any bytes given to the readers of `evidence`. The fuzz targets call these, and so
//! does `crates/evidence/tests/corpus.rs` with the checked-in corpus.
#![allow(dead_code, reason = "each fuzz target calls one of them")]

use evidence::act::parse_head;
use evidence::export::{ExportCheck, ExportLine, ExportManifest};
use evidence::{EventFile, EvidenceFile, Receipt, commit, commit_parts, cut, is_canonical, open_receipt, page, parse_part2};
use tlog::VerifierKey;

/// The first key of `crates/evidence/tests/golden/vkeys`.
pub const LOG: &str = "example.com/log+9be5d3c6+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

fn key() -> Option<VerifierKey> {
    LOG.parse().ok()
}

/// An event file is read or refused; what is read is written and read back the same; what verifies
/// has a leaf that its parts lead to.
pub fn event_file(bytes: &[u8]) {
    let _ = EventFile::parse_keys(bytes);
    let Ok(file) = EventFile::parse(bytes) else {
        return;
    };
    let again = file.to_json();
    assert_eq!(EventFile::parse(&again).ok().as_ref(), Some(&file));
    let Some(key) = key() else { return };
    if let Ok(event) = file.verify(&key, &[]) {
        let digests: Vec<[u8; 32]> = file.parts.iter().map(evidence::Part::digest).collect();
        assert_eq!(evidence::commitment::commitment_of(&digests), event.leaf.commitment);
        assert!(event.index.0 < event.checkpoint.checkpoint.size.0);
    }
}

/// A receipt is read or refused; what is read is written back to the byte.
pub fn receipt(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(receipt) = text.parse::<Receipt>() {
        assert_eq!(receipt.to_string(), text);
    }
    let Some(key) = key() else { return };
    if let Ok(receipt) = open_receipt(text, &key, &[]) {
        let _ = receipt.check_raw(bytes);
    }
}

/// A page or bare evidence is read or refused; what is read is written back to the byte, in a page too;
/// what verifies has the entries that its case lists.
pub fn evidence_file(bytes: &[u8]) {
    let evidence = page::read(bytes).map_or(bytes, |page| page.evidence.as_bytes());
    let Ok(file) = EvidenceFile::parse(evidence) else {
        return;
    };
    assert_eq!(file.to_json(), evidence);
    let html = page::write(evidence);
    assert!(page::read(&html).is_ok_and(|page| page.known && page.evidence.as_bytes() == evidence));
    let Some(key) = key() else { return };
    if let Ok(verified) = file.verify(&key, &[]) {
        assert_eq!(verified.case.to_text(), file.case);
        assert!(verified.case.entries.iter().map(|entry| entry.index).eq(verified.events.iter().map(|event| event.index.0)));
    }
}

/// Part 2 of an act is read or refused; what is read is canonical and is written back to the byte.
pub fn act(bytes: &[u8]) {
    let head = parse_head(bytes);
    if let Ok((read, act)) = parse_part2(bytes) {
        assert!(is_canonical(bytes));
        assert_eq!(act.to_part2(&read), bytes);
        assert!(matches!(head, Ok((head, name)) if head == read && name == act.name()));
    }
}

/// Raw is cut into 1 to 253 parts that add up to it; the two ways to commit agree.
pub fn raw(bytes: &[u8]) {
    let mut cuts = Vec::new();
    cut(bytes, &mut cuts);
    assert!((1..=253).contains(&cuts.len()));
    assert_eq!(cuts.iter().map(|length| *length as usize).sum::<usize>(), bytes.len());
    let mut parts: Vec<&[u8]> = vec![b"{}", b"{}"];
    let mut rest = bytes;
    for length in &cuts {
        let (part, after) = rest.split_at(*length as usize);
        parts.push(part);
        rest = after;
    }
    assert_eq!(commit(&[1; 16], b"{}", b"{}", bytes, &cuts), commit_parts(&[1; 16], &parts));
}

/// Lines of an export and its manifest as the last are read or refused; what holds has as many lines as it
/// says, each with a leaf that its bytes lead to, in a tree that the checkpoint signs.
pub fn export(bytes: &[u8]) {
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let manifest = lines.pop().map(ExportManifest::parse);
    let lines: Vec<_> = lines.into_iter().map(ExportLine::parse).collect();
    let (Some(Ok(manifest)), Some(key)) = (manifest, key()) else { return };
    let Ok((checkpoint, _)) = manifest.open(&key, &[]) else { return };
    let mut check = ExportCheck::begin(checkpoint.clone());
    for line in &lines {
        let Ok(line) = line else { return };
        if check.take(line).is_err() {
            return;
        }
    }
    if let Ok(verified) = check.finish(&manifest) {
        assert_eq!(verified.count, lines.len() as u64);
        assert_eq!(verified.checkpoint.checkpoint.root, checkpoint.checkpoint.root);
        let indexes: Vec<u64> = lines.iter().flatten().map(|line| line.index).collect();
        assert!(indexes.is_sorted() && indexes.iter().all(|index| *index < checkpoint.checkpoint.size.0));
    }
}
