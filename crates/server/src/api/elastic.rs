//! Elasticsearch, as far as its shippers ask for it: a place that takes documents and says it is
//! version 8. Nothing is searched here, and nothing is ever updated or deleted.
//!
//! `_bulk`, `_doc` and `_create` keep documents. Templates, lifecycle policies and pipelines are
//! acknowledged and not used (there is nothing they could shape), and asked for they are there, so
//! that Filebeat, Logstash, Fluent Bit and Vector begin to send without setting anything up.
//!
//! `_id` is the sender's own protection against sending twice. `create` of what is known already
//! answers 409, which shippers take as done. A known id with other bytes is kept beside the first.

mod answers;
mod info;

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use bytes::Bytes;

use self::answers::Results;
use crate::api::answer::bytes;
use crate::api::caller::Caller;
use crate::api::deliver::{Delivery, Sent, deliver};
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::receive::events_body;
use crate::api::sender::Sender;
use crate::api::state::Api;
use crate::door::{Peer, UNKNOWN_KIND};
use crate::intake::Gathered;
use crate::intake::bulk::{self, Bulk, BulkError, Document, Item, Verb};
use crate::log::sequencer::Outcome;

pub use answers::refuse;
pub use info::{asked, info, setting};

/// The door in envelopes.
const DOOR: &str = "elasticsearch";

/// `POST /_bulk`, `POST /{index}/_bulk`.
///
/// # Errors
/// When nothing of the body can be read; counted.
pub async fn bulk(api: &Arc<Api>, caller: &Caller, asked: Asked) -> Result<Response, ApiError> {
    let mut request = Request::open(api, caller, &asked.parts)?;
    let answer = request.bulk(asked).await;
    answer.inspect_err(|why| request.count(why.code, 1))
}

/// `POST /{index}/_doc`, with or without an id (`Verb::Index`); `/{index}/_create/{id}` (`Verb::Create`).
///
/// # Errors
/// When the document is not kept; counted.
pub async fn document(api: &Arc<Api>, caller: &Caller, verb: Verb, asked: Asked) -> Result<Response, ApiError> {
    let mut request = Request::open(api, caller, &asked.parts)?;
    let answer = request.document(verb, asked).await;
    answer.inspect_err(|why| request.count(why.code, 1))
}

/// Index and id in a path, decoded.
#[derive(Debug, Default)]
struct Place {
    index: Option<Box<str>>,
    id: Option<Box<str>>,
}

impl Place {
    async fn of(asked: &mut Asked) -> Result<Self, ApiError> {
        let [index, id] = asked.path_parts(["index", "id"]).await?;
        Ok(Self { index, id })
    }
}

struct Request<'a> {
    api: &'a Arc<Api>,
    caller: &'a Caller,
    sender: Sender<'a>,
}

impl<'a> Request<'a> {
    fn open(api: &'a Arc<Api>, caller: &'a Caller, parts: &Parts) -> Result<Self, ApiError> {
        let sender = Sender::new(caller, parts).inspect_err(|why| api.count_refused(None, why.code, 1))?;
        Ok(Self { api, caller, sender })
    }

    fn count(&self, reason: &'static str, times: u64) {
        self.api.count_refused(self.sender.named(), reason, times);
    }

    async fn bulk(&mut self, mut asked: Asked) -> Result<Response, ApiError> {
        let place = Place::of(&mut asked).await?;
        let received = events_body(asked.body, &asked.parts.headers, &self.api.limits, &self.api.memory).await?;
        let mut found = bulk::decode(&received.bytes)?;
        for item in &mut found.items {
            if item.index.is_none() {
                item.index.clone_from(&place.index);
            }
        }
        let Bulk { gathered, items } = found;
        let outcomes = self.keep(gathered, &items, asked.peer).await?;
        let written = Results { items: &items, outcomes: &outcomes }.bulk();
        Ok(bytes(StatusCode::OK, "application/json", written))
    }

    async fn document(&mut self, verb: Verb, mut asked: Asked) -> Result<Response, ApiError> {
        let Place { index, id } = Place::of(&mut asked).await?;
        let received = events_body(asked.body, &asked.parts.headers, &self.api.limits, &self.api.memory).await?;
        let found = one(&received.bytes, verb, index, id)?;
        let outcomes = self.keep(found.gathered, &found.items, asked.peer).await?;
        let (status, written) = Results { items: &found.items, outcomes: &outcomes }.document();
        Ok(bytes(status, "application/json", written))
    }

    /// One outcome for each item whose document is kept.
    async fn keep(&mut self, gathered: Gathered, items: &[Item], peer: Peer) -> Result<Vec<Outcome>, ApiError> {
        let kept = items.iter().filter(|item| item.document == Document::Kept);
        let sent = kept.map(|item| Ok(Sent { source: self.sender.source([item.index.as_deref()])?, id: sent_id(item) }));
        let sent = sent.collect::<Result<Vec<_>, ApiError>>()?;
        let rate = self.caller.rate();
        let outcomes =
            deliver(self.api, Delivery { door: DOOR, kind: UNKNOWN_KIND, peer, by: self.caller.by(), rate, gathered, sent }).await?;
        for item in items {
            match item.document {
                Document::Kept => {}
                Document::TooDeep => self.count("too_deep", 1),
                Document::IdTooLong => self.count("id_too_long", 1),
                Document::OnlyKept => self.count("only_kept", 1),
            }
        }
        Ok(outcomes)
    }
}

/// An id counts within its index, as in Elasticsearch; no index has a slash in its name.
fn sent_id(item: &Item) -> Option<String> {
    item.id.as_ref().map(|id| format!("{}/{id}", item.index.as_deref().unwrap_or_default()))
}

/// A body that is one document.
fn one(body: &Bytes, verb: Verb, index: Option<Box<str>>, id: Option<Box<str>>) -> Result<Bulk, ApiError> {
    let (gathered, document) = bulk::document(body)?;
    let long = id.as_ref().is_some_and(|id| id.len() > crate::intake::limits::RECORD_ID_BYTES_MAX);
    if long {
        return Err(ApiError::bad_request("id_too_long", "the id is longer than 512 bytes"));
    }
    Ok(Bulk { gathered, items: vec![Item { verb, index, id, document }] })
}

impl From<BulkError> for ApiError {
    fn from(why: BulkError) -> Self {
        match why {
            BulkError::Shape(why) => why.into(),
            why => Self::bad_request(why.code(), why.to_string()),
        }
    }
}
