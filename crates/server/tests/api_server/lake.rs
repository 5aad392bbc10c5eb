//! The lake over HTTP: what there is of it, and its files, whole or in parts.

use std::time::{Duration, Instant};

use evidence::act::Scope;
use indelible::config::LakeContent;
use indelible::search::lake::{Listing, Why};
use parquet::file::reader::{FileReader as _, SerializedFileReader};

use crate::client::{Ask, Reply};
use crate::server::{Server, Setup};

fn listing(server: &Server) -> Listing {
    serde_json::from_value(server.get("/v1/lake").expect(200).json()).unwrap()
}

/// A server whose log has events in payload files, all of them in the lake.
fn with_lake() -> (Server, Listing) {
    let server = Server::with(Setup { lake: Some(LakeContent::Columns), ..Setup::default() });
    for n in 0..50 {
        server.keep(&format!("{{\"actor\":\"u{n}@corp.example\",\"action\":\"login\"}}"));
    }
    server.trail.flush().unwrap();
    let began = Instant::now();
    loop {
        let listing = listing(&server);
        if !listing.missing.iter().any(|missing| missing.why == Why::NotDerived) {
            return (server, listing);
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{listing:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn get(server: &Server, name: &str, headers: &[(&str, &str)]) -> Reply {
    let ask = Ask::new("GET", &format!("/v1/lake/{name}")).key(&server.admin);
    server.send(headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)))
}

fn reads(server: &Server) -> usize {
    let read = || server.records().iter().filter(|record| record["record"] == "lake.read").count();
    let began = Instant::now();
    let mut seen = read();
    // They come with the next batch; another second shows that no more do.
    while began.elapsed() < Duration::from_millis(2_500) {
        std::thread::sleep(Duration::from_millis(50));
        seen = read();
    }
    seen
}

#[test]
fn the_list_names_every_file_and_every_entry_that_is_in_none() {
    let (server, before) = with_lake();
    // The act that names the payload files is the first entry behind them.
    let behind = &before.missing[0];
    assert_eq!((before.files[0].first, before.missing.len(), behind.last + 1, behind.why), (0, 1, before.size, Why::NotInFiles));
    let index = server.keep("{\"actor\":\"late@corp.example\"}");
    let now = listing(&server);
    assert_eq!(now.files, before.files);
    let missing = &now.missing[0];
    assert_eq!((missing.first, missing.last, now.missing.len()), (behind.first, index, 1));
    assert_eq!((now.size, now.root, now.origin.as_str()), (index + 1, server.trail.view().root.to_string(), server.vkey().name.as_str()));
    let without = Server::start();
    without.keep("{\"actor\":\"ana\"}");
    without.trail.flush().unwrap();
    let none = listing(&without);
    assert!(none.files.is_empty() && none.missing.iter().any(|missing| missing.why == Why::LakeOff && missing.first == 0), "{none:?}");
}

#[test]
fn a_file_is_given_whole_or_in_the_parts_asked_for() {
    let (server, listing) = with_lake();
    let file = &listing.files[0];
    let whole = get(&server, &file.name, &[]).expect(200);
    assert_eq!((whole.body.len() as u64, crc32c::crc32c(&whole.body)), (file.bytes, file.crc32c));
    let reader = SerializedFileReader::new(bytes::Bytes::from(whole.body.clone())).unwrap();
    // Entries of other retention classes in its range have a file of their own.
    assert!((1..=file.last + 1 - file.first).contains(&(reader.metadata().file_metadata().num_rows() as u64)));
    let etag = whole.header("etag").unwrap().to_owned();
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let part = get(&server, &file.name, &[("range", "bytes=4-9"), ("if-range", &etag)]).expect(206);
    assert_eq!(
        (part.body.as_slice(), part.header("content-range").unwrap()),
        (&whole.body[4..10], format!("bytes 4-9/{}", file.bytes).as_str())
    );
    let end = get(&server, &file.name, &[("range", "bytes=-4")]).expect(206);
    assert_eq!(end.body, b"PAR1");
    assert_eq!(get(&server, &file.name, &[("range", "bytes=4-9"), ("if-range", "\"another\"")]).expect(200).body, whole.body);
    let beyond = get(&server, &file.name, &[("range", "bytes=99999999-")]).expect(416);
    assert_eq!(
        (beyond.header("content-range").unwrap(), beyond.error()),
        (format!("bytes */{}", file.bytes).as_str(), "range_not_satisfiable".into())
    );
    let head = server.send(Ask::new("HEAD", &format!("/v1/lake/{}", file.name)).key(&server.admin)).expect(200);
    assert_eq!(head.header("content-length"), Some(file.bytes.to_string().as_str()));
    assert_eq!(reads(&server), 4, "whoever reads is recorded; who asks how long a file is reads nothing");
}

#[test]
fn what_is_no_file_of_the_lake_is_not_given() {
    let (server, listing) = with_lake();
    let name = &listing.files[0].name;
    let about = format!("_{}.about.json", name.trim_end_matches(".parquet"));
    let generation = name.replace("-g0", "-g1");
    for name in
        ["x", "..", "..%2f..%2fkeys%2fsigning.key", about.as_str(), generation.as_str(), "%00", "00000000000000000000-1-c0-g0.parquet"]
    {
        let reply = get(&server, name, &[]);
        assert_eq!(reply.status, 404, "{name}");
    }
    assert_eq!(get(&server, "x", &[]).error(), "no_such_file");
}

#[test]
fn who_may_search_everything_may_read_the_lake_and_nobody_else() {
    let (server, listing) = with_lake();
    let reader = server.key(&[Scope::Read], &[]);
    let sender = server.key(&[Scope::Ingest], &["test"]);
    for path in ["/v1/lake".to_owned(), format!("/v1/lake/{}", listing.files[0].name)] {
        server.send(Ask::new("GET", &path).key(&reader)).expect(200);
        assert_eq!(server.send(Ask::new("GET", &path).key(&sender)).expect(403).error(), "scope_missing");
        server.send(Ask::new("GET", &path)).expect(401);
    }
}

#[test]
fn a_file_that_is_damaged_is_not_in_the_list() {
    let (server, listing) = with_lake();
    let name = &listing.files[0].name;
    assert_eq!(get(&server, name, &[]).status, 200);
    let path = server.lake_dir().join(name);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    // Until it is made again.
    let reply = get(&server, name, &[]);
    assert!(reply.status == 404 || reply.body == bytes, "{}", reply.status);
}
