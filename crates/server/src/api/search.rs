//! `GET /v1/search`: the entries that a search line describes, how much of the log that covers, and counts
//! of all that match.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::counts::{Counting, CountsJson, Wanted, counts};
use crate::api::dispatch::Asked;
use crate::api::entry_json::EntryJson;
use crate::api::error::ApiError;
use crate::api::instant::format_rfc3339;
use crate::api::limits::{LIST_BYTES_MAX, LIST_ENTRIES_MAX, SEARCH_ENTRIES_MAX, SEARCH_TIME};
use crate::api::noted::note;
use crate::api::query::query;
use crate::api::saved;
use crate::api::state::Api;
use crate::log::records;
use crate::search::document::{Document, Knowing};
use crate::search::field::Name;
use crate::search::{Ask, Budget, Found, Index, Order, QueryError, SearchError, Unreadable, search};
use crate::source::directory::Directory;
use crate::store::read::StoredEntry;
use crate::store::trail::Trail;

/// Matches in an answer when none is said.
const HITS: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    order: OrderWord,
    limit: Option<usize>,
    cursor: Option<String>,
    facets: Option<String>,
    histogram: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OrderWord {
    #[default]
    Newest,
    Oldest,
}

/// One page of an answer.
#[derive(Serialize)]
pub struct Page {
    /// The search line as it was understood.
    query: String,
    events: Vec<Hit>,
    tree: TreeJson,
    covered: Covered,
    /// Why the page ends before the log does: `limit`, `bytes`, `time`, `entries`.
    stopped: Option<&'static str>,
    next: Option<String>,
    checkpoint: String,
    /// What was asked to be counted, over all of the tree and not this page alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<CountsJson>,
}

#[derive(Serialize)]
struct TreeJson {
    size: u64,
    root: String,
}

/// What the page covers.
#[derive(Serialize)]
struct Covered {
    /// From this index on,
    from: u64,
    /// to the one before this.
    to: u64,
    read: u64,
    ruled_out: u64,
    /// Whether every entry of the range was looked at or ruled out.
    complete: bool,
    unreadable: Vec<UnreadableJson>,
}

#[derive(Serialize)]
pub(super) struct UnreadableJson {
    first: u64,
    last: u64,
    why: String,
}

/// One match, as every answer about matches shows it.
#[derive(Serialize)]
pub(super) struct Hit {
    #[serde(flatten)]
    entry: EntryJson,
    summary: Summary,
}

/// What a line of a table shows.
#[derive(Serialize)]
struct Summary {
    time: String,
    actor: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    ip: Option<String>,
    target: Option<String>,
}

/// `GET /v1/search?q=&order=&limit=&cursor=&facets=&histogram=`.
pub async fn get(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let SearchQuery { q, order, limit, cursor, facets, histogram } = query(&asked.parts.uri)?;
    let limit = limit.unwrap_or(HITS);
    let wanted = Wanted::parse(facets.as_deref(), histogram.as_deref())?;
    let least = usize::from(wanted.is_nothing());
    if !(least..=LIST_ENTRIES_MAX).contains(&limit) {
        return Err(ApiError::bad_request(
            "limit_invalid",
            format!("limit={limit}: use {least} to {LIST_ENTRIES_MAX}, and `next` of each answer as `cursor` of the next request"),
        ));
    }
    let ask = Ask {
        query: saved::line(api, &q).await?,
        order: match order {
            OrderWord::Newest => Order::Newest,
            OrderWord::Oldest => Order::Oldest,
        },
        cursor: cursor.map(|cursor| cursor.parse()).transpose().map_err(SearchError::Cursor)?,
        now_ms: api.clock.now_ms(),
        budget: Budget { hits: limit, bytes: LIST_BYTES_MAX, time: SEARCH_TIME, entries: SEARCH_ENTRIES_MAX },
    };
    let (admission, index, key) = (Arc::clone(&api.admission), api.index(), caller.key_id());
    api.search(move |trail| {
        let directory = admission.identities().in_force(trail)?;
        let page = counted_page((trail, &index, &directory), &ask, &wanted)?;
        note(&index, "searches", records::search(&key.to_string(), &page.query, page.events.len() as u64, page.tree.size))?;
        Ok(json(StatusCode::OK, &page))
    })
    .await
}

