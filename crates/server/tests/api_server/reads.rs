//! Reading entries back, with proof.

use base64::Engine as _;
use evidence::event_file::EventFile;
use evidence::receipt::open_receipt;
use serde_json::json;

use crate::client::Ask;
use crate::server::Server;

#[test]
fn an_event_is_shown_with_leaf_envelope_and_its_own_json() {
    let server = Server::start();
    let index = server.keep("{\"n\":1.50,\"id\":\"x\",\"n\":2}");
    let reply = server.get(&format!("/v1/events/{index}")).expect(200);
    assert!(reply.text().contains("\"raw\":{\"n\":1.50,\"id\":\"x\",\"n\":2}"), "numbers and repeated names stay: {}", reply.text());
    let entry = reply.json();
    assert_eq!((&entry["kind"], &entry["source"]["name"], &entry["class"]["name"]), (&json!("event"), &json!("test"), &json!("default")));
    assert_eq!(entry["envelope"]["people"]["peer"], json!("127.0.0.1"));
    assert_eq!(entry["envelope"]["facts"], json!({ "cut": 1, "door": "http", "map": 0, "source": "test", "v": 1 }));
    assert!(entry["tree"]["size"].as_u64().unwrap() > index);
    assert!(indelible::api::parse_rfc3339(entry["received_at"].as_str().unwrap()).is_ok());
    let leaf = server.trail.reader().leaf(index).unwrap();
    assert_eq!(entry["leaf"]["hash"], json!(leaf.hash().to_string()));
}

