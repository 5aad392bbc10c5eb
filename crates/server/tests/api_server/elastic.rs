//! Elasticsearch, as its shippers meet it.

use evidence::act::Scope;
use serde_json::{Value, json};

use crate::client::{Ask, Reply};
use crate::server::Server;

/// A server and a key for one source.
fn start() -> (Server, String) {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["shipped"]);
    (server, key)
}

fn bulk(server: &Server, key: &str, body: &str) -> Reply {
    server.send(Ask::new("POST", "/_bulk").key(key).header("content-type", "application/x-ndjson").body(body))
}

fn statuses(answer: &Value) -> Vec<u64> {
    let items = answer["items"].as_array().unwrap().iter();
    items.map(|item| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap()).collect()
}

#[test]
fn a_client_finds_elasticsearch_8() {
    let (server, key) = start();
    let reply = server.send(Ask::new("GET", "/").key(&key)).expect(200);
    assert_eq!(reply.header("x-elastic-product"), Some("Elasticsearch"));
    let info = reply.json();
    assert_eq!(info["tagline"], "You Know, for Search");
    assert!(info["version"]["number"].as_str().unwrap().starts_with("8."));
    assert_eq!(server.send(Ask::new("HEAD", "/").key(&key)).status, 200);
    let refused = server.send(Ask::new("GET", "/")).expect(401);
    assert_eq!(refused.header("x-elastic-product"), Some("Elasticsearch"));
    assert_eq!((&refused.json()["status"], &refused.json()["error"]["type"]), (&json!(401), &json!("security_exception")));
}

#[test]
fn every_way_to_show_a_key_is_taken() {
    use base64::Engine as _;
    let (server, key) = start();
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("id:{key}"));
    for value in [format!("ApiKey {encoded}"), format!("Basic {encoded}"), format!("Bearer {key}"), format!("ApiKey {key}")] {
        server.send(Ask::new("GET", "/").header("authorization", &value)).expect(200);
    }
}

#[test]
fn what_shippers_look_for_before_they_send_is_there() {
    let (server, key) = start();
    let get = |path: &str| server.send(Ask::new("GET", path).key(&key)).expect(200).json();
    assert_eq!(get("/_license")["license"]["status"], "active");
    assert_eq!(get("/_xpack")["license"]["mode"], "basic");
    assert_eq!(get("/_cluster/health")["status"], "green");
    assert_eq!(get("/_nodes/http")["_nodes"]["total"], 1);
    assert_eq!(get("/_index_template/filebeat-8.17.0")["index_templates"][0]["name"], "filebeat-8.17.0");
    assert!(get("/_ilm/policy/filebeat")["filebeat"]["policy"].is_object());
    assert!(get("/_ingest/pipeline/p")["p"].is_object());
    assert_eq!(get("/_data_stream/logs")["data_streams"][0]["name"], "logs");
    for path in ["_index_template/x", "_component_template/x", "_ilm/policy/x", "_ingest/pipeline/x", "_data_stream/x"] {
        let put = server.send(Ask::new("PUT", &format!("/{path}")).key(&key).body("{}")).expect(200);
        assert_eq!(put.json(), json!({ "acknowledged": true }));
        assert_eq!(server.send(Ask::new("HEAD", &format!("/{path}")).key(&key)).status, 200);
    }
}

#[test]
fn documents_are_kept_and_changes_refused_item_by_item() {
    let (server, key) = start();
    let body = "{\"create\":{\"_index\":\"logs\"}}\n {\"a\" : 1} \n{\"delete\":{\"_index\":\"logs\",\"_id\":\"1\"}}\n\
                {\"update\":{\"_id\":\"1\"}}\n{\"doc\":{}}\n{\"index\":{}}\nplain text\n";
    let answer = bulk(&server, &key, body).expect(200).json();
    assert_eq!((statuses(&answer), &answer["errors"]), (vec![201, 400, 400, 201], &json!(true)));
    assert!(answer["items"][1]["delete"]["error"]["reason"].as_str().unwrap().contains("audit log"));
    let expected = ["{\"a\" : 1}", "plain text"].map(|raw| (raw.to_owned(), "shipped".to_owned(), "elasticsearch".to_owned()));
    assert_eq!(server.kept(), expected);
    assert!(server.get("/metrics").text().contains("reason=\"only_kept\"} 2"));
}

