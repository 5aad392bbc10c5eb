//! Whatever happens to the lake, it is made again, and only then.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indelible::config::LakeContent;
use indelible::search::remap::files_since;
use indelible::search::{Index, Indexer};
use indelible::source::Catalog;
use indelible::source::geo::Geo;
use serde_json::json;

use crate::engines::duckdb;
use crate::log::Log;
use crate::mmdb;

fn waiting(log: &Log, index: &Index) -> usize {
    index.derived(&log.trail.view().state).waiting
}

/// A Parquet file of the lake.
fn some_file(log: &Log) -> PathBuf {
    let (name, _) = log.lake().into_iter().filter(|(name, _)| name.ends_with(".parquet")).max_by_key(|(_, bytes)| bytes.len()).unwrap();
    log.lake_dir().join(name)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(300), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_same_log_gives_the_same_bytes_readable_to_their_owner_alone() {
    let log = Log::synthetic(700);
    let index = log.index(LakeContent::Columns);
    log.make_all(&index);
    let made = log.lake();
    assert_eq!(made.len(), 2 * log.trail.view().state.payload_files.len());
    fs::remove_dir_all(log.lake_dir()).unwrap();
    assert_eq!(waiting(&log, &index), made.len() / 2, "a directory that is gone is noticed by a server that runs");
    log.make_all(&index);
    assert_eq!(log.lake(), made);
    for file in fs::read_dir(log.lake_dir()).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_is_not_as_it_was_written_does_not_count_as_made() {
    let log = Log::synthetic(700);
    log.make_all(&log.index(LakeContent::Columns));
    let path = some_file(&log);
    let whole = fs::read(&path).unwrap();
    let about = log.lake_dir().join(format!("_{}.about.json", path.file_stem().unwrap().to_str().unwrap()));
    let said = fs::read(&about).unwrap();
    let fresh = || waiting(&log, &log.index(LakeContent::Columns));
    assert_eq!(fresh(), 0);
    let mut altered = whole.clone();
    let footer = whole.len() - 20;
    altered[footer] ^= 1;
    for bytes in [&whole[..whole.len() - 1], &[], &altered, &[whole.as_slice(), b"x"].concat()] {
        fs::write(&path, bytes).unwrap();
        assert_eq!(fresh(), 1);
    }
    fs::write(&path, &whole).unwrap();
    for said in [&b""[..], b"{}", b"\xff", &said[..said.len() - 1]] {
        fs::write(&about, said).unwrap();
        assert_eq!(fresh(), 1);
    }
    fs::remove_file(&about).unwrap();
    assert_eq!(fresh(), 1, "killed between the file and what is said of it");
    fs::write(&about, &said).unwrap();
    assert_eq!(fresh(), 0);
}

#[test]
fn a_running_server_makes_again_what_was_deleted_damaged_or_half_written_and_removes_what_is_nobodys() {
    let log = Log::synthetic(700);
    log.make_all(&log.index(LakeContent::Columns));
    let made = log.lake();
    let path = some_file(&log);
    let mut damaged = fs::read(&path).unwrap();
    let middle = damaged.len() / 3;
    damaged[middle] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let strays = ["_00000000000000000000-9-c1-g0.about.parquet.tmp", "00000000000000000000-9-c1-g0.parquet", "_x.about.tmp"];
    strays.iter().for_each(|name| fs::write(log.lake_dir().join(name), "half").unwrap());
    let index = Arc::new(log.index(LakeContent::Columns));
    let indexer = Indexer::start(&log.trail, &index).unwrap();
    until("a damaged page is found and mended, and strays are removed", || log.lake() == made);
    fs::remove_file(&path).unwrap();
    until("a deleted file is made again", || log.lake() == made);
    fs::remove_dir_all(log.lake_dir()).unwrap();
    until("a deleted lake is made again", || log.lake() == made);
    fs::write(&path, "nobody looks at it before it is asked for").unwrap();
    index.remap_later(&files_since(&log.trail, None).unwrap());
    until("what somebody wants again is made again", || waiting(&log, &index) == 0);
    assert!(log.lake() == made, "nothing is said to be done that is not");
    indexer.stop();
    let off = Arc::new(log.index(LakeContent::Off));
    let indexer = Indexer::start(&log.trail, &off).unwrap();
    until("a lake that nobody wants is removed", || log.lake().is_empty());
    indexer.stop();
    assert_eq!(waiting(&log, &off), 0, "and search keeps what it needs");
}

#[test]
fn a_lake_that_cannot_be_written_costs_search_nothing() {
    let log = Log::synthetic(700);
    fs::create_dir_all(log.lake_dir().parent().unwrap()).unwrap();
    fs::write(log.lake_dir(), "in the way").unwrap();
    let index = log.index(LakeContent::Columns);
    let files = files_since(&log.trail, None).unwrap();
    let remapped = index.remap(&log.trail, &files, &mut |_| {});
    assert_eq!((remapped.files, remapped.failed.len()), (0, files.len()));
    assert!(remapped.failed[0].to_string().contains("lake"), "{}", remapped.failed[0]);
    assert_eq!(waiting(&log, &log.index(LakeContent::Off)), 0);
    fs::remove_file(log.lake_dir()).unwrap();
    assert_eq!(index.remap(&log.trail, &files, &mut |_| {}).files, files.len());
    assert_eq!(waiting(&log, &index), 0);
}

#[test]
fn a_file_that_stood_there_is_whole_until_the_next_one_is() {
    let log = Log::synthetic(700);
    let index = log.index(LakeContent::Columns);
    log.make_all(&index);
    let made = log.lake();
    let state = Arc::clone(&log.trail.view().state);
    let events = state.payload_files.values().find(|file| file.class == 1).unwrap();
    // Killed in the middle: the pass ends with the first entry.
    assert!(index.make(&log.trail, events, &|| true).is_err());
    let parquet = |files: Vec<(String, Vec<u8>)>| files.into_iter().filter(|(name, _)| name.ends_with(".parquet")).collect::<Vec<_>>();
    assert_eq!(parquet(log.lake()), parquet(made.clone()));
    let is_new = |(name, _): &(String, Vec<u8>)| made.iter().all(|(known, _)| known != name);
    assert!(log.lake().iter().any(is_new), "what is half written has another name");
    assert_eq!(waiting(&log, &log.index(LakeContent::Columns)), 1, "who comes after a power cut makes it anew");
    let remapped = index.remap(&log.trail, &files_since(&log.trail, None).unwrap(), &mut |_| {});
    assert!(remapped.failed.is_empty());
    assert_eq!(log.lake(), made);
}

#[test]
fn other_databases_of_addresses_derive_again_and_say_where_senders_are() {
    let log = Log::synthetic(1_000);
    log.make_all(&log.index(LakeContent::Columns));
    let stranger = |log: &Log| {
        let sql = "SELECT country, asn, count(*) AS events FROM 'data/derived/main/lake/*.parquet'
                   WHERE ip = '203.0.113.66' AND source = 'aws_cloudtrail' GROUP BY ALL";
        duckdb(&log.home(), sql).into_iter().map(|row| (row["country"].clone(), row["asn"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(stranger(&log), [(json!(null), json!(null))]);
    let path = log.home().join("places.mmdb");
    fs::write(&path, mmdb::places()).unwrap();
    let located = || Arc::new(Catalog::built_in().locating(Geo::open(&[&path]).unwrap()));
    let index = log.index_of(located(), LakeContent::Columns);
    assert_eq!(waiting(&log, &index), log.trail.view().state.payload_files.len());
    log.make_all(&index);
    assert_eq!(stranger(&log), [(json!("NL"), json!(64_500))]);
    assert_eq!(waiting(&log, &log.index_of(located(), LakeContent::Columns)), 0);
    fs::write(&path, mmdb::database(&[("203.0.113.0/24", json!({"country_code": "BE"}))])).unwrap();
    assert!(waiting(&log, &log.index_of(located(), LakeContent::Columns)) > 0, "another build of the database");
}

#[test]
fn only_files_with_something_received_since_are_derived_again() {
    let log = Log::synthetic(700);
    let all = files_since(&log.trail, None).unwrap();
    assert!(all.windows(2).all(|pair| pair[0].first >= pair[1].first), "the newest first");
    let received = log.entries()[0].leaf.received_at as i64;
    assert_eq!(files_since(&log.trail, Some(received)).unwrap(), all);
    assert_eq!(files_since(&log.trail, Some(received + 1)).unwrap(), []);
}
