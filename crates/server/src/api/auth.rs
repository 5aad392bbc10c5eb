//! From an `Authorization` header to a caller, against the fold of acts as it is now: a key that an
//! act revoked is worth nothing from the moment that act is published.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use evidence::act::Scope as ActScope;
use evidence::fold::KeyEntry;

use crate::access::{Credential, KeyRecord, Scope, Token, authenticate, token_from_authorization};
use crate::api::error::ApiError;
use crate::api::route::Needs;
use crate::api::state::Api;

/// Who asks for something that `needs` a key; `None` where none is needed.
///
/// # Errors
/// 401 without a valid key, 403 when it lacks the scope. Both are counted.
pub fn authorize(api: &Api, needs: Needs, headers: &HeaderMap) -> Result<Option<Credential>, ApiError> {
    let scope = match needs {
        Needs::Nothing | Needs::Proof => return Ok(None),
        Needs::ReadUnlessPublic if api.trail.view().state.public => return Ok(None),
        Needs::ReadUnlessPublic => Scope::Read,
        Needs::Key(scope) => scope,
    };
    let value = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let token = token_from_authorization(value).inspect_err(|why| api.count_refused(None, why.code(), 1))?;
    let credential = verify(api, &token)?;
    if !credential.scopes().allow(scope) {
        api.count_refused(None, "scope_missing", 1);
        return Err(ApiError::scope_missing(scope));
    }
    Ok(Some(credential))
}

fn verify(api: &Api, token: &Token) -> Result<Credential, ApiError> {
    let view = api.trail.view();
    let record = view.state.keys.get(&token.key_id().to_string()).map(record);
    let credential = authenticate(token, record.as_ref(), api.clock.now_ms());
    Ok(credential.inspect_err(|why| api.count_refused(None, why.code(), 1))?)
}

fn record(key: &KeyEntry) -> KeyRecord {
    KeyRecord {
        hash: key.hash,
        scopes: key.scopes.iter().map(|scope| access_scope(*scope)).collect(),
        sources: key.sources.iter().cloned().collect(),
        expires_at: key.expires_at,
        revoked: key.revoked.is_some(),
    }
}

const fn access_scope(scope: ActScope) -> Scope {
    match scope {
        ActScope::Admin => Scope::Admin,
        ActScope::Ingest => Scope::Ingest,
        ActScope::Read => Scope::Read,
    }
}
