//! From the table of routes to the handlers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, Path, Request};
use axum::http::header::EXPECT;
use axum::http::request::Parts;
use axum::http::{StatusCode, Version};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::access::{Credential, HeaderError, Scope};
use crate::api::answer::protect;
use crate::api::auth::authorize;
use crate::api::caller::Caller;
use crate::api::error::ApiError;
use crate::api::protocol::Protocol;
use crate::api::query::{NoQuery, query};
use crate::api::receive::setting_body;
use crate::api::route::{Endpoint, Needs, ROUTES, Route};
use crate::api::state::{Api, ApiState};
use crate::api::{
    completeness, connections, directory, elastic, events, evidence, export, forward, grpc, hec, hook, ingest, investigate, keys,
    kubernetes, lake, metrics, operate, otlp, remap, saved, search, sources, ssf, tail, trail, tree,
};
use crate::door::Peer;
use crate::intake::bulk::Verb;

/// Most that is read of a body that is refused: what a client has sent before it could hear of it.
const PASSED_OVER_BYTES: usize = 64 << 10;
/// And for how long.
const PASSED_OVER_TIME: Duration = Duration::from_millis(500);

/// A request on its way to a handler.
pub(crate) struct Asked {
    pub parts: Parts,
    pub body: Body,
    pub peer: Peer,
}

impl Asked {
    fn new(request: Request) -> Self {
        let (parts, body) = request.into_parts();
        // The server puts it into every request; a router that is called without it (a test) has none.
        let peer = parts.extensions.get::<Peer>().cloned().unwrap_or_default();
        Self { parts, body, peer }
    }

    /// The one part of the path that the route leaves open, decoded.
    pub async fn path_part(&mut self) -> Result<String, ApiError> {
        let path = Path::<String>::from_request_parts(&mut self.parts, &()).await;
        path.map(|Path(part)| part).map_err(|_| not_text())
    }

    /// The parts of the path with these names, decoded; none for one that the route does not have.
    pub async fn path_parts<const N: usize>(&mut self, names: [&str; N]) -> Result<[Option<Box<str>>; N], ApiError> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(&mut self.parts, &()).await;
        let Path(parts) = path.map_err(|_| not_text())?;
        Ok(names.map(|name| parts.iter().find(|(known, _)| known == name).map(|(_, part)| part.as_str().into())))
    }

    /// Checks that the request says nothing beyond its path.
    pub fn nothing(&self) -> Result<(), ApiError> {
        query(&self.parts.uri).map(|NoQuery {}| ())
    }

    /// The body as a setting in JSON.
    pub async fn setting<T: DeserializeOwned>(self, api: &Api) -> Result<T, ApiError> {
        let received = setting_body(self.body, &api.limits, &api.memory).await?;
        parse_setting(&received.bytes)
    }

    /// As [`Asked::setting`]; an empty body is the default.
    pub async fn setting_or_default<T: DeserializeOwned + Default>(self, api: &Api) -> Result<T, ApiError> {
        let received = setting_body(self.body, &api.limits, &api.memory).await?;
        if received.bytes.is_empty() { Ok(T::default()) } else { parse_setting(&received.bytes) }
    }
}

fn not_text() -> ApiError {
    ApiError::not_found("no_such_route", "the path is not text: see /openapi.json for the paths there are")
}

fn parse_setting<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|why| ApiError::bad_request("body_invalid", format!("the body is not the JSON expected here: {why}; see /openapi.json")))
}

/// The router of all routes.
pub fn router(state: ApiState) -> Router {
    let mut router: Router<Arc<Api>> = Router::new();
    for route in &ROUTES {
        router = router.route(route.path, method_router(route));
    }
    router.fallback(not_found).method_not_allowed_fallback(wrong_method).with_state(state.0)
}

fn method_router(route: &'static Route) -> MethodRouter<Arc<Api>> {
    // The table holds only methods that axum routes; a test walks all of it.
    let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::TRACE);
    on(filter, move |axum::extract::State(api): axum::extract::State<Arc<Api>>, request: Request| async move {
        let protocol = Protocol::of(route.endpoint, request.headers());
        let answer = dispatch(&api, route, request).await;
        finish(&api, Some(route.endpoint), protocol, answer)
    })
}

