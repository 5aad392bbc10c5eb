//! Event files and receipts of a small log that changes its key twice, and whatever may be done to
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "small_log/log.rs"]
mod log;

use evidence::event_file::{ActSeen, Cuts};
use evidence::{Act, ActHead, EventFile, Facts, Kind, Part, Place, Receipt, Wrong, open_receipt};
use log::{Log, ORIGIN, RAW, rotated_log, rotations, vkey};
use proptest::prelude::*;
use tlog::LeafIndex;

fn wrong<T: std::fmt::Debug>(result: Result<T, Wrong>) -> String {
    let wrong = result.unwrap_err();
    format!("{}: {wrong}", wrong.place())
}

#[test]
fn an_event_file_proves_its_entry_and_says_what_it_hides() {
    let log = rotated_log();
    let file = log.event_file(2, 4, 1);
    let event = file.verify(&vkey(1), &[]).unwrap();
    assert_eq!((event.index, event.parts, event.cuts), (LeafIndex(2), 5, Cuts::Recomputed));
    assert_eq!(event.facts.unwrap().source, "okta-prod");
    assert_eq!(file.raw().unwrap(), RAW);
    for hide in 0..file.parts.len() {
        let mut hidden = file.clone();
        hidden.parts[hide] = hidden.parts[hide].hide();
        let event = hidden.verify(&vkey(1), &[]).unwrap();
        assert_eq!(event.hidden, [hide]);
        // Only the people being hidden leaves everything there that the rule of cutting needs.
        assert_eq!(event.cuts == Cuts::Recomputed, hide == 1, "part {hide}");
    }
    let mut nothing = file;
    nothing.parts = nothing.parts.iter().map(Part::hide).collect();
    assert_eq!(nothing.verify(&vkey(1), &[]).unwrap().hidden.len(), 5);
}

#[test]
fn a_file_reads_back_as_it_was_written_keys_included() {
    let log = rotated_log();
    let mut file = log.event_file(10, 12, 3);
    file.parts[3] = file.parts[3].hide();
    file.keys = rotations(&log);
    assert_eq!(EventFile::parse(&file.to_json()).unwrap(), file);
    assert_eq!(EventFile::parse_keys(&file.to_json()).unwrap(), [file.clone()]);
    let list = [b"[", file.to_json().as_slice(), b",\n", &file.keys[0].to_json(), b"]"].concat();
    assert_eq!(EventFile::parse_keys(&list).unwrap(), [file.clone(), file.keys[0].clone()]);
}

#[test]
fn shapes_that_the_format_does_not_have_are_refused() {
    let log = rotated_log();
    let text = String::from_utf8(log.event_file(2, 4, 1).to_json()).unwrap();
    let refused = |text: &str, why: &str| {
        let error = EventFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{error} is not about {why}");
    };
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    };
    EventFile::parse(replaced("{\"format\"", "{\"x\":1.5e9,\"y\":{\"a\":1,\"a\":2},\"format\"").as_bytes()).unwrap();
    refused(&replaced("{\"format\"", "{\"x\":1,\"\\u0078\":2,\"format\""), "twice");
    refused(&replaced("{\"format\"", "{\"format\":\"indelible-event/v1\",\"format\""), "twice");
    refused(&replaced("{\"format\"", "{\"keys\":[],\"keys\":[],\"format\""), "twice");
    refused(&replaced("{\"bytes\":", "{\"bytes\":\"\",\"bytes\":"), "twice");
    refused(&replaced("{\"bytes\":", "{\"note\":\"\",\"bytes\":"), "unknown");
    refused(&replaced("{\"bytes\":", "{\"digest\":null,\"bytes\":"), "not a string");
    refused(&replaced("\"parts\":[", "\"parts\":[[],"), "not an object");
    refused(&replaced("\"parts\":[", "\"parts\":[],\"more\":["), "3 to 255");
    refused(&replaced("\"parts\":[", "\"parts\":null,\"more\":["), "array");
    refused(&replaced("\"leaf\":\"AQ", "\"leaf\":\"Ag"), "version 2");
    refused(&replaced("\"leaf\":\"AQA", "\"leaf\":\"AQM"), "kind 3");
    refused(&replaced("\"leaf\":", "\"loaf\":"), "leaf");
    refused(&replaced("event/v1", "event/v2"), "newer");
    refused(&format!("{text}{{}}"), "trailing");
    refused(&format!("[{text}]"), "object");
    refused("[\"indelible-event/v1\",\"\",[],\"\"]", "object");
    refused(&"[".repeat(1 << 20), "object");
    let deep = format!("{{\"keys\":{}", "[{\"keys\":".repeat(100_000));
    refused(&deep, "recursion");
}

