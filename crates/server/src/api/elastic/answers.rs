//! Answers in Elasticsearch's form.

use std::io::Write as _;

use axum::http::StatusCode;
use axum::response::Response;
use evidence::canonical_json::write_string;
use serde_json::json;

use crate::api::error::ApiError;
use crate::api::inert::inert;
use crate::api::protocol::refusal;
use crate::intake::bulk::{Document, Item, Verb};
use crate::log::sequencer::Outcome;

/// An error of a whole request.
pub fn refuse(why: ApiError) -> Response {
    let kind = match why.code {
        "key_missing" | "key_malformed" | "key_invalid" | "scope_missing" | "source_not_allowed" => "security_exception",
        "busy" | "rate_limited" => "es_rejected_execution_exception",
        "no_such_route" => "resource_not_found_exception",
        "no_space" | "stopped" => "unavailable_shards_exception",
        _ if why.status == StatusCode::PAYLOAD_TOO_LARGE => "content_too_long_exception",
        _ if why.status.is_server_error() => "exception",
        _ => "illegal_argument_exception",
    };
    let error = json!({ "root_cause": [{ "type": kind, "reason": why.message }], "type": kind, "reason": why.message });
    let body = json!({ "error": error, "status": why.status.as_u16() }).to_string();
    refusal(&why, why.status, "application/json", inert(body.into_bytes()))
}

/// What became of each item.
pub struct Results<'a> {
    /// All items.
    pub items: &'a [Item],
    /// One for each item whose document was kept.
    pub outcomes: &'a [Outcome],
}

/// An item's answer.
enum Said {
    /// `created` or `updated`.
    Stands { status: u16, result: &'static str, index: u64 },
    /// An error.
    Not { status: u16, kind: &'static str, reason: String },
}

impl Said {
    fn of(item: &Item, outcomes: &mut std::slice::Iter<'_, Outcome>) -> Self {
        let refused = |status, kind, reason: &str| Self::Not { status, kind, reason: reason.to_owned() };
        match item.document {
            Document::TooDeep => refused(400, "document_parsing_exception", "nested deeper than 64 levels: flatten the document"),
            Document::IdTooLong => refused(400, "illegal_argument_exception", "an _id has 1 to 512 bytes"),
            Document::OnlyKept => {
                let reason = format!("this is an audit log: it keeps what it is sent and never performs [{}]", item.verb.name());
                refused(400, "action_request_validation_exception", &reason)
            }
            Document::Kept => match (outcomes.next(), item.verb) {
                (Some(Outcome::Kept(index)), _) => Self::Stands { status: 201, result: "created", index: *index },
                (Some(Outcome::KeptBeside { index, .. }), Verb::Create) => Self::Stands { status: 201, result: "created", index: *index },
                (Some(Outcome::KeptBeside { index, .. }), _) => Self::Stands { status: 200, result: "updated", index: *index },
                (Some(Outcome::Duplicate(index)), Verb::Create) => {
                    let reason = format!("[{}]: version conflict, document already exists (index {index} of the log)", shown(item));
                    refused(409, "version_conflict_engine_exception", &reason)
                }
                (Some(Outcome::Duplicate(index)), _) => Self::Stands { status: 200, result: "noop", index: *index },
                (Some(Outcome::Conflict(index)), _) => {
                    let reason = format!("[{}]: version conflict, other bytes have this id (index {index} of the log)", shown(item));
                    refused(409, "version_conflict_engine_exception", &reason)
                }
                // There is one outcome for each kept document.
                (None, _) => refused(500, "exception", "the server lost this item: send it again"),
            },
        }
    }
}

fn shown(item: &Item) -> &str {
    item.id.as_deref().unwrap_or_default()
}

impl Results<'_> {
    /// The answer to a bulk request.
    pub fn bulk(&self) -> Vec<u8> {
        let mut items = Vec::with_capacity(self.items.len() * 160);
        let (mut errors, mut outcomes) = (false, self.outcomes.iter());
        for item in self.items {
            items.push(if items.is_empty() { b'[' } else { b',' });
            items.push(b'{');
            write_string(item.verb.name(), &mut items);
            items.push(b':');
            errors |= write(item, &Said::of(item, &mut outcomes), &mut items) >= 300;
            items.push(b'}');
        }
        if items.is_empty() {
            items.push(b'[');
        }
        let mut out = format!("{{\"took\":0,\"errors\":{errors},\"items\":").into_bytes();
        out.append(&mut items);
        out.extend_from_slice(b"]}");
        inert(out)
    }

    /// The answer to a request that is one document.
    pub fn document(&self) -> (StatusCode, Vec<u8>) {
        let (mut out, mut status) = (Vec::new(), StatusCode::INTERNAL_SERVER_ERROR.as_u16());
        if let Some(item) = self.items.first() {
            match Said::of(item, &mut self.outcomes.iter()) {
                Said::Not { status: refused, kind, reason } => {
                    status = refused;
                    let error = json!({ "root_cause": [{ "type": kind, "reason": reason }], "type": kind, "reason": reason });
                    out = json!({ "error": error, "status": status }).to_string().into_bytes();
                }
                said => status = write(item, &said, &mut out),
            }
        }
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), inert(out))
    }
}

