//! Evidence files of a small log that changed its key twice, and whatever may be done to them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

#[path = "evidence_files/browser.rs"]
mod browser;
#[path = "small_log/log.rs"]
mod log;

use std::sync::LazyLock;

use evidence::canonical_json::{self, Value};
use evidence::case::{Access, Asked, Case, CaseEntry, Covered, Gap, Retention, case_hash};
use evidence::evidence_file::{EvidenceFileError, Fault, Subject};
use evidence::{EvidenceFile, Facts, Kind, Part, People, page};
use log::{Log, RAW, rotated_log, rotations, vkey};
use proptest::prelude::*;

fn record(log: &mut Log, members: &str) -> u64 {
    let mut parts = vec![Facts::new("indelible", "internal").to_bytes(), People::default().to_bytes()];
    let mut cuts = Vec::new();
    evidence::cut(members.as_bytes(), &mut cuts);
    let mut rest = members.as_bytes();
    parts.extend(cuts.iter().map(|length| rest.split_off(..*length as usize).unwrap().to_vec()));
    log.push_own(Kind::Record, parts)
}

const TITLE: &str = "Case 17 </script><b>";

fn case(size: u64, searched: u64, title: &str) -> Case {
    let entry = |index, hidden: &[u64]| CaseEntry { index, summary: vec![("actor".into(), "alice".into())], hidden: hidden.into() };
    Case {
        title: title.into(),
        query: "alice".into(),
        size,
        covered: Covered { from: 0, to: size, unreadable: vec![Gap { first: 5, last: 6, why: "a file is gone".into() }] },
        entries: vec![entry(1, &[]), entry(2, &[3]), entry(9, &[])],
        redacted: vec!["user".into()],
        retention: vec![Retention { class: 1, name: "default".into(), policy: None }],
        access: Access {
            from: 1,
            searches: 3,
            concerning: 1,
            listed: vec![Asked { index: searched, matches: 2, hidden: vec![] }],
            complete: true,
        },
    }
}

fn evidence() -> EvidenceFile {
    static MADE: LazyLock<EvidenceFile> = LazyLock::new(|| evidence_with(TITLE, None));
    MADE.clone()
}

