//! `GET /v1/identities/{id}`: what one identity did, and how it came by a privilege.
//! `GET /v1/events/{index}/routine`: whether an event is usual for whoever did it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use evidence::leaf::Kind;
use serde::{Deserialize, Serialize};

use crate::access::Credential;
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::events::index;
use crate::api::limits::{LIST_ENTRIES_MAX, SEARCH_ENTRIES_MAX, SEARCH_TIME};
use crate::api::noted::note;
use crate::api::query::{NoQuery, query};
use crate::api::search::UnreadableJson;
use crate::api::state::Api;
use crate::investigate::how::{How, how};
use crate::investigate::routine::{Routine, routine as routine_of};
use crate::investigate::timeline::{Asked as Question, EVENTS_MAX, Timeline, timeline};
use crate::investigate::{Bounds, Covered, Inquiry};
use crate::log::records;
use crate::search::SearchError;
use crate::search::document::Document;
use crate::search::instant;
use crate::search::named::Within;
use crate::source::identity::IDENTITY_CHARS_MAX;

/// Lines in an answer when none is said.
const LINES: usize = 50;
/// Characters of a privilege's name that are looked for.
const PRIVILEGE_CHARS_MAX: usize = 256;
/// What an answer may cost: as much as a search.
const BOUNDS: Bounds = Bounds { time: SEARCH_TIME, entries: SEARCH_ENTRIES_MAX, matches: EVENTS_MAX };

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityQuery {
    since: Option<String>,
    until: Option<String>,
    behind: Option<String>,
    limit: Option<usize>,
    how: Option<String>,
}

#[derive(Serialize)]
struct TreeJson {
    size: u64,
    root: String,
}

/// An answer, with what it rests on.
#[derive(Serialize)]
pub struct Answered<T> {
    #[serde(flatten)]
    answer: T,
    tree: TreeJson,
    /// What could not be looked at.
    unreadable: Vec<UnreadableJson>,
    checkpoint: String,
}

/// An answer, and what to record of it before anybody is shown it.
pub type Recorded<T> = (Answered<T>, Vec<u8>);

/// One of the two answers about an identity.
#[derive(Serialize)]
#[serde(untagged)]
pub enum About {
    /// What it did.
    Timeline(Box<Timeline>),
    /// How it came by a privilege.
    How(How),
}

impl About {
    const fn covered(&self) -> &Covered {
        match self {
            Self::Timeline(timeline) => &timeline.covered,
            Self::How(how) => &how.covered,
        }
    }

    fn record(&self, by: &str) -> Vec<u8> {
        match self {
            Self::Timeline(of) => records::who(by, &of.identity, None, &of.query, of.summary.events as u64, of.covered.to),
            Self::How(of) => {
                let steps = &of.tree.steps;
                let indexes: Vec<_> = steps.iter().map(|step| step.event.index.to_string()).collect();
                let query = if indexes.is_empty() { String::new() } else { format!("index:({})", indexes.join(" OR ")) };
                records::who(by, &of.identity, Some(&of.privilege), &query, steps.len() as u64, of.covered.to)
            }
        }
    }
}

/// What is asked about an identity.
#[derive(Clone, Debug, Default)]
pub struct Inquired {
    /// Which, and which of its lines.
    pub question: Question,
    /// The name of a privilege, when it is asked how that was reached.
    pub how: Option<String>,
}

impl Inquired {
    /// Checks what can be checked before anybody looks.
    ///
    /// # Errors
    /// What is wrong, in words, with a code.
    pub fn check(&self, now_ms: u64) -> Result<(), (&'static str, String)> {
        let Question { identity, since, until, lines, .. } = &self.question;
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        for (name, text) in [("since", since), ("until", until)] {
            if let Some(text) = text.as_deref().filter(|text| instant::read(text, now_ms).is_none()) {
                return Err(("time_invalid", format!("{name}: {text:?} is no time: {}", instant::FORMS)));
            }
        }
        let at = |text: &Option<String>| text.as_deref().and_then(|text| instant::read(text, now_ms)).map(|span| span.from_ms);
        if let (Some(from), Some(to)) = (at(since), at(until))
            && from >= to
        {
            let what = if from == to { "until is the first moment left out: name a later one" } else { "exchange the two" };
            return Err(("time_invalid", format!("since is not before until, so that nothing lies between them: {what}")));
        }
        if !(1..=LIST_ENTRIES_MAX).contains(lines) {
            return Err((
                "limit_invalid",
                format!("limit={lines}: use 1 to {LIST_ENTRIES_MAX}, and `next` of each answer as `behind` of the next request"),
            ));
        }
        if identity.trim().is_empty() || identity.chars().count() > IDENTITY_CHARS_MAX {
            return Err((
                "identity_invalid",
                format!("an identity has 1 to {IDENTITY_CHARS_MAX} characters: usually it is an e-mail address"),
            ));
        }
        match &self.how {
            Some(how) if how.trim().is_empty() || how.chars().count() > PRIVILEGE_CHARS_MAX => {
                Err(("privilege_invalid", format!("name a part of the privilege in 1 to {PRIVILEGE_CHARS_MAX} characters, such as admin")))
            }
            Some(_) if since.is_some() || until.is_some() || self.question.behind.is_some() => {
                Err(("bad_query", "how a privilege was reached is told over all time: leave out since, until and behind".into()))
            }
            _ => Ok(()),
        }
    }
}

