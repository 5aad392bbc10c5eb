//! What shippers ask before they send: who is there, which licence, are templates set up.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::answer::json as json_answer;
use crate::api::state::Api;

/// The version whose interface this is: what shippers of 8 and 9 and the clients of 8 talk to.
const VERSION: &str = "8.17.0";

/// `GET /`.
pub fn info(api: &Api) -> Response {
    let state = &api.trail.view().state;
    let body = json!({
        "name": "indelible",
        "cluster_name": "indelible",
        "cluster_uuid": state.origin,
        "version": {
            "number": VERSION,
            "build_flavor": "default",
            "build_type": "tar",
            "build_hash": "indelible",
            "build_date": "2024-12-11T12:08:05.663969764Z",
            "build_snapshot": false,
            "lucene_version": "9.12.0",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    });
    json_answer(StatusCode::OK, &body)
}

/// `PUT` of a template, a policy or a pipeline: acknowledged, not used.
pub fn setting() -> Response {
    json_answer(StatusCode::OK, &json!({ "acknowledged": true }))
}

/// `GET` of what a shipper looks for before it sends; `path` is the request's own.
pub fn asked(path: &str) -> Response {
    let mut parts = path.trim_matches('/').split('/');
    let (what, name) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or("*"));
    let body = match what {
        "_license" => json!({ "license": { "status": "active", "uid": "indelible", "type": "basic", "issued_to": "indelible" } }),
        "_xpack" => xpack(),
        "_cluster" => health(),
        "_nodes" => nodes(),
        "_index_template" => {
            json!({ "index_templates": [{ "name": name, "index_template": { "index_patterns": ["*"], "composed_of": [] } }] })
        }
        "_component_template" => json!({ "component_templates": [{ "name": name, "component_template": { "template": {} } }] }),
        "_template" => json!({ name: { "index_patterns": ["*"], "settings": {}, "mappings": {}, "aliases": {} } }),
        "_ilm" => json!({ name: { "version": 1, "policy": { "phases": {} } } }),
        "_ingest" => json!({ name: { "processors": [] } }),
        _ => json!({ "data_streams": [{ "name": name, "timestamp_field": { "name": "@timestamp" }, "indices": [], "generation": 1,
            "status": "GREEN", "template": name }] }),
    };
    json_answer(StatusCode::OK, &body)
}

fn xpack() -> Value {
    json!({
        "build": { "hash": "indelible", "date": "2024-12-11T12:08:05.663969764Z" },
        "license": { "uid": "indelible", "type": "basic", "mode": "basic", "status": "active" },
        "features": { "security": { "available": true, "enabled": true }, "ilm": { "available": true, "enabled": true } },
        "tagline": "You know, for X",
    })
}

fn health() -> Value {
    json!({
        "cluster_name": "indelible", "status": "green", "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
        "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0,
        "delayed_unassigned_shards": 0, "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0, "active_shards_percent_as_number": 100.0,
    })
}

/// No addresses: a shipper that looks for other nodes stays with the one it knows.
fn nodes() -> Value {
    json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": "indelible",
        "nodes": { "indelible": { "name": "indelible", "version": VERSION, "roles": ["data", "ingest", "master"],
            "ingest": { "processors": [] } } },
    })
}