/// Writes an item's answer and gives its status.
fn write(item: &Item, said: &Said, out: &mut Vec<u8>) -> u16 {
    out.extend_from_slice(b"{\"_index\":");
    write_string(item.index.as_deref().unwrap_or("indelible"), out);
    out.extend_from_slice(b",\"_id\":");
    match (said, &item.id) {
        (_, Some(id)) => write_string(id, out),
        (Said::Stands { index, .. }, None) => write_string(&index.to_string(), out),
        (Said::Not { .. }, None) => out.extend_from_slice(b"null"),
    }
    // Writing to a Vec cannot fail.
    match said {
        Said::Stands { status, result, index } => {
            let shards = "\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0}";
            let _ = write!(
                out,
                ",\"_version\":1,\"result\":\"{result}\",{shards},\"_seq_no\":{index},\"_primary_term\":1,\"status\":{status}}}"
            );
            *status
        }
        Said::Not { status, kind, reason } => {
            let _ = write!(out, ",\"status\":{status},\"error\":{{\"type\":\"{kind}\",\"reason\":");
            write_string(reason, out);
            out.extend_from_slice(b"}}");
            *status
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use serde_json::Value;

    fn item(verb: Verb, id: Option<&str>, document: Document) -> Item {
        Item { verb, index: Some("i\"x".into()), id: id.map(Into::into), document }
    }

    #[test]
    fn every_item_is_answered_in_elasticsearchs_form() {
        let items = [
            item(Verb::Index, None, Document::Kept),
            item(Verb::Delete, Some("d"), Document::OnlyKept),
            item(Verb::Create, Some("c"), Document::Kept),
            item(Verb::Index, Some("u"), Document::Kept),
            item(Verb::Index, Some("s"), Document::Kept),
            item(Verb::Create, Some("o"), Document::Kept),
        ];
        let outcomes = [
            Outcome::Kept(5),
            Outcome::Duplicate(2),
            Outcome::KeptBeside { index: 6, earlier: 1 },
            Outcome::Duplicate(3),
            Outcome::Conflict(4),
        ];
        let answer: Value = serde_json::from_slice(&Results { items: &items, outcomes: &outcomes }.bulk()).unwrap();
        let of = |nth: usize, verb: &str| answer["items"][nth][verb].clone();
        assert_eq!(answer["errors"], true);
        let first = json!({ "_index": "i\"x", "_id": "5", "_version": 1, "result": "created",
            "_shards": { "total": 1, "successful": 1, "failed": 0 }, "_seq_no": 5, "_primary_term": 1, "status": 201 });
        assert_eq!(of(0, "index"), first);
        assert_eq!((of(1, "delete")["status"].clone(), of(1, "delete")["_id"].clone()), (json!(400), json!("d")));
        assert_eq!(of(2, "create")["error"]["type"], "version_conflict_engine_exception");
        let rest = [of(3, "index"), of(4, "index"), of(5, "create")].map(|item| (item["status"].clone(), item["result"].clone()));
        assert_eq!(rest, [(json!(200), json!("updated")), (json!(200), json!("noop")), (json!(409), Value::Null)]);
    }

    #[test]
    fn a_body_without_items_is_answered_without_errors() {
        let answer: Value = serde_json::from_slice(&Results { items: &[], outcomes: &[] }.bulk()).unwrap();
        assert_eq!(answer, json!({ "took": 0, "errors": false, "items": [] }));
    }
}
