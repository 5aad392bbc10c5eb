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
fn evidence_is_proved_and_names_the_evidence_before_it() {
    let server = Server::start();
    server.post("/v1/events?source=app", "{\"user\":\"ana\"}\n{\"user\":\"bob\"}\n").expect(200);
    server.get("/v1/evidence?q=raw.user:bob").expect(200);
    server.get("/v1/evidence?q=source:app").expect(200);
    let reply = server.get("/v1/evidence?q=raw.user:ana&title=Case+17").expect(200);
    assert_eq!(reply.header("content-type"), Some("application/vnd.indelible.evidence+json"));
    let file = EvidenceFile::parse(&reply.body).unwrap();
    let verified = file.verify(&server.vkey(), &[]).unwrap();
    assert_eq!((verified.case.title.as_str(), verified.events.len()), ("Case 17", 1));
    let [before] = &file.access[..] else { panic!("{} are listed", file.access.len()) };
    assert!(String::from_utf8(before.raw().unwrap()).unwrap().contains("\"query\":\"source:app\""), "not the one for bob alone");
    assert_eq!((verified.case.access.searches, recorded(&server)), (2, 3));
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

/// Asks for evidence while every write and sync fails so, and counts its records after a restart.
fn standing_after(seed: u64, fault: Fault) -> usize {
    let media = SimMedia::new(seed);
    let setup = || Setup { media: Some(Arc::new(media.clone())), ..Setup::default() };
    let server = Server::with(setup());
    server.post("/v1/events?source=app", "{\"user\":\"ana\"}\n").expect(200);
    let next = media.ops();
    (next..next + 100).for_each(|op| media.inject(op, fault));
    let refused = server.get("/v1/evidence?q=source:app");
    assert!(refused.status >= 500 && !refused.text().contains("indelible-evidence"), "{}", refused.text());
    drop(server);
    while media.ops() < next + 100 {
        let _ = media.sync_dir("");
    }
    recorded(&Server::with(setup()))
}

#[test]
fn nothing_is_handed_out_when_the_record_was_lost_or_reported_lost() {
    // A refused write may have left all of a short record, or none: some of these disks lose it.
    assert!((1..=6).any(|seed| standing_after(seed, Fault::Refused(io::ErrorKind::Other)) == 0));
    assert_eq!(standing_after(1, Fault::KeptButReportedLost), 1);
}
