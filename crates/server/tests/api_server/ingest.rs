//! `POST /v1/events`.

use std::io::Write as _;

use evidence::receipt::open_receipt;
use indelible::store::media::sim::SimMedia;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::client::Ask;
use crate::server::{Server, Setup};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn indexes(answer: &Value) -> Vec<u64> {
    answer["results"].as_array().unwrap().iter().map(|result| result["index"].as_u64().unwrap()).collect()
}

#[test]
fn every_shape_and_encoding_comes_back_byte_for_byte() {
    let server = Server::start();
    let pretty = "{\n  \"a\" : 1.0e2,\n  \"a\": [ ]\n}";
    for (body, expected) in [
        (format!(" {pretty}\n"), vec![pretty]),
        ("[{\"b\":1} , 7,\"x\"]".into(), vec!["{\"b\":1}", "7", "\"x\""]),
        ("{\"Records\":[{\"c\":1},{\"c\":2}]}".into(), vec!["{\"c\":1}", "{\"c\":2}"]),
        ("{\"d\":1}\r\n\nplain text\n{\"d\":2}".into(), vec!["{\"d\":1}", "plain text", "{\"d\":2}"]),
    ] {
        let zstd = zstd::encode_all(body.as_bytes(), 1).unwrap();
        for (encoding, bytes) in [("identity", body.clone().into_bytes()), ("gzip", gzip(body.as_bytes())), ("zstd", zstd)] {
            let ask = Ask::new("POST", "/v1/events?source=test").key(&server.admin).header("content-encoding", encoding).body(bytes);
            let answer = server.send(ask).expect(200).json();
            let found: Vec<_> =
                indexes(&answer).iter().map(|index| server.get(&format!("/v1/events/{index}/raw")).expect(200).text()).collect();
            assert_eq!(found, expected, "{encoding}");
        }
    }
    let text =
        Ask::new("POST", "/v1/events?source=test").key(&server.admin).header("content-type", "text/plain; charset=utf-8").body("[1,\n2]");
    assert_eq!(indexes(&server.send(text).expect(200).json()).len(), 2);
}

#[test]
fn an_answer_is_below_the_checkpoint_it_carries() {
    let server = Server::start();
    let answer = server.events(200, "[1,2,3]");
    let opened = tlog::open_checkpoint(answer["checkpoint"].as_str().unwrap(), &[server.vkey()]).unwrap();
    assert!(indexes(&answer).iter().all(|index| *index < opened.checkpoint.size.0));
}

