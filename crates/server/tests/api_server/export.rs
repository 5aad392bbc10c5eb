//! `GET /v1/export`: streamed whole, or page by page.

use std::io::{BufRead, BufReader, Read, Write as _};

use bytes::Bytes;
use evidence::act::Scope;
use evidence::export::{ExportCheck, ExportError, ExportLine, ExportManifest, VerifiedExport};
use indelible::store::media::Media;
use indelible::store::media::disk::Disk;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::RowAccessor as _;
use serde_json::Value;

use crate::client::{Ask, connect};
use crate::server::{Server, Setup};

/// The body of a chunked answer; nothing if it breaks off.
fn stream(server: &Server, path: &str) -> Option<Vec<u8>> {
    let mut stream = BufReader::new(connect(server.address));
    stream.get_mut().write_all(&Ask::new("GET", path).key(&server.admin).to_bytes()).unwrap();
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-disposition: attachment"), "{head}");
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).ok().filter(|read| *read > 0)?;
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn check(server: &Server, lines: &[Vec<u8>], manifest: &[u8]) -> Result<VerifiedExport, ExportError> {
    let manifest = ExportManifest::parse(manifest)?;
    assert!(manifest.finished && manifest.complete);
    let (checkpoint, _) = manifest.open(&server.vkey(), &[])?;
    let mut check = ExportCheck::begin(checkpoint);
    for line in lines {
        check.take(&ExportLine::parse(line)?)?;
    }
    check.finish(&manifest)
}

fn split(body: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
    let manifest = lines.pop().unwrap();
    (lines, manifest)
}

/// Records of every shape that a door takes.
fn fill(server: &Server) {
    server.post("/v1/events?source=app", "[{\n \"user\": \"ana\",\n \"n\": 1e400\n}, {\"user\":\"bob\",\"user\":\"eve\"}]").expect(200);
    server
        .post("/v1/events?source=app", (0..50).map(|n| format!("{{\"user\":\"u{n}\",\"formula\":\"=1+{n}\"}}\n")).collect::<String>())
        .expect(200);
    let plain = Ask::new("POST", "/v1/events?source=text").key(&server.admin).header("content-type", "text/plain");
    server.send(plain.body(b"=cmd\xe2\x80\xae \x01text\nbytes \xff\xfe\n {\"a\": 1} \n".to_vec())).expect(200);
}

#[test]
fn a_whole_export_is_proved_by_its_last_line_whatever_the_records_are() {
    let server = Server::with(Setup { segment_leaves: Some(256), ..Setup::default() });
    fill(&server);
    for _ in 0..6 {
        fill(&server);
    }
    server.trail.flush().unwrap();
    fill(&server);
    let (lines, manifest) = split(&stream(&server, "/v1/export?q=entry:*").unwrap());
    let verified = check(&server, &lines, &manifest).unwrap();
    assert_eq!((verified.count, verified.range), (server.trail.view().size, Some((0, verified.count - 1))));
    for (index, line) in lines.iter().enumerate() {
        let entry = server.trail.reader().entry(index as u64).unwrap();
        let parsed = ExportLine::parse(line).unwrap();
        if entry.leaf.kind != evidence::Kind::Act {
            assert_eq!(parsed.raw, entry.raw, "{}", String::from_utf8_lossy(line));
        }
    }
    let (lines, manifest) = split(&stream(&server, "/v1/export?q=raw.user:u7").unwrap());
    assert_eq!(check(&server, &lines, &manifest).unwrap().count, 8);
    let (lines, manifest) = split(&stream(&server, "/v1/export?q=nothing").unwrap());
    assert_eq!(check(&server, &lines, &manifest).unwrap().count, 0);
}

#[test]
fn pages_cover_the_log_of_the_first_one_and_are_proved_together() {
    let server = Server::start();
    fill(&server);
    let mut path = "/v1/export?q=source:app&page=1".to_owned();
    let (mut lines, mut whole): (Vec<Vec<u8>>, Option<Value>) = (Vec::new(), None);
    loop {
        let (page, manifest) = split(&server.get(&path).expect(200).body);
        server.post("/v1/events?source=app", "{\"user\":\"later\"}").expect(200);
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(manifest["count"], page.len());
        lines.extend(page);
        let whole = whole.get_or_insert_with(|| manifest.clone());
        for name in ["after", "next"] {
            whole[name] = manifest[name].clone();
        }
        whole["count"] = lines.len().into();
        let Some(next) = manifest["next"].as_str() else { break };
        assert!(manifest["checkpoint"].is_null() || path.ends_with("page=1"));
        path = format!("/v1/export?q=source:app&page=1&cursor={next}");
        if let Some(last) = lines.last().map(|line| ExportLine::parse(line).unwrap().index) {
            path = format!("{path}&behind={last}");
        }
    }
    assert_eq!(check(&server, &lines, whole.unwrap().to_string().as_bytes()).unwrap().count, 52);
}

