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
    /// Proof that the request is from the vendor of the connection it names; the handler checks it.
    Proof,
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
    GetRoutine,
    Search,
    GetIdentity,
    GetEvidence,
    GetDerived,
    Remap,
    Tail,
    Export,
    ListLake,
    GetLakeFile,
    ListSaved,
    SetSaved,
    RemoveSaved,
    ListForwards,
    SetForward,
    RemoveForward,
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
    ImportDirectory,
    ListDirectory,
    RemoveIdentity,
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
    HecEvents,
    HecRaw,
    HecHealth,
    HecAck,
    ElasticInfo,
    ElasticBulk,
    ElasticIndex,
    ElasticCreate,
    ElasticSetting,
    ElasticAsked,
    OtlpLogs,
    OtlpGrpc,
    HookChallenge,
    Hook,
    SecurityEvents,
    KubernetesAudit,
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
const INGEST: Needs = Needs::Key(Scope::Ingest);

/// All routes. `/metrics` wants a `read` key although it holds no events: rates and refusals tell
/// an attacker whether he was noticed.
pub static ROUTES: [Route; 86] = [
    route(Endpoint::AppendEvents, Method::POST, "/v1/events", INGEST),
    route(Endpoint::ListEvents, Method::GET, "/v1/events", READ),
    route(Endpoint::GetEvent, Method::GET, "/v1/events/{index}", READ),
    route(Endpoint::GetEventRaw, Method::GET, "/v1/events/{index}/raw", READ),
    route(Endpoint::GetEventReceipt, Method::GET, "/v1/events/{index}/receipt", READ),
    route(Endpoint::GetRoutine, Method::GET, "/v1/events/{index}/routine", READ),
    route(Endpoint::Search, Method::GET, "/v1/search", READ),
    route(Endpoint::GetIdentity, Method::GET, "/v1/identities/{id}", READ),
    route(Endpoint::GetEvidence, Method::GET, "/v1/evidence", READ),
    route(Endpoint::GetDerived, Method::GET, "/v1/remap", READ),
    route(Endpoint::Remap, Method::POST, "/v1/remap", ADMIN),
    route(Endpoint::Tail, Method::GET, "/v1/tail", READ),
    route(Endpoint::Export, Method::GET, "/v1/export", READ),
    route(Endpoint::ListLake, Method::GET, "/v1/lake", READ),
    route(Endpoint::GetLakeFile, Method::GET, "/v1/lake/{name}", READ),
    route(Endpoint::ListSaved, Method::GET, "/v1/saved", READ),
    route(Endpoint::SetSaved, Method::PUT, "/v1/saved/{name}", ADMIN),
    route(Endpoint::RemoveSaved, Method::DELETE, "/v1/saved/{name}", ADMIN),
    route(Endpoint::ListForwards, Method::GET, "/v1/forwards", ADMIN),
    route(Endpoint::SetForward, Method::PUT, "/v1/forwards/{name}", ADMIN),
    route(Endpoint::RemoveForward, Method::DELETE, "/v1/forwards/{name}", ADMIN),
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
    route(Endpoint::ImportDirectory, Method::PUT, "/v1/directory", ADMIN),
    route(Endpoint::ListDirectory, Method::GET, "/v1/directory", READ),
    route(Endpoint::RemoveIdentity, Method::DELETE, "/v1/directory/{identity}", ADMIN),
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
    // Shippers, each in the protocol it knows.
    route(Endpoint::HecEvents, Method::POST, "/services/collector", INGEST),
    route(Endpoint::HecEvents, Method::POST, "/services/collector/event", INGEST),
    route(Endpoint::HecEvents, Method::POST, "/services/collector/event/1.0", INGEST),
    route(Endpoint::HecRaw, Method::POST, "/services/collector/raw", INGEST),
    route(Endpoint::HecRaw, Method::POST, "/services/collector/raw/1.0", INGEST),
    route(Endpoint::HecHealth, Method::GET, "/services/collector/health", Needs::Nothing),
    route(Endpoint::HecHealth, Method::GET, "/services/collector/health/1.0", Needs::Nothing),
    route(Endpoint::HecAck, Method::POST, "/services/collector/ack", INGEST),
    route(Endpoint::ElasticInfo, Method::GET, "/", INGEST),
    route(Endpoint::ElasticBulk, Method::POST, "/_bulk", INGEST),
    route(Endpoint::ElasticBulk, Method::POST, "/{index}/_bulk", INGEST),
    route(Endpoint::ElasticBulk, Method::PUT, "/_bulk", INGEST),
    route(Endpoint::ElasticBulk, Method::PUT, "/{index}/_bulk", INGEST),
    route(Endpoint::ElasticIndex, Method::POST, "/{index}/_doc", INGEST),
    route(Endpoint::ElasticIndex, Method::POST, "/{index}/_doc/{id}", INGEST),
    route(Endpoint::ElasticCreate, Method::POST, "/{index}/_create/{id}", INGEST),
    route(Endpoint::ElasticIndex, Method::PUT, "/{index}/_doc/{id}", INGEST),
    route(Endpoint::ElasticCreate, Method::PUT, "/{index}/_create/{id}", INGEST),
    route(Endpoint::ElasticSetting, Method::PUT, "/_index_template/{name}", INGEST),
    route(Endpoint::ElasticSetting, Method::PUT, "/_component_template/{name}", INGEST),
    route(Endpoint::ElasticSetting, Method::PUT, "/_template/{name}", INGEST),
    route(Endpoint::ElasticSetting, Method::PUT, "/_ilm/policy/{name}", INGEST),
    route(Endpoint::ElasticSetting, Method::PUT, "/_ingest/pipeline/{name}", INGEST),
    route(Endpoint::ElasticSetting, Method::PUT, "/_data_stream/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_index_template/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_component_template/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_template/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_ilm/policy/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_ingest/pipeline/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_data_stream/{name}", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_license", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_xpack", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_cluster/health", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_nodes", INGEST),
    route(Endpoint::ElasticAsked, Method::GET, "/_nodes/{what}", INGEST),
    route(Endpoint::OtlpLogs, Method::POST, "/v1/logs", INGEST),
    route(Endpoint::OtlpGrpc, Method::POST, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", INGEST),
    route(Endpoint::HookChallenge, Method::GET, "/v1/hooks/{connection}", Needs::Proof),
    route(Endpoint::Hook, Method::POST, "/v1/hooks/{connection}", Needs::Proof),
    route(Endpoint::SecurityEvents, Method::POST, "/v1/ssf/{connection}", Needs::Proof),
    route(Endpoint::KubernetesAudit, Method::POST, "/v1/k8s", INGEST),
    route(Endpoint::KubernetesAudit, Method::POST, "/v1/k8s/{source}", INGEST),
];