#[test]
fn the_same_record_id_and_bytes_are_one_entry_and_other_bytes_are_kept_beside() {
    let server = Server::start();
    let first = server.keep(r#"{"id":"e-1","a":1}"#);
    let again = server.events(200, r#"{"id":"e-1","a":1}"#);
    assert_eq!(again["results"][0], json!({ "index": first, "duplicate": true }));
    let other = server.events(200, r#"{"id":"e-1","a":2}"#);
    assert_eq!(other["results"][0]["same_id_as"], json!(first));
    let index = other["results"][0]["index"].as_u64().unwrap();
    let entry = server.get(&format!("/v1/events/{index}")).expect(200).json();
    assert_eq!(entry["envelope"]["facts"]["conflict"], json!(first));
    assert_eq!(entry["envelope"]["people"]["id"], json!("e-1"));
    let metrics = server.get("/metrics").text();
    assert!(metrics.contains("indelible_refused_total{reason=\"same_id_other_bytes\"} 1"), "{metrics}");
}

#[test]
fn an_idempotency_key_answers_the_same_indexes_and_409_to_other_bytes() {
    let server = Server::start();
    let ask = |body: &str| {
        server.send(Ask::new("POST", "/v1/events?source=test").key(&server.admin).header("idempotency-key", "batch-7").body(body))
    };
    let first = indexes(&ask(r#"[{"id":1},{"id":1}]"#).expect(200).json());
    assert_ne!(first[0], first[1], "the key and the position identify, not the record's id");
    let again = ask(r#"[{"id":1},{"id":1}]"#).expect(200).json();
    assert_eq!(indexes(&again), first);
    assert!(again["results"].as_array().unwrap().iter().all(|result| result["duplicate"] == json!(true)));
    let half = ask(r#"[{"id":1},{"id":2}]"#).expect(207).json();
    assert_eq!(half["results"][0]["index"], json!(first[0]));
    assert_eq!(half["results"][1]["error"]["code"], json!("idempotency_conflict"));
    assert_eq!(half["results"][1]["error"]["line"], json!(2));
    let none = ask("{\"id\":3}").expect(409);
    assert_eq!(none.error(), "idempotency_conflict");
    assert_eq!(
        server
            .send(Ask::new("POST", "/v1/events?source=test").key(&server.admin).header("idempotency-key", "a b").body("1"))
            .expect(400)
            .error(),
        "idempotency_key_invalid"
    );
}

#[test]
fn a_refused_event_does_not_hold_up_the_others() {
    let server = Server::start();
    let deep = "[".repeat(66) + &"]".repeat(66);
    let answer = server.events(207, format!("{{\"a\":1}}\n{deep}\n{{\"a\":2}}"));
    assert_eq!(answer["results"][1]["error"]["code"], json!("too_deep"));
    assert_eq!(answer["results"][1]["error"]["line"], json!(2));
    assert!(answer["results"][0]["index"].is_u64() && answer["results"][2]["index"].is_u64());
    let none = server.post("/v1/events?source=test", deep).expect(400);
    assert_eq!(none.error(), "all_refused");
    assert_eq!(none.json()["results"][0]["error"]["code"], json!("too_deep"));
}

#[test]
fn an_event_of_more_than_a_mebibyte_is_kept_cut_off_and_marked() {
    let server = Server::start();
    let long = format!("{{\"id\":\"long\",\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let answer = server.post("/v1/events?source=test&receipt=1", long.clone()).expect(200).json();
    let index = answer["results"][0]["index"].as_u64().unwrap();
    assert_eq!(server.get(&format!("/v1/events/{index}/raw")).body, &long.as_bytes()[..1 << 20]);
    let entry = server.get(&format!("/v1/events/{index}")).json();
    assert_eq!(entry["envelope"]["facts"]["truncated"]["bytes"], json!(long.len()));
    let receipt = open_receipt(answer["results"][0]["receipt"].as_str().unwrap(), &server.vkey(), &[]).unwrap();
    assert!(receipt.sender.is_none(), "the sender's bytes are not the log's");
}

#[test]
fn receipts_in_the_answer_prove_the_senders_own_bytes() {
    let server = Server::start();
    let answer = server.post("/v1/events?source=test&receipt=1", "[{\"id\":\"r\"},{\"b\":[1,2]}]").expect(200).json();
    let again = server.post("/v1/events?source=test&receipt=1", "{\"id\":\"r\"}").expect(200).json();
    let cases =
        [(&answer["results"][0], "{\"id\":\"r\"}"), (&answer["results"][1], "{\"b\":[1,2]}"), (&again["results"][0], "{\"id\":\"r\"}")];
    for (result, raw) in cases {
        let verified = open_receipt(result["receipt"].as_str().unwrap(), &server.vkey(), &[]).unwrap();
        assert_eq!(verified.index.0, result["index"].as_u64().unwrap());
        verified.check_raw(raw.as_bytes()).unwrap();
        assert!(verified.check_raw(b"{}").is_err());
    }
}

#[test]
fn bad_requests_say_what_to_do_and_are_recorded_with_counts() {
    let mut server = Server::start();
    for (path, body, status, code) in [
        ("/v1/events", "{}", 400, "source_missing"),
        ("/v1/events?source=Bad%20Name", "{}", 400, "source_invalid"),
        ("/v1/events?source=test&recipt=1", "{}", 400, "bad_query"),
        ("/v1/events?source=test&source=other", "{}", 400, "bad_query"),
        ("/v1/events?source=test", " \n", 400, "empty"),
    ] {
        assert_eq!(server.post(path, body).expect(status).error(), code, "{path}");
    }
    let encoded = |encoding: &str, body: Vec<u8>| {
        Ask::new("POST", "/v1/events?source=test").key(&server.admin).header("content-encoding", encoding).body(body)
    };
    assert_eq!(server.send(encoded("br", b"x".to_vec())).expect(415).error(), "unknown_encoding");
    assert_eq!(server.send(encoded("gzip", b"x".to_vec())).expect(400).error(), "body_damaged");
    assert_eq!(server.send(encoded("gzip", gzip(&vec![b'\n'; 20 << 20]))).expect(413).error(), "compression_bomb");
    server.begin_stop();
    server.wait();
    let records = server.records();
    let count = |reason: &str| {
        records.iter().find(|record| record["reason"] == reason).map(|record| (record["source"].clone(), record["count"].clone()))
    };
    assert_eq!(count("bad_query"), Some((json!(""), json!(2))), "{records:?}");
    assert_eq!(count("empty"), Some((json!("test"), json!(1))));
    assert_eq!(count("compression_bomb"), Some((json!("test"), json!(1))));
    assert!(server.trail.view().state.source_number("test").is_none(), "refused input makes no source");
}

#[test]
fn a_source_is_made_once_by_an_act_that_names_the_key() {
    let server = Server::start();
    server.keep("1");
    server.keep("2");
    let sources = server.get("/v1/sources").json();
    assert_eq!(sources["sources"].as_array().unwrap().len(), 1);
    let created = sources["sources"][0]["created"].as_u64().unwrap();
    let act = server.get(&format!("/v1/events/{created}")).json();
    assert_eq!((&act["kind"], &act["raw"]["act"], &act["raw"]["name"]), (&json!("act"), &json!("source"), &json!("test")));
    assert!(act["why"]["by"].as_str().unwrap().starts_with("k_"));
}

#[test]
fn nothing_to_keep_is_all_kept() {
    let server = Server::start();
    assert_eq!(server.events(200, "{\"Records\":[]}")["results"], json!([]));
}

#[test]
fn a_full_disk_answers_507_and_takes_events_again_when_there_is_room() {
    let media = SimMedia::new(1);
    let server = Server::with(Setup { media: Some(Arc::new(media.clone())), ..Setup::default() });
    server.keep("1");
    media.set_capacity(Some(0));
    // What is preallocated still takes events; past it there is no room.
    let noise = || {
        let mut bytes = vec![0; 3 << 19];
        indelible::clock::random(&mut bytes).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("")
    };
    let mut last = 200;
    for _ in 0..100 {
        let reply = server.post("/v1/events?source=test", noise());
        last = reply.status;
        if last != 200 {
            assert_eq!(reply.error(), "no_space");
            break;
        }
    }
    assert_eq!(last, 507);
    media.set_capacity(None);
    server.keep("2");
}

#[test]
fn a_disk_too_full_to_seal_answers_507_and_is_not_ready_until_there_is_room() {
    let media = SimMedia::new(1);
    let server = Server::with(Setup { media: Some(Arc::new(media.clone())), segment_leaves: Some(256), ..Setup::default() });
    server.get("/readyz").expect(200);
    // What is laid out for events has room, and what they are sealed in has none.
    media.set_capacity(Some(0));
    let events = (0..64).map(|n| format!("{{\"n\":{n}}}")).collect::<Vec<_>>().join("\n");
    let refused = (0..100).map(|_| server.post("/v1/events?source=test", events.as_str())).find(|reply| reply.status != 200).unwrap();
    assert_eq!((refused.status, refused.error()), (507, "no_space".into()));
    assert_eq!(server.get("/readyz").expect(503).error(), "no_space");
    server.get("/healthz").expect(200);
    media.set_capacity(None);
    let began = std::time::Instant::now();
    while server.get("/readyz").status != 200 {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "it goes on by itself");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    server.keep("1");
}

#[test]
fn a_stopped_log_answers_503_and_is_not_ready() {
    let server = Server::start();
    server.keep("1");
    server.get("/readyz").expect(200);
    server.trail.close();
    assert_eq!(server.post("/v1/events?source=test", "2").expect(503).error(), "stopped");
    assert_eq!(server.get("/readyz").expect(503).error(), "stopped");
    server.get("/healthz").expect(200);
}
