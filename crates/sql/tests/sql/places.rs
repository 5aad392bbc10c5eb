//! A directory or a server: the same answer, and what it covers.

use std::os::unix::fs::MetadataExt as _;

use evidence::act::Scope;

use crate::place::{Place, binary, run};

const COUNT: &str = "SELECT count(*) AS n, count(DISTINCT actor) AS actors, max(index) AS last FROM events";

#[test]
fn a_server_answers_as_its_directory_does_and_each_file_is_fetched_once() {
    let place = Place::synthetic(1_200);
    let server = place.serve();
    place.log.trail.sync_checkpoint().unwrap();
    let local = place.run(["--format", "json", COUNT]).ok();
    let remote = server.run(["--format", "json", COUNT]).ok();
    assert_eq!(remote.out, local.out);
    let files = place.log.lake().iter().filter(|(name, _)| name.ends_with(".parquet")).count();
    assert!(files > 1 && remote.err.starts_with(&format!("fetching {files} of {files} files of the lake, ")), "{}", remote.err);
    assert!(remote.err.contains(&local.err), "{}\n{}", remote.err, local.err);
    assert!(local.err.contains(": not in payload files yet"), "the key's act came since: {}", local.err);
    let kept = server.kept();
    assert_eq!(kept.len(), files);
    for file in &kept {
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
    }
    let again = server.run(["--format", "json", COUNT]).ok();
    assert_eq!((again.out, again.err.contains("fetching")), (local.out, false));
    std::fs::remove_file(&kept[0]).unwrap();
    std::fs::write(&kept[1], b"cut off").unwrap();
    assert!(server.run([COUNT]).ok().err.starts_with("fetching 2 of "));
}

#[test]
fn what_the_server_no_longer_has_is_removed_from_the_cache() {
    let place = Place::synthetic(1_200);
    let server = place.serve();
    server.run([COUNT]).ok();
    let before = server.kept();
    let path = place.some_file();
    std::fs::remove_file(&path).unwrap();
    let ran = server.run([COUNT]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("NOT IN THE LAKE: entries 0 to 511: not derived yet"), "{}", ran.err);
    assert_eq!(server.kept().len(), before.len() - 1);
}

#[test]
fn who_may_not_search_may_not_fetch() {
    let place = Place::synthetic(100);
    let mut server = place.serve();
    server.key = place.key(Scope::Ingest);
    server.run([COUNT]).refused("does not have the scope `read`");
    run(binary().args(["--url", &server.url, "--cache"]).arg(&server.cache).arg(COUNT)).refused("401");
    assert!(server.kept().is_empty());
}

#[test]
fn entries_that_are_not_in_the_lake_are_named() {
    let place = Place::synthetic(1_200);
    let (covered, size) = (place.in_files(), place.log.trail.view().size);
    let whole = place.run([COUNT]).ok();
    assert!(whole.err.starts_with(&format!("1 row; covers entries 0 to {} in ", covered - 1)), "{}", whole.err);
    let root = place.log.trail.view().root;
    assert!(whole.err.contains(&format!("of a log of {size} with root {root}\n")), "{}", whole.err);

    place.log.send("app", br#"{"actor":"late"}"#);
    place.log.trail.sync_checkpoint().unwrap();
    let late = place.run(["SELECT * FROM events WHERE actor = 'late'"]).ok();
    let newest = place.log.trail.view().size - 1;
    let missing = format!("NOT IN THE LAKE: entries {covered} to {newest}: not in payload files yet");
    assert!(newest >= size && late.err.starts_with("0 rows;") && late.err.contains(&missing), "{}", late.err);

    let path = place.some_file();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    let damaged = place.run(["--format", "json", COUNT]);
    assert_eq!(damaged.code, 1, "{damaged:?}");
    assert!(damaged.err.contains("NOT IN THE LAKE: entries 0 to 511: not derived yet"), "{}", damaged.err);

    std::fs::remove_dir_all(place.log.lake_dir()).unwrap();
    let none = place.run(["--format", "json", COUNT]);
    assert_eq!((none.code, none.out.as_str()), (1, "{\"n\":0,\"actors\":0,\"last\":null}\n"));
    assert!(none.err.contains("covers no entries in 0 files") && none.err.contains("there is no lake"), "{}", none.err);
}

#[test]
fn a_directory_is_read_while_files_are_being_written_into_it() {
    let place = Place::synthetic(1_200);
    let lake = place.log.lake_dir();
    for name in ["_x.tmp", "_x.about.json", "strange.parquet", "00000000000000000000-1-c7-g0.parquet"] {
        std::fs::write(lake.join(name), b"half of a file").unwrap();
    }
    assert_eq!(place.rows(COUNT)[0]["n"], place.in_files());
}