async fn dispatch(api: &Arc<Api>, route: &'static Route, request: Request) -> Result<Response, ApiError> {
    let asked = Asked::new(request);
    // What brings events is charged by the event.
    if route.needs == Needs::Key(Scope::Ingest) {
        return match Caller::of(api, &asked) {
            Ok(caller) => brought(api, &caller, route.endpoint, asked).await,
            Err(why) => {
                pass_over(&asked.parts, asked.body).await;
                Err(why)
            }
        };
    }
    let caller = authorize(api, route.needs, &asked.parts.headers)?;
    if let Some(caller) = &caller {
        api.spend(caller.key_id(), 1)?;
    }
    answer(api, caller.as_ref(), route.endpoint, asked).await
}

/// Reads a little of a body that is refused for its head. HTTP/2 resets the stream of a request that is answered
/// while it still comes, and some clients (curl among them) then show the reset instead of the answer.
async fn pass_over(parts: &Parts, mut body: Body) {
    if parts.version != Version::HTTP_2 || parts.headers.contains_key(EXPECT) {
        return;
    }
    let read = async {
        let mut read = 0;
        while read < PASSED_OVER_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // Over time it is answered as it is.
    let _ = tokio::time::timeout(PASSED_OVER_TIME, read).await;
}

async fn answer(api: &Arc<Api>, caller: Option<&Credential>, endpoint: Endpoint, asked: Asked) -> Result<Response, ApiError> {
    match (endpoint, caller) {
        (Endpoint::ListEvents, _) => events::list(api, asked).await,
        (Endpoint::GetEvent, _) => events::get(api, asked).await,
        (Endpoint::GetEventRaw, _) => events::raw(api, asked).await,
        (Endpoint::GetEventReceipt, _) => events::receipt(api, asked).await,
        (Endpoint::GetRoutine, Some(caller)) => investigate::routine(api, caller, asked).await,
        (Endpoint::GetIdentity, Some(caller)) => investigate::identity(api, caller, asked).await,
        (Endpoint::Search, Some(caller)) => search::get(api, caller, asked).await,
        (Endpoint::GetEvidence, Some(caller)) => evidence::get(api, caller, asked).await,
        (Endpoint::GetDerived, _) => remap::get(api, asked).await,
        (Endpoint::Remap, Some(_)) => remap::post(api, asked).await,
        (Endpoint::Tail, Some(caller)) => tail::get(api, caller, asked).await,
        (Endpoint::Export, Some(caller)) => export::get(api, caller, asked).await,
        (Endpoint::ListLake, _) => lake::list(api, asked).await,
        (Endpoint::GetLakeFile, Some(caller)) => lake::file(api, caller, asked).await,
        (Endpoint::ListSaved, _) => saved::list(api, asked).await,
        (Endpoint::SetSaved, Some(caller)) => saved::set(api, caller, asked).await,
        (Endpoint::RemoveSaved, Some(caller)) => saved::remove(api, caller, asked).await,
        (Endpoint::ListForwards, _) => forward::list(api, asked).await,
        (Endpoint::SetForward, Some(caller)) => forward::set(api, caller, asked).await,
        (Endpoint::RemoveForward, Some(caller)) => forward::remove(api, caller, asked).await,
        (Endpoint::GetTrail, _) => asked.nothing().map(|()| trail::get(api)),
        (Endpoint::SetPublic, Some(caller)) => trail::set_public(api, caller, asked).await,
        (Endpoint::RotateKey, Some(caller)) => trail::rotate(api, caller, asked).await,
        (Endpoint::ListSources, _) => sources::list(api, asked).await,
        (Endpoint::SetSource, Some(caller)) => sources::set(api, caller, asked).await,
        (Endpoint::GetCompleteness, _) => completeness::get(api, asked).await,
        (Endpoint::ListConnections, _) => asked.nothing().and_then(|()| connections::list(api)),
        (Endpoint::GetConnection, _) => connections::get(api, asked).await,
        (Endpoint::SetConnection, Some(caller)) => connections::set(api, caller, asked).await,
        (Endpoint::RemoveConnection, Some(caller)) => connections::remove(api, caller, asked).await,
        (Endpoint::ImportDirectory, Some(caller)) => directory::import(api, caller, asked).await,
        (Endpoint::ListDirectory, _) => directory::list(api, asked).await,
        (Endpoint::RemoveIdentity, Some(caller)) => directory::remove(api, caller, asked).await,
        (Endpoint::CreateKey, Some(caller)) => keys::create(api, caller, asked).await,
        (Endpoint::ListKeys, _) => keys::list(api, asked).await,
        (Endpoint::GetKey, _) => keys::get(api, asked).await,
        (Endpoint::RevokeKey, Some(caller)) => keys::revoke(api, caller, asked).await,
        (Endpoint::Checkpoint, _) => asked.nothing().map(|()| tree::checkpoint(api)),
        (Endpoint::Tile, _) => tree::tile(api, asked).await,
        (Endpoint::Health, _) => Ok(operate::health()),
        (Endpoint::Ready, _) => operate::ready(api),
        (Endpoint::Metrics, _) => metrics::page(api),
        (Endpoint::OpenApi, _) => Ok(operate::openapi()),
        (Endpoint::HecHealth, _) => Ok(hec::health(api)),
        (Endpoint::HookChallenge, _) => hook::challenge(api, asked).await,
        (Endpoint::Hook, _) => hook::receive(api, asked).await,
        (Endpoint::SecurityEvents, _) => ssf::receive(api, asked).await,
        // The table gives each of these a need that is met by a caller only.
        _ => Err(HeaderError::Missing.into()),
    }
}

/// What brings events, and what shippers ask besides, each in a protocol of its own.
async fn brought(api: &Arc<Api>, caller: &Caller, endpoint: Endpoint, asked: Asked) -> Result<Response, ApiError> {
    match endpoint {
        Endpoint::AppendEvents => ingest::append(api, caller, asked).await,
        Endpoint::HecEvents => hec::events(api, caller, asked).await,
        Endpoint::HecRaw => hec::raw(api, caller, asked).await,
        Endpoint::HecAck => hec::ack(api, caller, asked).await,
        Endpoint::ElasticBulk => elastic::bulk(api, caller, asked).await,
        Endpoint::ElasticIndex => elastic::document(api, caller, Verb::Index, asked).await,
        Endpoint::ElasticCreate => elastic::document(api, caller, Verb::Create, asked).await,
        Endpoint::ElasticInfo | Endpoint::ElasticSetting | Endpoint::ElasticAsked => {
            api.spend(caller.rate(), 1)?;
            Ok(match endpoint {
                Endpoint::ElasticInfo => elastic::info(api),
                Endpoint::ElasticSetting => elastic::setting(),
                _ => elastic::asked(asked.parts.uri.path()),
            })
        }
        Endpoint::OtlpLogs => otlp::logs(api, caller, asked).await,
        Endpoint::OtlpGrpc => grpc::export(api, caller, asked).await,
        Endpoint::KubernetesAudit => kubernetes::receive(api, caller, asked).await,
        // All others are matched above.
        _ => Err(ApiError::lost_task()),
    }
}

fn finish(api: &Api, endpoint: Option<Endpoint>, protocol: Protocol, answer: Result<Response, ApiError>) -> Response {
    let mut response = answer.unwrap_or_else(|why| protocol.refuse(why));
    protocol.mark(&mut response);
    protect(response.headers_mut());
    api.metrics.answered(endpoint, response.status());
    response
}

async fn not_found(axum::extract::State(api): axum::extract::State<Arc<Api>>) -> Response {
    finish(
        &api,
        None,
        Protocol::Own,
        Err(ApiError::not_found("no_such_route", "there is nothing at this path: see /openapi.json for the paths there are")),
    )
}

async fn wrong_method(axum::extract::State(api): axum::extract::State<Arc<Api>>) -> Response {
    let message = "this path does not have this method: see the header `Allow`, and /openapi.json";
    finish(&api, None, Protocol::Own, Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)))
}
