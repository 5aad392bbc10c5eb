//! Sources: which number a name has, and the facts that every event of it carries.
//!
//! A name keeps its number for ever, so what was looked up once holds until the process ends, and a
//! request costs one map access instead of a walk through the fold.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use evidence::envelope::Facts;
use serde::Serialize;

use crate::api::answer::json;
use crate::api::error::ApiError;
use crate::api::state::Api;
use crate::intake::SourceName;
use crate::log::intent::Intent;

/// Kind of a source that nobody described yet.
const UNKNOWN_KIND: &str = "unknown";
/// The door that this API is, in envelopes.
const DOOR: &str = "http";

/// One source, ready for its events.
#[derive(Debug)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// Its number.
    pub number: u32,
    /// Part 0 of an event with nothing special about it.
    pub facts: Bytes,
}

impl Source {
    fn new(name: SourceName, number: u32) -> Self {
        let facts = Facts::new(name.as_str(), DOOR).to_bytes().into();
        Self { name, number, facts }
    }

    /// Part 0 to begin a special one from.
    pub fn plain_facts(&self) -> Facts {
        Facts::new(self.name.as_str(), DOOR)
    }
}

/// Sources looked up so far; at most as many as the trail may have.
#[derive(Debug, Default)]
pub struct Sources(RwLock<HashMap<SourceName, Arc<Source>>>);

impl Sources {
    fn known(&self, name: &SourceName) -> Option<Arc<Source>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn learn(&self, name: &SourceName, number: u32) -> Arc<Source> {
        let source = Arc::new(Source::new(name.clone(), number));
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), Arc::clone(&source));
        source
    }
}

/// The source of that name, made by an act first when there is none. `by` is the key that asks.
///
/// # Errors
/// The act was not kept, or there are too many sources.
pub async fn source(api: &Api, name: &SourceName, by: &str) -> Result<Arc<Source>, ApiError> {
    if let Some(source) = api.sources.known(name) {
        return Ok(source);
    }
    if let Some(number) = api.trail.view().state.source_number(name.as_str()) {
        return Ok(api.sources.learn(name, number));
    }
    let intent = Intent::CreateSource { name: name.to_string(), kind: UNKNOWN_KIND.to_owned() };
    let acted = api.trail.log().act(intent, crate::api::trail::by(by)).await?;
    // Whoever made it, it is published now.
    let number = acted.view.state.source_number(name.as_str()).or_else(|| api.trail.view().state.source_number(name.as_str()));
    number.map(|number| api.sources.learn(name, number)).ok_or_else(ApiError::lost_task)
}

#[derive(Serialize)]
struct Listed<'a> {
    number: u32,
    name: &'a str,
    kind: &'a str,
    created: u64,
}

#[derive(Serialize)]
struct List<'a> {
    sources: Vec<Listed<'a>>,
}

/// `GET /v1/sources`: all sources with the index of the act that made each.
pub fn list(api: &Api) -> Response {
    let view = api.trail.view();
    let listed = view.state.sources.iter().map(|(number, source)| Listed {
        number: *number,
        name: &source.name,
        kind: &source.kind,
        created: source.index,
    });
    let sources = listed.collect();
    json(StatusCode::OK, &List { sources })
}