#[test]
fn a_false_part_leaf_proof_or_key_is_found_and_located() {
    let log = rotated_log();
    let good = log.event_file(2, 4, 1);
    let verdict = |change: &dyn Fn(&mut EventFile)| {
        let mut file = good.clone();
        change(&mut file);
        wrong(file.verify(&vkey(1), &[]))
    };
    assert!(verdict(&|file| file.parts.swap(2, 3)).starts_with("parts: the parts are not those"));
    assert!(verdict(&|file| file.parts[2] = Part::Hidden { digest: [0; 32] }).starts_with("parts: the parts are not"));
    assert!(verdict(&|file| drop(file.parts.pop())).starts_with("parts: the parts are not those"));
    assert!(verdict(&|file| file.leaf.received_at += 1).starts_with("proof: "));
    assert!(verdict(&|file| file.proof.index.0 = 1).starts_with("proof: "));
    assert!(verdict(&|file| file.proof.index.0 = 4).starts_with("proof: "));
    assert!(verdict(&|file| file.proof.extra = Some(vec![0; 48])).starts_with("proof: the proof carries"));
    assert!(verdict(&|file| file.proof.checkpoint = log.checkpoint(4, 2)).contains("--keys"));
    good.verify(&vkey(1), &[]).unwrap();
}