#[test]
fn raw_bytes_of_every_type_are_exact_and_never_a_page() {
    let server = Server::start();
    for (body, content_type) in [
        (&b"{\"a\":\"<script>\"}"[..], "application/json"),
        (b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        (b"\xff\x00\x1b[2J", "application/octet-stream"),
    ] {
        let ask = Ask::new("POST", "/v1/events?source=test").key(&server.admin).body(body);
        let index = server.send(ask).expect(200).json()["results"][0]["index"].as_u64().unwrap();
        let reply = server.get(&format!("/v1/events/{index}/raw")).expect(200);
        assert_eq!((reply.body.as_slice(), reply.header("content-type")), (body, Some(content_type)));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        assert!(reply.header("content-disposition").unwrap().starts_with("attachment"));
        assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"));
        let shown = server.get(&format!("/v1/events/{index}"));
        assert!(!shown.body.iter().any(|byte| *byte < 0x20 || *byte == 0x7f), "an answer holds no control character");
        if content_type.ends_with("stream") {
            let encoded = base64::engine::general_purpose::STANDARD.encode(body);
            assert_eq!(shown.json()["raw_base64"], json!(encoded));
        }
    }
}

#[test]
fn what_could_act_on_a_terminal_is_escaped_in_every_answer() {
    let server = Server::start();
    let index = server.keep("{\"a\":\"\u{202e}\u{9b}31m\u{7f}\"}");
    for path in [format!("/v1/events/{index}"), format!("/v1/events?from={index}")] {
        let reply = server.get(&path).expect(200);
        assert!(reply.text().contains("\\u202e\\u009b31m\\u007f"), "{}", reply.text());
        assert!(!reply.text().contains(['\u{202e}', '\u{9b}', '\u{7f}']));
    }
}

#[test]
fn the_event_file_and_the_receipt_verify_with_the_vkey_alone() {
    let server = Server::start();
    let vkey = server.vkey();
    server.events(200, "[1,2,3,4,5]");
    for index in 0..server.trail.view().size {
        let reply = server.get(&format!("/v1/events/{index}?proof=1")).expect(200);
        assert_eq!(reply.header("content-type"), Some("application/vnd.indelible.event+json"));
        let verified = EventFile::parse(&reply.body).unwrap().verify(&vkey, &[]).unwrap();
        assert_eq!((verified.index.0, verified.hidden.len()), (index, 0));
        let receipt = server.get(&format!("/v1/events/{index}/receipt")).expect(200);
        assert_eq!(open_receipt(&receipt.text(), &vkey, &[]).unwrap().index.0, index);
    }
}

#[test]
fn after_a_rotation_old_and_new_keys_verify_old_and_new_entries() {
    let server = Server::start();
    let (before, old) = (server.keep("{\"a\":1}"), server.vkey());
    let old_file = server.get(&format!("/v1/events/{before}?proof=1")).body;
    let rotated = server.post("/v1/trails/main/rotate", r#"{"why":"yearly"}"#).expect(200).json();
    let (after, new) = (server.keep("{\"a\":2}"), server.vkey());
    assert_ne!(old, new);
    assert_eq!(rotated["vkey"], json!(new.to_string()));
    server.post("/v1/trails/main/rotate", "").expect(200);
    let newest = server.vkey();
    let last = server.keep("{\"a\":3}");
    EventFile::parse(&old_file).unwrap().verify(&old, &[]).unwrap();
    for index in [before, rotated["index"].as_u64().unwrap(), after, last] {
        let file = EventFile::parse(&server.get(&format!("/v1/events/{index}?proof=1")).expect(200).body).unwrap();
        for pinned in [&old, &new, &newest] {
            assert_eq!(file.verify(pinned, &[]).unwrap().index.0, index);
        }
        let receipt = server.get(&format!("/v1/events/{index}/receipt")).text();
        open_receipt(&receipt, &old, &file.keys).unwrap();
    }
    assert_eq!(server.get("/v1/trails/main").json()["rotations"].as_array().unwrap().len(), 2);
}

#[test]
fn lists_go_on_where_they_ended_and_say_what_they_cover() {
    let server = Server::start();
    server.events(200, "[0,1,2,3,4,5,6,7,8,9]");
    let size = server.trail.view().size;
    let (mut seen, mut from) = (Vec::new(), 0);
    loop {
        let page = server.get(&format!("/v1/events?from={from}&limit=4")).expect(200).json();
        assert_eq!(page["tree"]["size"], json!(size));
        seen.extend(page["events"].as_array().unwrap().iter().map(|entry| entry["index"].as_u64().unwrap()));
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(seen, (0..size).collect::<Vec<_>>());
    assert_eq!(server.get("/v1/events?from=999999").expect(200).json()["events"], json!([]));
    for query in ["limit=0", "limit=1001"] {
        assert_eq!(server.get(&format!("/v1/events?{query}")).expect(400).error(), "limit_invalid");
    }
    for query in ["limit=x", "from=-1", "form=1"] {
        assert_eq!(server.get(&format!("/v1/events?{query}")).expect(400).error(), "bad_query");
    }
}

#[test]
fn a_list_of_large_events_ends_early() {
    let server = Server::start();
    let large = format!("\"{}\"", "x".repeat(900 << 10));
    for _ in 0..3 {
        server.events(200, format!("[{large},{large}]"));
    }
    let page = server.get("/v1/events?from=2&limit=1000").expect(200);
    assert!(page.body.len() < 6 << 20 && page.json()["next"].is_u64());
}

#[test]
fn an_index_that_is_not_there_or_not_a_number_is_an_error() {
    let server = Server::start();
    for path in ["/v1/events/999", "/v1/events/999/raw", "/v1/events/999/receipt", "/v1/events/999?proof=1"] {
        assert_eq!(server.get(path).expect(404).error(), "no_such_entry", "{path}");
    }
    for path in ["/v1/events/x", "/v1/events/01", "/v1/events/-1", "/v1/events/99999999999999999999", "/v1/events/%20/raw"] {
        assert_eq!(server.get(path).expect(400).error(), "index_invalid", "{path}");
    }
}

#[test]
fn the_trail_says_everything_that_holds() {
    let server = Server::start();
    server.keep("{\"id\":\"x\"}");
    let trail = server.get("/v1/trails/main").expect(200).json();
    let opened = tlog::open_checkpoint(trail["checkpoint"].as_str().unwrap(), &[server.vkey()]).unwrap();
    assert_eq!(trail["size"], json!(opened.checkpoint.size.0));
    assert_eq!(trail["root"], json!(opened.checkpoint.root.to_string()));
    assert_eq!(trail["origin"], json!(opened.checkpoint.origin));
    assert_eq!(
        (&trail["ids"]["count"], &trail["ids"]["max_age_seconds"], &trail["ids"]["max_ids"]),
        (&json!(1), &json!(86_400), &json!(5_000_000))
    );
    assert_eq!((&trail["public"], &trail["classes"]), (&json!(false), &json!({ "1": "default" })));
}
