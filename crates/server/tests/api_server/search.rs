//! `GET /v1/search`, asked over HTTP.

use evidence::act::Scope;

use crate::client::Ask;
use crate::server::Server;

#[test]
fn a_record_that_not_every_reader_takes_hides_nothing_else_on_the_page() {
    let server = Server::start();
    let hostile = [r#"{"actor":"mallory","note":"\ud800"}"#, r#"{"actor":"mallory","n":1e999}"#];
    server.keep(r#"{"actor":"ana"}"#);
    for record in hostile {
        server.keep(record);
    }
    let deep = "[".repeat(200) + &"]".repeat(200);
    let line = Ask::new("POST", "/v1/events?source=test").header("content-type", "text/plain");
    server.send(line.key(&server.admin).body(deep.as_str())).expect(200);
    let page = server.get("/v1/search?q=source:test&order=oldest").expect(200).json();
    let events = page["events"].as_array().unwrap();
    assert_eq!(events.len(), 4);
    assert_eq!(events[3]["raw"], deep, "deeper than a record of JSON may be: a line of text");
    assert_eq!(events[0]["raw"], serde_json::json!({ "actor": "ana" }));
    for (event, record) in events.iter().skip(1).zip(hostile) {
        assert_eq!(event["raw"], record, "as a text");
        assert!(event["meaning"]["ocsf"].is_object(), "{event}");
    }
    let index = events[1]["index"].as_u64().unwrap();
    assert_eq!(server.get(&format!("/v1/events/{index}/raw")).expect(200).text(), hostile[0], "byte for byte");
}

#[test]
fn an_event_is_found_the_moment_it_is_acknowledged_with_what_the_answer_covers() {
    let server = Server::start();
    for n in 0..5 {
        server.post("/v1/events?source=app", format!(r#"{{"user":"u{n}","text":"needle {n}"}}"#)).expect(200);
        let found = server.get(&format!("/v1/search?q=raw.user:u{n}")).expect(200).json();
        let event = &found["events"][0];
        assert_eq!((found["events"].as_array().unwrap().len(), &event["raw"]["text"]), (1, &format!("needle {n}").into()));
        assert_eq!(event["summary"]["time"], event["received_at"]);
        let trail = server.get("/v1/trails/main").expect(200).json();
        assert_eq!((&found["tree"]["size"], &found["tree"]["root"]), (&trail["size"], &trail["root"]));
        assert_eq!((&found["covered"]["from"], &found["covered"]["to"]), (&0.into(), &trail["size"]));
        assert_eq!((&found["covered"]["complete"], &found["stopped"], &found["next"]), (&true.into(), &().into(), &().into()));
    }
}

#[test]
fn pages_go_on_where_the_last_one_stopped_whatever_arrives() {
    let server = Server::start();
    server.post("/v1/events?source=app", (0..10).map(|n| format!("needle {n}\n")).collect::<String>()).expect(200);
    for order in ["newest", "oldest"] {
        let (mut seen, mut path, mut root) = (Vec::new(), format!("/v1/search?q=needle+source:app&limit=3&order={order}"), None);
        loop {
            let page = server.get(&path).expect(200).json();
            assert_eq!(*root.get_or_insert(page["tree"].clone()), page["tree"]);
            seen.extend(page["events"].as_array().unwrap().iter().map(|event| event["index"].as_u64().unwrap()));
            server.post("/v1/events?source=app", "needle more\n").expect(200);
            let Some(next) = page["next"].as_str() else { break };
            assert_eq!(page["stopped"], "limit");
            path = format!("/v1/search?q=needle+source:app&limit=3&order={order}&cursor={next}");
        }
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        if order == "newest" {
            sorted.reverse();
        }
        assert!(seen == sorted && seen.len() >= 10, "{seen:?}");
    }
}

#[test]
fn what_is_wrong_with_a_search_is_said_as_everywhere() {
    let server = Server::start();
    let refused = |path: &str| server.get(path).expect(400).error();
    assert_eq!(refused("/v1/search?q=nobody:x"), "query_invalid");
    assert_eq!(refused("/v1/search?q=a&limit=0"), "limit_invalid");
    assert_eq!(refused("/v1/search?q=a&limit=1001"), "limit_invalid");
    assert_eq!(refused("/v1/search?q=a&cursor=n-1-2"), "cursor_invalid");
    assert_eq!(refused("/v1/search?q=a&cursor=n-0-0-0-00000000"), "cursor_invalid");
    assert_eq!(refused("/v1/search?q=a&order=best"), "bad_query");
    assert_eq!(refused("/v1/search?query=a"), "bad_query");
    let said = server.get("/v1/search?q=since:yesterday").expect(400).json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(said.starts_with("column 7: "), "{said}");
    let ingest = server.key(&[Scope::Ingest], &["app"]);
    server.send(Ask::new("GET", "/v1/search?q=a").key(&ingest)).expect(403);
    server.send(Ask::new("GET", "/v1/search?q=a")).expect(401);
}
