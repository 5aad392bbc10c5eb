//! What a report rests on, how it is told, and of which directories there is one.

use std::sync::atomic::{AtomicBool, Ordering};

use indelible::store::media::{Media, SimMedia};
use indelible::verify::Trust;

use super::*;

#[test]
fn trust_begins_with_the_pinned_key_and_the_report_says_so() {
    let report = verify_with(STORE.files.clone(), &without_checkpoint());
    assert_eq!(report.trust, Trust::FirstAct);
    let newest: VerifierKey = report.key.unwrap().parse().unwrap();
    let stranger = VerifierKey::new(newest.name.clone(), STORE.stranger).unwrap();
    for (pinned, holds) in [(STORE.first_key.clone(), true), (newest, true), (stranger, false)] {
        let options = VerifyOptions { pinned: Some(pinned), ..without_checkpoint() };
        let report = verify_with(STORE.files.clone(), &options);
        assert_eq!((report.holds, report.trust), (holds, Trust::Pinned), "{}", describe(&report));
    }
}

#[test]
fn a_directory_is_verified_beside_a_running_server() {
    let media = Arc::new(SimMedia::new(1));
    let trail = store::running(media.clone());
    let is_done = AtomicBool::new(false);
    let beside_a_server = VerifyOptions { is_served: true, ..without_checkpoint() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..150 {
                store::append_lines(&trail, 20);
            }
            is_done.store(true, Ordering::SeqCst);
        });
        let mut looks = 0;
        while !is_done.load(Ordering::SeqCst) {
            let report = verify_directory(&*media, &beside_a_server, &|_| {}).unwrap();
            assert!(report.holds, "look {looks} at {}:{}", report.size, describe(&report));
            looks += 1;
        }
        println!("{looks} looks");
    });
}

#[test]
fn a_file_not_yet_recorded_is_leftover_only_when_no_server_is_about_to_record_it() {
    let end = STORE.files.keys().filter(|path| path.starts_with("payload/")).count() as u64 * 1000;
    let mut files = STORE.files.clone();
    files.insert(evidence::act::payload_file_name(end, 256, 1, 0), b"under way".to_vec().into());
    files.insert("wal/stale-9.wal".into(), b"not yet zeroed".to_vec().into());
    for (is_served, holds) in [(true, true), (false, false)] {
        let report = verify_with(files.clone(), &VerifyOptions { is_served, ..against_newest() });
        assert_eq!(report.holds, holds, "{}", describe(&report));
    }
    // Where recorded files already say what there is, nothing more is to come.
    files.insert(evidence::act::payload_file_name(0, 255, 1, 0), b"slipped in".to_vec().into());
    let report = verify_with(files, &VerifyOptions { is_served: true, ..against_newest() });
    assert_eq!(report.findings.iter().map(|finding| finding.verdict).collect::<Vec<_>>(), [Verdict::Leftover]);
}

#[test]
fn a_report_is_json_with_the_place_in_it() {
    let path = STORE.files.keys().find(|path| path.ends_with("-c1-g0.parquet")).unwrap();
    let report = verify_with(flipped(path, 20), &against_newest());
    let json: serde_json::Value = serde_json::to_value(&report).unwrap();
    assert_eq!(report.exit_code(), 1);
    assert_eq!(json["holds"], false);
    assert_eq!(json["findings"][0]["verdict"], "tampered");
    assert_eq!(json["findings"][0]["file"], path.as_str());
    assert_eq!(json["findings"][0]["segment"], 0);
}

#[test]
fn what_is_no_trail_or_no_checkpoint_cannot_be_verified() {
    let options = VerifyOptions { from_checkpoint: Some("nonsense".into()), ..without_checkpoint() };
    assert!(verify_directory(&Shelf(STORE.files.clone()), &options, &|_| {}).is_err());
    let empty = SimMedia::new(1);
    assert!(empty.list("").unwrap().is_empty());
    assert!(verify_directory(&empty, &without_checkpoint(), &|_| {}).is_err());
}
