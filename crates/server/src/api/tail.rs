//! `GET /v1/tail`: the entries that a search line describes, as they are committed, as server-sent
//! events (WHATWG HTML §9.2).
//!
//! The answer is pulled: the next entries are read when the last ones are written to the reader's
//! connection. So a slow reader holds one step of matches and slows nobody; one that takes nothing at all
//! is closed like any other, and goes on where it was with `Last-Event-ID`.
//!
//! INVARIANT: the `id` a reader holds is an index up to which it was shown everything that matches.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::access::{Credential, Scope};
use crate::api::answer::bytes;
use crate::api::auth::authorize;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::limits::TAIL_READS_MAX;
use crate::api::noted::note;
use crate::api::query::query;
use crate::api::route::Needs;
use crate::api::saved;
use crate::api::search::{Hit, UnreadableJson};
use crate::api::state::Api;
use crate::api::tail::frames::Frames;
use crate::log::records;
use crate::search::document::Knowing;
use crate::search::{Budget, Following, Found, Index};

mod frames;

/// What one look at the log may cost. A reader that is far behind shares the threads with those that are not.
const STEP: Budget = Budget { hits: 256, bytes: 1 << 20, time: Duration::from_millis(200), entries: 100_000 };
/// After a commit others follow at once, when there is load: they are looked at together.
const GATHER: Duration = Duration::from_millis(20);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies of the family of nginx keep an answer back until it is whole, unless told not to.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The places there are for those who follow the log.
#[derive(Debug)]
pub(crate) struct Tails {
    places: Arc<Semaphore>,
    reads: Arc<Semaphore>,
}

impl Tails {
    pub(super) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), reads: Arc::new(Semaphore::new(TAIL_READS_MAX)) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TailQuery {
    #[serde(default)]
    q: String,
    from: Option<u64>,
}

/// `GET /v1/tail?q=&from=`.
pub async fn get(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let TailQuery { q, from } = query(&asked.parts.uri)?;
    let line = saved::line(api, &q).await?;
    let size = api.trail.view().size;
    // A browser that connects again asks the same and says how far it came.
    let from = last_seen(&asked.parts.headers)?.or(from).unwrap_or(size);
    if from > size {
        let message = format!(
            "from={from} (or the entry after Last-Event-ID) is beyond the log, which holds {size} entries: this may not be the log \
             that it was read from; leave it out to begin with what comes"
        );
        return Err(ApiError::bad_request("from_invalid", message));
    }
    let place = Arc::clone(&api.tails.places).try_acquire_owned().map_err(|_| {
        let most = api.limits.tails;
        ApiError::later("tails_full", format!("{most} readers follow the log already, as many as may: end one, or ask again later"), 10)
    })?;
    let (index, by, line_read) = (api.index(), caller.key_id().to_string(), line.to_string());
    note(&index, "searches", records::tail_begun(&by, &line_read, from))?;
    let mut begin = Frames::default();
    begin.begun(&line_read, from, size);
    let mut key = HeaderMap::new();
    if let Some(value) = asked.parts.headers.get(AUTHORIZATION) {
        key.insert(AUTHORIZATION, value.clone());
    }
    let reader = Reader {
        followed: Followed { index, by, line: line_read, from, to: from, hits: 0 },
        following: Following::from(line, api.clock.now_ms(), from),
        committed: api.trail.log().follow(),
        draining: api.draining.subscribe(),
        heard: Instant::now(),
        begin: Some(begin),
        over: false,
        api: Arc::clone(api),
        key,
        _place: place,
    };
    let stream = unfold(reader, |mut reader| async {
        let next = reader.next().await?;
        Some((Ok::<_, Infallible>(next), reader))
    });
    let mut response = bytes(StatusCode::OK, "text/event-stream", Body::from_stream(stream));
    response.headers_mut().insert(BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// The index after the one that a reader was shown last.
fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let index = value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).and_then(|index| index.checked_add(1));
    index.map(Some).ok_or_else(|| {
        ApiError::bad_request(
            "last_event_id_invalid",
            "Last-Event-ID is not an index: send the `id` of the last event that came, or nothing",
        )
    })
}

/// What is recorded when the reader goes, however it goes.
struct Followed {
    index: Arc<Index>,
    by: String,
    line: String,
    from: u64,
    to: u64,
    hits: u64,
}

impl Drop for Followed {
    fn drop(&mut self) {
        let record = records::tail_ended(&self.by, &self.line, self.from, self.to, self.hits);
        if !self.index.note(record) {
            tracing::warn!(by = self.by, hits = self.hits, "the end of a tail could not be recorded: too many records wait");
        }
    }
}

/// One who follows the log.
struct Reader {
    followed: Followed,
    following: Following,
    committed: watch::Receiver<u64>,
    draining: watch::Receiver<bool>,
    /// When something was last sent.
    heard: Instant,
    /// What is said first.
    begin: Option<Frames>,
    over: bool,
    api: Arc<Api>,
    /// The `Authorization` that was shown: a key that is revoked shows nothing more.
    key: HeaderMap,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    /// What is sent next; nothing when it is over.
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        let mut frames = self.begin.take().unwrap_or_default();
        while frames.is_empty() {
            let gone_on = match self.may_go_on() {
                Ok(()) => self.advance(&mut frames).await,
                Err(why) => Err(why),
            };
            if let Err(why) = gone_on {
                self.over = true;
                frames.ended(&why);
            }
        }
        self.heard = Instant::now();
        Some(frames.into_bytes())
    }

    /// Looks at what was committed, or waits for a commit, the time to say something, or the end.
    async fn advance(&mut self, frames: &mut Frames) -> Result<(), ApiError> {
        let size = *self.committed.borrow_and_update();
        let due = self.heard + self.api.limits.tail_heartbeat;
        if self.following.at() < size {
            self.look(frames).await?;
            if !frames.is_empty() || Instant::now() < due {
                return Ok(());
            }
        } else {
            tokio::select! {
                // Both senders live as long as the API.
                _ = self.draining.changed() => return Ok(()),
                _ = self.committed.changed() => {
                    sleep(GATHER).await;
                    return Ok(());
                }
                () = sleep_until(due) => {}
            }
        }
        frames.heartbeat(self.following.at());
        Ok(())
    }

    fn may_go_on(&self) -> Result<(), ApiError> {
        if self.api.is_draining() {
            let message = "the server shuts down: connect again in a moment with Last-Event-ID";
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "draining", message));
        }
        authorize(&self.api, Needs::Key(Scope::Read), &self.key).map(drop)
    }

    async fn look(&mut self, frames: &mut Frames) -> Result<(), ApiError> {
        let (mut following, index) = (self.following.clone(), Arc::clone(&self.followed.index));
        let admission = Arc::clone(&self.api.admission);
        let (following, found, written) = self
            .api
            .block(&self.api.tails.reads, move |trail| {
                let directory = admission.identities().in_force(trail)?;
                let found = following.step(trail, &index, &directory, STEP)?;
                let mut written = Frames::default();
                let state = &trail.view().state;
                write(&found, index.knowing(&directory, state), &mut written);
                Ok((following, found.hits.len() as u64, written))
            })
            .await?;
        (self.followed.to, self.following) = (following.at(), following);
        self.followed.hits += found;
        *frames = written;
        Ok(())
    }
}

fn write(found: &Found, knowing: Knowing<'_>, frames: &mut Frames) {
    for gap in &found.unreadable {
        frames.unreadable(&UnreadableJson::from(gap));
    }
    for entry in &found.hits {
        frames.entry(entry.index, &Hit::new(entry, knowing));
    }
}