#[test]
fn an_id_makes_a_retry_enter_nothing_twice() {
    let (server, key) = start();
    let create = "{\"create\":{\"_index\":\"logs\",\"_id\":\"7\"}}\n{\"a\":1}\n";
    assert_eq!(statuses(&bulk(&server, &key, create).expect(200).json()), [201]);
    let again = bulk(&server, &key, create).expect(200).json();
    assert_eq!(statuses(&again), [409]);
    assert_eq!(again["items"][0]["create"]["error"]["type"], "version_conflict_engine_exception");
    let index = "{\"index\":{\"_index\":\"logs\",\"_id\":\"8\"}}\n{\"a\":1}\n";
    assert_eq!(statuses(&bulk(&server, &key, index).expect(200).json()), [201]);
    assert_eq!(statuses(&bulk(&server, &key, index).expect(200).json()), [200]);
    let changed = index.replace("\"a\":1", "\"a\":2");
    assert_eq!(statuses(&bulk(&server, &key, &changed).expect(200).json()), [200]);
    // A known id with other bytes is no retry: both are kept.
    let recreated = create.replace("\"a\":1", "\"a\":3");
    assert_eq!(statuses(&bulk(&server, &key, &recreated).expect(200).json()), [201]);
    let elsewhere = create.replace("logs", "other");
    assert_eq!(statuses(&bulk(&server, &key, &elsewhere).expect(200).json()), [201]);
    assert_eq!(server.raws(), ["{\"a\":1}", "{\"a\":1}", "{\"a\":2}", "{\"a\":3}", "{\"a\":1}"]);
}

#[test]
fn single_documents_are_kept() {
    let (server, key) = start();
    let send = |method: &str, path: &str| server.send(Ask::new(method, path).key(&key).body("{\n \"a\": 1\n}\n"));
    let answer = send("POST", "/logs/_doc").expect(201).json();
    assert_eq!((&answer["result"], &answer["_index"]), (&json!("created"), &json!("logs")));
    send("PUT", "/logs/_create/9").expect(201);
    assert_eq!(send("PUT", "/logs/_create/9").expect(409).json()["error"]["type"], "version_conflict_engine_exception");
    send("PUT", "/logs/_doc/10").expect(201);
    assert_eq!(send("POST", "/logs/_doc/10").expect(200).json()["result"], "noop");
    assert_eq!(server.raws(), ["{\n \"a\": 1\n}"; 3]);
}

#[test]
fn a_body_that_cannot_be_paired_or_was_cut_short_is_refused_whole() {
    let (server, key) = start();
    for body in ["", "{\"index\":{}}\n{\"a\":1}", "{\"a\":1}\n{\"b\":1}\n", "{\"index\":{}}\n"] {
        let reply = bulk(&server, &key, body).expect(400);
        assert_eq!(reply.json()["error"]["type"], "illegal_argument_exception", "{body}");
    }
    assert!(server.raws().is_empty());
}

#[test]
fn an_index_names_the_source_when_neither_key_nor_request_does() {
    let server = Server::start();
    let key = server.key(&[Scope::Ingest], &["auth", "web"]);
    let body = "{\"index\":{\"_index\":\"auth-2026.11.25\"}}\n1\n{\"index\":{}}\n2\n";
    server.send(Ask::new("POST", "/web/_bulk").key(&key).body(body)).expect(200);
    server.send(Ask::new("PUT", "/_bulk?source=web&refresh=true&filter_path=errors").key(&key).body("{\"index\":{}}\n3\n")).expect(200);
    let kept: Vec<_> = server.kept().into_iter().map(|(raw, source, _)| (raw, source)).collect();
    assert_eq!(kept, [("1", "auth"), ("2", "web"), ("3", "web")].map(|(raw, source)| (raw.to_owned(), source.to_owned())));
    let refused = bulk(&server, &key, "{\"index\":{\"_index\":\"other\"}}\n1\n").expect(403);
    assert_eq!(refused.json()["error"]["type"], "security_exception");
}