#[test]
fn a_table_for_spreadsheets_runs_nothing_and_has_every_entry() {
    let server = Server::start();
    fill(&server);
    let body = stream(&server, "/v1/export?q=source:(app+OR+text)&format=csv").unwrap();
    let mut table = csv::Reader::from_reader(body.as_slice());
    let names = table.headers().unwrap().clone();
    let rows: Vec<_> = table.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), &names[0], &names[names.len() - 1]), (55, "index", "leaf"));
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']), "{cell:?}");
    }
    assert!(rows.iter().any(|row| row.iter().any(|cell| cell.starts_with("'=cmd"))));
    let header = stream(&server, "/v1/export?q=nothing&format=csv").unwrap();
    assert_eq!(String::from_utf8(header).unwrap().lines().count(), 1);
}

#[test]
fn a_parquet_file_is_read_back_with_typed_columns() {
    let server = Server::start();
    fill(&server);
    let body = stream(&server, "/v1/export?q=source:app&format=parquet").unwrap();
    let file = SerializedFileReader::new(Bytes::from(body)).unwrap();
    let rows: Vec<_> = file.get_row_iter(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 52);
    let entry = server.trail.reader().entry(rows[51].get_ulong(0).unwrap()).unwrap();
    assert_eq!(rows[51].get_timestamp_millis(2).unwrap() as u64, entry.leaf.received_at);
    let names: Vec<_> = rows[51].get_column_iter().map(|(name, _)| name.as_str()).collect();
    let raw = names.iter().position(|name| *name == "raw").unwrap();
    assert_eq!(rows[51].get_string(raw).unwrap().as_bytes(), &entry.raw[..]);
    let nothing = stream(&server, "/v1/export?q=nothing&format=parquet").unwrap();
    assert_eq!(SerializedFileReader::new(Bytes::from(nothing)).unwrap().get_row_iter(None).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_read_is_in_the_manifest_and_breaks_a_table_off() {
    let dir = tempfile::tempdir().unwrap();
    let media = std::sync::Arc::new(Disk::new(dir.path()).unwrap()) as std::sync::Arc<dyn Media>;
    let server = Server::with(Setup { media: Some(media), ..Setup::default() });
    // More than a page, then what cannot be read.
    server.post("/v1/events?source=app", (0..4_100).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>()).expect(200);
    server.trail.flush().unwrap();
    server.post("/v1/events?source=app", "{\"n\":1}\n{\"n\":2}\n").expect(200);
    server.trail.flush().unwrap();
    let payloads = || {
        let files = std::fs::read_dir(dir.path().join("payload")).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.to_string_lossy().contains("-c1-")).collect();
        files.sort();
        files
    };
    std::fs::remove_file(payloads().last().unwrap()).unwrap();
    let (lines, manifest) = split(&stream(&server, "/v1/export?q=source:app").unwrap());
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!((lines.len(), &manifest["covered"]["complete"]), (4_100, &false.into()));
    assert!(manifest["covered"]["unreadable"][0]["why"].as_str().unwrap().contains("payload/"), "{manifest}");
    assert_eq!(stream(&server, "/v1/export?q=source:app&format=csv"), None);
    assert_eq!(stream(&server, "/v1/export?q=source:app&format=parquet"), None);
    for payload in payloads() {
        std::fs::remove_file(payload).unwrap();
    }
    assert_eq!(server.get("/v1/export?q=source:app&format=csv").expect(500).error(), "damaged");
}

#[test]
fn what_is_wrong_with_an_export_is_said_before_it_begins() {
    let server = Server::start();
    let refused = |path: &str| server.get(path).expect(400).error();
    assert_eq!(refused("/v1/export?q=nobody:x"), "query_invalid");
    assert_eq!(refused("/v1/export?q=a&format=xml"), "format_invalid");
    assert_eq!(refused("/v1/export?q=a&format=csv&page=1"), "format_invalid");
    assert_eq!(refused("/v1/export?q=a&cursor=o-0-0-0-00000000"), "bad_query");
    assert_eq!(refused("/v1/export?q=a&page=1&cursor=x"), "cursor_invalid");
    assert_eq!(refused("/v1/export?q=a&page=1&cursor=o-0-0-0-00000000"), "cursor_invalid");
    server.send(Ask::new("GET", "/v1/export?q=a").key(&server.key(&[Scope::Ingest], &["app"]))).expect(403);
    server.send(Ask::new("GET", "/v1/export?q=a")).expect(401);
}
