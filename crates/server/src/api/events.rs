//! Reading entries: one, its bytes, its receipt, its event file, and lists.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::api::answer::{bytes, json};
use crate::api::dispatch::Asked;
use crate::api::entry_json::{EntryJson, Knowing, RawType};
use crate::api::error::ApiError;
use crate::api::limits::{LIST_BYTES_MAX, LIST_ENTRIES_MAX};
use crate::api::query::{NoQuery, Switch, query};
use crate::api::state::Api;
use crate::door::Admission;
use crate::log::shared::View;
use crate::source::directory::Directory;
use crate::store::proofs;
use crate::store::read::ReadError;
use crate::store::trail::Trail;

/// Media type of an event file.
const EVENT_FILE_TYPE: &str = "application/vnd.indelible.event+json";
/// Entries in a list when none is said.
const LIST_ENTRIES: usize = 100;

/// The tree that an answer covers.
#[derive(Serialize)]
struct Tree {
    size: u64,
    root: String,
}

impl Tree {
    fn of(view: &View) -> Self {
        Self { size: view.size, root: view.root.to_string() }
    }
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    entry: EntryJson,
    tree: Tree,
}

#[derive(Serialize)]
struct List {
    events: Vec<EntryJson>,
    next: Option<u64>,
    tree: Tree,
    checkpoint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GetQuery {
    #[serde(default)]
    proof: Switch,
    #[serde(default)]
    ocsf: Switch,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    #[serde(default)]
    from: u64,
    limit: Option<usize>,
    #[serde(default)]
    ocsf: Switch,
}

/// Whom to ask what an event means, if that was asked.
struct Understanding(Option<(Arc<Admission>, Arc<Directory>)>);

impl Understanding {
    fn of(admission: Option<Arc<Admission>>, trail: &Trail) -> Result<Self, ReadError> {
        let with_directory = |admission: Arc<Admission>| admission.identities().in_force(trail).map(|directory| (admission, directory));
        admission.map(with_directory).transpose().map(Self)
    }

    fn knowing(&self) -> Option<Knowing<'_>> {
        self.0.as_ref().map(|(admission, directory)| Knowing { catalog: admission.catalog(), directory })
    }
}

/// The index in a path: decimal digits in their one spelling.
pub(super) async fn index(asked: &mut Asked) -> Result<u64, ApiError> {
    let text = asked.path_part().await?;
    tlog::canonical::from_decimal(&text).map_err(|_| {
        ApiError::bad_request("index_invalid", "the index in the path is not a number: use decimal digits without leading zeros")
    })
}

/// `GET /v1/events/{index}`: the entry, with `ocsf=1` what it means, or with `proof=1` its event file.
pub async fn get(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let (index, GetQuery { proof, ocsf }) = (index(&mut asked).await?, query(&asked.parts.uri)?);
    if proof.is_on() {
        let file = api.read(move |trail| Ok(proofs::event_file(trail, index)?.to_json())).await?;
        return Ok(attachment(bytes(StatusCode::OK, EVENT_FILE_TYPE, file), index, "event.json"));
    }
    let admission = ocsf.is_on().then(|| Arc::clone(&api.admission));
    api.read(move |trail| {
        let understanding = Understanding::of(admission, trail)?;
        let entry = trail.reader().committed(index)?;
        let view = trail.view();
        let entry = EntryJson::new(&entry, &view.state).meaning(understanding.knowing(), &entry, &view.state);
        Ok(json(StatusCode::OK, &One { entry, tree: Tree::of(&view) }))
    })
    .await
}

/// `GET /v1/events/{index}/raw`: the exact bytes, never to be shown as a page.
pub async fn raw(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let (index, NoQuery {}) = (index(&mut asked).await?, query(&asked.parts.uri)?);
    let raw = api.read(move |trail| {
        let entry = trail.reader().committed(index)?;
        Ok(entry.raw.slice_ref(entry.record()))
    });
    let raw = raw.await?;
    let (content_type, extension) = match RawType::of(&raw) {
        RawType::Json => ("application/json", "json"),
        RawType::Text => ("text/plain; charset=utf-8", "txt"),
        RawType::Bytes => ("application/octet-stream", "bin"),
    };
    Ok(attachment(bytes(StatusCode::OK, content_type, raw), index, extension))
}

/// `GET /v1/events/{index}/receipt`: the receipt, a C2SP tlog-proof.
pub async fn receipt(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let (index, NoQuery {}) = (index(&mut asked).await?, query(&asked.parts.uri)?);
    let text = api.read(move |trail| Ok(proofs::receipt(trail, index)?.to_string())).await?;
    Ok(attachment(bytes(StatusCode::OK, "text/plain; charset=utf-8", text), index, "tlog-proof"))
}

fn attachment(mut response: Response, index: u64, extension: &str) -> Response {
    // Digits and our own extensions only: always a valid header value.
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"event-{index}.{extension}\"")) {
        response.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    response
}

/// `GET /v1/events?from=&limit=`: entries in order of index. `next` is where the list goes on; null
/// at the end of the tree that the answer names.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    let ListQuery { from, limit, ocsf } = query(&asked.parts.uri)?;
    let limit = limit.unwrap_or(LIST_ENTRIES);
    if !(1..=LIST_ENTRIES_MAX).contains(&limit) {
        return Err(ApiError::bad_request(
            "limit_invalid",
            format!("limit={limit}: use 1 to {LIST_ENTRIES_MAX}, and `next` of each answer as `from` of the next request"),
        ));
    }
    let admission = ocsf.is_on().then(|| Arc::clone(&api.admission));
    api.read(move |trail| {
        let understanding = Understanding::of(admission, trail)?;
        let view = trail.view();
        let (mut events, mut held, mut at) = (Vec::new(), 0, from);
        while at < view.size && events.len() < limit && held < LIST_BYTES_MAX {
            let entry = trail.reader().committed(at)?;
            held += entry.raw.len();
            events.push(EntryJson::new(&entry, &view.state).meaning(understanding.knowing(), &entry, &view.state));
            at += 1;
        }
        let next = (at < view.size).then_some(at);
        Ok(json(StatusCode::OK, &List { events, next, tree: Tree::of(&view), checkpoint: view.note.to_string() }))
    })
    .await
}
