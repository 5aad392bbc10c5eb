//! API keys: made, listed and revoked, each change an act. A token is shown once, to whoever made it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use evidence::act::{KeyAct, Scope};
use evidence::fold::KeyEntry;
use serde::{Deserialize, Serialize};

use crate::access::{Credential, Token};
use crate::api::answer::json;
use crate::api::dispatch::Asked;
use crate::api::error::ApiError;
use crate::api::instant::{format_rfc3339, parse_rfc3339};
use crate::api::limits::LIST_ENTRIES_MAX;
use crate::api::query::{NoQuery, query};
use crate::api::state::Api;
use crate::clock::random;
use crate::door::why;
use crate::intake::SourceName;
use crate::log::intent::Intent;
use crate::store::trail::Trail;

/// Characters of a key's name and of a reason: a line, not a document.
const TEXT_CHARS_MAX: usize = 500;
/// Keys in a list when none is said.
const LIST_KEYS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    scopes: Vec<String>,
    #[serde(default)]
    sources: Vec<String>,
    expires_at: Option<String>,
    name: Option<String>,
    why: Option<String>,
}

#[derive(Serialize)]
struct KeyJson {
    id: String,
    scopes: Vec<&'static str>,
    sources: Vec<String>,
    expires_at: Option<String>,
    created: u64,
    revoked: Option<u64>,
    reset: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl KeyJson {
    fn new(id: &str, key: &KeyEntry, name: Option<String>) -> Self {
        Self {
            id: id.to_owned(),
            scopes: key.scopes.iter().map(|scope| scope.word()).collect(),
            sources: key.sources.iter().cloned().collect(),
            expires_at: key.expires_at.map(format_rfc3339),
            created: key.index,
            revoked: key.revoked,
            reset: key.reset,
            name,
        }
    }
}

#[derive(Serialize)]
struct Created {
    #[serde(flatten)]
    key: KeyJson,
    token: String,
    checkpoint: String,
}

/// `POST /v1/keys`.
pub async fn create(api: &Arc<Api>, caller: &Credential, asked: Asked) -> Result<Response, ApiError> {
    let NoQuery {} = query(&asked.parts.uri)?;
    let new: NewKey = asked.setting(api).await?;
    let (name, reason) = (short(new.name.clone(), "name")?, short(new.why.clone(), "why")?);
    let token = draw_token()?;
    let act = key_act(&new, &token, api.clock.now_ms())?;
    let acted = api.trail.log().act(Intent::CreateKey(act), why(&caller.key_id().to_string(), name.clone(), reason)).await?;
    let id = token.key_id().to_string();
    let key = acted.view.state.keys.get(&id).ok_or_else(ApiError::lost_task)?;
    let created = Created { key: KeyJson::new(&id, key, name), token: token.reveal().to_owned(), checkpoint: acted.view.note.to_string() };
    Ok(json(StatusCode::CREATED, &created))
}

fn draw_token() -> Result<Token, ApiError> {
    let mut drawn = Ok(());
    let token = Token::generate(&mut |out| {
        if let Err(why) = random(out) {
            drawn = Err(why);
        }
    });
    drawn.map_err(|why| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", why.to_string()))?;
    Ok(token)
}

fn key_act(new: &NewKey, token: &Token, now_ms: u64) -> Result<KeyAct, ApiError> {
    let bad = |message: String| ApiError::bad_request("key_invalid", message);
    let scope = |word: &String| Scope::from_word(word).ok_or_else(|| bad("unknown scope: use `ingest`, `read` or `admin`".into()));
    let scopes = new.scopes.iter().map(scope).collect::<Result<std::collections::BTreeSet<_>, _>>()?;
    if scopes.is_empty() {
        return Err(bad("no scope: name at least one of `ingest`, `read` and `admin`".into()));
    }
    let source = |name: &String| name.parse::<SourceName>().map(|name| name.to_string()).map_err(|why| bad(why.to_string()));
    let sources = new.sources.iter().map(source).collect::<Result<_, _>>()?;
    let expires_at = new.expires_at.as_deref().map(parse_rfc3339).transpose().map_err(|why| bad(format!("expires_at is {why}")))?;
    if expires_at.is_some_and(|end| end <= now_ms) {
        return Err(bad("expires_at is in the past: the key would never be valid".into()));
    }
    Ok(KeyAct {
        id: token.key_id().to_string(),
        hash: evidence::fold::hash_of_token(token.reveal()),
        scopes,
        sources,
        expires_at,
        reset: false,
    })
}

fn short(text: Option<String>, member: &str) -> Result<Option<String>, ApiError> {
    match &text {
        Some(long) if long.chars().count() > TEXT_CHARS_MAX => {
            Err(ApiError::bad_request("text_too_long", format!("`{member}` is longer than {TEXT_CHARS_MAX} characters: shorten it")))
        }
        _ => Ok(text),
    }
}

/// The name somebody gave a key lies in part 3 of its act, which may have been erased.
fn name_of(trail: &Trail, key: &KeyEntry) -> Option<String> {
    #[derive(Deserialize)]
    struct Why {
        name: Option<String>,
    }
    let entry = trail.reader().entry(key.index).ok()?;
    let parts = entry.parts();
    serde_json::from_slice::<Why>(parts.get(3)?).ok()?.name
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct List {
    keys: Vec<KeyJson>,
    next: Option<String>,
}

/// `GET /v1/keys?after=&limit=`: keys by id, revoked ones included; `next` is `after` of the next request.
pub async fn list(api: &Arc<Api>, asked: Asked) -> Result<Response, ApiError> {
    let ListQuery { after, limit } = query(&asked.parts.uri)?;
    let limit = limit.unwrap_or(LIST_KEYS);
    if !(1..=LIST_ENTRIES_MAX).contains(&limit) {
        return Err(ApiError::bad_request("limit_invalid", format!("limit={limit}: use 1 to {LIST_ENTRIES_MAX}")));
    }
    api.read(move |trail| {
        use std::ops::Bound::{Excluded, Unbounded};
        let view = trail.view();
        let start = after.map_or(Unbounded, Excluded);
        let mut found = view.state.keys.range((start, Unbounded));
        let keys: Vec<_> = found.by_ref().take(limit).map(|(id, key)| KeyJson::new(id, key, name_of(trail, key))).collect();
        let next = found.next().and_then(|_| keys.last().map(|key| key.id.clone()));
        Ok(json(StatusCode::OK, &List { keys, next }))
    })
    .await
}

/// `GET /v1/keys/{id}`.
pub async fn get(api: &Arc<Api>, mut asked: Asked) -> Result<Response, ApiError> {
    let (id, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    api.read(move |trail| {
        let view = trail.view();
        let key = view
            .state
            .keys
            .get(&id)
            .ok_or_else(|| ApiError::not_found("unknown", "there is no key with this id: list them with GET /v1/keys"))?;
        Ok(json(StatusCode::OK, &KeyJson::new(&id, key, name_of(trail, key))))
    })
    .await
}

#[derive(Serialize)]
struct Revoked {
    id: String,
    revoked: Option<u64>,
    checkpoint: String,
}

/// `DELETE /v1/keys/{id}`: the key is worth nothing once this is answered. Asking again changes nothing.
pub async fn revoke(api: &Api, caller: &Credential, mut asked: Asked) -> Result<Response, ApiError> {
    let (id, NoQuery {}) = (asked.path_part().await?, query(&asked.parts.uri)?);
    let acted = api.trail.log().act(Intent::RevokeKey { id: id.clone() }, why(&caller.key_id().to_string(), None, None)).await?;
    let revoked = acted.view.state.keys.get(&id).and_then(|key| key.revoked);
    Ok(json(StatusCode::OK, &Revoked { id, revoked, checkpoint: acted.view.note.to_string() }))
}
