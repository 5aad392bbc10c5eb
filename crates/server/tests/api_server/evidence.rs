//! `GET /v1/evidence`: proved, recorded before it is handed out, and limited.

use std::io;
use std::sync::Arc;

use evidence::EvidenceFile;
use evidence::act::Scope;
use indelible::store::media::Media as _;
use indelible::store::media::sim::{Fault, SimMedia};

use crate::client::Ask;
use crate::server::{Server, Setup};

fn recorded(server: &Server) -> usize {
    server.records().iter().filter(|record| record["record"] == "evidence").count()
}

#[test]
fn evidence_names_who_was_shown_the_entries_before() {
    let server = Server::start();
    server.post("/v1/events?source=app", "{\"user\":\"ana\"}\n{\"user\":\"bob\"}\n").expect(200);
    server.get("/v1/search?q=raw.user:ana").expect(200);
    server.get("/v1/search?q=raw.user:bob").expect(200);
    server.get("/v1/export?q=source:app&page=1").expect(200);
    let reply = server.get("/v1/evidence?q=raw.user:ana&title=Case+17").expect(200);
    assert_eq!(reply.header("content-type"), Some("application/vnd.indelible.evidence+json"));
    let file = EvidenceFile::parse(&reply.body).unwrap();
    let verified = file.verify(&server.vkey(), &[]).unwrap();
    assert_eq!((verified.case.title.as_str(), verified.events.len()), ("Case 17", 1));
    let lines: Vec<String> = file.access.iter().map(|entry| String::from_utf8(entry.raw().unwrap()).unwrap()).collect();
    assert_eq!(lines.len(), 2, "of the search for it and the export, and not of the other search: {lines:?}");
    assert!(lines[0].contains("\"query\":\"raw.user:ana\"") && lines[1].contains("\"record\":\"export\""), "{lines:?}");
}

#[test]
fn what_cannot_be_made_is_refused_and_not_recorded() {
    let server = Server::start();
    server.post("/v1/events?source=app", "{\"user\":\"ana\"}\n".repeat(1_001)).expect(200);
    let long = "t".repeat(501);
    for (asked, status, error) in [
        ("q=nothing", 404, "no_match"),
        ("q=source:app", 400, "too_much"),
        ("q=nobody:x", 400, "query_invalid"),
        ("q=index:3&redact=@nobody", 400, "redact_invalid"),
        ("q=index:3&redact=userr", 400, "hides_nothing"),
        (&format!("q=index:3&title={long}"), 400, "title_invalid"),
    ] {
        let reply = server.get(&format!("/v1/evidence?{asked}"));
        assert_eq!((reply.status, reply.error().as_str()), (status, error), "{asked}: {}", reply.text());
    }
    let writer = server.key(&[Scope::Ingest], &[]);
    server.send(Ask::new("GET", "/v1/evidence?q=index:3").key(&writer)).expect(403);
    assert_eq!(recorded(&server), 0);
}

#[test]
fn nothing_is_handed_out_when_the_record_was_lost_or_reported_lost() {
    for (fault, stands) in [(Fault::Refused(io::ErrorKind::Other), 0), (Fault::KeptButReportedLost, 1)] {
        let media = SimMedia::new(1);
        let setup = || Setup { media: Some(Arc::new(media.clone())), ..Setup::default() };
        let server = Server::with(setup());
        server.post("/v1/events?source=app", "{\"user\":\"ana\"}\n").expect(200);
        // Every write and sync of the record fails so.
        let next = media.ops();
        (next..next + 100).for_each(|op| media.inject(op, fault));
        let refused = server.get("/v1/evidence?q=source:app");
        assert!(refused.status >= 500, "{}", refused.status);
        assert!(!refused.text().contains("indelible-evidence"), "{}", refused.text());
        drop(server);
        while media.ops() < next + 100 {
            let _ = media.sync_dir("");
        }
        assert_eq!(recorded(&Server::with(setup())), stands, "{fault:?}");
    }
}