/// Answers what is asked about an identity, and says what to record of that.
///
/// # Errors
/// [`SearchError`].
pub fn investigate(log: Within<'_>, asked: &Inquired, now_ms: u64, bounds: Bounds, by: &str) -> Result<Recorded<About>, SearchError> {
    let mut inquiry = Inquiry::new(log, now_ms, bounds);
    let about = match &asked.how {
        Some(privilege) => About::How(how(&mut inquiry, &asked.question.identity, privilege)?),
        None => About::Timeline(Box::new(timeline(&mut inquiry, &asked.question)?)),
    };
    let record = about.record(by);
    let unreadable = unreadable(about.covered());
    Ok((answered(&inquiry, about, unreadable), record))
}

/// Answers whether an event is routine, and says what to record of that; nothing for what is no event.
///
/// # Errors
/// [`SearchError`].
pub fn history_of(log: Within<'_>, index: u64, now_ms: u64, bounds: Bounds, by: &str) -> Result<Option<Recorded<Routine>>, SearchError> {
    let entry = log.trail.reader().committed(index)?;
    if entry.leaf.kind != Kind::Event {
        return Ok(None);
    }
    let mut inquiry = Inquiry::new(log, now_ms, bounds);
    let state = Arc::clone(&log.trail.view().state);
    let knowing = log.index.knowing(log.directory, &state);
    let routine = routine_of(&mut inquiry, &Document::new(&entry, knowing))?;
    let record = records::routine(by, index, routine.covered.to);
    let unreadable = unreadable(&routine.covered);
    Ok(Some((answered(&inquiry, routine, unreadable), record)))
}

fn unreadable(covered: &Covered) -> Vec<UnreadableJson> {
    covered.unreadable.iter().map(UnreadableJson::from).collect()
}

fn answered<T>(inquiry: &Inquiry<'_>, answer: T, unreadable: Vec<UnreadableJson>) -> Answered<T> {
    let (size, root) = inquiry.tree();
    let checkpoint = inquiry.log().trail.view().note.to_string();
    Answered { answer, tree: TreeJson { size, root: root.to_string() }, unreadable, checkpoint }
}

/// `GET /v1/identities/{id}?since=&until=&behind=&limit=&how=`.
pub async fn identity(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let identity = asked.path_part().await?;
    let IdentityQuery { since, until, behind, limit, how } = query(&asked.parts.uri)?;
    let behind = behind.map(|text| text.parse()).transpose();
    let behind = behind.map_err(|()| ApiError::bad_request("behind_invalid", "`behind` is `next` of the answer before, unchanged"))?;
    let question = Question { identity, since, until, behind, lines: limit.unwrap_or(LINES) };
    let (inquired, now_ms) = (Inquired { question, how }, api.clock.now_ms());
    inquired.check(now_ms).map_err(|(code, message)| ApiError::bad_request(code, message))?;
    let (admission, index, key) = (Arc::clone(&api.admission), api.index(), caller.key_id().to_string());
    api.search(move |trail| {
        let directory = admission.identities().in_force(trail)?;
        let log = Within { trail, index: &index, directory: &directory };
        let (answer, record) = investigate(log, &inquired, now_ms, BOUNDS, &key)?;
        note(&index, "searches", record)?;
        Ok(json(StatusCode::OK, &answer))
    })
    .await
}

/// `GET /v1/events/{index}/routine`.
pub async fn routine(api: &Arc<Api>, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (number, NoQuery {}) = (index(&mut asked).await?, query(&asked.parts.uri)?);
    let (admission, index, key, now_ms) = (Arc::clone(&api.admission), api.index(), caller.key_id().to_string(), api.clock.now_ms());
    api.search(move |trail| {
        let directory = admission.identities().in_force(trail)?;
        let log = Within { trail, index: &index, directory: &directory };
        let found = history_of(log, number, now_ms, BOUNDS, &key)?;
        let no_event = || {
            ApiError::bad_request(
                "not_an_event",
                format!("entry {number} is no event but one of the log's own: only events have a history"),
            )
        };
        let (answer, record) = found.ok_or_else(no_event)?;
        note(&index, "searches", record)?;
        Ok(json(StatusCode::OK, &answer))
    })
    .await
}