/// Three entries, one of them partly hidden, a search before, the record, and both rotations. With
/// `raw`, these are the bytes of entry 9.
fn evidence_with(title: &str, raw: Option<&[u8]>) -> EvidenceFile {
    let mut log = rotated_log();
    if let Some(raw) = raw {
        log.event(raw);
        log.entries.swap_remove(9);
    }
    let searched = record(&mut log, r#"{"by":"k_1","hits":2,"query":"alice","record":"search","size":11,"v":1}"#);
    let size = log.entries.len() as u64;
    let case = case(size, searched, title).to_text();
    let made = format!(r#"{{"by":"k_1","case":"{}","hits":3,"query":"alice","record":"evidence","size":{size},"v":1}}"#, case_hash(&case));
    let made = record(&mut log, &made);
    let size = log.entries.len() as u64;
    let file = |index| log.event_file(index, size, 3);
    let mut events = vec![file(1), file(2), file(9)];
    events[1].parts[3] = events[1].parts[3].hide();
    EvidenceFile {
        case,
        checkpoint: log.checkpoint(size, 3),
        events,
        record: file(made),
        access: vec![file(searched)],
        vkey: vkey(3),
        keys: rotations(&log),
    }
}

fn faults(file: &EvidenceFile) -> Vec<String> {
    let faults = file.verify(&vkey(1), &[]).unwrap_err();
    faults.iter().map(Fault::to_string).collect()
}

fn assert_fault(file: &EvidenceFile, subject: &str, why: &str) {
    let faults = faults(file);
    assert!(faults.iter().any(|fault| fault.starts_with(&format!("{subject}: ")) && fault.contains(why)), "{subject}, {why}: {faults:?}");
}

#[test]
fn evidence_holds_for_whoever_pinned_any_key_of_the_log() {
    let file = evidence();
    for seed in 1..=3 {
        let verified = file.verify(&vkey(seed), &[]).unwrap();
        assert_eq!((verified.made.by.as_str(), verified.made.index, verified.rotations), ("k_1", 13, 2));
        assert_eq!(verified.events.iter().map(|event| event.index.0).collect::<Vec<_>>(), [1, 2, 9]);
        assert_eq!((verified.events[1].hidden.clone(), verified.case.title.as_str()), (vec![3], TITLE));
        assert_eq!(verified.checkpoint.checkpoint.size.0, 14);
    }
    let stranger = file.verify(&vkey(9), &[]).unwrap_err();
    assert!(stranger.iter().all(|fault| fault.subject == Subject::Checkpoint), "{stranger:?}");
}

#[test]
fn whoever_hides_more_of_it_is_found_out() {
    const WHY: &str = "other parts of it are hidden than the case says";
    let (mut event, mut access) = (evidence(), evidence());
    event.events[0].parts[2] = event.events[0].parts[2].hide();
    assert_fault(&event, "entry 1", WHY);
    access.access[0].parts[2] = access.access[0].parts[2].hide();
    assert_fault(&access, "record of a search, entry 12", WHY);
}

#[test]
fn what_is_wrong_is_named() {
    let good = evidence();
    let changed = |change: fn(&mut EvidenceFile)| {
        let mut file = good.clone();
        change(&mut file);
        file
    };
    let part = |file: &mut EvidenceFile, event: usize| {
        let Part::Shown { bytes, .. } = &mut file.events[event].parts[2] else { panic!("hidden") };
        bytes[3] ^= 1;
    };
    let mut altered = good.clone();
    part(&mut altered, 2);
    assert_fault(&altered, "entry 9", "not those the leaf commits to");
    assert_eq!(faults(&altered).len(), 1);
    part(&mut altered, 0);
    assert_eq!(faults(&altered).len(), 2, "each is named");
    assert_fault(&changed(|file| file.events[0].leaf.received_at += 1), "entry 1", "proof");
    assert_fault(&changed(|file| drop(file.events.remove(1))), "case", "the case lists 3 of them, the file has 2");
    assert_fault(&changed(|file| file.events.swap(0, 1)), "entry 2", "lists entry 1 in its place");
    assert_fault(&changed(|file| file.events.push(file.events[0].clone())), "case", "removed or added");
    assert_fault(&changed(|file| file.case = file.case.replace("Case 17", "Case 18")), "record of the case", "another case");
    assert_fault(&changed(|file| file.record = file.access[0].clone()), "record of the case", "not a record of evidence");
    assert_fault(&changed(|file| file.record = file.events[0].clone()), "record of the case", "not a record of evidence");
    assert_fault(&changed(|file| drop(file.access.pop())), "case", "the case lists 1 of them");
    assert_fault(&changed(|file| file.checkpoint = file.checkpoint.replace("\n14\n", "\n15\n")), "checkpoint", "does not verify");
    assert_fault(&changed(|file| file.events[2].proof.checkpoint = "\u{2014}".into()), "entry 9", "another checkpoint");
    assert_fault(&changed(|file| drop(file.keys.remove(0))), "checkpoint", "rotations");
    assert_fault(&changed(|file| file.case = "{}".into()), "case", "another shape");
    assert_fault(&changed(|file| file.record.parts[3] = file.record.parts[3].hide()), "record of the case", "shown in full");
}

#[test]
fn a_file_and_its_page_have_golden_bytes() {
    let file = evidence();
    let json = file.to_json();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evidence.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &json).unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), json);
    assert!(!json.contains(&b'<'), "nothing in it can end the block it stands in");
    let html = page::write(&json);
    let read = page::read(&html).unwrap();
    assert_eq!((read.evidence.as_bytes(), read.known), (json.as_slice(), true));
    assert_eq!(EvidenceFile::parse(read.evidence.as_bytes()).unwrap(), file);
}

#[test]
fn a_page_that_is_not_the_genuine_one_is_known_for_that() {
    let html = String::from_utf8(page::write(&evidence().to_json())).unwrap();
    for (from, to) in [("<title>Evidence", "<title>Evidenze"), ("result.faults.length === 0", "true"), ("</html>\n", "</html>")] {
        assert!(html.contains(from), "{from}");
        let altered = html.replacen(from, to, 1);
        assert!(!page::read(altered.as_bytes()).unwrap().known, "{from}");
    }
    let block = "<script type=\"application/json\" id=\"evidence\">";
    let twice = html.replacen(block, &format!("{block}{{}}</script>{block}"), 1);
    assert!(matches!(page::read(twice.as_bytes()), Err(EvidenceFileError::Blocks(2))));
    for none in ["<html>", &html[..html.len() / 2], &html.replacen(block, "<script>", 1)] {
        assert!(matches!(page::read(none.as_bytes()), Err(EvidenceFileError::Blocks(0))) || !page::read(none.as_bytes()).unwrap().known);
    }
}

#[test]
fn the_policy_of_the_page_allows_its_own_script_and_style_and_nothing_else() {
    let html = String::from_utf8(page::write(&evidence().to_json())).unwrap();
    let policy = html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    for fetched in [" src=", " href=", "http:", "https:", "url(", "@import", "innerHTML", "eval(", "document.write"] {
        assert!(!html.contains(fetched), "{fetched}");
    }
}