#[test]
fn raw_that_is_cut_elsewhere_or_by_an_unknown_rule_is_refused() {
    let mut log = Log::default();
    let facts = Facts::new("okta-prod", "http").to_bytes();
    let with = |facts: &[u8], raw: &[&[u8]]| [facts, b"{}"].iter().chain(raw).map(|part| part.to_vec()).collect::<Vec<_>>();
    log.push(Kind::Event, with(&facts, &[b"{\"a\":1,\"b\":2}"]));
    log.push(Kind::Event, with(&facts, &[b"{\"a\":1,", b"\"b\":2}", b""]));
    log.push(Kind::Record, with(br#"{"cut":2,"door":"http","map":0,"source":"s","v":1}"#, &[b"x"]));
    log.push(Kind::Event, with(br#"{"cut":1,"door":"http","map":0,"source":"s","v":2}"#, &[b"x"]));
    log.push(Kind::Event, with(br#"{"cut":1, "v":1}"#, &[b"x"]));
    log.push(Kind::Event, with(br#"{"cut":1,"cut":1,"v":1}"#, &[b"x"]));
    log.push(Kind::Event, with(&facts, &[b""]));
    let verdict = |index| log.event_file(index, 7, 1).verify(&vkey(1), &[]);
    assert!(wrong(verdict(0)).contains("not cut where"));
    assert!(wrong(verdict(1)).contains("not cut where"));
    assert!(wrong(verdict(2)).starts_with("part 0: ") && wrong(verdict(2)).contains("cut 2"));
    assert!(wrong(verdict(3)).contains("version 2"));
    assert!(wrong(verdict(4)).contains("canonical"));
    assert!(wrong(verdict(5)).contains("twice"));
    verdict(6).unwrap();
}

#[test]
fn an_act_has_its_shape_numbers_and_origin_and_an_unknown_one_no_authority() {
    let mut log = rotated_log();
    let part2 = |origin: &str, prev: u64| Act::Public { public: true }.to_part2(&ActHead { origin: origin.into(), prev: Some(prev) });
    let good = log.act_bytes(part2(ORIGIN, 8));
    let stranger = log.act_bytes(part2("example.com/other", 8));
    let ahead = log.act_bytes(part2(ORIGIN, 14));
    let malformed = log.act_bytes(b"{\"act\":\"public\"}".to_vec());
    let unknown = log.act_bytes(format!("{{\"act\":\"key.create\",\"origin\":\"{ORIGIN}\",\"prev\":8,\"v\":1}}").into());
    let odd = log.act_bytes(format!("{{\"act\":\"public\",\"origin\":\"{ORIGIN}\",\"prev\":8,\"v\":1}}").into());
    let three = log.push(Kind::Act, log.entries[good as usize].parts[..3].to_vec());
    let six = log.push(Kind::Act, [&log.entries[good as usize].parts[..], &[b"".to_vec(), b"".to_vec()]].concat());
    let countersigned = log.push(Kind::Act, [&log.entries[good as usize].parts[..], &[b"sigs".to_vec()]].concat());
    let mut numbered = log.push(Kind::Act, log.entries[good as usize].parts.clone());
    log.entries[numbered as usize].leaf.source = 7;
    let size = log.entries.len() as u64;
    let verdict = |index| log.event_file(index, size, 1).verify(&vkey(1), &[]);
    assert!(matches!(verdict(good).unwrap().act, Some(ActSeen::Known(act)) if *act == Act::Public { public: true }));
    assert!(wrong(verdict(stranger)).contains("example.com/other"));
    assert!(wrong(verdict(ahead)).contains("names 14"));
    assert!(wrong(verdict(malformed)).starts_with("part 2: "));
    assert!(matches!(verdict(unknown).unwrap().act, Some(ActSeen::NoAuthority(_))));
    assert!(matches!(verdict(odd).unwrap().act, Some(ActSeen::NoAuthority(_))));
    assert!(wrong(verdict(three)).contains("4 or 5"));
    assert!(wrong(verdict(six)).contains("4 or 5"));
    verdict(countersigned).unwrap();
    assert!(wrong(verdict(numbered)).contains("of source 7"));
    let mut hidden = log.event_file(malformed, size, 1);
    hidden.parts[2] = hidden.parts[2].hide();
    assert!(hidden.verify(&vkey(1), &[]).unwrap().act.is_none());
    numbered = good;
    assert!(log.event_file(numbered, size, 1).raw().is_none());
}

#[test]
fn old_and_new_files_hold_under_an_old_and_a_new_pinned_key() {
    let log = rotated_log();
    let keys = rotations(&log);
    // Index, size, who signed: before, between and after the rotations, and at their very edges.
    for (index, size, signer) in [(1, 4, 1), (4, 5, 1), (5, 6, 2), (5, 8, 2), (8, 9, 2), (9, 10, 3), (2, 12, 3)] {
        for pinned in 1..=3 {
            let file = log.event_file(index, size, signer);
            let event = file.verify(&vkey(pinned), &keys).unwrap();
            assert_eq!((event.checkpoint.key, event.rotations), (vkey(signer), 2));
            let inside = EventFile { keys: keys.clone(), ..file.clone() };
            inside.verify(&vkey(pinned), &[]).unwrap();
            // The same rotation inside and beside, and a rotation's file that brings another along.
            inside.verify(&vkey(pinned), &keys).unwrap();
            let nested = EventFile { keys: vec![keys[0].clone()], ..keys[1].clone() };
            file.verify(&vkey(pinned), &[nested]).unwrap();
            let alone = file.verify(&vkey(pinned), &[]);
            assert_eq!(alone.is_ok(), pinned == signer, "without the rotations");
            let receipt = log.receipt(index, size, signer, false).to_string();
            open_receipt(&receipt, &vkey(pinned), &keys).unwrap();
        }
    }
    log.event_file(9, 10, 3).verify(&vkey(2), &keys[1..]).unwrap();
    assert!(log.event_file(9, 10, 3).verify(&vkey(2), &keys[..1]).is_err(), "the rotation that is needed is missing");
}

#[test]
fn a_key_signs_only_trees_of_its_own_time() {
    let log = rotated_log();
    let keys = rotations(&log);
    for (index, size, signer) in [(1, 6, 1), (1, 12, 1), (1, 5, 2), (1, 10, 2), (1, 4, 3), (1, 9, 3), (1, 4, 2)] {
        for pinned in 1..=3 {
            let verdict = wrong(log.event_file(index, size, signer).verify(&vkey(pinned), &keys));
            assert!(verdict.starts_with("checkpoint: the tree of size"), "{size} by {signer}: {verdict}");
        }
    }
}

#[test]
fn rotations_that_do_not_join_up_or_hold_are_refused() {
    let log = rotated_log();
    let keys = rotations(&log);
    let file = log.event_file(1, 4, 1);
    let verdict = |pinned, keys: &[EventFile]| wrong(file.verify(&vkey(pinned), keys));
    assert!(verdict(1, &keys[1..]).contains("neither begin"));
    assert!(verdict(4, &keys).contains("neither begin"));
    assert!(verdict(1, std::slice::from_ref(&file)).contains("not a rotation act"));
    assert!(verdict(1, &[log.event_file(0, 4, 1)]).contains("not a rotation act"));
    assert!(verdict(1, &[log.event_file(4, 9, 1)]).contains("index 4"), "the old key signed too much");
    assert!(verdict(1, &[log.event_file(4, 9, 2)]).contains("in charge"), "not the old key's checkpoint");
    let mut hidden = keys[0].clone();
    hidden.parts[2] = hidden.parts[2].hide();
    assert!(verdict(1, &[hidden]).contains("part 2 is shown"));
    let mut moved = keys[0].clone();
    moved.proof.index.0 = 3;
    assert!(verdict(1, &[moved]).contains("signature of the rotation"));
    assert_eq!(file.verify(&vkey(1), &vec![keys[0].clone(); 2]).unwrap().rotations, 1);

    // Two successors of one key: two histories.
    let mut fork = Log::default();
    for _ in 0..6 {
        fork.event(RAW);
    }
    assert_eq!(fork.rotate(1, 9), 6);
    assert!(verdict(1, &[keys[0].clone(), fork.event_file(6, 7, 1)]).contains("two histories"));
    // A key that comes back.
    let mut back = Log::default();
    back.rotate(1, 2);
    back.rotate(2, 1);
    let keys = [back.event_file(0, 1, 1), back.event_file(1, 2, 2)];
    assert!(verdict(1, &keys).contains("two histories"));
    // Too many are not looked at.
    let many: Vec<_> = (0..1_002)
        .map(|index| {
            let mut file = file.clone();
            file.proof.index.0 = index;
            file
        })
        .collect();
    assert!(verdict(1, &many).contains("more than the 1000"));
}

#[test]
fn a_receipt_proves_the_leaf_and_with_the_salt_the_raw_bytes() {
    let log = rotated_log();
    for index in [2, 6] {
        let raw = log.event_file(index, 12, 3).raw().unwrap();
        let size = if index == 2 { 4 } else { 8 };
        let signer = if index == 2 { 1 } else { 2 };
        let long = log.receipt(index, size, signer, true);
        assert_eq!(long.to_string().parse::<Receipt>().unwrap(), long);
        let receipt = open_receipt(&long.to_string(), &vkey(signer), &[]).unwrap();
        receipt.check_raw(&raw).unwrap();
        let mut other = raw.clone();
        other[3] ^= 1;
        assert_eq!(receipt.check_raw(&other).unwrap_err().place(), Place::Raw);
        assert!(receipt.check_raw(b"").is_err());
        let short = open_receipt(&log.receipt(index, size, signer, false).to_string(), &vkey(signer), &[]).unwrap();
        assert!(short.check_raw(&raw).unwrap_err().to_string().contains("no salt"));
    }
    let text = log.receipt(2, 4, 1, true).to_string();
    let extra = text.lines().nth(1).unwrap();
    for (from, to) in [(extra, "extra AAAA"), ("index 2", "index 02"), ("index 2", "index 1"), ("index 2", "index  2"), (extra, "")] {
        assert!(open_receipt(&text.replacen(from, to, 1), &vkey(1), &[]).is_err(), "{to}");
    }
    assert!(open_receipt(&format!("{text}\n"), &vkey(1), &[]).is_err());
    assert!(open_receipt(&text, &vkey(2), &[]).is_err());
}

/// Golden bytes of the formats; `indelible-verify` is tried on the same files. They change only on
/// purpose: `UPDATE_GOLDEN=1` writes them anew.
#[test]
fn files_and_receipts_have_golden_bytes() {
    let log = rotated_log();
    let mut redacted = log.event_file(2, 4, 1);
    redacted.parts[1] = redacted.parts[1].hide();
    redacted.parts[3] = redacted.parts[3].hide();
    let keys = rotations(&log);
    let key_list = [b"[", keys[0].to_json().as_slice(), b",", &keys[1].to_json(), b"]"].concat();
    let with_keys = EventFile { keys, ..log.event_file(10, 12, 3) };
    let vkeys: String = (1..=3).map(|seed| format!("{}\n", vkey(seed))).collect();
    for (name, bytes) in [
        ("event.json", log.event_file(2, 4, 1).to_json()),
        ("event-redacted.json", redacted.to_json()),
        ("event-new-key.json", log.event_file(10, 12, 3).to_json()),
        ("event-with-keys.json", with_keys.to_json()),
        ("act.json", log.event_file(4, 5, 1).to_json()),
        ("keys.json", key_list),
        ("long.tlog-proof", log.receipt(2, 4, 1, true).to_string().into_bytes()),
        ("short.tlog-proof", log.receipt(6, 12, 3, false).to_string().into_bytes()),
        ("raw", RAW.to_vec()),
        ("vkeys", vkeys.into_bytes()),
    ] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Every byte of an event file matters, except white space and the spelling of names, which JSON
    /// leaves open: what still verifies must say the same.
    #[test]
    fn no_changed_byte_of_a_file_makes_another_statement(place: prop::sample::Index, bit in 0u8..8) {
        let log = rotated_log();
        let mut file = log.event_file(10, 12, 3);
        file.keys = rotations(&log);
        let mut bytes = file.to_json();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = EventFile::parse(&bytes)
            && let Ok(event) = read.verify(&vkey(3), &[])
        {
            // Only members that are not read any more may differ: "keys" under another name.
            prop_assert_eq!(event.leaf, file.leaf);
            prop_assert_eq!(read.parts, file.parts);
            prop_assert_eq!(read.proof, file.proof);
        }
    }

    #[test]
    fn no_changed_byte_of_a_receipt_makes_another_statement(place: prop::sample::Index, bit in 0u8..8) {
        let log = rotated_log();
        let good = log.receipt(2, 4, 1, true);
        let mut bytes = good.to_string().into_bytes();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(receipt) = open_receipt(&text, &vkey(1), &[])
        {
            prop_assert_eq!((receipt.leaf, receipt.index), (good.leaf, good.index));
            prop_assert!(receipt.sender != good.sender, "only extra is not authenticated");
            prop_assert!(receipt.check_raw(RAW).is_err());
        }
    }

    #[test]
    fn nothing_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), cut_at: prop::sample::Index) {
        let log = rotated_log();
        let _ = EventFile::parse(&bytes);
        let _ = EventFile::parse_keys(&bytes);
        let _ = String::from_utf8_lossy(&bytes).parse::<Receipt>();
        let whole = log.event_file(2, 4, 1).to_json();
        assert!(EventFile::parse(&whole[..cut_at.index(whole.len())]).is_err());
    }
}
