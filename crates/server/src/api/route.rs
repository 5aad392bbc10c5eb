//! Every route, with who may use it. The router is built from this table and nothing else.

use axum::http::Method;

use crate::access::Scope;

/// What a caller must show for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A key with this scope; for [`Scope::Ingest`], one that may send from the source named.
    Key(Scope),
    /// A key with the scope `read`, unless the trail is public.
    ReadUnlessPublic,
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the table below says what each one is")]
pub enum Endpoint {
    AppendEvents,
    ListEvents,
    GetEvent,
    GetEventRaw,
    GetEventReceipt,
    GetTrail,
    SetPublic,
    RotateKey,
    ListSources,
    SetSource,
    GetCompleteness,
    ListConnections,
    GetConnection,
    SetConnection,
    RemoveConnection,
    CreateKey,
    ListKeys,
    GetKey,
    RevokeKey,
    Checkpoint,
    Tile,
    Health,
    Ready,
    Metrics,
    OpenApi,
}

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// What it does.
    pub endpoint: Endpoint,
    /// Its method. `HEAD` goes with `GET`.
    pub method: Method,
    /// Its path; `{name}` is one segment, `{*name}` the rest.
    pub path: &'static str,
    /// Who may use it.
    pub needs: Needs,
}

const fn route(endpoint: Endpoint, method: Method, path: &'static str, needs: Needs) -> Route {
    Route { endpoint, method, path, needs }
}

const READ: Needs = Needs::Key(Scope::Read);
const ADMIN: Needs = Needs::Key(Scope::Admin);

/// All routes. `/metrics` wants a `read` key although it holds no events: rates and refusals tell
/// an attacker whether he was noticed.
pub static ROUTES: [Route; 25] = [
    route(Endpoint::AppendEvents, Method::POST, "/v1/events", Needs::Key(Scope::Ingest)),
    route(Endpoint::ListEvents, Method::GET, "/v1/events", READ),
    route(Endpoint::GetEvent, Method::GET, "/v1/events/{index}", READ),
    route(Endpoint::GetEventRaw, Method::GET, "/v1/events/{index}/raw", READ),
    route(Endpoint::GetEventReceipt, Method::GET, "/v1/events/{index}/receipt", READ),
    route(Endpoint::GetTrail, Method::GET, "/v1/trails/main", READ),
    route(Endpoint::SetPublic, Method::PUT, "/v1/trails/main/public", ADMIN),
    route(Endpoint::RotateKey, Method::POST, "/v1/trails/main/rotate", ADMIN),
    route(Endpoint::ListSources, Method::GET, "/v1/sources", READ),
    route(Endpoint::SetSource, Method::PUT, "/v1/sources/{name}", ADMIN),
    route(Endpoint::GetCompleteness, Method::GET, "/v1/sources/{name}/completeness", READ),
    route(Endpoint::ListConnections, Method::GET, "/v1/connections", ADMIN),
    route(Endpoint::GetConnection, Method::GET, "/v1/connections/{name}", ADMIN),
    route(Endpoint::SetConnection, Method::PUT, "/v1/connections/{name}", ADMIN),
    route(Endpoint::RemoveConnection, Method::DELETE, "/v1/connections/{name}", ADMIN),
    route(Endpoint::CreateKey, Method::POST, "/v1/keys", ADMIN),
    route(Endpoint::ListKeys, Method::GET, "/v1/keys", ADMIN),
    route(Endpoint::GetKey, Method::GET, "/v1/keys/{id}", ADMIN),
    route(Endpoint::RevokeKey, Method::DELETE, "/v1/keys/{id}", ADMIN),
    route(Endpoint::Checkpoint, Method::GET, "/trails/main/checkpoint", Needs::ReadUnlessPublic),
    route(Endpoint::Tile, Method::GET, "/trails/main/tile/{*tile}", Needs::ReadUnlessPublic),
    route(Endpoint::Health, Method::GET, "/healthz", Needs::Nothing),
    route(Endpoint::Ready, Method::GET, "/readyz", Needs::Nothing),
    route(Endpoint::Metrics, Method::GET, "/metrics", READ),
    route(Endpoint::OpenApi, Method::GET, "/openapi.json", Needs::Nothing),
];