#[test]
fn another_spelling_of_the_same_file_is_refused() {
    let json = String::from_utf8(evidence().to_json()).unwrap();
    for (from, to) in [
        ("{\"access\":", "{ \"access\":"),
        ("\\u003c", "\\u003C"),
        ("\"format\":\"indelible-evidence/v1\"", "\"format\":\"indelible-evidence/v1\",\"more\":1"),
        ("\"format\":\"indelible-evidence/v1\"", "\"format\":\"indelible-evidence/v2\""),
        ("\"checkpoint\":", "\"checkpoint\":\"\",\"checkpoint\":"),
        ("\"leaf\":", "\"unknown\":1,\"leaf\":"),
    ] {
        assert!(json.contains(from), "{from}");
        assert!(EvidenceFile::parse(json.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
    }
}

/// What is named of a file that does not hold; nothing if it cannot be read as one.
fn subjects(json: &[u8]) -> Vec<Subject> {
    let faults = match EvidenceFile::parse(json) {
        Ok(file) => file.verify(&vkey(1), &[]).unwrap_err(),
        Err(EvidenceFileError::Unread(faults)) => faults,
        Err(_) => Vec::new(),
    };
    faults.into_iter().map(|fault| fault.subject).collect()
}

/// Most bytes are base64, where a change often leaves no base64 at all.
#[test]
fn a_changed_byte_is_named_by_what_it_stands_in_whatever_is_left() {
    let file = evidence();
    let json = file.to_json();
    let events = file.events.iter().map(|event| (Subject::Event(event.proof.index.0), event));
    let others = [(Subject::Record, &file.record), (Subject::Access(file.access[0].proof.index.0), &file.access[0])];
    let (mut named, mut all) = (0, 0);
    for (subject, of) in events.chain(others) {
        let of = of.to_json();
        let begin = json.windows(of.len()).position(|window| window == of).unwrap();
        for at in (begin..begin + of.len()).step_by(31).filter(|at| json[*at].is_ascii_alphanumeric()) {
            let mut altered = json.clone();
            altered[at] = if json[at] == b'A' { b'B' } else { b'A' };
            let subjects = subjects(&altered);
            all += 1;
            named += subjects.len();
            // None is named when it is no longer an evidence file: a member has lost its name, or an escape its sense.
            assert!(subjects.iter().all(|named| *named == subject) && subjects.len() < 2, "{subject}: {subjects:?}");
        }
    }
    assert!(named * 10 > all * 8, "{named} of {all}");
}

#[test]
fn all_that_cannot_be_read_is_named() {
    let json = String::from_utf8(evidence().to_json()).unwrap().replace("\"leaf\":\"", "\"leaf\":\"!");
    let [access, record] = [Subject::Access(12), Subject::Record];
    let named = [Subject::Event(1), Subject::Event(2), Subject::Event(9), access, record, Subject::Checkpoint, Subject::Checkpoint];
    assert_eq!(subjects(json.as_bytes()), named);
    let vkey = String::from_utf8(evidence().to_json()).unwrap().replace("\"vkey\":\"", "\"vkey\":\"x");
    assert_eq!(
        EvidenceFile::parse(vkey.as_bytes()).unwrap_err().to_string().split(": ").take(2).collect::<Vec<_>>(),
        ["checkpoint", "vkey"]
    );
}

#[test]
fn only_a_case_of_this_shape_is_read() {
    let text = case(13, 12, TITLE).to_text();
    assert_eq!(Case::parse(&text).unwrap(), case(13, 12, TITLE));
    let Value::Object(members) = canonical_json::parse(text.as_bytes()).unwrap() else { panic!("no object") };
    for (name, _) in &members {
        let without = members.iter().filter(|(member, _)| member != name).cloned().collect();
        let text = String::from_utf8(canonical_json::to_bytes(&Value::Object(without))).unwrap();
        assert!(Case::parse(&text).is_err(), "without {name}");
        let with = members.iter().map(|(member, value)| (member.clone(), if member == name { Value::Bool(true) } else { value.clone() }));
        let text = String::from_utf8(canonical_json::to_bytes(&Value::Object(with.collect()))).unwrap();
        assert!(Case::parse(&text).is_err(), "with another {name}");
    }
    for (from, to) in [
        ("\"index\":2", "\"index\":1"),
        ("\"index\":9", "\"index\":13"),
        ("\"v\":2", "\"v\":1"),
        (",\"v\":2", ",\"v\":2,\"w\":1"),
        ("\"hidden\":[3]", "\"hidden\":[-3]"),
        ("\"hidden\":[3]", "\"hidden\":3"),
    ] {
        assert!(text.contains(from) && Case::parse(&text.replacen(from, to, 1)).is_err(), "{to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Every bit of the evidence counts, also what nobody reads.
    #[test]
    fn no_changed_bit_of_a_file_is_overlooked(place: prop::sample::Index, bit in 0u8..8) {
        let mut json = evidence().to_json();
        let at = place.index(json.len());
        json[at] ^= 1 << bit;
        if let Ok(file) = EvidenceFile::parse(&json) {
            prop_assert!(file.verify(&vkey(1), &[]).is_err() || file.vkey != vkey(3), "byte {at}");
        }
    }

    #[test]
    fn nothing_makes_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text: String) {
        let _ = (EvidenceFile::parse(&bytes), page::read(&bytes), Case::parse(&text), page::read(text.as_bytes()));
    }
}

#[test]
fn the_log_of_these_tests_holds_what_they_say() {
    assert_eq!(rotated_log().entries[1].parts[2..].concat(), RAW);
}