/// A page, with what is to be counted of all that matches.
///
/// # Errors
/// [`SearchError`].
pub fn counted_page(of: (&Trail, &Index, &Directory), ask: &Ask, wanted: &Wanted) -> Result<Page, SearchError> {
    let (trail, index, directory) = of;
    if wanted.is_nothing() {
        return page(trail, index, directory, ask);
    }
    let now_ms = ask.cursor.map_or(ask.now_ms, |cursor| cursor.now_ms);
    let counting = |size| Counting { query: &ask.query, size, now_ms, time: ask.budget.time };
    if ask.budget.hits > 0 {
        let mut page = page(trail, index, directory, ask)?;
        page.counts = Some(counts(of, wanted, &counting(Some(page.tree.size)))?.0);
        return Ok(page);
    }
    let (counts, size, root) = counts(of, wanted, &counting(None))?;
    Ok(Page {
        query: ask.query.to_string(),
        events: Vec::new(),
        tree: TreeJson { size, root: root.to_string() },
        covered: Covered { from: 0, to: size, read: 0, ruled_out: 0, complete: counts.complete(), unreadable: Vec::new() },
        stopped: None,
        next: None,
        checkpoint: trail.view().note.to_string(),
        counts: Some(counts),
    })
}

/// Searches, and makes a page of what is found.
///
/// # Errors
/// [`SearchError`].
pub fn page(trail: &Trail, index: &Index, directory: &Directory, ask: &Ask) -> Result<Page, SearchError> {
    let found = search(trail, index, directory, ask)?;
    let view = trail.view();
    let knowing = index.knowing(directory, &view.state);
    let Found { hits, size, root, range, read, ruled_out, unreadable, stopped, next } = found;
    let unreadable: Vec<_> = unreadable.iter().map(UnreadableJson::from).collect();
    Ok(Page {
        query: ask.query.to_string(),
        events: hits.par_iter().map(|entry| Hit::new(entry, knowing)).collect(),
        tree: TreeJson { size, root: root.to_string() },
        covered: Covered { from: range.start, to: range.end, read, ruled_out, complete: unreadable.is_empty(), unreadable },
        stopped: stopped.map(crate::search::Stopped::word),
        next: next.map(|cursor| cursor.to_string()),
        checkpoint: view.note.to_string(),
        counts: None,
    })
}

impl From<&Unreadable> for UnreadableJson {
    fn from(gap: &Unreadable) -> Self {
        Self { first: gap.first, last: gap.end.saturating_sub(1), why: gap.why.clone() }
    }
}

impl Hit {
    pub(super) fn new(entry: &StoredEntry, knowing: Knowing<'_>) -> Self {
        let document = Document::new(entry, knowing);
        Self { summary: Summary::of(&document), entry: EntryJson::new(entry, knowing.state).meaning_of(&document) }
    }
}

impl Summary {
    fn of(document: &Document<'_>) -> Self {
        Self {
            time: format_rfc3339(u64::try_from(document.time_ms()).unwrap_or(0)),
            actor: document.first(Name::Actor),
            action: document.first(Name::Action),
            outcome: document.first(Name::Outcome),
            ip: document.first(Name::Ip),
            target: document.first(Name::Target).or_else(|| document.first(Name::Resource)),
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(why: QueryError) -> Self {
        Self::bad_request("query_invalid", why.to_string())
    }
}

impl From<SearchError> for ApiError {
    fn from(why: SearchError) -> Self {
        match why {
            SearchError::Cursor(why) => Self::bad_request("cursor_invalid", why.to_string()),
            SearchError::Read(why) => why.into(),
        }
    }
}
